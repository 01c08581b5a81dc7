//! The CPU path by tiles: products of panels of queries and blocks of keys, without the blocks that the mask hides. Work
//! is divided by sizes alone, so that no sum depends on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Normalizer,
    blocks::{Blocks, Line, SIDE},
    fast::Job,
    op::PartOf,
    panel::{Panel, Queries},
};
use crate::cpu::{Matrix, product};

/// A panel has about so many elements at most, and one row at least.
const PANEL: usize = 1 << 16;

/// Keys whose gradients one task sums.
const KEYS: usize = 4 * SIDE;

/// Below so many pairs of queries and keys in a head, rows one by one are as fast.
const SMALL: usize = 32 * 32;

/// Whether tiles do it. With top-k each part must find the same scores to the last bit, and 0 times a number that is not
/// finite would reach keys and queries that do not see each other.
pub(super) fn takes(job: &Job<'_>) -> bool {
    let finite = |x: &[f32]| x.iter().fold(true, |all, v| all & v.is_finite());
    job.op.part != PartOf::Bias
        && job.op.setting.top_k.is_none()
        && job.lq >= 4
        && job.lq * job.lk >= SMALL
        && [job.q, job.k, job.v, job.cotangent].into_iter().all(finite)
}

fn scale(job: &Job<'_>) -> f32 {
    job.op.setting.scale.unwrap_or(1.0 / (job.d as f64).sqrt()) as f32
}

/// Each head's part of an array, in chunks of `each` rows of `size` elements.
fn in_chunks(all: &mut [f32], rows: usize, each: usize, size: usize) -> Vec<&mut [f32]> {
    all.chunks_mut((rows * size).max(1)).flat_map(|head| head.chunks_mut(each * size)).collect()
}

/// Rows of a block of queries whose panel is not too large.
fn panels(rows: usize, width: usize) -> impl Iterator<Item = Range<usize>> {
    let most = (PANEL / width.max(1)).clamp(1, SIDE);
    (0..rows).step_by(most).map(move |first| first..(first + most).min(rows))
}

/// Forward, Rows and Query: a block of queries at a time. Writes `numbers`, and `out` where the part has one.
pub(super) fn by_queries(job: &Job<'_>, blocks: &Blocks<'_>, out: &mut [f32], numbers: &mut [f32]) {
    let size = if job.op.part == PartOf::Query { job.d } else { job.dv };
    let rows = in_chunks(numbers, job.lq, SIDE, 4);
    let out = if out.is_empty() {
        rows.iter().map(|_| Default::default()).collect()
    } else {
        in_chunks(out, job.lq, SIDE, size)
    };
    let in_head = job.lq.div_ceil(SIDE);
    let tasks = rows.into_par_iter().zip(out).enumerate();
    tasks.for_each_init(Panel::default, |panel, (n, (numbers, out))| {
        let (batch, head, block) = (n / in_head / job.h, n / in_head % job.h, n % in_head);
        let line = blocks.line(batch, head, block);
        panel.lay(&line.entries, job.lk);
        for rows in panels(numbers.len() / 4, panel.width) {
            let q = Queries { batch, head, first: block * SIDE + rows.start, rows: rows.len() };
            let numbers = &mut numbers[rows.start * 4..rows.end * 4];
            let out = if out.is_empty() { &mut [][..] } else { &mut out[rows.start * size..rows.end * size] };
            panel.score(job, &q);
            if job.op.part == PartOf::Forward {
                forward(job, panel, &line, rows.start, &q, numbers, out);
            } else {
                backward(job, panel, &line, rows.start, &q, numbers, out);
            }
        }
    });
}

/// out = factor panel × rows of the panel's keys, `[rows, width]` × `[width, size]`.
fn gather(panel: &Panel, of: &[f32], factor: f32, from: &[f32], size: usize, rows: usize, out: &mut [f32]) {
    if panel.runs.is_empty() {
        out.fill(0.0);
    }
    for (n, run) in panel.runs.iter().enumerate() {
        let a = Matrix::rows(&of[run.column..], panel.width);
        let b = Matrix::rows(&from[run.key * size..], size);
        product([rows, size, run.width], factor, a, b, out, size, n > 0);
    }
}

fn forward(
    job: &Job<'_>,
    panel: &mut Panel,
    line: &Line,
    first: usize,
    q: &Queries,
    numbers: &mut [f32],
    out: &mut [f32],
) {
    panel.normalize(job, line, first, numbers);
    gather(panel, &panel.weights, 1.0, job.values_of(q), job.dv, q.rows, out);
    if job.op.setting.normalizer == Normalizer::Softmax {
        for (y, numbers) in out.chunks_exact_mut(job.dv.max(1)).zip(numbers.chunks_exact(4)) {
            // A row that sees nothing is 0 as it is; one that is not a number is so already.
            let sum = if numbers[1] > 0.0 { numbers[1] } else { 1.0 };
            y.iter_mut().for_each(|y| *y /= sum);
        }
    }
}

fn backward(
    job: &Job<'_>,
    panel: &mut Panel,
    line: &Line,
    first: usize,
    q: &Queries,
    numbers: &mut [f32],
    out: &mut [f32],
) {
    numbers.copy_from_slice(job.numbers_of(q));
    panel.weigh(job, line, first, numbers);
    panel.pull(job, line, first, q);
    panel.average(job, numbers);
    if job.op.part == PartOf::Query {
        panel.differentiate(job, numbers);
        gather(panel, &panel.cotangents, scale(job), job.keys_of(q), job.d, q.rows, out);
    }
}

/// Key and Value: some keys of a key head at a time, and all the queries that look at them, one block after the other.
pub(super) fn by_keys(job: &Job<'_>, blocks: &Blocks<'_>, out: &mut [f32]) {
    let values = job.op.part == PartOf::Value;
    let size = if values { job.dv } else { job.d };
    let (in_head, group) = (job.lk.div_ceil(KEYS), job.h / job.hkv);
    let tasks = in_chunks(out, job.lk, KEYS, size.max(1)).into_par_iter().enumerate();
    tasks.for_each_init(Panel::default, |panel, (n, out)| {
        let (batch, key_head, first) = (n / in_head / job.hkv, n / in_head % job.hkv, n % in_head * KEYS);
        let wanted = first / SIDE..(first + KEYS) / SIDE;
        out.fill(0.0);
        for head in key_head * group..(key_head + 1) * group {
            for block in 0..job.lq.div_ceil(SIDE) {
                let line = blocks.line(batch, head, block);
                let entries = line.within(&wanted);
                if entries.is_empty() {
                    continue;
                }
                let at = block * SIDE;
                let q = Queries { batch, head, first: at, rows: SIDE.min(job.lq - at) };
                panel.lay(entries, job.lk);
                panel.score(job, &q);
                panel.weigh(job, &line, 0, job.numbers_of(&q));
                let (of, from, factor) = if values {
                    (&panel.weights, job.cotangents_of(&q), 1.0)
                } else {
                    panel.pull(job, &line, 0, &q);
                    panel.differentiate(job, job.numbers_of(&q));
                    (&panel.cotangents, job.queries_of(&q), scale(job))
                };
                for run in &panel.runs {
                    let a = Matrix::rows(&of[run.column..], panel.width).transposed();
                    let to = &mut out[(run.key - first) * size..];
                    product([run.width, size, q.rows], factor, a, Matrix::rows(from, size), to, size, true);
                }
            }
        }
    });
}
