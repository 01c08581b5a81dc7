//! One step of Adam or AdamW over many tensors.

use std::ops::Range;

use super::lists::Lists;
use crate::{
    Result,
    autodiff::GradContext,
    cpu::{CpuIo, Slice},
    graph::{Meta, Tensor},
    ops::{Case, CaseInput, Cases, Cost, Op, Reference, Registered, elementwise::math, no_gradient},
    plan::{Kernel, KernelRequest, Lowering, Params},
    tensor::{DType, Layout},
};

pub(super) const REGISTERED: Registered = Registered {
    name: "adam",
    formula: "p − lr m̂ / (√v̂ + ε)",
    inputs: "lr; step; scale (may be absent); parameters, gradients, m, v",
    attributes: "beta1, beta2, eps, weight_decay, decoupled, clip",
    types: "f32, f64",
    source: "Kingma and Ba 2015; Loshchilov and Hutter 2019",
    cases: Cases::Listed(cases),
};

/// One step of Adam (Kingma and Ba 2015), or of AdamW (Loshchilov and Hutter 2019) where `decoupled` is set:
///
/// t = step + 1; g ← clip(scale · g); then Adam: g ← g + λ p, AdamW: p ← p − lr λ p;
/// m ← m + (1 − β₁)(g − m); v ← β₂ v + (1 − β₂) g²;
/// p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε).
///
/// Inputs: lr (float), step (i32, how many steps were made), `scale` where `scaled` is set, then n parameters, n gradients,
/// n first moments m and n second moments v. Outputs: the new parameters, m and v. Bias corrections are computed as
/// −expm1(t ln β), which is accurate from the first step on.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor, Site, ops::Adam};
/// let g = Graph::new();
/// let [p, d, m, v] = [1.0f32, 0.5, 0.0, 0.0].map(|x| g.tensor(HostTensor::new(&[x], [1]).unwrap()).unwrap());
/// let (lr, step) = (g.scalar("lr", 0.1)?, g.constant(DType::I32, 0.0)?);
/// let out = g.apply(Adam::new(1), &[&lr, &step, &p, &d, &m, &v], Site::here())?;
/// let mut program = Device::cpu().compile(&g, &[&out[0]], &[])?;
/// let none: [(&str, HostTensor); 0] = [];
/// // The first step has the learning rate's size, whatever the gradient's.
/// assert!((program.run(none)?.wait()?[0].item::<f32>()? - 0.9).abs() < 1e-6);
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// The number of parameters, n.
    pub tensors: usize,
    /// The decay of the first moment, β₁ in [0, 1).
    pub beta1: f64,
    /// The decay of the second moment, β₂ in [0, 1).
    pub beta2: f64,
    /// ε, above 0.
    pub eps: f64,
    /// λ, at least 0.
    pub weight_decay: f64,
    /// Weight decay beside the moments (AdamW), not through the gradient.
    pub decoupled: bool,
    /// Gradients are limited to ± this; infinite for no limit. A NaN stays.
    pub clip: f64,
    /// Whether a third scalar multiplies all gradients (a global norm's clipping).
    pub scaled: bool,
}

/// The constants of a step as the kernel takes them.
#[derive(Clone, Copy)]
struct Constants {
    b1: f32,
    c1: f32,
    b2: f32,
    c2: f32,
    log_b1: f32,
    log_b2: f32,
    eps: f32,
    weight_decay: f32,
    clip: f32,
}

impl Adam {
    /// AdamW over that many tensors, with β = (0.9, 0.999), ε = 1e-8 and no weight decay.
    #[must_use]
    pub fn new(tensors: usize) -> Self {
        Self {
            tensors,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled: true,
            clip: f64::INFINITY,
            scaled: false,
        }
    }

    /// That every setting lies in its range.
    ///
    /// # Errors
    /// The setting that does not, with its limits.
    pub fn check(&self) -> Result<(), String> {
        for (name, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(format!("{name} is {beta}; it must lie in 0..1"));
            }
        }
        if !(self.eps > 0.0 && self.eps.is_finite()) {
            return Err(format!("eps is {}; it must be above 0", self.eps));
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
        Lists { head: 2 + usize::from(self.scaled), tensors: self.tensors, lists: 4 }
    }

    fn constants(&self) -> Constants {
        Constants {
            b1: self.beta1 as f32,
            c1: (1.0 - self.beta1) as f32,
            b2: self.beta2 as f32,
            c2: (1.0 - self.beta2) as f32,
            log_b1: libm::log(self.beta1).max(f64::from(f32::MIN)) as f32,
            log_b2: libm::log(self.beta2).max(f64::from(f32::MIN)) as f32,
            eps: self.eps as f32,
            weight_decay: self.weight_decay as f32,
            clip: self.clip as f32,
        }
    }
}

impl Op for Adam {
    fn name(&self) -> &str {
        "adam"
    }

