//! The plain loops that define attention and its gradients, a row of scores at a time; rows that have work enough go to
//! several threads.

use rayon::prelude::*;

use super::{
    Normalizer,
    evaluate::{Place, TableData, row as mask_row},
    op::{AttentionOp, BiasForm, PartOf},
};
use crate::ops::Reference;

/// Below so many products a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;

struct Job<'a> {
    op: &'a AttentionOp,
    inputs: &'a [Reference],
    tables: Vec<TableData>,
    h: usize,
    hkv: usize,
    lq: usize,
    lk: usize,
    d: usize,
    dv: usize,
}

/// A query's row: weights, how they and the products follow the scores, and the numbers that describe it.
struct Row {
    /// None where the key takes no part.
    p: Vec<Option<f64>>,
    follow: Vec<f64>,
    slope: Vec<f64>,
    numbers: [f64; 4],
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The threshold of sorted values: the mean of the largest that stay above it, by `next` over growing prefixes.
fn threshold(mut z: Vec<f64>, next: impl Fn(f64, f64, f64) -> f64) -> f64 {
    z.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut squares, mut found) = (0.0, 0.0, 0.0);
    for (i, &v) in z.iter().enumerate() {
        sum += v;
        squares += v * v;
        let tau = next((i + 1) as f64, sum, squares);
        if tau > v {
            break;
        }
        found = tau;
    }
    found
}

