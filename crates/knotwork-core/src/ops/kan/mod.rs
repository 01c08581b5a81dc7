//! KAN layers: each edge from input i to output o is a function of one variable, learned as the coefficients of a basis
//! (B-splines and others) and the weight of a silu; and the bases by themselves.
//!
//! The layer is one operation that evaluates functions where they are needed, for B-splines only the k + 1 that are not 0
//! at a point; the basis is never in memory, neither forward nor backward.

mod basis;
mod cases;
mod cells;
mod choose;
mod coefficients;
mod cubic;
mod dense;
mod fast;
mod forward;
mod fours;
mod given;
mod input;
mod kernels;
mod knots_cases;
#[cfg(test)]
mod knots_tests;
pub(super) mod lanes;
mod layer;
mod local;
mod long;
mod narrow;
mod on_knots;
mod op;
mod outside;
mod reference;
mod silu;
mod sorted;
mod spline;
mod split;
#[cfg(test)]
mod tests;
mod text;
mod values;
mod wavelet;

pub use basis::Basis;
pub use on_knots::OnKnots;
pub use outside::Outside;
pub use spline::{BSpline, MAX_ORDER};
pub use wavelet::Wavelet;

pub(super) use cases::{BASIS, REGISTERED};
pub(super) use choose::tunable;
pub(super) use knots_cases::{ON_KNOTS, OUT_OF_RANGE};
use layer::Layer;
use silu::MAX_DERIVATIVE;
pub(super) use wavelet::REGISTERED as WAVELET;

use crate::{Result, Site, graph::Tensor};

impl Tensor {
    /// A KAN layer: y_o = Σ_i W_oi silu(x_i) + Σ_i Σ_m C_oim B_m(x_i) + bias_o, over the functions
    /// B_m of a [`Basis`].
    ///
    /// Self is x `[..., I]`; `coef` C `[O, I, n]`, n the basis' count of functions; `base_weight` W `[O, I]` and `bias` `[O]`
    /// may be left out.
    /// The result is [..., O]. The basis is a [`BSpline`] or a [`Basis`], by value or by reference. Beyond their grid
    /// B-splines are what their [`Outside`] says, at first 0 beyond the outermost knots; at order 0 they have gradient 0 to x.
    /// Their gradients exist at any order (with `base_weight`, up to the sixth derivative), those of other bases up to the
    /// third. [`kan_layer_on_knots`](Self::kan_layer_on_knots) has knots of their own for each input.
    ///
    /// Kernels read C as [I, n, O], O innermost: a parameter kept so, given as `p.permute(&[2, 0, 1])`, is not copied.
    /// Sources: Liu et al., "KAN: Kolmogorov–Arnold Networks" (2024); de Boor, "A Practical Guide to Splines".
    ///
    /// ```
    /// use knotwork_core::{DType, Device, Graph, HostTensor, ops::BSpline};
    /// let g = Graph::new();
    /// let basis = BSpline::new(5, 3)?;
    /// let x = g.input("x", DType::F32, [1, 1])?;
    /// let coef = g.tensor(HostTensor::new(&[1.0f32; 8], [1, 1, 8])?)?;
    /// let y = x.kan_layer(&coef, None, None, basis)?;
    /// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = program.run([("x", HostTensor::new(&[0.3f32], [1, 1])?)])?.wait()?;
    /// assert!((out[0].as_slice::<f32>()?[0] - 1.0).abs() < 1e-6); // splines sum to 1 inside the grid
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where a rank or a dimension disagrees, or the types are not one float type; the message names all shapes.
    #[track_caller]
    pub fn kan_layer(
        &self,
        coef: &Self,
        base_weight: Option<&Self>,
        bias: Option<&Self>,
        basis: impl Into<Basis>,
    ) -> Result<Self> {
        Layer::new(self, coef, base_weight, bias, basis.into(), Site::here()).in_user_order()
    }

    /// [`kan_layer`](Self::kan_layer) over parameters as kernels read them: `coef` [I, n, O], `base_weight` [I, O].
    ///
    /// # Errors
    /// As of `kan_layer`.
    #[track_caller]
    pub fn kan_layer_native(
        &self,
        coef: &Self,
        base_weight: Option<&Self>,
        bias: Option<&Self>,
        basis: impl Into<Basis>,
    ) -> Result<Self> {
        Layer::new(self, coef, base_weight, bias, basis.into(), Site::here()).in_kernel_order()
    }
}
