//! A program: what to compute of a graph, on a device, over parameters that it shares with its siblings.

use std::{borrow::Borrow, collections::HashMap, sync::Arc};

use super::{
    Device, External, Params, Pending, Prepared, RunInputs, Value,
    feeds::{Input, bind, check_indices, inputs, lend},
};
use crate::{
    Error, FeedError, Result, Site,
    graph::{Graph, Kind, Leaf, SlotId, Tensor, Update},
    plan::{Plan, PlanOptions, Target, plan_for},
    tensor::{Binding, HostTensor},
};

/// Plans that a program keeps, for as many bindings of its named dimensions.
const PLANS: usize = 8;

/// A compiled computation. Each run takes feeds and gives the outputs, in the order in which they were listed.
#[derive(Debug)]
pub struct Program {
    device: Device,
    graph: Graph,
    params: Params,
    target: Target,
    inputs: Vec<Input>,
    options: PlanOptions,
    /// The most recently used last.
    plans: Vec<(Binding, Ready)>,
}

#[derive(Debug)]
struct Ready {
    plan: Arc<Plan>,
    prepared: Box<dyn Prepared>,
}

impl Program {
    #[track_caller]
    pub(super) fn new(
        device: Device,
        graph: &Graph,
        outputs: &[&Tensor],
        updates: &[&Update],
        params: Params,
    ) -> Result<Self> {
        let site = Site::here();
        let foreign =
            outputs.iter().any(|t| !t.graph().same(graph)) || updates.iter().any(|u| !u.graph().same(graph));
        if foreign {
            return Err(Error::Graph {
                message: "an output or update belongs to another graph".into(),
                site,
            });
        }
        let mut assignments: Vec<(SlotId, crate::graph::ValueId)> = Vec::new();
        let snapshot = graph.snapshot();
        for &(slot, value) in updates.iter().flat_map(|u| u.assignments()) {
            if assignments.iter().any(|(s, _)| *s == slot) {
                let name = &snapshot.slots[slot.0].name;
                return Err(Error::Graph { message: format!("two updates assign slot `{name}`"), site });
            }
            assignments.push((slot, value));
        }
        let target = Target {
            graph: snapshot,
            outputs: outputs.iter().map(|t| t.id()).collect(),
            updates: assignments,
        };
        let live = target.graph.live(&target.outputs, &target.updates);
        let inputs = inputs(&target.graph, &live);
        let program = Self {
            device,
            graph: graph.clone(),
            params,
            inputs,
            options: PlanOptions::default(),
            plans: Vec::new(),
            target,
        };
        program.params.ensure(&program.slots(&live))?;
        Ok(program)
    }

    fn slots(&self, live: &[bool]) -> Vec<(SlotId, crate::graph::Slot)> {
        let slots = self.target.graph.slots.iter().enumerate();
        slots.filter(|(_, s)| live[s.value.node]).map(|(i, s)| (SlotId(i), s.clone())).collect()
    }

    /// Another program over the same graph, device and parameters: training and evaluation share what was learned.
    ///
    /// # Errors
    /// Where an output belongs to another graph.
    #[track_caller]
    pub fn sibling(&self, outputs: &[&Tensor], updates: &[&Update]) -> Result<Self> {
        Self::new(self.device.clone(), &self.graph, outputs, updates, self.params.clone())
    }

    /// The same program planned with other knobs.
    #[must_use]
    pub fn with_options(mut self, options: PlanOptions) -> Self {
        self.options = options;
        self.plans.clear();
        self
    }

    /// The parameters and states, shared with the siblings.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sets a scalar of the graph for all later runs of this program and its siblings.
    ///
    /// # Errors
    /// Where the graph has no scalar of that name.
    pub fn set_scalar(&self, name: &str, value: f64) -> Result<()> {
        let known = self
            .graph
            .snapshot()
            .nodes
            .iter()
            .any(|n| matches!(&n.kind, Kind::Leaf(Leaf::Scalar { name: n, .. }) if n == name));
        if !known {
            return Err(Error::Params(format!("the graph has no scalar `{name}`")));
        }
        self.params.set_scalar(name, value);
        Ok(())
    }

    /// Starts one run. Values may be given or lent. `Run::wait` gives the outputs; the next run may start before.
    ///
    /// # Errors
    /// Where a feed is missing, extra, misshapen, mistyped or holds an index out of range (nothing has run then),
    /// or the device fails.
    pub fn run<'n, V: Borrow<HostTensor>>(
        &mut self,
        feeds: impl IntoIterator<Item = (&'n str, V)>,
    ) -> Result<Run> {
        let feeds: Vec<(&str, V)> = feeds.into_iter().collect();
        self.run_with(feeds.iter().map(|(name, value)| (*name, Value::Host(value.borrow()))), &[])
    }

