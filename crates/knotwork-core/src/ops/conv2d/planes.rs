//! Padded planes on the CPU, and the convolutions of groups of one channel over them. A plane is split by its columns modulo
//! the stride, so that what neighbouring outputs read under a tap lies side by side and nothing is gathered.

use std::array;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    Conv2d,
    direct::Forward,
    op::{Part, Sizes},
};
use crate::{
    cpu::widest_arch,
    ops::kan::lanes::{load, store},
};

/// Elements behind the last padded plane that may be read, though nothing is made of them.
pub(super) const SLACK: usize = 64;
/// Vectors that one sum of a weight's gradient takes before sums of sums begin.
const SPAN: usize = 32;

pub(super) fn run(part: Part, s: &Sizes, o: &Conv2d, [a, b]: [&[f32]; 2], to: &mut [f32], parallel: bool) {
    let shape = Shape::new(s, o);
    let (plane, places, taps) = (s.image[0] * s.image[1], shape.places(), shape.taps.len());
    let body = |(at, to): (usize, &mut [f32])| {
        let mut padded = vec![0.0; shape.padded() + SLACK];
        let weight = &b[at % s.groups * taps..];
        match part {
            Part::Forward => {
                shape.fill(&a[at * plane..][..plane], &mut padded);
                widest_arch().dispatch(Forward {
                    shape: &shape,
                    padded: &padded,
                    weight: &weight[..taps],
                    inputs: 1,
                    to,
                });
            }
            Part::Input(_) => {
                let y = &a[at * places..][..places];
                widest_arch().dispatch(Input {
                    shape: &shape,
                    y,
                    weight: &weight[..taps],
                    padded: &mut padded,
                });
                shape.empty(&padded, to);
            }
            Part::Weight(_) => {
                let mut sums = vec![0.0; taps];
                for image in 0..s.images {
                    let whole = image * s.groups + at;
                    shape.fill(&a[whole * plane..][..plane], &mut padded);
                    let y = &b[whole * places..][..places];
                    widest_arch().dispatch(Weight { shape: &shape, padded: &padded, y, sums: &mut sums });
                }
                to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum as f32);
            }
        }
    };
    let size = match part {
        Part::Forward => places,
        Part::Input(_) => plane,
        Part::Weight(_) => taps,
    };
    if parallel {
        to.par_chunks_exact_mut(size).enumerate().for_each(body);
    } else {
        to.chunks_exact_mut(size).enumerate().for_each(body);
    }
}

/// How a padded plane lies: rows, in each the columns of every remainder by the stride, one behind the other.
pub(super) struct Shape {
    image: [usize; 2],
    pub out: [usize; 2],
    padding: [usize; 2],
    pub stride: [usize; 2],
    rows: usize,
    /// Columns of one remainder, and elements of a row.
    columns: usize,
    pub width: usize,
    /// Where what the first output of a row reads under each tap lies.
    pub taps: Vec<usize>,
}

/// The stride past the last output says nothing, and may be anything.
fn stride(s: &Sizes, o: &Conv2d) -> [usize; 2] {
    array::from_fn(|d| if s.out[d] == 1 { 1 } else { o.stride[d] })
}

impl Shape {
    /// Elements that a padded plane would have, at most; as many as a number holds where they are more.
    pub fn elements(s: &Sizes, o: &Conv2d) -> usize {
        let stride = stride(s, o);
        let reach = |d: usize| {
            let outputs = (s.out[d] - 1).saturating_mul(stride[d]);
            outputs.saturating_add((s.kernel[d] - 1).saturating_mul(o.dilation[d])).saturating_add(1)
        };
        reach(0).saturating_mul(reach(1).saturating_add(stride[1]))
    }

    pub fn new(s: &Sizes, o: &Conv2d) -> Self {
        let stride = stride(s, o);
        let reach = |d: usize| (s.out[d] - 1) * stride[d] + (s.kernel[d] - 1) * o.dilation[d] + 1;
        let columns = reach(1).div_ceil(stride[1]);
        let width = columns * stride[1];
        let tap = |tap: usize| {
            let (down, across) = (tap / s.kernel[1] * o.dilation[0], tap % s.kernel[1] * o.dilation[1]);
            down * width + across % stride[1] * columns + across / stride[1]
        };
        let taps = (0..s.kernel[0] * s.kernel[1]).map(tap).collect();
        Self { image: s.image, out: s.out, padding: o.padding, stride, rows: reach(0), columns, width, taps }
    }

