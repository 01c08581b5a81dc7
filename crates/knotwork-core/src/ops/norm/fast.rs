//! The f32 loops of normalisations on the CPU. Sums are kept in f64; their order depends on the sizes only.

use std::borrow::Cow;

use rayon::prelude::*;

use super::geometry::{Geometry, Norm};
use crate::ops::{elementwise::vectorised, var};

/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;
/// Partial sums of a weight's gradient, at most.
const PARTS: usize = 16;

/// A row's elements, side by side.
fn row<'a>(geometry: &Geometry, x: &'a [f32], row: usize) -> Cow<'a, [f32]> {
    if !geometry.batch {
        return Cow::Borrowed(&x[row * geometry.n..(row + 1) * geometry.n]);
    }
    let (inner, step) = (geometry.inner, geometry.channels * geometry.inner);
    let mut all = Vec::with_capacity(geometry.n);
    (0..geometry.outer).for_each(|o| all.extend_from_slice(&x[o * step + row * inner..][..inner]));
    Cow::Owned(all)
}

/// Runs `f` on numbered chunks, on several threads where that pays.
fn each(out: &mut [f32], chunk: usize, work: usize, f: impl Fn((usize, &mut [f32])) + Send + Sync) {
    if work < PARALLEL {
        out.chunks_mut(chunk.max(1)).enumerate().for_each(f);
    } else {
        out.par_chunks_mut(chunk.max(1)).enumerate().for_each(f);
    }
}

/// The rows' statistics, three numbers each.
pub(super) fn statistics(geometry: &Geometry, norm: &Norm, x: &[f32], out: &mut [f32]) {
    each(out, 3, x.len(), |(r, out)| {
        let row = row(geometry, x, r);
        let (mean, squares) = if norm.centred {
            vectorised(|| var::moments(&row))
        } else {
            (0.0, vectorised(|| var::squares(&row)))
        };
        let variance = squares / row.len() as f64;
        out[0] = mean as f32;
        out[1] = (mean - f64::from(out[0])) as f32;
        out[2] = (1.0 / (variance + norm.eps).sqrt()) as f32;
    });
}

/// Elements that `f` gets side by side, and what holds for them: the row, the first channel, and whether each further
/// element is of the next channel.
fn runs(geometry: &Geometry, block: usize, f: &mut dyn FnMut(usize, std::ops::Range<usize>, usize, bool)) {
    let inner = geometry.inner.max(1);
    if geometry.batch {
        (0..geometry.channels).for_each(|c| f(c, c * inner..(c + 1) * inner, c, false));
    } else {
        let first = block % geometry.groups().max(1) * geometry.per;
        if inner == 1 {
            f(block, 0..geometry.n, first, true);
        } else {
            (0..geometry.per).for_each(|c| f(block, c * inner..(c + 1) * inner, first + c, false));
        }
    }
}

/// Elements that `runs` walks through at a time.
fn block(geometry: &Geometry) -> usize {
    if geometry.batch { geometry.channels * geometry.inner } else { geometry.n }
}

/// The result from the statistics.
pub(super) fn normalise(
    geometry: &Geometry,
    x: &[f32],
    rows: &[f32],
    weight: Option<&[f32]>,
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let size = block(geometry);
    each(y, size, x.len(), |(b, y)| {
        let x = &x[b * size..][..y.len()];
        runs(geometry, b, &mut |row, range, channel, each| {
            let (high, low, scale) = (rows[3 * row], rows[3 * row + 1], rows[3 * row + 2]);
            let (x, y) = (&x[range.clone()], &mut y[range]);
            vectorised(|| {
                if each {
                    y.iter_mut().zip(x).for_each(|(y, x)| *y = ((x - high) - low) * scale);
                    if let Some(weight) = weight {
                        y.iter_mut().zip(&weight[channel..]).for_each(|(y, w)| *y *= w);
                    }
                    if let Some(bias) = bias {
                        y.iter_mut().zip(&bias[channel..]).for_each(|(y, b)| *y += b);
                    }
                } else {
                    let weight = weight.map_or(1.0, |w| w[channel]);
                    let bias = bias.map_or(0.0, |b| b[channel]);
                    y.iter_mut().zip(x).for_each(|(y, x)| *y = ((x - high) - low) * scale * weight + bias);
                }
            });
        });
    });
}

