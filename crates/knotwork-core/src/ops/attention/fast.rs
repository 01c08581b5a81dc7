//! The CPU path in f32: by tiles where there is work enough, else a row of scores at a time, over the keys that the mask
//! allows. Rows that have work enough go to several threads; no sum depends on their number.

use std::borrow::Cow;

use rayon::prelude::*;

use super::{
    Normalizer,
    blocks::Blocks,
    evaluate::{Place, TableData, row as mask_row},
    op::{AttentionOp, BiasForm, PartOf},
    panel::Queries,
    tiled,
};
use crate::{
    cpu::{CpuInput, CpuIo, Slice},
    ops::{
        elementwise::{math, vectorised},
        sparse_map::map_row,
    },
};

/// Below so many products a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;

pub(super) struct Job<'a> {
    pub op: &'a AttentionOp,
    pub q: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    pub bias: &'a [f32],
    pub bias_shape: &'a [usize],
    /// The cotangent and the rows' numbers, where this is a gradient.
    pub cotangent: &'a [f32],
    pub numbers: &'a [f32],
    pub tables: Vec<TableData>,
    pub h: usize,
    pub hkv: usize,
    pub lq: usize,
    pub lk: usize,
    pub d: usize,
    pub dv: usize,
}

/// A query's row, over the keys that take part; reused from row to row.
#[derive(Default)]
struct Row {
    keys: Vec<usize>,
    scores: Vec<f32>,
    /// The derivative of a score by its product.
    slope: Vec<f32>,
    p: Vec<f32>,
    /// How weights follow the scores: p, 1 or √p.
    follow: Vec<f32>,
    /// The cotangents of the scores.
    ds: Vec<f32>,
    sorted: Vec<f32>,
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0.0f32; LANES];
    let (whole_a, whole_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = whole_a.remainder().iter().zip(whole_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in whole_a.zip(whole_b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
fn add_scaled(to: &mut [f32], w: f32, from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(t, x)| *t += w * x);
}

impl Job<'_> {
    fn place(&self, query: usize) -> (usize, usize, usize, usize) {
        let (b, h, i) = (query / (self.lq * self.h), query / self.lq % self.h, query % self.lq);
        (b, h, i, (b * self.hkv + h / (self.h / self.hkv)) * self.lk)
    }

    pub fn bias_place(&self, h: usize, i: usize, j: usize) -> usize {
        let shape = self.bias_shape;
        let at = |dim: usize, x: usize| if shape[dim] == 1 { 0 } else { x };
        if self.op.setting.bias == Some(BiasForm::Relative) {
            let radius = (shape[1] / 2) as isize;
            let distance = j as isize - (i + self.lk) as isize + self.lq as isize;
            return at(0, h) * shape[1] + (distance.clamp(-radius, radius) + radius) as usize;
        }
        (at(0, h) * shape[1] + at(1, i)) * shape[2] + at(2, j)
    }

    /// Vectors of `size` elements of some queries, of an array that has one for each.
    fn some<'b>(&self, all: &'b [f32], q: &Queries, size: usize) -> &'b [f32] {
        &all[((q.batch * self.h + q.head) * self.lq + q.first) * size..][..q.rows * size]
    }

    pub fn queries_of(&self, q: &Queries) -> &[f32] {
        self.some(self.q, q, self.d)
    }

    pub fn cotangents_of(&self, q: &Queries) -> &[f32] {
        self.some(self.cotangent, q, self.dv)
    }

    pub fn numbers_of(&self, q: &Queries) -> &[f32] {
        self.some(self.numbers, q, 4)
    }

    /// All keys of the head.
    pub fn keys_of(&self, q: &Queries) -> &[f32] {
        let size = self.lk * self.d;
        &self.k[(q.batch * self.hkv + q.head / (self.h / self.hkv)) * size..][..size]
    }

    /// All values of the head.
    pub fn values_of(&self, q: &Queries) -> &[f32] {
        let size = self.lk * self.dv;
        &self.v[(q.batch * self.hkv + q.head / (self.h / self.hkv)) * size..][..size]
    }

    fn query(&self, n: usize) -> &[f32] {
        &self.q[n * self.d..][..self.d]
    }

    fn key(&self, n: usize) -> &[f32] {
        &self.k[n * self.d..][..self.d]
    }

    fn value(&self, n: usize) -> &[f32] {
        &self.v[n * self.dv..][..self.dv]
    }

    fn cotangent(&self, n: usize) -> &[f32] {
        &self.cotangent[n * self.dv..][..self.dv]
    }

    /// Weights, and how they follow the products. Gives the numbers that describe the row.
    fn row(&self, query: usize, row: &mut Row) -> [f32; 4] {
        let s = &self.op.setting;
        let (batch, head, i, _) = self.place(query);
        let allowed =
            mask_row(&s.mask, &Place { batch, head, row: i, queries: self.lq, keys: self.lk }, &self.tables);
        row.keys.clear();
        row.keys.extend((0..self.lk).filter(|&j| allowed.get(j) != 0));
        self.scores(query, row);
        // What is kept lies above it: the middle between the k-th score and the next, as in the kernels.
        let mut limit = if s.top_k.is_some() { f32::NEG_INFINITY } else { 0.0 };
        if let Some(k) = s.top_k.filter(|&k| k < row.keys.len()) {
            row.sorted.clone_from(&row.scores);
            let (_, kth, rest) = row.sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
            let kth = *kth;
            let lower = rest.iter().copied().filter(|v| v.total_cmp(&kth).is_lt());
            if let Some(below) = lower.max_by(f32::total_cmp) {
                let middle = 0.5 * below + 0.5 * kth;
                limit = if middle > below && middle <= kth { middle } else { kth };
            }
            // A NaN takes part whatever its rank, so that the row shows it.
            let keep = |v: f32| v.is_nan() || v >= kth || kth.is_nan();
            let mut kept = 0;
            for n in 0..row.keys.len() {
                if keep(row.scores[n]) {
                    (row.keys[kept], row.scores[kept], row.slope[kept]) =
                        (row.keys[n], row.scores[n], row.slope[n]);
                    kept += 1;
                }
            }
            row.keys.truncate(kept);
            row.scores.truncate(kept);
            row.slope.truncate(kept);
        }
        let n = row.keys.len();
        row.p.resize(n, 0.0);
        row.follow.resize(n, 0.0);
        let most = row.scores.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m || v.is_nan() { v } else { m });
        if n == 0 {
            return [0.0, 0.0, 0.0, 0.0];
        }
        if !most.is_finite() {
            row.p.fill(f32::NAN);
            row.follow.fill(f32::NAN);
            return [most, f32::NAN, limit, 0.0];
        }
        let normal = vectorised(
            #[inline(always)]
            || self.weigh(row, most),
        );
        [most, normal, limit, 0.0]
    }

    fn scores(&self, query: usize, row: &mut Row) {
        let s = &self.op.setting;
        let (_, head, i, first) = self.place(query);
        let q = self.query(query);
        let scale = s.scale.unwrap_or(1.0 / (self.d as f64).sqrt()) as f32;
        let n = row.keys.len();
        row.scores.resize(n, 0.0);
        row.slope.clear();
        row.slope.resize(n, scale);
        vectorised(
            #[inline(always)]
            || {
                for (score, &j) in row.scores.iter_mut().zip(&row.keys) {
                    *score = dot(q, self.key(first + j)) * scale;
                }
                if let Some(c) = s.softcap {
                    let c = c as f32;
                    for (score, slope) in row.scores.iter_mut().zip(&mut row.slope) {
                        let x = *score / c;
                        (*score, *slope) = (c * math::tanh(x), scale * math::sech2(x));
                    }
                }
            },
        );
        if s.alibi {
            let rate = libm::exp2(-8.0 * (head + 1) as f64 / self.h as f64) as f32;
            for (score, &j) in row.scores.iter_mut().zip(&row.keys) {
                *score += rate * ((j + self.lq) as isize - (i + self.lk) as isize) as f32;
            }
        }
        if s.bias.is_some() {
            for (score, &j) in row.scores.iter_mut().zip(&row.keys) {
                *score += self.bias[self.bias_place(head, i, j)];
            }
        }
    }

    /// Scores to weights. Gives the sum, or the threshold, that makes them add up to 1.
    #[inline(always)]
    fn weigh(&self, row: &mut Row, most: f32) -> f32 {
        match self.op.setting.normalizer {
            Normalizer::Softmax => {
                row.p.iter_mut().zip(&row.scores).for_each(|(p, s)| *p = math::exp(s - most));
                let mut lanes = [0.0f32; 8];
                for chunk in row.p.chunks(8) {
                    lanes.iter_mut().zip(chunk).for_each(|(l, &v)| *l += v);
                }
                let sum: f32 = lanes.iter().sum();
                row.p.iter_mut().for_each(|p| *p /= sum);
                row.follow.copy_from_slice(&row.p);
                sum
            }
            Normalizer::Sparsemax => {
                let tau = map_row(false, &row.scores, &mut row.p);
                row.follow.iter_mut().zip(&row.p).for_each(|(f, &p)| *f = f32::from(u8::from(p > 0.0)));
                tau
            }
            Normalizer::Entmax15 => {
                let tau = map_row(true, &row.scores, &mut row.p);
                row.follow.iter_mut().zip(&row.p).for_each(|(f, p)| *f = p.sqrt());
                tau
            }
        }
    }

    /// The row with the cotangents of its scores. `mean` is what was found before; else it is found here, and given.
    fn backward(&self, query: usize, row: &mut Row, mean: Option<f32>) -> [f32; 4] {
        let mut numbers = self.row(query, row);
        let first = self.place(query).3;
        let g = self.cotangent(query);
        row.ds.resize(row.keys.len(), 0.0);
        numbers[3] = vectorised(
            #[inline(always)]
            || {
                row.ds.iter_mut().zip(&row.keys).for_each(|(ds, &j)| *ds = dot(g, self.value(first + j)));
                let mean = mean.unwrap_or_else(|| {
                    let (mut sum, mut total) = (0.0f64, 0.0f64);
                    for (&f, &dy) in row.follow.iter().zip(&row.ds) {
                        sum += f64::from(f) * f64::from(dy);
                        total += f64::from(f);
                    }
                    if total == 0.0 { 0.0 } else { (sum / total) as f32 }
                });
                row.ds.iter_mut().zip(&row.follow).for_each(|(ds, f)| *ds = f * (*ds - mean));
                mean
            },
        );
        numbers
    }

    fn forward_row(&self, query: usize, row: &mut Row, y: &mut [f32]) -> [f32; 4] {
        let numbers = self.row(query, row);
        let first = self.place(query).3;
        y.fill(0.0);
        vectorised(
            #[inline(always)]
            || row.keys.iter().zip(&row.p).for_each(|(&j, &p)| add_scaled(y, p, self.value(first + j))),
        );
        numbers
    }

    fn query_row(&self, query: usize, row: &mut Row, dq: &mut [f32]) -> [f32; 4] {
        let numbers = self.backward(query, row, None);
        let first = self.place(query).3;
        dq.fill(0.0);
        vectorised(
            #[inline(always)]
            || {
                for ((&j, ds), slope) in row.keys.iter().zip(&row.ds).zip(&row.slope) {
                    add_scaled(dq, ds * slope, self.key(first + j));
                }
            },
        );
        numbers
    }

    /// The gradient to the keys or values of one key head: all the queries that look at them, one after the other.
    fn key_head(&self, head: usize, out: &mut [f32], values: bool) {
        let queries = self.h / self.hkv * self.lq;
        let size = if values { self.dv } else { self.d };
        let mut row = Row::default();
        out.fill(0.0);
        for query in head * queries..(head + 1) * queries {
            if values {
                self.row(query, &mut row);
            } else {
                self.backward(query, &mut row, Some(self.numbers[query * 4 + 3]));
            }
            let from = if values { self.cotangent(query) } else { self.query(query) };
            let row = &row;
            vectorised(
                #[inline(always)]
                || {
                    for (n, &j) in row.keys.iter().enumerate() {
                        let w = if values { row.p[n] } else { row.ds[n] * row.slope[n] };
                        add_scaled(&mut out[j * size..][..size], w, from);
                    }
                },
            );
        }
    }

    fn bias_gradient(&self, queries: usize, out: &mut [f32]) {
        let mut row = Row::default();
        let mut sums = vec![0.0f64; out.len()];
        for query in 0..queries {
            self.backward(query, &mut row, Some(self.numbers[query * 4 + 3]));
            let (_, h, i, _) = self.place(query);
            for (&j, &ds) in row.keys.iter().zip(&row.ds) {
                sums[self.bias_place(h, i, j)] += f64::from(ds);
            }
        }
        out.iter_mut().zip(sums).for_each(|(o, s)| *o = s as f32);
    }
}

