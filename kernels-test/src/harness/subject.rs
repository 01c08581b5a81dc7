//! A case as a graph: inputs, outputs, gradients and gradients of gradients.

use std::{collections::BTreeMap, sync::Arc};

use knotwork::{
    DType, Device, Graph, HostTensor, Program, Tensor,
    cpu::evaluate,
    ops::{Case, CaseInput},
    plan::{Plan, PlanOptions},
};

use crate::fill::{Random, fill, tensor};

/// How the inputs lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Row-major.
    Plain,
    /// Column-major, inside a larger tensor whose other elements are NaN.
    Strided,
}

/// A value that is checked, and in which measure.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub what: String,
    pub tensor: Tensor,
    /// 0 an output, 1 a gradient, 2 a gradient of a gradient.
    pub order: usize,
}

/// A direction: a sum of tensors times weights, whose gradients are among the watched values.
#[derive(Clone, Debug, Default)]
pub(super) struct Direction {
    /// (tensor, the feed that weighs it).
    pub terms: Vec<(Tensor, String)>,
    /// (feed, the index of its gradient among the watched values).
    pub gradients: Vec<(String, usize)>,
}

/// A case as a graph.
#[derive(Debug)]
pub(super) struct Subject {
    pub graph: Graph,
    pub feeds: BTreeMap<String, HostTensor>,
    pub watched: Vec<Watched>,
    /// What the gradients of order 1, then 2, are gradients of.
    pub directions: Vec<Direction>,
    pub tolerance: f64,
}

/// The watched values in f64.
#[derive(Debug)]
pub(super) struct Truth(pub Vec<HostTensor>);

fn say(e: knotwork::Error) -> String {
    e.to_string()
}

impl Subject {
    pub fn new(case: &Case, seed: u64, form: Form) -> Result<Self, String> {
        let mut random = Random(seed);
        let mut subject = Self {
            graph: Graph::new(),
            feeds: BTreeMap::new(),
            watched: Vec::new(),
            directions: Vec::new(),
            tolerance: case.tolerance,
        };
        let mut inputs = Vec::new();
        for (i, input) in case.inputs.iter().enumerate() {
            let value = fill(input, &case.kinks, &mut random).map_err(say)?;
            let name = format!("x{i}");
            inputs.push(match form {
                Form::Plain => subject.feed(&name, value)?,
                Form::Strided => subject.inside(&name, input, &value)?,
            });
        }
        let outputs = (case.build)(&inputs).map_err(say)?;
        for (i, y) in outputs.iter().enumerate() {
            subject.watch(format!("output {i}"), y, 0);
        }
        if case.differentiable {
            let mut wanted: Vec<(String, Tensor)> = Vec::new();
            let floats = inputs.iter().enumerate().filter(|(_, t)| t.dtype().is_float());
            floats.for_each(|(i, t)| wanted.push((format!("x{i}"), t.clone())));
            let gradients = subject.differentiate("c", &outputs, &wanted, &mut random)?;
            if case.twice {
                // A gradient also depends, linearly, on the cotangents.
                for (_, feed) in subject.directions[0].terms.clone() {
                    let cotangent = subject.graph.get(&feed).ok_or("the cotangent has no name")?;
                    wanted.push((feed, cotangent));
                }
                subject.differentiate("v", &gradients, &wanted, &mut random)?;
            }
        }
        Ok(subject)
    }

    fn feed(&mut self, name: &str, value: HostTensor) -> Result<Tensor, String> {
        let tensor = self.graph.input(name, value.dtype(), value.shape()).map_err(say)?;
        self.feeds.insert(name.into(), value);
        Ok(tensor)
    }

    /// The value as a view: transposed, and sliced out of a tensor that is NaN around it. Integers and truth values
    /// have 0 around them: no integer is invalid everywhere.
    fn inside(&mut self, name: &str, input: &CaseInput, value: &HostTensor) -> Result<Tensor, String> {
        let rank = input.shape.len();
        let large: Vec<usize> = input.shape.iter().rev().map(|n| n + 2).collect();
        let around = if input.dtype.is_float() { f64::NAN } else { 0.0 };
        let mut all = vec![around; large.iter().product()];
        for (k, x) in value.to_f64().into_iter().enumerate() {
            let index = crate::compare::index_of(k, &input.shape);
            let at = index.iter().rev().zip(&large).fold(0, |at, (i, n)| at * n + i + 1);
            all[at] = x;
        }
        let mut view = self.feed(name, tensor(input.dtype, &all, &large).map_err(say)?)?;
        for (d, n) in input.shape.iter().rev().enumerate() {
            view = view.slice(d as isize, 1, n + 1).map_err(say)?;
        }
        view.permute(&(0..rank).rev().collect::<Vec<_>>()).map_err(say)
    }

