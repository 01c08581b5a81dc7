//! The CPU path in f32: the keys of each key head in pieces of a fixed length, each on whichever thread is free, then the
//! pieces of a row put together in their order. No sum depends on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    op::{DecodeOp, Setting, Sizes, alibi_rate},
    reference::length,
};
use crate::{
    cpu::{CpuIo, Matrix, product, widest_arch},
    ops::elementwise::math,
};

/// Below so many products a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;
/// Keys of a piece.
const PIECE: usize = 512;
/// From so many rows on a product of matrices is faster than one row after the other.
const MATRIX: usize = 4;
const LANES: usize = 16;

/// Rows somewhere in memory: the first, and the steps between batches, heads and rows.
#[derive(Clone, Copy, Debug)]
struct Rows<'a> {
    data: &'a [f32],
    first: usize,
    steps: [usize; 3],
    width: usize,
}

struct Job<'a> {
    set: &'a Setting,
    s: Sizes,
    q: Rows<'a>,
    k: Rows<'a>,
    v: Rows<'a>,
    lengths: Vec<usize>,
    /// The page table; empty where there are no pages.
    table: Vec<i64>,
}

/// Keys and values that lie at even steps: so many from key `first` on.
struct Run<'a> {
    first: usize,
    count: usize,
    keys: &'a [f32],
    values: &'a [f32],
}

/// What some keys give the rows of a key head.
struct Piece {
    /// The largest score of each row, and the sum of the exponentials of their distances to it.
    most: Vec<f32>,
    total: Vec<f32>,
    /// The values weighted by these exponentials.
    sums: Vec<f32>,
}

impl<'a> Rows<'a> {
    fn from(&self, batch: usize, head: usize, row: usize) -> &'a [f32] {
        let at = self.first + batch * self.steps[0] + head * self.steps[1] + row * self.steps[2];
        self.data.get(at..).unwrap_or(&[])
    }

    fn row(&self, batch: usize, head: usize, row: usize) -> &'a [f32] {
        &self.from(batch, head, row)[..self.width]
    }
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (whole_a, whole_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = whole_a.remainder().iter().zip(whole_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in whole_a.zip(whole_b) {
        lanes.iter_mut().zip(a).zip(b).for_each(|((lane, a), b)| *lane += a * b);
    }
    lanes.iter().sum::<f32>() + rest
}

/// The largest, or NaN where there is one.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let larger = |m: f32, v: f32| if v > m || v.is_nan() { v } else { m };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder().iter().fold(f32::NEG_INFINITY, |m, &v| larger(m, v));
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(m, &v)| *m = larger(*m, v));
    }
    lanes.into_iter().fold(rest, larger)
}

#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for chunk in values.chunks(LANES) {
        lanes.iter_mut().zip(chunk).for_each(|(sum, &v)| *sum += v);
    }
    lanes.iter().sum()
}

