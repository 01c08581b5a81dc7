//! FastKAN with its layer norms: a model of its own, because behind a norm over all inputs an edge is no function of one number.

use std::path::Path;

use knotwork_core::{DType, Graph, Tensor, device::Params};
use serde::{Deserialize, Serialize};

use super::{
    Kan, Network,
    description::Description,
    file::{FAST, in_file, tensors_of},
    layer::{finite, host},
};
use crate::{Checkpoint, CheckpointError, Error, Metadata, Result, symbolic::Library};

/// The version of descriptions that this crate writes and reads.
const VERSION: u32 = 1;

/// FastKAN (Li 2024) as data, in f64 on the host: layers y_o = Σ_i Σ_m c_oim φ_m(u_i) + Σ_i w_oi β(x_i) + b_o with u = norm(x) · weight +
/// bias over all inputs of a row. What `tools/export_kan.py` writes of a FastKAN that has its layer norms; one
/// without them is a [`Network`].
///
/// Each layer's learned functions are a network of one layer over u ([`functions`](Self::functions)), whose edges can be looked at,
/// and so is its base over x ([`base`](Self::base)). As a whole it cannot be pruned or become a formula.
///
/// ```no_run
/// use knotwork_core::{DType, Device, Graph};
/// use knotwork_nn::kan::FastKan;
/// let fast = FastKan::load("fastkan.safetensors")?;
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [16, fast.widths()[0]])?;
/// let model = fast.build(&g, "fastkan")?;
/// let y = model.forward(&x)?;
/// let program = Device::cpu().compile(&g, &[&y], &[])?;
/// # let _ = program;
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FastKan {
    layers: Vec<FastLayer>,
}

#[derive(Clone, Debug, PartialEq)]
struct FastLayer {
    norm: Option<Norm>,
    functions: Network,
    base: Option<Network>,
}

/// (x − mean) / √(variance + epsilon) · weight + bias over a row.
#[derive(Clone, Debug, PartialEq)]
struct Norm {
    weight: Vec<f64>,
    bias: Vec<f64>,
    epsilon: f64,
}

/// A [`FastKan`] in a graph.
#[derive(Clone, Debug)]
pub struct FastKanModel {
    name: String,
    values: FastKan,
    layers: Vec<(Option<[Tensor; 2]>, Kan, Option<Kan>)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FastDescription {
    version: u32,
    layers: Vec<FastLayerDescription>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FastLayerDescription {
    /// The norm's epsilon.
    norm: Option<f64>,
    functions: Description,
    base: Option<Description>,
}

impl Norm {
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (variance + self.epsilon).sqrt();
        let affine = self.weight.iter().zip(&self.bias);
        x.iter().zip(affine).map(|(x, (w, b))| (x - mean) * scale * w + b).collect()
    }
}

impl FastKan {
    /// The FastKAN of a file by `tools/export_kan.py` or [`save`](Self::save).
    ///
    /// # Errors
    /// [`CheckpointError`] where the file cannot be read, is truncated or damaged, of a later version, or says nothing of a
    /// FastKAN.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let saved = Checkpoint::load(path)?;
        let invalid = |reason: String| Error::from(CheckpointError::Invalid { path: path.into(), reason });
        let Some(said) = saved.metadata().config.get(FAST) else {
            return Err(invalid("it is a checkpoint, but says nothing of a FastKAN with layer norms".into()));
        };
        let found = said.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32;
        if found != VERSION {
            return Err(CheckpointError::Version { path: path.into(), found, known: VERSION }.into());
        }
        let said: FastDescription = serde_json::from_value(said.clone())
            .map_err(|e| invalid(format!("its description of a FastKAN is damaged: {e}")))?;
        let mut layers: Vec<FastLayer> = Vec::with_capacity(said.layers.len());
        for (l, said) in said.layers.iter().enumerate() {
            let layer = said.layer(l, &saved).map_err(|e| in_file(path, e))?;
            let before = layers.last().map_or(layer.inputs(), FastLayer::outputs);
            if before != layer.inputs() {
                return Err(invalid(format!(
                    "layer {l} has {} inputs after {before} outputs",
                    layer.inputs()
                )));
            }
            layers.push(layer);
        }
        if layers.is_empty() { Err(invalid("the FastKAN has no layers".into())) } else { Ok(Self { layers }) }
    }

