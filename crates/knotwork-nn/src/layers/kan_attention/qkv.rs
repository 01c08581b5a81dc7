//! Attention whose queries, keys and values are KAN layers of x.

use knotwork_core::{Graph, Site, Tensor, graph::with_provenance, ops::Attention};

use super::Heads;
use crate::{Error, Kan, Result, kan::KanBuilder, layers::Linear};

/// Multi-head attention whose projections to queries, keys and values are KAN layers:
/// y = concat_h(softmax(Q_h K_hᵀ / √d) V_h) Wᵀ + b with Q, K and V each a [`Kan`] of one layer, [width, width].
///
/// The attention is the operation [`attention`](Tensor::attention): fused, with all its masks, and no scores in memory.
/// x is [B, N, width] with any N, and so is the result.
///
/// Parameters: `name.q.0.…`, `name.k.0.…`, `name.v.0.…` as a [`Kan`] names them, `name.out.weight`, `name.out.bias`.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor, ops::{Attention, Mask}};
/// use knotwork_nn::layers::KanQkvAttention;
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [2, 5, 8])?;
/// let layer = KanQkvAttention::new(&g, "attention", 8, 2).kan(|k| k.grid(8).range(-3, 3)).build()?;
/// let y = layer.forward(&x, &Attention::new().mask(Mask::causal()))?;
/// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
/// let out = program.run([("x", HostTensor::zeros(DType::F32, [2, 5, 8]))])?.wait()?;
/// assert_eq!(out[0].shape(), [2, 5, 8]);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KanQkvAttention {
    name: String,
    heads: Heads,
    /// Q, K and V.
    kans: [Kan; 3],
    out: Linear,
}

impl KanQkvAttention {
    /// A layer of that width with so many heads.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "a layer is made by its builder")]
    pub fn new(graph: &Graph, name: &str, width: usize, heads: usize) -> KanQkvAttentionBuilder {
        let kans = ["q", "k", "v"].map(|what| Kan::new(graph, &format!("{name}.{what}"), [width, width]));
        let heads = Heads { width, count: heads };
        KanQkvAttentionBuilder { graph: graph.clone(), name: name.into(), heads, kans, seed: 0 }
    }

    /// The layer of x [B, N, width] under a mask, a scale and what else an [`Attention`] says: [B, N, width].
    ///
    /// # Errors
    /// Where x has another width or rank or is no f32, and those of [`attention`](Tensor::attention).
    #[track_caller]
    pub fn forward(&self, x: &Tensor, attention: &Attention) -> Result<Tensor> {
        let site = Site::here();
        let dims = x.shape().dims();
        if dims.len() != 3 || dims[2].fixed() != Some(self.heads.width) {
            return Err(Error::setting(format!(
                "KanQkvAttention `{}`: x is {}; it must be [B, N, {}]",
                self.name,
                x.meta(),
                self.heads.width
            )));
        }
        with_provenance(site, || {
            let [q, k, v] = &self.kans;
            let split = |kan: &Kan| self.heads.split(&kan.forward(x)?);
            let y = split(q)?.attention(&split(k)?, &split(v)?, attention)?;
            self.out.forward(&self.heads.join(&y)?)
        })
    }

    /// Q, K and V.
    #[must_use]
    pub fn kans(&self) -> &[Kan; 3] {
        &self.kans
    }

    /// The projection of the result.
    #[must_use]
    pub fn out(&self) -> &Linear {
        &self.out
    }

    /// All its parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Tensor> {
        self.kans.iter().flat_map(Kan::parameters).chain(self.out.parameters()).collect()
    }
}

/// The settings of a [`KanQkvAttention`].
#[derive(Clone, Debug)]
pub struct KanQkvAttentionBuilder {
    graph: Graph,
    name: String,
    heads: Heads,
    kans: [KanBuilder; 3],
    seed: u64,
}

impl KanQkvAttentionBuilder {
    /// Other settings for the three KAN layers.
    #[must_use]
    pub fn kan(mut self, set: impl Fn(KanBuilder) -> KanBuilder) -> Self {
        self.kans = self.kans.map(set);
        self
    }

    /// The seed of the initial values; layers of different names draw different ones.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.kan(|kan| kan.seed(seed))
    }

    /// Adds the parameters to the graph.
    ///
    /// # Errors
    /// Where the heads do not divide the width or one of both is 0, the KAN layers cannot be built, or they have other widths.
    #[track_caller]
    pub fn build(&self) -> Result<KanQkvAttention> {
        let Self { graph, name, heads, seed, .. } = self;
        let Heads { width, count } = *heads;
        if count == 0 || width == 0 || width % count != 0 {
            return Err(Error::setting(format!(
                "KanQkvAttention `{name}`: {count} heads of a width of {width}; both must be at least 1, and heads divide it"
            )));
        }
        // Multiplication nodes would make them wider: seen before anything is added to the graph.
        for kan in &self.kans {
            let network = kan.network()?;
            let outputs = network.layers().last().map(|l| l.outputs());
            if outputs != Some(width) {
                return Err(Error::setting(format!(
                    "KanQkvAttention `{name}`: a KAN layer has {} outputs; there must be {width}, the width",
                    outputs.unwrap_or(0)
                )));
            }
        }
        let [q, k, v] = &self.kans;
        let kans = [q.build()?, k.build()?, v.build()?];
        let out = Linear::new(graph, &format!("{name}.out"), width, width).seed(*seed).build()?;
        Ok(KanQkvAttention { name: name.clone(), heads: *heads, kans, out })
    }
}
