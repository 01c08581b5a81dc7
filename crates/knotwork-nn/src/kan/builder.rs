//! How a network is asked for.

use std::collections::BTreeMap;

use knotwork_core::{
    DType, Graph,
    ops::{BSpline, Outside},
};

use super::{
    Base, Functions, Kan, Network, NetworkLayer,
    branch::{Branch, Places},
    edge::first_scale,
};
use crate::{Error, Generator, Result};

/// The settings of a [`Kan`].
#[derive(Clone, Debug)]
pub struct KanBuilder {
    graph: Graph,
    name: String,
    widths: Vec<usize>,
    multiply: BTreeMap<usize, Vec<usize>>,
    grid: usize,
    order: usize,
    range: (f64, f64),
    outside: Outside,
    basis: Option<Functions>,
    layers: BTreeMap<usize, Own>,
    edges: Vec<([usize; 3], Functions)>,
    base: Base,
    scale: bool,
    bias: bool,
    seed: u64,
    spline_scale: f64,
    dtype: DType,
}

/// Functions, and which edges have them; none for all.
type Kind = (Functions, Vec<bool>);

/// What a layer has of its own.
#[derive(Clone, Debug)]
enum Own {
    Basis(Functions),
    Range(f64, f64),
}

impl KanBuilder {
    pub(super) fn new(graph: &Graph, name: &str, widths: &[usize]) -> Self {
        Self {
            graph: graph.clone(),
            name: name.into(),
            widths: widths.to_vec(),
            multiply: BTreeMap::new(),
            grid: 5,
            order: 3,
            range: (-1.0, 1.0),
            outside: Outside::Zero,
            basis: None,
            layers: BTreeMap::new(),
            edges: Vec::new(),
            base: Base::Silu,
            scale: false,
            bias: false,
            seed: 0,
            spline_scale: 0.1,
            dtype: DType::F32,
        }
    }

