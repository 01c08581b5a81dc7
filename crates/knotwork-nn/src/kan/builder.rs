//! How a network is asked for.

use knotwork_core::{DType, Graph, HostTensor, ops::BSpline};

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
    base: bool,
    bias: bool,
    seed: u64,
    spline_scale: f64,
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
        let basis = BSpline::new(self.grid, self.order)?.range(self.range.0, self.range.1)?;
        let mut layers = Vec::with_capacity(widths.len() - 1);
        for (l, pair) in widths.windows(2).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            let prefix = format!("{name}.{l}");
            let mut values = Generator::named(self.seed, &prefix);
            // Var y = I std² E[Σ B²] (E over a cell), so this std gives the sum of all splines variance scale².
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
            layers.push(Layer { widths: [inputs, outputs], coef, base, bias });
        }
        Ok(Kan { name: name.clone(), basis, layers })
    }
}