impl Job<'_> {
    fn bias_place(&self, h: usize, i: usize, j: usize) -> usize {
        let shape = &self.inputs[3].shape;
        let at = |dim: usize, x: usize| if shape[dim] == 1 { 0 } else { x };
        if self.op.setting.bias == Some(BiasForm::Relative) {
            let radius = (shape[1] / 2) as isize;
            let distance = j as isize - (i + self.lk) as isize + self.lq as isize;
            return at(0, h) * shape[1] + (distance.clamp(-radius, radius) + radius) as usize;
        }
        (at(0, h) * shape[1] + at(1, i)) * shape[2] + at(2, j)
    }

    /// Row n of an input, counted over all dimensions but the last.
    fn vector(&self, input: usize, n: usize) -> &[f64] {
        let size = self.inputs[input].shape[3];
        &self.inputs[input].data[n * size..(n + 1) * size]
    }

    fn place(&self, query: usize) -> (usize, usize, usize, usize) {
        let (b, h, i) = (query / (self.lq * self.h), query / self.lq % self.h, query % self.lq);
        (b, h, i, (b * self.hkv + h / (self.h / self.hkv)) * self.lk)
    }

    fn row(&self, query: usize) -> Row {
        let s = &self.op.setting;
        let (batch, head, row, first) = self.place(query);
        let place = Place { batch, head, row, queries: self.lq, keys: self.lk };
        let allowed = mask_row(&s.mask, &place, &self.tables);
        let scale = s.scale.unwrap_or(1.0 / (self.d as f64).sqrt());
        let alibi = if s.alibi { libm::exp2(-8.0 * (head + 1) as f64 / self.h as f64) } else { 0.0 };
        let q = self.vector(0, query);
        let mut scores: Vec<Option<f64>> = vec![None; self.lk];
        let mut slope = vec![0.0; self.lk];
        for j in (0..self.lk).filter(|&j| allowed.get(j) != 0) {
            let mut score = dot(q, self.vector(1, first + j)) * scale;
            slope[j] = scale;
            if let Some(c) = s.softcap {
                let t = libm::tanh(score / c);
                (score, slope[j]) = (c * t, scale * (1.0 - t) * (1.0 + t));
            }
            if s.alibi {
                score += alibi * ((j + self.lq) as f64 - (row + self.lk) as f64);
            }
            if s.bias.is_some() {
                score += self.inputs[3].data[self.bias_place(head, row, j)];
            }
            scores[j] = Some(score);
        }
        let mut sorted: Vec<f64> = scores.iter().flatten().copied().collect();
        // What is kept lies above it: as kernels leave it for the backward pass.
        let mut limit = f64::NEG_INFINITY;
        if let Some(k) = s.top_k.filter(|&k| k < sorted.len()) {
            sorted.sort_by(|a, b| b.total_cmp(a));
            let kth = sorted[k - 1];
            if let Some(below) = sorted[k..].iter().find(|v| v.total_cmp(&kth).is_lt()) {
                let middle = 0.5 * below + 0.5 * kth;
                limit = if middle > *below && middle <= kth { middle } else { kth };
            }
            // A NaN takes part whatever its rank, so that the row shows it.
            scores.iter_mut().for_each(|s| *s = s.filter(|v| v.is_nan() || *v >= kth || kth.is_nan()));
        }
        let kept: Vec<f64> = scores.iter().flatten().copied().collect();
        let most = kept.iter().fold(f64::NEG_INFINITY, |m, &v| if v > m || v.is_nan() { v } else { m });
        let normal = if kept.is_empty() {
            0.0
        } else if !most.is_finite() {
            f64::NAN
        } else {
            let z = kept.iter().map(|v| v - most);
            match s.normalizer {
                Normalizer::Softmax => z.map(libm::exp).sum(),
                Normalizer::Sparsemax => threshold(z.collect(), |n, sum, _| (sum - 1.0) / n),
                Normalizer::Entmax15 => threshold(z.map(|v| v / 2.0).collect(), |n, sum, squares| {
                    let mean = sum / n;
                    let spread = squares - n * mean * mean;
                    mean - ((1.0 - spread) / n).max(0.0).sqrt()
                }),
            }
        };
        let weigh = |v: f64| {
            if normal.is_nan() {
                return (normal, normal);
            }
            match s.normalizer {
                Normalizer::Softmax => (libm::exp(v - most) / normal, libm::exp(v - most) / normal),
                Normalizer::Sparsemax => {
                    let t = (v - most - normal).max(0.0);
                    (t, f64::from(t > 0.0))
                }
                Normalizer::Entmax15 => {
                    let t = ((v - most) / 2.0 - normal).max(0.0);
                    (t * t, t)
                }
            }
        };
        let most = if kept.is_empty() { 0.0 } else { most };
        Row {
            p: scores.iter().map(|s| s.map(|v| weigh(v).0)).collect(),
            follow: scores.iter().map(|s| s.map_or(0.0, |v| weigh(v).1)).collect(),
            slope,
            numbers: [most, normal, if s.top_k.is_some() && !kept.is_empty() { limit } else { 0.0 }, 0.0],
        }
    }

    /// The row, and the cotangents of its scores.
    fn backward(&self, query: usize) -> (Row, Vec<f64>) {
        let mut row = self.row(query);
        let first = self.place(query).3;
        let g = self.vector(self.op.cotangent_input(), query);
        let dy: Vec<f64> = (row.p.iter().enumerate())
            .map(|(j, p)| if p.is_some() { dot(g, self.vector(2, first + j)) } else { 0.0 })
            .collect();
        let total: f64 = row.follow.iter().sum();
        row.numbers[3] = if total == 0.0 { 0.0 } else { dot(&row.follow, &dy) / total };
        let ds = row.follow.iter().zip(&dy).map(|(f, dy)| f * (dy - row.numbers[3])).collect();
        (row, ds)
    }

    fn forward_row(&self, query: usize, y: &mut [f64]) -> [f64; 4] {
        let row = self.row(query);
        let first = self.place(query).3;
        y.fill(0.0);
        for (j, p) in row.p.iter().enumerate() {
            if let Some(p) = p {
                y.iter_mut().zip(self.vector(2, first + j)).for_each(|(y, v)| *y += p * v);
            }
        }
        row.numbers
    }

    fn query_row(&self, query: usize, dq: &mut [f64]) -> [f64; 4] {
        let (row, ds) = self.backward(query);
        let first = self.place(query).3;
        dq.fill(0.0);
        for (j, _) in row.p.iter().enumerate().filter(|(_, p)| p.is_some()) {
            let w = ds[j] * row.slope[j];
            dq.iter_mut().zip(self.vector(1, first + j)).for_each(|(d, k)| *d += w * k);
        }
        row.numbers
    }

    /// The gradient to the keys or values of one key head: all the queries that look at them, one after the other.
    fn key_head(&self, head: usize, out: &mut [f64], values: bool) {
        let queries = self.h / self.hkv * self.lq;
        let size = if values { self.dv } else { self.d };
        out.fill(0.0);
        for query in head * queries..(head + 1) * queries {
            let (row, ds) = if values { (self.row(query), Vec::new()) } else { self.backward(query) };
            let from = self.vector(if values { self.op.cotangent_input() } else { 0 }, query);
            for (j, p) in row.p.iter().enumerate() {
                let Some(p) = p else { continue };
                let w = if values { *p } else { ds[j] * row.slope[j] };
                out[j * size..(j + 1) * size].iter_mut().zip(from).for_each(|(o, x)| *o += w * x);
            }
        }
    }
}

