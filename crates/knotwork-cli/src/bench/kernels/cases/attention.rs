//! Attention by mask, normalizer and shape class, forward and backward.

use knotwork::{
    HostTensor, Result, Tensor,
    ops::{Attention, Decode, Feature, Mask, Normalizer},
};

use super::{
    super::case::{Case, Maker, Size},
    by,
};

/// Heads, key heads, queries, keys, width.
type Shape = [usize; 5];

fn operands(g: &mut Maker, [h, hkv, lq, lk, d]: Shape) -> Result<[Tensor; 3]> {
    Ok([g.x(&[1, h, lq, d])?, g.x(&[1, hkv, lk, d])?, g.x(&[1, hkv, lk, d])?])
}

fn options(mask: Mask) -> Attention {
    Attention::new().mask(mask)
}

/// So many sequences over full caches, whole or in pages of 16 keys, and a step that appends to them first.
fn decoding(size: Size) -> Vec<Case> {
    let (mut all, page) = (Vec::new(), 16);
    // Sequences, heads, key heads, queries, keys, width.
    let one = size.of([[1, 2, 1, 1, 32, 8], [1, 8, 2, 1, 8192, 64], [1, 32, 8, 1, 32768, 128]]);
    let many = size.of([[3, 4, 2, 2, 48, 8], [16, 8, 8, 1, 512, 64], [64, 32, 8, 1, 2048, 128]]);
    for shape in [one, many] {
        let [b, h, hkv, lq, keys, d] = shape;
        let full = move |g: &Maker, n: usize| g.graph.tensor(HostTensor::new(&vec![n as i32; b], [b])?);
        all.push(Case::new(format!("attention_decode/whole_{}", by(&shape)), move |g| {
            let (q, n) = (g.x(&[b, h, lq, d])?, full(g, keys)?);
            let [k, v] = [g.x(&[b, hkv, keys, d])?, g.x(&[b, hkv, keys, d])?];
            Ok(vec![q.attention_decode(&k, &v, &n, &Decode::new())?])
        }));
        all.push(Case::new(format!("attention_decode/paged_{}", by(&shape)), move |g| {
            let (q, n) = (g.x(&[b, h, lq, d])?, full(g, keys)?);
            let pages = b * keys / page;
            let [k, v] = [g.x(&[pages, hkv, page, d])?, g.x(&[pages, hkv, page, d])?];
            // 7 and the number of pages, 2 to some power times 3 at most, have no factor in common: each comes once.
            let table: Vec<i32> = (0..pages).map(|n| (n * 7 % pages) as i32).collect();
            let table = g.graph.tensor(HostTensor::new(&table, [b, keys / page])?)?;
            Ok(vec![q.attention_decode(&k, &v, &n, &Decode::new().pages(&table))?])
        }));
        all.push(Case::new(format!("attention_decode/append_{}", by(&shape)), move |g| {
            let (q, n) = (g.x(&[b, h, lq, d])?, full(g, keys)?);
            let mut new = Vec::new();
            for name in ["keys", "values"] {
                let held = g.initial(&[b, hkv, keys, d], -1.0, 1.0)?;
                let cache = g.graph.state(name, "cache", held)?;
                let longer = cache.cache_append(&g.x(&[b, hkv, lq, d])?, &full(g, keys - lq)?)?;
                g.updates.push(g.graph.assign(&cache, &longer)?);
                new.push(longer);
            }
            Ok(vec![q.attention_decode(&new[0], &new[1], &n, &Decode::new())?])
        }));
    }
    all
}

/// Attention in its forms.
pub fn cases(size: Size) -> Vec<Case> {
    let [h, l, d] = size.of([[2, 24, 8], [4, 512, 64], [16, 4096, 64]]);
    let w = size.of([5, 64, 256]);
    let square = [h, h, l, l, d];
    let grouped = [h, h / 2, l, l, d];
    let decode = [h, h / 2, 1, size.of([40, 2048, 32768]), d];
    let table: [(&str, Shape, Attention); 9] = [
        ("full", square, Attention::new()),
        ("causal", square, options(Mask::causal())),
        ("causal_window", square, options(Mask::window(w, 0))),
        ("prefix_and_window", square, options(Mask::window(w, 0) | Mask::prefix(4))),
        ("grouped_causal", grouped, options(Mask::causal())),
        ("decode", decode, Attention::new()),
        ("sparsemax", square, options(Mask::causal()).normalizer(Normalizer::Sparsemax)),
        ("entmax15", square, options(Mask::causal()).normalizer(Normalizer::Entmax15)),
        ("top_k", square, options(Mask::causal()).top_k(8)),
    ];
    let mut all = decoding(size);
    for (what, shape, options) in table {
        let backward = matches!(what, "causal" | "causal_window" | "sparsemax");
        let own = options.clone();
        all.push(Case::new(format!("attention/{what}_{}", by(&shape)), move |g| {
            let [q, k, v] = operands(g, shape)?;
            Ok(vec![q.attention(&k, &v, &own)?])
        }));
        if backward {
            all.push(Case::new(format!("attention/{what}_backward_{}", by(&shape)), move |g| {
                let [q, k, v] = operands(g, shape)?;
                let y = q.attention(&k, &v, &options)?;
                g.gradients(&y, &[&q, &k, &v])
            }));
        }
    }
    for causal in [false, true] {
        let what = if causal { "causal" } else { "full" };
        all.push(Case::new(format!("linear_attention/{what}_{h}x{l}x{d}"), move |g| {
            let [q, k, v] = operands(g, square)?;
            Ok(vec![q.linear_attention(&k, &v, Feature::Elu1, causal, true)?])
        }));
    }
    all
}
