//! Attention: softmax, sparsemax or entmax of the scores of queries and keys, under any mask, times the values. No kernel
//! ever stores the scores.

mod blocks;
mod bounds;
mod call;
mod density;
#[cfg(test)]
mod density_tests;
mod evaluate;
mod fast;
mod index;
mod kernels;
#[cfg(test)]
mod layouts;
mod mask;
mod op;
mod panel;
mod parts;
mod reference;
mod skips;
#[cfg(test)]
mod tests;
mod tiled;
#[cfg(test)]
mod tiled_tests;
mod tiles;
mod top_blocks;
mod wgsl;

pub use index::{Condition, Index};
pub use mask::Mask;
pub(crate) use parts::{Hidden, from_parts};

use super::{Case, CaseInput, Cases, Registered};
use crate::{Result, Site, error::OpError, graph::Tensor};
use op::{AttentionOp, BiasForm, PartOf, Setting};

pub(super) const REGISTERED: Registered = Registered {
    name: "attention",
    formula: "normalizer(mask(softcap(scale q kᵀ) + alibi + bias)) v",
    inputs: "q [B, H, Lq, D]; k [B, Hkv, Lk, D]; v [B, Hkv, Lk, Dv]",
    attributes: "mask = full, scale = 1/√D, softcap, alibi, bias, top_k, normalizer = softmax",
    types: "f32, f64",
    source: "Vaswani et al. 2017; Martins and Astudillo 2016 (sparsemax); Peters et al. 2019 (entmax); Press et al. 2022 (ALiBi)",
    cases: Cases::Listed(cases),
};

