//! The basis where it is not 0: for many points at once, the first of the k + 1 functions and their weights in f32.
//!
//! Cell q = ⌊(x − lo) / h⌋ and u = (x − t_q) / h in [0, 1) are found in f64, with the knots of the definition, so that a
//! point falls on the same side of a knot as there. Then w₀ = 1 and
//! w_r ← ((u + j − r) w_{r−1} + (1 − u + r) w_r) / j for j = 1 … k − d: sums of non-negative terms, nothing cancels.
//! The last d steps are w_r ← (w_{r−1} − w_r) / h.

use super::{BSpline, op::SplineSum, silu::silu_f32};

/// Points that are taken together.
const CHUNK: usize = 64;

/// The weights of many points: row r of `weights` holds the weight of function `start + r` at each point; the last
/// row, where there is a base, silu⁽ᵈ⁾.
#[derive(Debug)]
pub(super) struct Local {
    /// The first function of each point: from 0 to n − k − 1, so that `start + r` always exists.
    pub start: Vec<u32>,
    /// [terms + base, points].
    pub weights: Vec<f32>,
    /// The number of points.
    pub points: usize,
}

impl Local {
    /// Room for so many points.
    pub fn new(op: &SplineSum, points: usize) -> Self {
        Self {
            start: vec![0; points],
            weights: vec![0.0; points * (op.terms() + usize::from(op.base))],
            points: 0,
        }
    }

    /// Evaluates the points, each multiplied by its scale.
    #[inline(always)]
    pub fn fill(&mut self, op: &SplineSum, x: &[f32], scale: Option<&[f32]>) {
        let (len, terms) = (x.len(), op.terms());
        self.points = len;
        let mut at = 0;
        while at < len {
            let here = CHUNK.min(len - at);
            let x = &x[at..at + here];
            let scale = scale.map(|u| &u[at..at + here]);
            if terms > 0 {
                let rows = &mut self.weights[..terms * len];
                spline(&op.basis, op.derivative, x, scale, &mut self.start[at..at + here], rows, len, at);
            }
            if op.base {
                let w = &mut self.weights[terms * len + at..][..here];
                silu_f32(x, op.derivative, w);
                if let Some(u) = scale {
                    w.iter_mut().zip(u).for_each(|(w, u)| *w *= u);
                }
            }
            at += here;
        }
    }
}

/// The spline part of up to [`CHUNK`] points: row r of `rows` at `r * len + at`.
#[inline(always)]
fn spline(
    basis: &BSpline,
    d: usize,
    x: &[f32],
    scale: Option<&[f32]>,
    start: &mut [u32],
    rows: &mut [f32],
    len: usize,
    at: usize,
) {
    // 1.5 · 2⁵² leaves a whole number in the low bits of the sum.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    let (k, grid, here) = (basis.order(), basis.grid(), x.len());
    let (lo, step) = (basis.ends().0, basis.step());
    let inverse = step.recip();
    let (below, above) = (-(k as f64), (grid + k) as f64);
    let unit = inverse.powi(d as i32) as f32;
    let last = grid as i32 - 1;
    let mut u = [0.0f32; CHUNK];
    let mut cell = [0i32; CHUNK];
    let (u, cell) = (&mut u[..here], &mut cell[..here]);
    let first = &mut rows[at..at + here];
    let mut strays = 0;
    for l in 0..here {
        let x = f64::from(x[l]);
        let q = ((x - lo) * inverse).floor();
        let q = if q < below - 1.0 { below - 1.0 } else { q };
        let q = if q > above { above } else { q };
        let q = if x.is_nan() { 0.0 } else { q };
        // Rounding may have put the point one cell off.
        let knot = lo + q * step;
        let next = lo + (q + 1.0) * step;
        let q = if x < knot { q - 1.0 } else { q };
        let q = if x >= next { q + 1.0 } else { q };
        let outside = (q < below) | (q >= above);
        let v = (x - (lo + q * step)) * inverse;
        u[l] = if outside { 0.0 } else { v as f32 };
        let q = (q + MAGIC).to_bits() as i32;
        let inside = if q < 0 { 0 } else { q };
        let inside = if inside > last { last } else { inside };
        strays |= q - inside;
        cell[l] = q;
        start[l] = inside as u32;
        // NaN stays NaN through the second factor.
        first[l] = if outside { 0.0 } else { unit * (1.0 + 0.0 * u[l]) };
    }
    if let Some(scale) = scale {
        first.iter_mut().zip(scale).for_each(|(w, s)| *w *= s);
    }
    for j in 1..=k - d {
        let by = 1.0 / j as f32;
        for r in (1..=j).rev() {
            let (a, b) = ((j - r) as f32, (1 + r) as f32);
            let (left, row) = neighbours(rows, len, at, here, r);
            if r == j {
                for l in 0..here {
                    row[l] = u[l] * left[l] * by;
                }
            } else {
                for l in 0..here {
                    row[l] = ((u[l] + a) * left[l] + (b - u[l]) * row[l]) * by;
                }
            }
        }
        let row = &mut rows[at..at + here];
        for l in 0..here {
            row[l] *= (1.0 - u[l]) * by;
        }
    }
    for j in k - d + 1..=k {
        for r in (1..=j).rev() {
            let (left, row) = neighbours(rows, len, at, here, r);
            for l in 0..here {
                row[l] = left[l] - if r < j { row[l] } else { 0.0 };
            }
        }
        rows[at..at + here].iter_mut().for_each(|w| *w = -*w);
    }
    if strays != 0 {
        shift(rows, len, at, cell, k, last);
    }
}

/// Rows r − 1 and r of the points from `at` on.
#[inline(always)]
fn neighbours(rows: &mut [f32], len: usize, at: usize, here: usize, r: usize) -> (&[f32], &mut [f32]) {
    let (left, right) = rows.split_at_mut(r * len);
    (&left[(r - 1) * len + at..][..here], &mut right[at..at + here])
}

/// Where a point lies beyond the grid, some of its functions do not exist: the others move to the rows that name them.
fn shift(rows: &mut [f32], len: usize, at: usize, cell: &[i32], k: usize, last: i32) {
    for (l, &q) in cell.iter().enumerate() {
        let by = q - q.clamp(0, last);
        if by == 0 {
            continue;
        }
        // Row r takes row r − by; in the order in which no row is read after it was written.
        let distance = by.unsigned_abs() as usize;
        let place = |r: usize| r * len + at + l;
        if by > 0 {
            for r in (0..=k).rev() {
                rows[place(r)] = if r >= distance { rows[place(r - distance)] } else { 0.0 };
            }
        } else {
            for r in 0..=k {
                rows[place(r)] = if r + distance <= k { rows[place(r + distance)] } else { 0.0 };
            }
        }
    }
}
