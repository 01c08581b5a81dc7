//! Learned rational activations by groups of channels, and the affine layer behind them that keeps the variance.

mod builder;
mod fit;
#[cfg(test)]
mod tests;

use knotwork_core::{Graph, Tensor, ops::RationalForm};

pub use builder::{GrKanBuilder, GroupRationalBuilder};
pub use fit::RationalFit;

use super::Linear;
use crate::Result;

/// Safe Padé units by groups of channels (Molina et al. 2020; groups as in Yang and Wang 2024, "Kolmogorov–Arnold
/// Transformer"): F(x) = P(x) / Q(x), P = Σ pᵢ xⁱ, Q = 1 + |Σ q_j xʲ| (form B) or 1 + Σ |q_j xʲ| (form A), with coefficients
/// q of each group's own and p of each group's own or, as in KAT, of all groups together.
///
/// Parameters: `name.numerator` `[1 or groups, m + 1]`, `name.denominator` `[groups, n]`. They begin as a function that was
/// fitted in the form in use ([`RationalFit`]), the identity unless set.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// use knotwork_nn::layers::GroupRational;
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [3, 16])?;
/// let layer = GroupRational::new(&g, "act", 16).groups(8).like("silu").build()?;
/// let y = layer.forward(&x)?;
/// let mut program = Device::cpu().compile(&g, &[&y, &x.silu()?], &[])?;
/// let values: Vec<f32> = (0..48).map(|i| i as f32 / 8.0 - 3.0).collect();
/// let out = program.run([("x", HostTensor::new(&values, [3, 16])?)])?.wait()?;
/// let far = out[0].to_f64().iter().zip(out[1].to_f64()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
/// assert!(far <= layer.fit().error + 1e-6);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GroupRational {
    name: String,
    channels: usize,
    groups: usize,
    form: RationalForm,
    numerator: Tensor,
    denominator: Tensor,
    fit: RationalFit,
}

impl GroupRational {
    /// Over that many channels, in 8 groups, of degrees 5 and 4, in form B, with one numerator for all groups, beginning as the
    /// identity; unless set otherwise.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "a layer is made by its builder")]
    pub fn new(graph: &Graph, name: &str, channels: usize) -> GroupRationalBuilder {
        GroupRationalBuilder::new(graph, name, channels)
    }

    /// F of x [..., channels].
    ///
    /// # Errors
    /// Where the last dimension of x is not the channels, or its type is not the parameters'.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.shape().dims().last().and_then(|d| d.fixed()) != Some(self.channels) {
            return Err(crate::Error::setting(format!(
                "GroupRational `{}`: x is {}; its last dimension must be the {} channels",
                self.name,
                x.meta(),
                self.channels
            )));
        }
        let shape = self.numerator.shape().dims();
        let numerator = match shape.first().and_then(|d| d.fixed()) {
            Some(groups) if groups == self.groups => self.numerator.clone(),
            _ => self.numerator.broadcast_to([self.groups.into(), shape[1].clone()])?,
        };
        Ok(x.rational(&numerator, &self.denominator, self.form)?)
    }

    /// What it began as.
    #[must_use]
    pub fn fit(&self) -> &RationalFit {
        &self.fit
    }

    /// The numerator's coefficients, `[1 or groups, m + 1]`.
    #[must_use]
    pub fn numerator(&self) -> &Tensor {
        &self.numerator
    }

    /// The denominator's coefficients, `[groups, n]`.
    #[must_use]
    pub fn denominator(&self) -> &Tensor {
        &self.denominator
    }

    /// All its parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Tensor> {
        vec![&self.numerator, &self.denominator]
    }
}

/// A GR-KAN layer (Yang and Wang 2024, "Kolmogorov–Arnold Transformer"): y = W F(x) + b, F a [`GroupRational`], and W with
/// the variance 1 / (in E\[F(x)²\]), x ~ N(0, 1), at first, so that y has the variance of x. Two of them, the first beginning
/// as the identity and the second as silu or gelu, take the place of the two layers of a transformer's MLP.
///
/// Parameters: `name.act.numerator`, `name.act.denominator`, `name.weight` [out, in] and `name.bias` `[out]`.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// use knotwork_nn::layers::GrKan;
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [4, 16])?;
/// let up = GrKan::new(&g, "up", 16, 64).build()?;
/// let down = GrKan::new(&g, "down", 64, 16).rational(|r| r.like("gelu")).build()?;
/// let y = x.add(&down.forward(&up.forward(&x)?)?)?;
/// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
/// let out = program.run([("x", HostTensor::zeros(DType::F32, [4, 16]))])?.wait()?;
/// assert!(out[0].to_f64().iter().all(|y| y.abs() < 0.1)); // gelu is fitted within a few thousandths
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GrKan {
    rational: GroupRational,
    linear: Linear,
}

impl GrKan {
    /// A layer from `inputs` to `outputs` numbers, with a bias and the [`GroupRational`]'s settings unless set otherwise.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "a layer is made by its builder")]
    pub fn new(graph: &Graph, name: &str, inputs: usize, outputs: usize) -> GrKanBuilder {
        GrKanBuilder::new(graph, name, inputs, outputs)
    }

    /// The layer of x [..., in]: [..., out].
    ///
    /// # Errors
    /// Where the last dimension of x is not the layer's, or x is no f32.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.linear.forward(&self.rational.forward(x)?)
    }

    /// F.
    #[must_use]
    pub fn rational(&self) -> &GroupRational {
        &self.rational
    }

    /// W and b.
    #[must_use]
    pub fn linear(&self) -> &Linear {
        &self.linear
    }

    /// All its parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Tensor> {
        self.rational.parameters().into_iter().chain(self.linear.parameters()).collect()
    }
}
