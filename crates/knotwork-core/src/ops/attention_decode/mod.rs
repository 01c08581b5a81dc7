//! Attention of a few new queries over a cache of keys and values whose valid part grows from step to step: what inference
//! with a language model runs for each token.

mod fast;
mod kernels;
mod op;
mod reference;
#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Registered, page_table};
use crate::{Result, Site, graph::Tensor};
use op::{DecodeOp, Setting};

pub(super) const REGISTERED: Registered = Registered {
    name: "attention_decode",
    formula: "softmax(softcap(scale q kᵀ) + alibi) v over the first lengths[b] keys, query i at key lengths[b] − Lq + i",
    inputs: "q [B, H, Lq, D]; k [B, Hkv, C, D]; v [B, Hkv, C, Dv]; lengths [B] (i32 or u32)",
    attributes: "scale = 1/√D, softcap, window, alibi, causal = true, pages",
    types: "f32, f64; no gradient",
    source: "Dao et al. 2023 (Flash-Decoding); Kwon et al. 2023 (paged attention)",
    cases: Cases::Listed(cases),
};

fn cases() -> Vec<Case> {
    // As for `attention`: the rounding of scores comes back through an exponential.
    let case = |name: &str, sizes: [usize; 7], options: Decode| {
        let [b, h, hkv, lq, capacity, d, dv] = sizes;
        let inputs = vec![
            CaseInput::new(&[b, h, lq, d]),
            CaseInput::new(&[b, hkv, capacity, d]),
            CaseInput::new(&[b, hkv, capacity, dv]),
            CaseInput::index(&[b], capacity + 1),
        ];
        Case::new(name, inputs, move |t| Ok(vec![t[0].attention_decode(&t[1], &t[2], &t[3], &options)?]))
            .tolerance(2e-5)
            .no_gradient()
    };
    let new = Decode::new;
    // So many pages of so many keys, and places for so many of them in the table.
    let paged = |name: &str, sizes: [usize; 7], [pages, page]: [usize; 2], options: Decode| {
        let mut one = case(name, sizes, new());
        let ([b, _, hkv, _, capacity, d, dv], places) = (sizes, sizes[4] / page);
        one.inputs[1] = CaseInput::new(&[pages, hkv, page, d]);
        one.inputs[2] = CaseInput::new(&[pages, hkv, page, dv]);
        one.inputs[3] = CaseInput::index(&[b], capacity + 1);
        one.inputs.push(CaseInput::index(&[b, places], pages));
        one.build = std::sync::Arc::new(move |t| {
            Ok(vec![t[0].attention_decode(&t[1], &t[2], &t[3], &options.clone().pages(&t[4]))?])
        });
        one
    };
    vec![
        paged("pages of 16", [3, 6, 2, 2, 160, 8, 12], [20, 16], new()),
        paged("pages of 5 and a window", [2, 2, 1, 1, 75, 3, 5], [9, 5], new().window(40)),
        paged("pages of one key", [2, 1, 1, 1, 70, 4, 4], [31, 1], new().alibi(true)),
        case("one query", [3, 2, 2, 1, 70, 8, 8], new()),
        case("grouped, several blocks of rows", [2, 12, 1, 1, 150, 36, 12], new()),
        case("three queries, 2 heads a key head", [4, 4, 2, 3, 200, 5, 7], new()),
        case("a window of 9, more queries than some lengths", [6, 2, 1, 5, 12, 3, 1], new().window(9)),
        case("a long window", [2, 4, 1, 2, 300, 16, 64], new().window(130).softcap(3.0)),
        case("alibi and a scale", [2, 3, 3, 2, 90, 8, 4], new().alibi(true).scale(0.2)),
        case("not causal", [3, 2, 1, 4, 66, 4, 4], new().causal(false)),
        case("not causal, a window", [3, 2, 1, 4, 40, 4, 4], new().causal(false).window(7)),
        case("a wide head", [2, 2, 2, 1, 67, 300, 270], new()),
        case("many keys", [1, 2, 1, 1, 1100, 4, 4], new()),
        case("no capacity", [2, 1, 1, 1, 0, 3, 2], new()),
    ]
}

/// Options of [`Tensor::attention_decode`]: none, at first.
#[derive(Clone, Debug, Default)]
pub struct Decode {
    scale: Option<f64>,
    softcap: Option<f64>,
    window: Option<usize>,
    alibi: bool,
    all_keys: bool,
    pages: Option<Tensor>,
}

