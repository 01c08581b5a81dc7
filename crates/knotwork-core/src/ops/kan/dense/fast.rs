//! The CPU path: the functions of a block of inputs at a block of rows, then one small product of matrices.
//!
//! Rows are split over threads for the forward sum and the gradient to x, inputs for the gradients to coefficients, so
//! no two threads write one element, and the order of every sum depends on shapes only.

use rayon::prelude::*;

use super::{
    super::{
        op::{KanSum, Kind},
        silu::silu_f32,
    },
    fill::fill_lanes,
    real::{LANES, Lanes},
};
use crate::{
    cpu::{CpuInput, CpuIo},
    ops::elementwise::vectorised,
};

/// Rows of a block: a multiple of the lanes.
const ROWS: usize = 64;
/// Functions of a block of inputs, about.
const FEATURES: usize = 256;
/// Multiply-adds below which threads cost more than they bring.
const PARALLEL: usize = 1_000_000;

/// One call.
#[derive(Clone, Copy)]
struct Call<'a> {
    op: &'a KanSum,
    x: &'a [f32],
    g: &'a [f32],
    coef: &'a [f32],
    base: Option<&'a [f32]>,
    scale: Option<&'a [f32]>,
    rows: usize,
    inputs: usize,
    outputs: usize,
    bases: usize,
}

/// The functions of a block: [inputs, functions, ROWS], and silu [inputs, ROWS].
struct Block {
    phi: Vec<f32>,
    silu: Vec<f32>,
}

/// Runs the sum where all is f32 and contiguous.
pub(crate) fn run(op: &KanSum, io: &mut CpuIo<'_>) -> Option<()> {
    let all: Vec<&[f32]> = io.inputs.iter().map(CpuInput::f32).collect::<Option<_>>()?;
    let shape = |i: usize| io.inputs[i].layout.shape();
    let (rows, inputs) = (shape(0)[0], shape(0)[1]);
    let outputs = if op.kind == Kind::Forward { shape(1)[2] } else { shape(1)[1] };
    let input = |i: Option<usize>| i.map(|i| all[i]);
    let call = Call {
        op,
        x: all[0],
        g: if op.kind == Kind::Forward { &[] } else { all[1] },
        coef: input(op.coef_input()).unwrap_or(&[]),
        base: input(op.base_input()),
        scale: input(op.scale_input()),
        rows,
        inputs,
        outputs,
        bases: op.basis.count(),
    };
    let parallel = rows * inputs * (outputs + 8) * (call.bases + 1) > PARALLEL;
    match op.kind {
        Kind::Forward => {
            let y = io.outputs[0].f32()?;
            let task = |(n, y): (usize, &mut [f32])| call.forward(n * ROWS, y);
            each(y, ROWS * outputs, parallel, task);
        }
        Kind::Input => {
            let y = io.outputs[0].f32()?;
            let task = |(n, y): (usize, &mut [f32])| call.input(n * ROWS, y);
            each(y, ROWS * inputs, parallel, task);
        }
        Kind::Coefficients => {
            let (first, second) = io.outputs.split_at_mut(1);
            let (mut dc, mut dw) = (
                first[0].f32()?,
                match second.first_mut() {
                    Some(w) => w.f32()?,
                    None => &mut [],
                },
            );
            // Smaller blocks than one thread would take, so that there are enough for all.
            let block = if parallel { call.block().min(inputs.div_ceil(8)).max(1) } else { call.block() };
            let mut parts: Vec<(usize, &mut [f32], &mut [f32])> = Vec::new();
            for first in (0..inputs).step_by(block) {
                let here = block.min(inputs - first);
                let (c, rest_c) = std::mem::take(&mut dc).split_at_mut(here * call.bases * outputs);
                let base = if op.base { here * outputs } else { 0 };
                let (w, rest_w) = std::mem::take(&mut dw).split_at_mut(base);
                (dc, dw) = (rest_c, rest_w);
                parts.push((first, c, w));
            }
            let task = |(first, dc, dw): (usize, &mut [f32], &mut [f32])| call.coefficients(first, dc, dw);
            if parallel { parts.into_par_iter().for_each(task) } else { parts.into_iter().for_each(task) }
        }
    }
    Some(())
}

/// Runs a task on each block of a slice.
fn each(y: &mut [f32], block: usize, parallel: bool, task: impl Fn((usize, &mut [f32])) + Send + Sync) {
    let block = block.max(1);
    if parallel {
        y.par_chunks_mut(block).enumerate().for_each(task);
    } else {
        y.chunks_mut(block).enumerate().for_each(task);
    }
}

