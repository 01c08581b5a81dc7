//! A panel: the scores of some queries of one head against the keys of some blocks, side by side, and what comes of
//! them. What a query does not see is 0 in the end.

use super::{
    Normalizer,
    blocks::{Entry, Line, SIDE},
    fast::Job,
    op::BiasForm,
};
use crate::{
    cpu::{Matrix, product, widest_arch},
    ops::{elementwise::math, sparse_map::map_row},
};

/// Neighbouring keys, and where their columns begin in the panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub column: usize,
    pub key: usize,
    pub width: usize,
    bits: Option<usize>,
}

/// Which queries: `rows` from `first` on, within head `head` of batch `batch`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queries {
    pub batch: usize,
    pub head: usize,
    pub first: usize,
    pub rows: usize,
}

/// Reused from panel to panel.
#[derive(Default)]
pub(super) struct Panel {
    /// One block each.
    blocks: Vec<Span>,
    /// Blocks that touch, joined.
    pub runs: Vec<Span>,
    pub width: usize,
    /// Scores, then weights.
    pub weights: Vec<f32>,
    /// The cotangents of the weights, then those of the products of queries and keys, over the scale.
    pub cotangents: Vec<f32>,
    /// The derivative of the capped scores by the plain ones, where there is a cap.
    slope: Vec<f32>,
    seen: Vec<f32>,
    shares: Vec<f32>,
}

/// Runs loops compiled for the widest vectors: rows of a panel are long.
#[inline(always)]
fn long_rows(f: impl FnOnce()) {
    widest_arch().dispatch(f);
}

/// Puts `other` where a bit is 0.
#[inline(always)]
fn keep(values: &mut [f32], bits: u64, other: f32) {
    for (half, values) in values.chunks_mut(32).enumerate() {
        let bits = (bits >> (32 * half)) as u32;
        for (k, v) in values.iter_mut().enumerate() {
            *v = if bits >> k & 1 == 0 { other } else { *v };
        }
    }
}

/// The largest; a NaN may be lost.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 32];
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let chunks = values.chunks_exact(32);
    let rest = chunks.remainder().iter().fold(f32::NEG_INFINITY, |m, &v| larger(m, v));
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(m, &v)| *m = larger(*m, v));
    }
    lanes.into_iter().fold(rest, larger)
}

#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 32];
    for chunk in values.chunks(32) {
        lanes.iter_mut().zip(chunk).for_each(|(sum, &v)| *sum += v);
    }
    lanes.iter().sum()
}

/// How weights follow their scores.
#[inline(always)]
fn follow(normalizer: Normalizer, p: f32) -> f32 {
    match normalizer {
        Normalizer::Softmax => p,
        // NaN stays.
        Normalizer::Sparsemax => {
            if p > 0.0 {
                1.0
            } else {
                p
            }
        }
        Normalizer::Entmax15 => p.sqrt(),
    }
}

impl Panel {
    /// Takes the blocks of a line, or some of them.
    pub fn lay(&mut self, entries: &[Entry], keys: usize) {
        self.blocks.clear();
        self.runs.clear();
        self.width = 0;
        for entry in entries {
            let key = entry.block * SIDE;
            let span = Span { column: self.width, key, width: SIDE.min(keys - key), bits: entry.bits };
            self.width += span.width;
            self.blocks.push(span);
            match self.runs.last_mut() {
                Some(run) if run.key + run.width == key => run.width += span.width,
                _ => self.runs.push(span),
            }
        }
    }

    /// The words of bits of each block for row `row` of the line.
    fn words<'a>(&'a self, line: &'a Line, row: usize) -> impl Iterator<Item = (Span, u64)> + 'a {
        self.blocks.iter().filter_map(move |&span| Some((span, *line.bits.get(span.bits? + row)?)))
    }

    fn hide(&self, line: &Line, row: usize, values: &mut [f32], other: f32) {
        for (span, bits) in self.words(line, row) {
            keep(&mut values[span.column..][..span.width], bits, other);
        }
    }

    /// How many keys the row sees.
    fn count(&self, line: &Line, row: usize) -> usize {
        let hidden: usize =
            self.words(line, row).map(|(span, bits)| span.width - bits.count_ones() as usize).sum();
        self.width - hidden
    }