    fn watch(&mut self, what: String, tensor: &Tensor, order: usize) -> usize {
        self.watched.push(Watched { what, tensor: tensor.clone(), order });
        self.watched.len() - 1
    }

    /// Watches the gradients of Σ value · weight to `wanted`, with random weights.
    fn differentiate(
        &mut self,
        letter: &str,
        values: &[Tensor],
        wanted: &[(String, Tensor)],
        random: &mut Random,
    ) -> Result<Vec<Tensor>, String> {
        let order = self.directions.len() + 1;
        let mut direction = Direction::default();
        let mut weights = Vec::new();
        for (i, value) in values.iter().enumerate().filter(|(_, t)| t.dtype().is_float()) {
            let shape = value.shape().fixed().ok_or("a case has a named dimension")?;
            let numbers = random.signed(shape.iter().product());
            let name = format!("{letter}{i}");
            weights.push(self.feed(&name, tensor(value.dtype(), &numbers, &shape).map_err(say)?)?);
            direction.terms.push((value.clone(), name));
        }
        let pairs: Vec<(&Tensor, &Tensor)> = direction.terms.iter().map(|(t, _)| t).zip(&weights).collect();
        let targets: Vec<&Tensor> = wanted.iter().map(|(_, t)| t).collect();
        let gradients = self.graph.vjp(&pairs, &targets).map_err(say)?;
        for (gradient, (feed, _)) in gradients.iter().zip(wanted) {
            let what = if order == 1 { "gradient" } else { "second gradient" };
            let at = self.watch(format!("{what} to {feed}"), gradient, order);
            direction.gradients.push((feed.clone(), at));
        }
        self.directions.push(direction);
        Ok(gradients)
    }

    /// Whether 16-bit floats are among its inputs or watched values.
    pub fn is_half(&self) -> bool {
        let mut all =
            self.feeds.values().map(HostTensor::dtype).chain(self.watched.iter().map(|w| w.tensor.dtype()));
        all.any(|dtype| dtype == DType::F16)
    }

    /// The graph, its feeds and the watched values in f64.
    pub fn wide(&self) -> Result<(Graph, BTreeMap<&str, HostTensor>), String> {
        let feeds = self.feeds.iter().map(|(name, value)| {
            let wide = if value.dtype().is_float() { DType::F64 } else { value.dtype() };
            (name.as_str(), value.cast(wide))
        });
        Ok((self.graph.to_f64().map_err(say)?, feeds.collect()))
    }

    /// What the watched values are, by the oracle in f64.
    pub fn truth(&self) -> Result<Truth, String> {
        let (graph, feeds) = self.wide()?;
        let tensors = self.wide_tensors(&graph)?;
        evaluate(&graph, &tensors.iter().collect::<Vec<_>>(), &feeds).map(Truth).map_err(say)
    }

    pub fn wide_tensors(&self, graph: &Graph) -> Result<Vec<Tensor>, String> {
        self.watched.iter().map(|w| graph.value(w.tensor.id()).map_err(say)).collect()
    }

    /// A program of all watched values.
    pub fn program(&self, device: &Device, options: PlanOptions) -> Result<Runner, String> {
        let tensors: Vec<&Tensor> = self.watched.iter().map(|w| &w.tensor).collect();
        Runner::new(device, &self.graph, &tensors, options)
    }
}

/// A program that takes whatever it reads of the feeds it is given.
#[derive(Debug)]
pub(super) struct Runner(Program);

impl Runner {
    pub fn new(
        device: &Device,
        graph: &Graph,
        tensors: &[&Tensor],
        options: PlanOptions,
    ) -> Result<Self, String> {
        Ok(Self(device.compile(graph, tensors, &[]).map_err(say)?.with_options(options)))
    }

    pub fn plan(&mut self) -> Result<Arc<Plan>, String> {
        self.0.plan(&Default::default()).map_err(say)
    }

    /// The kernel variants of its plan: equal for equal choices.
    pub fn kernels(&mut self) -> Result<Vec<String>, String> {
        Ok(self
            .plan()?
            .steps
            .iter()
            .filter(|s| !s.variant.is_empty())
            .map(|s| format!("{} of {}", s.variant, s.op.name()))
            .collect())
    }

    pub fn run<'a>(
        &mut self,
        feeds: impl IntoIterator<Item = (&'a str, &'a HostTensor)>,
    ) -> Result<Vec<HostTensor>, String> {
        let plan = self.plan()?;
        let read = feeds.into_iter().filter(|(name, _)| plan.feeds.iter().any(|f| f.name == *name));
        self.0.run(read).map_err(say)?.wait().map_err(say)
    }
}
