//! Sparse probability maps over one dimension: sparsemax and 1.5-entmax.

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::{Case, CaseInput, Cases, Cost, Op, Reference, Registered, elementwise::vectorised};
use crate::{
    DType, Layout, Result,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};

/// Rows up to this length are one thread's; longer ones a workgroup's.
const SHORT: usize = 32;
/// Newton steps at most. Each step halves the excess or the slope of a convex falling function: log2(n 2²⁴) + log2 n
/// steps take both to the precision of f32, 60 for rows of 2¹⁸. Usual rows need fewer than 10.
const STEPS: usize = 64;
/// One thread is never given more: an invocation should stay below 65,535 turns in all its loops, [`STEPS`] times n.
const LONGEST_SERIAL: usize = 512;
/// Nor a workgroup's: 256 threads share a row.
const LONGEST: usize = LONGEST_SERIAL * 256;
/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 13;

pub(super) const REGISTERED: [Registered; 2] = [
    Registered {
        name: "sparsemax",
        formula: "max(0, x − τ) over dim, τ such that it sums to 1",
        inputs: "x […]",
        attributes: "dim",
        types: "f32, f64",
        source: "Martins and Astudillo 2016",
        cases: Cases::Listed(|| cases(false)),
    },
    Registered {
        name: "entmax15",
        formula: "max(0, x/2 − τ)² over dim, τ such that it sums to 1",
        inputs: "x […]",
        attributes: "dim",
        types: "f32, f64",
        source: "Peters, Niculae and Martins 2019",
        cases: Cases::Listed(|| cases(true)),
    },
];

fn cases(square: bool) -> Vec<Case> {
    let case = |shape: &[usize], dim: isize, low: f64, high: f64| {
        Case::new(format!("{shape:?} over {dim}"), vec![CaseInput::between(shape, low, high)], move |t| {
            Ok(vec![if square { t[0].entmax15(dim)? } else { t[0].sparsemax(dim)? }])
        })
    };
    vec![
        case(&[1], 0, -1.0, 1.0),
        case(&[3, 10], -1, -1.0, 1.0),
        case(&[65, 3], 0, -1.0, 1.0).no_gradient(),
        case(&[2, 5, 4], 1, -2.0, 2.0),
        case(&[3, 257], 1, -3.0, 3.0).no_gradient(),
        case(&[2, 33], 1, 8.0, 10.0).no_gradient(),
        case(&[0, 4], 1, 0.0, 1.0),
    ]
}

/// The map over the last dimension; `square` is 1.5-entmax.
#[derive(Clone, Debug)]
struct SparseMap {
    square: bool,
}

impl Tensor {
    /// max(0, x − τ) over `dim`, with the τ that makes it sum to 1: the nearest point of the simplex (Martins and
    /// Astudillo 2016). −∞ gives 0; a row of nothing but −∞, and a row with NaN or +∞ in it, is NaN, as in
    /// [`softmax`](Self::softmax).
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [1, 3])?.sparsemax(-1)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[-2.0f32, 0.0, 0.5], [1, 3])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[0.0, 0.25, 0.75]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, or the elements are not f32 or f64.
    #[track_caller]
    pub fn sparsemax(&self, dim: isize) -> Result<Self> {
        self.by_rows(dim, SparseMap { square: false })
    }

    /// max(0, x/2 − τ)² over `dim`, with the τ that makes it sum to 1: between softmax and sparsemax (Peters, Niculae
    /// and Martins 2019). Infinities and NaN as in [`sparsemax`](Self::sparsemax).
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [3])?.entmax15(0)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[-2.0f32, 0.0, 0.5], [3])?)])?.wait()?;
    /// for (got, want) in out[0].as_slice::<f32>()?.iter().zip([0.0, 0.326_007, 0.673_993]) {
    ///     assert!((got - want).abs() < 1e-6);
    /// }
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, or the elements are not f32 or f64.
    #[track_caller]
    pub fn entmax15(&self, dim: isize) -> Result<Self> {
        self.by_rows(dim, SparseMap { square: true })
    }
}

