//! Edges that become formulas, and networks that do.

use std::fmt;

use knotwork_core::{Device, HostTensor};

use super::{Network, NetworkLayer};
use crate::{
    Error, Result,
    symbolic::{
        Affine, Candidate, Expression, LayerFormula, Library, Samples, Search, Suggestions, suggest_on,
    },
};

/// Edges whose samples are held at a time: some ten megabytes.
const AT_ONCE: usize = 256;

/// How [`Network::auto_symbolic`] chooses among the functions of a library.
///
/// With r² of the best candidate of an edge, every candidate fits whose 1 − r² is at most `slack` times the best's, or at
/// most `enough`; of those the simplest is taken, of equally simple ones that with the smallest numbers (a sine at the top of its
/// wave is a parabola as well, but a flat and high one). An edge whose best r² is below `threshold` stays a spline.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoSymbolic {
    /// The least r² of an edge that becomes a formula: 0.99 unless told.
    pub threshold: f64,
    /// How much worse than the best a simpler function may fit: 3 times unless told.
    pub slack: f64,
    /// 1 − r² that is as good as none: 1e-9 unless told.
    pub enough: f64,
    /// Where a and b are looked for.
    pub search: Search,
}

impl Default for AutoSymbolic {
    fn default() -> Self {
        Self { threshold: 0.99, slack: 3.0, enough: 1e-9, search: Search::default() }
    }
}

impl AutoSymbolic {
    /// The candidate that an edge becomes; none where nothing fits well enough.
    #[must_use]
    pub fn choose<'a>(&self, found: &'a Suggestions) -> Option<&'a Candidate> {
        let miss = |c: &Candidate| 1.0 - c.fit.r2;
        let best = found.candidates.iter().map(miss).fold(f64::INFINITY, f64::min);
        let most = (self.slack * best).max(self.enough);
        found.candidates.iter().filter(|c| miss(c) <= most && c.fit.r2 >= self.threshold).min_by(|a, b| {
            let complexity = |c: &Candidate| c.fit.edge.function.complexity_of();
            let size = |c: &Candidate| {
                let Affine { a, b, c, d, .. } = c.fit.edge.shortest();
                a.abs() + b.abs() + c.abs() + d.abs()
            };
            complexity(a).total_cmp(&complexity(b)).then(size(a).total_cmp(&size(b)))
        })
    }
}

/// What [`Network::auto_symbolic`] made of an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedEdge {
    /// The layer, input and sum.
    pub edge: [usize; 3],
    /// The formula; none where no function of the library fitted well enough.
    pub formula: Option<Affine>,
    /// r² of the best candidate.
    pub r2: f64,
}

impl fmt::Display for FixedEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [layer, input, sum] = self.edge;
        write!(f, "layer {layer}, {input} to {sum}: ")?;
        match &self.formula {
            Some(formula) => write!(f, "{}, 1 - r2 = {:.1e}", formula.function, 1.0 - self.r2),
            None => write!(f, "no formula, the best has r2 = {:.4}", self.r2),
        }
    }
}

impl Network {
    /// Samples of an edge's function: at what the edge is given for x [rows, inputs], at most [`Samples::MOST`] of the rows.
    ///
    /// # Errors
    /// Where there is no such edge, x is no float [rows, inputs] of finite numbers, or there are fewer than
    /// [`Samples::MIN`] rows.
    #[track_caller]
    pub fn edge_samples(
        &self,
        device: &Device,
        x: &HostTensor,
        layer: usize,
        input: usize,
        sum: usize,
    ) -> Result<Samples> {
        self.layer_of(layer, input, sum)?;
        let given = self.given(device, x, self.layers.len().min(layer + 1))?;
        self.samples_of(&given[layer], layer, input, sum)
    }

    /// What the first layers are given, for at most [`Samples::MOST`] rows of x.
    #[track_caller]
    fn given(&self, device: &Device, x: &HostTensor, layers: usize) -> Result<Vec<Vec<f64>>> {
        self.check_samples(x)?;
        let (rows, inputs) = (x.shape()[0], x.shape()[1]);
        let few = rows.min(Samples::MOST);
        let values = x.to_f64();
        let picked: Vec<f64> = (0..few)
            .flat_map(|k| {
                let row = k * rows / few;
                values[row * inputs..(row + 1) * inputs].iter().copied()
            })
            .collect();
        let x = HostTensor::new(&picked, [few, inputs])?;
        Ok(self.activations(device, &x)?.iter().take(layers).map(HostTensor::to_f64).collect())
    }