impl Job<'_> {
    /// Query rows that share a key head.
    fn rows(&self) -> usize {
        self.s.heads / self.s.kv_heads * self.s.queries
    }

    /// The query head and the query of a row of a key head.
    fn place(&self, kv: usize, row: usize) -> (usize, usize) {
        (kv * (self.s.heads / self.s.kv_heads) + row / self.s.queries, row % self.s.queries)
    }

    fn seen(&self, b: usize, query: usize) -> Range<usize> {
        self.set.seen(self.lengths[b], self.s.queries, query)
    }

    /// The keys that any query of a sequence sees: the first query looks farthest back, the last farthest ahead.
    fn keys(&self, b: usize) -> Range<usize> {
        match self.s.queries {
            0 => 0..0,
            n => self.seen(b, 0).start..self.seen(b, n - 1).end,
        }
    }

    /// A range of keys as runs: one a page.
    fn runs(&self, b: usize, kv: usize, keys: Range<usize>) -> Vec<Run<'_>> {
        let run = |first: usize, count: usize, page: usize, row: usize| {
            let (keys, values) = (self.k.from(page, kv, row), self.v.from(page, kv, row));
            Run { first, count, keys, values }
        };
        if !self.set.paged {
            return vec![run(keys.start, keys.len(), b, keys.start)];
        }
        let (mut runs, mut first, page) = (Vec::new(), keys.start, self.s.page);
        while first < keys.end {
            let (number, row) = (first / page, first % page);
            let count = (page - row).min(keys.end - first);
            runs.push(run(first, count, self.table[b * self.s.pages + number] as usize, row));
            first += count;
        }
        runs
    }

    fn piece(&self, b: usize, kv: usize, keys: Range<usize>) -> Piece {
        let (s, rows, n) = (&self.s, self.rows(), keys.len());
        let mut piece = Piece {
            most: vec![f32::NEG_INFINITY; rows],
            total: vec![0.0; rows],
            sums: vec![0.0; rows * s.value_size],
        };
        // Each row's keys, counted from the first of the piece.
        let seen: Vec<Range<usize>> = (0..rows)
            .map(|row| {
                let seen = self.seen(b, self.place(kv, row).1);
                let start = seen.start.clamp(keys.start, keys.end) - keys.start;
                start..(seen.end.clamp(keys.start, keys.end) - keys.start).max(start)
            })
            .collect();
        // What a row does not see must not be multiplied, not even with 0.
        let as_matrix = rows >= MATRIX && seen.iter().all(|seen| seen.len() == n);
        let mut scores = vec![0.0f32; rows * n];
        let scale = self.set.scale_for(s.size) as f32;
        let runs = self.runs(b, kv, keys.clone());
        let (key_step, value_step) = (self.k.steps[2], self.v.steps[2]);
        let query = |row: usize| {
            let (head, i) = self.place(kv, row);
            self.q.row(b, head, i)
        };
        if as_matrix {
            let queries: Vec<f32> = (0..rows).flat_map(query).copied().collect();
            for run in &runs {
                let by = Matrix::rows(run.keys, key_step).transposed();
                let to = &mut scores[run.first - keys.start..];
                let size = [rows, run.count, s.size];
                product(size, scale, Matrix::rows(&queries, s.size), by, to, n, false);
            }
        }
        widest_arch().dispatch(
            #[inline(always)]
            || {
                for (row, seen) in seen.iter().enumerate().filter(|(_, seen)| !seen.is_empty()) {
                    let scores = &mut scores[row * n..][seen.clone()];
                    // What the row sees of each run, as places in the run and among its scores.
                    let parts = runs.iter().map(|run| {
                        let of = |key: usize| key.clamp(run.first, run.first + run.count) - run.first;
                        let (start, end) = (of(keys.start + seen.start), of(keys.start + seen.end));
                        let at = (run.first + start).saturating_sub(keys.start + seen.start);
                        (run, start, at..at + end - start)
                    });
                    let parts = parts.filter(|(.., part)| !part.is_empty());
                    if !as_matrix {
                        let q = query(row);
                        for (run, start, part) in parts.clone() {
                            for (score, j) in scores[part].iter_mut().zip(start..) {
                                *score = dot(q, &run.keys[j * key_step..][..s.size]) * scale;
                            }
                        }
                    }
                    self.modify(scores, b, self.place(kv, row), keys.start + seen.start);
                    let most = largest(scores);
                    piece.most[row] = most;
                    if most == f32::NEG_INFINITY {
                        scores.fill(0.0);
                    } else {
                        scores.iter_mut().for_each(|v| *v = math::exp(*v - most));
                    }
                    piece.total[row] = sum(scores);
                    if !as_matrix {
                        let y = &mut piece.sums[row * s.value_size..][..s.value_size];
                        for (run, start, part) in parts {
                            add_values(y, &scores[part], &run.values[start * value_step..], value_step);
                        }
                    }
                }
            },
        );
        if as_matrix {
            for run in &runs {
                let size = [rows, s.value_size, run.count];
                let (by, of) = (Matrix::rows(run.values, value_step), &scores[run.first - keys.start..]);
                product(size, 1.0, Matrix::rows(of, n), by, &mut piece.sums, s.value_size, true);
            }
        }
        piece
    }

    /// What makes scores of scaled products, for keys from `first` on.
    #[inline(always)]
    fn modify(&self, scores: &mut [f32], b: usize, (head, query): (usize, usize), first: usize) {
        if let Some(c) = self.set.softcap {
            let c = c as f32;
            scores.iter_mut().for_each(|score| *score = c * math::tanh(*score / c));
        }
        if self.set.alibi {
            let rate = alibi_rate(head, self.s.heads) as f32;
            let position = (self.lengths[b] + query) as i64 - self.s.queries as i64;
            let from = first as i64 - position;
            scores.iter_mut().zip(from..).for_each(|(score, distance)| *score += rate * distance as f32);
        }
    }

    /// The rows of a key head from its pieces.
    fn join(&self, b: usize, kv: usize, pieces: &[Piece], out: &mut [f32]) {
        let width = self.s.value_size;
        for (row, y) in out.chunks_exact_mut(width.max(1)).enumerate() {
            y.fill(0.0);
            if self.seen(b, self.place(kv, row).1).is_empty() {
                continue;
            }
            let larger = |m: f32, p: &Piece| {
                let v = p.most[row];
                if v > m || v.is_nan() { v } else { m }
            };
            let most = pieces.iter().fold(f32::NEG_INFINITY, larger);
            let mut total = 0.0;
            for piece in pieces {
                let lowest = piece.most[row] == f32::NEG_INFINITY;
                let factor = if lowest { 0.0 } else { math::exp(piece.most[row] - most) };
                total += factor * piece.total[row];
                y.iter_mut().zip(&piece.sums[row * width..]).for_each(|(y, sum)| *y += factor * sum);
            }
            // Where all scores are -inf nothing was summed.
            let by = if total == 0.0 { f32::NAN } else { 1.0 / total };
            y.iter_mut().for_each(|y| *y *= by);
        }
    }
}

