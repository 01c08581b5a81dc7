//! Splines on given knots where they are not 0: a chunk of points at a time, each on the row of its input.
//!
//! Per point a search for its cell, and the 2k knots around that; then for the whole chunk, with r and l the distances to the
//! right and left of x, the triangle v_r = w_r / (t_{q+r+1} − t_{q−j+r+1}), w_r ← l v_{r−1} + r v_r: sums of non-negative
//! terms, and no distance is 0 because the cell is not empty. The last d steps are w_r ← j (v_{r−1} − v_r).

use super::{
    BSpline, MAX_ORDER,
    local::{CHUNK, Chunk},
};

/// Which input each of a run of points belongs to: `high` points of one after another, `wide` inputs from `first` on, and
/// again from `first`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs {
    pub first: usize,
    pub wide: usize,
    pub high: usize,
}

impl Inputs {
    /// All points are of one.
    pub const fn one(input: usize) -> Self {
        Self { first: input, wide: 1, high: 1 }
    }

    #[inline(always)]
    fn of(self, point: usize) -> usize {
        self.first + point / self.high % self.wide
    }
}

/// Knots [inputs, grid + 2 order + 1].
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    knots: &'a [f32],
    grid: usize,
    order: usize,
    derivative: usize,
    /// Whether t_G belongs to the last cell before it that is not empty.
    closed: bool,
}

/// Knots around each point of a chunk: row m is that of t_{q−k+1+m}.
type Around = [Chunk; 2 * MAX_ORDER];

impl<'a> Given<'a> {
    pub fn new(knots: &'a [f32], basis: &BSpline, derivative: usize, closed: bool) -> Self {
        Self { knots, grid: basis.grid(), order: basis.order(), derivative, closed }
    }

    /// k
    pub fn order(&self) -> usize {
        self.order
    }

    /// The row number q + k of the cell [t_q, t_{q+1}) that holds x; none beyond all knots; NaN's where there is none though x
    /// is between the outermost knots.
    #[inline(always)]
    fn cell(&self, row: &[f32], x: f32) -> Result<Option<usize>, f32> {
        let end = row[self.order + self.grid];
        let at = if self.closed && x >= end {
            row.partition_point(|&t| t < end)
        } else {
            row.partition_point(|&t| t <= x)
        };
        if x < row[0] || (x >= row[row.len() - 1] && !self.closed) {
            return Ok(None);
        }
        match at.checked_sub(1) {
            Some(q) if q + 1 < row.len() && row[q] <= x && (x < row[q + 1] || (self.closed && x >= end)) => {
                Ok(Some(q))
            }
            _ => Err(f32::NAN),
        }
    }

    /// The weights of k + 1 functions of each point of a chunk, times its scale, in `rows`; the first of those that exist in
    /// `start`; and how many cells a point lies beyond those of the grid. Says whether any does.
    #[inline(always)]
    pub fn fill(
        &self,
        inputs: Inputs,
        from: usize,
        x: &[f32; CHUNK],
        scale: &Chunk,
        start: &mut [u32; CHUNK],
        beyond: &mut [i32; CHUNK],
        rows: &mut [Chunk; MAX_ORDER + 1],
    ) -> bool {
        let (k, d) = (self.order, self.derivative);
        let wide = self.grid + 2 * k + 1;
        let mut at = *scale;
        let mut points = Chunk(*x);
        let mut around: Around = [Chunk::of(0.0); 2 * MAX_ORDER];
        let mut strays = 0;
        for l in 0..CHUNK {
            let row = inputs.of(from + l) * wide;
            // Points that fill the last chunk may be of no input.
            let row = self.knots.get(row..row + wide).unwrap_or(&[]);
            let found = if row.is_empty() { Ok(None) } else { self.cell(row, x[l]) };
            if let Ok(Some(cell)) = found {
                let q = cell as i32 - k as i32;
                let inside = q.clamp(0, self.grid as i32 - 1);
                beyond[l] = q - inside;
                strays |= q - inside;
                start[l] = inside as u32;
                // Knots beyond the row belong to functions that do not exist.
                for m in 0..2 * k {
                    around[m][l] = row[(cell + 1 + m).saturating_sub(k).min(wide - 1)];
                }
            } else {
                (start[l], beyond[l]) = (0, 0);
                // A scale that is no number makes the 0 one that is none.
                at[l] *= if found.is_ok() { 0.0 } else { f32::NAN };
                // Any cell will do.
                points[l] = 0.5;
                for m in 0..2 * k {
                    around[m][l] = (m + 1) as f32 - k as f32;
                }
            }
        }
        rows[0] = at;
        for j in 1..=k - d {
            let mut saved = Chunk::of(0.0);
            for r in 0..j {
                let (low, high) = (&around[k - j + r], &around[k + r]);
                let row = &mut rows[r];
                for l in 0..CHUNK {
                    let part = row[l] / (high[l] - low[l]);
                    row[l] = saved[l] + (high[l] - points[l]) * part;
                    saved[l] = (points[l] - low[l]) * part;
                }
            }
            rows[j] = saved;
        }
        for j in k - d + 1..=k {
            let mut saved = Chunk::of(0.0);
            for r in 0..j {
                let (low, high) = (&around[k - j + r], &around[k + r]);
                let row = &mut rows[r];
                for l in 0..CHUNK {
                    let part = j as f32 * (row[l] / (high[l] - low[l]));
                    row[l] = saved[l] - part;
                    saved[l] = part;
                }
            }
            rows[j] = saved;
        }
        strays != 0
    }
}