impl Op for SparseMap {
    fn name(&self) -> &str {
        if self.square { "entmax15" } else { "sparsemax" }
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
            if !max.is_finite() {
                y.fill(f64::NAN);
                continue;
            }
            let scale = if self.square { 0.5 } else { 1.0 };
            let z: Vec<f64> = x.iter().map(|v| (v - max) * scale).collect();
            let mut sorted = z.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            // An entry is in the support where it lies above the threshold of those before it.
            let (mut tau, mut sum, mut squares) = (f64::NEG_INFINITY, 0.0, 0.0);
            for (i, z) in sorted.into_iter().enumerate().take_while(|(_, z)| *z > f64::NEG_INFINITY) {
                if z <= tau {
                    break;
                }
                let k = (i + 1) as f64;
                sum += z;
                squares += z * z;
                let mean = sum / k;
                tau = if self.square {
                    mean - ((1.0 - (squares - sum * mean)) / k).max(0.0).sqrt()
                } else {
                    (sum - 1.0) / k
                };
            }
            for (y, z) in y.iter_mut().zip(z) {
                let above = (z - tau).max(0.0);
                *y = if self.square { above * above } else { above };
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let n = io.outputs[0].shape.last().copied().unwrap_or(1).max(1);
        let Some(x) = io.inputs[0].f32() else { return Ok(false) };
        let Some(y) = io.outputs[0].f32() else { return Ok(false) };
        let row = |(x, y): (&[f32], &mut [f32])| {
            vectorised(|| map_row(self.square, x, y));
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
        if n > LONGEST {
            return Err(format!("rows of {n} elements run on the CPU only; kernels take up to {LONGEST}"));
        }
        let variant = |name: &'static str, serial: bool| {
            let mut flags = Vec::new();
            if self.square {
                flags.push("square");
            }
            if serial {
                flags.push("serial");
            }
            let kernel = Kernel {
                name: format!("{}_{name}", self.name()),
                source: Source::Named("sparse_map"),
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
                    params: Params::new().u32(rows).u32(n).u32(STEPS).u32(0usize),
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

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (y, dy) = (&context.outputs[0], context.cotangent()?);
        let inside = y.gt(0.0)?;
        let support = inside.cast(y.dtype())?;
        // 1 on the support, or √y there; outside, 1 stands under the root, whose slope at 0 is infinite.
        let weight =
            if self.square { y.select(&inside, 1.0)?.sqrt()?.mul(&support)? } else { support.clone() };
        let mean = dy.mul(&weight)?.sum(&[-1], true)?.div(&weight.sum(&[-1], true)?)?;
        Ok(vec![Some(weight.mul(&dy.sub(&mean)?)?)])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let n = outputs[0].1.count() as f64;
        Cost { flops: 40.0 * n, bytes: n * (inputs[0].0.bytes() + outputs[0].0.bytes()) as f64 }
    }
}

/// Newton from below: the sum is convex and falls with τ, so no step passes the root.
/// One row of sparsemax, or of entmax15 where `square`; gives the threshold below the row's largest (or half of it).
#[inline(always)]
pub(super) fn map_row(square: bool, x: &[f32], y: &mut [f32]) -> f32 {
    let max = x.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m || v.is_nan() { v } else { m });
    if !max.is_finite() {
        y.fill(f32::NAN);
        return f32::NAN;
    }
    let scale = if square { 0.5 } else { 1.0 };
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - max) * scale);
    let mut tau = -1.0f32;
    for _ in 0..STEPS {
        // Eight sums side by side, then one.
        let (mut sums, mut slopes) = ([0.0f32; 8], [0.0f32; 8]);
        for chunk in y.chunks(8) {
            for ((sum, slope), &z) in sums.iter_mut().zip(&mut slopes).zip(chunk) {
                let above = (z - tau).max(0.0);
                *sum += if square { above * above } else { above };
                *slope += if square { 2.0 * above } else { f32::from(u8::from(above > 0.0)) };
            }
        }
        let next = tau + (sums.iter().sum::<f32>() - 1.0) / slopes.iter().sum::<f32>();
        // No progress that f32 can show: at the root, or past it by rounding.
        let done = next <= tau;
        tau = next;
        if done {
            break;
        }
    }
    for y in y {
        let above = (*y - tau).max(0.0);
        *y = if square { above * above } else { above };
    }
    tau
}
