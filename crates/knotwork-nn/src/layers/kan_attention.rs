//! Attention with learned functions: in the place of softmax, or as the projections in front of it.

mod builder;
mod qkv;
#[cfg(test)]
mod tests;

use knotwork_core::{Site, Tensor, graph::with_provenance, ops::Basis};

pub use builder::KanAttentionBuilder;
pub use qkv::{KanQkvAttention, KanQkvAttentionBuilder};

use super::Linear;
use crate::{Error, Result};

/// Kolmogorov–Arnold attention, KArAt (Maity et al. 2025, arXiv:2503.10632): the row of scores of a query goes through a learned
/// function of the whole row instead of softmax,
///
/// y_h = Φ_h(Q_h K_hᵀ / √d) V_h, Φ_h(a)_j = Σ_s w_hsj Σ_l φ_hls(a_l), φ(a) = Σ_m c_m φ_m(a),
///
/// for each head h, with l and j over the tokens and s over the rank: a KAN layer from the tokens to a low rank, and a linear
/// map back, since one from tokens to tokens would take tokens² functions a head. The functions are a Fourier series as in
/// the paper unless set otherwise. x is [B, N, width], and so is the result: Q, K and V are [`Linear`] in x, and so is the
/// result in the heads side by side.
///
/// The functions belong to places, so the number of tokens is fixed, there is no mask, and weights are neither positive nor
/// do they sum to 1. The paper reports accuracy on par with softmax for small vision transformers, and worse for larger ones:
/// a layer to try out, not one to prefer.
///
/// **Memory.** The scores of all heads, B heads N², are values in memory, kept for the backward pass: the fused
/// [`attention`](Tensor::attention) has no part here. The weights Φ are never made: Φ_h V_h is (Σ_l φ) (W_h V_h), which takes
/// [B, N, rank] and [B, rank, d] a head.
///
/// Parameters: `name.q`, `name.k`, `name.v`, `name.out` `.weight` and `.bias`; `name.coef` [heads, N, n, rank] and
/// `name.project` [heads, rank, N], with 1 for heads where they share their functions.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// use knotwork_nn::layers::KanAttention;
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [2, 6, 8])?;
/// let layer = KanAttention::new(&g, "attention", 6, 8, 2).rank(3).seed(7).build()?;
/// let y = layer.forward(&x)?;
/// assert_eq!(y.shape().to_string(), "[2, 6, 8]");
/// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
/// let out = program.run([("x", HostTensor::zeros(DType::F32, [2, 6, 8]))])?.wait()?;
/// assert!(out[0].to_f64().iter().all(|y| *y == 0.0)); // no value, nothing to attend to
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KanAttention {
    name: String,
    tokens: usize,
    heads: Heads,
    basis: Basis,
    /// Q, K, V and the result's.
    linear: [Linear; 4],
    coef: Tensor,
    project: Tensor,
}

/// How a width is split.
#[derive(Clone, Copy, Debug)]
struct Heads {
    width: usize,
    count: usize,
}

impl Heads {
    /// [B, N, width] as [B, heads, N, d].
    fn split(self, x: &Tensor) -> Result<Tensor> {
        let dims = x.shape().dims();
        let each = self.width / self.count;
        let x = x.reshape([dims[0].clone(), dims[1].clone(), self.count.into(), each.into()])?;
        Ok(x.permute(&[0, 2, 1, 3])?)
    }

    /// [B, heads, N, d] as [B, N, width].
    fn join(self, y: &Tensor) -> Result<Tensor> {
        let y = y.permute(&[0, 2, 1, 3])?;
        let dims = y.shape().dims().to_vec();
        Ok(y.reshape([dims[0].clone(), dims[1].clone(), self.width.into()])?)
    }
}

impl KanAttention {
    /// A layer over so many tokens of that width, with so many heads. Unless set otherwise the rank is 12, the functions are
    /// Fourier series of 3 frequencies, and each head has functions of its own.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "a layer is made by its builder")]
    pub fn new(
        graph: &knotwork_core::Graph,
        name: &str,
        tokens: usize,
        width: usize,
        heads: usize,
    ) -> KanAttentionBuilder {
        KanAttentionBuilder::new(graph, name, tokens, width, heads)
    }

    /// The layer of x [B, N, width]: [B, N, width].
    ///
    /// # Errors
    /// Where x has another shape but for its batch, or is no f32.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let site = Site::here();
        let dims = x.shape().dims();
        let last = dims.get(1..).map(|d| d.iter().map(|d| d.fixed()).collect::<Vec<_>>());
        if last != Some(vec![Some(self.tokens), Some(self.heads.width)]) {
            return Err(Error::setting(format!(
                "KanAttention `{}`: x is {}; it must be [B, {}, {}]",
                self.name,
                x.meta(),
                self.tokens,
                self.heads.width
            )));
        }
        with_provenance(site, || self.apply(x))
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let [q, k, v, out] = &self.linear;
        let split = |layer: &Linear| self.heads.split(&layer.forward(x)?);
        let (q, k, v) = (split(q)?, split(k)?, split(v)?);
        let each = (self.heads.width / self.heads.count) as f64;
        let scores = |q: &Tensor, k: &Tensor| q.matmul(&k.transpose(-2, -1)?)?.mul(each.sqrt().recip());
        let own = self.coef.shape().dims()[0].fixed() == Some(self.heads.count) && self.heads.count > 1;
        let of = |t: &Tensor, head: usize| -> Result<Tensor> {
            let rest = t.shape().dims()[1..].to_vec();
            Ok(t.slice(0, head, head + 1)?.reshape(rest)?)
        };
        let weigh = |scores: &Tensor, v: &Tensor, head: usize| -> Result<Tensor> {
            let low = scores.kan_layer_native(&of(&self.coef, head)?, None, None, self.basis)?;
            Ok(low.matmul(&of(&self.project, head)?.matmul(v)?)?)
        };
        let y = if own {
            let mut heads = Vec::with_capacity(self.heads.count);
            for head in 0..self.heads.count {
                let pick = |t: &Tensor| t.slice(1, head, head + 1);
                let (q, k, v) = (pick(&q)?, pick(&k)?, pick(&v)?);
                heads.push(weigh(&scores(&q, &k)?, &v, head)?);
            }
            Tensor::concat(&heads.iter().collect::<Vec<_>>(), 1)?
        } else {
            weigh(&scores(&q, &k)?, &v, 0)?
        };
        out.forward(&self.heads.join(&y)?)
    }

    /// The coefficients of the functions of scores, [heads or 1, N, n, rank].
    #[must_use]
    pub fn coef(&self) -> &Tensor {
        &self.coef
    }

    /// The maps from the rank to the tokens, [heads or 1, rank, N].
    #[must_use]
    pub fn project(&self) -> &Tensor {
        &self.project
    }

    /// The projections to queries, keys and values, and the result's.
    #[must_use]
    pub fn linear(&self) -> &[Linear; 4] {
        &self.linear
    }

    /// All its parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Tensor> {
        let linear = self.linear.iter().flat_map(|l| l.parameters());
        linear.chain([&self.coef, &self.project]).collect()
    }
}
