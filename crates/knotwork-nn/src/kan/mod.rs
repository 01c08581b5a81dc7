//! Stacks of KAN layers.

mod banded;
mod builder;
mod edge;
mod knots;
mod project;
mod refine;

use std::fmt;

use knotwork_core::{Graph, Tensor, device::Params, ops::Basis};

pub use builder::KanBuilder;
pub use knots::Knots;

use crate::{Error, Result, plot::Edge};

/// A Kolmogorov–Arnold network (Liu et al. 2024): layers whose every edge is a learned function of one variable,
/// φ(x) = w silu(x) + Σ_m c_m φ_m(x), over B-splines or the functions of another [`Basis`], layer by layer.
///
/// Layer l has the parameters `name.l.coef` [in, functions, out], `name.l.base` [in, out] and, where a bias is asked for,
/// `name.l.bias` `[out]`: the order in which kernels read them.
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
    layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
struct Layer {
    widths: [usize; 2],
    basis: Basis,
    coef: Tensor,
    base: Option<Tensor>,
    bias: Option<Tensor>,
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
    /// Where the last dimension of x is not the network's, or x is no f32.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for Layer { basis, coef, base, bias, .. } in &self.layers {
            // Views only: the layer turns them back to the order of the parameters.
            let coef = coef.permute(&[2, 0, 1])?;
            let base = base.as_ref().map(|w| w.transpose(0, 1)).transpose()?;
            x = x.kan_layer(&coef, base.as_ref(), bias.as_ref(), basis)?;
        }
        Ok(x)
    }

    /// The functions that a layer's edges are sums of.
    ///
    /// # Errors
    /// Where there is no such layer.
    #[track_caller]
    pub fn basis(&self, layer: usize) -> Result<&Basis> {
        Ok(&self.layer(layer)?.basis)
    }

    /// The number of layers.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// The widths: inputs, those between, outputs.
    #[must_use]
    pub fn widths(&self) -> Vec<usize> {
        let first = self.layers.first().map(|l| l.widths[0]);
        first.into_iter().chain(self.layers.iter().map(|l| l.widths[1])).collect()
    }

    /// All its parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Tensor> {
        self.layers.iter().flat_map(|l| std::iter::once(&l.coef).chain(&l.base).chain(&l.bias)).collect()
    }

    #[track_caller]
    fn layer(&self, layer: usize) -> Result<&Layer> {
        self.layers.get(layer).ok_or_else(|| {
            Error::setting(format!(
                "Kan `{}`: there is no layer {layer}; there are {}",
                self.name,
                self.layers.len()
            ))
        })
    }

    /// The learned function of one edge, sampled evenly over the basis' range in f64.
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
        let Layer { widths, basis, .. } = self.layer(layer)?;
        if input >= widths[0] || output >= widths[1] || samples < 2 {
            return Err(Error::setting(format!(
                "Kan `{}`: no edge from {input} to {output} by {samples} samples; layer {layer} goes from {} to {}, and samples \
                 must be at least 2",
                self.name, widths[0], widths[1]
            )));
        }
        let (coef, base) = self.values(params, layer)?;
        edge::sample(basis, &coef, base.as_deref(), *widths, input, output, samples)
    }

    /// The learned functions of all edges of a layer, for an [`EdgeSheet`](crate::plot::EdgeSheet).
    ///
    /// # Errors
    /// As [`edge`](Self::edge).
    #[track_caller]
    pub fn edges(&self, params: &Params, layer: usize, samples: usize) -> Result<Vec<Edge>> {
        let Layer { widths, basis, .. } = self.layer(layer)?;
        if samples < 2 {
            return Err(Error::setting(format!(
                "Kan `{}`: {samples} samples; there must be at least 2",
                self.name
            )));
        }
        let (coef, base) = self.values(params, layer)?;
        (0..widths[0] * widths[1])
            .map(|k| {
                let (input, output) = (k / widths[1], k % widths[1]);
                edge::sample(basis, &coef, base.as_deref(), *widths, input, output, samples)
            })
            .collect()
    }

    fn values(&self, params: &Params, layer: usize) -> Result<(Vec<f64>, Option<Vec<f64>>)> {
        let get = |what: &str| params.get(&format!("{}.{layer}.{what}", self.name)).map(|t| t.to_f64());
        let base = self.layer(layer)?.base.as_ref().map(|_| get("base")).transpose()?;
        Ok((get("coef")?, base))
    }
}

impl fmt::Display for Kan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kan {:?}", self.widths())?;
        let mut all: Vec<String> = self.layers.iter().map(|l| l.basis.to_string()).collect();
        all.dedup();
        all.iter().try_for_each(|basis| write!(f, ", {basis}"))
    }
}

#[cfg(test)]
mod tests {
    use knotwork_core::{DType, Device, HostTensor};

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
            "Kan [2, 40, 30, 3], rbf n=6 range=[-1, 1] width=0.4, chebyshev degree=4, bspline order=3 grid=5 range=[-3, 2]"
        );
        assert_eq!(model.basis(1).unwrap().count(), 5);
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
        assert_eq!(k.to_string(), "Kan [3, 2], bspline order=3 grid=5 range=[-1, 1]");
        let program = Device::cpu().compile(&g, &k.parameters(), &[]).unwrap();
        assert!(
            k.edge(program.params(), 1, 0, 0, 9).is_err() && k.edge(program.params(), 0, 3, 0, 9).is_err()
        );
    }
}
