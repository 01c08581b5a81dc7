//! One layer of a network in a graph: its parameters, and what they compute.

use knotwork_core::{
    DType, Graph, HostTensor, Tensor,
    device::Params,
    ops::{Basis, OnKnots, Wavelet},
};

use super::{
    Base, Functions,
    branch::{Branch, Places},
    network::NetworkLayer,
    symbols::Symbols,
};
use crate::{Error, Result, sum::total, symbolic::Affine};

/// The parameters of a layer, named `name.l.…`.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    branches: Vec<Learned>,
    base: Option<Tensor>,
    scale: Option<Tensor>,
    bias: Option<Tensor>,
    /// 1 where an edge is a learned function, [inputs, sums]; none where all are.
    learned: Option<Tensor>,
    symbols: Option<Symbols>,
}

/// Functions with their coefficients.
#[derive(Clone, Debug)]
struct Learned {
    functions: Placed,
    coef: Tensor,
    /// 1 where an edge has them, [inputs, 1, sums]; none where all do.
    edges: Option<Tensor>,
}

/// [`Functions`] in a graph.
#[derive(Clone, Debug)]
pub(super) enum Placed {
    Basis(Basis),
    OnKnots(OnKnots),
    /// With ln scale and translation, [inputs, sums].
    Wavelet(Wavelet, [Tensor; 2]),
}

impl Placed {
    /// The layer of these functions over coefficients [inputs, n, outputs].
    pub fn layer(
        &self,
        x: &Tensor,
        coef: &Tensor,
        base: Option<&Tensor>,
        bias: Option<&Tensor>,
    ) -> knotwork_core::Result<Tensor> {
        Ok(match self {
            Self::Basis(basis) => x.kan_layer_native(coef, base, bias, basis)?,
            Self::OnKnots(knots) => x.kan_layer_on_knots_native(coef, base, bias, knots)?,
            Self::Wavelet(wavelet, [log_scale, translation]) => {
                // Its kernels read [sums, inputs].
                let held = log_scale.maximum(-MOST_LOG_SCALE)?.minimum(MOST_LOG_SCALE)?;
                let weight = coef.reshape(log_scale.shape().dims().to_vec())?.permute(&[1, 0])?;
                let (scale, translation) = (held.exp()?.permute(&[1, 0])?, translation.permute(&[1, 0])?);
                let mut y = x.wavelet_kan_layer(&weight, &scale, &translation, *wavelet)?;
                if let Some(base) = base {
                    y = y.add(&x.silu()?.matmul(base)?)?;
                }
                match bias {
                    Some(bias) => y.add(bias)?,
                    None => y,
                }
            }
        })
    }

    /// Whether every edge has a function of its own.
    pub fn is_wavelet(&self) -> bool {
        matches!(self, Self::Wavelet(..))
    }

    /// These functions for one input alone.
    pub fn of_input(&self, input: usize) -> knotwork_core::Result<Self> {
        let row = |of: &Tensor| of.slice(0, input, input + 1);
        Ok(match self {
            Self::Basis(basis) => Self::Basis(*basis),
            Self::OnKnots(knots) => {
                let own = OnKnots::new(&row(knots.tensor())?, knots.order())?;
                Self::OnKnots(own.outside(knots.policy()))
            }
            Self::Wavelet(wavelet, [log_scale, translation]) => {
                Self::Wavelet(*wavelet, [row(log_scale)?, row(translation)?])
            }
        })
    }
}

/// The name of what wavelets' scales are kept as.
const LOG_SCALE: &str = "log_scale";
/// The name of where they are.
const TRANSLATION: &str = "translation";
/// The largest |ln scale| of a wavelet, where training beyond it is held: within 1e±30 its numbers and slopes have their digits
/// in f32.
const MOST_LOG_SCALE: f64 = 69.0;

/// Whether that is the name of wavelets' scales.
fn is_log_scale(what: &str) -> bool {
    what.rsplit('.').next().is_some_and(|name| name.starts_with(LOG_SCALE))
}

/// What is wrong with one of the values of a name in [`NetworkLayer::slots`]; none where nothing is.
pub(super) fn wrong(what: &str, values: &[f64]) -> Option<String> {
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return Some(format!(
            "element {at} of `{what}` is {}; a network's values must be finite",
            values[at]
        ));
    }
    let at = values.iter().position(|v| is_log_scale(what) && v.abs() > MOST_LOG_SCALE)?;
    Some(format!(
        "element {at} of `{what}` is {}; the logarithm of a wavelet's scale must be from -{MOST_LOG_SCALE} to {MOST_LOG_SCALE}",
        values[at]
    ))
}

