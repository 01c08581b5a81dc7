//! Cross-entropy of logits and class indices, with label smoothing.

mod target;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::{
    Case, CaseInput, Cases, Op, Reference, Registered,
    elementwise::{math, vectorised},
    softmax::LONGEST_SERIAL,
};
use crate::{
    DType, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    error::OpError,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};
use target::SmoothTarget;

pub(super) const REGISTERED: Registered = Registered {
    name: "cross_entropy",
    formula: "mean over rows of −Σ_c q_c ln softmax(logits)_c, q the smoothed target",
    inputs: "logits [B, C]; target [B] (i32 or u32)",
    attributes: "label_smoothing = 0, in 0..=1",
    types: "f32, f64",
    source: "Szegedy et al. 2016 (smoothing)",
    cases: Cases::Listed(|| {
        let case = |rows: usize, classes: usize, smoothing: f64| {
            Case::new(
                format!("[{rows}, {classes}], smoothing {smoothing}"),
                vec![CaseInput::between(&[rows, classes], -4.0, 4.0), CaseInput::index(&[rows], classes)],
                move |t| Ok(vec![t[0].cross_entropy_with(&t[1], smoothing)?]),
            )
            .tolerance(5e-6)
        };
        vec![
            case(1, 1, 0.0),
            case(64, 10, 0.0),
            case(65, 3, 0.1),
            case(3, 257, 0.2),
            case(300, 2, 0.0),
            case(2, 700, 0.0),
        ]
    }),
};

/// Rows up to this length are one thread's; longer ones a workgroup's.
const SHORT: usize = 32;
/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;

/// The loss of logits [B, C] and targets [B].
#[derive(Clone, Debug)]
struct CrossEntropy {
    smoothing: f64,
}

impl Tensor {
    /// The mean over rows b of −ln p_b, p_b the softmax of row b at its target: logits `[B, C]`, target `[B]` of i32 or u32
    /// in 0..C.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let logits = g.input("logits", DType::F32, [1, 2])?;
    /// let target = g.input("target", DType::I32, [1])?;
    /// let mut p = Device::cpu().compile(&g, &[&logits.cross_entropy(&target)?], &[])?;
    /// let feeds = || [("logits", HostTensor::new(&[0.0f32, 0.0], [1, 2])), ("target", HostTensor::new(&[1i32], [1]))];
    /// let [(a, x), (b, t)] = feeds();
    /// let out = p.run([(a, x?), (b, t?)])?.wait()?;
    /// assert!((out[0].item::<f32>()? - 2f32.ln()).abs() < 1e-6);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the shapes are not `[B, C]` and `[B]`, or the target holds no indices. An index outside 0..C is refused before
    /// the run where the target is an input of the program, else clamped, counted and reported with the results.
    #[track_caller]
    pub fn cross_entropy(&self, target: &Self) -> Result<Self> {
        self.cross_entropy_with(target, 0.0)
    }

    /// The same with label smoothing ε: the target distribution is (1 − ε) at the class, plus ε/C everywhere
    /// (Szegedy et al. 2016).
    ///
    /// # Errors
    /// As [`cross_entropy`](Self::cross_entropy), and where ε lies outside 0..=1.
    #[track_caller]
    pub fn cross_entropy_with(&self, target: &Self, label_smoothing: f64) -> Result<Self> {
        let site = Site::here();
        if !(0.0..=1.0).contains(&label_smoothing) {
            return Err(OpError {
                op: "cross_entropy".into(),
                inputs: vec![self.meta().to_string(), target.meta().to_string()],
                message: format!("label_smoothing is {label_smoothing}; it must lie in 0..=1"),
                site,
            }
            .into());
        }
        self.graph().apply_one(CrossEntropy { smoothing: label_smoothing }, &[self, target], site)
    }
}

/// A class index as a position, or the message that it is outside.
fn class(value: i64, at: usize, classes: usize) -> Result<usize, String> {
    usize::try_from(value)
        .ok()
        .filter(|&c| c < classes)
        .ok_or_else(|| format!("target {value} at row {at} lies outside 0..{classes}"))
}

impl Op for CrossEntropy {
    fn name(&self) -> &str {
        "cross_entropy"
    }

