//! The functions of a basis at every element of a tensor, and the sums over them that its gradients are.

use rayon::prelude::*;

use super::{
    Outside,
    basis::{Basis, Form},
    dense::{
        self,
        fill::fill_lanes,
        real::{LANES, Lanes},
    },
    given::Inputs,
    kernels::{self, Sizes, dispatch},
    local::Local,
    op::{Kind, Spacing, SplineSum, too_many},
    outside::Ends,
    reference,
};
use crate::{
    DType, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor, with_provenance},
    ops::{Op, Reference, elementwise::vectorised},
    plan::{BindTo, Kernel, KernelRequest, Lowering},
};

/// Functions below which a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;
/// Functions that one GPU thread lists.
const SPAN: usize = 64;

impl Tensor {
    /// The functions φ_1 … φ_n of a [`Basis`] at every element: x […] gives φ [..., n].
    ///
    /// Beyond their grid B-splines are what their [`Outside`] says. For B-splines gradients exist at any order, for the other bases up to the third. [`kan_layer`](Self::kan_layer)
    /// multiplies such functions with coefficients without ever storing them.
    ///
    /// ```
    /// # use knotwork_core::{DType, Device, Graph, HostTensor, ops::Basis};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [2])?;
    /// let phi = x.basis(Basis::fourier(1)?)?;
    /// let mut p = Device::cpu().compile(&g, &[&phi], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[0.0f32, 0.5], [2])?)])?.wait()?;
    /// assert_eq!(out[0].shape(), [2, 2]); // cos x, sin x
    /// assert!((out[0].as_slice::<f32>()?[3] - 0.5f32.sin()).abs() < 1e-6);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is no float.
    #[track_caller]
    pub fn basis(&self, basis: impl Into<Basis>) -> Result<Self> {
        let (basis, site) = (basis.into(), Site::here());
        let list = |x: &Self, basis: Basis, derivative: usize| {
            self.graph().apply_one(Values { basis, derivative, contract: false }, &[x], site)
        };
        let spline = match basis.0 {
            Form::BSpline(spline) if spline.policy() != Outside::Zero && self.dtype().is_float() => spline,
            _ => return list(self, basis, 0),
        };
        let within: Basis = spline.outside(Outside::Zero).into();
        let (held, beyond) = Ends::even(self, &spline)?.hold(self, site)?;
        let values = list(&held, within, 0)?;
        if spline.policy() == Outside::Clamp || spline.order() == 0 {
            return Ok(values);
        }
        with_provenance(site, || values.add(&list(&held, within, 1)?.mul(&beyond.unsqueeze(beyond.rank())?)?))
    }
}

/// φ⁽ᵈ⁾(x), or Σ_m g_m φ_m⁽ᵈ⁾(x).
#[derive(Clone, Copy, Debug)]
struct Values {
    basis: Basis,
    /// d
    derivative: usize,
    /// Whether it is the sum: (x, g) → v.
    contract: bool,
}

impl Values {
    /// Σ_m g_m φ_m⁽ᵈ⁺¹⁾(x); none where that derivative is 0.
    fn slope(&self, x: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        if self.basis.vanishes(self.derivative + 1) {
            return Ok(None);
        }
        if self.derivative >= self.basis.derivatives() {
            return Err(too_many(&self.basis));
        }
        let op = Self { derivative: self.derivative + 1, contract: true, ..*self };
        x.graph().apply_one(op, &[x, g], Site::here()).map(Some)
    }

    fn spline(&self) -> Option<SplineSum> {
        let Form::BSpline(basis) = self.basis.0 else { return None };
        let derivative = self.derivative;
        Some(SplineSum {
            kind: Kind::Forward,
            basis,
            derivative,
            base: false,
            scale: false,
            spacing: Spacing::Even,
        })
    }

    /// φ⁽ᵈ⁾ of each point, [points, n].
    fn list(&self, x: &[f32], phi: &mut [f32]) {
        let n = self.basis.count();
        if let Some(sum) = self.spline() {
            let local = locals(&sum, x);
            phi.fill(0.0);
            for (p, phi) in phi.chunks_exact_mut(n).enumerate() {
                if x[p].is_nan() {
                    phi.fill(x[p]);
                    continue;
                }
                for r in 0..sum.terms() {
                    phi[local.start[p] as usize + r] = local.weights[r * local.stride + p];
                }
            }
            return;
        }
        vectorised(
            #[inline(always)]
            || {
                for (x, phi) in x.chunks(LANES).zip(phi.chunks_mut(LANES * n)) {
                    fill_lanes(
                        &self.basis,
                        self.derivative,
                        Lanes::load(x, 0.0),
                        #[inline(always)]
                        |m, value| phi.iter_mut().skip(m).step_by(n).zip(value.0).for_each(|(to, v)| *to = v),
                    );
                }
            },
        );
    }

