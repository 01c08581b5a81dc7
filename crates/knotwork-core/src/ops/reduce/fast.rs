//! The CPU's reductions in f32, over memory in its own order: every element is read once, by all threads where there are
//! many. What is added to what depends on the sizes only.

use rayon::prelude::*;

use super::{
    super::{
        elementwise::vectorised,
        extremes::{larger, largest, smaller, smallest},
    },
    Kind,
};
use crate::Layout;

/// Elements of a block that is summed in one go: with lanes, the error is that of its sixteenth.
const BLOCK: usize = 128;
/// Elements that are worth a task of their own.
const TASK: usize = 1 << 14;
/// Rows narrower than this are taken several at a time.
const NARROW: usize = 32;

/// A run of dimensions that lie behind each other in memory, all reduced or all kept.
#[derive(Clone, Copy, Debug)]
struct Run {
    n: usize,
    reduced: bool,
}

/// Reduces `x`, whose `layout` (offset apart) is some order of dense dimensions. `false` where it is not.
pub(super) fn reduce(kind: Kind, x: &[f32], layout: &Layout, dims: &[usize], out: &mut [f32]) -> bool {
    let shape = layout.shape();
    let mut order: Vec<usize> = (0..shape.len()).filter(|&d| shape[d] != 1).collect();
    order.sort_by_key(|&d| std::cmp::Reverse(layout.strides()[d]));
    let mut stride = 1;
    for &d in order.iter().rev() {
        if layout.strides()[d] != stride {
            return false;
        }
        stride *= shape[d];
    }
    if x.len() != stride || stride == 0 {
        return false;
    }
    let mut runs: Vec<Run> = Vec::new();
    for &d in &order {
        let reduced = dims.contains(&d);
        match runs.last_mut() {
            Some(last) if last.reduced == reduced => last.n *= shape[d],
            _ => runs.push(Run { n: shape[d], reduced }),
        }
    }
    let count: usize = dims.iter().map(|&d| shape[d]).product();
    // The kept dimensions in memory's order, and whether that is the output's.
    let kept: Vec<usize> = order.iter().copied().filter(|d| !dims.contains(d)).collect();
    if kept.is_sorted() {
        in_order(kind, x, runs, out);
    } else {
        let mut moved = vec![0.0; out.len()];
        in_order(kind, x, runs, &mut moved);
        permute(&moved, &kept, shape, out);
    }
    if kind == Kind::Mean {
        out.iter_mut().for_each(|o| *o /= count as f32);
    }
    true
}

/// Takes away one run after the other, the innermost first.
fn in_order(kind: Kind, x: &[f32], mut runs: Vec<Run>, out: &mut [f32]) {
    let Some(at) = runs.iter().rposition(|r| r.reduced) else {
        out.copy_from_slice(x);
        return;
    };
    let n = runs[at].n;
    let inner: usize = runs[at + 1..].iter().map(|r| r.n).product();
    runs.remove(at);
    if runs.iter().any(|r| r.reduced) {
        let mut less = vec![0.0; x.len() / n];
        middle(kind, x, &mut less, n, inner);
        in_order(kind, &less, runs, out);
    } else {
        middle(kind, x, out, n, inner);
    }
}

/// Reduces the middle of outer × n × inner.
fn middle(kind: Kind, x: &[f32], out: &mut [f32], n: usize, inner: usize) {
    let own = |(out, x): (&mut [f32], &[f32])| {
        if inner == 1 {
            rows(kind, x, out, n)
        } else {
            out.chunks_mut(inner).zip(x.chunks(n * inner)).for_each(|(out, x)| columns(kind, x, out))
        }
    };
    // As many outer indices as fill a task.
    let many = TASK.div_ceil(n * inner);
    if x.len() < 2 * TASK {
        own((out, x));
    } else if inner == 1 && n >= 2 * TASK {
        out.par_iter_mut().zip(x.par_chunks(n)).for_each(|(out, x)| *out = long(kind, x));
    } else if inner > 1 && n * inner >= 2 * TASK {
        out.par_chunks_mut(inner).zip(x.par_chunks(n * inner)).for_each(|(out, x)| tall(kind, x, out));
    } else {
        out.par_chunks_mut(many * inner).zip(x.par_chunks(many * n * inner)).for_each(own);
    }
}

/// A row that is worth several tasks: halves, as in [`pairwise`].
fn long(kind: Kind, x: &[f32]) -> f32 {
    if x.len() < 2 * TASK {
        let mut out = [0.0];
        rows(kind, x, &mut out, x.len());
        return out[0];
    }
    let (a, b) = x.split_at(half(x.len()));
    let (a, b) = rayon::join(|| long(kind, a), || long(kind, b));
    join(kind, a, b)
}

/// Columns that are worth several tasks: upper and lower rows, to tasks of the same size whatever the threads.
fn tall(kind: Kind, x: &[f32], out: &mut [f32]) {
    let inner = out.len();
    let rows = x.len() / inner;
    if x.len() < 2 * TASK || rows < 2 * BLOCK {
        if x.len() < 2 * TASK || inner < 2 * NARROW {
            columns(kind, x, out);
            return;
        }
        // Few long rows: each task takes some of the columns.
        let width = (TASK / rows).max(NARROW);
        out.par_chunks_mut(width).enumerate().for_each(|(k, out)| {
            vectorised(
                #[inline(always)]
                || {
                    let first = k * width;
                    out.copy_from_slice(&x[first..][..out.len()]);
                    for row in 1..rows {
                        join_all(kind, out, &x[row * inner + first..][..out.len()]);
                    }
                },
            );
        });
        return;
    }
    let (upper, lower) = x.split_at(rows / 2 * inner);
    let mut other = vec![0.0; inner];
    rayon::join(|| tall(kind, upper, out), || tall(kind, lower, &mut other));
    join_all(kind, out, &other);
}

