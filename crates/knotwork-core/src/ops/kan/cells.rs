//! The cells of a grid that points lie in: q = ⌊(x − lo) / h⌋ and u = (x − t_q) / h in [0, 1], found in f64.

use super::{
    BSpline,
    local::{CHUNK, Chunk},
};

/// 1.5 · 2⁵² leaves a whole number in the low bits of a sum.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// A grid, and what its functions are multiplied with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells {
    pub order: usize,
    pub derivative: usize,
    lo: f64,
    step: f64,
    inverse: f64,
    /// The first cell that a function reaches, and the first behind the last.
    below: f64,
    above: f64,
    /// The last cell of the grid.
    last: i32,
    /// 1 / h to the power of the derivative.
    unit: f32,
}

impl Cells {
    pub fn new(basis: &BSpline, derivative: usize) -> Self {
        let (order, grid) = (basis.order(), basis.grid());
        let inverse = basis.step().recip();
        Self {
            order,
            derivative,
            lo: basis.ends().0,
            step: basis.step(),
            inverse,
            below: -(order as f64),
            above: (grid + order) as f64,
            last: grid as i32 - 1,
            unit: inverse.powi(derivative as i32) as f32,
        }
    }

    /// A cell's number within what an i32 holds: one beyond those that functions reach at most. NaN stays NaN.
    #[inline(always)]
    fn held(&self, q: f64) -> f64 {
        let q = if q < self.below - 1.0 { self.below - 1.0 } else { q };
        if q > self.above { self.above } else { q }
    }

    /// The nearest cell of the grid, by how many q is beyond it, and whether no function reaches q.
    #[inline(always)]
    fn split(&self, q: f64) -> (u32, i32, bool) {
        let (last, order) = (self.last, self.order as i32);
        let q = (q + MAGIC).to_bits() as i32;
        let inside = if q < 0 { 0 } else { q };
        let inside = if inside > last { last } else { inside };
        (inside as u32, q - inside, (q < -order) | (q > last + order))
    }

    /// The cells of points within the grid, the first or last where they lie `beyond` it by so many cells, the place within
    /// the cell, and the scale in cells that functions reach, else 0. Says whether any point is beyond the grid.
    ///
    /// On a knot rounding may choose the cell on its other side, with u = 1 instead of 0: the same for functions
    /// that are continuous.
    #[inline(always)]
    pub fn find(
        &self,
        x: &[f32; CHUNK],
        scale: &Chunk,
        start: &mut [u32; CHUNK],
        u: &mut Chunk,
        beyond: &mut [i32; CHUNK],
        factor: &mut Chunk,
    ) -> bool {
        let Self { lo, inverse, unit, .. } = *self;
        let mut strays = 0;
        for l in 0..CHUNK {
            let t = (f64::from(x[l]) - lo) * inverse;
            let q = self.held(t.floor());
            let v = (t - q) as f32;
            let q = if t.is_nan() { 0.0 } else { q };
            let outside;
            (start[l], beyond[l], outside) = self.split(q);
            strays |= beyond[l];
            u[l] = if outside { 0.0 } else { v };
            // A scale that is no number makes the 0 one that is none.
            factor[l] = scale[l] * if outside { 0.0 } else { unit };
        }
        strays != 0
    }

    /// The same with a point on the side of a knot where the definition has it: t_q = lo + q h.
    #[inline(always)]
    pub fn find_exactly(
        &self,
        x: &[f32; CHUNK],
        scale: &Chunk,
        start: &mut [u32; CHUNK],
        u: &mut Chunk,
        beyond: &mut [i32; CHUNK],
        factor: &mut Chunk,
    ) -> bool {
        let Self { lo, step, inverse, unit, .. } = *self;
        let mut strays = 0;
        for l in 0..CHUNK {
            let x = f64::from(x[l]);
            let q = self.held(((x - lo) * inverse).floor());
            let q = if x.is_nan() { 0.0 } else { q };
            let q = if x < lo + q * step { q - 1.0 } else { q };
            let q = if x >= lo + (q + 1.0) * step { q + 1.0 } else { q };
            let v = (x - (lo + q * step)) * inverse;
            let outside;
            (start[l], beyond[l], outside) = self.split(q);
            strays |= beyond[l];
            u[l] = if outside { 0.0 } else { v as f32 };
            // NaN stays NaN through the second factor, where no weight has u in it.
            factor[l] = scale[l] * if outside { 0.0 } else { unit * (1.0 + 0.0 * u[l]) };
        }
        strays != 0
    }
}
