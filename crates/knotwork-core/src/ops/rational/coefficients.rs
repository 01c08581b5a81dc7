//! The gradients to the coefficients of a rational function.

use super::{
    RationalForm,
    compose::{Of, second},
    exact, kernels,
    value::{Tile, check},
};
use crate::{
    DType, Layout, Result,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{
        Cost, Op, Reference,
        polynomial::{Groups, lanes, sums},
    },
    plan::{KernelRequest, Lowering},
};

/// (x, p, q, g) → Σ g d(P / Q) over each group's elements, to the coefficients of the numerator and then of the
/// denominator: `[groups, m + 1 + n]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RationalCoefficients {
    pub form: RationalForm,
}

impl Op for RationalCoefficients {
    fn name(&self) -> &str {
        "rational_coefficient_gradient"
    }

    fn attributes(&self) -> String {
        format!("form={:?}", self.form)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        check(inputs)?;
        let (p, q) = (inputs[1].shape.dims(), inputs[2].shape.dims());
        let terms = p[1].fixed().unwrap_or(0) + q[1].fixed().unwrap_or(0);
        Ok(vec![Meta::new(inputs[0].dtype, vec![p[0].clone(), terms.into()])])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (x, p, q, g) = (&inputs[0], &inputs[1], &inputs[2], &inputs[3]);
        let (groups, m, n) = (Groups::of(&x.shape, p.shape[0]), p.shape[1], q.shape[1]);
        outputs[0].data.fill(0.0);
        for (i, (&x, &g)) in x.data.iter().zip(&g.data).enumerate() {
            let group = groups.group(i);
            let coefficients = (&p.data[group * m..][..m], &q.data[group * n..][..n]);
            let sums = &mut outputs[0].data[group * (m + n)..][..m + n];
            exact::add(self.form, (x, g), coefficients, sums);
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (m, n) = (io.inputs[1].layout.shape()[1], io.inputs[2].layout.shape()[1]);
        let groups = Groups::of_layout(io.inputs[0].layout, io.inputs[1].layout.shape()[0]);
        let slices: Option<Vec<&[f32]>> = io.inputs.iter().map(|i| i.f32()).collect();
        let Some(slices) = slices else { return Ok(false) };
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        let (p, q) = (slices[1], slices[2]);
        let add = |group: usize, x: &[f32], g: &[f32], sums: &mut [f32]| {
            let coefficients = (&p[group * m..][..m], &q[group * n..][..n]);
            let mut tile = Tile::default();
            for (x, g) in x.chunks(Tile::LEN).zip(g.chunks(Tile::LEN)) {
                self.run(coefficients, (x, g), &mut tile, sums);
            }
        };
        sums(groups, m + n, (slices[0], slices[3]), add, out);
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::coefficients(self, request)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        second(self.form, Of::Coefficients, context.inputs, context.cotangent()?)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let terms = outputs[0].1.shape().last().copied().unwrap_or(1) as f64;
        let flops = 5.0 * terms * inputs[0].1.count() as f64;
        Cost { flops, bytes: bytes(inputs) + bytes(outputs) }
    }
}

impl RationalCoefficients {
    /// Adds a run of elements of one group, power by power over all of them.
    #[inline(always)]
    fn run(&self, (p, q): (&[f32], &[f32]), (x, g): (&[f32], &[f32]), tile: &mut Tile, sums: &mut [f32]) {
        let [mut power, mut down, mut factor] = [[0.0f32; Tile::LEN]; 3];
        tile.fill(self.form, (p, q), x);
        let absolute = self.form == RationalForm::A;
        // g xᵏ / Q, and what of it goes to the denominator: −y times it, with the sign of what the bars are around. Large
        // elements count 0 here, and x of them too: 0 times infinity would spoil the sums.
        let len = x.len();
        let (power, down, factor) = (&mut power[..len], &mut down[..len], &mut factor[..len]);
        for k in 0..len {
            let (p, sign) = (g[k] * tile.scale[k], if absolute { 1.0 } else { tile.sign[k] });
            power[k] = if tile.large[k] { 0.0 } else { p };
            down[k] = if tile.large[k] { 0.0 } else { -tile.y[k] * p * sign };
            factor[k] = if tile.large[k] { 0.0 } else { x[k] };
        }
        for (i, sum) in sums[..p.len()].iter_mut().enumerate() {
            if i > 0 {
                power.iter_mut().zip(&*factor).for_each(|(p, x)| *p *= x);
            }
            *sum += lanes(power);
        }
        for (sum, &q) in sums[p.len()..].iter_mut().zip(q) {
            down.iter_mut().zip(&*factor).for_each(|(d, x)| *d *= if absolute { x.abs() } else { *x });
            let sign = if absolute { exact::sign(q.into()) as f32 } else { 1.0 };
            *sum += sign * lanes(down);
        }
        if tile.large.contains(&true) {
            self.large(p, q, &tile.large, (x, g), sums);
        }
    }

    /// The few elements that are large, in f64.
    #[inline(never)]
    fn large(&self, p: &[f32], q: &[f32], large: &[bool], (x, g): (&[f32], &[f32]), sums: &mut [f32]) {
        let [p, q] = [p, q].map(|c| c.iter().map(|&c| f64::from(c)).collect::<Vec<f64>>());
        let mut more = vec![0.0; sums.len()];
        for ((&x, &g), _) in x.iter().zip(g).zip(large).filter(|(_, large)| **large) {
            exact::add(self.form, (x.into(), g.into()), (&p, &q), &mut more);
        }
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more as f32);
    }
}