/// The name of a branch's coefficients, or knots.
pub(super) fn numbered(what: &str, branch: usize) -> String {
    if branch == 0 { what.to_owned() } else { format!("{what}{branch}") }
}

/// Values as a tensor.
pub(super) fn host(values: &[f64], shape: &[usize], dtype: DType) -> Result<HostTensor> {
    Ok(HostTensor::new(values, shape)?.cast(dtype))
}

impl NetworkLayer {
    /// Whether any edge is a learned function.
    pub(super) fn learns(&self) -> bool {
        (0..self.mask.len()).any(|edge| self.learned(edge))
    }

    /// What the layer has in a graph, in order: names, shapes and values.
    pub(super) fn slots(&self) -> Vec<(String, Vec<usize>, Vec<f64>)> {
        self.values_by_name(self.learns())
    }

    /// The same with the learned functions' values or without.
    pub(super) fn values_by_name(&self, learned: bool) -> Vec<(String, Vec<usize>, Vec<f64>)> {
        let (i, o) = (self.inputs, self.sums);
        let mut all = Vec::new();
        if learned {
            for (b, branch) in self.branches.iter().enumerate() {
                if let Functions::OnKnots(knots, _) = &branch.functions {
                    let wide = knots.first().map_or(0, |k| k.all().len());
                    let values = knots.iter().flat_map(|k| k.all().iter().copied()).collect();
                    all.push((numbered("knots", b), vec![i, wide], values));
                }
                all.push((numbered("coef", b), vec![i, branch.functions.count(), o], branch.coef.clone()));
                if let Some(Places { log_scale, translation }) = &branch.places {
                    all.push((numbered(LOG_SCALE, b), vec![i, o], log_scale.clone()));
                    all.push((numbered(TRANSLATION, b), vec![i, o], translation.clone()));
                }
            }
            if self.base != Base::None {
                all.push(("base".into(), vec![i, o], self.base_weight.clone()));
            }
            if !self.scale.is_empty() {
                all.push(("scale".into(), vec![i, o], self.scale.clone()));
            }
        }
        if !self.bias.is_empty() {
            all.push(("bias".into(), vec![o], self.bias.clone()));
        }
        let formulas: Vec<_> = self.formulas().collect();
        if !formulas.is_empty() {
            let row = |number: fn(&Affine) -> f64| formulas.iter().map(move |(_, _, f)| number(f));
            let values = row(|f| f.a).chain(row(|f| f.b)).chain(row(|f| f.c)).chain(row(|f| f.d)).collect();
            all.push(("symbolic".into(), vec![4, formulas.len()], values));
        }
        all
    }

    /// The edges that are formulas, those of one function together, in the order of their first edges.
    pub(super) fn formulas(&self) -> impl Iterator<Item = (usize, usize, &Affine)> {
        let at = |edge: usize| self.symbolic[edge].as_ref().filter(|_| self.mask[edge]);
        let all: Vec<usize> = (0..self.mask.len()).filter(|edge| at(*edge).is_some()).collect();
        let first = |edge: usize| {
            all.iter().position(|e| at(*e).map(|f| &f.function) == at(edge).map(|f| &f.function))
        };
        let mut sorted = all.clone();
        sorted.sort_by_cached_key(|edge| first(*edge));
        sorted.into_iter().filter_map(move |edge| Some((edge / self.sums, edge % self.sums, at(edge)?)))
    }

    /// With the values that a program holds now. `finite` reads one of them.
    pub(super) fn read(&mut self, mut finite: impl FnMut(&str, &[usize]) -> Result<Vec<f64>>) -> Result<()> {
        for (what, shape, _) in self.slots() {
            let values = finite(&what, &shape)?;
            self.set(&what, values);
        }
        Ok(())
    }