    /// Saves it as one safetensors file in f64, which replaces a file at `path` whole or not at all.
    ///
    /// # Errors
    /// [`CheckpointError::Write`] where the disk refuses, [`CheckpointError::NotFinite`] where a value is NaN or infinite.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (mut tensors, mut described) = (Vec::new(), Vec::new());
        for (l, layer) in self.layers.iter().enumerate() {
            if let Some(norm) = &layer.norm {
                for (what, values) in [("weight", &norm.weight), ("bias", &norm.bias)] {
                    let values = host(values, &[values.len()], DType::F64)?;
                    tensors.push((format!("{FAST}.{l}.norm.{what}"), values));
                }
            }
            let mut part = |what: &str, network: &Network| -> Result<Description> {
                let name = format!("{FAST}.{l}.{what}");
                for (k, layer) in network.layers.iter().enumerate() {
                    for (what, shape, values) in layer.values_by_name(true) {
                        tensors.push((format!("{name}.{k}.{what}"), host(&values, &shape, DType::F64)?));
                    }
                }
                Ok(Description::of(network, &name))
            };
            let functions = part("functions", &layer.functions)?;
            let base = layer.base.as_ref().map(|base| part("base", base)).transpose()?;
            let norm = layer.norm.as_ref().map(|n| n.epsilon);
            described.push(FastLayerDescription { norm, functions, base });
        }
        let said = serde_json::to_value(FastDescription { version: VERSION, layers: described })
            .map_err(|e| Error::setting(format!("FastKan: its structure cannot be written: {e}")))?;
        let parameters = tensors.iter().map(|(name, _)| name.clone()).collect();
        let config = serde_json::json!({ FAST: said });
        Checkpoint::write(path.as_ref(), &tensors, Metadata { config, parameters, ..Metadata::default() })
    }

    /// The numbers of nodes: inputs, those between, outputs.
    #[must_use]
    pub fn widths(&self) -> Vec<usize> {
        let first = self.layers.first().map(FastLayer::inputs);
        first.into_iter().chain(self.layers.iter().map(FastLayer::outputs)).collect()
    }

    /// A layer's learned functions of the normalised inputs, as a network of one layer without a base.
    ///
    /// # Errors
    /// Where there is no such layer.
    #[track_caller]
    pub fn functions(&self, layer: usize) -> Result<&Network> {
        Ok(&self.layer(layer)?.functions)
    }

    /// A layer's base of the inputs as they are, as a network of one layer without functions; none where there is none.
    ///
    /// # Errors
    /// Where there is no such layer.
    #[track_caller]
    pub fn base(&self, layer: usize) -> Result<Option<&Network>> {
        Ok(self.layer(layer)?.base.as_ref())
    }

    #[track_caller]
    fn layer(&self, layer: usize) -> Result<&FastLayer> {
        let depth = self.layers.len();
        self.layers
            .get(layer)
            .ok_or_else(|| Error::setting(format!("FastKan: there is no layer {layer}; there are {depth}")))
    }

    /// The outputs of rows x [rows, inputs], in f64 on the host: [rows, outputs], row by row.
    ///
    /// # Errors
    /// Where x is no whole number of rows.
    #[track_caller]
    pub fn evaluate(&self, x: &[f64]) -> Result<Vec<f64>> {
        let inputs = self.layers.first().map_or(0, FastLayer::inputs);
        if inputs == 0 || !x.len().is_multiple_of(inputs) {
            return Err(Error::setting(format!(
                "FastKan: {} values are no whole number of rows of {inputs} inputs",
                x.len()
            )));
        }
        let mut out = Vec::new();
        for row in x.chunks_exact(inputs) {
            let mut row = row.to_vec();
            for layer in &self.layers {
                let normed = layer.norm.as_ref().map(|norm| norm.apply(&row));
                let mut y = layer.functions.evaluate(normed.as_ref().unwrap_or(&row))?;
                if let Some(base) = &layer.base {
                    y.iter_mut().zip(base.evaluate(&row)?).for_each(|(y, b)| *y += b);
                }
                row = y;
            }
            out.extend(row);
        }
        Ok(out)
    }

    /// Adds its parameters to the graph, as f32: `name.l.norm.weight` and `.bias`, `name.l.functions.0.coef`, `name.l.base.0.base`
    /// and `.bias`.
    ///
    /// # Errors
    /// Where the graph has parameters of these names.
    #[track_caller]
    pub fn build(&self, graph: &Graph, name: &str) -> Result<FastKanModel> {
        let mut layers = Vec::with_capacity(self.layers.len());
        for (l, layer) in self.layers.iter().enumerate() {
            let parameter = |what: &str, values: &[f64]| {
                let values = host(values, &[values.len()], DType::F32)?;
                Ok::<_, Error>(graph.parameter(&format!("{name}.{l}.norm.{what}"), values)?)
            };
            let norm = match &layer.norm {
                Some(norm) => Some([parameter("weight", &norm.weight)?, parameter("bias", &norm.bias)?]),
                None => None,
            };
            let functions = layer.functions.build(graph, &format!("{name}.{l}.functions"))?;
            let base =
                layer.base.as_ref().map(|b| b.build(graph, &format!("{name}.{l}.base"))).transpose()?;
            layers.push((norm, functions, base));
        }
        Ok(FastKanModel { name: name.into(), values: self.clone(), layers })
    }
}

