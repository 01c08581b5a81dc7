//! Kolmogorov–Arnold networks: in a graph ([`Kan`]), and as data ([`Network`]) that grids, pruning and formulas change.

mod attribution;
mod banded;
mod base;
mod branch;
mod builder;
mod description;
mod draw;
mod edge;
mod fast;
mod file;
mod fit;
mod formula;
#[cfg(test)]
mod formula_tests;
mod functions;
mod grid;
mod knots;
mod layer;
mod network;
mod project;
mod prune;
mod refine;
mod reuse;
mod run;
mod scales;
mod scaling;
mod sparsity;
mod symbols;
#[cfg(test)]
mod tests;
mod text;
#[cfg(test)]
mod wavelet_tests;
mod workflow;

use std::{fmt, sync::Arc};

use knotwork_core::{DType, Graph, Tensor, device::Params};

pub(crate) use self::edge::mean_square;
use self::layer::Layer;
pub use self::{
    attribution::Attribution,
    base::Base,
    builder::KanBuilder,
    fast::{FastKan, FastKanModel},
    fit::{Fit, FitStep, Fitted},
    formula::{AutoSymbolic, FixedEdge},
    functions::Functions,
    grid::GridUpdate,
    knots::Knots,
    network::{Network, NetworkLayer},
    scales::EdgeScales,
    scaling::Unit,
    sparsity::Sparsity,
    workflow::{Outcome, Split, Stage, Workflow},
};
use crate::{Error, Result, plot::Edge};

/// A Kolmogorov–Arnold network (Liu et al. 2024): layers whose every edge is a learned function of one variable,
/// φ(x) = w silu(x) + Σ_m c_m φ_m(x), over B-splines or other [`Functions`], layer by layer or edge by edge.
///
/// Layer l has the parameters `name.l.coef` [in, functions, out] (`coef1` … where edges have different functions),
/// `name.l.base` [in, out], `name.l.scale` [in, out] and `name.l.bias` `[out]` where they were asked for: the order in which
/// kernels read them. Wavelets have `name.l.log_scale` and `name.l.translation` [in, out] beside `coef`. Edges that are
/// formulas have `name.l.symbolic` [4, formulas]. Splines on knots of each input's own keep them in `name.l.knots`, a
/// parameter that is not trained.
///
/// Its structure is a [`Network`], which a trained model gives back ([`network`](Self::network)).
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// use knotwork_nn::Kan;
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [5, 64])?;
/// let model = Kan::new(&g, "kan", [64, 32, 10]).grid(3).order(3).seed(7).build()?;
/// let logits = model.forward(&x)?;
/// assert_eq!(logits.shape().to_string(), "[5, 10]");
/// let mut program = Device::cpu().compile(&g, &[&logits], &[])?;
/// let out = program.run([("x", HostTensor::zeros(DType::F32, [5, 64]))])?.wait()?;
/// assert!(out[0].to_f64().iter().all(|y| y.abs() < 1.0));
/// let edge = model.edge(program.params(), 0, 3, 1, 33)?;
/// assert_eq!(edge.points.len(), 33);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kan {
    name: String,
    /// The structure, with the values that training began with.
    network: Arc<Network>,
    layers: Vec<Layer>,
}

impl Network {
    /// Adds the network's parameters to a graph, as f32 and named `name.…`.
    ///
    /// # Errors
    /// Where the graph has parameters of these names: nothing was added then.
    #[track_caller]
    pub fn build(&self, graph: &Graph, name: &str) -> Result<Kan> {
        self.build_as(graph, name, DType::F32)
    }