    /// Σ_m g_m φ_m⁽ᵈ⁾ of each point.
    fn contract(&self, x: &[f32], g: &[f32], v: &mut [f32]) {
        let n = self.basis.count();
        if let Some(sum) = self.spline() {
            let local = locals(&sum, x);
            for (p, (v, g)) in v.iter_mut().zip(g.chunks_exact(n)).enumerate() {
                let g = &g[local.start[p] as usize..];
                *v = (0..sum.terms()).map(|r| local.weights[r * local.stride + p] * g[r]).sum();
            }
            return;
        }
        vectorised(
            #[inline(always)]
            || {
                for ((x, g), v) in x.chunks(LANES).zip(g.chunks(LANES * n)).zip(v.chunks_mut(LANES)) {
                    let mut sums = [0.0; LANES];
                    let here = x.len();
                    fill_lanes(
                        &self.basis,
                        self.derivative,
                        Lanes::load(x, 0.0),
                        #[inline(always)]
                        |m, value| {
                            for l in 0..here {
                                sums[l] += value.0[l] * g[l * n + m];
                            }
                        },
                    );
                    v.copy_from_slice(&sums[..here]);
                }
            },
        );
    }
}

fn locals(sum: &SplineSum, x: &[f32]) -> Local<'static> {
    let mut local = Local::new(sum, None, x.len());
    vectorised(
        #[inline(always)]
        || local.fill(sum, Inputs::one(0), x, None),
    );
    local
}

impl Op for Values {
    fn name(&self) -> &str {
        if self.contract { "basis_gradient" } else { "basis" }
    }

    fn attributes(&self) -> String {
        format!("{} derivative={}", self.basis, self.derivative)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let x = &inputs[0];
        if !x.dtype.is_float() {
            return Err(format!("x is {x}; it takes floats"));
        }
        let n = self.basis.count();
        let mut dims = x.shape.dims().to_vec();
        if self.contract {
            let g = &inputs[1];
            let (lead, last) = g.shape.dims().split_at(g.shape.rank().saturating_sub(1));
            if g.dtype != x.dtype || lead != dims || last.first() != Some(&n.into()) {
                return Err(format!(
                    "g is {g}; it must be of x's type, and [..., {n}] with the dimensions of x, {x}"
                ));
            }
        } else {
            dims.push(n.into());
        }
        Ok(vec![Meta::new(x.dtype, dims)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let n = self.basis.count();
        for (p, &x) in inputs[0].data.iter().enumerate() {
            let phi = reference::basis(&self.basis, x, self.derivative);
            if self.contract {
                let g = &inputs[1].data[p * n..(p + 1) * n];
                outputs[0].data[p] = phi.iter().zip(g).map(|(phi, g)| phi * g).sum();
            } else {
                outputs[0].data[p * n..(p + 1) * n].copy_from_slice(&phi);
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let n = self.basis.count();
        let (Some(x), g) = (io.inputs[0].f32(), io.inputs.get(1).map(|g| g.f32())) else { return Ok(false) };
        if g == Some(None) {
            return Ok(false);
        }
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        // Whole vectors of points, about a thousand functions at once.
        let block = (1024 / n).next_multiple_of(LANES).max(LANES);
        let task = |at: usize, out: &mut [f32]| match g.flatten() {
            Some(g) => {
                let range = at * block..at * block + out.len();
                self.contract(&x[range.clone()], &g[range.start * n..range.end * n], out);
            }
            None => self.list(&x[at * block..][..out.len() / n], out),
        };
        let size = if self.contract { block } else { block * n };
        if x.len() * n < PARALLEL {
            out.chunks_mut(size).enumerate().for_each(|(at, out)| task(at, out));
        } else {
            out.par_chunks_mut(size).enumerate().for_each(|(at, out)| task(at, out));
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if let Some(bad) = request.inputs.iter().chain(request.outputs).find(|o| o.dtype != DType::F32) {
            return Err(format!("its kernels take f32, not {}; cast first", bad.dtype));
        }
        let (rows, bases) = (request.inputs[0].layout.count(), self.basis.count());
        if rows.saturating_mul(bases) > u32::MAX as usize / 2 {
            return Err(format!("{rows} points of {bases} functions are more than its kernels can index"));
        }
        let (flag, mut constants) = dense::family(&self.basis);
        constants.push(("KAN_DERIVATIVE", (self.derivative as u32).into()));
        let name = if self.contract { "kan/contract" } else { "kan/values" };
        let mut kernel = Kernel::named(name, constants);
        kernel.flags.extend(flag);
        // Where each function follows from the ones before, a thread lists all.
        let span = match self.basis.0 {
            Form::Polynomial { .. } | Form::Bernstein { .. } => bases,
            _ => SPAN,
        };
        let parts = if self.contract { 1 } else { bases.div_ceil(span) };
        let sizes = Sizes { rows, inputs: 1, outputs: 1, bases };
        let params = match self.spline() {
            Some(sum) => kernels::params(&sum, sizes, parts, span),
            None => dense::sum_params(&self.basis, self.derivative, sizes, parts, span),
        };
        let mut bindings = vec![BindTo::Input(0), BindTo::Output(0)];
        if self.contract {
            bindings.insert(1, BindTo::Input(1));
        }
        Ok(vec![Lowering::single("point", dispatch(kernel, bindings, params, (rows * parts).div_ceil(64)))])
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, c) = (&context.inputs[0], context.cotangent()?);
        if !self.contract {
            return Ok(vec![self.slope(x, c)?]);
        }
        let g = &context.inputs[1];
        let mut found = vec![None, None];
        if context.wanted[0]
            && let Some(slope) = self.slope(x, g)?
        {
            found[0] = Some(c.mul(&slope)?);
        }
        if context.wanted[1] {
            let values = x.graph().apply_one(Self { contract: false, ..*self }, &[x], Site::here())?;
            found[1] = Some(values.mul(&c.unsqueeze(c.rank())?)?);
        }
        Ok(found)
    }
}
