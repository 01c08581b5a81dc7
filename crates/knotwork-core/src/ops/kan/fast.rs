//! The CPU path: local support, so each point costs k + 1 rows of coefficients whatever the grid.
//!
//! Rows are split over threads for the forward sum and the gradient to x, inputs for the gradients to coefficients, so
//! no two threads write one element, and the order of every sum depends on shapes only.

use std::ops::Range;

use pulp::Arch;
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
/// Points whose weights are held at once, about: they share that cache.
const POINTS: usize = 512;
/// Rows of one task at most: so many use the coefficients that each block of inputs brings from farther away.
const ROWS: usize = 128;

/// Points that are evaluated together.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub rows: Range<usize>,
    pub inputs: Range<usize>,
}

impl Block {
    /// The most points of a block.
    pub const POINTS: usize = POINTS;

    /// Where the input's point of the row lies within the block.
    #[inline(always)]
    pub fn point(&self, row: usize, input: usize) -> usize {
        (row - self.rows.start) * self.inputs.len() + input - self.inputs.start
    }

    /// The number of points.
    pub fn points(&self) -> usize {
        self.rows.len() * self.inputs.len()
    }

    /// The block's part of [rows, inputs].
    #[inline(always)]
    pub fn gather(&self, from: &[f32], inputs: usize, to: &mut [f32]) {
        let wide = self.inputs.len();
        for (b, to) in self.rows.clone().zip(to.chunks_exact_mut(wide)) {
            to.copy_from_slice(&from[b * inputs + self.inputs.start..][..wide]);
        }
    }
}

impl Sizes {
    /// Inputs whose coefficients stay in the cache.
    pub fn input_block(&self) -> usize {
        (CACHE / (4 * (self.bases + 1) * self.outputs).max(1)).clamp(1, self.inputs.max(1))
    }

    /// Blocks of inputs whose coefficients stay in the cache, and for each the blocks of rows whose weights do.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + use<> {
        let Self { rows, inputs, .. } = *self;
        let wide = self.input_block().min(POINTS);
        let high = (POINTS / wide).clamp(1, rows.max(1));
        (0..inputs).step_by(wide).flat_map(move |i| {
            (0..rows)
                .step_by(high)
                .map(move |b| Block { rows: b..(b + high).min(rows), inputs: i..(i + wide).min(inputs) })
        })
    }

    /// Rows of one task: several tasks for each thread.
    fn task_rows(&self, parallel: bool) -> usize {
        let tasks = if parallel { 2 * rayon::current_num_threads() } else { 1 };
        self.rows.div_ceil(tasks).clamp(1, ROWS)
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
            let block = sizes.task_rows(parallel);
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
                arch(outputs).dispatch(forward::Task { op, rows, y });
            };
            each(y, (block * outputs).max(1), parallel, task);
        }
        Kind::Input => {
            let g = all[1];
            let y = io.outputs[0].f32()?;
            let block = sizes.task_rows(parallel);
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
                arch(outputs).dispatch(input::Task { op, rows, g, y });
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
                arch(outputs).dispatch(coefficients::Task { op, x, g, scale, sizes, first, dc, dw });
            };
            if parallel { parts.into_par_iter().for_each(task) } else { parts.into_iter().for_each(task) }
        }
    }
    Some(())
}

/// The widest vectors that tests allow.
#[cfg(test)]
pub(super) static WIDEST: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// The instruction set for rows of so many outputs: vectors that one row cannot fill help nobody.
fn arch(outputs: usize) -> Arch {
    #[cfg(test)]
    match WIDEST.load(std::sync::atomic::Ordering::Relaxed) {
        1 => return Arch::Scalar,
        8 => return crate::cpu::arch(),
        _ => {}
    }
    if outputs < 16 { crate::cpu::arch() } else { crate::cpu::widest_arch() }
}

/// Runs a task on each block of a slice.
fn each(y: &mut [f32], block: usize, parallel: bool, task: impl Fn((usize, &mut [f32])) + Send + Sync) {
    if parallel {
        y.par_chunks_mut(block).enumerate().for_each(task);
    } else {
        y.chunks_mut(block).enumerate().for_each(task);
    }
}
