//! Cross-entropy on the CPU, row by row in f32.

use rayon::prelude::*;

use super::{CrossEntropy, class};
use crate::{
    Result,
    cpu::CpuIo,
    ops::elementwise::{math, vectorised},
};

/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;

/// The loss, its gradient or both; `false` where the memory is not f32 and dense.
pub(super) fn run(op: &CrossEntropy, io: &mut CpuIo<'_>) -> Result<bool, String> {
    let shape = io.inputs[0].layout.shape();
    let (rows, classes) = (shape[0], shape[1].max(1));
    let (Some(x), Some(target)) = (io.inputs[0].f32(), io.inputs[1].indices()) else { return Ok(false) };
    let smoothing = op.smoothing as f32;
    let (high, low) = op.levels(classes);
    let scale = match io.inputs.get(2).map(|g| g.f32()) {
        Some(Some([g])) => g / rows as f32,
        Some(_) => return Ok(false),
        None => 0.0,
    };
    let loss = |b: usize, x: &[f32]| -> Result<f32, String> {
        let target = class(target[b], b, classes)?;
        Ok(vectorised(|| row_loss(x, target, smoothing)))
    };
    let slope = |b: usize, x: &[f32], out: &mut [f32]| -> Result<(), String> {
        let target = class(target[b], b, classes)?;
        vectorised(|| row_slope(x, target, [high as f32, low as f32, scale], out));
        Ok(())
    };
    if op.gives.gradient() {
        let Some(out) = io.outputs.last_mut().and_then(|o| o.f32()) else { return Ok(false) };
        let serial = x.len() < PARALLEL;
        let row = |(b, (out, x)): (usize, (&mut [f32], &[f32]))| slope(b, x, out);
        if serial {
            out.chunks_exact_mut(classes).zip(x.chunks_exact(classes)).enumerate().try_for_each(row)?;
        } else {
            out.par_chunks_exact_mut(classes)
                .zip(x.par_chunks_exact(classes))
                .enumerate()
                .try_for_each(row)?;
        }
    }
    if op.gives.loss() {
        // The losses are added in the order of the rows, whoever computed them.
        let losses: Vec<f32> = if x.len() < PARALLEL {
            x.chunks_exact(classes).enumerate().map(|(b, x)| loss(b, x)).collect::<Result<_, _>>()?
        } else {
            x.par_chunks_exact(classes).enumerate().map(|(b, x)| loss(b, x)).collect::<Result<_, _>>()?
        };
        let total: f64 = losses.iter().map(|&loss| f64::from(loss)).sum();
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        out[0] = (total / rows as f64) as f32;
    }
    Ok(true)
}

#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    x.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m || v.is_nan() { v } else { m })
}

#[inline(always)]
fn row_loss(x: &[f32], target: usize, smoothing: f32) -> f32 {
    let max = largest(x);
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

/// (softmax(x) − q) scale, q the `high` level at the target and the `low` one elsewhere.
#[inline(always)]
fn row_slope(x: &[f32], target: usize, [high, low, scale]: [f32; 3], out: &mut [f32]) {
    let max = largest(x);
    out.iter_mut().zip(x).for_each(|(out, &v)| *out = math::exp(v - max));
    let mut lanes = [0.0f32; 8];
    for chunk in out.chunks(8) {
        lanes.iter_mut().zip(chunk).for_each(|(l, &v)| *l += v);
    }
    let sum: f32 = lanes.iter().sum();
    let chosen = (out[target] / sum - high) * scale;
    out.iter_mut().for_each(|out| *out = (*out / sum - low) * scale);
    out[target] = chosen;
}