    fn attributes(&self) -> String {
        let Self { tensors, beta1, beta2, eps, weight_decay, decoupled, clip, scaled } = self;
        format!(
            "n={tensors} betas={beta1:?},{beta2:?} eps={eps:?} weight_decay={weight_decay:?} decoupled={decoupled} \
             clip={clip:?} scaled={scaled}"
        )
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        self.check()?;
        self.lists().infer(inputs, &[1])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (lists, n) = (self.lists(), self.tensors);
        let (lr, t) = (inputs[0].data[0], inputs[1].data[0] + 1.0);
        let scale = if self.scaled { inputs[2].data[0] } else { 1.0 };
        let correction = |beta: f64| -libm::expm1(t * libm::log(beta));
        let (bias1, bias2) = (correction(self.beta1), correction(self.beta2));
        for k in 0..n {
            for e in 0..inputs[lists.at(0, k)].data.len() {
                let [mut p, g, m, v] = std::array::from_fn(|list| inputs[lists.at(list, k)].data[e]);
                let mut g = limited(g * scale, self.clip);
                if self.decoupled {
                    p -= lr * self.weight_decay * p;
                } else {
                    g += self.weight_decay * p;
                }
                let m = m + (1.0 - self.beta1) * (g - m);
                let v = self.beta2 * v + (1.0 - self.beta2) * g * g;
                p -= lr / bias1 * m / (v.sqrt() / bias2.sqrt() + self.eps);
                for (list, new) in [p, m, v].into_iter().enumerate() {
                    outputs[list * n + k].data[e] = new;
                }
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let Some(lr) = io.inputs[0].f32().map(|s| s[0]) else { return Ok(false) };
        let step = match io.inputs[1].data {
            Slice::I32(s) => s[io.inputs[1].layout.offset()],
            _ => return Ok(false),
        };
        let scale = match self.scaled.then(|| io.inputs[2].f32()) {
            None => 1.0,
            Some(Some(s)) => s[0],
            Some(None) => return Ok(false),
        };
        let c = self.constants();
        let decoupled = self.decoupled;
        let t = step as f32 + 1.0;
        let correction = |log: f32| if log <= f32::MIN { 1.0 } else { -math::expm1(t * log) };
        let size = lr / correction(c.log_b1);
        let root = correction(c.log_b2).sqrt();
        let done = self.lists().cpu(
            io,
            #[inline(always)]
            |p, g, [m, v]| {
                // Copies: what lies behind a reference could change with every store, and nothing would vectorise.
                let (c, decoupled, scale, lr, size, root) = (c, decoupled, scale, lr, size, root);
                for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
                    let mut g = g * scale;
                    g = if g > c.clip { c.clip } else { g };
                    g = if g < -c.clip { -c.clip } else { g };
                    let decay = c.weight_decay * *p;
                    if decoupled {
                        *p -= lr * decay;
                    } else {
                        g += decay;
                    }
                    *m += c.c1 * (g - *m);
                    *v = c.b2 * *v + c.c2 * g * g;
                    *p -= size * *m / (v.sqrt() / root + c.eps);
                }
            },
        );
        Ok(done.is_some())
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let c = self.constants();
        let mut kernel = Kernel::named("optimizer/adam", Vec::new());
        if self.scaled {
            kernel.flags.push("scaled");
        }
        let params = |count: u32| {
            [c.b1, c.c1, c.b2, c.c2, c.log_b1, c.log_b2, c.eps, c.weight_decay, c.clip]
                .into_iter()
                .fold(Params::new().u32(count), Params::f32)
                .u32(u32::from(self.decoupled))
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
        Cost { flops: 16.0 * elements, bytes: bytes(inputs) + bytes(outputs) }
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        self.lists().in_place()
    }

    fn packed(&self) -> Vec<Range<usize>> {
        vec![self.lists().range(1)]
    }
}

/// x within ± limit; a NaN stays.
pub(super) fn limited(x: f64, limit: f64) -> f64 {
    if x > limit {
        limit
    } else if x < -limit {
        -limit
    } else {
        x
    }
}

fn cases() -> Vec<Case> {
    let case = |name: &str, shapes: &'static [&'static [usize]], op: Adam| {
        let mut inputs = vec![CaseInput::between(&[], 1e-3, 1e-1), CaseInput::index(&[], 1000)];
        if op.scaled {
            inputs.push(CaseInput::between(&[], 0.1, 1.0));
        }
        inputs.extend(
            [-1.0, -1.0, -1.0, 0.01]
                .iter()
                .flat_map(|&low| shapes.iter().map(move |shape| CaseInput::between(shape, low, 1.0))),
        );
        Case::new(name, inputs, move |t| {
            t[0].graph().apply(op.clone(), &t.iter().collect::<Vec<_>>(), crate::Site::here())
        })
        .no_gradient()
        .tolerance(4e-6)
    };
    vec![
        case("one element", &[&[1]], Adam::new(1)),
        case("two tensors, AdamW", &[&[65, 3], &[257]], Adam { weight_decay: 0.1, ..Adam::new(2) }),
        case("L2", &[&[63]], Adam { weight_decay: 0.1, decoupled: false, ..Adam::new(1) }),
        case("no memory", &[&[64]], Adam { beta1: 0.0, beta2: 0.0, ..Adam::new(1) }),
        case("clipped", &[&[3], &[4, 5]], Adam { clip: 0.2, scaled: true, ..Adam::new(2) }),
    ]
}
