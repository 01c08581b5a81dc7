//! Cross-entropy of logits and class indices, with label smoothing; its gradient; and both at once.

mod fast;
mod kernels;
#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Cost, Op, Reference, Registered, Role};
use crate::{
    DType, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    error::OpError,
    graph::{Meta, Tensor},
    plan::{KernelRequest, Lowering},
};

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
        let slope = |rows: usize, classes: usize, smoothing: f64| {
            Case::new(
                format!("the loss and its gradient, [{rows}, {classes}], smoothing {smoothing}"),
                vec![CaseInput::between(&[rows, classes], -4.0, 4.0), CaseInput::index(&[rows], classes)],
                move |t| {
                    let loss = t[0].cross_entropy_with(&t[1], smoothing)?;
                    // A cotangent other than 1; the gradient keeps its size whatever the number of rows.
                    let seed = t[0].square()?.mean(&[0, 1], false)?;
                    let slope = t[0].graph().vjp(&[(&loss.mul(rows as f64)?, &seed)], &[&t[0]])?;
                    Ok([vec![loss], slope].concat())
                },
            )
            .tolerance(2e-5)
        };
        vec![
            slope(1, 1, 0.0),
            slope(63, 10, 0.1),
            slope(257, 3, 0.0),
            slope(3, 300, 0.2),
            slope(2, 9000, 0.0).no_gradient(),
            slope(9000, 2, 0.1).no_gradient(),
            case(1, 1, 0.0),
            case(64, 10, 0.0),
            case(65, 3, 0.1),
            case(3, 257, 0.2),
            case(300, 2, 0.0),
            case(2, 700, 0.0),
        ]
    }),
};

/// What the operation gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// The loss.
    Loss,
    /// Its gradient to the logits, times a number: the loss's own gradient, a third input.
    Gradient,
    /// Both: what the planner makes of the two.
    Both,
}

impl Gives {
    fn loss(self) -> bool {
        self != Self::Gradient
    }

    fn gradient(self) -> bool {
        self != Self::Loss
    }
}

/// The loss of logits `[B, C]` and targets `[B]`; its gradient (softmax(logits) − q) g / B; or both.
#[derive(Clone, Debug)]
pub(crate) struct CrossEntropy {
    pub(crate) smoothing: f64,
    pub(crate) gives: Gives,
}

impl CrossEntropy {
    /// The target distribution at the class and elsewhere.
    fn levels(&self, classes: usize) -> (f64, f64) {
        let low = self.smoothing / classes as f64;
        (1.0 - self.smoothing + low, low)
    }
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
        self.graph().apply_one(
            CrossEntropy { smoothing: label_smoothing, gives: Gives::Loss },
            &[self, target],
            site,
        )
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
        match self.gives {
            Gives::Loss => "cross_entropy",
            Gives::Gradient => "cross_entropy_gradient",
            Gives::Both => "cross_entropy_and_gradient",
        }
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
        let loss = Meta::new(logits.dtype, crate::Shape::scalar());
        if let Some(g) = inputs.get(2).filter(|g| **g != loss) {
            return Err(format!("the loss is {loss}, its gradient {g}"));
        }
        Ok(match self.gives {
            Gives::Loss => vec![loss],
            Gives::Gradient => vec![logits.clone()],
            Gives::Both => vec![loss, logits.clone()],
        })
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (rows, classes) = (inputs[0].shape[0], inputs[0].shape[1]);
        let (high, low) = self.levels(classes);
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
            if self.gives.gradient() {
                let g = inputs[2].data[0] / rows as f64;
                let out = outputs.last_mut().ok_or("the gradient needs an output")?;
                for (c, (out, v)) in out.data[b * classes..].iter_mut().zip(x).enumerate() {
                    *out = (libm::exp(v - log_sum) - if c == target { high } else { low }) * g;
                }
            }
        }
        if self.gives.loss() {
            outputs[0].data[0] = total / rows as f64;
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        fast::run(self, io)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(self, request)
    }

    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        Some((1, inputs[0][1]))
    }

    fn role(&self) -> Option<Role> {
        Some(Role::CrossEntropy { smoothing: self.smoothing, gives: self.gives })
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (logits, target) = (&context.inputs[0], &context.inputs[1]);
        let (graph, here) = (logits.graph(), Site::here());
        let slope = Self { gives: Gives::Gradient, ..self.clone() };
        if self.gives == Gives::Loss {
            let slope = graph.apply_one(slope, &[logits, target, context.cotangent()?], here)?;
            return Ok(vec![Some(slope), None]);
        }
        // Of the gradient p − q, p = softmax(logits), times g / B: h = v g / B gives p ⊙ (h − Σ h p) to the logits;
        // the gradient at g = 1, times v and summed, is what flows to g.
        let (g, v) = (&context.inputs[2], context.cotangent()?);
        let rows = graph.size_of(logits.dtype(), logits.shape().dims()[0].clone())?;
        let to_logits = if context.wanted[0] {
            let (p, h) = (logits.softmax(-1)?, v.mul(&g.div(&rows)?)?);
            Some(p.mul(&h.sub(&h.mul(&p)?.sum(&[-1], true)?)?)?)
        } else {
            None
        };
        let to_g = if context.wanted[2] {
            let one = graph.constant(logits.dtype(), 1.0)?;
            let slope = graph.apply_one(slope, &[logits, target, &one], here)?;
            Some(slope.mul(v)?.sum(&[0, 1], false)?)
        } else {
            None
        };
        Ok(vec![to_logits, None, to_g])
    }

    fn cost(&self, inputs: &[(DType, Layout)], _: &[(DType, Layout)]) -> Cost {
        let (n, rows) = (inputs[0].1.count() as f64, inputs[1].1.count() as f64);
        let each = if self.gives == Gives::Both { 9.0 } else { 6.0 };
        let passes = 1.0 + f64::from(u8::from(self.gives.gradient()));
        Cost { flops: each * n, bytes: n * passes * inputs[0].0.bytes() as f64 + 4.0 * rows }
    }
}