    #[track_caller]
    fn samples_of(&self, given: &[f64], layer: usize, input: usize, sum: usize) -> Result<Samples> {
        let found = self.layer_of(layer, input, sum)?;
        let column: Vec<f64> = given.iter().skip(input).step_by(found.inputs).copied().collect();
        let y: Vec<f64> = column.iter().map(|x| found.values(input, *x)[sum]).collect();
        Ok(Samples::new(&column, &y)?)
    }

    /// Which functions of a library an edge may be, the best first ([`suggest`](crate::symbolic::suggest), the
    /// first grids on the device), by its samples at
    /// what it is given for x [rows, inputs].
    ///
    /// ```
    /// use knotwork_core::{Device, Graph, HostTensor};
    /// use knotwork_nn::{Generator, Kan, kan::Fit, symbolic::{Library, Suggestions}};
    /// let x = Generator::new(1).uniform(&[300, 1], -1.0, 1.0)?;
    /// let y: Vec<f32> = x.to_f64().iter().map(|x| (3.0 * x).sin() as f32).collect();
    /// let y = HostTensor::new(&y, [300, 1])?;
    /// let network = Kan::new(&Graph::new(), "kan", [1, 1]).grid(10).network()?;
    /// let fitted = Fit::new().steps(40).run(&network, &Device::cpu(), &x, &y)?.network;
    /// let library = Library::standard().only(["x", "x^2", "exp", "sin", "tanh"])?;
    /// let found = fitted.suggest_symbolic(&Device::cpu(), &x, 0, 0, 0, &library, Suggestions::WEIGHT)?;
    /// assert_eq!(found.best().map(|c| c.fit.edge.function.name()), Some("sin"));
    /// let formula = fitted.fix_symbolic(0, 0, 0, &found.candidates[0].fit.edge)?.formulas()?;
    /// println!("{}", formula[0].rounded(3)); // sin(3*x1)
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As of [`edge_samples`](Self::edge_samples), and where the weight is not from 0 to 1.
    #[track_caller]
    #[expect(clippy::too_many_arguments, reason = "an edge is three of them")]
    pub fn suggest_symbolic(
        &self,
        device: &Device,
        x: &HostTensor,
        layer: usize,
        input: usize,
        sum: usize,
        library: &Library,
        weight: f64,
    ) -> Result<Suggestions> {
        let samples = self.edge_samples(device, x, layer, input, sum)?;
        let mut found = suggest_on(device, &[samples], library, weight, &Search::default())?;
        // One edge in, one answer out.
        Ok(found.swap_remove(0))
    }

    /// The network with a formula for an edge; its spline is kept for [`unfix_symbolic`](Self::unfix_symbolic). The
    /// formula's a, b, c and d are parameters: fits change them.
    ///
    /// # Errors
    /// Where there is no such edge, a number is not finite, or the function has no form of tensors.
    #[track_caller]
    pub fn fix_symbolic(&self, layer: usize, input: usize, sum: usize, formula: &Affine) -> Result<Self> {
        let found = self.layer_of(layer, input, sum)?;
        if !found.has_edge(input, sum) {
            return Err(Error::setting(format!(
                "Network: the edge from {input} to {sum} of layer {layer} was taken away"
            )));
        }
        let Affine { a, b, c, d, .. } = *formula;
        if ![a, b, c, d].iter().all(|v| v.is_finite()) {
            return Err(Error::setting(format!(
                "Network: the formula has a = {a}, b = {b}, c = {c}, d = {d}; they must be finite"
            )));
        }
        formula.function.on_tensors()?;
        let mut fixed = self.clone();
        let edge = found.edge(input, sum);
        fixed.layers[layer].symbolic[edge] = Some(formula.clone());
        Ok(fixed)
    }

    /// The network with the spline that an edge had before it became a formula.
    ///
    /// # Errors
    /// Where there is no such layer, input or sum.
    #[track_caller]
    pub fn unfix_symbolic(&self, layer: usize, input: usize, sum: usize) -> Result<Self> {
        let edge = self.layer_of(layer, input, sum)?.edge(input, sum);
        let mut free = self.clone();
        free.layers[layer].symbolic[edge] = None;
        Ok(free)
    }