    /// The scores, whatever the mask says.
    pub fn score(&mut self, job: &Job<'_>, q: &Queries) {
        let s = &job.op.setting;
        let scale = s.scale.unwrap_or(1.0 / (job.d as f64).sqrt()) as f32;
        let (queries, keys) = (job.queries_of(q), job.keys_of(q));
        self.weights.resize(q.rows * self.width, 0.0);
        for run in &self.runs {
            let key = Matrix::rows(&keys[run.key * job.d..], job.d).transposed();
            let to = &mut self.weights[run.column..];
            let size = [q.rows, run.width, job.d];
            product(size, scale, Matrix::rows(queries, job.d), key, to, self.width, false);
        }
        if let Some(c) = s.softcap {
            self.slope.resize(self.weights.len(), 0.0);
            let (c, weights, slope) = (c as f32, &mut self.weights, &mut self.slope);
            long_rows(
                #[inline(always)]
                || {
                    for (score, slope) in weights.iter_mut().zip(slope) {
                        let x = *score / c;
                        (*score, *slope) = (c * math::tanh(x), math::sech2(x));
                    }
                },
            );
        }
        if s.alibi {
            let rate = libm::exp2(-8.0 * (q.head + 1) as f64 / job.h as f64) as f32;
            for (row, scores) in self.weights.chunks_exact_mut(self.width.max(1)).enumerate() {
                let from = (q.first + row + job.lk) as i32;
                for run in &self.runs {
                    let to = scores[run.column..][..run.width].iter_mut();
                    let first = (run.key + job.lq) as i32 - from;
                    to.zip(first..).for_each(|(score, distance)| *score += rate * distance as f32);
                }
            }
        }
        if s.bias.is_some() {
            let side_by_side = s.bias == Some(BiasForm::Scores) && job.bias_shape[2] > 1;
            for (row, scores) in self.weights.chunks_exact_mut(self.width.max(1)).enumerate() {
                for run in &self.runs {
                    let to = scores[run.column..][..run.width].iter_mut();
                    let at = |key: usize| job.bias_place(q.head, q.first + row, key);
                    if side_by_side {
                        to.zip(&job.bias[at(run.key)..]).for_each(|(score, bias)| *score += bias);
                    } else {
                        to.zip(run.key..).for_each(|(score, key)| *score += job.bias[at(key)]);
                    }
                }
            }
        }
    }

    /// Scores to weights by rows that are whole. Softmax leaves them as they are before the division by their sum. Gives
    /// the numbers that describe each row.
    pub fn normalize(&mut self, job: &Job<'_>, line: &Line, first: usize, rows: &mut [f32]) {
        let mut weights = std::mem::take(&mut self.weights);
        let soft = job.op.setting.normalizer == Normalizer::Softmax;
        long_rows(
            #[inline(always)]
            || {
                for (row, numbers) in rows.chunks_exact_mut(4).enumerate() {
                    let values = &mut weights[row * self.width..][..self.width];
                    numbers.copy_from_slice(&if self.count(line, first + row) == 0 {
                        values.fill(0.0);
                        [0.0; 4]
                    } else if soft {
                        self.soft_row(line, first + row, values)
                    } else {
                        self.sparse_row(job.op.setting.normalizer, line, first + row, values)
                    });
                }
            },
        );
        self.weights = weights;
    }

    #[inline(always)]
    fn soft_row(&self, line: &Line, row: usize, values: &mut [f32]) -> [f32; 4] {
        self.hide(line, row, values, f32::NEG_INFINITY);
        let most = largest(values);
        values.iter_mut().for_each(|v| *v = math::exp(*v - most));
        let total = sum(values);
        if most.is_finite() && total.is_finite() {
            return [most, total, 0.0, 0.0];
        }
        values.fill(f32::NAN);
        self.hide(line, row, values, 0.0);
        [most, f32::NAN, 0.0, 0.0]
    }