fn cases() -> Vec<Case> {
    // Scores go through an exponential: their rounding, a few ulp of |q||k|, comes back as a relative error.
    let case = |name: &str, sizes: [usize; 7], options: Attention| {
        let [b, h, hkv, lq, lk, d, dv] = sizes;
        Case::new(
            name,
            vec![
                CaseInput::new(&[b, h, lq, d]),
                CaseInput::new(&[b, hkv, lk, d]),
                CaseInput::new(&[b, hkv, lk, dv]),
            ],
            move |t| Ok(vec![t[0].attention(&t[1], &t[2], &options)?]),
        )
        .tolerance(2e-5)
        .first_order()
    };
    let new = Attention::new;
    let relative = |lq: usize, lk: usize| {
        let bias = CaseInput::new(&[2, 7]);
        let mut one = case("relative bias", [2, 2, 1, lq, lk, 5, 3], new());
        one.inputs.push(bias);
        one.build = std::sync::Arc::new(|t| {
            Ok(vec![t[0].attention(&t[1], &t[2], &Attention::new().relative_bias(&t[3]))?])
        });
        one
    };
    let documents = {
        let mut one = case("documents, blocks and a bias", [2, 2, 2, 3, 9, 4, 4], new());
        one.inputs.extend([
            CaseInput::index(&[2, 9], 2),
            CaseInput::index(&[1, 1, 3], 2),
            CaseInput::new(&[1, 3, 9]),
        ]);
        one.build = std::sync::Arc::new(|t| {
            let mask = Mask::document(&t[3]) | Mask::block(4, &t[4]);
            Ok(vec![t[0].attention(&t[1], &t[2], &Attention::new().mask(mask).bias(&t[5]))?])
        });
        one
    };
    // Zero divisors, negative remainders and an overflow on the way.
    let own = {
        let (q, k) = (Index::query, Index::key);
        let uneven = ((q() - k()) * 3 / (k() - 2) % (q() - 1)).equal(0);
        let wraps = (k() + i32::MAX).less(-q().min(Index::row()).abs()) & k().greater(Index::head().max(5));
        Mask::when((uneven | wraps) & !(k() * Index::keys()).equal(Index::queries() + Index::batch()))
    };
    // More than one tile of queries and keys, and of columns; heads that share keys; masks that leave tiles out.
    let tiled_documents = {
        let mut one = case("tiles of documents", [2, 2, 1, 80, 80, 4, 5], new());
        one.inputs.push(CaseInput::index(&[2, 80], 2));
        one.build = std::sync::Arc::new(|t| {
            let mask = Mask::document(&t[3]) & Mask::window(20, 0);
            Ok(vec![t[0].attention(&t[1], &t[2], &Attention::new().mask(mask).alibi(true))?])
        });
        one
    };
    let ragged = {
        let mut one = case("tiles of ragged lengths", [3, 2, 1, 40, 70, 5, 6], new());
        one.inputs.push(CaseInput::index(&[3], 71));
        one.build = std::sync::Arc::new(|t| {
            let mask = Mask::lengths(&t[3]) & Mask::window(50, 10);
            Ok(vec![t[0].attention(&t[1], &t[2], &Attention::new().mask(mask))?])
        });
        one
    };
    let by_head =
        Mask::causal() & Mask::when((Index::query() - Index::key()).at_most((Index::head() + 1) * 20));
    vec![
        tiled_documents,
        ragged,
        case("tiles of a window and a prefix", [1, 4, 2, 70, 101, 40, 36], {
            new().mask((Mask::window(20, 3) & Mask::strided(2)) | Mask::prefix(5))
        }),
        case("tiles by head, many columns", [1, 2, 2, 40, 70, 6, 140], new().mask(by_head)),
        case("tiles of sparsemax", [1, 2, 1, 40, 70, 5, 6], {
            new().mask(Mask::causal()).normalizer(Normalizer::Sparsemax)
        }),
        // Scores far apart: most tiles lie below the thresholds.
        case("tiles below the thresholds of entmax", [2, 2, 1, 33, 130, 5, 70], {
            new().normalizer(Normalizer::Entmax15).scale(8.0).alibi(true)
        }),
        case("tiles below the thresholds of sparsemax", [1, 4, 2, 70, 101, 6, 5], {
            new().normalizer(Normalizer::Sparsemax).scale(6.0).mask(Mask::window(60, 3) | Mask::prefix(5))
        }),
        case("whole tiles of the 6 largest", [1, 2, 1, 40, 70, 5, 6], new().top_k(6)),
        case("a condition of its own", [2, 2, 1, 7, 11, 3, 2], new().mask(own)),
        case("full", [1, 2, 1, 3, 65, 16, 70], new()),
        case("causal, more queries than keys", [1, 2, 2, 5, 3, 1, 1], new().mask(Mask::causal())),
        case(
            "sparsemax of capped scores",
            [1, 2, 1, 9, 33, 5, 8],
            new().normalizer(Normalizer::Sparsemax).softcap(3.0).mask(Mask::dilated_window(3, 2)),
        ),
        case("entmax with alibi", [1, 3, 1, 4, 67, 8, 5], new().normalizer(Normalizer::Entmax15).alibi(true)),
        case("top 4", [1, 1, 1, 4, 66, 8, 9], new().top_k(4).mask(Mask::window(40, 1) | Mask::prefix(3))),
        relative(5, 8),
        documents,
        case("no keys", [1, 1, 1, 2, 0, 3, 2], new()),
    ]
}

/// How a row of scores becomes weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalizer {
    /// eˢ / Σ eˢ
    #[default]
    Softmax,
    /// max(s − τ, 0), τ such that they add up to 1.
    Sparsemax,
    /// max(s/2 − τ, 0)², τ such that they add up to 1.
    Entmax15,
}

/// Options of [`Tensor::attention`]: none, at first.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    mask: Mask,
    scale: Option<f64>,
    softcap: Option<f64>,
    alibi: bool,
    bias: Option<(Tensor, BiasForm)>,
    top_k: Option<usize>,
    normalizer: Normalizer,
}