impl Call<'_> {
    /// Inputs of a block.
    fn block(&self) -> usize {
        (FEATURES / self.bases).clamp(1, self.inputs.max(1))
    }

    fn room(&self, inputs: usize) -> Block {
        let silu = if self.op.base { inputs * ROWS } else { 0 };
        Block { phi: vec![0.0; inputs * self.bases * ROWS], silu: vec![0.0; silu] }
    }

    /// Evaluates `inputs` inputs from `first` on at `rows` rows from `row` on. Elements beyond the rows are not read.
    fn fill(&self, block: &mut Block, (row, rows): (usize, usize), (first, inputs): (usize, usize)) {
        let n = self.bases;
        vectorised(
            #[inline(always)]
            || {
                for i in 0..inputs {
                    for r in (0..rows).step_by(LANES) {
                        let (mut x, mut u) = ([0.0; LANES], [1.0; LANES]);
                        for l in 0..LANES.min(rows - r) {
                            let at = (row + r + l) * self.inputs + first + i;
                            x[l] = self.x[at];
                            if let Some(scale) = self.scale {
                                u[l] = scale[at];
                            }
                        }
                        let (x, u) = (Lanes(x), Lanes(u));
                        let phi = &mut block.phi[i * n * ROWS..][..n * ROWS];
                        fill_lanes(
                            &self.op.basis,
                            self.op.derivative,
                            x,
                            #[inline(always)]
                            |m, value| phi[m * ROWS + r..][..LANES].copy_from_slice(&(value * u).0),
                        );
                        if self.op.base {
                            let mut silu = [0.0; LANES];
                            silu_f32(&x.0, self.op.derivative, &mut silu);
                            block.silu[i * ROWS + r..][..LANES].copy_from_slice(&(Lanes(silu) * u).0);
                        }
                    }
                }
            },
        );
    }

    fn forward(&self, row: usize, y: &mut [f32]) {
        let rows = y.len() / self.outputs.max(1);
        let (n, out, step) = (self.bases, self.outputs, self.block());
        let mut block = self.room(step);
        y.fill(0.0);
        for first in (0..self.inputs).step_by(step) {
            let here = step.min(self.inputs - first);
            self.fill(&mut block, (row, rows), (first, here));
            let coef = &self.coef[first * n * out..][..here * n * out];
            product(y, (rows, here * n, out), (&block.phi, 1, ROWS), (coef, out, 1), true);
            if let Some(base) = self.base {
                let base = &base[first * out..][..here * out];
                product(y, (rows, here, out), (&block.silu, 1, ROWS), (base, out, 1), true);
            }
        }
    }

    fn input(&self, row: usize, y: &mut [f32]) {
        let rows = y.len() / self.inputs.max(1);
        let (n, out, step) = (self.bases, self.outputs, self.block());
        let mut block = self.room(step);
        let mut inner = vec![0.0; step * n * ROWS];
        let g = &self.g[row * out..][..rows * out];
        for first in (0..self.inputs).step_by(step) {
            let here = step.min(self.inputs - first);
            self.fill(&mut block, (row, rows), (first, here));
            // Σ_o C g for every function of the block at every row, rows innermost.
            let coef = &self.coef[first * n * out..][..here * n * out];
            let mut add = |coef: &[f32], phi: &[f32], n: usize, new: bool| {
                let inner = &mut inner[..here * n * ROWS];
                transposed(inner, (here * n, out, rows), (coef, out, 1), (g, 1, out));
                for i in 0..here {
                    for m in 0..n {
                        let at = (i * n + m) * ROWS;
                        let (inner, phi) = (&inner[at..at + rows], &phi[at..at + rows]);
                        for (r, (a, b)) in inner.iter().zip(phi).enumerate() {
                            let to = &mut y[r * self.inputs + first + i];
                            *to = if new && m == 0 { a * b } else { *to + a * b };
                        }
                    }
                }
            };
            add(coef, &block.phi, n, true);
            if let Some(base) = self.base {
                add(&base[first * out..][..here * out], &block.silu, 1, false);
            }
        }
    }

    fn coefficients(&self, first: usize, dc: &mut [f32], dw: &mut [f32]) {
        let (n, out) = (self.bases, self.outputs);
        let inputs = dc.len() / (n * out).max(1);
        let mut block = self.room(inputs);
        dc.fill(0.0);
        dw.fill(0.0);
        for row in (0..self.rows).step_by(ROWS) {
            let rows = ROWS.min(self.rows - row);
            self.fill(&mut block, (row, rows), (first, inputs));
            let g = &self.g[row * out..][..rows * out];
            product(dc, (inputs * n, rows, out), (&block.phi, ROWS, 1), (g, out, 1), true);
            if self.op.base {
                product(dw, (inputs, rows, out), (&block.silu, ROWS, 1), (g, out, 1), true);
            }
        }
    }
}

/// A matrix: elements, steps from row to row and from column to column.
type Matrix<'a> = (&'a [f32], usize, usize);

/// The last element that a matrix of so many rows and columns reads, plus one.
fn reach((_, row, column): Matrix<'_>, rows: usize, columns: usize) -> usize {
    (rows - 1) * row + (columns - 1) * column + 1
}

/// c [m, n], row-major, plus (or as) a [m, k] times b [k, n].
fn product(c: &mut [f32], (m, k, n): (usize, usize, usize), a: Matrix<'_>, b: Matrix<'_>, add: bool) {
    multiply(c, n, (m, k, n), a, b, add);
}

/// c [m, ROWS], of which n columns are set: a [m, k] times b [k, n].
fn transposed(c: &mut [f32], (m, k, n): (usize, usize, usize), a: Matrix<'_>, b: Matrix<'_>) {
    multiply(c, ROWS, (m, k, n), a, b, false);
}

fn multiply(
    c: &mut [f32],
    stride: usize,
    (m, k, n): (usize, usize, usize),
    a: Matrix<'_>,
    b: Matrix<'_>,
    add: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if !add {
            c.fill(0.0);
        }
        return;
    }
    assert!(c.len() >= reach((&[], stride, 1), m, n));
    assert!(a.0.len() >= reach(a, m, k) && b.0.len() >= reach(b, k, n));
    // SAFETY: all elements that the strides reach are inside the slices (asserted above); c is not shared.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.0.as_ptr(),
            a.2 as isize,
            a.1 as isize,
            b.0.as_ptr(),
            b.2 as isize,
            b.1 as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
