//! What L-BFGS runs on the device: four small programs over the graph's parameters, and one of the loss.
//!
//! The parameters lie one after another in vectors: the place x where the last step ended, the direction d, the gradients
//! there and at the last evaluation, and the history H `[2 m, n]`: m steps, then m changes of the gradient. Small parameters
//! share vectors, so that each program is a few dispatches; large ones have vectors of their own, which saves copies.

use std::borrow::Borrow;

use knotwork_core::{
    DType, Device, Graph, HostTensor, Program, Site, Tensor, Update,
    device::Params,
    graph::{Phase, with_phase, with_provenance},
    plan::DeviceKind,
};

use super::history::Direction;
use crate::{Error, Result, optim::minimize, sum::total};

/// One parameter's nodes.
#[derive(Debug)]
struct Part {
    parameter: Tensor,
    gradient: Tensor,
    name: String,
    shape: Vec<usize>,
}

/// What a graph is to be asked.
#[derive(Debug)]
pub(super) struct Nodes {
    graph: Graph,
    name: String,
    slots: usize,
    loss: Tensor,
    parts: Vec<Part>,
    site: Site,
}

/// Products of a new pair and the new gradient with the history's rows.
#[derive(Debug)]
pub(super) struct Products {
    pub step: Vec<f64>,
    pub change: Vec<f64>,
    pub gradient: Vec<f64>,
    /// Of the gradient with itself.
    pub square: f64,
}

/// The programs, all over the same parameters and states.
#[derive(Debug)]
pub(super) struct Programs {
    name: String,
    slots: usize,
    wide: DType,
    /// How many vectors there are of each kind.
    vectors: usize,
    begin: Program,
    walk: Program,
    evaluate: Program,
    accept: Program,
    direct: Program,
}

/// Looks up what a loss depends on.
pub(super) fn nodes(
    name: &str,
    slots: usize,
    chosen: Option<&[Tensor]>,
    loss: &Tensor,
    site: Site,
) -> Result<Nodes> {
    let refuse = |what: String| Error::Setting { what: format!("{name}: {what}"), site };
    let graph = loss.graph().clone();
    if loss.shape().fixed().is_none_or(|s| s.iter().product::<usize>() != 1) {
        return Err(refuse(format!("the loss must be one number; it is {}", loss.meta())));
    }
    if graph.get(&format!("{name}.t")).is_some() {
        return Err(refuse(format!(
            "there is an optimizer `{name}` already: give this one a name by `named`"
        )));
    }
    let wanted = minimize::wanted(&graph, name, chosen, site)?;
    let (parameters, gradients) = minimize::with_gradients(name, wanted, loss, site)?;
    let mut parts = Vec::with_capacity(parameters.len());
    for (parameter, gradient) in parameters.into_iter().zip(gradients) {
        let name = minimize::slot_name(&graph, &parameter);
        if parameter.dtype() != DType::F32 {
            return Err(refuse(format!("`{name}` is {}; it steps f32", parameter.dtype())));
        }
        let shape = parameter.shape().fixed().unwrap_or_default();
        parts.push(Part { parameter, gradient, name, shape });
    }
    Ok(Nodes { graph, name: name.into(), slots, loss: loss.clone(), parts, site })
}

/// The most elements of a vector that several parameters share; few in unit tests, so that there are several vectors.
const SHARED: usize = if cfg!(test) { 8 } else { 1 << 16 };

/// Everything of some parameters, in the type of the vectors.
struct Vectors<'a> {
    parts: &'a [Part],
    n: usize,
    /// The parameters and their gradients, flat, one after another.
    value: Tensor,
    gradient: Tensor,
    x: Tensor,
    d: Tensor,
    /// Where the last step ended.
    old: Tensor,
    /// At the last evaluation.
    new: Tensor,
    history: Tensor,
}