pub(super) fn run(op: &AttentionOp, inputs: &[Reference], outputs: &mut [Reference]) {
    let (q, v) = (&inputs[0].shape, &inputs[2].shape);
    let tables = op.table_inputs().map(|i| TableData {
        shape: inputs[i].shape.clone(),
        data: inputs[i].data.iter().map(|&x| x as i64 as i32).collect(),
    });
    let job = Job {
        op,
        inputs,
        tables: tables.collect(),
        h: q[1],
        hkv: v[1],
        lq: q[2],
        lk: v[2],
        d: q[3],
        dv: v[3],
    };
    let queries = q[0] * q[1] * q[2];
    let wide = queries * job.lk * (job.d + job.dv) >= PARALLEL;
    match op.part {
        PartOf::Forward => {
            let dv = job.dv;
            let mut chunks: Vec<Vec<f64>> = vec![vec![0.0; dv]; queries];
            let one = |(query, y): (usize, &mut Vec<f64>)| job.forward_row(query, y);
            let numbers: Vec<[f64; 4]> = if wide {
                chunks.par_iter_mut().enumerate().map(one).collect()
            } else {
                chunks.iter_mut().enumerate().map(one).collect()
            };
            outputs[0].data = chunks.concat();
            outputs[1].data = numbers.concat();
        }
        PartOf::Rows => {
            let one = |query: usize| job.backward(query).0.numbers;
            let rows: Vec<[f64; 4]> = if wide {
                (0..queries).into_par_iter().map(one).collect()
            } else {
                (0..queries).map(one).collect()
            };
            outputs[0].data = rows.concat();
        }
        PartOf::Query => {
            let [dq, rows] = outputs else { return };
            let out = dq.data.par_chunks_mut(job.d.max(1)).zip(rows.data.par_chunks_mut(4)).enumerate();
            out.for_each(|(query, (dq, row))| row.copy_from_slice(&job.query_row(query, dq)));
        }
        PartOf::Key | PartOf::Value => {
            let values = op.part == PartOf::Value;
            let size = job.lk * if values { job.dv } else { job.d };
            let out = outputs[0].data.par_chunks_mut(size.max(1)).enumerate();
            out.for_each(|(head, out)| job.key_head(head, out, values));
        }
        PartOf::Bias => {
            outputs[0].data.fill(0.0);
            for query in 0..queries {
                let (row, ds) = job.backward(query);
                let (_, h, i, _) = job.place(query);
                for j in (0..job.lk).filter(|&j| row.p[j].is_some()) {
                    outputs[0].data[job.bias_place(h, i, j)] += ds[j];
                }
            }
        }
    }
}
