//! The sampled product on the CPU: products of rows with rows, some rows of each side at a time.

use pulp::{Simd, WithSimd};

use super::rows::flush;
use crate::ops::kan::lanes::load;

/// Vectors of products that one sum takes before it goes to a total, as in `rows`.
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
            let [sums] = self.tile(
                simd,
                [row],
                [four[0] as usize, four[1] as usize, four[2] as usize, four[3] as usize],
            );
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
                    [row + r * 2, row + r * 2 + 1],
                    [column + c * 4, column + c * 4 + 1, column + c * 4 + 2, column + c * 4 + 3],
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
        let mut left: [&[f32]; A] = [&[]; A];
        for (to, row) in left.iter_mut().zip(rows) {
            *to = &self.left[row * self.width..][..self.width];
        }
        let mut right: [&[f32]; B] = [&[]; B];
        for (to, column) in right.iter_mut().zip(columns) {
            *to = &self.right[column * self.width..][..self.width];
        }
        let zero = simd.splat_f32s(0.0);
        let mut sums = [[zero; B]; A];
        let (mut totals, mut rests) = (sums, sums);
        let (mut a, mut b) = ([zero; A], [zero; B]);
        let whole = self.width / S::F32_LANES;
        let mut begin = 0;
        while begin < whole {
            let end = whole.min(begin + BLOCK);
            for v in begin..end {
                // SAFETY: all rows have `width` elements, of which the vectors before `whole` are part.
                unsafe {
                    for i in 0..A {
                        a[i] = load::<S>(left[i], v * S::F32_LANES);
                    }
                    for j in 0..B {
                        b[j] = load::<S>(right[j], v * S::F32_LANES);
                    }
                }
                add(simd, &a, &b, &mut sums);
            }
            flush(simd, &mut totals, &mut rests, &mut sums);
            begin = end;
        }
        let rest = whole * S::F32_LANES;
        if rest < self.width {
            for i in 0..A {
                a[i] = simd.partial_load_f32s(&left[i][rest..]);
            }
            for j in 0..B {
                b[j] = simd.partial_load_f32s(&right[j][rest..]);
            }
            add(simd, &a, &b, &mut totals);
        }
        let mut out = [[0.0; B]; A];
        for i in 0..A {
            for j in 0..B {
                out[i][j] = simd.reduce_sum_f32s(totals[i][j]);
            }
        }
        out
    }
}

/// All products of vectors of one side with those of the other.
#[inline(always)]
fn add<S: Simd, const A: usize, const B: usize>(
    simd: S,
    a: &[S::f32s; A],
    b: &[S::f32s; B],
    sums: &mut [[S::f32s; B]; A],
) {
    for i in 0..A {
        for j in 0..B {
            sums[i][j] = simd.mul_add_e_f32s(a[i], b[j], sums[i][j]);
        }
    }
}