/// The gradient to x.
pub(super) fn input_gradient(
    geometry: &Geometry,
    centred: bool,
    [x, g, rows]: [&[f32]; 3],
    weight: Option<&[f32]>,
    out: &mut [f32],
) {
    // Two sums a row: of h = g weight, and of h times the normalised x.
    let mut sums = vec![0.0f32; 2 * geometry.rows];
    each(&mut sums, 2, x.len(), |(r, out)| {
        let (x, g) = (row(geometry, x, r), row(geometry, g, r));
        let (high, low, scale) = (rows[3 * r], rows[3 * r + 1], rows[3 * r + 2]);
        let (mut plain, mut dot) = ([0.0f64; 8], [0.0f64; 8]);
        let first = if geometry.batch { r } else { r % geometry.groups().max(1) * geometry.per };
        let span = if geometry.batch { geometry.n } else { geometry.inner }.max(1);
        vectorised(|| {
            let mut add = |x: &[f32], g: &[f32], w: &dyn Fn(usize) -> f32| {
                for (k, (x, g)) in x.chunks(8).zip(g.chunks(8)).enumerate() {
                    for (i, (x, g)) in x.iter().zip(g).enumerate() {
                        let h = f64::from(g * w(8 * k + i));
                        plain[i] += h;
                        dot[i] += h * f64::from(((x - high) - low) * scale);
                    }
                }
            };
            match weight {
                None => add(&x, &g, &|_| 1.0),
                Some(w) if span == 1 => add(&x, &g, &|i| w[first + i]),
                Some(w) => {
                    for (c, (x, g)) in x.chunks(span).zip(g.chunks(span)).enumerate() {
                        add(x, g, &|_| w[first + c]);
                    }
                }
            }
        });
        let n = geometry.n as f64;
        out[0] = if centred { (plain.iter().sum::<f64>() / n) as f32 } else { 0.0 };
        out[1] = (dot.iter().sum::<f64>() / n) as f32;
    });
    let size = block(geometry);
    each(out, size, x.len(), |(b, out)| {
        let (x, g) = (&x[b * size..][..out.len()], &g[b * size..][..out.len()]);
        runs(geometry, b, &mut |row, range, channel, each| {
            let (high, low, scale) = (rows[3 * row], rows[3 * row + 1], rows[3 * row + 2]);
            let (mean, dot) = (sums[2 * row], sums[2 * row + 1]);
            let (x, g, out) = (&x[range.clone()], &g[range.clone()], &mut out[range]);
            let finish = |h: f32, x: f32| (h - mean - ((x - high) - low) * scale * dot) * scale;
            vectorised(|| match weight {
                Some(w) if each => {
                    for (((out, &x), &g), &w) in out.iter_mut().zip(x).zip(g).zip(&w[channel..]) {
                        *out = finish(g * w, x);
                    }
                }
                _ => {
                    let w = weight.map_or(1.0, |w| w[channel]);
                    out.iter_mut().zip(x).zip(g).for_each(|((out, &x), &g)| *out = finish(g * w, x));
                }
            });
        });
    });
}

/// The gradient to weight.
pub(super) fn weight_gradient(geometry: &Geometry, [x, g, rows]: [&[f32]; 3], out: &mut [f32]) {
    let (channels, inner) = (geometry.channels, geometry.inner);
    let per_part = geometry.outer.div_ceil(PARTS).max(1);
    let part = |part: usize| {
        let mut sums = vec![0.0f64; channels];
        for o in part * per_part..((part + 1) * per_part).min(geometry.outer) {
            for (c, sum) in sums.iter_mut().enumerate() {
                let row = geometry.row(o, c);
                let (high, low, scale) = (rows[3 * row], rows[3 * row + 1], rows[3 * row + 2]);
                let at = (o * channels + c) * inner;
                let mut lanes = [0.0f64; 8];
                for (x, g) in x[at..at + inner].chunks(8).zip(g[at..at + inner].chunks(8)) {
                    for ((l, x), g) in lanes.iter_mut().zip(x).zip(g) {
                        *l += f64::from(*g) * f64::from(((x - high) - low) * scale);
                    }
                }
                *sum += lanes.iter().sum::<f64>();
            }
        }
        sums
    };
    let parts = geometry.outer.div_ceil(per_part);
    let all: Vec<Vec<f64>> = if x.len() < PARALLEL {
        (0..parts).map(part).collect()
    } else {
        (0..parts).into_par_iter().map(part).collect()
    };
    for (c, out) in out.iter_mut().enumerate() {
        *out = all.iter().map(|sums| sums[c]).sum::<f64>() as f32;
    }
}
