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
mod input;
mod kernels;
pub(super) mod lanes;
mod local;
mod long;
mod narrow;
mod op;
mod reference;
mod silu;
mod sorted;
mod spline;
mod split;
#[cfg(test)]
mod tests;
mod values;
mod wavelet;

pub use basis::Basis;
pub use spline::{BSpline, MAX_ORDER};
pub use wavelet::Wavelet;

pub(super) use cases::{BASIS, REGISTERED};
pub(super) use choose::tunable;
use op::{KanSum, Kind};
use silu::MAX_DERIVATIVE;
pub(super) use wavelet::REGISTERED as WAVELET;

use crate::{Dim, Result, Site, error::OpError, graph::Tensor};

impl Tensor {
    /// A KAN layer: y_o = Σ_i W_oi silu(x_i) + Σ_i Σ_m C_oim B_m(x_i) + bias_o, over the functions
    /// B_m of a [`Basis`].
    ///
    /// Self is x `[..., I]`; `coef` C `[O, I, n]`, n the basis' count of functions; `base_weight` W `[O, I]` and `bias` `[O]`
    /// may be left out.
    /// The result is [..., O]. The basis is a [`BSpline`] or a [`Basis`], by value or by reference. Beyond their outermost
    /// knots B-splines are 0, and at order 0 they have gradient 0 to x; their gradients exist at any order (with
    /// `base_weight`, up to the sixth derivative), those of other bases up to the third.
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
        let layer = Layer {
            x: self,
            coef,
            base_weight,
            bias,
            basis: basis.into(),
            dims: ["[O, I, n]", "[O, I]"],
            site: Site::here(),
        };
        let [out, inputs, bases] = layer.three(coef)?;
        layer.check(&out, &inputs, &bases, false)?;
        let coef = coef.permute(&[1, 2, 0])?;
        let base = base_weight.map(|w| w.transpose(0, 1)).transpose()?;
        layer.apply(&coef, base.as_ref())
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
        let layer = Layer {
            x: self,
            coef,
            base_weight,
            bias,
            basis: basis.into(),
            dims: ["[I, n, O]", "[I, O]"],
            site: Site::here(),
        };
        let [inputs, bases, out] = layer.three(coef)?;
        layer.check(&out, &inputs, &bases, true)?;
        layer.apply(coef, base_weight)
    }
}

/// A layer that is being made.
struct Layer<'a> {
    x: &'a Tensor,
    coef: &'a Tensor,
    base_weight: Option<&'a Tensor>,
    bias: Option<&'a Tensor>,
    basis: Basis,
    /// What the dimensions of coef and base_weight are called.
    dims: [&'static str; 2],
    site: Site,
}

impl Layer<'_> {
    fn refuse(&self, message: String) -> crate::Error {
        let given = [Some(self.x), Some(self.coef), self.base_weight, self.bias];
        let inputs = ["x", "coef", "base_weight", "bias"]
            .iter()
            .zip(given)
            .filter_map(|(name, t)| Some(format!("{name} {}", t?.meta())))
            .collect();
        OpError { op: "kan_layer".into(), inputs, message, site: self.site }.into()
    }

    fn three(&self, coef: &Tensor) -> Result<[Dim; 3]> {
        match coef.shape().dims() {
            [a, b, c] => Ok([a.clone(), b.clone(), c.clone()]),
            dims => Err(self.refuse(format!(
                "coef has {} dimensions; it must have 3, {}",
                dims.len(),
                self.dims[0]
            ))),
        }
    }

    /// That everything fits; `native` says in which order the dimensions stand.
    fn check(&self, out: &Dim, inputs: &Dim, bases: &Dim, native: bool) -> Result<()> {
        let Some(width) = self.x.shape().dims().last() else {
            return Err(self.refuse("x has no dimension; its last one is the inputs, I".into()));
        };
        let given = [Some(self.x), Some(self.coef), self.base_weight, self.bias];
        if given.iter().flatten().any(|t| t.dtype() != self.x.dtype() || !t.dtype().is_float()) {
            return Err(self.refuse("all must be floats of one type".into()));
        }
        let (n_at, o_at, i_at) = if native { (1, 2, 0) } else { (2, 0, 1) };
        if inputs != width {
            return Err(
                self.refuse(format!("dimension {i_at} of coef is {inputs}, the last of x is {width}"))
            );
        }
        let n = self.basis.count();
        if *bases != n.into() {
            let basis = &self.basis;
            return Err(self.refuse(format!(
                "dimension {n_at} of coef is {bases}, the basis ({basis}) has {n} functions"
            )));
        }
        if let Some(w) = self.base_weight {
            let dims = w.shape().dims();
            if dims.len() != 2 {
                let want = self.dims[1];
                return Err(
                    self.refuse(format!("base_weight has {} dimensions; it must have 2, {want}", dims.len()))
                );
            }
            let (o, i) = if native { (1, 0) } else { (0, 1) };
            if dims[o] != *out {
                let d = &dims[o];
                return Err(self.refuse(format!(
                    "dimension {o} of base_weight is {d}, dimension {o_at} of coef is {out}"
                )));
            }
            if dims[i] != *width {
                return Err(self.refuse(format!(
                    "dimension {i} of base_weight is {}, the last of x is {width}",
                    dims[i]
                )));
            }
        }
        if let Some(bias) = self.bias {
            let dims = bias.shape().dims();
            if dims.len() != 1 || dims[0] != *out {
                let shape = bias.shape();
                return Err(self.refuse(format!(
                    "bias has shape {shape}; it must be [{out}], dimension {o_at} of coef"
                )));
            }
        }
        Ok(())
    }

    /// Over coef [I, n, O] and base [I, O].
    fn apply(&self, coef: &Tensor, base: Option<&Tensor>) -> Result<Tensor> {
        let dims = self.x.shape().dims();
        let (lead, last) = dims.split_at(dims.len() - 1);
        let rows = lead.iter().cloned().fold(Dim::from(1), |a, b| a * b);
        let x = self.x.reshape([rows, last[0].clone()])?;
        let kind = Kind::Forward;
        let op = KanSum { kind, basis: self.basis, derivative: 0, base: base.is_some(), scale: false };
        let inputs: Vec<&Tensor> = [Some(&x), Some(coef), base].into_iter().flatten().collect();
        let y = x.graph().apply_one(op, &inputs, self.site)?;
        let mut shape = lead.to_vec();
        shape.push(coef.shape().dims()[2].clone());
        let y = y.reshape(shape)?;
        match self.bias {
            Some(bias) => y.add(bias),
            None => Ok(y),
        }
    }
}
