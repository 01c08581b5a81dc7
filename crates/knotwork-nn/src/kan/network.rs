//! A KAN as data: its structure and values, apart from any graph and device.

use std::fmt;

use super::{Base, Functions, Unit, branch::Branch};
use crate::{Error, Result, symbolic::Affine};

/// A Kolmogorov–Arnold network as data, in f64 on the host: what edges there are, of which functions, with which
/// coefficients. A [`Kan`](super::Kan) is one in a graph: [`build`](Self::build) puts it there and
/// [`Kan::network`](super::Kan::network) reads it back after training. What changes a network's structure (another grid,
/// edges taken away or replaced by formulas) makes a new one of these; the next graph is built from that.
///
/// A layer sums over its edges, s_o = Σ_i φ_oi(x_i) + bias_o, with
/// φ_oi(x) = w_oi β(x) + scale_oi Σ_m c_oim φ_m(x), with a wavelet of the edge's own for the sum, or c f(a x + b) + d where the
/// edge was given a formula. The last sums may be multiplied in groups (multiplication nodes, Liu et al. 2024, "KAN 2.0"): a node of arity 2 is a product of two.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// use knotwork_nn::{Kan, kan::Network};
/// let g = Graph::new();
/// let model = Kan::new(&g, "kan", [2, 3, 1]).seed(1).build()?;
/// let program = Device::cpu().compile(&g, &model.parameters(), &[])?;
/// let network: Network = model.network(program.params())?;
/// let y = network.evaluate(&[0.3, -0.7])?; // one row, in f64
/// assert_eq!((network.widths(), y.len()), (vec![2, 3, 1], 1));
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    pub(super) layers: Vec<NetworkLayer>,
    /// The units of inputs and of outputs; empty for those of the layers.
    pub(super) units: [Vec<Unit>; 2],
}

/// One layer of a [`Network`].
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkLayer {
    pub(super) inputs: usize,
    pub(super) sums: usize,
    /// The arities of multiplication nodes, which take the last sums in turn.
    pub(super) multiply: Vec<usize>,
    pub(super) branches: Vec<Branch>,
    pub(super) base: Base,
    /// [inputs, sums]; empty without a base.
    pub(super) base_weight: Vec<f64>,
    /// [inputs, sums]; empty where the coefficients have no scale beside them.
    pub(super) scale: Vec<f64>,
    /// [sums]; empty without one.
    pub(super) bias: Vec<f64>,
    /// [inputs, sums]: which edges there are.
    pub(super) mask: Vec<bool>,
    /// [inputs, sums]: edges that are formulas.
    pub(super) symbolic: Vec<Option<Affine>>,
}

impl NetworkLayer {
    /// The number of inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of sums that edges lead to.
    #[must_use]
    pub fn sums(&self) -> usize {
        self.sums
    }