    /// [`build`](Self::build) with parameters of another float type: f64 runs on the CPU.
    ///
    /// # Errors
    /// As of `build`.
    #[track_caller]
    pub fn build_as(&self, graph: &Graph, name: &str, dtype: DType) -> Result<Kan> {
        for (l, layer) in self.layers.iter().enumerate() {
            for (what, _, values) in layer.slots() {
                let name = format!("{name}.{l}.{what}");
                if graph.get(&name).is_some() {
                    return Err(Error::setting(format!(
                        "Kan: the graph has a `{name}` already: give this network another name, or another graph"
                    )));
                }
                if let Some(wrong) = layer::wrong(&name, &values) {
                    return Err(Error::setting(format!("Kan: {wrong}")));
                }
            }
        }
        let layers = self.layers.iter().enumerate();
        let layers = layers.map(|(l, layer)| Layer::add(graph, &format!("{name}.{l}"), layer, dtype));
        Ok(Kan { name: name.into(), network: Arc::new(self.clone()), layers: layers.collect::<Result<_>>()? })
    }
}

impl Kan {
    /// A network through these widths: the inputs', those between, the outputs'. Unless set otherwise its grid has 5
    /// intervals over [−1, 1] and its splines have order 3.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "a network is made by its builder")]
    pub fn new(graph: &Graph, name: &str, widths: impl AsRef<[usize]>) -> KanBuilder {
        KanBuilder::new(graph, name, widths.as_ref())
    }

    /// The network of x [..., in]: [..., out].
    ///
    /// # Errors
    /// Where the last dimension of x is not the network's, or its type not that of the parameters.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        scaling::outwards(&self.in_own_units(x)?, self.network.output_units())
    }

    /// What the last layer gives for x in the data's units.
    #[track_caller]
    fn in_own_units(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.inwards(x)?;
        for l in 0..self.depth() {
            x = Layer::multiplied(&self.sums(l, &x)?, &self.network.layers[l])?;
        }
        Ok(x)
    }

    /// x [..., in] as the first layer is given it.
    #[track_caller]
    fn inwards(&self, x: &Tensor) -> Result<Tensor> {
        self.check_width(0, x)?;
        scaling::inwards(x, self.network.input_units())
    }

    /// What every layer is given, and at last what the last one gives, without the outputs' [units](Network::in_units): x
    /// [..., in] in the inputs' units, then the outputs of layer 0, and so on.
    ///
    /// # Errors
    /// As of [`forward`](Self::forward).
    #[track_caller]
    pub fn activations(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let mut all = vec![self.inwards(x)?];
        for l in 0..self.depth() {
            all.push(Layer::multiplied(&self.sums(l, &all[l])?, &self.network.layers[l])?);
        }
        Ok(all)
    }

    /// The sums that a layer makes of its inputs [..., in]: [..., sums], of which its outputs are, or are products.
    #[track_caller]
    fn sums(&self, layer: usize, x: &Tensor) -> Result<Tensor> {
        self.check_width(layer, x)?;
        self.layers[layer].sums(x, &self.network.layers[layer])
    }

    #[track_caller]
    fn check_width(&self, layer: usize, x: &Tensor) -> Result<()> {
        let found = &self.network.layers[layer];
        if x.shape().dims().last().and_then(|d| d.fixed()) != Some(found.inputs) {
            return Err(Error::setting(format!(
                "Kan `{}`: layer {layer} has {} inputs; x is {}",
                self.name,
                found.inputs,
                x.meta()
            )));
        }
        Ok(())
    }

    /// The parameters' type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.parameters().first().map_or(DType::F32, |p| p.dtype())
    }

    /// The structure, with the values that training began with; [`network`](Self::network) has those of now.
    #[must_use]
    pub fn structure(&self) -> &Network {
        &self.network
    }

    /// The network with the values that a program holds now.
    ///
    /// # Errors
    /// Where `params` are of another network or hold no finite numbers.
    #[track_caller]
    pub fn network(&self, params: &Params) -> Result<Network> {
        let mut network = Network::clone(&self.network);
        for (l, layer) in network.layers.iter_mut().enumerate() {
            layer.read(|what, shape| {
                layer::finite(params, &self.name, &format!("{}.{l}.{what}", self.name), shape)
            })?;
        }
        Ok(network)
    }

    /// The functions that a layer's edges are sums of; the first of several kinds.
    ///
    /// # Errors
    /// Where there is no such layer.
    #[track_caller]
    pub fn functions(&self, layer: usize) -> Result<&Functions> {
        let found = self.network.layer(layer)?;
        found.functions().next().ok_or_else(|| Error::setting(format!("Kan: layer {layer} has no functions")))
    }

    /// The number of layers.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// The numbers of nodes: inputs, those between, outputs.
    #[must_use]
    pub fn widths(&self) -> Vec<usize> {
        self.network.widths()
    }

    /// All its parameters that training may change.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Tensor> {
        self.layers.iter().flat_map(Layer::parameters).collect()
    }

    /// A layer's parameters that training may change: for optimizers that treat layers differently, and to
    /// [freeze](Graph::freeze) them.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph};
    /// use knotwork_nn::{Kan, optim::Adam};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [8, 2])?;
    /// let model = Kan::new(&g, "kan", [2, 3, 1]).build()?;
    /// let loss = model.forward(&x)?.square()?.mean(&[0, 1], false)?;
    /// // Layer 0 learns a tenth as fast as layer 1.
    /// let slow = Adam::new(1e-3).named("slow").parameters(&model.layer_parameters(0)?).minimize(&loss)?;
    /// let fast = Adam::new(1e-2).named("fast").parameters(&model.layer_parameters(1)?).minimize(&loss)?;
    /// let both = slow.and(fast)?;
    /// # let _ = both;
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such layer.
    #[track_caller]
    pub fn layer_parameters(&self, layer: usize) -> Result<Vec<&Tensor>> {
        self.network.layer(layer)?;
        Ok(self.layers[layer].parameters().collect())
    }

    /// The learned function of one edge, sampled evenly over its functions' range in f64.
    ///
    /// # Errors
    /// Where there is no such layer, input or output, or fewer than 2 samples.
    #[track_caller]
    pub fn edge(
        &self,
        params: &Params,
        layer: usize,
        input: usize,
        output: usize,
        samples: usize,
    ) -> Result<Edge> {
        self.network.layer_of(layer, input, output)?;
        self.network(params)?.edge_curve(layer, input, output, samples)
    }

    /// The learned functions of all edges of a layer, for an [`EdgeSheet`](crate::plot::EdgeSheet).
    ///
    /// # Errors
    /// As [`edge`](Self::edge).
    #[track_caller]
    pub fn edges(&self, params: &Params, layer: usize, samples: usize) -> Result<Vec<Edge>> {
        self.network.layer(layer)?;
        self.network(params)?.edge_curves(layer, samples)
    }
}