impl Attention {
    /// Softmax over all keys, with scores over √D.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which keys a query may look at.
    #[must_use]
    pub fn mask(mut self, mask: impl Into<Mask>) -> Self {
        self.mask = mask.into();
        self
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

    /// Adds 2^(−8(h+1)/H) times key position minus query position to the scores of head h.
    #[must_use]
    pub fn alibi(mut self, alibi: bool) -> Self {
        self.alibi = alibi;
        self
    }

    /// Adds a learned bias `[H or 1, 2R + 1]` by the distance of key and query, clamped to −R..=R.
    #[must_use]
    pub fn relative_bias(mut self, bias: &Tensor) -> Self {
        self.bias = Some((bias.clone(), BiasForm::Relative));
        self
    }

    /// Adds a bias `[H or 1, Lq or 1, Lk or 1]` to the scores.
    #[must_use]
    pub fn bias(mut self, bias: &Tensor) -> Self {
        self.bias = Some((bias.clone(), BiasForm::Scores));
        self
    }

    /// Keeps the k largest scores of each row among the allowed ones, and whatever equals the k-th; 1 ≤ k ≤ Lk.
    #[must_use]
    pub fn top_k(mut self, k: usize) -> Self {
        self.top_k = Some(k);
        self
    }

    /// How scores become weights.
    #[must_use]
    pub fn normalizer(mut self, normalizer: Normalizer) -> Self {
        self.normalizer = normalizer;
        self
    }
}

impl Tensor {
    /// Attention of queries `[B, H, Lq, D]` (self), keys `[B, Hkv, Lk, D]` and values `[B, Hkv, Lk, Dv]`: `[B, H, Lq, Dv]`.
    /// Query head h uses key head h / (H / Hkv). In this order: scale, softcap, ALiBi, bias, mask, top-k, normalizer.
    /// A row with nothing allowed gives 0 and gradients of 0; one with NaN or an infinity as its largest score is NaN.
    /// Gradients go to q, k, v and the bias, and have none themselves.
    ///
    /// ```
    /// # use knotwork_core::{DType, Graph, ops::{Attention, Mask, Normalizer}};
    /// let g = Graph::new();
    /// let q = g.input("q", DType::F32, [1, 4, 10, 16])?;
    /// let kv = g.input("kv", DType::F32, [1, 2, 10, 16])?;
    /// let options = Attention::new().mask(Mask::causal()).softcap(20.0).normalizer(Normalizer::Entmax15).top_k(8);
    /// assert_eq!(q.attention(&kv, &kv, &options)?.shape(), q.shape());
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where shapes or types do not fit, or an option lies outside its range; the message names it.
    #[track_caller]
    pub fn attention(&self, k: &Self, v: &Self, options: &Attention) -> Result<Self> {
        let site = Site::here();
        let mut tables = Vec::new();
        let mask = options.mask.condition.0.resolve(&mut tables);
        let fault = options.mask.fault.clone().or_else(|| {
            (mask.size() > 512).then(|| format!("the mask has {} parts; at most 512", mask.size()))
        });
        if let Some(message) = fault {
            return Err(OpError {
                op: "attention".into(),
                inputs: [self, k, v].map(|t| t.meta().to_string()).to_vec(),
                message,
                site,
            }
            .into());
        }
        let op = AttentionOp {
            part: PartOf::Forward,
            setting: Setting {
                mask,
                roles: tables.iter().map(|(_, role)| *role).collect(),
                scale: options.scale,
                softcap: options.softcap,
                alibi: options.alibi,
                bias: options.bias.as_ref().map(|(_, form)| *form),
                top_k: options.top_k,
                normalizer: options.normalizer,
            },
        };
        let mut inputs = vec![self, k, v];
        inputs.extend(options.bias.as_ref().map(|(bias, _)| bias));
        inputs.extend(tables.iter().map(|(t, _)| t));
        let mut out = self.graph().apply(op, &inputs, site)?;
        Ok(out.swap_remove(0))
    }
}