impl Part {
    fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Neighbours that share vectors: as many as stay within [`SHARED`].
fn shared(parts: &[Part]) -> Vec<&[Part]> {
    let mut all = Vec::new();
    let (mut from, mut n) = (0, 0);
    for (k, part) in parts.iter().enumerate() {
        if k > from && n + part.count() > SHARED {
            all.push(&parts[from..k]);
            (from, n) = (k, 0);
        }
        n += part.count();
    }
    all.push(&parts[from..]);
    all
}

/// Tensors one after another, flat.
fn flat<'a>(all: impl Iterator<Item = &'a Tensor>, wide: DType) -> knotwork_core::Result<Tensor> {
    let flat = all
        .map(|t| t.reshape([t.shape().fixed().unwrap_or_default().iter().product::<usize>()])?.cast(wide))
        .collect::<knotwork_core::Result<Vec<_>>>()?;
    match &flat[..] {
        [one] => Ok(one.clone()),
        all => Tensor::concat(&all.iter().collect::<Vec<_>>(), 0),
    }
}

/// A sum of all elements of a product, as one number.
fn dot(a: &Tensor, b: &Tensor) -> knotwork_core::Result<Tensor> {
    a.mul(b)?.sum(&[0], false)
}

impl Nodes {
    /// Over parameters of their own.
    pub fn compile(self, device: &Device) -> Result<Programs> {
        let wide = wide(device);
        self.programs(wide, |graph, outputs, updates| Ok(device.compile(graph, outputs, updates)?))
    }

    /// Over the parameters of a program.
    pub fn beside(self, program: &Program) -> Result<Programs> {
        let wide = wide(program.device());
        self.programs(wide, |_, outputs, updates| Ok(program.sibling(outputs, updates)?))
    }

