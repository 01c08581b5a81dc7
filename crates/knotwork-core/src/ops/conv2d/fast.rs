//! The CPU path: windows of x gathered into columns, a tile at a time, and a matrix product of each; where the weight has one
//! tap and skips nothing, x is its own columns. Where rows fill vectors nothing is gathered (`direct`), nor for groups of one
//! channel (`planes`).

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Conv2d,
    direct::{Forward, fills, turned},
    gather::{gather, scatter},
    op::{Part, Sizes},
    planes::{self, SLACK, Shape},
};
use crate::cpu::{Matrix, product, widest_arch};

/// Elements of a tile of columns: it stays in the nearer caches.
const TILE: usize = 1 << 16;
/// Places that one sum of a weight's gradient runs over before sums of sums begin: long chains of f32 lose digits.
const SPAN: usize = 128;
/// Parts of a weight's gradient, as many whatever the threads: results depend on sizes only.
const PARTS: usize = 16;
/// Elements that all parts have together, at most.
const SUMS: usize = 1 << 22;
/// Shares of the work that there are at least, and channels of each: every share gathers its own columns.
const SHARES: usize = 4;
const CHANNELS: usize = 16;
/// How many times as much as an image and its outputs a padded plane may hold: wide strides and dilations reach far.
const PADDED: usize = 8;
/// Below so many multiplications a second thread costs more than it saves.
const PARALLEL: usize = 1 << 18;

/// A convolution in sizes of one image and group.
#[derive(Clone, Copy)]
struct Job<'a> {
    s: &'a Sizes,
    o: &'a Conv2d,
    places: usize,
    taps: usize,
    /// Whether x is its own columns.
    plain: bool,
}

pub(super) fn run(part: Part, s: &Sizes, o: &Conv2d, a: &[f32], b: &[f32], to: &mut [f32]) {
    let places = s.out[0] * s.out[1];
    let taps = s.c * s.kernel[0] * s.kernel[1];
    let (x_size, y_size, w_size) = (s.c * s.image[0] * s.image[1], s.o * places, s.o * taps);
    // Each by itself: their product need not fit.
    if [x_size, y_size, w_size, s.images, s.groups].contains(&0) {
        return to.fill(0.0);
    }
    let parallel =
        [s.images, s.groups, s.o, taps, places].into_iter().fold(1, usize::saturating_mul) >= PARALLEL;
    let plain = s.kernel == [1, 1] && o.stride == [1, 1] && o.padding == [0, 0];
    // Planes with their padding, where that is not much more than they are.
    let near = Shape::elements(s, o) <= PADDED.saturating_mul(s.image[0] * s.image[1] + places);
    let alone = s.c == 1 && s.o == 1 && near;
    if let Part::Input(_) = part
        && (alone || !plain && near && fills(s.image[1]))
        && let Some((s, o, weight)) = turned(s, o, b)
    {
        return run(Part::Forward, &s, &o, a, &weight, to);
    }
    if alone {
        return planes::run(part, s, o, [a, b], to, parallel);
    }
    let job = Job { s, o, places, taps, plain };
    let weight = |at: usize| &b[at % s.groups * w_size..][..w_size];
    // Some of the channels each, where there are fewer others to share out than `SHARES`, whatever the threads.
    let cut = |channels: usize, others: usize| channels.div_ceil(SHARES.div_ceil(others)).max(CHANNELS);
    match part {
        Part::Forward => {
            let each = cut(s.o, s.images * s.groups);
            let parts = slices(to, y_size, each * places);
            for_each(parallel, parts, |(at, first, to)| {
                let channels = to.len() / places;
                let w = &weight(at)[first / places * taps..][..channels * taps];
                let x = &a[at * x_size..][..x_size];
                if !plain && near && fills(s.out[1]) {
                    job.direct(x, w, to)
                } else {
                    job.forward(x, w, channels, to)
                }
            });
        }
        Part::Input(_) => {
            let each = cut(s.c, s.images * s.groups);
            let plane = s.image[0] * s.image[1];
            let parts = slices(to, x_size, each * plane);
            for_each(parallel, parts, |(at, first, to)| {
                let w = &weight(at)[first / plane * (taps / s.c)..];
                job.input(&a[at * y_size..][..y_size], w, to.len() / plane, to);
            });
        }
        Part::Weight(_) => {
            // Places of all images, in parts that are summed each for itself and then in order.
            let whole = s.images * places;
            let most = PARTS.min(SUMS / to.len()).max(1);
            let each = whole.div_ceil(most).max(SPAN).next_multiple_of(SPAN);
            let parts = whole.div_ceil(each);
            let mut sums = vec![0.0f32; parts * to.len()];
            let rows = cut(s.o, s.groups * parts);
            let all = slices(&mut sums, w_size, rows * taps);
            for_each(parallel, all, |(at, first, to)| {
                let range = at / s.groups * each..whole.min((at / s.groups + 1) * each);
                job.weight([a, b], at % s.groups, first / taps, range, to);
            });
            join(&sums, to);
        }
    }
}

