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
        let Self { lo, inverse, below, above, last, unit, order, .. } = *self;
        let (first, end) = (-(order as i32), last + 1 + order as i32);
        let mut strays = 0;
        for l in 0..CHUNK {
            let t = (f64::from(x[l]) - lo) * inverse;
            let q = t.floor();
            let q = if q < below - 1.0 { below - 1.0 } else { q };
            let q = if q > above { above } else { q };
            let v = (t - q) as f32;
            let q = if t.is_nan() { 0.0 } else { q };
            let q = (q + MAGIC).to_bits() as i32;
            let outside = (q < first) | (q >= end);
            let inside = if q < 0 { 0 } else { q };
            let inside = if inside > last { last } else { inside };
            u[l] = if outside { 0.0 } else { v };
            // A scale that is no number makes the 0 one that is none.
            factor[l] = scale[l] * if outside { 0.0 } else { unit };
            beyond[l] = q - inside;
            strays |= q - inside;
            start[l] = inside as u32;
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
        let Self { lo, step, inverse, below, above, last, unit, .. } = *self;
        let mut strays = 0;
        for l in 0..CHUNK {
            let x = f64::from(x[l]);
            let q = ((x - lo) * inverse).floor();
            let q = if q < below - 1.0 { below - 1.0 } else { q };
            let q = if q > above { above } else { q };
            let q = if x.is_nan() { 0.0 } else { q };
            let q = if x < lo + q * step { q - 1.0 } else { q };
            let q = if x >= lo + (q + 1.0) * step { q + 1.0 } else { q };
            let outside = (q < below) | (q >= above);
            let v = (x - (lo + q * step)) * inverse;
            u[l] = if outside { 0.0 } else { v as f32 };
            let q = (q + MAGIC).to_bits() as i32;
            let inside = if q < 0 { 0 } else { q };
            let inside = if inside > last { last } else { inside };
            beyond[l] = q - inside;
            strays |= q - inside;
            start[l] = inside as u32;
            // NaN stays NaN through the second factor, where no weight has u in it.
            factor[l] = scale[l] * if outside { 0.0 } else { unit * (1.0 + 0.0 * u[l]) };
        }
        strays != 0
    }
}
