//! Sums over elements of the derivatives of their powers: the gradient to a polynomial's coefficients.

use super::{Groups, Polynomial, falling, sums, sums_in_two_stages};
use crate::{
    DType, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference},
    plan::{Kernel, KernelRequest, Lowering, Needs, Source},
};

/// (x, u) → M `[g, n]`: M_gj = Σ u (rʲ)⁽ᵈ⁾ over the elements of group g, r = r(x) as in [`Polynomial`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) struct Moments {
    /// Whether x goes through relu first.
    pub relu: bool,
    /// d, the order of the derivative.
    pub derivative: usize,
    /// g
    pub groups: usize,
    /// n
    pub terms: usize,
}

impl Moments {
    /// The sums over x, weighed by u.
    pub fn of(self, x: &Tensor, u: &Tensor) -> Result<Tensor> {
        x.graph().apply_one(self, &[x, u], Site::here())
    }
}

impl Op for Moments {
    fn name(&self) -> &str {
        "polynomial_moments"
    }

    fn attributes(&self) -> String {
        let Self { relu, derivative, groups, terms } = self;
        format!("relu={relu} derivative={derivative} groups={groups} terms={terms}")
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (x, u) = (&inputs[0], &inputs[1]);
        if !matches!(x.dtype, DType::F32 | DType::F64) || x != u {
            return Err(format!("x is {x}, its weights are {u}; both must be f32 or f64 of one shape"));
        }
        Groups::check(x, self.groups)?;
        Ok(vec![Meta::new(x.dtype, vec![self.groups, self.terms])])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let groups = Groups::of(&inputs[0].shape, self.groups);
        outputs[0].data.fill(0.0);
        for (i, (&x, &u)) in inputs[0].data.iter().zip(&inputs[1].data).enumerate() {
            let off = self.relu && x <= 0.0;
            if off && self.derivative > 0 {
                continue;
            }
            let (mut power, sums) = (u, &mut outputs[0].data[groups.group(i) * self.terms..][..self.terms]);
            for (j, sum) in sums.iter_mut().enumerate().skip(self.derivative) {
                *sum += power * falling(j, self.derivative);
                power *= if off { 0.0 } else { x };
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let groups = Groups::of_layout(io.inputs[0].layout, self.groups);
        let (Some(x), Some(u)) = (io.inputs[0].f32(), io.inputs[1].f32()) else { return Ok(false) };
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        sums(groups, self.terms, (x, u), |_, x, u, sums| self.run(x, u, sums), out);
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
        }
        let kernel = Kernel {
            name: "polynomial_moments".into(),
            source: Source::Named("polynomial/moments"),
            flags: if self.relu { vec!["relu"] } else { Vec::new() },
            constants: vec![("TERMS", (self.terms as u32).into())],
            needs: Needs::default(),
        };
        let groups = Groups::of_layout(&request.inputs[0].layout, self.groups);
        Ok(vec![sums_in_two_stages(groups, self.terms, kernel, 2, [self.derivative, 0, 0])])
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, u, m) = (&context.inputs[0], &context.inputs[1], context.cotangent()?);
        let value = |derivative, inputs: &[&Tensor]| {
            let op = Polynomial { relu: self.relu, derivative, scale: inputs.len() > 2 };
            x.graph().apply_one(op, inputs, Site::here())
        };
        let dx = (context.wanted[0] && self.derivative + 1 < self.terms)
            .then(|| value(self.derivative + 1, &[x, m, u]))
            .transpose()?;
        let du = context.wanted[1].then(|| value(self.derivative, &[x, m])).transpose()?;
        Ok(vec![dx, du])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let flops = 3.0 * self.terms as f64 * inputs[0].1.count() as f64;
        Cost { flops, bytes: bytes(inputs) + bytes(outputs) }
    }
}

impl Moments {
    /// Adds a run of elements of one group; term by term, so that the loop over elements is the inner one.
    #[inline(always)]
    fn run(&self, x: &[f32], u: &[f32], sums: &mut [f32]) {
        let on = |x: f32| !(self.relu && x <= 0.0);
        let mut powers: Vec<f32> = u.to_vec();
        if self.derivative > 0 {
            powers.iter_mut().zip(x).for_each(|(p, &x)| *p = if on(x) { *p } else { 0.0 });
        }
        for (j, sum) in sums.iter_mut().enumerate().skip(self.derivative) {
            *sum = falling(j, self.derivative) as f32 * lanes(&powers);
            powers.iter_mut().zip(x).for_each(|(p, &x)| *p *= if on(x) { x } else { 0.0 });
        }
    }
}

/// A sum by 16 sums side by side.
#[inline(always)]
pub(in crate::ops) fn lanes(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let chunks = values.chunks_exact(16);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(l, v)| *l += v);
    }
    lanes.iter().sum::<f32>() + rest
}
