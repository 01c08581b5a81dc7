//! The values of polynomials, or of their derivatives.

use rayon::prelude::*;

use super::{Groups, Moments, falling};
use crate::{
    DType, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference, elementwise::vectorised},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};

/// Elements that the CPU takes through all coefficients before the next ones.
const TILE: usize = 1024;
/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;

/// (x, w `[g, n]`, u?) → u ⊙ p⁽ᵈ⁾(r(x)) with p(r) = Σ w_j rʲ of x's group, r the identity or relu. Derivatives behind a relu
/// are 0 where x ≤ 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) struct Polynomial {
    /// Whether x goes through relu first.
    pub relu: bool,
    /// d, the order of the derivative.
    pub derivative: usize,
    /// Whether u is an input.
    pub scale: bool,
}

impl Polynomial {
    /// The values of x's polynomials.
    pub fn of(relu: bool, x: &Tensor, w: &Tensor) -> Result<Tensor> {
        x.graph().apply_one(Self { relu, derivative: 0, scale: false }, &[x, w], Site::here())
    }

    /// r(x) and whether derivatives count, for one element.
    fn inner(&self, x: f64) -> (f64, bool) {
        let off = self.relu && x <= 0.0;
        (if off { 0.0 } else { x }, !off || self.derivative == 0)
    }
}

impl Op for Polynomial {
    fn name(&self) -> &str {
        "polynomial"
    }

    fn attributes(&self) -> String {
        format!("relu={} derivative={} scale={}", self.relu, self.derivative, self.scale)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (x, w) = (&inputs[0], &inputs[1]);
        if !matches!(x.dtype, DType::F32 | DType::F64) || inputs.iter().any(|m| m.dtype != x.dtype) {
            return Err(format!("x is {x}, the coefficients are {w}; both must be f32 or both f64"));
        }
        let [Some(groups), Some(_)] = w.shape.dims().iter().map(|d| d.fixed()).collect::<Vec<_>>()[..] else {
            return Err(format!("the coefficients are {}; they must be [groups, terms]", w.shape));
        };
        Groups::check(x, groups)?;
        Ok(vec![x.clone()])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (x, w) = (&inputs[0], &inputs[1]);
        let (groups, n) = (Groups::of(&x.shape, w.shape[0]), w.shape[1]);
        for (i, out) in outputs[0].data.iter_mut().enumerate() {
            let (r, counts) = self.inner(x.data[i]);
            let w = &w.data[groups.group(i) * n..][..n];
            let mut sum = 0.0;
            for j in (self.derivative..n).rev() {
                sum = sum * r + w[j] * falling(j, self.derivative);
            }
            let u = if self.scale { inputs[2].data[i] } else { 1.0 };
            *out = if counts { u * sum } else { 0.0 };
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let shape = io.inputs[1].layout.shape();
        let (groups, n) = (Groups::of_layout(io.inputs[0].layout, shape[0]), shape[1]);
        let (Some(x), Some(w)) = (io.inputs[0].f32(), io.inputs[1].f32()) else { return Ok(false) };
        let u = match io.inputs.get(2).map(|u| u.f32()) {
            Some(None) => return Ok(false),
            Some(u) => u,
            None => None,
        };
        let Some(y) = io.outputs[0].f32() else { return Ok(false) };
        let w: Vec<f32> =
            w.iter().enumerate().map(|(k, w)| w * falling(k % n.max(1), self.derivative) as f32).collect();
        let run = |(start, y): (usize, &mut [f32])| {
            let mut at = 0;
            while at < y.len() {
                let first = start + at;
                let here = (groups.per - first % groups.per).min(y.len() - at);
                let w = &w[groups.group(first) * n..][..n];
                let (x, y) = (&x[first..first + here], &mut y[at..at + here]);
                vectorised(
                    #[inline(always)]
                    || self.tile(x, w, u.map(|u| &u[first..first + here]), y),
                );
                at += here;
            }
        };
        if y.len() < PARALLEL {
            y.chunks_mut(TILE).enumerate().for_each(|(t, y)| run((t * TILE, y)));
        } else {
            y.par_chunks_mut(TILE).enumerate().for_each(|(t, y)| run((t * TILE, y)));
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
        }
        let shape = request.inputs[1].layout.shape();
        let groups = Groups::of_layout(&request.inputs[0].layout, shape[0]);
        let count = request.outputs[0].layout.count();
        let mut flags = Vec::new();
        if self.relu {
            flags.push("relu");
        }
        let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), BindTo::Output(0)];
        if self.scale {
            flags.push("scale");
            bindings.push(BindTo::Input(2));
        }
        let params = Params::new().u32(count).u32(groups.groups).u32(groups.per).u32(shape[1]);
        Ok(vec![Lowering::single(
            "element",
            DispatchSpec {
                kernel: Kernel {
                    name: "polynomial".into(),
                    source: Source::Named("polynomial/value"),
                    flags,
                    constants: Vec::new(),
                    needs: Needs::default(),
                },
                bindings,
                params: params.u32(self.derivative).u32(0usize).u32(0usize).u32(0usize),
                grid: Grid::Linear(count.div_ceil(256) as u64),
                flat: None,
            },
        )])
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, w, c) = (&context.inputs[0], &context.inputs[1], context.cotangent()?);
        let u = self.scale.then(|| &context.inputs[2]);
        let v = match u {
            Some(u) => u.mul(c)?,
            None => c.clone(),
        };
        let [groups, terms] = [0, 1].map(|d| w.shape().dims()[d].fixed().unwrap_or(0));
        let apply = |op: Self, inputs: &[&Tensor]| x.graph().apply_one(op, inputs, Site::here());
        let dx = (context.wanted[0] && self.derivative + 1 < terms)
            .then(|| apply(Self { derivative: self.derivative + 1, scale: true, ..*self }, &[x, w, &v]))
            .transpose()?;
        let moments = Moments { relu: self.relu, derivative: self.derivative, groups, terms };
        let dw = context.wanted[1].then(|| moments.of(x, &v)).transpose()?;
        let mut found = vec![dx, dw];
        if self.scale {
            let value = || apply(Self { scale: false, ..*self }, &[x, w])?.mul(c);
            found.push(context.wanted[2].then(value).transpose()?);
        }
        Ok(found)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let terms = inputs[1].1.shape().last().copied().unwrap_or(1) as f64;
        Cost { flops: 2.0 * terms * outputs[0].1.count() as f64, bytes: bytes(inputs) + bytes(outputs) }
    }
}

impl Polynomial {
    /// Some elements of one group; w already has the factors of the derivative.
    #[inline(always)]
    fn tile(&self, x: &[f32], w: &[f32], u: Option<&[f32]>, y: &mut [f32]) {
        let relu = self.relu;
        let r = |x: f32| if relu && x <= 0.0 { 0.0 } else { x };
        y.fill(0.0);
        for &w in w.iter().skip(self.derivative).rev() {
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = *y * r(x) + w);
        }
        if relu && self.derivative > 0 {
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = if x <= 0.0 { 0.0 } else { *y });
        }
        if let Some(u) = u {
            y.iter_mut().zip(u).for_each(|(y, u)| *y *= u);
        }
    }
}