    fn programs(
        self,
        wide: DType,
        first: impl FnOnce(&Graph, &[&Tensor], &[&Update]) -> Result<Program>,
    ) -> Result<Programs> {
        let Self { graph, name, slots, loss, parts, site } = self;
        let build = || -> Result<Programs> {
            let input = |what: &str, shape: &[usize]| graph.input(&format!("{name}.{what}"), wide, shape);
            let t = input("t", &[])?;
            let (step_row, change_row) =
                (input("step_row", &[2 * slots, 1])?, input("change_row", &[2 * slots, 1])?);
            let (delta, delta_gradient) = (input("delta", &[1, 2 * slots])?, input("delta_gradient", &[])?);
            let mut all = Vec::new();
            for parts in shared(&parts) {
                let n = parts.iter().map(Part::count).sum();
                let first = parts.first().map_or("", |part| &part.name);
                let state = |what: &str, shape: &[usize]| {
                    let group = format!("{name}.{what}");
                    graph.state(&format!("{group}.{first}"), &group, HostTensor::zeros(wide, shape))
                };
                all.push(Vectors {
                    parts,
                    n,
                    value: flat(parts.iter().map(|part| &part.parameter), wide)?,
                    gradient: flat(parts.iter().map(|part| &part.gradient), wide)?,
                    x: state("x", &[n])?,
                    d: state("d", &[n])?,
                    old: state("old", &[n])?,
                    new: state("new", &[n])?,
                    history: state("history", &[2 * slots, n])?,
                });
            }
            let each = |f: &dyn Fn(&Vectors) -> Result<Update>| -> Result<Update> {
                all.iter().try_fold(graph.no_update(), |update, v| Ok(update.and(f(v)?)?))
            };
            let sum = |f: &dyn Fn(&Vectors) -> knotwork_core::Result<Tensor>| -> Result<Tensor> {
                let found = total(all.iter().map(f).collect::<knotwork_core::Result<_>>()?)?;
                found.ok_or_else(|| Error::Setting { what: format!("{name}: no parameter"), site })
            };

            // Also what was remembered: what is no number would stay none, whatever it is multiplied with.
            let begins = each(&|v| {
                let mut update = graph.assign(&v.x, &v.value)?;
                for state in [&v.d, &v.old, &v.new, &v.history] {
                    let zeros = graph.constant(wide, 0.0)?.broadcast_to(state.shape().clone())?;
                    update = update.and(graph.assign(state, &zeros)?)?;
                }
                Ok(update)
            })?;
            let walks = each(&|v| {
                let to = v.x.add(&v.d.mul(&t)?)?;
                let (mut update, mut from) = (graph.no_update(), 0);
                for part in v.parts {
                    let to = to.slice(0, from, from + part.count())?.reshape(part.shape.as_slice())?;
                    update = update.and(graph.assign(&part.parameter, &to.cast(part.parameter.dtype())?)?)?;
                    from += part.count();
                }
                Ok(update)
            })?;
            let keeps = each(&|v| Ok(graph.assign(&v.new, &v.gradient)?))?;
            let slope = sum(&|v| dot(&v.gradient, &v.d))?;

            let mut found = Vec::new();
            let accepts = {
                let mut update = graph.no_update();
                for v in &all {
                    let n = v.n;
                    let (step, change) = (v.d.mul(&t)?, v.new.sub(&v.old)?);
                    let row = |x: &Tensor| x.reshape([1, n]);
                    let others = step_row.add(&change_row)?.mul(-1.0)?.add(1.0)?;
                    let history = v.history.mul(&others)?.add(&step_row.mul(&row(&step)?)?)?;
                    let history = history.add(&change_row.mul(&row(&change)?)?)?;
                    let with = |x: &Tensor| history.matmul(&x.reshape([n, 1])?)?.reshape([2 * slots]);
                    found.push([with(&step)?, with(&change)?, with(&v.new)?, dot(&v.new, &v.new)?]);
                    update = update
                        .and(graph.assign(&v.history, &history)?)?
                        .and(graph.assign(&v.x, &v.x.add(&step)?)?)?
                        .and(graph.assign(&v.old, &v.new)?)?;
                }
                update
            };
            let mut direction = Vec::new();
            for v in &all {
                let n = v.n;
                let d = delta.matmul(&v.history)?.reshape([n])?.add(&v.old.mul(&delta_gradient)?)?;
                direction.push((v, d));
            }
            let directs =
                direction.iter().try_fold(graph.no_update(), |update, (v, d)| -> Result<Update> {
                    Ok(update.and(graph.assign(&v.d, d)?)?)
                })?;
            let falls =
                direction.iter().map(|(v, d)| dot(&v.old, d)).collect::<knotwork_core::Result<_>>()?;
            let sizes = direction
                .iter()
                .map(|(_, d)| d.abs()?.sum(&[0], false))
                .collect::<knotwork_core::Result<_>>()?;
            let ends: Vec<Tensor> = total(falls)?.into_iter().chain(total(sizes)?).collect();

            let begin = first(&graph, &[], &[&begins])?;
            let outputs: Vec<&Tensor> = found.iter().flatten().collect();
            Ok(Programs {
                name: name.clone(),
                slots,
                wide,
                vectors: all.len(),
                walk: begin.sibling(&[], &[&walks])?,
                evaluate: begin.sibling(&[&loss, &slope], &[&keeps])?,
                accept: begin.sibling(&outputs, &[&accepts])?,
                direct: begin.sibling(&ends.iter().collect::<Vec<_>>(), &[&directs])?,
                begin,
            })
        };
        with_phase(Phase::Update, || with_provenance(site, build))
    }
}

/// The type of the vectors.
fn wide(device: &Device) -> DType {
    if device.info().kind == DeviceKind::Cpu { DType::F64 } else { DType::F32 }
}

/// What an output holds.
fn numbers(outputs: &[HostTensor], at: usize) -> Vec<f64> {
    outputs.get(at).map(HostTensor::to_f64).unwrap_or_default()
}

impl Programs {
    pub fn params(&self) -> &Params {
        self.begin.params()
    }

    pub fn loss(&self) -> &Program {
        &self.evaluate
    }