/// The elements row-major: borrowed where they lie so, else gathered.
fn side_by_side<'a>(input: &CpuInput<'a>) -> Option<Cow<'a, [f32]>> {
    if let Some(dense) = input.f32() {
        return Some(Cow::Borrowed(dense));
    }
    let all = input.f32_strided()?;
    Some(Cow::Owned(input.layout.positions().map(|at| all[at]).collect()))
}

/// Runs a part where everything lies as contiguous f32; false where not.
pub(super) fn run(op: &AttentionOp, io: &mut CpuIo<'_>) -> bool {
    let all = [0, 1, 2].map(|i| side_by_side(&io.inputs[i]));
    let [Some(q), Some(k), Some(v)] = &all else { return false };
    let shape = |i: usize| io.inputs[i].layout.shape();
    let (bias, bias_shape) = match op.bias_input() {
        None => (&[][..], &[][..]),
        Some(i) => match io.inputs[i].f32() {
            Some(bias) => (bias, shape(i)),
            None => return false,
        },
    };
    let mut tables = Vec::new();
    for i in op.table_inputs() {
        let input = &io.inputs[i];
        let all = input.layout.offset()..input.layout.offset() + input.layout.count();
        let data: Option<Vec<i32>> = match input.data {
            _ if !input.layout.is_dense() => None,
            Slice::I32(s) => s.get(all).map(<[i32]>::to_vec),
            Slice::U32(s) | Slice::Bool(s) => s.get(all).map(|s| s.iter().map(|&x| x as i32).collect()),
            _ => None,
        };
        let Some(data) = data else { return false };
        tables.push(TableData { shape: shape(i).to_vec(), data });
    }
    let (mut cotangent, mut numbers) = (Cow::Borrowed(&[][..]), &[][..]);
    if op.part != PartOf::Forward {
        let at = op.cotangent_input();
        let Some(both) = side_by_side(&io.inputs[at]).zip(io.inputs[at + 1].f32()) else { return false };
        (cotangent, numbers) = both;
    }
    let cotangent = &*cotangent;
    let (qs, vs) = (shape(0).to_vec(), shape(2).to_vec());
    let (h, hkv, lq, lk, d, dv) = (qs[1], vs[1], qs[2], vs[2], qs[3], vs[3]);
    let job = Job { op, q, k, v, bias, bias_shape, cotangent, numbers, tables, h, hkv, lq, lk, d, dv };
    let queries = qs[0] * h * lq;
    let wide = queries * lk * (d + dv) >= PARALLEL;
    let mut outputs = io.outputs.iter_mut();
    let (Some(out), second) = (outputs.next().and_then(|o| o.f32()), outputs.next().and_then(|o| o.f32()))
    else {
        return false;
    };
    if tiled::takes(&job) {
        let blocks = Blocks::new(&op.setting.mask, &job.tables, [qs[0], h, lq, lk]);
        match (op.part, second) {
            (PartOf::Key | PartOf::Value, _) => tiled::by_keys(&job, &blocks, out),
            (PartOf::Rows, _) => tiled::by_queries(&job, &blocks, &mut [], out),
            (_, Some(rows)) => tiled::by_queries(&job, &blocks, out, rows),
            _ => return false,
        }
        return true;
    }
    match op.part {
        PartOf::Forward => {
            let Some(rows) = second else { return false };
            // A row of no values still has its numbers.
            let mut empty = vec![[0.0f32; 0]; if dv == 0 { queries } else { 0 }];
            let chunks: Vec<&mut [f32]> = if dv == 0 {
                empty.iter_mut().map(|e| &mut e[..]).collect()
            } else {
                out.chunks_exact_mut(dv).collect()
            };
            let one = |row: &mut Row, (query, (y, numbers)): (usize, (&mut [f32], &mut [f32]))| {
                numbers.copy_from_slice(&job.forward_row(query, row, y));
            };
            if wide {
                let all = chunks.into_par_iter().zip(rows.par_chunks_exact_mut(4)).enumerate();
                all.for_each_init(Row::default, |row, x| one(row, x));
            } else {
                let mut row = Row::default();
                chunks.into_iter().zip(rows.chunks_exact_mut(4)).enumerate().for_each(|x| one(&mut row, x));
            }
        }
        PartOf::Rows => {
            let one = |row: &mut Row, (query, to): (usize, &mut [f32])| {
                to.copy_from_slice(&job.backward(query, row, None));
            };
            each(out, 4, wide, one);
        }
        PartOf::Query => {
            let Some(rows) = second else { return false };
            let one = |row: &mut Row, (query, (dq, numbers)): (usize, (&mut [f32], &mut [f32]))| {
                numbers.copy_from_slice(&job.query_row(query, row, dq));
            };
            if wide {
                let all = out.par_chunks_exact_mut(d).zip(rows.par_chunks_exact_mut(4)).enumerate();
                all.for_each_init(Row::default, |row, x| one(row, x));
            } else {
                let mut row = Row::default();
                let all = out.chunks_exact_mut(d).zip(rows.chunks_exact_mut(4)).enumerate();
                all.for_each(|x| one(&mut row, x));
            }
        }
        PartOf::Key => each(out, lk * d, wide, |_, (head, out)| job.key_head(head, out, false)),
        PartOf::Value => each(out, lk * dv, wide, |_, (head, out)| job.key_head(head, out, true)),
        PartOf::Bias => job.bias_gradient(queries, out),
    }
    true
}

/// Calls `one` for each chunk of the output, on several threads where `wide`.
fn each(out: &mut [f32], size: usize, wide: bool, one: impl Fn(&mut Row, (usize, &mut [f32])) + Sync) {
    let size = size.max(1);
    if wide {
        out.par_chunks_mut(size).enumerate().for_each_init(Row::default, |row, x| one(row, x));
    } else {
        let mut row = Row::default();
        out.chunks_mut(size).enumerate().for_each(|x| one(&mut row, x));
    }
}
