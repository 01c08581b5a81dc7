//! How Kolmogorov–Arnold attention is asked for.

use knotwork_core::{Graph, ops::Basis};

use super::{Heads, KanAttention};
use crate::{Error, Generator, Result, kan::mean_square, layers::Linear};

/// The settings of a [`KanAttention`].
#[derive(Clone, Debug)]
pub struct KanAttentionBuilder {
    graph: Graph,
    name: String,
    tokens: usize,
    heads: Heads,
    rank: usize,
    basis: Option<Basis>,
    shared: bool,
    bias: bool,
    seed: u64,
}

impl KanAttentionBuilder {
    pub(super) fn new(graph: &Graph, name: &str, tokens: usize, width: usize, count: usize) -> Self {
        let heads = Heads { width, count };
        let (graph, name) = (graph.clone(), name.into());
        Self { graph, name, tokens, heads, rank: 12, basis: None, shared: false, bias: true, seed: 0 }
    }

    /// The rank of the map from a row of scores to a row of weights.
    #[must_use]
    pub fn rank(mut self, rank: usize) -> Self {
        self.rank = rank;
        self
    }

    /// The functions of a score. Scores of queries and keys with variance 1 have variance 1.
    #[must_use]
    pub fn basis(mut self, basis: impl Into<Basis>) -> Self {
        self.basis = Some(basis.into());
        self
    }

    /// Whether all heads have the same functions: one dispatch for all, and fewer parameters.
    #[must_use]
    pub fn shared_heads(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// Whether the four projections add a bias.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The seed of the initial values; layers of different names draw different ones.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Adds the parameters to the graph.
    ///
    /// # Errors
    /// Where a number is 0, the heads do not divide the width, or a name is taken.
    #[track_caller]
    pub fn build(&self) -> Result<KanAttention> {
        let Self { graph, name, tokens, heads, rank, bias, seed, .. } = self;
        let (tokens, rank) = (*tokens, *rank);
        let Heads { width, count } = *heads;
        let no = |what: String| Err(Error::setting(format!("KanAttention `{name}`: {what}")));
        if tokens == 0 || rank == 0 {
            return no(format!("{tokens} tokens, rank {rank}; both must be at least 1"));
        }
        if count == 0 || width == 0 || width % count != 0 {
            return no(format!(
                "{count} heads of a width of {width}; both must be at least 1, and heads divide it"
            ));
        }
        let basis = match self.basis {
            Some(basis) => basis,
            None => Basis::fourier(3)?,
        };
        let linear = |what: &str| {
            Linear::new(graph, &format!("{name}.{what}"), width, width).bias(*bias).seed(*seed).build()
        };
        let linear = [linear("q")?, linear("k")?, linear("v")?, linear("out")?];
        let maps = if self.shared { 1 } else { count };
        let mut values = Generator::named(*seed, name);
        // The low rank has variance 1 then, and the result the variance of the values.
        let std = (tokens as f64 * mean_square(&basis)).sqrt().recip();
        let coef = values.normal(&[maps, tokens, basis.count(), rank], 0.0, std)?;
        let project = values.normal(&[maps, rank, tokens], 0.0, ((rank * tokens) as f64).sqrt().recip())?;
        let coef = graph.parameter(&format!("{name}.coef"), coef)?;
        let project = graph.parameter(&format!("{name}.project"), project)?;
        Ok(KanAttention { name: name.clone(), tokens, heads: *heads, basis, linear, coef, project })
    }
}
