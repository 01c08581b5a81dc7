//! The variance over dimensions.

#[cfg(test)]
mod tests;

use super::{
    Case, CaseInput, Cases, Op, Reference, Registered, elementwise::vectorised, reduce,
    softmax::LONGEST_SERIAL,
};
use crate::{
    DType, Dim, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    error::OpError,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};

pub(super) const REGISTERED: Registered = Registered {
    name: "var",
    formula: "Σ (x − mean)² / max(n − correction, 0) over dims",
    inputs: "x […]",
    attributes: "dims, correction (finite), keepdim = false",
    types: "f32, f64",
    source: "Chan, Golub, LeVeque 1983 (how parts are joined)",
    cases: Cases::Listed(|| {
        let filled = |input: CaseInput, dims: &'static [isize], correction: f64, keepdim: bool| {
            Case::new(
                format!("{:?} over {dims:?}, correction {correction}", input.shape),
                vec![input],
                move |t| Ok(vec![t[0].var(dims, correction, keepdim)?]),
            )
        };
        let case = |shape: &[usize], dims, correction, keepdim| {
            filled(CaseInput::new(shape), dims, correction, keepdim)
        };
        vec![
            case(&[1], &[0], 0.0, false),
            case(&[3, 65], &[-1], 1.0, false),
            case(&[257, 3], &[0], 0.0, true),
            case(&[4, 7, 5], &[0, 2], 1.0, false),
            case(&[2, 0], &[0], 0.0, false),
            case(&[2, 9000], &[1], 0.5, false).no_gradient(),
            filled(CaseInput::between(&[2, 300], 998.0, 1002.0), &[1], 0.0, false),
        ]
    }),
};

/// Up to this many elements one thread takes an output; above, a workgroup does.
const SHORT: usize = 32;
/// Elements of a part, at least, where an output is split.
const SPAN: usize = 4096;
/// Fewer outputs than this leave a GPU idle where each is long.
const FEW: usize = 64;

/// One variance; `dims` ascending.
#[derive(Clone, Debug)]
struct Var {
    dims: Vec<usize>,
    correction: f64,
    keepdim: bool,
}

impl Tensor {
    /// The variance of x over `dims`: Σ (x − mean)² / max(n − `correction`, 0), of n elements each. `correction` 0 gives
    /// that of the elements themselves, 1 the unbiased estimate. The mean is taken out first, so that a large one costs
    /// no digits. Where `correction` ≥ n the result is NaN for equal elements and +∞ for others; over nothing it is NaN.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [3])?.var(&[0], 1.0, false)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[10_001.0f32, 10_002.0, 10_003.0], [3])?)])?.wait()?;
    /// assert_eq!(out[0].item::<f32>()?, 1.0);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, `correction` is not finite, or the elements are not f32 or f64.
    #[track_caller]
    pub fn var(&self, dims: &[isize], correction: f64, keepdim: bool) -> Result<Self> {
        let site = Site::here();
        let axes = self.axes(dims, "var", site)?;
        if !correction.is_finite() {
            return Err(OpError {
                op: "var".into(),
                inputs: vec![self.meta().to_string()],
                message: format!("correction is {correction}; it must be finite"),
                site,
            }
            .into());
        }
        self.graph().apply_one(Var { dims: axes, correction, keepdim }, &[self], site)
    }
}

impl Op for Var {
    fn name(&self) -> &str {
        "var"
    }