    /// The keys that the row sees are gathered, for what it does not see must not count.
    #[inline(always)]
    fn sparse_row(
        &mut self,
        normalizer: Normalizer,
        line: &Line,
        row: usize,
        values: &mut [f32],
    ) -> [f32; 4] {
        let (mut seen, mut shares) = (std::mem::take(&mut self.seen), std::mem::take(&mut self.shares));
        let bits =
            |span: &Span| span.bits.and_then(|at| line.bits.get(at + row).copied()).unwrap_or(u64::MAX);
        seen.clear();
        for span in &self.blocks {
            let bits = bits(span);
            let all = values[span.column..][..span.width].iter().enumerate();
            seen.extend(all.filter(|(k, _)| bits >> k & 1 == 1).map(|(_, v)| *v));
        }
        shares.resize(seen.len(), 0.0);
        let most = seen.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m || v.is_nan() { v } else { m });
        let tau = map_row(normalizer == Normalizer::Entmax15, &seen, &mut shares);
        let mut next = shares.iter();
        for span in &self.blocks {
            let bits = bits(span);
            for (k, v) in values[span.column..][..span.width].iter_mut().enumerate() {
                *v = if bits >> k & 1 == 1 { next.next().copied().unwrap_or(0.0) } else { 0.0 };
            }
        }
        (self.seen, self.shares) = (seen, shares);
        [most, tau, 0.0, 0.0]
    }

    /// Scores to weights by the numbers of their rows.
    pub fn weigh(&mut self, job: &Job<'_>, line: &Line, first: usize, rows: &[f32]) {
        let mut weights = std::mem::take(&mut self.weights);
        let normalizer = job.op.setting.normalizer;
        long_rows(
            #[inline(always)]
            || {
                for (row, numbers) in rows.chunks_exact(4).enumerate() {
                    let values = &mut weights[row * self.width..][..self.width];
                    let (most, normal) = (numbers[0], numbers[1]);
                    let above = |t: f32| if t <= 0.0 { 0.0 } else { t };
                    match normalizer {
                        Normalizer::Softmax => {
                            let factor = 1.0 / normal;
                            values.iter_mut().for_each(|v| *v = math::exp(*v - most) * factor);
                        }
                        Normalizer::Sparsemax => {
                            values.iter_mut().for_each(|v| *v = above(*v - most - normal));
                        }
                        Normalizer::Entmax15 => {
                            for v in values.iter_mut() {
                                let t = above((*v - most) * 0.5 - normal);
                                *v = t * t;
                            }
                        }
                    }
                    self.hide(line, first + row, values, 0.0);
                }
            },
        );
        self.weights = weights;
    }

    /// The cotangents of the weights, 0 for what is not seen.
    pub fn pull(&mut self, job: &Job<'_>, line: &Line, first: usize, q: &Queries) {
        let mut all = std::mem::take(&mut self.cotangents);
        all.resize(q.rows * self.width, 0.0);
        let (g, values) = (job.cotangents_of(q), job.values_of(q));
        for run in &self.runs {
            let value = Matrix::rows(&values[run.key * job.dv..], job.dv).transposed();
            let size = [q.rows, run.width, job.dv];
            product(size, 1.0, Matrix::rows(g, job.dv), value, &mut all[run.column..], self.width, false);
        }
        for (row, values) in all.chunks_exact_mut(self.width.max(1)).enumerate() {
            self.hide(line, first + row, values, 0.0);
        }
        self.cotangents = all;
    }

    /// Puts the mean of the cotangents of each row among its numbers.
    pub fn average(&self, job: &Job<'_>, rows: &mut [f32]) {
        let normalizer = job.op.setting.normalizer;
        long_rows(
            #[inline(always)]
            || {
                for (row, numbers) in rows.chunks_exact_mut(4).enumerate() {
                    let (p, dy) = (&self.weights[row * self.width..], &self.cotangents[row * self.width..]);
                    let (mut sums, mut totals) = ([0.0f64; 16], [0.0f64; 16]);
                    for (p, dy) in p[..self.width].chunks(16).zip(dy[..self.width].chunks(16)) {
                        let lanes = sums.iter_mut().zip(&mut totals);
                        for ((sum, total), (&p, &dy)) in lanes.zip(p.iter().zip(dy)) {
                            let f = follow(normalizer, p);
                            *sum += f64::from(f) * f64::from(dy);
                            *total += f64::from(f);
                        }
                    }
                    let (sum, total) = (sums.iter().sum::<f64>(), totals.iter().sum::<f64>());
                    numbers[3] = if total == 0.0 { 0.0 } else { (sum / total) as f32 };
                }
            },
        );
    }

    /// The cotangents of the weights to those of the plain scores.
    pub fn differentiate(&mut self, job: &Job<'_>, rows: &[f32]) {
        let normalizer = job.op.setting.normalizer;
        let (weights, slope, width) = (&self.weights, &self.slope, self.width);
        let all = &mut self.cotangents;
        long_rows(
            #[inline(always)]
            || {
                for (row, numbers) in rows.chunks_exact(4).enumerate() {
                    let mean = numbers[3];
                    let values = &mut all[row * width..][..width];
                    for (dy, &p) in values.iter_mut().zip(&weights[row * width..]) {
                        *dy = follow(normalizer, p) * (*dy - mean);
                    }
                    if job.op.setting.softcap.is_some() {
                        let slope = &slope[row * width..];
                        values.iter_mut().zip(slope).for_each(|(dy, slope)| *dy *= slope);
                    }
                }
            },
        );
    }
}
