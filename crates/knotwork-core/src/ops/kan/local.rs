//! The basis where it is not 0: for many points at once, the first of the k + 1 functions and their weights in f32.
//!
//! With u where the point lies within its cell, w₀ = 1 and
//! w_r ← ((u + j − r) w_{r−1} + (1 − u + r) w_r) / j for j = 1 … k − d: sums of non-negative terms, nothing cancels.
//! The last d steps are w_r ← (w_{r−1} − w_r) / h. Cubic splines have their polynomials written out.

use std::ops::{Deref, DerefMut};

use super::{
    MAX_ORDER,
    cells::Cells,
    cubic,
    given::{Given, Inputs},
    long::Long,
    op::{Spacing, SplineSum},
    silu::silu_f32,
};

/// Points that are taken together: a constant, so that every loop over them is whole vectors.
pub(super) const CHUNK: usize = 64;

/// A number for each point of a chunk, in whole cache lines: a vector across two of them costs two loads.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Chunk(pub [f32; CHUNK]);

impl Chunk {
    /// The same number for each point.
    pub const fn of(value: f32) -> Self {
        Self([value; CHUNK])
    }
}

impl Deref for Chunk {
    type Target = [f32; CHUNK];

    #[inline(always)]
    fn deref(&self) -> &[f32; CHUNK] {
        &self.0
    }
}

impl DerefMut for Chunk {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f32; CHUNK] {
        &mut self.0
    }
}

/// The weights of many points: row r of `weights` holds the weight of function `start + r` at each point; the last
/// row, where there is a base, silu⁽ᵈ⁾.
#[derive(Debug)]
pub(super) struct Local<'a> {
    /// The first function of each point: from 0 to n − k − 1, so that `start + r` always exists.
    pub start: Vec<u32>,
    /// [terms + base, stride], or more.
    pub weights: Long,
    /// Elements of a row: the points, and some to fill the last chunk.
    pub stride: usize,
    cells: Cells,
    /// Where knots are data.
    given: Option<Given<'a>>,
    rows: Box<[Chunk; MAX_ORDER + 1]>,
}

impl<'a> Local<'a> {
    /// Room for so many points; `knots` where they are given.
    pub fn new(op: &SplineSum, knots: Option<&'a [f32]>, points: usize) -> Self {
        let given = match (op.spacing, knots) {
            (Spacing::Given { closed }, Some(knots)) => {
                Some(Given::new(knots, &op.basis, op.derivative, closed))
            }
            _ => None,
        };
        let room = points.next_multiple_of(CHUNK);
        Self {
            start: vec![0; room],
            weights: Long::zeros(op.terms() + usize::from(op.base), room),
            stride: 0,
            cells: Cells::new(&op.basis, op.derivative),
            given,
            rows: Box::new([Chunk::of(0.0); MAX_ORDER + 1]),
        }
    }

    /// Evaluates the points, each multiplied by its scale; `inputs` says whose they are.
    #[inline(always)]
    pub fn fill(&mut self, op: &SplineSum, inputs: Inputs, x: &[f32], scale: Option<&[f32]>) {
        let terms = op.terms();
        let stride = x.len().next_multiple_of(CHUNK);
        self.stride = stride;
        let rows = &mut *self.rows;
        let (chunks, last) = x.as_chunks::<CHUNK>();
        for at in (0..stride).step_by(CHUNK) {
            let mut held = [0.0; CHUNK];
            let x = chunks.get(at / CHUNK).unwrap_or_else(|| {
                held[..last.len()].copy_from_slice(last);
                &held
            });
            let mut factor = Chunk::of(1.0);
            if let Some(u) = scale {
                let here = CHUNK.min(u.len() - at);
                factor[..here].copy_from_slice(&u[at..at + here]);
            }
            if let (1.., Some(start)) = (terms, self.start[at..].first_chunk_mut()) {
                if let Some(given) = &self.given {
                    let mut beyond = [0; CHUNK];
                    if given.fill(inputs, at, x, &factor, start, &mut beyond, rows) {
                        shift(rows, &beyond, given.order());
                    }
                } else {
                    spline(&self.cells, x, &factor, start, rows);
                }
                for (row, to) in rows[..terms].iter().zip(self.weights.chunks_exact_mut(stride)) {
                    put(row, &mut to[at..]);
                }
            }
            if op.base {
                let mut base = Chunk::of(0.0);
                silu_f32(x, op.derivative, &mut *base);
                for l in 0..CHUNK {
                    base[l] *= factor[l];
                }
                put(&base, &mut self.weights[terms * stride + at..]);
            }
        }
    }
}

