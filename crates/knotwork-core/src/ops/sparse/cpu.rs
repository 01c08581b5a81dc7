//! The fast CPU path: ranges of rows with about as many entries each in parallel.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    compressed::{Compressed, pieces},
    dots,
    op::{Kind, Sizes, Sparse},
    rows::{self, Operands},
};
use crate::cpu::{CpuIo, widest_arch};

/// Below so many products a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;
/// Ranges for each thread: entries say little of what caches do.
const RANGES: usize = 4;

pub(super) fn run(op: &Sparse, io: &mut CpuIo<'_>) -> Result<bool, String> {
    let sizes = op.sizes(|i| io.inputs[i].layout.shape().to_vec(), io.outputs[0].shape);
    let Sizes { entries, bound, columns, side, .. } = sizes;
    let at = op.pattern_at();
    let first = if at == 0 { 2 } else { 0 };
    let (Some(left), Some(right)) = (io.inputs[first].f32(), io.inputs[3].f32()) else { return Ok(false) };
    let Some(pattern) = Compressed::new(&io.inputs[at], &io.inputs[at + 1], bound)? else { return Ok(false) };
    let Some(out) = io.outputs[0].f32() else { return Ok(false) };
    if out.is_empty() {
        return Ok(true);
    }
    if columns == 0 {
        out.fill(0.0);
        return Ok(true);
    }
    let parallel = entries * side * side * columns >= PARALLEL;
    let most = if parallel { RANGES * rayon::current_num_threads() } else { 1 };
    let operands = |steps| Operands { values: left, dense: right, columns, side, steps };
    match op.kind {
        Kind::Sampled => {
            let size = |range: &Range<usize>| {
                (pattern.starts[range.end] - pattern.starts[range.start]) as usize * side * side
            };
            each(pieces(pattern.starts, most), size, out, |range, out| {
                widest_arch().dispatch(dots::Task {
                    left,
                    right,
                    width: columns,
                    side,
                    first: range.start,
                    starts: &pattern.starts[range.start..=range.end],
                    columns: pattern.columns,
                    out,
                });
            });
        }
        Kind::Product => {
            let entry = |k: usize| (k, pattern.columns[k] as usize);
            sums(operands([side, 1]), entry, pattern.starts, most, out);
        }
        Kind::Transposed { .. } => {
            let (starts, order) = pattern.by_column(bound);
            let entry = |p: usize| (order[p][0] as usize, order[p][1] as usize);
            sums(operands([1, side]), entry, &starts, most, out);
        }
    }
    Ok(true)
}

/// All rows of a product.
fn sums(
    operands: Operands<'_>,
    entry: impl Fn(usize) -> (usize, usize) + Copy + Sync,
    starts: &[u32],
    most: usize,
    out: &mut [f32],
) {
    let size = |range: &Range<usize>| range.len() * operands.side * operands.columns;
    each(pieces(starts, most), size, out, |range, out| {
        let starts = &starts[range.start..=range.end];
        widest_arch().dispatch(rows::Task { operands, entry, starts, out });
    });
}

/// Calls `f` with each range and its part of `out`; the parts lie one behind the other.
fn each(
    ranges: Vec<Range<usize>>,
    size: impl Fn(&Range<usize>) -> usize,
    out: &mut [f32],
    f: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let mut rest = out;
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (part, behind) = std::mem::take(&mut rest).split_at_mut(size(&range));
        rest = behind;
        parts.push((range, part));
    }
    if parts.len() == 1 {
        parts.into_iter().for_each(|(range, part)| f(range, part));
    } else {
        parts.into_par_iter().for_each(|(range, part)| f(range, part));
    }
}
