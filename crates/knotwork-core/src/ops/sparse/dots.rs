//! The sampled product on the CPU: products of rows with rows, some rows of each side at a time.

use std::array;

use pulp::{Simd, WithSimd};

use crate::ops::kan::lanes::load;

/// Vectors of products that one sum takes before sums of sums begin.
const BLOCK: usize = 8;

/// The entries of neighbouring block rows.
#[derive(Debug)]
pub(super) struct Task<'a> {
    /// Rows of `width` elements, `side` of them for each block row.
    pub left: &'a [f32],
    /// The same for each block column.
    pub right: &'a [f32],
    pub width: usize,
    pub side: usize,
    /// The first block row; where it and the others begin among the entries, and the end of the last.
    pub first: usize,
    pub starts: &'a [u32],
    /// The block columns of all entries.
    pub columns: &'a [u32],
    /// [entries of these rows, side, side]
    pub out: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { left, right, width, side, first, starts, columns, out } = self;
        let dots = Dots { left, right, width };
        let before = starts[0] as usize;
        for (row, bounds) in starts.windows(2).enumerate() {
            let range = bounds[0] as usize..bounds[1] as usize;
            let out = &mut out[(range.start - before) * side * side..(range.end - before) * side * side];
            if side == 1 {
                dots.row(simd, first + row, &columns[range], out);
            } else {
                for (column, out) in columns[range].iter().zip(out.chunks_exact_mut(side * side)) {
                    dots.block(simd, (first + row) * side, *column as usize * side, side, out);
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Dots<'a> {
    left: &'a [f32],
    right: &'a [f32],
    width: usize,
}

impl Dots<'_> {
    /// A row with some rows of the other side.
    #[inline(always)]
    fn row<S: Simd>(&self, simd: S, row: usize, columns: &[u32], out: &mut [f32]) {
        let fours = columns.chunks_exact(4);
        let (rest, done) = (fours.remainder(), columns.len() / 4 * 4);
        for (four, out) in fours.zip(out.chunks_exact_mut(4)) {
            let [sums] = self.tile(simd, [row], array::from_fn::<_, 4, _>(|j| four[j] as usize));
            out.copy_from_slice(&sums);
        }
        for (&column, out) in rest.iter().zip(&mut out[done..]) {
            let [[sum]] = self.tile(simd, [row], [column as usize]);
            *out = sum;
        }
    }

    /// `side` rows with `side` of the other side.
    #[inline(always)]
    fn block<S: Simd>(&self, simd: S, row: usize, column: usize, side: usize, out: &mut [f32]) {
        for r in 0..side / 2 {
            for c in 0..side / 4 {
                let sums = self.tile(
                    simd,
                    array::from_fn::<_, 2, _>(|i| row + r * 2 + i),
                    array::from_fn::<_, 4, _>(|j| column + c * 4 + j),
                );
                for (i, sums) in sums.iter().enumerate() {
                    out[(r * 2 + i) * side + c * 4..][..4].copy_from_slice(sums);
                }
            }
        }
        // What pairs and fours leave out.
        let (rows, columns) = (side / 2 * 2, side / 4 * 4);
        for r in 0..side {
            for c in if r < rows { columns } else { 0 }..side {
                let [[sum]] = self.tile(simd, [row + r], [column + c]);
                out[r * side + c] = sum;
            }
        }
    }

    /// `A` rows with `B` rows of the other side.
    #[inline(always)]
    fn tile<S: Simd, const A: usize, const B: usize>(
        &self,
        simd: S,
        rows: [usize; A],
        columns: [usize; B],
    ) -> [[f32; B]; A] {
        let left = rows.map(|row| &self.left[row * self.width..][..self.width]);
        let right = columns.map(|column| &self.right[column * self.width..][..self.width]);
        let mut sums = [[simd.splat_f32s(0.0); B]; A];
        let mut totals = sums;
        let add = |a: [S::f32s; A], b: [S::f32s; B], sums: &mut [[S::f32s; B]; A]| {
            for (sums, a) in sums.iter_mut().zip(a) {
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_e_f32s(a, b, *sum);
                }
            }
        };
        let whole = self.width / S::F32_LANES;
        for v in 0..whole {
            let at = v * S::F32_LANES;
            // SAFETY: all rows have `width` elements, of which the vectors before `whole` are part.
            let (a, b) = unsafe { (left.map(|s| load::<S>(s, at)), right.map(|s| load::<S>(s, at))) };
            add(a, b, &mut sums);
            if v % BLOCK == BLOCK - 1 {
                for (total, sum) in totals.iter_mut().flatten().zip(sums.iter_mut().flatten()) {
                    *total = simd.add_f32s(*total, *sum);
                    *sum = simd.splat_f32s(0.0);
                }
            }
        }
        let rest = whole * S::F32_LANES;
        if rest < self.width {
            let a = left.map(|s| simd.partial_load_f32s(&s[rest..]));
            add(a, right.map(|s| simd.partial_load_f32s(&s[rest..])), &mut sums);
        }
        array::from_fn(|i| array::from_fn(|j| simd.reduce_sum_f32s(simd.add_f32s(totals[i][j], sums[i][j]))))
    }
}