    /// Like [`run`](Self::run), for an app that shares its device: inputs may lie in the app's device memory, and the
    /// outputs listed in `into` (by their number, from 0) go into the app's device memory. Neither passes through the
    /// host, and nothing waits. The result of the run holds the other outputs, in their order.
    ///
    /// The memory is read and written in the device queue's order: after what was submitted before this call, before
    /// what is submitted after it. Indices in an app's memory are clamped and counted where a kernel reads them.
    ///
    /// # Errors
    /// As [`run`](Self::run), and where lent memory has another type or shape, or belongs to another device. Nothing has
    /// run then.
    pub fn run_with<'n, 'v>(
        &mut self,
        feeds: impl IntoIterator<Item = (&'n str, Value<'v>)>,
        into: &[(usize, &External)],
    ) -> Result<Run> {
        let run = |plan: &Plan, prepared: &mut dyn Prepared, inputs: &RunInputs<'_>| {
            let _span = tracing::trace_span!("run", steps = plan.steps.len()).entered();
            prepared.run(inputs)
        };
        self.with_ready(feeds, into, run).map(Run)
    }

    /// Checks the feeds, makes the plan for their sizes ready, and hands it over for as long as nobody else may use the
    /// parameters.
    pub(super) fn with_ready<'n, 'v, R>(
        &mut self,
        feeds: impl IntoIterator<Item = (&'n str, Value<'v>)>,
        into: &[(usize, &External)],
        f: impl FnOnce(&Plan, &mut dyn Prepared, &RunInputs<'_>) -> Result<R>,
    ) -> Result<R> {
        let mut by_name: HashMap<&str, Value<'v>> = HashMap::new();
        for (name, value) in feeds {
            if by_name.insert(name, value).is_some() {
                return Err(FeedError::Twice { name: name.into() }.into());
            }
        }
        let binding = bind(&self.inputs, &by_name)?;
        self.make_ready(&binding)?;
        let Some((_, ready)) = self.plans.last_mut() else {
            return Err(Error::NoDevice("no plan was made".into()));
        };
        let values: Vec<Value<'_>> = ready.plan.feeds.iter().map(|f| by_name[f.name.as_str()]).collect();
        check_indices(&ready.plan, &values)?;
        let into = lend(&ready.plan, into)?;
        let turn = self.params.turn();
        let scalars: Vec<f64> = ready.plan.scalars.iter().map(|s| turn.scalar(&s.name, s.default)).collect();
        let inputs = RunInputs { feeds: &values, scalars: &scalars, into: &into };
        let result = f(&ready.plan, &mut *ready.prepared, &inputs);
        drop(turn);
        result
    }

    /// The plan that runs for these sizes of the named dimensions; made where it is not there yet.
    ///
    /// # Errors
    /// Where shapes do not fit, or the device cannot take them.
    pub fn plan(&mut self, binding: &Binding) -> Result<Arc<Plan>> {
        self.make_ready(binding)?;
        self.plans
            .last()
            .map(|(_, r)| r.plan.clone())
            .ok_or_else(|| Error::NoDevice("no plan was made".into()))
    }

    /// The plan for these sizes as text, for people: see [`Plan::explain`].
    ///
    /// ```
    /// use knotwork_core::{DType, Device, Dim, Graph};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [Dim::named("batch"), 8.into()])?.tanh()?;
    /// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
    /// let text = program.explain(&[("batch".into(), 4)].into())?;
    /// assert!(text.starts_with("planned for cpu: 1 node -> 1 step\n") && text.contains("f32[4, 8]"));
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn explain(&mut self, binding: &Binding) -> Result<String> {
        let plan = self.plan(binding)?;
        Ok(format!("planned for {}: {}", self.device.capabilities().device, plan.explain()))
    }

    /// Puts the plan for a binding last in the list.
    fn make_ready(&mut self, binding: &Binding) -> Result<()> {
        if let Some(at) = self.plans.iter().position(|(b, _)| b == binding) {
            let entry = self.plans.remove(at);
            self.plans.push(entry);
            return Ok(());
        }
        let turn = self.params.turn();
        let plan =
            Arc::new(plan_for(&self.target, binding, self.device.capabilities(), &turn, self.options)?);
        let prepared = self.device.backend().prepare(plan.clone(), &turn.chunks())?;
        drop(turn);
        if self.plans.len() == PLANS {
            self.plans.remove(0);
        }
        self.plans.push((binding.clone(), Ready { plan, prepared }));
        Ok(())
    }
}

/// A run under way.
#[derive(Debug)]
pub struct Run(Box<dyn Pending>);

impl Run {
    /// Waits for the outputs.
    ///
    /// # Errors
    /// Where the device failed, or indices had to be clamped.
    pub fn wait(self) -> Result<Vec<HostTensor>> {
        self.0.wait()
    }

    /// The outputs, for an async caller.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn outputs(self) -> Result<Vec<HostTensor>> {
        self.0.outputs().await
    }
}
