//! The plain loops that define attention over a cache.

use super::op::{DecodeOp, alibi_rate};
use crate::ops::Reference;

/// A length, or the message that it is outside 0..=capacity.
pub(super) fn length(value: i64, at: usize, capacity: usize) -> Result<usize, String> {
    usize::try_from(value)
        .ok()
        .filter(|&n| n <= capacity)
        .ok_or_else(|| format!("length {value} at {at} lies outside 0..={capacity}"))
}

pub(super) fn run(op: &DecodeOp, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
    let (q, k, v, lengths) = (&inputs[0], &inputs[1], &inputs[2], &inputs[3]);
    let shapes: Vec<&[usize]> = inputs.iter().map(|i| i.shape.as_slice()).collect();
    let (s, set) = (op.sizes(&shapes), &op.setting);
    let scale = set.scale_for(s.size);
    for b in 0..s.batch {
        let length = length(lengths.data[b] as i64, b, s.capacity)?;
        for (h, i) in (0..s.heads).flat_map(|h| (0..s.queries).map(move |i| (h, i))) {
            let row = (b * s.heads + h) * s.queries + i;
            // The row of key j among all rows of the cache.
            let kv = h / (s.heads / s.kv_heads);
            let place = |j: usize| {
                let page = if set.paged { inputs[4].data[b * s.pages + j / s.page] as usize } else { b };
                (page * s.kv_heads + kv) * s.page + j % s.page
            };
            let query = &q.data[row * s.size..][..s.size];
            let seen = set.seen(length, s.queries, i);
            let score = |j: usize| {
                let key = &k.data[place(j) * s.size..][..s.size];
                let mut score = query.iter().zip(key).map(|(a, b)| a * b).sum::<f64>() * scale;
                if let Some(c) = set.softcap {
                    score = c * libm::tanh(score / c);
                }
                if set.alibi {
                    score += alibi_rate(h, s.heads) * ((j + s.queries) as f64 - (length + i) as f64);
                }
                score
            };
            let scores: Vec<f64> = seen.clone().map(score).collect();
            let y = &mut outputs[0].data[row * s.value_size..][..s.value_size];
            y.fill(0.0);
            let larger = |m: f64, &v: &f64| if v > m || v.is_nan() { v } else { m };
            let most = scores.iter().fold(f64::NEG_INFINITY, larger);
            if !most.is_finite() {
                y.fill(if scores.is_empty() { 0.0 } else { f64::NAN });
                continue;
            }
            let total: f64 = scores.iter().map(|s| libm::exp(s - most)).sum();
            for (j, score) in seen.zip(&scores) {
                let p = libm::exp(score - most) / total;
                let value = &v.data[place(j) * s.value_size..][..s.value_size];
                y.iter_mut().zip(value).for_each(|(y, v)| *y += p * v);
            }
        }
    }
    Ok(())
}