/// The sum of parts that lie one behind the other, in their order.
fn join(parts: &[f32], to: &mut [f32]) {
    const BLOCK: usize = 256;
    let size = to.len();
    for (k, to) in to.chunks_mut(BLOCK).enumerate() {
        let mut sums = [0.0f64; BLOCK];
        for part in parts.chunks_exact(size) {
            let part = &part[k * BLOCK..][..to.len()];
            sums.iter_mut().zip(part).for_each(|(sum, &part)| *sum += f64::from(part));
        }
        to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum as f32);
    }
}

/// Pieces of at most `each` elements of each `size`: which it is of, where it begins there, and itself.
fn slices(to: &mut [f32], size: usize, each: usize) -> Vec<(usize, usize, &mut [f32])> {
    let pieces = |(at, whole)| {
        let cut = <[f32]>::chunks_mut(whole, each).enumerate();
        cut.map(move |(k, piece)| (at, k * each, piece))
    };
    to.chunks_exact_mut(size).enumerate().flat_map(pieces).collect()
}

fn for_each<T: Send>(parallel: bool, all: Vec<T>, f: impl Fn(T) + Sync + Send) {
    if parallel && all.len() > 1 {
        all.into_par_iter().for_each(f);
    } else {
        all.into_iter().for_each(f);
    }
}

impl Job<'_> {
    fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let each = if self.plain { self.places } else { (TILE / self.taps).next_multiple_of(16).max(128) };
        let places = self.places;
        (0..places).step_by(each).map(move |first| first..(first + each).min(places))
    }

    /// Some channels of y of one image, from its padded planes.
    fn direct(&self, x: &[f32], weight: &[f32], to: &mut [f32]) {
        let shape = Shape::new(self.s, self.o);
        let inputs = self.s.c;
        let mut padded = vec![0.0; inputs * shape.padded() + SLACK];
        let planes = x.chunks_exact(x.len() / inputs);
        planes.zip(padded.chunks_exact_mut(shape.padded())).for_each(|(x, to)| shape.fill(x, to));
        widest_arch().dispatch(Forward { shape: &shape, padded: &padded, weight, inputs, to });
    }

    /// Some channels of y `[channels, places]` of one image.
    fn forward(&self, x: &[f32], w: &[f32], channels: usize, to: &mut [f32]) {
        let Self { taps, places, .. } = *self;
        let mut columns = Vec::new();
        for tile in self.tiles() {
            let n = tile.len();
            let b = if self.plain {
                Matrix::rows(x, places)
            } else {
                columns.resize(taps * n, 0.0);
                gather(self.s, self.o, x, tile.clone(), &mut columns);
                Matrix::rows(&columns, n)
            };
            product([channels, n, taps], 1.0, Matrix::rows(w, taps), b, &mut to[tile.start..], places, false);
        }
    }

    /// Some channels of x of one image, whose weights begin at `w`.
    fn input(&self, y: &[f32], w: &[f32], channels: usize, to: &mut [f32]) {
        let Self { taps, places, s, .. } = *self;
        let rows = channels * (taps / s.c);
        let w = Matrix::rows(w, taps).transposed();
        if self.plain {
            return product([rows, places, s.o], 1.0, w, Matrix::rows(y, places), to, places, false);
        }
        to.fill(0.0);
        let mut columns = Vec::new();
        for tile in self.tiles() {
            let n = tile.len();
            columns.resize(rows * n, 0.0);
            let y = Matrix::rows(&y[tile.start..], places);
            product([rows, n, s.o], 1.0, w, y, &mut columns, n, false);
            scatter(s, self.o, &columns, tile, to);
        }
    }

    /// The weight's gradient, in one group and from channel `from` of y on, from some places counted through all images.
    fn weight(&self, [x, y]: [&[f32]; 2], group: usize, from: usize, range: Range<usize>, to: &mut [f32]) {
        let Self { taps, places, s, .. } = *self;
        let (x_size, y_size) = (s.c * s.image[0] * s.image[1], s.o * places);
        let mut columns = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let (image, first) = (at / places, at % places);
            let tile = first..places.min(first + SPAN).min(first + range.end - at);
            let n = tile.len();
            let whole = image * s.groups + group;
            let (x, y) = (&x[whole * x_size..][..x_size], &y[whole * y_size..][..y_size]);
            let b = if self.plain {
                Matrix::rows(&x[first..], places)
            } else {
                columns.resize(taps * n, 0.0);
                gather(s, self.o, x, tile, &mut columns);
                Matrix::rows(&columns, n)
            };
            let y = Matrix::rows(&y[from * places + first..], places);
            product([to.len() / taps, taps, n], 1.0, y, b.transposed(), to, taps, true);
            at += n;
        }
    }
}
