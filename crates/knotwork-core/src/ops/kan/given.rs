//! Splines on given knots where they are not 0: a chunk of points at a time, each on the row of its input.
//!
//! Per point its cell, and the 2k knots around that; then for the whole chunk, with r and l the distances to the
//! right and left of x, the triangle v_r = w_r / (t_{q+r+1} − t_{q−j+r+1}), w_r ← l v_{r−1} + r v_r: sums of non-negative
//! terms, and no distance is 0 because the cell is not empty. The last d steps are w_r ← j (v_{r−1} − v_r).

use super::{
    BSpline, MAX_ORDER,
    lanes::get,
    local::{CHUNK, Chunk},
};

/// The longest row of knots that every point is compared with: searching takes fewer steps, but one point at a time.
const COMPARED: usize = 96;

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

    /// The input of a chunk from that point on, where it is one.
    #[inline(always)]
    fn only(self, from: usize) -> Option<usize> {
        let part = from / self.high;
        let one = self.wide == 1 || part == (from + CHUNK - 1) / self.high;
        one.then_some(self.first + part % self.wide)
    }

    /// The input of each point of such a chunk.
    #[inline(always)]
    fn each(self, from: usize) -> [usize; CHUNK] {
        let (mut high, mut wide) = (from % self.high, from / self.high % self.wide);
        let mut all = [0; CHUNK];
        for input in &mut all {
            *input = self.first + wide;
            high += 1;
            if high == self.high {
                (high, wide) = (0, if wide + 1 == self.wide { 0 } else { wide + 1 });
            }
        }
        all
    }
}

/// The knots of the points of a chunk.
trait Rows: Copy {
    /// Knot `j` of a point.
    ///
    /// # Safety
    /// `j` must be below the length of a row.
    unsafe fn knot(self, point: usize, j: usize) -> f32;
}

/// All points have the same.
#[derive(Clone, Copy)]
struct One<'a>(&'a [f32]);

impl Rows for One<'_> {
    #[inline(always)]
    unsafe fn knot(self, _: usize, j: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { get(self.0, j) }
    }
}

/// Each point has its own: all knots, and where each point's row begins.
#[derive(Clone, Copy)]
struct Each<'a>(&'a [f32], &'a [usize; CHUNK]);