    fn attributes(&self) -> String {
        format!("label_smoothing={:?}", self.smoothing)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (logits, target) = (&inputs[0], &inputs[1]);
        if !matches!(logits.dtype, DType::F32 | DType::F64) {
            return Err(format!("the logits are {}; it takes f32 or f64", logits.dtype));
        }
        if !target.dtype.is_index() {
            return Err(format!("the target is {}; it takes class indices, i32 or u32", target.dtype));
        }
        if logits.shape.rank() != 2 || target.shape.dims() != &logits.shape.dims()[..1] {
            return Err(format!(
                "the shapes must be [B, C] and [B], not {} and {}",
                logits.shape, target.shape
            ));
        }
        if logits.shape.dims()[1].fixed() == Some(0) {
            return Err(format!("the logits are {}: there is no class to choose", logits.shape));
        }
        Ok(vec![Meta::new(logits.dtype, crate::Shape::scalar())])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (rows, classes) = (inputs[0].shape[0], inputs[0].shape[1]);
        let mut total = 0.0;
        for b in 0..rows {
            let x = &inputs[0].data[b * classes..(b + 1) * classes];
            let target = class(inputs[1].data[b] as i64, b, classes)?;
            let max = x.iter().fold(f64::NEG_INFINITY, |m, &v| if v > m || v.is_nan() { v } else { m });
            let log_sum = max + libm::log(x.iter().map(|v| libm::exp(v - max)).sum());
            total += (1.0 - self.smoothing) * (log_sum - x[target]);
            if self.smoothing > 0.0 {
                total += self.smoothing * x.iter().map(|v| log_sum - v).sum::<f64>() / classes as f64;
            }
        }
        outputs[0].data[0] = total / rows as f64;
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let shape = io.inputs[0].layout.shape();
        let (rows, classes) = (shape[0], shape[1]);
        let (Some(x), Some(target)) = (io.inputs[0].f32(), io.inputs[1].indices()) else { return Ok(false) };
        let smoothing = self.smoothing as f32;
        let row = |(b, x): (usize, &[f32])| -> Result<f32, String> {
            let target = class(target[b], b, classes)?;
            Ok(vectorised(|| row_loss(x, target, smoothing)))
        };
        // The losses are added in the order of the rows, whoever computed them.
        let losses: Vec<f32> = if x.len() < PARALLEL {
            x.chunks_exact(classes.max(1)).enumerate().map(row).collect::<Result<_, _>>()?
        } else {
            x.par_chunks_exact(classes.max(1)).enumerate().map(row).collect::<Result<_, _>>()?
        };
        let total: f64 = losses.iter().map(|&loss| f64::from(loss)).sum();
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        out[0] = (total / rows as f64) as f32;
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
        }
        let shape = request.inputs[0].layout.shape();
        let (rows, classes) = (shape[0], shape[1]);
        let kernel = |name: &str, mut flags: Vec<&'static str>| {
            if request.inputs[1].dtype == DType::U32 {
                flags.push("unsigned");
            }
            Kernel {
                name: name.into(),
                source: Source::Named("cross_entropy"),
                flags,
                constants: Vec::new(),
                needs: Needs::default(),
            }
        };
        let params = Params::new().u32(rows).u32(classes).f32(self.smoothing as f32).f32(rows as f32);
        let mean = DispatchSpec {
            kernel: kernel("cross_entropy_mean", vec!["mean"]),
            bindings: vec![BindTo::ScratchRead(0), BindTo::Output(0)],
            params: params.clone(),
            grid: Grid::Exact([1, 1, 1]),
            flat: None,
        };
        let losses = |name: &str, serial: bool| DispatchSpec {
            kernel: kernel(name, if serial { vec!["serial"] } else { Vec::new() }),
            bindings: vec![BindTo::Input(0), BindTo::Input(1), BindTo::Scratch(0), BindTo::Status],
            params: params.clone(),
            grid: Grid::Linear(if serial { rows.div_ceil(256) } else { rows } as u64),
            flat: None,
        };
        let variant = |variant: &'static str, name: &str, serial: bool| Lowering {
            variant,
            scratch: vec![Scratch { dtype: DType::F32, count: rows }],
            dispatches: if rows == 0 { vec![mean.clone()] } else { vec![losses(name, serial), mean.clone()] },
        };
        let serial = variant("row_a_thread", "cross_entropy_rows", true);
        let tree = variant("row_a_group", "cross_entropy_groups", false);
        Ok(if classes <= SHORT {
            vec![serial, tree]
        } else if classes <= LONGEST_SERIAL {
            vec![tree, serial]
        } else {
            vec![tree]
        })
    }

    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        Some((1, inputs[0][1]))
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        // (softmax(logits) − q) g / B
        let (logits, target, g) = (&context.inputs[0], &context.inputs[1], context.cotangent()?);
        let dims = logits.shape().dims();
        let op = SmoothTarget { classes: dims[1].clone(), smoothing: self.smoothing, dtype: logits.dtype() };
        let q = logits.graph().apply_one(op, &[target], Site::here())?;
        let rows = logits.graph().size_of(logits.dtype(), dims[0].clone())?;
        Ok(vec![Some(logits.softmax(-1)?.sub(&q)?.mul(&g.div(&rows)?)?), None])
    }
}

#[inline(always)]
fn row_loss(x: &[f32], target: usize, smoothing: f32) -> f32 {
    let max = x.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m || v.is_nan() { v } else { m });
    // Eight sums side by side, then one.
    let (mut exponentials, mut shifted) = ([0.0f32; 8], [0.0f32; 8]);
    for chunk in x.chunks(8) {
        for ((e, s), &v) in exponentials.iter_mut().zip(&mut shifted).zip(chunk) {
            *e += math::exp(v - max);
            *s += v - max;
        }
    }
    let log_sum = exponentials.iter().sum::<f32>().ln();
    let loss = (1.0 - smoothing) * (log_sum - (x[target] - max));
    if smoothing > 0.0 {
        return loss + smoothing * (log_sum - shifted.iter().sum::<f32>() / x.len() as f32);
    }
    loss
}
