//! P / Q, or its slope times a cotangent.

use rayon::prelude::*;

use super::{
    RationalCoefficients, RationalForm,
    compose::{Of, second},
    exact, kernels,
};
use crate::{
    DType, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference, elementwise::vectorised, polynomial::Groups},
    plan::{KernelRequest, Lowering},
};

/// Elements that the CPU takes through all coefficients before the next ones.
const TILE: usize = 256;
/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 14;
/// Polynomials above this are evaluated anew, divided by powers of x.
pub(super) const LARGE: f32 = 1e18;

/// (x, p, q) → P / Q, or (x, p, q, g) → g d(P / Q)/dx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rational {
    pub form: RationalForm,
    /// Whether it is the slope.
    pub slope: bool,
}

/// What `infer` asks of x and the coefficients.
pub(super) fn check(inputs: &[Meta]) -> Result<(), String> {
    let [x, p, q, ..] = inputs else { return Err(format!("it takes 3 inputs, got {}", inputs.len())) };
    if !matches!(x.dtype, DType::F32 | DType::F64) || inputs.iter().any(|m| m.dtype != x.dtype) {
        return Err(format!("x is {x}, the coefficients are {p} and {q}; all must be f32 or all f64"));
    }
    match (p.shape.fixed().as_deref(), q.shape.fixed().as_deref()) {
        (Some(&[a, _]), Some(&[b, _])) if a == b => Groups::check(x, a),
        _ => Err(format!("the coefficients are {p} and {q}; they must be [g, m + 1] and [g, n]")),
    }
}

impl Op for Rational {
    fn name(&self) -> &str {
        if self.slope { "rational_gradient" } else { "rational" }
    }