    pub fn places(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Elements of a padded plane.
    pub fn padded(&self) -> usize {
        self.rows * self.width
    }

    /// The elements of a row of the plane that any window reaches, by their remainder: the first one, its place in the padded
    /// row, and how many there are.
    fn runs(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let (step, padding) = (self.stride[1], self.padding[1]);
        let end = self.width.min(self.image[1] + padding);
        (0..step).filter_map(move |remainder| {
            let first = padding.saturating_sub(remainder).div_ceil(step);
            let last = end.saturating_sub(remainder).div_ceil(step);
            (first < last)
                .then(|| (first * step + remainder - padding, remainder * self.columns + first, last - first))
        })
    }

    /// Rows of the plane that any window reaches, and where each lies padded.
    fn lines(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let last = self.image[0].min(self.rows.saturating_sub(self.padding[0]));
        (0..last).map(|y| (y * self.image[1], (y + self.padding[0]) * self.width))
    }

    /// The plane into a padded one whose padding holds zeros.
    pub fn fill(&self, plane: &[f32], padded: &mut [f32]) {
        for (line, to) in self.lines() {
            for (x, at, count) in self.runs() {
                let to = &mut padded[to + at..][..count];
                match self.stride[1] {
                    1 => to.copy_from_slice(&plane[line + x..][..count]),
                    step => {
                        to.iter_mut()
                            .zip(plane[line + x..].iter().step_by(step))
                            .for_each(|(to, x)| *to = *x);
                    }
                }
            }
        }
    }

    /// The reverse; elements that no window reaches are zeros.
    fn empty(&self, padded: &[f32], plane: &mut [f32]) {
        plane.fill(0.0);
        for (line, from) in self.lines() {
            for (x, at, count) in self.runs() {
                let from = &padded[from + at..][..count];
                match self.stride[1] {
                    1 => plane[line + x..][..count].copy_from_slice(from),
                    step => {
                        let to = plane[line + x..].iter_mut().step_by(step);
                        to.zip(from).for_each(|(to, x)| *to = *x);
                    }
                }
            }
        }
    }
}

/// The gradient to a padded plane, added to zeros.
struct Input<'a> {
    shape: &'a Shape,
    y: &'a [f32],
    weight: &'a [f32],
    padded: &'a mut [f32],
}

impl WithSimd for Input<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, y, weight, padded } = self;
        let wide = shape.out[1];
        for (i, row) in y.chunks_exact(wide).enumerate() {
            let line = &mut padded[i * shape.stride[0] * shape.width..];
            for (&tap, &w) in shape.taps.iter().zip(weight) {
                let (w, to) = (simd.splat_f32s(w), &mut line[tap..tap + wide]);
                let mut at = 0;
                while at + S::F32_LANES <= wide {
                    // SAFETY: both slices have `wide` elements.
                    unsafe {
                        let sum = simd.mul_add_e_f32s(w, load::<S>(row, at), load::<S>(to, at));
                        store::<S>(to, at, sum);
                    }
                    at += S::F32_LANES;
                }
                if at < wide {
                    let (dy, x) = (simd.partial_load_f32s(&row[at..]), simd.partial_load_f32s(&to[at..]));
                    simd.partial_store_f32s(&mut to[at..], simd.mul_add_e_f32s(w, dy, x));
                }
            }
        }
    }
}

/// The gradient to the weight from one padded plane: a tap's sum over all outputs at a time.
struct Weight<'a> {
    shape: &'a Shape,
    padded: &'a [f32],
    y: &'a [f32],
    sums: &'a mut [f64],
}

impl WithSimd for Weight<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, padded, y, sums } = self;
        let wide = shape.out[1];
        for (&tap, total) in shape.taps.iter().zip(sums) {
            let mut sum = simd.splat_f32s(0.0);
            let mut held = 0;
            for (i, row) in y.chunks_exact(wide).enumerate() {
                let line = &padded[i * shape.stride[0] * shape.width + tap..][..wide];
                let mut at = 0;
                while at + S::F32_LANES <= wide {
                    // SAFETY: both slices have `wide` elements.
                    let (dy, x) = unsafe { (load::<S>(row, at), load::<S>(line, at)) };
                    sum = simd.mul_add_e_f32s(dy, x, sum);
                    at += S::F32_LANES;
                }
                if at < wide {
                    let (dy, x) = (simd.partial_load_f32s(&row[at..]), simd.partial_load_f32s(&line[at..]));
                    sum = simd.mul_add_e_f32s(dy, x, sum);
                }
                held += wide.div_ceil(S::F32_LANES);
                if held >= SPAN {
                    *total += f64::from(simd.reduce_sum_f32s(sum));
                    sum = simd.splat_f32s(0.0);
                    held = 0;
                }
            }
            *total += f64::from(simd.reduce_sum_f32s(sum));
        }
    }
}