    /// The number of nodes after multiplication: the next layer's inputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.plain() + self.multiply.len()
    }

    /// The arities of the multiplication nodes; the last sums belong to them.
    #[must_use]
    pub fn multiply(&self) -> &[usize] {
        &self.multiply
    }

    /// The number of sums that are outputs as they are.
    pub(super) fn plain(&self) -> usize {
        self.sums - self.multiply.iter().sum::<usize>()
    }

    /// The node that a sum belongs to.
    pub(super) fn node_of(&self, sum: usize) -> usize {
        let plain = self.plain();
        if sum < plain {
            return sum;
        }
        let mut end = plain;
        for (node, arity) in self.multiply.iter().enumerate() {
            end += arity;
            if sum < end {
                return plain + node;
            }
        }
        plain + self.multiply.len()
    }

    /// The sums that belong to a node.
    pub(super) fn sums_of(&self, node: usize) -> std::ops::Range<usize> {
        let plain = self.plain();
        match node.checked_sub(plain) {
            None => node..node + 1,
            Some(product) => {
                let before: usize = self.multiply[..product].iter().sum();
                plain + before..plain + before + self.multiply[product]
            }
        }
    }

    /// The functions of the layer's edges; of several kinds where edges have different ones.
    pub fn functions(&self) -> impl Iterator<Item = &Functions> {
        self.branches.iter().map(|b| &b.functions)
    }

    /// The functions of one edge, counted input by input.
    pub(super) fn functions_of(&self, edge: usize) -> Option<&Functions> {
        self.branches.iter().find(|b| b.has(edge)).map(|b| &b.functions)
    }

    /// The term beside the learned functions.
    #[must_use]
    pub fn base(&self) -> Base {
        self.base
    }

    pub(super) fn edge(&self, input: usize, sum: usize) -> usize {
        input * self.sums + sum
    }

    /// Whether there is an edge, as a learned function or a formula.
    #[must_use]
    pub fn has_edge(&self, input: usize, sum: usize) -> bool {
        input < self.inputs && sum < self.sums && self.mask[self.edge(input, sum)]
    }

    /// The formula of an edge, where it is one.
    #[must_use]
    pub fn formula(&self, input: usize, sum: usize) -> Option<&Affine> {
        self.symbolic
            .get(self.edge(input, sum))
            .and_then(Option::as_ref)
            .filter(|_| self.has_edge(input, sum))
    }

    /// Whether an edge is a learned function.
    pub(super) fn learned(&self, edge: usize) -> bool {
        self.mask[edge] && self.symbolic[edge].is_none()
    }

    /// How many edges there are.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.mask.iter().filter(|m| **m).count()
    }

    /// All edges' functions of an input at x, 0 where there is none: φ_oi(x) for every sum o.
    pub(super) fn values(&self, input: usize, x: f64) -> Vec<f64> {
        let mut out = vec![0.0; self.sums];
        let edges = input * self.sums..(input + 1) * self.sums;
        let row = &self.mask[edges.clone()];
        if (0..self.sums).any(|o| self.learned(edges.start + o)) {
            for branch in &self.branches {
                branch.add_values(input, x, &mut out);
            }
            if !self.scale.is_empty() {
                out.iter_mut().zip(&self.scale[edges.clone()]).for_each(|(out, scale)| *out *= scale);
            }
            if !self.base_weight.is_empty() {
                let base = self.base.value(x);
                out.iter_mut().zip(&self.base_weight[edges.clone()]).for_each(|(out, w)| *out += w * base);
            }
        }
        for (o, out) in out.iter_mut().enumerate() {
            match &self.symbolic[edges.start + o] {
                _ if !row[o] => *out = 0.0,
                Some(formula) => *out = formula.value(x),
                None => {}
            }
        }
        out
    }

    /// The sums of one row.
    pub(super) fn sum(&self, x: &[f64]) -> Vec<f64> {
        let mut sums = if self.bias.is_empty() { vec![0.0; self.sums] } else { self.bias.clone() };
        for (input, x) in x.iter().enumerate() {
            sums.iter_mut().zip(self.values(input, *x)).for_each(|(s, v)| *s += v);
        }
        sums
    }

    /// The outputs that sums make: those that are not multiplied, then the products.
    pub(super) fn multiplied(&self, sums: &[f64]) -> Vec<f64> {
        (0..self.outputs()).map(|node| sums[self.sums_of(node)].iter().product()).collect()
    }
}

impl Network {
    /// The number of layers.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// The layers, the inputs' first.
    #[must_use]
    pub fn layers(&self) -> &[NetworkLayer] {
        &self.layers
    }

    /// The numbers of nodes: inputs, those between, outputs.
    #[must_use]
    pub fn widths(&self) -> Vec<usize> {
        let first = self.layers.first().map(|l| l.inputs);
        first.into_iter().chain(self.layers.iter().map(NetworkLayer::outputs)).collect()
    }

