//! How much every edge does: the standard deviation of its function over samples, exactly, without a value an edge.

use knotwork_core::{HostTensor, Tensor};

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
    /// summed once for each input: memory is rows × inputs × functions, never rows × inputs × outputs. In a layer with
    /// wavelets, which no two edges share, it is the variance of one input's edges after another's: rows × outputs.
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
        let shared = self.shared(x, layer)?;
        let wavelets: Vec<usize> = (0..self.branches()).filter(|b| self.functions(*b).is_wavelet()).collect();
        if !wavelets.is_empty() {
            let (variance, mean) = self.by_input(x, layer, &wavelets, shared.as_ref())?;
            variances.push(variance);
            means.push(mean);
        } else if let Some(Shared { mean, centred, weights }) = shared {
            let rows = centred.permute(&[1, 0, 2])?;
            // The rows are counted on the device: a program need not know their number.
            let n = x.slice(1, 0, 1)?.mul(0.0)?.add(1.0)?.sum(&[0, 1], false)?;
            let covariance = centred.permute(&[1, 2, 0])?.matmul(&rows)?.div(&n)?;
            let variance = covariance.matmul(&weights)?.mul(&weights)?.sum(&[1], false)?;
            variances.push(variance);
            means.push(mean);
        }
        if let Some(symbols) = self.symbols() {
            let found = symbols.each(x, |Values { from, to, value }| {
                let place = |row: Tensor| from.mul(&row)?.matmul(to);
                Ok([place(value.var(&[0], 0.0, true)?)?, place(value.mean(&[0], true)?)?])
            });
            for moments in found {
                let [variance, mean] = moments?;
                variances.push(variance);
                means.push(mean);
            }
        }
        let zero =
            || Ok::<_, Error>(x.graph().tensor(HostTensor::zeros(x.dtype(), [layer.inputs, layer.sums]))?);
        Ok((total(variances)?.map_or_else(zero, Ok)?, total(means)?.map_or_else(zero, Ok)?))
    }

    /// What the edges of an input share; none where they share nothing.
    fn shared(&self, x: &Tensor, layer: &NetworkLayer) -> Result<Option<Shared>> {
        let (mut features, mut weights) = (Vec::new(), Vec::new());
        for b in (0..self.branches()).filter(|b| !self.functions(*b).is_wavelet()) {
            features.push(self.features(b, x, layer)?);
            weights.push(self.coefficients(b)?);
        }
        if let Some(weight) = self.base_weights()?.filter(|_| layer.base != Base::None) {
            features.push(layer.base.of_tensor(x)?.unsqueeze(2)?);
            weights.push(weight.unsqueeze(1)?);
        }
        if features.is_empty() {
            return Ok(None);
        }
        let features = Tensor::concat(&features.iter().collect::<Vec<_>>(), 2)?;
        let weights = Tensor::concat(&weights.iter().collect::<Vec<_>>(), 1)?;
        let mean = features.mean(&[0], true)?;
        let centred = features.sub(&mean)?;
        let mean = mean.permute(&[1, 0, 2])?.matmul(&weights)?;
        let mean = mean.reshape([layer.inputs, layer.sums])?;
        Ok(Some(Shared { mean, centred, weights }))
    }

    /// The moments of a layer with wavelets, of which each edge has its own: one input's functions at a time, [rows, sums],
    /// which are made again for the gradients, so that no two inputs' are kept.
    fn by_input(
        &self,
        x: &Tensor,
        layer: &NetworkLayer,
        wavelets: &[usize],
        shared: Option<&Shared>,
    ) -> Result<(Tensor, Tensor)> {
        let coefficients: Vec<Tensor> =
            wavelets.iter().map(|b| self.coefficients(*b)).collect::<Result<_>>()?;
        let (mut variances, mut means) = (Vec::new(), Vec::new());
        for i in 0..layer.inputs {
            let here = |edges: &Tensor| edges.slice(0, i, i + 1);
            let [variance, mean] = x.graph().checkpoint(|| {
                let x = x.slice(1, i, i + 1)?;
                let mut parts = Vec::new();
                for (b, coef) in wavelets.iter().zip(&coefficients) {
                    parts.push(self.functions(*b).of_input(i)?.layer(&x, &here(coef)?, None, None)?);
                }
                let own = total(parts)?.map_or_else(|| x.mul(0.0), Ok)?;
                let mean = own.mean(&[0], true)?;
                let Some(shared) = shared else { return Ok([own.var(&[0], 0.0, true)?, mean]) };
                let centred = shared.centred.slice(1, i, i + 1)?.permute(&[1, 0, 2])?;
                let beside = centred.matmul(&here(&shared.weights)?)?.reshape(own.shape().dims().to_vec())?;
                let variance = own.add(&beside)?.var(&[0], 0.0, true)?;
                Ok([variance, mean.add(&here(&shared.mean)?)?])
            })?;
            variances.push(variance);
            means.push(mean);
        }
        let rows = |all: &[Tensor]| Tensor::concat(&all.iter().collect::<Vec<_>>(), 0);
        Ok((rows(&variances)?, rows(&means)?))
    }

    /// The values of a branch's functions, [rows, inputs, functions].
    fn features(&self, branch: usize, x: &Tensor, layer: &NetworkLayer) -> Result<Tensor> {
        let n = layer.branches[branch].functions.count();
        let mut unit = vec![0.0; n * n];
        (0..n).for_each(|m| unit[m * n + m] = 1.0);
        let unit = x.graph().tensor(host(&unit, &[1, n, n], x.dtype())?)?;
        let functions = self.functions(branch);
        if let Placed::Basis(_) = functions {
            return Ok(functions.layer(&x.unsqueeze(2)?, &unit, None, None)?);
        }
        // Each input on its own knots.
        let mut all = Vec::with_capacity(layer.inputs);
        for i in 0..layer.inputs {
            let x = x.slice(1, i, i + 1)?.unsqueeze(2)?;
            all.push(functions.of_input(i)?.layer(&x, &unit, None, None)?);
        }
        Ok(Tensor::concat(&all.iter().collect::<Vec<_>>(), 1)?)
    }
}

/// The functions that all edges of an input share, and what edges make of them.
struct Shared {
    /// [inputs, sums]
    mean: Tensor,
    /// The functions' values without their means, [rows, inputs, functions].
    centred: Tensor,
    /// [inputs, functions, sums]
    weights: Tensor,
}