/// Adds rows of values times their weights, four at a time.
#[inline(always)]
fn add_values(y: &mut [f32], weights: &[f32], rows: &[f32], step: usize) {
    let width = y.len();
    let at = |j: usize| &rows[j * step..][..width];
    let fours = weights.chunks_exact(4);
    let rest = fours.remainder();
    for (n, p) in fours.enumerate() {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| at(4 * n + i));
        for ((((y, a), b), c), d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *y += (p[0] * a + p[1] * b) + (p[2] * c + p[3] * d);
        }
    }
    for (j, p) in (weights.len() - rest.len()..).zip(rest) {
        y.iter_mut().zip(at(j)).for_each(|(y, v)| *y += p * v);
    }
}

/// Runs it where everything is f32; false where not.
///
/// # Errors
/// Where a length lies outside the cache.
pub(super) fn run(op: &DecodeOp, io: &mut CpuIo<'_>) -> Result<bool, String> {
    let rows = |i: usize| {
        let (input, layout) = (&io.inputs[i], io.inputs[i].layout);
        let steps = layout.strides();
        let steps = [steps[0], steps[1], steps[2]];
        Some(Rows { data: input.f32_strided()?, first: layout.offset(), steps, width: layout.shape()[3] })
    };
    let (Some(q), Some(k), Some(v)) = (rows(0), rows(1), rows(2)) else { return Ok(false) };
    let Some(given) = io.inputs[3].indices() else { return Ok(false) };
    let table = match io.inputs.get(4).map(|i| i.indices()) {
        None => Vec::new(),
        Some(Some(table)) => table,
        Some(None) => return Ok(false),
    };
    let shapes: Vec<&[usize]> = io.inputs.iter().map(|i| i.layout.shape()).collect();
    let s = op.sizes(&shapes);
    let lengths = given.iter().enumerate().map(|(at, &n)| length(n, at, s.capacity));
    let lengths = lengths.collect::<Result<Vec<usize>, _>>()?;
    let Some(out) = io.outputs[0].f32() else { return Ok(false) };
    let job = Job { set: &op.setting, s, q, k, v, lengths, table };
    if out.is_empty() {
        return Ok(true);
    }
    // (sequence, key head, keys), and where the pieces of each key head begin.
    let (mut pieces, mut starts, mut work) = (Vec::new(), vec![0], 0);
    for (b, kv) in (0..s.batch).flat_map(|b| (0..s.kv_heads).map(move |kv| (b, kv))) {
        let keys = job.keys(b);
        work += job.rows() * keys.len() * (s.size + s.value_size);
        let all = keys.clone().step_by(PIECE).map(|first| (b, kv, first..(first + PIECE).min(keys.end)));
        pieces.extend(all);
        starts.push(pieces.len());
    }
    let heads = out.chunks_exact_mut(job.rows() * s.value_size).enumerate();
    let join = |(n, out): (usize, &mut [f32]), found: &[Piece]| {
        job.join(n / s.kv_heads, n % s.kv_heads, &found[starts[n]..starts[n + 1]], out);
    };
    let one = |(b, kv, keys): (usize, usize, Range<usize>)| job.piece(b, kv, keys);
    let found: Vec<Piece> = if work < PARALLEL {
        pieces.into_iter().map(one).collect()
    } else {
        pieces.into_par_iter().map(one).collect()
    };
    heads.for_each(|head| join(head, &found));
    Ok(true)
}
