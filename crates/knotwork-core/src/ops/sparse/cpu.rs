//! The fast CPU path: rows of the result in parallel, each summed in the order of its entries.

use rayon::prelude::*;

use super::{
    op::{Kind, Sizes, Sparse},
    pattern::Pattern,
};
use crate::cpu::CpuIo;

/// Below so many products a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;
/// Terms that one accumulator takes before sums of sums begin.
const BLOCK: usize = 4;
/// Independent sums of a dot product.
const LANES: usize = 8;

pub(super) fn run(op: &Sparse, io: &mut CpuIo<'_>) -> Result<bool, String> {
    let sizes = op.sizes(|i| io.inputs[i].layout.shape().to_vec(), io.outputs[0].shape);
    let Sizes { entries, bound, columns, side, .. } = sizes;
    let at = op.pattern_at();
    let (Some(indptr), Some(indices)) = (io.inputs[at].indices(), io.inputs[at + 1].indices()) else {
        return Ok(false);
    };
    let first = if at == 0 { 2 } else { 0 };
    let (Some(left), Some(right)) = (io.inputs[first].f32(), io.inputs[3].f32()) else { return Ok(false) };
    let Some(out) = io.outputs[0].f32() else { return Ok(false) };
    let pattern = Pattern::new(&indptr, indices, bound)?;
    if out.is_empty() {
        return Ok(true);
    }
    let parallel = entries * side * side * columns >= PARALLEL;
    match op.kind {
        Kind::Sampled => {
            let entry = |(k, out): (usize, &mut [f32])| {
                for (place, out) in out.iter_mut().enumerate() {
                    let row = pattern.rows[k] * side + place / side;
                    let column = pattern.columns[k] * side + place % side;
                    *out = dot(&left[row * columns..][..columns], &right[column * columns..][..columns]);
                }
            };
            each(out, side * side, parallel, entry);
        }
        Kind::Product => {
            let row = |(i, out): (usize, &mut [f32])| {
                let (row, r) = (i / side, i % side);
                let terms = (pattern.starts[row]..pattern.starts[row + 1]).flat_map(|k| {
                    let (values, b) = ((k * side + r) * side, pattern.columns[k] * side);
                    (0..side).map(move |c| (values + c, b + c))
                });
                sum(terms, left, right, out);
            };
            each(out, columns, parallel, row);
        }
        Kind::Transposed { .. } => {
            let (starts, order) = pattern.by_column(bound);
            let row = |(j, out): (usize, &mut [f32])| {
                let (column, c) = (j / side, j % side);
                let terms = order[starts[column]..starts[column + 1]].iter().flat_map(|&k| {
                    let b = pattern.rows[k] * side;
                    (0..side).map(move |r| ((k * side + r) * side + c, b + r))
                });
                sum(terms, left, right, out);
            };
            each(out, columns, parallel, row);
        }
    }
    Ok(true)
}

fn each(out: &mut [f32], width: usize, parallel: bool, f: impl Fn((usize, &mut [f32])) + Sync + Send) {
    let width = width.max(1);
    if parallel {
        out.par_chunks_mut(width).enumerate().with_min_len(16).for_each(f);
    } else {
        out.chunks_mut(width).enumerate().for_each(f);
    }
}

/// The sum of values[v] times row b of the dense operand over all (v, b): blocks in f32, sums of blocks in f64.
fn sum(terms: impl Iterator<Item = (usize, usize)>, values: &[f32], dense: &[f32], out: &mut [f32]) {
    let columns = out.len();
    let mut total = vec![0.0f64; columns];
    out.fill(0.0);
    let mut held = 0;
    for (v, b) in terms {
        let value = values[v];
        out.iter_mut().zip(&dense[b * columns..]).for_each(|(sum, b)| *sum += value * b);
        held += 1;
        if held == BLOCK {
            total.iter_mut().zip(&mut *out).for_each(|(t, b)| *t += f64::from(std::mem::take(b)));
            held = 0;
        }
    }
    out.iter_mut().zip(total).for_each(|(out, t)| *out = (t + f64::from(*out)) as f32);
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut total = 0.0f64;
    for (a, b) in a.chunks(2 * BLOCK * LANES).zip(b.chunks(2 * BLOCK * LANES)) {
        let mut sums = [0.0f32; LANES];
        let (mut a, mut b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        for (a, b) in a.by_ref().zip(b.by_ref()) {
            for lane in 0..LANES {
                sums[lane] += a[lane] * b[lane];
            }
        }
        let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
        total += sums.iter().map(|&s| f64::from(s)).sum::<f64>() + f64::from(rest);
    }
    total as f32
}