impl FastLayer {
    fn inputs(&self) -> usize {
        self.functions.widths()[0]
    }

    fn outputs(&self) -> usize {
        self.functions.widths()[1]
    }
}

impl FastLayerDescription {
    fn layer(&self, l: usize, saved: &Checkpoint) -> Result<FastLayer> {
        let part = |said: &Description| -> Result<Network> {
            let network = said.network(&Library::standard(), tensors_of(saved, &said.name))?;
            if network.depth() != 1 {
                return Err(Error::setting(format!("layer {l} is a network of {}", network.depth())));
            }
            Ok(network)
        };
        let functions = part(&self.functions)?;
        let base = self.base.as_ref().map(part).transpose()?;
        if let Some(base) = base.as_ref().filter(|b| b.widths() != functions.widths()) {
            let (b, f) = (base.widths(), functions.widths());
            return Err(Error::setting(format!("layer {l} has a base {b:?} beside functions {f:?}")));
        }
        let norm = match self.norm {
            None => None,
            Some(epsilon) if epsilon > 0.0 && epsilon.is_finite() => {
                let mut of = tensors_of(saved, FAST);
                let mut values = |what: &str| {
                    let what = format!("norm.{what}");
                    of(l, &what, &[functions.widths()[0]])?
                        .ok_or_else(|| Error::setting(format!("layer {l} has no tensor `{what}`")))
                };
                Some(Norm { weight: values("weight")?, bias: values("bias")?, epsilon })
            }
            Some(epsilon) => {
                return Err(Error::setting(format!(
                    "layer {l}'s norm has epsilon {epsilon}; it must be above 0"
                )));
            }
        };
        Ok(FastLayer { norm, functions, base })
    }
}

impl FastKanModel {
    /// The outputs of x [..., in]: [..., out].
    ///
    /// # Errors
    /// Where the last dimension of x is not the model's, or its type not f32.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for ((norm, functions, base), values) in self.layers.iter().zip(&self.values.layers) {
            let normed = match (norm, &values.norm) {
                (Some([weight, bias]), Some(norm)) => x.layer_norm(Some(weight), Some(bias), norm.epsilon)?,
                _ => x.clone(),
            };
            let y = functions.forward(&normed)?;
            x = match base {
                Some(base) => y.add(&base.forward(&x)?)?,
                None => y,
            };
        }
        Ok(x)
    }

    /// All its parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Tensor> {
        let layers = self.layers.iter();
        layers
            .flat_map(|(norm, functions, base)| {
                let base = base.iter().flat_map(Kan::parameters);
                norm.iter().flatten().chain(functions.parameters()).chain(base)
            })
            .collect()
    }

    /// The FastKAN with the values that a program holds now.
    ///
    /// # Errors
    /// Where `params` are of another model or hold no finite numbers.
    #[track_caller]
    pub fn values(&self, params: &Params) -> Result<FastKan> {
        let mut all = self.values.clone();
        for (l, (layer, (_, functions, base))) in all.layers.iter_mut().zip(&self.layers).enumerate() {
            layer.functions = functions.network(params)?;
            layer.base = base.as_ref().map(|base| base.network(params)).transpose()?;
            if let Some(norm) = &mut layer.norm {
                let shape = [norm.weight.len()];
                for (what, values) in [("weight", &mut norm.weight), ("bias", &mut norm.bias)] {
                    let name = format!("{}.{l}.norm.{what}", self.name);
                    *values = finite(params, &self.name, &name, &shape)?;
                }
            }
        }
        Ok(all)
    }
}