    /// Takes values by their name in [`slots`](Self::slots).
    pub(super) fn set(&mut self, what: &str, values: Vec<f64>) {
        let of = |prefix: &'static str| {
            let number = what.strip_prefix(prefix)?;
            let branch = if number.is_empty() { 0 } else { number.parse::<usize>().unwrap_or(usize::MAX) };
            Some((prefix, branch))
        };
        if let Some((prefix, b)) = ["coef", LOG_SCALE, TRANSLATION].into_iter().find_map(of) {
            let Some(Branch { coef, places, .. }) = self.branches.get_mut(b) else { return };
            match (prefix, places) {
                (LOG_SCALE, Some(places)) => places.log_scale = values,
                (TRANSLATION, Some(places)) => places.translation = values,
                ("coef", _) => *coef = values,
                _ => {}
            }
            return;
        }
        match what {
            "base" => self.base_weight = values,
            "scale" => self.scale = values,
            "bias" => self.bias = values,
            "symbolic" => self.read_formulas(&values),
            // Knots are constants of training: the structure has them in full.
            _ => {}
        }
    }

    fn read_formulas(&mut self, values: &[f64]) {
        let edges: Vec<usize> = self.formulas().map(|(i, o, _)| self.edge(i, o)).collect();
        let n = edges.len();
        for (k, edge) in edges.into_iter().enumerate() {
            if let Some(formula) = &mut self.symbolic[edge] {
                (formula.a, formula.b) = (values[k], values[n + k]);
                (formula.c, formula.d) = (values[2 * n + k], values[3 * n + k]);
            }
        }
    }
}

impl Layer {
    /// Adds the layer's parameters to a graph.
    pub fn add(graph: &Graph, prefix: &str, layer: &NetworkLayer, dtype: DType) -> Result<Self> {
        let mut slots = layer.slots().into_iter();
        let mut next = || -> Result<Option<Tensor>> {
            slots
                .next()
                .map(|(what, shape, values)| {
                    let parameter =
                        graph.parameter(&format!("{prefix}.{what}"), host(&values, &shape, dtype)?)?;
                    if what.starts_with("knots") {
                        graph.freeze(&parameter)?;
                    }
                    Ok(parameter)
                })
                .transpose()
        };
        let (mut branches, mut base, mut scale, mut learned) = (Vec::new(), None, None, None);
        let (i, o) = (layer.inputs, layer.sums);
        let ones = |of: &dyn Fn(usize) -> bool, shape: &[usize]| -> Result<Option<Tensor>> {
            let all: Vec<f64> = (0..i * o).map(|edge| f64::from(u8::from(of(edge)))).collect();
            if all.iter().all(|one| *one == 1.0) {
                return Ok(None);
            }
            Ok(Some(graph.tensor(host(&all, shape, dtype)?)?))
        };
        if layer.learns() {
            for branch in &layer.branches {
                let own = &branch.functions;
                let knots = if matches!(own, Functions::OnKnots(..)) { next()? } else { None };
                let coef = next()?;
                let functions = match own {
                    Functions::Basis(basis) => Some(Placed::Basis(*basis)),
                    Functions::OnKnots(all, outside) => {
                        let order = all.first().map_or(0, super::Knots::order);
                        let on = |t: Tensor| Ok::<_, Error>(OnKnots::new(&t, order)?.outside(*outside));
                        knots.map(on).transpose()?.map(Placed::OnKnots)
                    }
                    Functions::Wavelet(wavelet, _) => {
                        let (log_scale, translation) = (next()?, next()?);
                        log_scale.zip(translation).map(|(s, t)| Placed::Wavelet(*wavelet, [s, t]))
                    }
                };
                if let (Some(functions), Some(coef)) = (functions, coef) {
                    let of = |edge: usize| layer.learned(edge) && branch.has(edge);
                    branches.push(Learned { functions, coef, edges: ones(&of, &[i, 1, o])? });
                }
            }
            base = if layer.base == Base::None { None } else { next()? };
            scale = if layer.scale.is_empty() { None } else { next()? };
            learned = ones(&|edge| layer.learned(edge), &[i, o])?;
        }
        let bias = if layer.bias.is_empty() { None } else { next()? };
        let symbols = match next()? {
            Some(numbers) => Some(Symbols::new(graph, layer, numbers, dtype)?),
            None => None,
        };
        Ok(Self { branches, base, scale, bias, learned, symbols })
    }