#[inline(always)]
fn join(kind: Kind, a: f32, b: f32) -> f32 {
    match kind {
        Kind::Max => larger(a, b),
        Kind::Min => smaller(a, b),
        Kind::Sum | Kind::Mean => a + b,
    }
}

#[inline(always)]
fn join_all(kind: Kind, to: &mut [f32], from: &[f32]) {
    let each = to.iter_mut().zip(from);
    match kind {
        Kind::Max => each.for_each(|(m, &v)| *m = larger(*m, v)),
        Kind::Min => each.for_each(|(m, &v)| *m = smaller(*m, v)),
        Kind::Sum | Kind::Mean => each.for_each(|(s, &v)| *s += v),
    }
}

/// Rows of n elements, one behind the other.
fn rows(kind: Kind, x: &[f32], out: &mut [f32], n: usize) {
    let each = out.iter_mut().zip(x.chunks_exact(n));
    vectorised(
        #[inline(always)]
        || match kind {
            Kind::Max => each.for_each(|(o, row)| *o = largest(row)),
            Kind::Min => each.for_each(|(o, row)| *o = smallest(row)),
            Kind::Sum | Kind::Mean => each.for_each(|(o, row)| *o = pairwise(row)),
        },
    );
}

/// Rows joined elementwise. Narrow rows are first joined several at a time, as one wide one.
fn columns(kind: Kind, x: &[f32], out: &mut [f32]) {
    let inner = out.len();
    let several = 2 * NARROW / inner;
    if several < 2 || x.len() < 4 * several * inner {
        vectorised(
            #[inline(always)]
            || down(kind, x, out),
        );
        return;
    }
    let width = several * inner;
    let (whole, rest) = x.split_at(x.len() / width * width);
    let mut wide = vec![0.0; width];
    vectorised(
        #[inline(always)]
        || {
            down(kind, whole, &mut wide);
            out.copy_from_slice(&wide[..inner]);
            wide[inner..].chunks_exact(inner).for_each(|row| join_all(kind, out, row));
            rest.chunks_exact(inner).for_each(|row| join_all(kind, out, row));
        },
    );
}

/// All rows joined into one; sums in blocks of rows, and these pairwise: a binary counter of partial sums, so that the error
/// grows with the logarithm of the number of rows.
#[inline(always)]
fn down(kind: Kind, x: &[f32], out: &mut [f32]) {
    let inner = out.len();
    if matches!(kind, Kind::Max | Kind::Min) || x.len() <= BLOCK * inner {
        out.copy_from_slice(&x[..inner]);
        x[inner..].chunks_exact(inner).for_each(|row| join_all(kind, out, row));
        return;
    }
    let mut levels = vec![vec![0.0f32; inner]];
    let mut blocks = 0usize;
    for rows in x.chunks(BLOCK * inner) {
        levels[0].copy_from_slice(&rows[..inner]);
        rows[inner..].chunks_exact(inner).for_each(|row| join_all(kind, &mut levels[0], row));
        let carries = blocks.trailing_ones() as usize;
        while levels.len() < carries + 2 {
            levels.push(vec![0.0; inner]);
        }
        for level in 1..=carries {
            let (below, above) = levels.split_at_mut(level);
            join_all(kind, &mut below[0], &above[0]);
        }
        let (below, above) = levels.split_at_mut(carries + 1);
        above[0].copy_from_slice(&below[0]);
        blocks += 1;
    }
    // What is left in the counter, from the fewest blocks to the most.
    out.fill(0.0);
    (0..usize::BITS as usize)
        .filter(|bit| blocks >> bit & 1 == 1)
        .for_each(|bit| join_all(kind, out, &levels[bit + 1]));
}

/// Where a long row is halved.
#[inline(always)]
fn half(n: usize) -> usize {
    n / 2 / 8 * 8
}

/// A sum whose error grows with the logarithm of its length: halves, down to blocks of eight lanes.
#[inline(always)]
fn pairwise(x: &[f32]) -> f32 {
    if x.len() > BLOCK { halves(x) } else { block(x) }
}

fn halves(x: &[f32]) -> f32 {
    if x.len() <= BLOCK {
        return vectorised(
            #[inline(always)]
            || block(x),
        );
    }
    let (a, b) = x.split_at(half(x.len()));
    halves(a) + halves(b)
}

#[inline(always)]
fn block(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let chunks = x.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().sum();
    if x.len() < 8 {
        return rest;
    }
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(l, &v)| *l += v);
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
}

/// From memory's order of the kept dimensions to the output's.
fn permute(from: &[f32], kept: &[usize], shape: &[usize], out: &mut [f32]) {
    // Strides of each kept dimension in the output.
    let stride = |d: usize| kept.iter().filter(|&&e| e > d).map(|&e| shape[e]).product::<usize>();
    let strides: Vec<usize> = kept.iter().map(|&d| stride(d)).collect();
    let mut index = vec![0; kept.len()];
    let mut at = 0;
    for &value in from {
        out[at] = value;
        for k in (0..kept.len()).rev() {
            index[k] += 1;
            at += strides[k];
            if index[k] < shape[kept[k]] {
                break;
            }
            at -= index[k] * strides[k];
            index[k] = 0;
        }
    }
}
