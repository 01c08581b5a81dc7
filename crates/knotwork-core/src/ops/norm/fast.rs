//! The f32 loops of normalisations on the CPU. Sums are kept in f64; their order depends on the sizes only.

use std::borrow::Cow;

use rayon::prelude::*;

use super::geometry::{Geometry, Norm};
use crate::{
    Layout,
    ops::{elementwise::vectorised, pack::pack, var},
};

/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;
/// Partial sums of a weight's gradient, at most.
const PARTS: usize = 16;

/// Single elements, a channel each, lie side by side: the rows are then columns.
fn are_columns(geometry: &Geometry) -> bool {
    geometry.batch && geometry.inner == 1
}

/// The elements with each row's side by side, where rows are columns and that pays.
fn turned<'a>(geometry: &Geometry, x: &'a [f32]) -> Cow<'a, [f32]> {
    let by_rows = || Layout::contiguous(&[geometry.outer, geometry.channels]).permute(&[1, 0]);
    let packed = if are_columns(geometry) { pack(&by_rows(), x) } else { None };
    packed.map_or(Cow::Borrowed(x), Cow::Owned)
}

/// A row's elements, side by side; `turned` is what [`turned`] gave.
fn row<'a>(geometry: &Geometry, x: &[f32], turned: &'a Cow<'a, [f32]>, row: usize) -> Cow<'a, [f32]> {
    if !geometry.batch || matches!(turned, Cow::Owned(_)) {
        return Cow::Borrowed(&turned[row * geometry.n..(row + 1) * geometry.n]);
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
    let by_rows = turned(geometry, x);
    each(out, 3, x.len(), |(r, out)| {
        let row = row(geometry, x, &by_rows, r);
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

/// The three numbers of each row as three lists.
fn by_channel(rows: &[f32]) -> [Vec<f32>; 3] {
    [0, 1, 2].map(|k| rows.iter().copied().skip(k).step_by(3).collect())
}

/// Lines of so many elements that a task takes at once.
fn lines(size: usize) -> usize {
    (4096 / size.max(1)).max(1)
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
    if are_columns(geometry) {
        let [high, low, scale] = by_channel(rows);
        // x weight scale + bias, channel by channel.
        let factor: Vec<f32> = (0..size).map(|c| weight.map_or(1.0, |w| w[c])).collect();
        let shift: Vec<f32> = (0..size).map(|c| bias.map_or(0.0, |b| b[c])).collect();
        return each(y, size * lines(size), x.len(), |(b, y)| {
            let x = &x[b * size * lines(size)..][..y.len()];
            vectorised(
                #[inline(always)]
                || {
                    for (x, y) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)) {
                        for c in 0..size {
                            y[c] = ((x[c] - high[c]) - low[c]) * scale[c] * factor[c] + shift[c];
                        }
                    }
                },
            );
        });
    }
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
    let (x_rows, g_rows) = (turned(geometry, x), turned(geometry, g));
    each(&mut sums, 2, x.len(), |(r, out)| {
        let (x, g) = (row(geometry, x, &x_rows, r), row(geometry, g, &g_rows, r));
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
    if are_columns(geometry) {
        let [high, low, scale] = by_channel(rows);
        let factor: Vec<f32> = (0..size).map(|c| weight.map_or(1.0, |w| w[c])).collect();
        let mean: Vec<f32> = sums.iter().copied().step_by(2).collect();
        let dot: Vec<f32> = sums.iter().copied().skip(1).step_by(2).collect();
        return each(out, size * lines(size), x.len(), |(b, out)| {
            let at = b * size * lines(size);
            let (x, g) = (&x[at..][..out.len()], &g[at..][..out.len()]);
            vectorised(
                #[inline(always)]
                || {
                    let lines = x.chunks_exact(size).zip(g.chunks_exact(size));
                    for ((x, g), out) in lines.zip(out.chunks_exact_mut(size)) {
                        for c in 0..size {
                            let normal = ((x[c] - high[c]) - low[c]) * scale[c];
                            out[c] = (g[c] * factor[c] - mean[c] - normal * dot[c]) * scale[c];
                        }
                    }
                },
            );
        });
    }
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
        if inner == 1 {
            single(
                geometry,
                [x, g, rows],
                part * per_part..((part + 1) * per_part).min(geometry.outer),
                &mut sums,
            );
            return sums;
        }
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

/// Adds up the gradient to weight over some of O, where the elements of a channel lie apart: channel beside channel.
fn single(geometry: &Geometry, [x, g, rows]: [&[f32]; 3], outer: std::ops::Range<usize>, sums: &mut [f64]) {
    let channels = geometry.channels;
    let [high, low, scale] = if geometry.batch { by_channel(rows) } else { [const { Vec::new() }; 3] };
    for o in outer {
        let (x, g) = (&x[o * channels..][..channels], &g[o * channels..][..channels]);
        vectorised(
            #[inline(always)]
            || {
                if geometry.batch {
                    for c in 0..channels {
                        sums[c] += f64::from(g[c]) * f64::from(((x[c] - high[c]) - low[c]) * scale[c]);
                    }
                    return;
                }
                let per = geometry.per.max(1);
                let groups = x.chunks(per).zip(g.chunks(per)).zip(sums.chunks_mut(per));
                for (k, ((x, g), sums)) in groups.enumerate() {
                    let row = o * geometry.groups() + k;
                    let (high, low, scale) = (rows[3 * row], rows[3 * row + 1], rows[3 * row + 2]);
                    for ((x, g), sum) in x.iter().zip(g).zip(sums) {
                        *sum += f64::from(*g) * f64::from(((x - high) - low) * scale);
                    }
                }
            },
        );
    }
}
