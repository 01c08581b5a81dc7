//! The CPU path: local support, so each point costs k + 1 rows of coefficients whatever the grid.
//!
//! Rows are split over threads for the forward sum and the gradient to x, inputs for the gradients to coefficients, so
//! no two threads write one element, and the order of every sum depends on shapes only.

use rayon::prelude::*;

use super::{
    coefficients,
    forward::{self, Rows},
    input,
    op::{Kind, SplineSum},
};
use crate::cpu::{CpuInput, CpuIo};

/// Sizes of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// B
    pub rows: usize,
    /// I
    pub inputs: usize,
    /// O
    pub outputs: usize,
    /// n
    pub bases: usize,
}

/// Multiply-adds below which threads cost more than they bring.
const PARALLEL: usize = 4_000_000;
/// Bytes of coefficients that stay in the first-level cache while a block of rows passes over them.
const CACHE: usize = 20 << 10;
/// Points whose weights are held at once, about.
const POINTS: usize = 1024;

impl Sizes {
    /// Inputs whose coefficients stay in the cache.
    pub fn input_block(&self) -> usize {
        (CACHE / (4 * (self.bases + 1) * self.outputs).max(1)).clamp(1, self.inputs.max(1))
    }

    /// Rows that share one evaluation of weights.
    fn row_block(&self) -> usize {
        (4 * POINTS / self.inputs.max(1)).clamp(1, 32)
    }
}

/// Runs the sum where all is f32 and contiguous.
pub(super) fn run(op: &SplineSum, io: &mut CpuIo<'_>) -> Option<()> {
    let all: Vec<&[f32]> = io.inputs.iter().map(CpuInput::f32).collect::<Option<_>>()?;
    let shape = |i: usize| io.inputs[i].layout.shape();
    let (rows, inputs) = (shape(0)[0], shape(0)[1]);
    let outputs = match op.kind {
        Kind::Forward => shape(1)[2],
        _ => shape(1)[1],
    };
    let sizes = Sizes { rows, inputs, outputs, bases: op.basis.count() };
    let terms = op.terms() + usize::from(op.base);
    let parallel = rows * inputs * outputs * (terms + 1) > PARALLEL;
    let coef = op.coef_input().map(|i| all[i]);
    let base = op.base_input().map(|i| all[i]);
    let scale = op.scale_input().map(|i| all[i]);
    let x = all[0];
    match op.kind {
        Kind::Forward => {
            let y = io.outputs[0].f32()?;
            let block = sizes.row_block();
            let task = |(index, y): (usize, &mut [f32])| {
                let first = index * block;
                let here = y.len() / outputs.max(1);
                let range = first * inputs..(first + here) * inputs;
                let scale = scale.map(|u| &u[range.clone()]);
                let rows = Rows {
                    x: &x[range],
                    scale,
                    coef: coef.unwrap_or(&[]),
                    base,
                    sizes: Sizes { rows: here, ..sizes },
                };
                crate::cpu::arch().dispatch(forward::Task { op, rows, y });
            };
            each(y, (block * outputs).max(1), parallel, task);
        }
        Kind::Input => {
            let g = all[1];
            let y = io.outputs[0].f32()?;
            let block = sizes.row_block();
            let task = |(index, y): (usize, &mut [f32])| {
                let first = index * block;
                let here = y.len() / inputs.max(1);
                let x = &x[first * inputs..(first + here) * inputs];
                let g = &g[first * outputs..(first + here) * outputs];
                let rows = Rows {
                    x,
                    scale: None,
                    coef: coef.unwrap_or(&[]),
                    base,
                    sizes: Sizes { rows: here, ..sizes },
                };
                crate::cpu::arch().dispatch(input::Task { op, rows, g, y });
            };
            each(y, (block * inputs).max(1), parallel, task);
        }
        Kind::Coefficients => {
            let g = all[1];
            let (first, second) = io.outputs.split_at_mut(1);
            let dc = first[0].f32()?;
            let dw = match second.first_mut() {
                Some(w) => w.f32()?,
                None => &mut [],
            };
            // A cache line of x holds 16 inputs.
            let block =
                if parallel { 16.min(inputs.div_ceil(2 * rayon::current_num_threads())).max(1) } else { 16 };
            let mut parts: Vec<(usize, &mut [f32], &mut [f32])> = Vec::new();
            let (mut dc, mut dw) = (dc, dw);
            for first in (0..inputs).step_by(block) {
                let here = block.min(inputs - first);
                let (c, rest_c) = std::mem::take(&mut dc).split_at_mut(here * sizes.bases * outputs);
                let (w, rest_w) =
                    std::mem::take(&mut dw).split_at_mut(if op.base { here * outputs } else { 0 });
                (dc, dw) = (rest_c, rest_w);
                parts.push((first, c, w));
            }
            let task = |(first, dc, dw): (usize, &mut [f32], &mut [f32])| {
                crate::cpu::arch().dispatch(coefficients::Task { op, x, g, scale, sizes, first, dc, dw });
            };
            if parallel { parts.into_par_iter().for_each(task) } else { parts.into_iter().for_each(task) }
        }
    }
    Some(())
}

/// Runs a task on each block of a slice.
fn each(y: &mut [f32], block: usize, parallel: bool, task: impl Fn((usize, &mut [f32])) + Send + Sync) {
    if parallel {
        y.par_chunks_mut(block).enumerate().for_each(task);
    } else {
        y.chunks_mut(block).enumerate().for_each(task);
    }
}