    /// Takes the parameters as they are as the place to begin; the direction becomes 0.
    pub fn begin(&mut self) -> Result<()> {
        self.begin.run::<HostTensor>([])?;
        Ok(())
    }

    /// Sets the parameters to x + t d.
    pub fn walk(&mut self, t: f64) -> Result<()> {
        self.walk.run([(format!("{}.t", self.name).as_str(), scalar(self.wide, t))])?;
        Ok(())
    }

    /// The loss and its slope along d where the parameters are; the gradient is kept.
    pub fn evaluate<V: Borrow<HostTensor>>(&mut self, feeds: &[(&str, V)]) -> Result<(f64, f64)> {
        let found = self.evaluate.run(feeds.iter().map(|(name, value)| (*name, value.borrow())))?.wait()?;
        let one = |at| numbers(&found, at).first().copied().unwrap_or(f64::NAN);
        Ok((one(0), one(1)))
    }

    /// Makes x + t d the place, t d and the change of the gradient the pair of a slot.
    pub fn accept(&mut self, t: f64, slot: usize) -> Result<Products> {
        let slots = self.slots;
        let row = |at: usize| {
            let values = (0..2 * slots).map(|k| if k == at { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
            Ok::<_, Error>(HostTensor::new(&values, [2 * slots, 1])?.cast(self.wide))
        };
        let feeds =
            [("t", scalar(self.wide, t)), ("step_row", row(slot)?), ("change_row", row(slot + slots)?)];
        let found = self.accept.run(named(&self.name, feeds).iter().map(|(n, v)| (n.as_str(), v)))?.wait()?;
        let sum = |what: usize| -> Vec<f64> {
            let mut total = numbers(&found, what);
            for vector in 1..self.vectors {
                total.iter_mut().zip(numbers(&found, 4 * vector + what)).for_each(|(t, n)| *t += n);
            }
            total
        };
        let square = sum(3).first().copied().unwrap_or(f64::NAN);
        Ok(Products { step: sum(0), change: sum(1), gradient: sum(2), square })
    }

    /// Sets the direction: its slope at x, and the sum of its elements' sizes.
    pub fn direct(&mut self, direction: &Direction) -> Result<(f64, f64)> {
        let delta = HostTensor::new(&direction.history, [1, 2 * self.slots])?.cast(self.wide);
        let feeds = [("delta", delta), ("delta_gradient", scalar(self.wide, direction.gradient))];
        let found = self.direct.run(named(&self.name, feeds).iter().map(|(n, v)| (n.as_str(), v)))?.wait()?;
        let one = |at| numbers(&found, at).first().copied().unwrap_or(f64::NAN);
        Ok((one(0), one(1)))
    }
}

fn scalar(wide: DType, value: f64) -> HostTensor {
    HostTensor::scalar(value).cast(wide)
}

fn named<const N: usize>(name: &str, feeds: [(&str, HostTensor); N]) -> Vec<(String, HostTensor)> {
    feeds.into_iter().map(|(what, value)| (format!("{name}.{what}"), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_parameters_have_vectors_of_their_own() {
        for (sizes, want) in [
            (&[3, 5, 1, 100, 2, 0, 6, 1][..], &[2, 1, 1, 3, 1][..]),
            (&[100], &[1]),
            (&[9, 9], &[1, 1]),
            (&[], &[0]),
        ] {
            let g = Graph::new();
            let part = |(k, n): (usize, &usize)| {
                let name = format!("p{k}");
                let parameter = g.parameter(&name, HostTensor::zeros(DType::F32, [*n])).unwrap();
                Part { gradient: parameter.clone(), parameter, name, shape: vec![*n] }
            };
            let parts: Vec<Part> = sizes.iter().enumerate().map(part).collect();
            let found: Vec<usize> = shared(&parts).iter().map(|p| p.len()).collect();
            assert_eq!(found, want, "{sizes:?}");
        }
    }
}
