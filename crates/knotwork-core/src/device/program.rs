//! A program: what to compute of a graph, on a device, over parameters that it shares with its siblings.

use std::{borrow::Borrow, collections::HashMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use super::{
    Device, External, Params, Pending, Prepared, RunInputs, Value,
    feeds::{Input, bind, check_indices, inputs, lend},
    finite::Guard,
    observe::Observer,
    params::Turn,
    plans::signature,
};
use crate::{
    Error, FeedError, Result, Site,
    cpu::Oracle,
    graph::{Graph, Kind, Leaf, SlotId, Snapshot, Tensor, Update, ValueId},
    plan::{Plan, PlanOptions, Target, plan_for},
    tensor::{Binding, HostTensor},
};

/// Plans that a program keeps unless it is told otherwise, for as many bindings of its named dimensions.
const PLANS: usize = 8;

/// A compiled computation. Each run takes feeds and gives the outputs, in the order in which they were listed.
///
/// A program may move between threads. To run one from two threads, put it behind a lock and hold that for the call of
/// [`run`](Self::run) only: results are waited for without it, anywhere. Programs that share parameters (siblings) may each
/// run in a thread of their own: their runs take turns at the parameters, so each sees whole updates.
///
/// Where the device is lost, every later call gives the same [`Error::DeviceLost`]; there is how to carry on.
#[derive(Debug)]
pub struct Program {
    device: Device,
    graph: Graph,
    params: Params,
    target: Target,
    inputs: Vec<Input>,
    options: PlanOptions,
    pub(super) guard: Guard,
    keep: usize,
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
        let mut assignments: Vec<(SlotId, ValueId)> = Vec::new();
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
            guard: Guard::default(),
            keep: PLANS,
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

    /// Keeps so many prepared plans at most, one for each set of sizes that named dimensions have had; 8 at first, and never
    /// none. The least recently used goes first. A prepared plan has its own buffers for activations, so a program that
    /// sees many sizes holds memory for as many.
    pub fn keep_plans(&mut self, plans: usize) {
        self.keep = plans.max(1);
        let over = self.plans.len().saturating_sub(self.keep);
        self.plans.drain(..over);
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
        let (binding, by_name) = self.bind_feeds(feeds)?;
        self.make_ready(&binding)?;
        let params = self.params.clone();
        let turn = params.turn();
        if self.options.check_finite {
            self.keep_slots(&turn)?;
        }
        let Some((_, ready)) = self.plans.last_mut() else {
            return Err(Error::NoDevice("no plan was made".into()));
        };
        let pending = {
            let _span = tracing::trace_span!("run", steps = ready.plan.steps.len()).entered();
            execute(&ready.plan, &by_name, into, &turn, |inputs| ready.prepared.run(inputs))?
        };
        if !self.options.check_finite {
            return Ok(Run(pending));
        }
        let outputs = self.judge(&turn, &binding, &by_name, into, pending.wait())?;
        Ok(Run(Box::new(Finished(outputs))))
    }

    /// For a bench: the host time to record and submit the list of the plan for these feeds by the driver interface's bare
    /// calls, and how many dispatches it has. Slots are written as by a run. `None` where there is no such list (on the
    /// CPU).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    #[doc(hidden)]
    pub fn replay_bare<'n, 'v>(
        &mut self,
        feeds: impl IntoIterator<Item = (&'n str, Value<'v>)>,
    ) -> Result<Option<(Duration, usize)>> {
        self.with_ready(feeds, &[], |plan, prepared, inputs| {
            Ok(prepared.replay_bare(inputs)?.map(|time| (time, plan.dispatches.len())))
        })
    }

    /// Checks the feeds, makes the plan for their sizes ready, and hands it over for as long as nobody else may use the
    /// parameters.
    pub(super) fn with_ready<'n, 'v, R>(
        &mut self,
        feeds: impl IntoIterator<Item = (&'n str, Value<'v>)>,
        into: &[(usize, &External)],
        f: impl FnOnce(&Plan, &mut dyn Prepared, &RunInputs<'_>) -> Result<R>,
    ) -> Result<R> {
        let (binding, by_name) = self.bind_feeds(feeds)?;
        self.make_ready(&binding)?;
        let Some((_, ready)) = self.plans.last_mut() else {
            return Err(Error::NoDevice("no plan was made".into()));
        };
        let turn = self.params.turn();
        execute(&ready.plan, &by_name, into, &turn, |inputs| f(&ready.plan, &mut *ready.prepared, inputs))
    }

    /// Matches feeds to inputs, and finds what the named dimensions stand for.
    pub(super) fn bind_feeds<'n, 'v>(
        &self,
        feeds: impl IntoIterator<Item = (&'n str, Value<'v>)>,
    ) -> Result<(Binding, Feeds<'n, 'v>)> {
        let mut by_name = HashMap::with_capacity(self.inputs.len());
        for (name, value) in feeds {
            if by_name.insert(name, value).is_some() {
                return Err(FeedError::Twice { name: name.into() }.into());
            }
        }
        Ok((bind(&self.inputs, &by_name)?, by_name))
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
        let (options, device) = (self.options, self.device.clone());
        let capabilities = device.capabilities();
        let params = self.params.clone();
        let turn = params.turn();
        let target = if options.check_finite { self.guarded_target()? } else { &self.target };
        let key = signature(target, binding, &turn, options);
        let make = || plan_for(target, binding, capabilities, &turn, options);
        let plan = device.plan_cache().get(key, make)?;
        let prepared = self.device.backend().prepare(plan.clone(), &turn.chunks())?;
        drop(turn);
        let over = (self.plans.len() + 1).saturating_sub(self.keep);
        self.plans.drain(..over);
        self.plans.push((binding.clone(), Ready { plan, prepared }));
        Ok(())
    }
}

/// Values by the names of inputs.
pub(super) type Feeds<'n, 'v> = HashMap<&'n str, Value<'v>>;

/// Puts values into a plan's order, checks them against it, and hands them over.
pub(super) fn execute<R>(
    plan: &Plan,
    feeds: &Feeds<'_, '_>,
    into: &[(usize, &External)],
    turn: &Turn<'_>,
    run: impl FnOnce(&RunInputs<'_>) -> Result<R>,
) -> Result<R> {
    let values: Vec<Value<'_>> = plan.feeds.iter().map(|f| feeds[f.name.as_str()]).collect();
    check_indices(plan, &values)?;
    let into = lend(plan, into)?;
    let scalars: Vec<f64> = plan.scalars.iter().map(|s| turn.scalar(&s.name, s.default)).collect();
    run(&RunInputs { feeds: &values, scalars: &scalars, into: &into })
}

/// The outputs of a run that was waited for.
#[derive(Debug)]
struct Finished(Vec<HostTensor>);

impl Pending for Finished {
    fn wait(self: Box<Self>) -> Result<Vec<HostTensor>> {
        Ok(self.0)
    }

    fn outputs(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<Vec<HostTensor>>> + Send>> {
        Box::pin(std::future::ready(Ok(self.0)))
    }
}

/// What verification and the search for numbers that are not finite look at.
impl Program {
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn graph_of_target(&self) -> &Snapshot {
        &self.target.graph
    }

    pub(super) fn options(&self) -> PlanOptions {
        self.options
    }

    /// The outputs, then the new values of slots.
    pub(super) fn results(&self) -> Vec<ValueId> {
        self.target.outputs.iter().copied().chain(self.target.updates.iter().map(|(_, v)| *v)).collect()
    }

    /// What the graph is given now, by name: feeds, slots, scalars.
    pub(super) fn given<'a>(&'a self, turn: &'a Turn<'_>, feeds: &Feeds<'a, '_>) -> Result<Oracle<'a>> {
        let mut given = Oracle::new();
        for (name, value) in feeds {
            let Value::Host(value) = value else {
                return Err(Error::Params(format!("`{name}` lies in lent memory, which is not read here")));
            };
            given.insert(*name, HostTensor::clone(value));
        }
        let live = self.target.graph.live(&self.target.outputs, &self.target.updates);
        for (at, slot) in self.target.graph.slots.iter().enumerate().filter(|(_, s)| live[s.value.node]) {
            given.insert(&slot.name, turn.read(SlotId(at))?);
        }
        for (name, value) in turn.scalars() {
            given.insert(name, HostTensor::from_f64(crate::DType::F32, &[*value], &[]));
        }
        Ok(given)
    }

    pub(super) fn observer<'a>(
        &'a self,
        graph: &'a Snapshot,
        binding: &'a Binding,
        given: &'a Oracle<'a>,
        keep: Vec<ValueId>,
    ) -> Observer<'a> {
        let live = graph.live(&self.target.outputs, &self.target.updates);
        Observer { device: &self.device, graph, live, binding, options: self.options, given, keep }
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