    /// The network with a formula for every edge that a function of the library fits, by samples at what the edges are given for
    /// x [rows, inputs]; and what became of each edge. The first grids of all edges of a layer are laid on the device
    /// ([`suggest_on`]). Formulas that are there already stay. Fit the network again
    /// afterwards: small errors of inner edges move what outer ones are given.
    ///
    /// # Errors
    /// Where x is no float [rows, inputs] of finite numbers, there are fewer than [`Samples::MIN`] rows, or the search's
    /// settings are out of their limits.
    #[track_caller]
    pub fn auto_symbolic(
        &self,
        device: &Device,
        x: &HostTensor,
        library: &Library,
        how: &AutoSymbolic,
    ) -> Result<(Self, Vec<FixedEdge>)> {
        let given = self.given(device, x, self.depth())?;
        let mut fixed = self.clone();
        let mut all = Vec::new();
        for (l, layer) in self.layers.iter().enumerate() {
            let learned: Vec<[usize; 2]> = (0..layer.mask.len())
                .filter(|edge| layer.learned(*edge))
                .map(|edge| [edge / layer.sums, edge % layer.sums])
                .collect();
            for edges in learned.chunks(AT_ONCE) {
                let samples = edges
                    .iter()
                    .map(|[input, sum]| self.samples_of(&given[l], l, *input, *sum))
                    .collect::<Result<Vec<Samples>>>()?;
                let found = suggest_on(device, &samples, library, 0.0, &how.search)?;
                for ([input, sum], found) in edges.iter().zip(&found) {
                    let chosen = how.choose(found);
                    let formula = chosen.map(|c| c.fit.edge.clone());
                    let best = found.candidates.iter().map(|c| c.fit.r2).fold(0.0, f64::max);
                    let r2 = chosen.map_or(best, |c| c.fit.r2);
                    if let Some(formula) = &formula {
                        fixed = fixed.fix_symbolic(l, *input, *sum, formula)?;
                    }
                    all.push(FixedEdge { edge: [l, *input, *sum], formula, r2 });
                }
            }
        }
        Ok((fixed, all))
    }

    /// How many edges are learned functions, not formulas.
    #[must_use]
    pub fn learned_edges(&self) -> usize {
        self.layers.iter().map(|l| (0..l.mask.len()).filter(|edge| l.learned(*edge)).count()).sum()
    }

    /// The outputs as formulas of the inputs, by their names: what [`evaluate`](Self::evaluate) computes. They can be
    /// simplified further, rounded, and written as text, LaTeX and a Rust function.
    ///
    /// # Errors
    /// Where an edge is still a learned function: the message names the first.
    #[track_caller]
    pub fn formulas(&self) -> Result<Vec<Expression>> {
        let mut now: Vec<Expression> = self.inputs.iter().map(Expression::variable).collect();
        for (l, layer) in self.layers.iter().enumerate() {
            if let Some(edge) = (0..layer.mask.len()).find(|edge| layer.learned(*edge)) {
                return Err(Error::setting(format!(
                    "Network: the edge from {} to {} of layer {l} is no formula yet; {} edges are not",
                    edge / layer.sums,
                    edge % layer.sums,
                    self.learned_edges()
                )));
            }
            let sums = self.as_formula(l, layer).of(&now)?;
            now = (0..layer.outputs())
                .map(|node| {
                    let mut factors = sums[layer.sums_of(node)].iter().cloned();
                    let first = factors.next().unwrap_or(Expression::Constant(0.0));
                    factors.fold(first, |product, factor| product * factor).simplified()
                })
                .collect();
        }
        let last = self.layers.last();
        // Products of the last layer are turned into the data's units as a whole.
        Ok(if last.is_some_and(|l| l.multiply.is_empty()) { now } else { self.outputs_as_formulas(now) })
    }
}

impl Network {
    /// A layer's edges in the form that reads best, with the units of the data where it is given them or gives them.
    fn as_formula(&self, l: usize, layer: &NetworkLayer) -> LayerFormula {
        let inwards = |input: usize| self.units[0].get(input).filter(|_| l == 0);
        let plain = l + 1 == self.depth() && layer.multiply.is_empty();
        let outwards = |sum: usize| self.units[1].get(sum).filter(|_| plain);
        let edge = |input: usize, sum: usize| {
            let mut formula = layer.formula(input, sum)?.clone();
            if let Some(unit) = inwards(input) {
                formula.b -= formula.a * unit.shift / unit.scale;
                formula.a /= unit.scale;
            }
            if let Some(unit) = outwards(sum) {
                formula.c *= unit.scale;
                formula.d *= unit.scale;
            }
            Some(formula.shortest())
        };
        let mut bias = layer.bias.clone();
        if plain && !self.units[1].is_empty() {
            bias.resize(layer.sums, 0.0);
            bias.iter_mut().zip(&self.units[1]).for_each(|(b, unit)| *b = unit.outwards(*b));
        }
        let row = |sum: usize| (0..layer.inputs).map(|input| edge(input, sum)).collect();
        LayerFormula { edges: (0..layer.sums).map(row).collect(), bias }
    }
}