impl Decode {
    /// Softmax over all valid keys up to the query's own, with scores over √D.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the products of queries and keys are multiplied with, instead of 1/√D.
    #[must_use]
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = Some(scale);
        self
    }

    /// Scores s become c tanh(s/c); c > 0.
    #[must_use]
    pub fn softcap(mut self, c: f64) -> Self {
        self.softcap = Some(c);
        self
    }

    /// Only the last `keys` keys up to the query's own position; at least 1.
    #[must_use]
    pub fn window(mut self, keys: usize) -> Self {
        self.window = Some(keys);
        self
    }

    /// Adds 2^(−8(h+1)/H) times key position minus query position to the scores of head h.
    #[must_use]
    pub fn alibi(mut self, alibi: bool) -> Self {
        self.alibi = alibi;
        self
    }

    /// Whether a query sees no key behind its own position, which is so at first. Without it all of the first `lengths[b]`
    /// keys are seen: cross-attention over padded sequences.
    #[must_use]
    pub fn causal(mut self, causal: bool) -> Self {
        self.all_keys = !causal;
        self
    }

    /// The caches are pages of S keys, `[P, Hkv, S, D]` and `[P, Hkv, S, Dv]`, that sequences take as they grow: keys nS to
    /// nS + S − 1 of sequence b lie in page `table[b, n]`. The table is `[B, N]` of i32 or u32, so a sequence has room for NS
    /// keys. All its entries must lie in 0..P, also those behind the length (0 will do).
    #[must_use]
    pub fn pages(mut self, table: &Tensor) -> Self {
        self.pages = Some(table.clone());
        self
    }
}

impl Tensor {
    /// Attention of a few queries `[B, H, Lq, D]` (self) over caches of keys `[B, Hkv, C, D]` and values `[B, Hkv, C, Dv]`, of
    /// which sequence b has the first `lengths[b]`: `[B, H, Lq, Dv]`. The lengths, `[B]` of i32 or u32, lie in a buffer, so one
    /// compiled program serves every step; no key behind them is read, whatever it holds.
    ///
    /// Query i stands at key position `lengths[b]` − Lq + i, the last query at the last key, and sees keys up to its own:
    /// append the new keys first ([`cache_append`](Self::cache_append)), then attend with lengths that count them. Query head h
    /// uses key head h / (H / Hkv). A query that sees no key gives 0; one with NaN or an infinity as its largest score is NaN.
    /// There is no gradient: [`attention`](Self::attention) with a mask has one.
    ///
    /// ```
    /// # use knotwork_core::{DType, Device, Graph, HostTensor, ops::Decode};
    /// let g = Graph::new();
    /// let q = g.input("q", DType::F32, [1, 1, 1, 1])?;
    /// let cache = g.input("cache", DType::F32, [1, 1, 4, 1])?;
    /// let lengths = g.input("lengths", DType::I32, [1])?;
    /// let y = q.attention_decode(&cache, &cache, &lengths, &Decode::new())?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let feeds = [
    ///     ("q", HostTensor::new(&[0.0f32], [1, 1, 1, 1])?),
    ///     ("cache", HostTensor::new(&[1.0f32, 3.0, 50.0, 70.0], [1, 1, 4, 1])?),
    ///     ("lengths", HostTensor::new(&[2i32], [1])?),
    /// ];
    /// assert_eq!(p.run(feeds)?.wait()?[0].as_slice::<f32>()?, &[2.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where shapes or types do not fit, or an option lies outside its range; the message names it. A length outside 0..=C is
    /// refused before the run where it is an input of the program, else clamped, counted and reported with the results; so is a
    /// page outside the cache.
    #[track_caller]
    pub fn attention_decode(&self, k: &Self, v: &Self, lengths: &Self, options: &Decode) -> Result<Self> {
        let site = Site::here();
        let table = options.pages.as_ref().map(|table| page_table::checked(table, k, site)).transpose()?;
        let setting = Setting {
            scale: options.scale,
            softcap: options.softcap,
            window: options.window,
            alibi: options.alibi,
            causal: !options.all_keys,
            paged: table.is_some(),
        };
        let inputs: Vec<&Self> = [self, k, v, lengths].into_iter().chain(&table).collect();
        self.graph().apply_one(DecodeOp { setting }, &inputs, site)
    }
}