    fn attributes(&self) -> String {
        format!("dims={:?} correction={:?} keepdim={}", self.dims, self.correction, self.keepdim)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let Meta { dtype, shape } = &inputs[0];
        if !matches!(dtype, DType::F32 | DType::F64) {
            return Err(format!("it takes f32 or f64, got {dtype}; cast first"));
        }
        let dims: Vec<Dim> = (0..shape.rank())
            .filter_map(|d| match (self.dims.contains(&d), self.keepdim) {
                (false, _) => Some(shape.dims()[d].clone()),
                (true, true) => Some(1.into()),
                (true, false) => None,
            })
            .collect();
        Ok(vec![Meta::new(*dtype, dims)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (shape, x) = (&inputs[0].shape, &inputs[0].data);
        let n: usize = self.dims.iter().map(|&d| shape[d]).product();
        // The output that an element belongs to: its row-major index, without the reduced dimensions.
        let output = |k: usize| {
            let (mut rest, mut at, mut stride) = (k, 0, 1);
            for d in (0..shape.len()).rev() {
                if !self.dims.contains(&d) {
                    at += rest % shape[d] * stride;
                    stride *= shape[d];
                }
                rest /= shape[d];
            }
            at
        };
        let mut means = vec![0.0; outputs[0].data.len()];
        x.iter().enumerate().for_each(|(k, v)| means[output(k)] += v / n as f64);
        outputs[0].data.fill(0.0);
        for (k, v) in x.iter().enumerate() {
            let at = output(k);
            outputs[0].data[at] += (v - means[at]) * (v - means[at]);
        }
        let divisor = (n as f64 - self.correction).max(0.0);
        outputs[0].data.iter_mut().for_each(|v| *v = if n == 0 { f64::NAN } else { *v / divisor });
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (Some(&first), Some(&last)) = (self.dims.first(), self.dims.last()) else { return Ok(false) };
        let shape = io.inputs[0].layout.shape();
        let Some(x) = io.inputs[0].f32() else { return Ok(false) };
        if last - first + 1 != self.dims.len() {
            return Ok(false);
        }
        let inner: usize = shape[last + 1..].iter().product();
        let n: usize = shape[first..=last].iter().product();
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        if n == 0 {
            out.fill(f32::NAN);
            return Ok(true);
        }
        let divisor = (n as f64 - self.correction).max(0.0);
        let finish = |m2: f64| (m2 / divisor) as f32;
        if inner == 1 {
            for (out, row) in out.iter_mut().zip(x.chunks_exact(n)) {
                *out = finish(vectorised(|| moments(row)).1);
            }
        } else {
            let (mut means, mut sums) = (vec![0.0f64; inner], vec![0.0f64; inner]);
            for (out, rows) in out.chunks_exact_mut(inner.max(1)).zip(x.chunks_exact((n * inner).max(1))) {
                vectorised(|| {
                    means.fill(0.0);
                    sums.fill(0.0);
                    for row in rows.chunks_exact(inner) {
                        means.iter_mut().zip(row).for_each(|(m, &v)| *m += f64::from(v));
                    }
                    means.iter_mut().for_each(|m| *m /= n as f64);
                    for row in rows.chunks_exact(inner) {
                        for ((s, m), &v) in sums.iter_mut().zip(&means).zip(row) {
                            *s += (f64::from(v) - m) * (f64::from(v) - m);
                        }
                    }
                });
                out.iter_mut().zip(&sums).for_each(|(out, &s)| *out = finish(s));
            }
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} variances run on the CPU only; cast first", request.outputs[0].dtype));
        }
        let layout = &request.inputs[0].layout;
        let kept: Vec<usize> = (0..layout.shape().len()).filter(|d| !self.dims.contains(d)).collect();
        let (outer, inner) = (reduce::walk(layout, &kept)?, reduce::walk(layout, &self.dims)?);
        let outputs: usize = outer.iter().map(|(n, _)| n).product();
        let n: usize = inner.iter().map(|(n, _)| n).product();
        let divisor = (n as f64 - self.correction).max(0.0) as f32;
        let dispatch = |flag: Option<&'static str>, parts: usize, bindings: Vec<BindTo>, groups: usize| {
            let mut params = Params::new().u32(outputs).u32(n).u32(parts).u32(n.div_ceil(parts));
            params = params.u32(layout.offset()).f32(divisor).f32(n as f32).u32(0usize);
            for list in [&outer, &inner] {
                params = list.iter().fold(params, |p, &(n, _)| p.u32(n));
                params = list.iter().fold(params, |p, &(_, s)| p.u32(s));
            }
            DispatchSpec {
                kernel: Kernel {
                    name: format!("var_{}", flag.unwrap_or("tree")),
                    source: Source::Named("var"),
                    flags: flag.into_iter().collect(),
                    constants: Vec::new(),
                    needs: Needs::default(),
                },
                bindings,
                params,
                grid: Grid::Linear(groups as u64),
                flat: None,
            }
        };
        let whole = || vec![BindTo::Input(0), BindTo::Output(0)];
        let serial = Lowering::single("serial", dispatch(Some("serial"), 1, whole(), outputs.div_ceil(256)));
        let tree = Lowering::single("tree", dispatch(None, 1, whole(), outputs));
        let parts = n.div_ceil(SPAN).clamp(2, 256);
        let stages = Lowering {
            variant: "two_stages",
            scratch: vec![Scratch { dtype: DType::F32, count: 2 * outputs * parts }],
            dispatches: vec![
                dispatch(Some("part"), parts, vec![BindTo::Input(0), BindTo::Scratch(0)], outputs * parts),
                dispatch(Some("join"), parts, vec![BindTo::ScratchRead(0), BindTo::Output(0)], outputs),
            ],
        };
        Ok(if n <= SHORT || (outputs >= 4096 && n <= 256) {
            vec![serial, tree]
        } else if n <= LONGEST_SERIAL {
            vec![tree, serial]
        } else if n <= 2 * SPAN || (outputs >= FEW && n <= 256 * 4 * SPAN) {
            vec![tree, stages]
        } else if n <= 256 * 4 * SPAN {
            vec![stages, tree]
        } else {
            vec![stages]
        })
    }

    fn accepts(&self, _: usize, _: &Layout) -> bool {
        true
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        // 2 (x − mean) g / (n − correction)
        let (x, g) = (&context.inputs[0], context.cotangent()?);
        let mut kept: Vec<Dim> = x.shape().dims().to_vec();
        self.dims.iter().for_each(|&d| kept[d] = 1.into());
        let dims: Vec<isize> = self.dims.iter().map(|&d| d as isize).collect();
        let count = self.dims.iter().fold(Dim::from(1), |n, &d| n * x.shape().dims()[d].clone());
        let divisor = x.graph().size_of(x.dtype(), count)?.sub(self.correction)?.relu()?;
        let scale = g.mul(2.0)?.div(&divisor)?.reshape(kept)?;
        // Twice: the first mean is rounded to its own size, the second to that of the differences.
        let centred = x.sub(&x.mean(&dims, true)?)?;
        let centred = centred.sub(&centred.mean(&dims, true)?)?;
        Ok(vec![Some(centred.mul(&scale)?)])
    }
}

/// The mean and the sum of squared differences from it.
#[inline(always)]
pub(super) fn moments(x: &[f32]) -> (f64, f64) {
    let mean = sum(x, |v| v) / x.len() as f64;
    (mean, sum(x, |v| (v - mean) * (v - mean)))
}

/// The sum of a function of the elements, in eight lanes.
#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0f64; 8];
    let chunks = x.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|&v| f(f64::from(v))).sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(l, &v)| *l += f(f64::from(v)));
    }
    lanes.iter().sum::<f64>() + rest
}

/// The sum of squares.
#[inline(always)]
pub(super) fn squares(x: &[f32]) -> f64 {
    sum(x, |v| v * v)
}
