//! Rows of a sparse product on the CPU: some columns of some rows are summed in registers over all their entries.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::ops::kan::lanes::{load, store};

/// Terms that one sum takes before it goes to a total that keeps what it rounds off: long chains of f32 lose digits.
const BLOCK: usize = 8;

/// What rows are summed from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands<'a> {
    /// [entries, side, side]
    pub values: &'a [f32],
    /// Rows of `columns`.
    pub dense: &'a [f32],
    pub columns: usize,
    pub side: usize,
    /// From one row of the result to the next in a block of `values`, and from one of its terms to the next.
    pub steps: [usize; 2],
}

/// Neighbouring block rows: `entry` gives the block of a place among the entries and the block row of `dense` that goes
/// with it, `starts` the places at which the rows begin, and the end of the last.
pub(super) struct Task<'a, E> {
    pub operands: Operands<'a>,
    pub entry: E,
    pub starts: &'a [u32],
    /// [rows, side, columns]
    pub out: &'a mut [f32],
}

impl<E: Fn(usize) -> (usize, usize)> WithSimd for Task<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { operands, entry, starts, out } = self;
        let Operands { side, columns, .. } = operands;
        for (bounds, out) in starts.windows(2).zip(out.chunks_exact_mut(side * columns)) {
            let range = bounds[0] as usize..bounds[1] as usize;
            if side == 1 && columns == 1 {
                out[0] = vector(&operands, &entry, range);
                continue;
            }
            let mut first = 0;
            while first < side {
                let mut sum =
                    Sum { operands: &operands, entry: &entry, range: range.clone(), first, out: &mut *out };
                if side == 1 {
                    sum.across::<S, 1, 4, true>(simd);
                    first += 1;
                } else if side - first >= 4 {
                    sum.across::<S, 4, 2, false>(simd);
                    first += 4;
                } else {
                    sum.across::<S, 1, 4, false>(simd);
                    first += 1;
                }
            }
        }
    }
}

/// One row times a vector.
#[inline(always)]
fn vector(o: &Operands<'_>, entry: &impl Fn(usize) -> (usize, usize), range: Range<usize>) -> f32 {
    let term = |p: usize| {
        let (k, other) = entry(p);
        o.values[k] * o.dense[other]
    };
    let mut total = 0.0f64;
    let mut at = range.start;
    while at < range.end {
        let end = range.end.min(at + 4 * BLOCK);
        // Four sums, so that no addition waits for the one before.
        let mut sums = [0.0f32; 4];
        while at + 4 <= end {
            sums.iter_mut().enumerate().for_each(|(i, sum)| *sum += term(at + i));
            at += 4;
        }
        for (i, p) in (at..end).enumerate() {
            sums[i] += term(p);
        }
        at = end;
        total += sums.iter().map(|&sum| f64::from(sum)).sum::<f64>();
    }
    total as f32
}

/// Rows from `first` on of one block row.
struct Sum<'a, 'b, E> {
    operands: &'a Operands<'b>,
    entry: &'a E,
    range: Range<usize>,
    first: usize,
    /// [side, columns]
    out: &'a mut [f32],
}

impl<E: Fn(usize) -> (usize, usize)> Sum<'_, '_, E> {
    /// `R` rows over all columns, `N` vectors of them at a time.
    #[inline(always)]
    fn across<S: Simd, const R: usize, const N: usize, const ONE: bool>(&mut self, simd: S) {
        let (lanes, columns) = (S::F32_LANES, self.operands.columns);
        let mut at = 0;
        while columns - at >= N * lanes {
            self.panel::<S, R, N, false, ONE>(simd, at);
            at += N * lanes;
        }
        while columns - at >= lanes {
            self.panel::<S, R, 1, false, ONE>(simd, at);
            at += lanes;
        }
        if at < columns {
            self.panel::<S, R, 1, true, ONE>(simd, at);
        }
    }

    /// `R` rows of `N` vectors of columns from `at` on; `PART`: of the columns that are left, fewer than a vector.
    #[inline(always)]
    fn panel<S: Simd, const R: usize, const N: usize, const PART: bool, const ONE: bool>(
        &mut self,
        simd: S,
        at: usize,
    ) {
        let Operands { values, dense, columns, side, steps } = *self.operands;
        let lanes = S::F32_LANES;
        // Of single elements the loops below are one turn each, which the compiler then knows.
        let side = if ONE { 1 } else { side };
        let mut sums = [[simd.splat_f32s(0.0); N]; R];
        let (mut totals, mut rests) = (sums, sums);
        let mut at_most = self.range.start;
        let together = (BLOCK / side).max(1);
        while at_most < self.range.end {
            let begin = at_most;
            at_most = self.range.end.min(begin + together);
            for p in begin..at_most {
                let (k, other) = (self.entry)(p);
                let block = &values[k * side * side..(k + 1) * side * side];
                let panel = &dense[other * side * columns..(other + 1) * side * columns];
                for c in 0..side {
                    let from = c * columns + at;
                    let mut b = [simd.splat_f32s(0.0); N];
                    for (j, b) in b.iter_mut().enumerate() {
                        *b = if PART {
                            simd.partial_load_f32s(&panel[from..(c + 1) * columns])
                        } else {
                            // SAFETY: the callers' `at` leaves N vectors in a row, and the row lies in `panel`.
                            unsafe { load::<S>(panel, from + j * lanes) }
                        };
                    }
                    for r in 0..R {
                        let place = if ONE { 0 } else { (self.first + r) * steps[0] + c * steps[1] };
                        let value = simd.splat_f32s(block[place]);
                        for j in 0..N {
                            sums[r][j] = simd.mul_add_e_f32s(value, b[j], sums[r][j]);
                        }
                    }
                }
            }
            flush(simd, &mut totals, &mut rests, &mut sums);
        }
        for (r, sums) in totals.iter().enumerate() {
            let row = &mut self.out[(self.first + r) * columns..][..columns];
            for (j, &sum) in sums.iter().enumerate() {
                if PART {
                    simd.partial_store_f32s(&mut row[at..], sum);
                } else {
                    // SAFETY: as above, in a row of the result.
                    unsafe { store::<S>(row, at + j * lanes, sum) };
                }
            }
        }
    }
}

/// Adds sums to totals, and begins them again; `rests` is what the totals have rounded off (Kahan 1965). An infinite total
/// has rounded off nothing: the difference of two infinities would be no number.
#[inline(always)]
pub(super) fn flush<S: Simd, const R: usize, const N: usize>(
    simd: S,
    totals: &mut [[S::f32s; N]; R],
    rests: &mut [[S::f32s; N]; R],
    sums: &mut [[S::f32s; N]; R],
) {
    for r in 0..R {
        for j in 0..N {
            let add = simd.sub_f32s(sums[r][j], rests[r][j]);
            let total = simd.add_f32s(totals[r][j], add);
            let rest = simd.sub_f32s(simd.sub_f32s(total, totals[r][j]), add);
            let finite = simd.greater_than_f32s(simd.splat_f32s(f32::INFINITY), simd.abs_f32s(total));
            rests[r][j] = simd.select_f32s(finite, rest, simd.splat_f32s(0.0));
            totals[r][j] = total;
            sums[r][j] = simd.splat_f32s(0.0);
        }
    }
}
