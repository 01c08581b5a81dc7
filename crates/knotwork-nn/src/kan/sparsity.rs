//! Penalties that make networks small and their functions simple.

use knotwork_core::Tensor;

use super::Kan;
use crate::{Error, Result};

/// Weights of the penalties beside a loss. With e_oi the standard deviation of edge φ_oi over the samples
/// ([`Kan::edge_scales`]), and p_oi = e_oi / Σ e of its layer, summed over layers:
///
/// | penalty | what | leads to |
/// |---|---|---|
/// | `l1` | Σ e_oi | weak edges that vanish |
/// | `entropy` | −Σ p_oi ln p_oi | few edges that do all |
/// | `coefficients` | the mean of \|c\| | flat functions |
/// | `smoothness` | the mean of (c_{m+1} − 2 c_m + c_{m−1})² | functions without wiggles |
///
/// The first two are those of Liu et al. 2024 (eq. 2.17–2.20) with the standard deviation for the mean absolute value, as
/// pykan has come to do; a constant edge costs nothing, because its place is the bias.
///
/// ```
/// use knotwork_nn::kan::Sparsity;
/// let penalty = Sparsity { coefficients: 1e-4, ..Sparsity::weight(2e-3) };
/// assert_eq!((penalty.l1, penalty.entropy), (2e-3, 4e-3));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sparsity {
    /// Of the L1 norm of edges.
    pub l1: f64,
    /// Of the entropy of edges.
    pub entropy: f64,
    /// Of the coefficients' absolute values.
    pub coefficients: f64,
    /// Of the coefficients' second differences.
    pub smoothness: f64,
}

impl Sparsity {
    /// pykan's mixture for a weight λ: λ of L1 and 2 λ of entropy.
    #[must_use]
    pub fn weight(lambda: f64) -> Self {
        Self { l1: lambda, entropy: 2.0 * lambda, ..Self::default() }
    }

    /// Whether every weight is 0.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Kan {
    /// The penalty over the rows of x [rows, in]: a number to add to a loss.
    ///
    /// # Errors
    /// Where a weight is negative or not finite, or x is no matrix of the network's inputs.
    #[track_caller]
    pub fn penalty(&self, x: &Tensor, weights: &Sparsity) -> Result<Tensor> {
        let Sparsity { l1, entropy, coefficients, smoothness } = *weights;
        for (what, weight) in
            [("l1", l1), ("entropy", entropy), ("coefficients", coefficients), ("smoothness", smoothness)]
        {
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(Error::setting(format!(
                    "Sparsity: {what} is {weight}; it must be finite and at least 0"
                )));
            }
        }
        let mut total = x.graph().constant(x.dtype(), 0.0)?;
        if l1 > 0.0 || entropy > 0.0 {
            for scales in self.edge_scales(x)? {
                let sum = scales.deviations.sum(&[0, 1], false)?;
                let p = scales.deviations.div(&sum)?;
                let disorder = p.mul(&p.log()?)?.sum(&[0, 1], false)?;
                total = total.add(&sum.mul(l1)?)?.sub(&disorder.mul(entropy)?)?;
            }
        }
        if coefficients > 0.0 || smoothness > 0.0 {
            for (layer, shape) in self.layers.iter().zip(&self.network.layers) {
                for (b, branch) in shape.branches.iter().enumerate().take(layer.branches()) {
                    let coef = layer.coefficients(b)?;
                    total = total.add(&coef.abs()?.mean(&[0, 1, 2], false)?.mul(coefficients)?)?;
                    let n = branch.functions.count();
                    if n >= 3 && branch.functions.spline().is_some() {
                        let part = |from: usize| coef.slice(1, from, from + n - 2);
                        let bend = part(0)?.add(&part(2)?)?.sub(&part(1)?.mul(2.0)?)?;
                        total = total.add(&bend.square()?.mean(&[0, 1, 2], false)?.mul(smoothness)?)?;
                    }
                }
            }
        }
        Ok(total)
    }
}