impl Rows for Each<'_> {
    #[inline(always)]
    unsafe fn knot(self, point: usize, j: usize) -> f32 {
        // SAFETY: the caller's promise, and rows lie within the knots.
        unsafe { get(self.0, self.1[point] + j) }
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

impl<'a> Given<'a> {
    pub fn new(knots: &'a [f32], basis: &BSpline, derivative: usize, closed: bool) -> Self {
        Self { knots, grid: basis.grid(), order: basis.order(), derivative, closed }
    }

    /// k
    pub fn order(&self) -> usize {
        self.order
    }

    /// The knots of a row that are at most x: 1 more than the number of the cell [t_j, t_{j+1}) that holds x.
    #[inline(always)]
    fn count(&self, row: &[f32], x: f32) -> i32 {
        let end = row[self.order + self.grid];
        if self.closed && x >= end {
            row.partition_point(|&t| t < end) as i32
        } else {
            row.partition_point(|&t| t <= x) as i32
        }
    }

    /// The same of all points of a chunk on one row.
    #[inline(always)]
    fn counts(&self, row: &[f32], x: &[f32; CHUNK], counts: &mut [i32; CHUNK]) {
        if row.len() > COMPARED {
            for l in 0..CHUNK {
                counts[l] = self.count(row, x[l]);
            }
            return;
        }
        counts.fill(0);
        for &t in row {
            for l in 0..CHUNK {
                counts[l] += i32::from(t <= x[l]);
            }
        }
        if self.closed {
            let end = row[self.order + self.grid];
            let before = row.iter().filter(|&&t| t < end).count() as i32;
            for l in 0..CHUNK {
                counts[l] = if x[l] >= end { before } else { counts[l] };
            }
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
        let wide = self.grid + 2 * self.order + 1;
        let Some(last) = (self.knots.len() / wide).checked_sub(1) else { return false };
        let mut place = Place { x, counts: [0; CHUNK], start, beyond };
        // Points that fill the last chunk may be of no input: any will do.
        if let Some(input) = inputs.only(from) {
            let row = &self.knots[input.min(last) * wide..][..wide];
            self.counts(row, x, &mut place.counts);
            self.weigh(One(row), place, scale, rows)
        } else {
            let mut offsets = inputs.each(from);
            for l in 0..CHUNK {
                offsets[l] = offsets[l].min(last) * wide;
                place.counts[l] = self.count(&self.knots[offsets[l]..][..wide], x[l]);
            }
            self.weigh(Each(self.knots, &offsets), place, scale, rows)
        }
    }

    /// The same with the counts of knots at hand, which become cells.
    #[inline(always)]
    fn weigh<R: Rows>(
        &self,
        knots: R,
        place: Place<'_>,
        scale: &Chunk,
        rows: &mut [Chunk; MAX_ORDER + 1],
    ) -> bool {
        // Constants for cubic splines, so that loops unroll; and room for their knots only.
        match (self.order, self.derivative) {
            (3, 0) => self.weigh_in::<R, 6>(3, 0, knots, place, scale, rows),
            (3, 1) => self.weigh_in::<R, 6>(3, 1, knots, place, scale, rows),
            (k, d) => self.weigh_in::<R, { 2 * MAX_ORDER }>(k, d, knots, place, scale, rows),
        }
    }

    #[inline(always)]
    fn weigh_in<R: Rows, const ROOM: usize>(
        &self,
        k: usize,
        d: usize,
        knots: R,
        place: Place<'_>,
        scale: &Chunk,
        rows: &mut [Chunk; MAX_ORDER + 1],
    ) -> bool {
        let (middle, last) = (k.max(1), (self.grid + 2 * k) as i32);
        // Row m: t_{q−middle+1+m}
        let mut around = [Chunk::of(0.0); ROOM];
        for m in 0..2 * middle {
            let by = m as i32 - middle as i32;
            let mut row = Chunk::of(0.0);
            for l in 0..CHUNK {
                let cell = (place.counts[l] - 1).clamp(0, last - 1);
                // Knots beyond the row belong to functions that do not exist.
                let j = (cell + 1 + by).clamp(0, last);
                // SAFETY: it was clamped.
                row[l] = unsafe { knots.knot(l, j as usize) };
            }
            around[m] = row;
        }
        let Cells { held, factor, points, strays } =
            self.settle(knots, place, &around[middle - 1], &around[middle]);
        for (m, around) in around[..2 * middle].iter_mut().enumerate() {
            // Any knots will do where there is no cell, with the point between them.
            let by = m as f32 + 1.0 - middle as f32;
            for l in 0..CHUNK {
                around[l] = choose(held[l], around[l], by);
            }
        }
        for l in 0..CHUNK {
            rows[0][l] = scale[l] * factor[l];
        }
        triangle(k, d, &points, &around, rows);
        strays
    }

    /// Where the points lie, between the knots `low` and `high`: no weight beyond all knots, and NaN where there is no cell
    /// elsewhere, as for rows that fall and points that are no number.
    #[inline(always)]
    fn settle<R: Rows>(&self, knots: R, place: Place<'_>, low: &Chunk, high: &Chunk) -> Cells {
        let (k, grid) = (self.order as i32, self.grid as i32);
        let last = grid + 2 * k;
        let Place { x, counts, start, beyond } = place;
        let (mut first, mut end, mut outer) = (Chunk::of(0.0), Chunk::of(0.0), Chunk::of(0.0));
        for l in 0..CHUNK {
            // SAFETY: a row has `last + 1` knots.
            (first[l], end[l], outer[l]) = unsafe {
                (knots.knot(l, 0), knots.knot(l, (k + grid) as usize), knots.knot(l, last as usize))
            };
        }
        // Nothing is beyond a NaN.
        if self.closed {
            outer = Chunk::of(f32::NAN)
        } else {
            end = Chunk::of(f32::NAN)
        }
        let mut cells =
            Cells { held: [0; CHUNK], factor: Chunk::of(0.0), points: Chunk::of(0.0), strays: false };
        let (mut starts, mut far) = ([0; CHUNK], [0; CHUNK]);
        // By bits, which becomes vectors where conditions do not.
        for l in 0..CHUNK {
            let (x, count) = (x[l], counts[l]);
            let counted = mask(count >= 1) & mask(count <= last);
            let found = counted & mask(low[l] <= x) & (mask(x < high[l]) | mask(x >= end[l]));
            let none = mask(x < first[l]) | mask(x >= outer[l]);
            let held = found & !none;
            // A scale that is no number makes the 0 one that is none.
            cells.factor[l] = choose(none, 0.0, choose(found, 1.0, f32::NAN));
            cells.points[l] = choose(held, x, 0.5);
            cells.held[l] = held;
            let q = count - 1 - k;
            let inside = q.clamp(0, grid - 1);
            starts[l] = held & inside as u32;
            far[l] = held as i32 & (q - inside);
        }
        cells.strays = far.iter().fold(0, |any, q| any | q) != 0;
        (*start, *beyond) = (starts, far);
        cells
    }
}

/// All bits where a condition holds.
#[inline(always)]
fn mask(holds: bool) -> u32 {
    u32::from(holds).wrapping_neg()
}

/// The first number where the mask is set, else the second.
#[inline(always)]
fn choose(mask: u32, a: f32, b: f32) -> f32 {
    f32::from_bits((a.to_bits() & mask) | (b.to_bits() & !mask))
}

/// The points of a chunk, and what is said of them.
struct Place<'a> {
    x: &'a [f32; CHUNK],
    /// For each how many knots are at most it: 1 more than the row number q + k of its cell.
    counts: [i32; CHUNK],
    start: &'a mut [u32; CHUNK],
    beyond: &'a mut [i32; CHUNK],
}

/// The cells of a chunk's points.
struct Cells {
    /// All bits where there is one.
    held: [u32; CHUNK],
    /// What weights are multiplied with.
    factor: Chunk,
    /// The points, and 0.5 where there is no cell.
    points: Chunk,
    /// Whether any lies beyond the grid.
    strays: bool,
}

/// From order 0, in the first row, to order k with d differences.
#[inline(always)]
fn triangle(k: usize, d: usize, points: &Chunk, around: &[Chunk], rows: &mut [Chunk; MAX_ORDER + 1]) {
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
}