/// Writes a whole chunk: its length is constant, so no call is made.
#[inline(always)]
fn put(chunk: &Chunk, to: &mut [f32]) {
    if let Some(to) = to.first_chunk_mut() {
        *to = chunk.0;
    }
}

/// The spline part of a chunk.
#[inline(always)]
fn spline(
    cells: &Cells,
    x: &[f32; CHUNK],
    scale: &Chunk,
    start: &mut [u32; CHUNK],
    rows: &mut [Chunk; MAX_ORDER + 1],
) {
    let (k, d) = (cells.order, cells.derivative);
    let mut u = Chunk::of(0.0);
    let mut beyond = [0; CHUNK];
    let strays = if k > d {
        cells.find(x, scale, start, &mut u, &mut beyond, &mut rows[0])
    } else {
        cells.find_exactly(x, scale, start, &mut u, &mut beyond, &mut rows[0])
    };
    // Constant numbers of passes for cubic splines, so that they unroll.
    match (k, d) {
        (3, 0) => cubic::values(&u, rows),
        (3, 1) => cubic::slopes(&u, rows),
        (3, 2) => raise(3, 2, &u, rows),
        _ => raise(k, d, &u, rows),
    }
    if strays {
        shift(rows, &beyond, k);
    }
}

/// From order 0, in the first row, to order k with d differences.
#[inline(always)]
fn raise(k: usize, d: usize, u: &Chunk, rows: &mut [Chunk; MAX_ORDER + 1]) {
    for j in 1..=k - d {
        let by = 1.0 / j as f32;
        for r in (1..=j).rev() {
            let (a, b) = ((j - r) as f32, (1 + r) as f32);
            let left = rows[r - 1].0;
            let row = &mut rows[r];
            if r == j {
                for l in 0..CHUNK {
                    row[l] = u[l] * left[l] * by;
                }
            } else {
                for l in 0..CHUNK {
                    row[l] = ((u[l] + a) * left[l] + (b - u[l]) * row[l]) * by;
                }
            }
        }
        for l in 0..CHUNK {
            rows[0][l] *= (1.0 - u[l]) * by;
        }
    }
    for j in k - d + 1..=k {
        for r in (1..=j).rev() {
            let left = rows[r - 1].0;
            let row = &mut rows[r];
            for l in 0..CHUNK {
                row[l] = left[l] - if r < j { row[l] } else { 0.0 };
            }
        }
        for l in 0..CHUNK {
            rows[0][l] = -rows[0][l];
        }
    }
}

/// Where a point lies beyond the grid, some of its functions do not exist: the others move to the rows that name them,
/// by as many rows as the point is cells beyond. All points of the chunk move together, by one bit of that number at a
/// time. Further than k, where all weights are 0, it does not matter by how much.
#[inline(always)]
fn shift(rows: &mut [Chunk; MAX_ORDER + 1], beyond: &[i32; CHUNK], k: usize) {
    let mut away = [0; CHUNK];
    let mut moves = [0u32; CHUNK];
    for sign in [1, -1] {
        let mut any = 0;
        for l in 0..CHUNK {
            away[l] = (sign * beyond[l]).max(0);
            any |= away[l];
        }
        let mut bit = 1;
        while bit <= k {
            if any & bit as i32 != 0 {
                for l in 0..CHUNK {
                    moves[l] = if away[l] & bit as i32 != 0 { u32::MAX } else { 0 };
                }
                // In an order in which each row is read before it is written.
                for n in 0..=k {
                    if sign > 0 {
                        replace(rows, k - n, (k - n).checked_sub(bit), &moves);
                    } else {
                        replace(rows, n, Some(n + bit).filter(|&r| r <= k), &moves);
                    }
                }
            }
            bit *= 2;
        }
    }
}

/// Puts what another row has, or 0, where the mask is set.
#[inline(always)]
fn replace(rows: &mut [Chunk; MAX_ORDER + 1], to: usize, from: Option<usize>, mask: &[u32; CHUNK]) {
    match from.map(|from| rows.get_disjoint_mut([to, from])) {
        Some(Ok([to, from])) => blend(to, from, mask),
        _ => blend(&mut rows[to], &Chunk::of(0.0), mask),
    }
}

/// By bits, which becomes vectors where a condition does not.
#[inline(always)]
fn blend(to: &mut Chunk, from: &Chunk, mask: &[u32; CHUNK]) {
    for l in 0..CHUNK {
        to[l] = f32::from_bits((to[l].to_bits() & !mask[l]) | (from[l].to_bits() & mask[l]));
    }
}