    /// Adds multiplication nodes to a layer, counted from 0, each a product of so many sums (Liu et al. 2024, "KAN 2.0"):
    /// the layer's width counts its sums, and these nodes come on top of them as the next layer's last inputs.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph};
    /// use knotwork_nn::Kan;
    /// let g = Graph::new();
    /// // Two inputs, one sum and one product of two sums, one output.
    /// let model = Kan::new(&g, "kan", [2, 1, 1]).multiply(0, [2]).build()?;
    /// assert_eq!(model.widths(), [2, 2, 1]);
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    #[must_use]
    pub fn multiply(mut self, layer: usize, arities: impl Into<Vec<usize>>) -> Self {
        self.multiply.insert(layer, arities.into());
        self
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

    /// The range of the grid.
    #[must_use]
    pub fn range(mut self, low: impl Into<f64>, high: impl Into<f64>) -> Self {
        self.range = (low.into(), high.into());
        self
    }

    /// What splines are beyond their grid. Unless set they fade to 0 within `order` intervals, as pykan's do;
    /// [`Outside::Linear`] gives inputs that left the grid a slope to come back by.
    #[must_use]
    pub fn outside(mut self, outside: Outside) -> Self {
        self.outside = outside;
        self
    }

    /// Other functions for all layers, instead of B-splines of [`grid`](Self::grid), [`order`](Self::order) and
    /// [`range`](Self::range): a [`Basis`](knotwork_core::ops::Basis), a [`Wavelet`](knotwork_core::ops::Wavelet), or any
    /// [`Functions`].
    #[must_use]
    pub fn basis(mut self, basis: impl Into<Functions>) -> Self {
        self.basis = Some(basis.into());
        self
    }

    /// Other functions for one layer, counted from 0.
    #[must_use]
    pub fn layer_basis(mut self, layer: usize, basis: impl Into<Functions>) -> Self {
        self.layers.insert(layer, Own::Basis(basis.into()));
        self
    }

    /// B-splines over another range for one layer, counted from 0.
    #[must_use]
    pub fn layer_range(mut self, layer: usize, low: impl Into<f64>, high: impl Into<f64>) -> Self {
        self.layers.insert(layer, Own::Range(low.into(), high.into()));
        self
    }

    /// Other functions for one edge: of a layer, from an input to a sum, all counted from 0. Each kind of functions in a layer
    /// costs a layer's time of its own.
    ///
    /// ```
    /// use knotwork_core::{Graph, ops::Basis};
    /// use knotwork_nn::Kan;
    /// let g = Graph::new();
    /// let model = Kan::new(&g, "kan", [2, 1]).edge_basis(0, 1, 0, Basis::fourier(4)?).build()?;
    /// assert_eq!(model.to_string(), "KAN [2, 1], bspline order=3 grid=5 range=[-1, 1], fourier frequencies=4");
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    #[must_use]
    pub fn edge_basis(
        mut self,
        layer: usize,
        input: usize,
        output: usize,
        basis: impl Into<Functions>,
    ) -> Self {
        self.edges.retain(|(at, _)| *at != [layer, input, output]);
        self.edges.push(([layer, input, output], basis.into()));
        self
    }

    /// The term beside the learned functions: w silu(x) unless set, and none by `false` or [`Base::None`].
    #[must_use]
    pub fn base(mut self, base: impl Into<Base>) -> Self {
        self.base = base.into();
        self
    }

    /// Whether the learned functions have a factor of their own beside their coefficients, an edge each (pykan's `scale_sp`),
    /// 1 at first. It adds nothing that coefficients cannot say, but other steps of the optimizer.
    #[must_use]
    pub fn scale(mut self, scale: bool) -> Self {
        self.scale = scale;
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

    /// The parameters' type: f32 unless set; f64 runs on the CPU.
    #[must_use]
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Adds the parameters to the graph.
    ///
    /// # Errors
    /// Where there are fewer than two widths or one is 0, the grid, order or range cannot be taken, a layer, edge or arity is
    /// none, functions are on knots of another number of inputs, or a name is taken.
    #[track_caller]
    pub fn build(&self) -> Result<Kan> {
        self.network()?.build_as(&self.graph, &self.name, self.dtype)
    }

    /// The network as data, its initial values drawn; the graph stays as it is.
    ///
    /// # Errors
    /// As of [`build`](Self::build), but for names.
    #[track_caller]
    pub fn network(&self) -> Result<Network> {
        let shapes = self.shapes()?;
        let mut layers = Vec::with_capacity(shapes.len());
        for (l, ([inputs, sums], functions)) in shapes.iter().zip(self.bases()?).enumerate() {
            let (inputs, sums) = (*inputs, *sums);
            let mut values = Generator::named(self.seed, &format!("{}.{l}", self.name));
            let mut branches = Vec::with_capacity(functions.len());
            for (functions, edges) in functions {
                // Var y = I std² E[Σ φ²] (for splines E over a cell), so this std gives the sum of all variance scale².
                let std = self.spline_scale / (inputs as f64 * functions.mean_square()).sqrt();
                let coef = values.normal(&[inputs, functions.count(), sums], 0.0, std)?.to_f64();
                let places = match &functions {
                    Functions::Wavelet(wavelet, range) => {
                        let translation = values.uniform(&[inputs, sums], range.0, range.1)?.to_f64();
                        let log_scale = vec![first_scale(*wavelet, *range).ln(); inputs * sums];
                        Some(Places { log_scale, translation })
                    }
                    Functions::Basis(_) | Functions::OnKnots(..) => None,
                };
                branches.push(Branch { functions, coef, places, edges });
            }
            let base_weight = if self.base == Base::None {
                Vec::new()
            } else {
                // E[silu(x)²] is 0.3558 for x ~ N(0, 1): the gain that keeps the variance.
                values.kaiming_uniform(&[inputs, sums], inputs, 1.0 / 0.355_8f64.sqrt())?.to_f64()
            };
            layers.push(NetworkLayer {
                inputs,
                sums,
                multiply: self.multiply.get(&l).cloned().unwrap_or_default(),
                branches,
                base: self.base,
                base_weight,
                scale: if self.scale { vec![1.0; inputs * sums] } else { Vec::new() },
                bias: if self.bias { vec![0.0; sums] } else { Vec::new() },
                mask: vec![true; inputs * sums],
                symbolic: vec![None; inputs * sums],
            });
        }
        let outputs = layers.last().map_or(0, NetworkLayer::outputs);
        let (inputs, outputs) = Network::default_names(self.widths[0], outputs);
        Ok(Network { inputs, outputs, layers, units: [Vec::new(), Vec::new()] })
    }

    /// The inputs and sums of every layer.
    #[track_caller]
    fn shapes(&self) -> Result<Vec<[usize; 2]>> {
        let Self { name, widths, .. } = self;
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
        let asked =
            self.layers.keys().chain(self.multiply.keys()).chain(self.edges.iter().map(|(at, _)| &at[0]));
        if let Some(layer) = asked.into_iter().find(|l| **l >= depth) {
            return Err(Error::setting(format!(
                "Kan `{name}`: there is no layer {layer}; there are {depth}"
            )));
        }
        if let Some(arity) = self.multiply.values().flatten().find(|a| **a < 2) {
            return Err(Error::setting(format!(
                "Kan `{name}`: a multiplication node of arity {arity}; it must be at least 2"
            )));
        }
        let products = |l: usize| self.multiply.get(&l).map_or(&[][..], |m| &m[..]);
        let shapes: Vec<[usize; 2]> = (0..depth)
            .map(|l| {
                let before = l.checked_sub(1).map_or(0, |l| products(l).len());
                [widths[l] + before, widths[l + 1] + products(l).iter().sum::<usize>()]
            })
            .collect();
        match self.edges.iter().find(|([l, i, o], _)| *i >= shapes[*l][0] || *o >= shapes[*l][1]) {
            None => Ok(shapes),
            Some(([l, i, o], _)) => Err(Error::setting(format!(
                "Kan `{name}`: there is no edge from {i} to {o}; layer {l} goes from {} to {}",
                shapes[*l][0], shapes[*l][1]
            ))),
        }
    }

    /// The functions of every layer, each with the edges that have them (none for all).
    #[track_caller]
    fn bases(&self) -> Result<Vec<Vec<Kind>>> {
        let splines = |(low, high)| {
            Ok::<Functions, Error>(
                BSpline::new(self.grid, self.order)?.range(low, high)?.outside(self.outside).into(),
            )
        };
        let shapes = self.shapes()?;
        let mut all = Vec::with_capacity(shapes.len());
        for (layer, [inputs, sums]) in shapes.into_iter().enumerate() {
            let usual = match (self.layers.get(&layer), &self.basis) {
                (Some(Own::Basis(functions)), _) | (None, Some(functions)) => functions.clone(),
                (Some(Own::Range(low, high)), _) => splines((*low, *high))?,
                (None, None) => splines(self.range)?,
            };
            let mut kinds = vec![(usual, vec![true; inputs * sums])];
            for ([_, i, o], basis) in self.edges.iter().filter(|(at, _)| at[0] == layer) {
                let edge = i * sums + o;
                kinds.iter_mut().for_each(|(_, edges)| edges[edge] = false);
                match kinds.iter_mut().find(|(kind, _)| kind == basis) {
                    Some((_, edges)) => edges[edge] = true,
                    None => {
                        let mut edges = vec![false; inputs * sums];
                        edges[edge] = true;
                        kinds.push((basis.clone(), edges));
                    }
                }
            }
            kinds.retain(|(_, edges)| edges.contains(&true));
            for (functions, edges) in &mut kinds {
                functions
                    .check(inputs)
                    .map_err(|what| Error::setting(format!("Kan `{}`: layer {layer}: {what}", self.name)))?;
                if !edges.contains(&false) {
                    edges.clear();
                }
            }
            all.push(kinds);
        }
        Ok(all)
    }
}

impl From<bool> for Base {
    /// silu, or none.
    fn from(base: bool) -> Self {
        if base { Self::Silu } else { Self::None }
    }
}