    /// All parameters, in the order in which they were added.
    pub fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        let coefs = self.branches.iter().flat_map(|b| {
            let places = match &b.functions {
                Placed::Wavelet(_, places) => &places[..],
                Placed::Basis(_) | Placed::OnKnots(_) => &[],
            };
            std::iter::once(&b.coef).chain(places)
        });
        let symbols = self.symbols.as_ref().map(Symbols::numbers);
        coefs.chain(&self.base).chain(&self.scale).chain(&self.bias).chain(symbols)
    }

    /// What a branch's coefficients are in effect: scaled, and 0 on the edges that have none.
    pub fn coefficients(&self, branch: usize) -> Result<Tensor> {
        let Learned { coef, edges, .. } = &self.branches[branch];
        let mut coef = coef.clone();
        if let Some(scale) = &self.scale {
            coef = coef.mul(&scale.unsqueeze(1)?)?;
        }
        Ok(match edges {
            Some(edges) => coef.mul(edges)?,
            None => coef,
        })
    }

    /// The base's weights in effect.
    pub fn base_weights(&self) -> Result<Option<Tensor>> {
        Ok(match (&self.base, &self.learned) {
            (Some(base), Some(learned)) => Some(base.mul(learned)?),
            (base, _) => base.clone(),
        })
    }

    /// How many branches there are.
    pub fn branches(&self) -> usize {
        self.branches.len()
    }

    /// A branch's functions.
    pub fn functions(&self, branch: usize) -> &Placed {
        &self.branches[branch].functions
    }

    /// The formulas' part.
    pub fn symbols(&self) -> Option<&Symbols> {
        self.symbols.as_ref()
    }

    /// The sums of x [..., inputs]: [..., sums].
    pub fn sums(&self, x: &Tensor, layer: &NetworkLayer) -> Result<Tensor> {
        let mut parts = Vec::new();
        let weights = self.base_weights()?;
        // The kernels of layers have silu and the bias within.
        let within = weights.as_ref().filter(|_| layer.base == Base::Silu);
        for (b, branch) in self.branches.iter().enumerate() {
            let (within, bias) = if b == 0 { (within, self.bias.as_ref()) } else { (None, None) };
            parts.push(branch.functions.layer(x, &self.coefficients(b)?, within, bias)?);
        }
        if let Some(weights) = weights.filter(|_| layer.base != Base::Silu || self.branches.is_empty()) {
            parts.push(layer.base.of_tensor(x)?.matmul(&weights)?);
        }
        if let Some(symbols) = &self.symbols {
            parts.extend(symbols.sum(x)?);
        }
        // A bias alone has no rows.
        if parts.is_empty() {
            parts.push(nothing(x, layer.sums)?);
        }
        parts.extend(self.bias.clone().filter(|_| self.branches.is_empty()));
        total(parts)?.map_or_else(|| nothing(x, layer.sums), Ok)
    }

    /// The outputs that sums make: those that are not multiplied, then the products.
    pub fn multiplied(sums: &Tensor, layer: &NetworkLayer) -> Result<Tensor> {
        if layer.multiply.is_empty() {
            return Ok(sums.clone());
        }
        let mut nodes: Vec<Tensor> = Vec::new();
        if layer.plain() > 0 {
            nodes.push(sums.slice(-1, 0, layer.plain())?);
        }
        for node in layer.plain()..layer.outputs() {
            let mut factors = layer.sums_of(node).map(|s| sums.slice(-1, s, s + 1));
            let first = factors.next().transpose()?;
            let product = factors.try_fold(first, |product, factor| {
                let factor = factor?;
                product.map(|p| p.mul(&factor)).transpose()
            })?;
            nodes.extend(product);
        }
        Ok(Tensor::concat(&nodes.iter().collect::<Vec<_>>(), -1)?)
    }
}

/// Zeros [..., n] for the rows of x.
fn nothing(x: &Tensor, n: usize) -> Result<Tensor> {
    let mut shape = x.shape().dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = n.into();
    }
    // Of x, so that a program has its rows.
    Ok(x.slice(-1, 0, 1)?.mul(0.0)?.broadcast_to(shape)?)
}

/// A parameter's values, which must have this network's shape and be finite.
#[track_caller]
pub(super) fn finite(params: &Params, model: &str, name: &str, want: &[usize]) -> Result<Vec<f64>> {
    let found = params.get(name)?;
    if found.shape() != want {
        let shape = found.shape();
        return Err(Error::setting(format!(
            "Kan `{model}`: `{name}` has shape {shape:?} there; this network's has {want:?}"
        )));
    }
    let mut values = found.to_f64();
    if is_log_scale(name) {
        // As they count: a wavelet as wide as that is flat, and nothing brings it back.
        values.iter_mut().for_each(|v| *v = v.clamp(-MOST_LOG_SCALE, MOST_LOG_SCALE));
    }
    match wrong(name, &values) {
        Some(wrong) => Err(Error::setting(format!("Kan `{model}`: {wrong}"))),
        None => Ok(values),
    }
}