    /// How many edges there are.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.layers.iter().map(NetworkLayer::edges).sum()
    }

    /// The names of the inputs: x1, x2 … unless they were given.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The names of the outputs: y where there is one, else y1, y2 … unless they were given.
    #[must_use]
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// With names for the inputs and outputs: pictures and formulas have them.
    ///
    /// # Errors
    /// Where there is not one name each, or two are equal.
    #[track_caller]
    pub fn named<S: AsRef<str>>(mut self, inputs: &[S], outputs: &[S]) -> Result<Self> {
        let widths = self.widths();
        for (what, names, count) in [("input", inputs, widths.first()), ("output", outputs, widths.last())] {
            let count = count.copied().unwrap_or(0);
            if names.len() != count {
                return Err(Error::setting(format!(
                    "Network: {} names of {what}s for {count} {what}s",
                    names.len()
                )));
            }
            for (i, name) in names.iter().map(AsRef::as_ref).enumerate() {
                if name.trim().is_empty() || names[..i].iter().any(|n| n.as_ref() == name) {
                    return Err(Error::setting(format!(
                        "Network: {what} {i} is named `{name}`; names must differ and not be empty"
                    )));
                }
            }
        }
        self.inputs = inputs.iter().map(|n| n.as_ref().to_owned()).collect();
        self.outputs = outputs.iter().map(|n| n.as_ref().to_owned()).collect();
        Ok(self)
    }

    /// x1, x2 … and y, or y1, y2 …
    pub(super) fn default_names(inputs: usize, outputs: usize) -> (Vec<String>, Vec<String>) {
        let numbered = |letter: char, n: usize| (1..=n).map(|i| format!("{letter}{i}")).collect();
        let outputs = if outputs == 1 { vec!["y".to_owned()] } else { numbered('y', outputs) };
        (numbered('x', inputs), outputs)
    }

    #[track_caller]
    pub(super) fn layer(&self, layer: usize) -> Result<&NetworkLayer> {
        let depth = self.depth();
        self.layers
            .get(layer)
            .ok_or_else(|| Error::setting(format!("Network: there is no layer {layer}; there are {depth}")))
    }

    /// The layer, where it has such an input and sum.
    #[track_caller]
    pub(super) fn layer_of(&self, layer: usize, input: usize, sum: usize) -> Result<&NetworkLayer> {
        let found = self.layer(layer)?;
        if input >= found.inputs || sum >= found.sums {
            return Err(Error::setting(format!(
                "Network: there is no edge from {input} to {sum}; layer {layer} goes from {} to {}",
                found.inputs, found.sums
            )));
        }
        Ok(found)
    }

    /// The function of an edge at points, in f64; 0 where there is no edge.
    ///
    /// # Errors
    /// Where there is no such layer, input or sum.
    #[track_caller]
    pub fn edge_values(&self, layer: usize, input: usize, sum: usize, x: &[f64]) -> Result<Vec<f64>> {
        let layer = self.layer_of(layer, input, sum)?;
        Ok(x.iter().map(|x| layer.values(input, *x)[sum]).collect())
    }

    /// The outputs of rows x [rows, inputs], in f64 on the host: [rows, outputs], row by row. For checks and small data;
    /// [`build`](Self::build) it for speed.
    ///
    /// # Errors
    /// Where x is no whole number of rows.
    #[track_caller]
    pub fn evaluate(&self, x: &[f64]) -> Result<Vec<f64>> {
        let inputs = self.layers.first().map_or(0, |l| l.inputs);
        if inputs == 0 || !x.len().is_multiple_of(inputs) {
            return Err(Error::setting(format!(
                "Network: {} values are no whole number of rows of {inputs} inputs",
                x.len()
            )));
        }
        let row = |x: &[f64]| {
            let layers = self.layers.iter();
            self.outwards(&layers.fold(self.inwards(x), |x, layer| layer.multiplied(&layer.sum(&x))))
        };
        Ok(x.chunks_exact(inputs).flat_map(row).collect())
    }
}

impl fmt::Display for Network {
    /// Its widths, edges and functions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KAN {:?}", self.widths())?;
        if self.layers.iter().any(|l| !l.multiply.is_empty()) {
            let products: Vec<&[usize]> = self.layers.iter().map(|l| &l.multiply[..]).collect();
            write!(f, ", products {products:?}")?;
        }
        let (all, formulas) = self.layers.iter().fold((0, 0), |(all, formulas), l| {
            let here = l.mask.iter().zip(&l.symbolic).filter(|(m, s)| **m && s.is_some()).count();
            (all + l.mask.len(), formulas + here)
        });
        if self.edges() < all {
            write!(f, ", {} of {all} edges", self.edges())?;
        }
        if formulas > 0 {
            write!(f, ", {formulas} of them formulas")?;
        }
        let mut kinds: Vec<String> =
            self.layers.iter().flat_map(NetworkLayer::functions).map(ToString::to_string).collect();
        kinds.dedup();
        kinds.iter().try_for_each(|kind| write!(f, ", {kind}"))
    }
}
