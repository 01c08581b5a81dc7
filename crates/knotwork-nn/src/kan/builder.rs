//! How a network is asked for.

use std::collections::BTreeMap;

use knotwork_core::{
    DType, Graph, HostTensor,
    ops::{BSpline, Basis},
};

use super::{Kan, Layer, edge};
use crate::{Error, Generator, Result};

/// The settings of a [`Kan`].
#[derive(Clone, Debug)]
pub struct KanBuilder {
    graph: Graph,
    name: String,
    widths: Vec<usize>,
    grid: usize,
    order: usize,
    range: (f64, f64),
    basis: Option<Basis>,
    layers: BTreeMap<usize, Own>,
    base: bool,
    bias: bool,
    seed: u64,
    spline_scale: f64,
}

/// What a layer has of its own.
#[derive(Clone, Copy, Debug)]
enum Own {
    Basis(Basis),
    Range(f64, f64),
}

impl KanBuilder {
    pub(super) fn new(graph: &Graph, name: &str, widths: &[usize]) -> Self {
        Self {
            graph: graph.clone(),
            name: name.into(),
            widths: widths.to_vec(),
            grid: 5,
            order: 3,
            range: (-1.0, 1.0),
            basis: None,
            layers: BTreeMap::new(),
            base: true,
            bias: false,
            seed: 0,
            spline_scale: 0.1,
        }
    }

    /// Intervals of the grid.
    #[must_use]
    pub fn grid(mut self, intervals: usize) -> Self {
        self.grid = intervals;
        self
    }

    /// The order (degree) of the splines.
    #[must_use]
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    /// The range of the grid; splines fade to 0 within `order` intervals beyond it.
    #[must_use]
    pub fn range(mut self, low: impl Into<f64>, high: impl Into<f64>) -> Self {
        self.range = (low.into(), high.into());
        self
    }

    /// Other functions for all layers, instead of B-splines of [`grid`](Self::grid), [`order`](Self::order) and
    /// [`range`](Self::range).
    #[must_use]
    pub fn basis(mut self, basis: impl Into<Basis>) -> Self {
        self.basis = Some(basis.into());
        self
    }

    /// Other functions for one layer, counted from 0.
    #[must_use]
    pub fn layer_basis(mut self, layer: usize, basis: impl Into<Basis>) -> Self {
        self.layers.insert(layer, Own::Basis(basis.into()));
        self
    }

    /// B-splines over another range for one layer, counted from 0.
    #[must_use]
    pub fn layer_range(mut self, layer: usize, low: impl Into<f64>, high: impl Into<f64>) -> Self {
        self.layers.insert(layer, Own::Range(low.into(), high.into()));
        self
    }

    /// Whether edges have the term w silu(x).
    #[must_use]
    pub fn base(mut self, base: bool) -> Self {
        self.base = base;
        self
    }

    /// Whether each layer adds a bias.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The seed of the initial values; networks of different names draw different ones.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How large the splines begin: 1 gives their sum over the inputs variance 1; 0.1 unless set, so that the base term
    /// carries the signal at first. Without a base term 1 is a better choice.
    #[must_use]
    pub fn spline_scale(mut self, scale: f64) -> Self {
        self.spline_scale = scale;
        self
    }

    /// Adds the parameters to the graph.
    ///
    /// # Errors
    /// Where there are fewer than two widths or one is 0, the grid, order or range cannot be taken, or a name is taken.
    #[track_caller]
    pub fn build(&self) -> Result<Kan> {
        let Self { graph, name, widths, .. } = self;
        if widths.len() < 2 || widths.contains(&0) {
            return Err(Error::setting(format!(
                "Kan `{name}`: widths {widths:?}; there must be at least two, none of them 0"
            )));
        }
        if !self.spline_scale.is_finite() {
            let scale = self.spline_scale;
            return Err(Error::setting(format!(
                "Kan `{name}`: the spline scale is {scale}; it must be finite"
            )));
        }
        let depth = widths.len() - 1;
        if let Some(layer) = self.layers.keys().find(|l| **l >= depth) {
            return Err(Error::setting(format!(
                "Kan `{name}`: there is no layer {layer}; there are {depth}"
            )));
        }
        let splines =
            |(low, high)| Ok::<_, Error>(BSpline::new(self.grid, self.order)?.range(low, high)?.into());
        let mut bases: Vec<Basis> = Vec::with_capacity(depth);
        for layer in 0..depth {
            bases.push(match (self.layers.get(&layer), self.basis) {
                (Some(Own::Basis(basis)), _) => *basis,
                (Some(Own::Range(low, high)), _) => splines((*low, *high))?,
                (None, Some(basis)) => basis,
                (None, None) => splines(self.range)?,
            });
        }
        let mut layers = Vec::with_capacity(depth);
        for (l, (pair, basis)) in widths.windows(2).zip(bases).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            let prefix = format!("{name}.{l}");
            let mut values = Generator::named(self.seed, &prefix);
            // Var y = I std² E[Σ φ²] (for splines E over a cell), so this std gives the sum of all variance scale².
            let std = self.spline_scale / (inputs as f64 * edge::mean_square(&basis)).sqrt();
            let init = values.normal(&[inputs, basis.count(), outputs], 0.0, std)?;
            let coef = graph.parameter(&format!("{prefix}.coef"), init)?;
            let base = if self.base {
                // E[silu(x)²] is 0.3558 for x ~ N(0, 1): the gain that keeps the variance.
                let init = values.kaiming_uniform(&[inputs, outputs], inputs, 1.0 / 0.355_8f64.sqrt())?;
                Some(graph.parameter(&format!("{prefix}.base"), init)?)
            } else {
                None
            };
            let zeros = || HostTensor::zeros(DType::F32, [outputs]);
            let bias = self.bias.then(|| graph.parameter(&format!("{prefix}.bias"), zeros())).transpose()?;
            layers.push(Layer { widths: [inputs, outputs], basis, coef, base, bias });
        }
        Ok(Kan { name: name.clone(), layers })
    }
}
