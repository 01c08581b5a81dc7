//! The gradient of `poly_norm` to x, and the sums that make the weights' gradients; and theirs.

use rayon::prelude::*;

use super::{MAX_POWERS, PARALLEL, composed, leaf, variants};
use crate::{
    DType, Layout, Result,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference, elementwise::vectorised},
    plan::{BindTo, KernelRequest, Lowering},
};

/// From x `[rows, C]`, the result's gradient g, weight `[r]` and the rows' numbers. With u = x/m, nᵢ = uⁱ / rootᵢ and
/// dᵢ = Σ_row g nᵢ: Σᵢ i uⁱ⁻¹ / (m rootᵢ) · weightᵢ (g − nᵢ dᵢ / C), and the dᵢ, `[rows, r]`.
#[derive(Clone, Debug)]
pub(super) struct PolyNormGradient {
    pub(super) eps: f64,
}

impl Op for PolyNormGradient {
    fn name(&self) -> &str {
        "poly_norm_gradient"
    }

    fn attributes(&self) -> String {
        format!("eps={:?}", self.eps)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (x, weight) = (&inputs[0], &inputs[2]);
        let dots = vec![x.shape.dims()[0].clone(), weight.shape.dims()[0].clone()];
        Ok(vec![x.clone(), Meta::new(x.dtype, dots)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (n, powers) = (inputs[0].shape[1], inputs[2].data.len());
        let [dx, dots] = outputs else { return Err("two outputs are expected".into()) };
        for row in 0..inputs[0].shape[0] {
            let range = row * n..(row + 1) * n;
            let (x, g) = (&inputs[0].data[range.clone()], &inputs[1].data[range.clone()]);
            let numbers = &inputs[3].data[row * (powers + 1)..(row + 1) * (powers + 1)];
            let (m, dx) = (numbers[0], &mut dx.data[range]);
            dx.fill(0.0);
            for (i, (w, root)) in inputs[2].data.iter().zip(&numbers[1..]).enumerate() {
                let below = |v: f64| (v / m).powi(i as i32) / root;
                let dot: f64 = x.iter().zip(g).map(|(&x, g)| g * below(x) * x / m).sum();
                dots.data[row * powers + i] = dot;
                for ((dx, &x), g) in dx.iter_mut().zip(x).zip(g) {
                    let term = w * (g - below(x) * x / m * dot / n as f64);
                    *dx += (i as f64 + 1.0) * below(x) / m * term;
                }
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let n = io.inputs[0].layout.shape()[1];
        let inputs = [0, 1, 2, 3].map(|k| io.inputs[k].f32());
        let [Some(x), Some(g), Some(weight), Some(numbers)] = inputs else { return Ok(false) };
        let [dx, dots] = &mut io.outputs[..] else { return Ok(false) };
        let (Some(dx), Some(dots)) = (dx.f32(), dots.f32()) else { return Ok(false) };
        let powers = weight.len();
        if n == 0 {
            dots.fill(0.0);
            return Ok(true);
        }
        let row = |(r, (dx, dots)): (usize, (&mut [f32], &mut [f32]))| {
            let (x, g) = (&x[r * n..(r + 1) * n], &g[r * n..(r + 1) * n]);
            vectorised(|| backward_row(x, g, weight, &numbers[r * (powers + 1)..][..powers + 1], dx, dots));
        };
        if x.len() < PARALLEL {
            dx.chunks_mut(n).zip(dots.chunks_mut(powers)).enumerate().for_each(row);
        } else {
            dx.par_chunks_mut(n).zip(dots.par_chunks_mut(powers)).enumerate().for_each(row);
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let powers = request.inputs[2].layout.count();
        let mut bindings: Vec<BindTo> = (0..4).map(BindTo::Input).collect();
        bindings.extend([BindTo::Output(0), BindTo::Output(1)]);
        variants("poly_norm/input", self.eps, powers, &bindings, request)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        // The rows' numbers are functions of x: what flows through them is in the gradient to x.
        let [x, g, weight] = [0, 1, 2].map(|k| leaf(&context.inputs[k]));
        let (x, g, weight) = (x?, g?, weight?);
        let powers = weight.shape().fixed().and_then(|s| s.first().copied()).unwrap_or(0);
        // A weight for each row: the gradient to it is the row's sums.
        let each = weight.broadcast_to(vec![x.shape().dims()[0].clone(), powers.into()])?;
        let mut y: Option<Tensor> = None;
        for (i, n) in composed(&x, self.eps, powers)?.into_iter().enumerate() {
            let term = n.mul(&each.slice(1, i, i + 1)?)?;
            y = Some(match y {
                Some(y) => y.add(&term)?,
                None => term,
            });
        }
        let y = y.ok_or_else(|| crate::ops::no_gradient("there are no powers"))?;
        let first = x.graph().vjp(&[(&y, &g)], &[&x, &each])?;
        let pairs: Vec<(&Tensor, &Tensor)> =
            first.iter().zip(context.cotangents).filter_map(|(t, c)| Some((t, c.as_ref()?))).collect();
        let mut all: Vec<_> = x.graph().vjp(&pairs, &[&x, &g, &weight])?.into_iter().map(Some).collect();
        all.push(None);
        Ok(all)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let (n, powers) = (outputs[0].1.count() as f64, inputs[2].1.count() as f64);
        Cost { flops: (2.0 + 12.0 * powers) * n, bytes: 12.0 * n }
    }
}

#[inline(always)]
fn backward_row(x: &[f32], g: &[f32], weight: &[f32], numbers: &[f32], dx: &mut [f32], dots: &mut [f32]) {
    let (m, roots) = (numbers[0], &numbers[1..]);
    let mut sums = [0.0f64; MAX_POWERS];
    for (&x, &g) in x.iter().zip(g) {
        let (u, mut power) = (x / m, 1.0f32);
        for sum in &mut sums[..weight.len()] {
            power *= u;
            *sum += f64::from(power) * f64::from(g);
        }
    }
    let mut means = [0.0f32; MAX_POWERS];
    for (i, root) in roots.iter().enumerate() {
        let dot = sums[i] / f64::from(*root);
        dots[i] = dot as f32;
        means[i] = (dot / x.len() as f64) as f32;
    }
    for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(g) {
        let (u, mut below, mut sum) = (x / m, 1.0f32, 0.0f32);
        for (i, (w, root)) in weight.iter().zip(roots).enumerate() {
            let term = g - below * u / root * means[i];
            sum += (i + 1) as f32 * (below / root) * (w * term);
            below *= u;
        }
        *dx = sum / m;
    }
}
