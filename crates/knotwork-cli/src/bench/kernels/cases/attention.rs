//! Attention by mask, normalizer and shape class, forward and backward.

use knotwork::{
    Result, Tensor,
    ops::{Attention, Feature, Mask, Normalizer},
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
    let mut all = Vec::new();
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
