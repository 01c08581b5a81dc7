//! The affine layer.

use knotwork_core::{DType, Graph, HostTensor, Tensor};

use crate::{Error, Generator, Result};

/// x Wᵀ + b over the last dimension, with parameters `name.weight` `[out, in]` and `name.bias` `[out]`.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// use knotwork_nn::Linear;
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [4, 3])?;
/// let layer = Linear::new(&g, "head", 3, 2).bias(true).seed(7).build()?;
/// let y = layer.forward(&x)?;
/// assert_eq!(y.shape().to_string(), "[4, 2]");
/// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
/// let out = program.run([("x", HostTensor::zeros(DType::F32, [4, 3]))])?.wait()?;
/// assert_eq!(out[0].as_slice::<f32>()?, &[0.0; 8]); // the bias begins at 0
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

/// The settings of a [`Linear`] layer.
#[derive(Clone, Debug)]
pub struct LinearBuilder {
    graph: Graph,
    name: String,
    inputs: usize,
    outputs: usize,
    bias: bool,
    seed: u64,
    gain: f64,
}

impl Linear {
    /// A layer from `inputs` to `outputs` numbers, with a bias unless it is set otherwise.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "a layer is made by its builder")]
    pub fn new(graph: &Graph, name: &str, inputs: usize, outputs: usize) -> LinearBuilder {
        LinearBuilder {
            graph: graph.clone(),
            name: name.into(),
            inputs,
            outputs,
            bias: true,
            seed: 0,
            gain: 1.0,
        }
    }

    /// The layer of x [..., in]: [..., out].
    ///
    /// # Errors
    /// Where the last dimension of x is not the layer's, or x is no f32.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.linear(&self.weight, self.bias.as_ref())?)
    }

    /// The weight, [out, in].
    #[must_use]
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `[out]`.
    #[must_use]
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// All its parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Tensor> {
        std::iter::once(&self.weight).chain(&self.bias).collect()
    }
}

impl LinearBuilder {
    /// Whether b is added; it begins at 0.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The seed of the weight's initial values; layers of different names draw different ones.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The weight's initial variance is gain² / in: 1 keeps the variance of x, √2 that before a relu.
    #[must_use]
    pub fn gain(mut self, gain: f64) -> Self {
        self.gain = gain;
        self
    }

    /// Adds the parameters to the graph.
    ///
    /// # Errors
    /// Where a width is 0, the gain is not finite, or a name is taken.
    #[track_caller]
    pub fn build(&self) -> Result<Linear> {
        let Self { graph, name, inputs, outputs, .. } = self;
        if *inputs == 0 || *outputs == 0 {
            return Err(Error::setting(format!(
                "Linear `{name}`: {inputs} inputs, {outputs} outputs; both must be at least 1"
            )));
        }
        if !self.gain.is_finite() {
            return Err(Error::setting(format!(
                "Linear `{name}`: the gain is {}; it must be finite",
                self.gain
            )));
        }
        let init =
            Generator::named(self.seed, name).kaiming_uniform(&[*outputs, *inputs], *inputs, self.gain)?;
        let weight = graph.parameter(&format!("{name}.weight"), init)?;
        let zeros = || HostTensor::zeros(DType::F32, [*outputs]);
        let bias = self.bias.then(|| graph.parameter(&format!("{name}.bias"), zeros())).transpose()?;
        Ok(Linear { weight, bias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_of_0_and_taken_names_are_refused() {
        let g = Graph::new();
        let e = Linear::new(&g, "l", 0, 2).build().unwrap_err().to_string();
        assert!(e.starts_with("Linear `l`: 0 inputs, 2 outputs; both must be at least 1 (at "), "{e}");
        Linear::new(&g, "l", 3, 2).build().unwrap();
        assert!(Linear::new(&g, "l", 3, 2).build().unwrap_err().to_string().contains("`l.weight` is taken"));
        let none = Linear::new(&g, "m", 3, 2).bias(false).build().unwrap();
        assert_eq!(none.parameters().len(), 1);
    }
}
