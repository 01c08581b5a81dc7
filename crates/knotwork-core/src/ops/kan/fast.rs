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
    given::Inputs,
    input,
    long::{self, Long},
    narrow,
    op::{Kind, SplineSum},
};
use crate::cpu::{CpuInput, CpuIo, lanes};

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
/// Bytes that the second-level cache surely holds.
const SECOND: usize = 256 << 10;
/// Inputs of a block where the first level is too small for them: the sum so far of a row is fetched once a block.
const INPUTS: usize = 4;
/// Points whose weights are held at once, about: they share that cache.
const POINTS: usize = 512;
/// Rows of one task at most: so many use the coefficients that each block of inputs brings from farther away.
const ROWS: usize = 128;
/// Points of one task at least: what a task sets up should not count.
const TASK_POINTS: usize = 8192;

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

    /// Whose points are where.
    pub fn order(&self) -> Inputs {
        Inputs { first: self.inputs.start, wide: self.inputs.len(), high: 1 }
    }

    /// The block's part of [rows, inputs].
    #[inline(always)]
    pub fn gather(&self, from: &[f32], inputs: usize, to: &mut [f32]) {
        let wide = self.inputs.len();
        if wide == inputs {
            return to.copy_from_slice(&from[self.rows.start * inputs..self.rows.end * inputs]);
        }
        for (b, to) in self.rows.clone().zip(to.chunks_exact_mut(wide)) {
            to.copy_from_slice(&from[b * inputs + self.inputs.start..][..wide]);
        }
    }
}

impl Sizes {
    /// Inputs whose coefficients stay in the cache.
    pub fn input_block(&self) -> usize {
        let each = (4 * (self.bases + 1) * self.outputs).max(1);
        (CACHE / each).max(INPUTS.min(SECOND / each)).clamp(1, self.inputs.max(1))
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
        self.rows.div_ceil(tasks).clamp(1, ROWS.max(TASK_POINTS / self.inputs.max(1)))
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
    let terms = op.terms() + usize::from(op.base);
    let parallel = rows * inputs * outputs * (terms + 1) > PARALLEL;
    let coef = op.coef_input().map_or(&[][..], |i| all[i]);
    let base = op.base_input().map(|i| all[i]);
    let scale = op.scale_input().map(|i| all[i]);
    let knots = op.knots_input().map(|i| all[i]);
    let g = (op.kind != Kind::Forward).then(|| all[1]);
    let (first, second) = io.outputs.split_at_mut(1);
    let out = first[0].f32()?;
    let weights = match second.first_mut() {
        Some(w) => w.f32()?,
        None => &mut [],
    };
    let bases = op.basis.count();
    let call = Call {
        op,
        sizes: Sizes { rows, inputs, outputs, bases },
        real: outputs,
        x: all[0],
        coef,
        base,
        scale,
        knots,
        g,
        parallel,
    };
    if narrow::takes(op, call.sizes, arch(usize::MAX)) {
        call.narrow(arch(usize::MAX), out, weights);
        return Some(());
    }
    let vector = lanes(arch(usize::MAX));
    if outputs == 0 || outputs >= vector || rows < long::ROWS {
        call.run(out, weights);
        return Some(());
    }
    let long = |rows: &[f32]| Long::of(rows, outputs, vector);
    let (coef, base, g) = (long(coef), base.map(long), g.map(long));
    let sizes = Sizes { outputs: vector, ..call.sizes };
    let call = Call { sizes, coef: &coef, base: base.as_deref(), g: g.as_deref(), ..call };
    let mut long_weights = Long::zeros(weights.len() / outputs, vector);
    if op.kind == Kind::Input {
        call.run(out, &mut []);
    } else {
        let mut long_out = Long::zeros(out.len() / outputs, vector);
        call.run(&mut long_out, &mut long_weights);
        long_out.shorten(out, outputs);
        long_weights.shorten(weights, outputs);
    }
    Some(())
}

/// One sum.
struct Call<'a> {
    op: &'a SplineSum,
    sizes: Sizes,
    /// The outputs that are not there to fill a vector.
    real: usize,
    x: &'a [f32],
    coef: &'a [f32],
    base: Option<&'a [f32]>,
    scale: Option<&'a [f32]>,
    knots: Option<&'a [f32]>,
    /// The cotangent.
    g: Option<&'a [f32]>,
    parallel: bool,
}