    fn attributes(&self) -> String {
        format!("form={:?}", self.form)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        check(inputs)?;
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (x, p, q) = (&inputs[0], &inputs[1], &inputs[2]);
        let (groups, m, n) = (Groups::of(&x.shape, p.shape[0]), p.shape[1], q.shape[1]);
        for (i, out) in outputs[0].data.iter_mut().enumerate() {
            let group = groups.group(i);
            let (p, q) = (&p.data[group * m..][..m], &q.data[group * n..][..n]);
            let parts = exact::parts(self.form, x.data[i], p, q);
            *out = if self.slope { inputs[3].data[i] * parts.slope } else { parts.y };
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (m, n) = (io.inputs[1].layout.shape()[1], io.inputs[2].layout.shape()[1]);
        let groups = Groups::of_layout(io.inputs[0].layout, io.inputs[1].layout.shape()[0]);
        let slices: Option<Vec<&[f32]>> = io.inputs.iter().map(|i| i.f32()).collect();
        let Some(slices) = slices else { return Ok(false) };
        let (x, p, q, g) = (slices[0], slices[1], slices[2], slices.get(3).copied());
        let Some(y) = io.outputs[0].f32() else { return Ok(false) };
        let run = |(start, y): (usize, &mut [f32])| {
            let (mut at, mut tile) = (0, Tile::default());
            while at < y.len() {
                let first = start + at;
                let here = (groups.per - first % groups.per).min(y.len() - at);
                let group = groups.group(first);
                let (x, y) = (&x[first..first + here], &mut y[at..at + here]);
                let coefficients = (&p[group * m..][..m], &q[group * n..][..n]);
                vectorised(
                    #[inline(always)]
                    || {
                        tile.fill(self.form, coefficients, x);
                        let from = if self.slope { &tile.slope } else { &tile.y };
                        y.copy_from_slice(&from[..here]);
                        if let Some(g) = g {
                            y.iter_mut().zip(&g[first..first + here]).for_each(|(y, g)| *y *= g);
                        }
                    },
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
        kernels::value(self, request)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let c = context.cotangent()?;
        if self.slope {
            return second(self.form, Of::Slope, context.inputs, c);
        }
        let (x, p, q) = (&context.inputs[0], &context.inputs[1], &context.inputs[2]);
        let inputs = [x, p, q, c];
        let slope = Self { slope: true, ..*self };
        let dx = context.wanted[0].then(|| x.graph().apply_one(slope, &inputs, Site::here())).transpose()?;
        let mut found = vec![dx, None, None];
        if context.wanted[1] || context.wanted[2] {
            let all = x.graph().apply_one(RationalCoefficients { form: self.form }, &inputs, Site::here())?;
            let split = p.shape().dims()[1].fixed().unwrap_or(0);
            let end = split + q.shape().dims()[1].fixed().unwrap_or(0);
            found[1] = Some(all.slice(1, 0, split)?);
            found[2] = Some(all.slice(1, split, end)?);
        }
        Ok(found)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let terms: usize = inputs[1..3].iter().filter_map(|(_, l)| l.shape().last()).sum();
        let each = if self.slope { 4 * terms + 5 } else { 2 * terms + 2 };
        Cost { flops: each as f64 * outputs[0].1.count() as f64, bytes: bytes(inputs) + bytes(outputs) }
    }
}

/// Values and slopes of some elements of one group, coefficient by coefficient over all of them.
#[derive(Default)]
pub(super) struct Tile {
    pub y: Vec<f32>,
    pub slope: Vec<f32>,
    /// 1 / Q, and the sign of Σ q_j xʲ; of no use where `large`.
    pub scale: Vec<f32>,
    pub sign: Vec<f32>,
    /// Whether powers of x had to be divided out, so that 1 / Q may be too small a number.
    pub large: Vec<bool>,
    /// P, the sum in Q, and their slopes.
    work: [Vec<f32>; 4],
}

impl Tile {
    pub const LEN: usize = TILE;

    #[inline(always)]
    pub fn fill(&mut self, form: RationalForm, (p, q): (&[f32], &[f32]), x: &[f32]) {
        let len = x.len();
        for v in [&mut self.y, &mut self.slope, &mut self.scale, &mut self.sign] {
            v.resize(len, 0.0);
        }
        self.large.resize(len, false);
        for v in &mut self.work {
            v.clear();
            v.resize(len, 0.0);
        }
        let [top, d_top, sum, d_sum] = &mut self.work;
        for &c in p.iter().rev() {
            for ((d, v), &x) in d_top.iter_mut().zip(&mut *top).zip(x) {
                *d = *d * x + *v;
                *v = *v * x + c;
            }
        }
        let absolute = form == RationalForm::A;
        for &c in q.iter().rev().chain([&0.0]) {
            let c = if absolute { c.abs() } else { c };
            for ((d, v), &x) in d_sum.iter_mut().zip(&mut *sum).zip(x) {
                let x = if absolute { x.abs() } else { x };
                *d = *d * x + *v;
                *v = *v * x + c;
            }
        }
        let sign = |x: f32| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x.abs()
            }
        };
        let (y, slope, scale) = (&mut self.y[..len], &mut self.slope[..len], &mut self.scale[..len]);
        let (signs, large) = (&mut self.sign[..len], &mut self.large[..len]);
        let (top, d_top, sum, d_sum) = (&top[..len], &d_top[..len], &sum[..len], &d_sum[..len]);
        let mut any = false;
        for k in 0..len {
            let bottom = 1.0 + sum[k].abs();
            signs[k] = sign(sum[k]);
            let outer = if absolute { sign(x[k]) } else { signs[k] };
            scale[k] = 1.0 / bottom;
            y[k] = top[k] / bottom;
            slope[k] = (d_top[k] - outer * d_sum[k] * y[k]) / bottom;
            // Not by max, which passes a NaN by.
            let small = |v: f32| v.abs() < LARGE;
            let small = small(top[k]) & small(d_top[k]) & small(bottom) & small(d_sum[k]);
            large[k] = (x[k].abs() > 1.0) & !small;
            any |= large[k];
        }
        if any {
            self.again(form, (p, q), x);
        }
    }

    /// The few elements that are large, in f64.
    #[inline(never)]
    fn again(&mut self, form: RationalForm, (p, q): (&[f32], &[f32]), x: &[f32]) {
        let [p, q] = [p, q].map(|c| c.iter().map(|&c| f64::from(c)).collect::<Vec<f64>>());
        for k in (0..x.len()).filter(|&k| self.large[k]) {
            let parts = exact::parts(form, x[k].into(), &p, &q);
            self.y[k] = parts.y as f32;
            self.slope[k] = parts.slope as f32;
        }
    }
}
