//! The gradients to coefficients of a layer of few outputs: each cell has sums of its own, and neighbouring cells', which
//! name the same functions, are added at the end.

use pulp::{Simd, WithSimd};

use super::column;
use crate::ops::kan::{
    coefficients::Task as Block,
    given::Inputs,
    local::{CHUNK, Chunk, Local},
    op::SplineSum,
};

/// The most terms of a function that there are kernels for.
const TERMS: usize = 4;
/// The most cells, so that their sums stay in the first cache.
const CELLS: usize = 64;
/// Sums that follow one another in time go to different copies: the processor would wait for one to be stored before it
/// loads it again.
const COPIES: usize = 4;
/// Chunks that are added up before they join the others: two stages keep rounding small.
const CHUNKS: usize = 16;
/// Sums that go on at once for the base's weights.
const LANES: usize = 16;

/// Whether there are kernels for the splines of a sum.
pub(super) fn takes(op: &SplineSum) -> bool {
    (1..=TERMS).contains(&op.terms()) && op.basis.grid() <= CELLS
}

/// A block of inputs, as it is for wider layers.
pub(in crate::ops::kan) struct Task<'a>(pub Block<'a>);

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // Sums [terms, outputs] of a point: a vector lies along the outputs, or along the terms where there is one.
        match (self.0.sizes.outputs, self.0.op.terms()) {
            (1, _) => self.run::<1, TERMS>(),
            (..=4, 4) => self.run::<4, 4>(),
            (..=4, _) => self.run::<4, TERMS>(),
            (_, 4) => self.run::<8, 4>(),
            _ => self.run::<8, TERMS>(),
        }
    }
}

/// The sums of one cell: [terms, outputs], both padded.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Cell<const WIDE: usize, const DEEP: usize>([[f32; WIDE]; DEEP]);

/// Cotangents of a chunk of rows, padded.
type Cotangents<const WIDE: usize> = [[f32; WIDE]; CHUNK];

impl Task<'_> {
    #[inline(always)]
    fn run<const WIDE: usize, const DEEP: usize>(self) {
        let Block { op, x, g, scale, knots, sizes: s, first, dc, dw } = self.0;
        dc.fill(0.0);
        dw.fill(0.0);
        let mut padded: Vec<Cotangents<WIDE>> = vec![[[0.0; WIDE]; CHUNK]; s.rows.div_ceil(CHUNK)];
        for (from, to) in g.chunks_exact(s.outputs).zip(padded.as_flattened_mut()) {
            from.iter().zip(to).for_each(|(from, to)| *to = *from);
        }
        let terms = op.terms();
        let none = Cell([[0.0; WIDE]; DEEP]);
        let mut local = Local::new(op, knots, CHUNK);
        let (mut column_x, mut column_u) = (Chunk::of(0.0), Chunk::of(1.0));
        let mut sums = vec![none; COPIES * op.basis.grid()];
        for (i, dc) in dc.chunks_exact_mut(s.bases * s.outputs).enumerate() {
            let mut nan = false;
            for (part, chunks) in padded.chunks(CHUNKS).enumerate() {
                sums.fill(none);
                let mut base = [[0.0; WIDE]; LANES];
                for (n, g) in chunks.iter().enumerate() {
                    let from = (part * CHUNKS + n) * CHUNK;
                    let here = CHUNK.min(s.rows - from);
                    let rows = from * s.inputs..(from + here) * s.inputs;
                    column(&x[rows.clone()], s.inputs, first + i, &mut column_x);
                    if let Some(u) = scale {
                        column(&u[rows], s.inputs, first + i, &mut column_u);
                    }
                    // Beyond the last row a point may be what an earlier chunk left there: its cotangents are 0.
                    column_x[here..].fill(0.0);
                    column_u[here..].fill(1.0);
                    local.fill(op, Inputs::one(first + i), &*column_x, scale.map(|_| &column_u[..]));
                    nan |= column_x.iter().fold(false, |nan, x| nan | x.is_nan());
                    let (weights, _) = local.weights.as_chunks();
                    spread(&local.start, &weights[..terms], g, &mut sums);
                    if op.base {
                        dot(&weights[terms], g, &mut base);
                    }
                }
                join(&sums, terms, s.outputs, dc);
                if let Some(dw) = dw.get_mut(i * s.outputs..(i + 1) * s.outputs) {
                    for base in &base {
                        dw.iter_mut().zip(base).for_each(|(w, b)| *w += b);
                    }
                }
            }
            // A NaN belongs to every function of its input, not only to those that a cell names.
            if nan {
                dc.fill(f32::NAN);
            }
        }
    }
}

/// Adds w_r g_o of each point to the sums of its cell.
#[inline(always)]
fn spread<const WIDE: usize, const DEEP: usize>(
    start: &[u32],
    weights: &[[f32; CHUNK]],
    g: &Cotangents<WIDE>,
    sums: &mut [Cell<WIDE, DEEP>],
) {
    let cells = sums.len() / COPIES;
    let none = [0.0; CHUNK];
    let rows: [&[f32; CHUNK]; DEEP] = std::array::from_fn(|r| weights.get(r).unwrap_or(&none));
    let mut by_point = [[0.0; DEEP]; CHUNK];
    for l in 0..CHUNK {
        for r in 0..DEEP {
            by_point[l][r] = rows[r][l];
        }
    }
    for (l, (g, &q)) in g.iter().zip(start).enumerate() {
        let at = q as usize + l % COPIES * cells;
        debug_assert!((q as usize) < cells);
        // SAFETY: `Local` starts below the number of cells, and each copy has all of them.
        let cell = unsafe { &mut sums.get_unchecked_mut(at).0 };
        let mut sum = *cell;
        for r in 0..DEEP {
            for o in 0..WIDE {
                sum[r][o] += by_point[l][r] * g[o];
            }
        }
        *cell = sum;
    }
}

/// Adds w g_o of each point to sums of as many points as a vector has lanes.
#[inline(always)]
fn dot<const WIDE: usize>(weights: &[f32; CHUNK], g: &Cotangents<WIDE>, sums: &mut [[f32; WIDE]; LANES]) {
    for from in (0..CHUNK).step_by(LANES) {
        for l in 0..LANES {
            for o in 0..WIDE {
                sums[l][o] += weights[from + l] * g[from + l][o];
            }
        }
    }
}

/// Adds the sums of all cells to the functions that they name.
#[inline(always)]
fn join<const WIDE: usize, const DEEP: usize>(
    sums: &[Cell<WIDE, DEEP>],
    terms: usize,
    outputs: usize,
    dc: &mut [f32],
) {
    let cells = sums.len() / COPIES;
    for q in 0..cells {
        for r in 0..terms {
            let to = &mut dc[(q + r) * outputs..][..outputs];
            for (o, to) in to.iter_mut().enumerate() {
                *to += (0..COPIES).map(|copy| sums[copy * cells + q].0[r][o]).sum::<f32>();
            }
        }
    }
}