impl<'a> Call<'a> {
    /// `weights` are the gradients to the base's weights, where the sum has them.
    fn run(&self, out: &mut [f32], weights: &mut [f32]) {
        let Self { op, sizes, real, x, scale, knots, parallel, .. } = *self;
        let Sizes { inputs, outputs, .. } = sizes;
        let g = self.g.unwrap_or(&[]);
        let arch = arch(outputs);
        let block = sizes.task_rows(parallel);
        match op.kind {
            Kind::Forward => each(out, block, outputs, parallel, |first, here, y| {
                arch.dispatch(forward::Task { op, rows: self.rows(first, here), y });
            }),
            Kind::Input => each(out, block, inputs, parallel, |first, here, y| {
                let g = &g[first * outputs..(first + here) * outputs];
                arch.dispatch(input::Task { op, rows: self.rows(first, here), g, real, y });
            }),
            Kind::Coefficients => self.each_inputs(out, weights, |first, dc, dw| {
                arch.dispatch(coefficients::Task { op, x, g, scale, knots, sizes, first, dc, dw });
            }),
        }
    }

    /// The same where outputs are few.
    fn narrow(&self, arch: Arch, out: &mut [f32], weights: &mut [f32]) {
        let Self { op, sizes, x, scale, knots, parallel, .. } = *self;
        let Sizes { inputs, outputs, .. } = sizes;
        if let (Kind::Coefficients, Some(g)) = (op.kind, self.g) {
            return self.each_inputs(out, weights, |first, dc, dw| {
                let inputs = coefficients::Task { op, x, g, scale, knots, sizes, first, dc, dw };
                arch.dispatch(narrow::ByCell(inputs));
            });
        }
        let tables = &narrow::Tables::new(self.coef, sizes);
        let elements = if self.g.is_some() { inputs } else { outputs };
        each(out, sizes.task_rows(parallel), elements, parallel, |first, here, y| {
            let g = self.g.map(|g| &g[first * outputs..(first + here) * outputs]);
            narrow::Points { op, rows: self.rows(first, here), tables, g, y }.run(arch);
        });
    }

    /// Rows from `first` on.
    fn rows(&self, first: usize, here: usize) -> Rows<'a> {
        let Self { sizes, x, coef, base, scale, knots, .. } = *self;
        let part = first * sizes.inputs..(first + here) * sizes.inputs;
        Rows {
            x: &x[part.clone()],
            scale: scale.map(|u| &u[part]),
            coef,
            base,
            knots,
            sizes: Sizes { rows: here, ..sizes },
        }
    }

    /// Runs a task on each block of inputs: it gets the first and its parts of the gradients.
    fn each_inputs(
        &self,
        mut dc: &mut [f32],
        mut dw: &mut [f32],
        task: impl Fn(usize, &mut [f32], &mut [f32]) + Send + Sync,
    ) {
        let Sizes { inputs, outputs, bases, .. } = self.sizes;
        // A cache line of x holds 16 inputs.
        let tasks = if self.parallel { 2 * rayon::current_num_threads() } else { 1 };
        let block = inputs.div_ceil(tasks).clamp(1, 16);
        let mut parts: Vec<(usize, &mut [f32], &mut [f32])> = Vec::new();
        for first in (0..inputs).step_by(block) {
            let here = block.min(inputs - first);
            let (c, rest_c) = dc.split_at_mut(here * bases * outputs);
            let (w, rest_w) = dw.split_at_mut(if self.op.base { here * outputs } else { 0 });
            (dc, dw) = (rest_c, rest_w);
            parts.push((first, c, w));
        }
        let task = |(first, dc, dw)| task(first, dc, dw);
        if self.parallel { parts.into_par_iter().for_each(task) } else { parts.into_iter().for_each(task) }
    }
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

/// Runs a task on each block of rows of so many elements: it gets the first row, their number, and their elements.
fn each(
    y: &mut [f32],
    block: usize,
    elements: usize,
    parallel: bool,
    task: impl Fn(usize, usize, &mut [f32]) + Send + Sync,
) {
    let size = (block * elements).max(1);
    let run = |(index, y): (usize, &mut [f32])| task(index * block, y.len() / elements.max(1), y);
    if parallel {
        y.par_chunks_mut(size).enumerate().for_each(run);
    } else {
        y.chunks_mut(size).enumerate().for_each(run);
    }
}