impl fmt::Display for Kan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.network)
    }
}

#[cfg(test)]
mod model_tests {
    use knotwork_core::{Device, HostTensor, ops::Basis};

    use super::*;
    use crate::Generator;

    #[test]
    fn an_edge_is_what_the_layer_computes() {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [9, 2]).unwrap();
        let model =
            Kan::new(&g, "k", [2, 3]).grid(4).range(-2, 2).spline_scale(1.0).bias(true).build().unwrap();
        let y = model.forward(&x).unwrap();
        let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
        let edges = model.edges(program.params(), 0, 9).unwrap();
        assert_eq!(edges.len(), 6);
        assert_eq!(edges[4], model.edge(program.params(), 0, 1, 1, 9).unwrap());
        // Both inputs run over the range, one of them backwards.
        let xs: Vec<f32> = (0..9).flat_map(|i| [i as f32 * 0.5 - 2.0, 2.0 - i as f32 * 0.5]).collect();
        let out = program.run([("x", HostTensor::new(&xs, [9, 2]).unwrap())]).unwrap().wait().unwrap();
        for (r, row) in out[0].as_slice::<f32>().unwrap().chunks(3).enumerate() {
            for (o, &y) in row.iter().enumerate() {
                let want = edges[o].points[r].1 + edges[3 + o].points[8 - r].1;
                assert!((f64::from(y) - want).abs() < 1e-5, "{y} {want}");
            }
        }
    }

    #[test]
    fn the_initial_variance_is_as_asked() {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [400, 64]).unwrap();
        let model = Kan::new(&g, "k", [64, 50]).base(false).spline_scale(1.0).build().unwrap();
        let y = model.forward(&x).unwrap();
        let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
        let xs = Generator::new(5).uniform(&[400, 64], -1.0, 1.0).unwrap();
        let out = program.run([("x", xs)]).unwrap().wait().unwrap()[0].to_f64();
        let variance = out.iter().map(|y| y * y).sum::<f64>() / out.len() as f64;
        assert!((variance - 1.0).abs() < 0.1, "{variance}");
    }

    #[test]
    fn layers_may_have_bases_of_their_own() {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [300, 2]).unwrap();
        let model = Kan::new(&g, "k", [2, 40, 30, 3])
            .basis(Basis::rbf(6, (-1.0, 1.0), None).unwrap())
            .layer_basis(1, Basis::chebyshev(4).unwrap())
            .layer_range(2, -3, 2)
            .base(false)
            .spline_scale(1.0)
            .build()
            .unwrap();
        assert_eq!(
            model.to_string(),
            "KAN [2, 40, 30, 3], rbf n=6 range=[-1, 1] width=0.4, chebyshev degree=4, bspline order=3 grid=5 range=[-3, 2]"
        );
        assert_eq!(model.functions(1).unwrap().count(), 5);
        let y = model.forward(&x).unwrap();
        let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
        let xs = Generator::new(5).uniform(&[300, 2], -1.0, 1.0).unwrap();
        let out = program.run([("x", xs)]).unwrap().wait().unwrap()[0].to_f64();
        let variance = out.iter().map(|y| y * y).sum::<f64>() / out.len() as f64;
        assert!((0.3..3.0).contains(&variance), "{variance}");
        let edge = model.edge(program.params(), 2, 0, 0, 3).unwrap();
        assert_eq!([edge.points[0].0, edge.points[2].0], [-3.0, 2.0]);
    }

    #[test]
    fn what_cannot_be_built_is_refused() {
        let g = Graph::new();
        let text = |b: KanBuilder| b.build().unwrap_err().to_string();
        assert!(text(Kan::new(&g, "k", [3])).starts_with("Kan `k`: widths [3]; there must be at least two"));
        assert!(text(Kan::new(&g, "k", [3, 0, 2])).contains("none of them 0"));
        assert!(text(Kan::new(&g, "k", [3, 2]).grid(0)).contains("grid is 0"));
        assert!(text(Kan::new(&g, "k", [3, 2]).order(99)).contains("order is 99"));
        assert!(text(Kan::new(&g, "k", [3, 2]).range(1, 1)).contains("range"));
        assert!(text(Kan::new(&g, "k", [3, 2]).layer_range(0, 3, 2)).contains("range"));
        assert!(
            text(Kan::new(&g, "k", [3, 2]).layer_range(1, 0, 1)).contains("there is no layer 1; there are 1")
        );
        assert!(text(Kan::new(&g, "k", [3, 2]).spline_scale(f64::NAN)).contains("spline scale"));
        assert!(g.is_empty(), "nothing was added to the graph");
        let k = Kan::new(&g, "k", [3, 2]).build().unwrap();
        assert_eq!(k.to_string(), "KAN [3, 2], bspline order=3 grid=5 range=[-1, 1]");
        let program = Device::cpu().compile(&g, &k.parameters(), &[]).unwrap();
        assert!(
            k.edge(program.params(), 1, 0, 0, 9).is_err() && k.edge(program.params(), 0, 3, 0, 9).is_err()
        );
    }
}
