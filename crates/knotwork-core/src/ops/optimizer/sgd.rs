//! One step of stochastic gradient descent over many tensors.

use std::ops::Range;

use super::{adam::limited, lists::Lists};
use crate::{
    Result,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Case, CaseInput, Cases, Cost, Op, Reference, Registered, no_gradient},
    plan::{Kernel, KernelRequest, Lowering, Params},
    tensor::{DType, Layout},
};

pub(super) const REGISTERED: Registered = Registered {
    name: "sgd",
    formula: "b ← μ b + g; p − lr b",
    inputs: "lr; scale (may be absent); parameters, gradients, buffers",
    attributes: "momentum, nesterov, weight_decay, clip",
    types: "f32, f64",
    source: "Polyak 1964",
    cases: Cases::Listed(cases),
};

/// One step of gradient descent with momentum (Polyak 1964) or Nesterov's:
///
/// g ← clip(scale · g) + λ p; with momentum: b ← μ b + g, then g ← b (Nesterov: g ← g + μ b); p ← p − lr g.
///
/// Inputs: lr (float), `scale` where `scaled` is set, then n parameters, n gradients and, where μ is not 0, n buffers b.
/// Outputs: the new parameters and buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    /// The number of parameters, n.
    pub tensors: usize,
    /// μ in [0, 1); 0 keeps no buffers.
    pub momentum: f64,
    /// Nesterov's form of the momentum.
    pub nesterov: bool,
    /// λ, at least 0.
    pub weight_decay: f64,
    /// Gradients are limited to ± this; infinite for no limit. A NaN stays.
    pub clip: f64,
    /// Whether a second scalar multiplies all gradients (a global norm's clipping).
    pub scaled: bool,
}

impl Sgd {
    /// Plain gradient descent over that many tensors.
    #[must_use]
    pub fn new(tensors: usize) -> Self {
        Self {
            tensors,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            clip: f64::INFINITY,
            scaled: false,
        }
    }

    /// That every setting lies in its range.
    ///
    /// # Errors
    /// The setting that does not, with its limits.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(format!("momentum is {}; it must lie in 0..1", self.momentum));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(format!("weight_decay is {}; it must be at least 0", self.weight_decay));
        }
        if self.clip.is_nan() || self.clip <= 0.0 {
            return Err(format!("the limit of gradients is {}; it must be above 0", self.clip));
        }
        Ok(())
    }

    fn lists(&self) -> Lists {
        let lists = if self.momentum == 0.0 { 2 } else { 3 };
        Lists { head: 1 + usize::from(self.scaled), tensors: self.tensors, lists }
    }
}

impl Op for Sgd {
    fn name(&self) -> &str {
        "sgd"
    }

    fn attributes(&self) -> String {
        let Self { tensors, momentum, nesterov, weight_decay, clip, scaled } = self;
        format!(
            "n={tensors} momentum={momentum:?} nesterov={nesterov} weight_decay={weight_decay:?} clip={clip:?} \
             scaled={scaled}"
        )
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        self.check()?;
        self.lists().infer(inputs, &[])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (lists, n) = (self.lists(), self.tensors);
        let lr = inputs[0].data[0];
        let scale = if self.scaled { inputs[1].data[0] } else { 1.0 };
        for k in 0..n {
            for e in 0..inputs[lists.at(0, k)].data.len() {
                let p = inputs[lists.at(0, k)].data[e];
                let mut g =
                    limited(inputs[lists.at(1, k)].data[e] * scale, self.clip) + self.weight_decay * p;
                if lists.lists == 3 {
                    let b = self.momentum * inputs[lists.at(2, k)].data[e] + g;
                    outputs[n + k].data[e] = b;
                    g = if self.nesterov { g + self.momentum * b } else { b };
                }
                outputs[k].data[e] = p - lr * g;
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let Some(lr) = io.inputs[0].f32().map(|s| s[0]) else { return Ok(false) };
        let scale = match self.scaled.then(|| io.inputs[1].f32()) {
            None => 1.0,
            Some(Some(s)) => s[0],
            Some(None) => return Ok(false),
        };
        let clip = self.clip as f32;
        let (decay, momentum, nesterov) = (self.weight_decay as f32, self.momentum as f32, self.nesterov);
        let gradient = move |g: f32, p: f32| {
            let g = g * scale;
            let g = if g > clip { clip } else { g };
            let g = if g < -clip { -clip } else { g };
            g + decay * p
        };
        let done = if self.lists().lists == 2 {
            self.lists().cpu(
                io,
                #[inline(always)]
                |p, g, []| p.iter_mut().zip(g).for_each(|(p, &g)| *p -= lr * gradient(g, *p)),
            )
        } else {
            self.lists().cpu(
                io,
                #[inline(always)]
                |p, g, [b]| {
                    for ((p, &g), b) in p.iter_mut().zip(g).zip(b.iter_mut()) {
                        let g = gradient(g, *p);
                        *b = momentum * *b + g;
                        *p -= lr * if nesterov { g + momentum * *b } else { *b };
                    }
                },
            )
        };
        Ok(done.is_some())
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let mut kernel = Kernel::named("optimizer/sgd", Vec::new());
        if self.scaled {
            kernel.flags.push("scaled");
        }
        if self.lists().lists == 3 {
            kernel.flags.push("momentum");
        }
        let params = |count: u32| {
            Params::new()
                .u32(count)
                .f32(self.momentum as f32)
                .f32(self.weight_decay as f32)
                .f32(self.clip as f32)
                .u32(u32::from(self.nesterov))
                .u32(0u32)
                .u32(0u32)
                .u32(0u32)
        };
        Ok(vec![self.lists().lower(request, "flat", &kernel, params)?])
    }

    fn grad(&self, _: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient("an optimizer's update"))
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let elements: f64 = outputs[..self.tensors].iter().map(|(_, l)| l.count() as f64).sum();
        Cost { flops: 6.0 * elements, bytes: bytes(inputs) + bytes(outputs) }
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        self.lists().in_place()
    }

    fn packed(&self) -> Vec<Range<usize>> {
        vec![self.lists().range(1)]
    }
}

fn cases() -> Vec<Case> {
    let case = |name: &str, shapes: &'static [&'static [usize]], op: Sgd| {
        let mut inputs = vec![CaseInput::between(&[], 1e-3, 1e-1)];
        if op.scaled {
            inputs.push(CaseInput::between(&[], 0.1, 1.0));
        }
        let lists = op.lists().lists;
        inputs.extend((0..lists).flat_map(|_| shapes.iter().map(|shape| CaseInput::new(shape))));
        Case::new(name, inputs, move |t| {
            t[0].graph().apply(op.clone(), &t.iter().collect::<Vec<_>>(), crate::Site::here())
        })
        .no_gradient()
    };
    vec![
        case("plain", &[&[65]], Sgd::new(1)),
        case("momentum", &[&[3, 7], &[257]], Sgd { momentum: 0.9, weight_decay: 0.01, ..Sgd::new(2) }),
        case("Nesterov", &[&[64]], Sgd { momentum: 0.9, nesterov: true, ..Sgd::new(1) }),
        case("clipped", &[&[63], &[1]], Sgd { clip: 0.5, scaled: true, ..Sgd::new(2) }),
    ]
}
