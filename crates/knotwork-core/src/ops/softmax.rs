//! Softmax and its logarithm over one dimension.

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::{
    Case, CaseInput, Cases, Cost, Op, Reference, Registered, Role,
    elementwise::{math, vectorised},
    extremes::largest,
};
use crate::{
    DType, Layout, Result,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};

/// Rows up to this length are one thread's; longer ones a workgroup's.
const SHORT: usize = 32;
/// One thread is never given more: it would be slow, and lavapipe ends all loops of an invocation after 65,535 turns
/// together, without a word.
pub(super) const LONGEST_SERIAL: usize = 4096;
/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;

pub(super) const REGISTERED: [Registered; 2] = [
    Registered {
        name: "softmax",
        formula: "eˣ / Σ eˣ over dim",
        inputs: "x […]",
        attributes: "dim",
        types: "f32, f64",
        source: "",
        cases: Cases::Listed(|| cases(false)),
    },
    Registered {
        name: "log_softmax",
        formula: "x − ln Σ eˣ over dim",
        inputs: "x […]",
        attributes: "dim",
        types: "f32, f64",
        source: "",
        cases: Cases::Listed(|| cases(true)),
    },
];

fn cases(log: bool) -> Vec<Case> {
    let case = |shape: &[usize], dim: isize, low: f64, high: f64| {
        Case::new(format!("{shape:?} over {dim}"), vec![CaseInput::between(shape, low, high)], move |t| {
            Ok(vec![if log { t[0].log_softmax(dim)? } else { t[0].softmax(dim)? }])
        })
        .tolerance(5e-6)
    };
    vec![
        case(&[1], 0, -1.0, 1.0),
        case(&[3, 10], -1, -4.0, 4.0),
        case(&[65, 3], 0, -4.0, 4.0),
        case(&[2, 5, 4], 1, -4.0, 4.0),
        case(&[3, 257], 1, -30.0, 30.0),
        case(&[2, 33], 1, 80.0, 100.0),
        case(&[0, 4], 1, 0.0, 1.0),
    ]
}

/// Softmax over the last dimension, or its logarithm.
#[derive(Clone, Debug)]
struct Softmax {
    log: bool,
}

impl Tensor {
    /// eˣ / Σ eˣ over `dim`, with the largest x subtracted first. −∞ gives 0; a row of nothing but −∞, and a row with
    /// NaN or +∞ in it, is NaN.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [1, 4])?.softmax(-1)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[3.0f32, 3.0, f32::NEG_INFINITY, 3.0], [1, 4])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, or the elements are not f32 or f64.
    #[track_caller]
    pub fn softmax(&self, dim: isize) -> Result<Self> {
        self.by_rows(dim, Softmax { log: false })
    }

    /// x − ln Σ eˣ over `dim`, without forming the exponentials' quotient.
    ///
    /// # Errors
    /// Where there is no such dimension, or the elements are not f32 or f64.
    #[track_caller]
    pub fn log_softmax(&self, dim: isize) -> Result<Self> {
        self.by_rows(dim, Softmax { log: true })
    }
}

impl Op for Softmax {
    fn name(&self) -> &str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        match inputs[0].dtype {
            DType::F32 | DType::F64 => Ok(vec![inputs[0].clone()]),
            other => Err(format!("it takes f32 or f64, got {other}; cast first")),
        }
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let n = inputs[0].shape.last().copied().unwrap_or(1).max(1);
        for (x, y) in inputs[0].data.chunks(n).zip(outputs[0].data.chunks_mut(n)) {
            let max = x.iter().fold(f64::NEG_INFINITY, |m, &v| if v > m || v.is_nan() { v } else { m });
            let sum: f64 = x.iter().map(|v| libm::exp(v - max)).sum();
            for (y, x) in y.iter_mut().zip(x) {
                *y = if self.log { x - max - libm::log(sum) } else { libm::exp(x - max) / sum };
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let n = io.outputs[0].shape.last().copied().unwrap_or(1).max(1);
        let Some(x) = io.inputs[0].f32() else { return Ok(false) };
        let Some(y) = io.outputs[0].f32() else { return Ok(false) };
        let row = |(x, y): (&[f32], &mut [f32])| {
            vectorised(
                #[inline(always)]
                || soft_row(self.log, x, y),
            );
        };
        if y.len() < PARALLEL {
            x.chunks(n).zip(y.chunks_mut(n)).for_each(row);
        } else {
            x.par_chunks(n).zip(y.par_chunks_mut(n)).for_each(row);
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let layout = &request.outputs[0].layout;
        let n = layout.shape().last().copied().unwrap_or(1);
        let rows = layout.count() / n.max(1);
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
        }
        let variant = |name: &'static str, serial: bool| {
            let mut flags = Vec::new();
            if self.log {
                flags.push("log");
            }
            if serial {
                flags.push("serial");
            }
            let kernel = Kernel {
                name: format!("{}_{name}", self.name()),
                source: Source::Named("softmax"),
                flags,
                constants: Vec::new(),
                needs: Needs::default(),
            };
            let groups = if serial { rows.div_ceil(256) } else { rows };
            Lowering::single(
                name,
                DispatchSpec {
                    kernel,
                    bindings: vec![BindTo::Input(0), BindTo::Output(0)],
                    params: Params::new().u32(rows).u32(n).u32(0usize).u32(0usize),
                    grid: Grid::Linear(groups as u64),
                    flat: None,
                },
            )
        };
        let (serial, tree) = (variant("row_a_thread", true), variant("row_a_group", false));
        Ok(if n <= SHORT {
            vec![serial, tree]
        } else if n <= LONGEST_SERIAL {
            vec![tree, serial]
        } else {
            vec![tree]
        })
    }

    fn emits(&self) -> bool {
        true
    }

    fn role(&self) -> Option<Role> {
        (!self.log).then_some(Role::Softmax)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (y, g) = (&context.outputs[0], context.cotangent()?);
        Ok(vec![Some(if self.log {
            // g − softmax(x) Σ g
            g.sub(&y.exp()?.mul(&g.sum(&[-1], true)?)?)?
        } else {
            // y ⊙ (g − Σ g y)
            y.mul(&g.sub(&g.mul(y)?.sum(&[-1], true)?)?)?
        })])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let n = outputs[0].1.count() as f64;
        Cost { flops: 5.0 * n, bytes: n * (inputs[0].0.bytes() + outputs[0].0.bytes()) as f64 }
    }
}

/// A sum of so many sums side by side: none waits for the one before.
#[inline(always)]
fn lanes<const N: usize>(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; N];
    for chunk in x.chunks(N) {
        lanes.iter_mut().zip(chunk).for_each(|(l, &v)| *l += v);
    }
    lanes.iter().sum()
}

#[inline(always)]
fn soft_row(log: bool, x: &[f32], y: &mut [f32]) {
    let max = largest(x);
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = math::exp(x - max));
    let sum = if y.len() < 64 { lanes::<8>(y) } else { lanes::<32>(y) };
    if log {
        let shift = sum.ln();
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - max) - shift);
    } else {
        y.iter_mut().for_each(|y| *y /= sum);
    }
}
