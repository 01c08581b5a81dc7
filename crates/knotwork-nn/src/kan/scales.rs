//! How much every edge does: the standard deviation of its function over samples, exactly, without a value an edge.

use knotwork_core::{HostTensor, Tensor, ops::OnKnots};

use super::{
    Base, Kan,
    layer::{Layer, Placed, host},
    network::NetworkLayer,
    symbols::Values,
};
use crate::{Error, Result, sum::total};

/// What is added to a variance before its root is taken, so that edges that do nothing have a slope.
const LEAST: f64 = 1e-12;

/// What a layer's edges do over samples.
#[derive(Clone, Debug)]
pub struct EdgeScales {
    /// The standard deviation of every edge's function over the rows, [inputs, sums]: at least 1e-6.
    pub deviations: Tensor,
    /// The mean of every edge's function over the rows, [inputs, sums].
    pub means: Tensor,
    /// The standard deviation of every sum over the rows, `[sums]`: at least 1e-6.
    pub sums: Tensor,
}

impl Kan {
    /// What the edges of every layer do over the rows of x [rows, in]: the standard deviation and mean of φ_oi(x_i), exact
    /// and with gradients to everything.
    ///
    /// With the functions' values f (the basis' and the base's) the variance of an edge is cᵀ Cov(f) c, and Cov is
    /// summed once for each input: memory is rows × inputs × functions, never rows × inputs × outputs.
    ///
    /// # Errors
    /// Where x is no matrix of the network's inputs.
    #[track_caller]
    pub fn edge_scales(&self, x: &Tensor) -> Result<Vec<EdgeScales>> {
        if x.rank() != 2 {
            return Err(Error::setting(format!(
                "Kan `{}`: x is {}; it must be [rows, in]",
                self.name,
                x.meta()
            )));
        }
        let mut x = self.inwards(x)?;
        let mut all = Vec::with_capacity(self.depth());
        for (l, layer) in self.layers.iter().enumerate() {
            let shape = &self.network.layers[l];
            let sums = self.sums(l, &x)?;
            let (variances, means) = layer.moments(&x, shape)?;
            all.push(EdgeScales {
                deviations: root(&variances)?,
                means,
                sums: root(&sums.var(&[0], 0.0, false)?)?,
            });
            x = Layer::multiplied(&sums, shape)?;
        }
        Ok(all)
    }
}

fn root(variance: &Tensor) -> Result<Tensor> {
    Ok(variance.maximum(0.0)?.add(LEAST)?.sqrt()?)
}

impl Layer {
    /// The variance and the mean of every edge's function over the rows of x, each [inputs, sums].
    fn moments(&self, x: &Tensor, layer: &NetworkLayer) -> Result<(Tensor, Tensor)> {
        let (mut variances, mut means) = (Vec::new(), Vec::new());
        let (mut features, mut weights) = (Vec::new(), Vec::new());
        for b in 0..self.branches() {
            let coef = self.coefficients(b)?;
            features.push(self.features(b, x, layer)?);
            weights.push(coef);
        }
        if let Some(weight) = self.base_weights()?.filter(|_| layer.base != Base::None) {
            features.push(layer.base.of_tensor(x)?.unsqueeze(2)?);
            weights.push(weight.unsqueeze(1)?);
        }
        if !features.is_empty() {
            // [rows, inputs, functions] and [inputs, functions, sums]
            let features = Tensor::concat(&features.iter().collect::<Vec<_>>(), 2)?;
            let weights = Tensor::concat(&weights.iter().collect::<Vec<_>>(), 1)?;
            let mean = features.mean(&[0], true)?;
            let centred = features.sub(&mean)?;
            let rows = centred.permute(&[1, 0, 2])?;
            // The rows are counted on the device: a program need not know their number.
            let n = x.slice(1, 0, 1)?.mul(0.0)?.add(1.0)?.sum(&[0, 1], false)?;
            let covariance = centred.permute(&[1, 2, 0])?.matmul(&rows)?.div(&n)?;
            let variance = covariance.matmul(&weights)?.mul(&weights)?.sum(&[1], false)?;
            let mean = mean.permute(&[1, 0, 2])?.matmul(&weights)?;
            let mean = mean.reshape([layer.inputs, layer.sums])?;
            variances.push(variance);
            means.push(mean);
        }
        if let Some(symbols) = self.symbols() {
            for Values { from, to, value } in symbols.values(x)? {
                let place = |row: Tensor| from.mul(&row)?.matmul(to);
                variances.push(place(value.var(&[0], 0.0, true)?)?);
                means.push(place(value.mean(&[0], true)?)?);
            }
        }
        let zero =
            || Ok::<_, Error>(x.graph().tensor(HostTensor::zeros(x.dtype(), [layer.inputs, layer.sums]))?);
        Ok((total(variances)?.map_or_else(zero, Ok)?, total(means)?.map_or_else(zero, Ok)?))
    }

    /// The values of a branch's functions, [rows, inputs, functions].
    fn features(&self, branch: usize, x: &Tensor, layer: &NetworkLayer) -> Result<Tensor> {
        let n = layer.branches[branch].functions.count();
        let mut unit = vec![0.0; n * n];
        (0..n).for_each(|m| unit[m * n + m] = 1.0);
        let unit = x.graph().tensor(host(&unit, &[1, n, n], x.dtype())?)?;
        let knots = match self.functions(branch) {
            Placed::OnKnots(knots) => knots,
            basis @ Placed::Basis(_) => return basis.layer(&x.unsqueeze(2)?, &unit, None, None),
        };
        // Each input on its own knots.
        let mut all = Vec::with_capacity(layer.inputs);
        for i in 0..layer.inputs {
            let row = OnKnots::new(&knots.tensor().slice(0, i, i + 1)?, knots.order())?;
            let x = x.slice(1, i, i + 1)?.unsqueeze(2)?;
            all.push(x.kan_layer_on_knots_native(&unit, None, None, &row.outside(knots.policy()))?);
        }
        Ok(Tensor::concat(&all.iter().collect::<Vec<_>>(), 1)?)
    }
}
