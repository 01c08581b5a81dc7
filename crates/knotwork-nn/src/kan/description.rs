//! A network's structure as JSON: what a file says of it beside its numbers.

use serde::{Deserialize, Serialize};

use super::{
    Base, Functions, Knots, Network, NetworkLayer, Unit,
    branch::{Branch, Places},
    layer::{numbered, wrong},
};
use crate::{
    Error, Result,
    symbolic::{Affine, Library},
};

/// The version of descriptions that this crate writes, and the last that it reads.
pub(super) const VERSION: u32 = 1;
/// The most edges of a layer: what any machine can hold, and no file should make one allocate more.
const MOST: usize = 1 << 28;

/// A network without its numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Description {
    pub version: u32,
    /// The prefix of its tensors.
    pub name: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    /// Shift and scale of each input and output; empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    input_units: Vec<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    output_units: Vec<[f64; 2]>,
    pub layers: Vec<LayerDescription>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LayerDescription {
    pub inputs: usize,
    pub sums: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    multiply: Vec<usize>,
    functions: Vec<FunctionsDescription>,
    base: String,
    scale: bool,
    bias: bool,
    /// Edges that were taken away: (input, sum).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removed: Vec<[usize; 2]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    formulas: Vec<FormulaDescription>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FunctionsDescription {
    /// As text, "bspline order=3 grid=5 range=[-1, 1]" or "dog range=[-1, 1]".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basis: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_knots: Option<KnotsDescription>,
    /// The edges that have them, (input, sum); all where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edges: Option<Vec<[usize; 2]>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KnotsDescription {
    order: usize,
    outside: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct FormulaDescription {
    edge: [usize; 2],
    function: String,
}

impl Description {
    pub fn of(network: &Network, name: &str) -> Self {
        Self {
            version: VERSION,
            name: name.into(),
            inputs: network.inputs.clone(),
            outputs: network.outputs.clone(),
            input_units: network.units[0].iter().map(|u| [u.shift, u.scale]).collect(),
            output_units: network.units[1].iter().map(|u| [u.shift, u.scale]).collect(),
            layers: network.layers.iter().map(LayerDescription::of).collect(),
        }
    }

    /// The network, its numbers by `tensor` (layer, name, shape; none where there is none).
    pub fn network(
        &self,
        library: &Library,
        mut tensor: impl FnMut(usize, &str, &[usize]) -> Result<Option<Vec<f64>>>,
    ) -> Result<Network> {
        let mut layers: Vec<NetworkLayer> = Vec::with_capacity(self.layers.len());
        for (l, said) in self.layers.iter().enumerate() {
            let layer = said.layer(l, library, &mut tensor)?;
            if let Some(before) = layers.last().filter(|b| b.outputs() != layer.inputs) {
                return Err(damaged(
                    l,
                    format!("has {} inputs after {} outputs", layer.inputs, before.outputs()),
                ));
            }
            layers.push(layer);
        }
        if layers.is_empty() {
            return Err(Error::setting("the network has no layers"));
        }
        let empty = || [Vec::new(), Vec::new()];
        let network = Network { inputs: Vec::new(), outputs: Vec::new(), layers, units: empty() };
        let network = network.named(&self.inputs, &self.outputs)?;
        if self.input_units.is_empty() && self.output_units.is_empty() {
            return Ok(network);
        }
        let units = |of: &[[f64; 2]]| {
            of.iter().map(|[shift, scale]| Unit { shift: *shift, scale: *scale }).collect::<Vec<_>>()
        };
        network.in_units(&units(&self.input_units), &units(&self.output_units))
    }
}

fn damaged(layer: usize, what: String) -> Error {
    Error::setting(format!("layer {layer} {what}"))
}

impl LayerDescription {
    fn of(layer: &NetworkLayer) -> Self {
        let pairs = |keep: &dyn Fn(usize) -> bool| {
            let all = (0..layer.mask.len()).filter(|edge| keep(*edge));
            all.map(|edge| [edge / layer.sums, edge % layer.sums]).collect::<Vec<_>>()
        };
        let functions = |branch: &Branch| {
            let (basis, on_knots) = match &branch.functions {
                shared @ (Functions::Basis(_) | Functions::Wavelet(..)) => (Some(shared.to_string()), None),
                Functions::OnKnots(knots, outside) => {
                    let order = knots.first().map_or(0, Knots::order);
                    (None, Some(KnotsDescription { order, outside: outside.to_string() }))
                }
            };
            let edges = (!branch.edges.is_empty()).then(|| pairs(&|edge| branch.edges[edge]));
            FunctionsDescription { basis, on_knots, edges }
        };
        let formula = |(edge, formula): (usize, &Option<Affine>)| {
            let function = formula.as_ref()?.function.name().to_owned();
            Some(FormulaDescription { edge: [edge / layer.sums, edge % layer.sums], function })
        };
        Self {
            inputs: layer.inputs,
            sums: layer.sums,
            multiply: layer.multiply.clone(),
            functions: layer.branches.iter().map(functions).collect(),
            base: layer.base.to_string(),
            scale: !layer.scale.is_empty(),
            bias: !layer.bias.is_empty(),
            removed: pairs(&|edge| !layer.mask[edge]),
            formulas: layer.symbolic.iter().enumerate().filter_map(formula).collect(),
        }
    }

    fn layer(
        &self,
        l: usize,
        library: &Library,
        tensor: &mut impl FnMut(usize, &str, &[usize]) -> Result<Option<Vec<f64>>>,
    ) -> Result<NetworkLayer> {
        let (inputs, sums) = (self.inputs, self.sums);
        let edges = inputs.checked_mul(sums).filter(|edges| (1..=MOST).contains(edges));
        let edges = edges.ok_or_else(|| damaged(l, format!("goes from {inputs} to {sums}")))?;
        let products = self
            .multiply
            .iter()
            .try_fold(0usize, |sum, arity| sum.checked_add(*arity).filter(|sum| *arity >= 2 && *sum <= sums));
        if products.is_none() {
            return Err(damaged(l, format!("multiplies {:?} of {sums} sums", self.multiply)));
        }
        let edge = |[input, sum]: [usize; 2]| {
            (input < inputs && sum < sums)
                .then_some(input * sums + sum)
                .ok_or_else(|| damaged(l, format!("has no edge from {input} to {sum}")))
        };
        let mut layer = NetworkLayer {
            inputs,
            sums,
            multiply: self.multiply.clone(),
            branches: Vec::with_capacity(self.functions.len()),
            base: self.base.parse()?,
            base_weight: Vec::new(),
            scale: Vec::new(),
            bias: Vec::new(),
            mask: vec![true; edges],
            symbolic: vec![None; edges],
        };
        for pair in &self.removed {
            layer.mask[edge(*pair)?] = false;
        }
        for FormulaDescription { edge: pair, function } in &self.formulas {
            let function = library.get(function)?;
            layer.symbolic[edge(*pair)?] = Some(Affine { function, a: 0.0, b: 0.0, c: 0.0, d: 0.0 });
        }
        for (b, said) in self.functions.iter().enumerate() {
            let own: Vec<usize> =
                said.edges.iter().flatten().map(|pair| edge(*pair)).collect::<Result<_>>()?;
            let edges = said.edges.as_ref().map_or_else(Vec::new, |_| {
                let mut all = vec![false; inputs * sums];
                own.iter().for_each(|e| all[*e] = true);
                all
            });
            let functions = said.functions(l, b, inputs, tensor)?;
            let coef = vec![0.0; inputs * functions.count() * sums];
            let places = matches!(functions, Functions::Wavelet(..)).then(|| Places::zeros(inputs * sums));
            layer.branches.push(Branch { functions, coef, places, edges });
        }
        if layer.base != Base::None {
            layer.base_weight = vec![0.0; edges];
        }
        if self.scale {
            layer.scale = vec![1.0; edges];
        }
        if self.bias {
            layer.bias = vec![0.0; sums];
        }
        // A graph has the learned functions' values only where an edge is one.
        let learns = layer.learns();
        for (what, shape, _) in layer.values_by_name(true) {
            match tensor(l, &what, &shape)? {
                Some(values) => {
                    if let Some(wrong) = wrong(&what, &values) {
                        return Err(damaged(l, format!("is damaged: {wrong}")));
                    }
                    layer.set(&what, values);
                }
                None if learns || matches!(what.as_str(), "bias" | "symbolic") => {
                    return Err(damaged(l, format!("has no tensor `{what}`")));
                }
                None => {}
            }
        }
        Ok(layer)
    }
}

impl FunctionsDescription {
    fn functions(
        &self,
        layer: usize,
        branch: usize,
        inputs: usize,
        tensor: &mut impl FnMut(usize, &str, &[usize]) -> Result<Option<Vec<f64>>>,
    ) -> Result<Functions> {
        match (&self.basis, &self.on_knots) {
            (Some(text), None) => {
                let functions: Functions = text.parse()?;
                functions.check(inputs).map_err(|what| damaged(layer, format!("has {what}")))?;
                Ok(functions)
            }
            (None, Some(KnotsDescription { order, outside })) => {
                let name = numbered("knots", branch);
                // Its width follows from the file.
                let values = tensor(layer, &name, &[inputs, usize::MAX])?;
                let values = values.ok_or_else(|| damaged(layer, format!("has no tensor `{name}`")))?;
                if values.is_empty() {
                    return Err(damaged(layer, format!("has no numbers in `{name}`")));
                }
                let rows = values.chunks_exact(values.len() / inputs);
                let knots = rows.map(|row| Knots::from_all(row, *order)).collect::<Result<_>>()?;
                Ok(Functions::OnKnots(knots, outside.parse()?))
            }
            _ => Err(damaged(layer, "has functions that are neither a basis nor on knots".into())),
        }
    }
}
