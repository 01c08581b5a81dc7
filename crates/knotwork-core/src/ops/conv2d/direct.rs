//! y of padded planes on the CPU: some channels of neighbouring outputs in registers over all taps.

use pulp::{Simd, WithSimd};

use super::{
    Conv2d,
    op::Sizes,
    planes::{SLACK, Shape},
};
use crate::ops::kan::lanes::{load, store};

const _: () = assert!(SLACK >= 2 * 16, "two vectors of the widest instruction set");

/// Channels that one sum runs over before sums of sums begin: long chains of f32 lose digits.
const CHAIN: usize = 8;

/// Whether rows of so many outputs fill vectors well enough.
pub(super) fn fills(wide: usize) -> bool {
    5 * wide >= 3 * wide.next_multiple_of(16)
}

/// The gradient to x as a convolution of dy, where it is one: without a stride, with the weight turned round and its channels
/// exchanged.
pub(super) fn turned(s: &Sizes, o: &Conv2d, weight: &[f32]) -> Option<(Sizes, Conv2d, Vec<f32>)> {
    let reach = [0, 1].map(|d| (s.kernel[d] - 1) * o.dilation[d]);
    if o.stride != [1, 1] || o.padding[0] > reach[0] || o.padding[1] > reach[1] {
        return None;
    }
    let window = s.kernel[0] * s.kernel[1];
    let mut to = Vec::with_capacity(weight.len());
    for group in weight.chunks_exact(s.o * s.c * window) {
        for c in 0..s.c {
            for o in 0..s.o {
                to.extend(group[(o * s.c + c) * window..][..window].iter().rev());
            }
        }
    }
    let padding = [reach[0] - o.padding[0], reach[1] - o.padding[1]];
    let sizes = Sizes { c: s.o, o: s.c, image: s.out, out: s.image, ..*s };
    Some((sizes, Conv2d { padding, ..*o }, to))
}

/// Some channels of y of one image and group.
pub(super) struct Forward<'a> {
    pub shape: &'a Shape,
    /// [inputs, padded plane], and `SLACK` behind
    pub padded: &'a [f32],
    /// [channels, inputs, taps]
    pub weight: &'a [f32],
    pub inputs: usize,
    /// [channels, rows, columns]
    pub to: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let places = self.shape.places();
        assert!(self.padded.len() >= self.inputs * self.shape.padded() + SLACK);
        assert_eq!(self.weight.len() * places, self.to.len() * self.inputs * self.shape.taps.len());
        let channels = self.to.len() / places;
        let mut first = 0;
        while first < channels {
            // As many sums as registers hold.
            if S::F32_LANES == 16 && channels - first >= 8 {
                self.rows::<S, 8>(simd, first);
                first += 8;
            } else if channels - first >= 4 {
                self.rows::<S, 4>(simd, first);
                first += 4;
            } else {
                self.rows::<S, 1>(simd, first);
                first += 1;
            }
        }
    }
}

impl Forward<'_> {
    /// `R` channels of all outputs.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, first: usize) {
        let [high, wide] = self.shape.out;
        for i in 0..high {
            let mut at = 0;
            while at < wide {
                if wide - at > S::F32_LANES {
                    self.block::<S, R, 2>(simd, first, i, at);
                    at += 2 * S::F32_LANES;
                } else {
                    self.block::<S, R, 1>(simd, first, i, at);
                    at += S::F32_LANES;
                }
            }
        }
    }

    /// `R` channels of `N` vectors of outputs in row `i`, or of what the row has left of them.
    #[inline(always)]
    fn block<S: Simd, const R: usize, const N: usize>(&mut self, simd: S, first: usize, i: usize, at: usize) {
        let Shape { taps, width, stride, out, .. } = self.shape;
        let [_, wide] = *out;
        let row = self.inputs * taps.len();
        let weight = &self.weight[first * row..(first + R) * row];
        let start = i * stride[0] * width + at;
        let mut totals = [[simd.splat_f32s(0.0); N]; R];
        let mut begin = 0;
        while begin < self.inputs {
            let end = self.inputs.min(begin + CHAIN);
            let mut sums = [[simd.splat_f32s(0.0); N]; R];
            for c in begin..end {
                let line = &self.padded[c * self.shape.padded() + start..];
                for (t, &tap) in taps.iter().enumerate() {
                    let mut x = [simd.splat_f32s(0.0); N];
                    for (j, x) in x.iter_mut().enumerate() {
                        // SAFETY: the window of any output of a row ends in its row of the padded plane, and beyond the
                        // last plane there are `SLACK` elements for what a vector reads behind the last output.
                        *x = unsafe { load::<S>(line, tap + j * S::F32_LANES) };
                    }
                    for r in 0..R {
                        // SAFETY: `weight` has R rows of `row` elements.
                        let w =
                            simd.splat_f32s(unsafe { *weight.get_unchecked(r * row + c * taps.len() + t) });
                        for j in 0..N {
                            sums[r][j] = simd.mul_add_e_f32s(w, x[j], sums[r][j]);
                        }
                    }
                }
            }
            for r in 0..R {
                for j in 0..N {
                    totals[r][j] = simd.add_f32s(totals[r][j], sums[r][j]);
                }
            }
            begin = end;
        }
        let places = self.shape.places();
        for (r, sums) in totals.iter().enumerate() {
            let to = &mut self.to[(first + r) * places + i * wide..][..wide];
            for (j, &sum) in sums.iter().enumerate() {
                let at = at + j * S::F32_LANES;
                if at + S::F32_LANES <= wide {
                    // SAFETY: as compared.
                    unsafe { store::<S>(to, at, sum) };
                } else if at < wide {
                    simd.partial_store_f32s(&mut to[at..], sum);
                }
            }
        }
    }
}
