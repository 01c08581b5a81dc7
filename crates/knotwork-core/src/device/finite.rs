//! `Program::check_finite` and the knob of that name: the first NaN or infinity, by the node that made it.

use std::{borrow::Borrow, fmt, ops::ControlFlow, sync::Arc};

use super::{
    External, Memory, Program, Value,
    observe::{Seen, describe},
    params::Turn,
    program::Feeds,
    summary::{Summary, element, short},
    verify::inputs_of,
};
use crate::{
    Error, Result, Site,
    graph::{Graph, Kind, Leaf, Snapshot, ValueId, with_provenance},
    plan::Target,
    tensor::{Binding, DType, HostTensor, format_shape},
};

/// A node with an element that is NaN or infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// Its index in the graph.
    pub node: usize,
    /// What it is: an operation, an input, a slot.
    pub what: String,
    /// The line of user code that made it.
    pub site: Site,
    /// Which of its outputs.
    pub output: usize,
    /// The element type.
    pub dtype: DType,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// The indices of the first element that is not finite.
    pub element: Vec<usize>,
    /// That element.
    pub value: f64,
    /// How many elements are NaN.
    pub nans: usize,
    /// How many elements are infinite.
    pub infinities: usize,
    /// What the node read.
    pub inputs: Vec<Summary>,
    /// Whether only the plan makes it so: node by node and unfused, every value is finite. [`Program::verify`] looks into
    /// that.
    pub planned_only: bool,
}

impl NonFinite {
    /// Whether everything that the node read is finite: then it is this node that made the NaN or infinity.
    #[must_use]
    pub fn inputs_finite(&self) -> bool {
        self.inputs.iter().all(Summary::is_finite)
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (node {}, made at {}) is {} at {} of {}{}; {} NaN and {} infinite in all",
            self.what,
            self.node,
            self.site,
            short(self.value),
            format_shape(&self.element),
            self.dtype,
            format_shape(&self.shape),
            self.nans,
            self.infinities,
        )?;
        if self.planned_only {
            write!(f, "; but node by node every value is finite: see what `verify` says")?;
        } else if !self.inputs.is_empty() {
            let are = if self.inputs_finite() { "are finite" } else { "are not all finite" };
            write!(f, "; its inputs {are}")?;
            self.inputs.iter().try_for_each(|input| write!(f, "\n  {input}"))?;
        }
        Ok(())
    }
}

/// The first element that is NaN or infinite, and how many there are: (row-major place, value, NaN, infinite).
fn first_bad(value: &HostTensor) -> Option<(usize, f64, usize, usize)> {
    if !value.dtype().is_float() {
        return None;
    }
    let values = value.to_f64();
    let at = values.iter().position(|x| !x.is_finite())?;
    let nans = values.iter().filter(|x| x.is_nan()).count();
    let infinities = values.iter().filter(|x| x.is_infinite()).count();
    Some((at, values[at], nans, infinities))
}

fn report(graph: &Snapshot, v: ValueId, value: &HostTensor, inputs: Vec<Summary>) -> Option<NonFinite> {
    let (at, first, nans, infinities) = first_bad(value)?;
    let node = &graph.nodes[v.node];
    let what = match &node.kind {
        Kind::Op(op) => format!("`{}`", op.name()),
        Kind::Leaf(_) => describe(graph, v),
    };
    Some(NonFinite {
        node: v.node,
        what,
        site: node.site,
        output: v.output,
        dtype: value.dtype(),
        shape: value.shape().to_vec(),
        element: element(value.shape(), at),
        value: first,
        nans,
        infinities,
        inputs,
        planned_only: false,
    })
}

fn look(seen: &Seen<'_>, graph: &Snapshot) -> Option<NonFinite> {
    // A constant is as the user wrote it: an infinity there may well be meant.
    if matches!(seen.node.kind, Kind::Leaf(Leaf::Constant(_))) {
        return None;
    }
    let mut outputs = seen.outputs.iter().enumerate();
    outputs.find_map(|(output, value)| {
        let found = report(graph, ValueId { node: seen.index, output }, value, Vec::new())?;
        Some(NonFinite { inputs: inputs_of(seen, graph), ..found })
    })
}

/// What a program with the knob keeps besides its plans.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// The program's target with one number more for each new slot value: its largest magnitude.
    target: Option<Target>,
    /// For each chunk of slots that a run writes, memory for what it held before.
    before: Vec<(usize, Arc<dyn Memory>)>,
}

impl Program {
    /// The first value, in the graph's order, with an element that is NaN or infinite: an input, a slot, or what an
    /// operation gives. Every live node runs on the device, unfused, with its value visible; updates are not applied.
    /// Constants are taken as they are.
    ///
    /// ```
    /// use knotwork_core::{DType, Device, Graph, HostTensor};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [3])?;
    /// let y = x.sub(1.0)?.log()?.exp()?.sum(&[0], false)?; // log of a number below 0
    /// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
    /// let found = program.check_finite([("x", HostTensor::new(&[3.0f32, 0.5, 2.0], [3])?)])?.expect("a NaN");
    /// assert_eq!((found.what.as_str(), &found.element[..], found.nans), ("`log`", &[1][..], 1));
    /// assert!(found.inputs_finite() && found.inputs[0].min == -0.5);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](Program::run). A value that is not finite is no error here; it is one for runs with the knob
    /// [`PlanOptions::check_finite`](crate::plan::PlanOptions::check_finite).
    pub fn check_finite<'n, V: Borrow<HostTensor>>(
        &self,
        feeds: impl IntoIterator<Item = (&'n str, V)>,
    ) -> Result<Option<NonFinite>> {
        let feeds: Vec<(&str, V)> = feeds.into_iter().collect();
        let host = feeds.iter().map(|(name, value)| (*name, Value::Host(value.borrow())));
        let (binding, by_name) = self.bind_feeds(host)?;
        self.first_non_finite(&self.params().turn(), &binding, &by_name)
    }

    fn first_non_finite(
        &self,
        turn: &Turn<'_>,
        binding: &Binding,
        feeds: &Feeds<'_, '_>,
    ) -> Result<Option<NonFinite>> {
        let given = self.given(turn, feeds)?;
        let graph = self.graph_of_target();
        let observer = self.observer(graph, binding, &given, Vec::new());
        let mut found = None;
        observer.walk(|seen| {
            found = look(seen, graph);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }

    /// What a program with the knob plans: its target, and the largest magnitude of each new slot value besides.
    pub(super) fn guarded_target(&mut self) -> Result<&Target> {
        if self.guard.target.is_none() {
            let mut target = self.target().clone();
            let graph = Graph::from_snapshot(&target.graph);
            for (_, value) in self.target().updates.clone() {
                let made = &target.graph.nodes[value.node];
                let meta = &made.outputs[value.output];
                if !meta.dtype.is_float() || meta.shape.fixed().is_some_and(|s| s.contains(&0)) {
                    continue;
                }
                let largest = with_provenance(made.site, || {
                    let magnitude = graph.value(value)?.abs()?;
                    let single =
                        if meta.dtype == DType::F16 { magnitude.cast(DType::F32)? } else { magnitude };
                    let all: Vec<isize> = (0..meta.shape.rank() as isize).collect();
                    if all.is_empty() { Ok(single) } else { single.max(&all, false) }
                })?;
                target.outputs.push(largest.id());
            }
            target.graph = graph.snapshot();
            self.guard.target = Some(target);
        }
        Ok(self.guard.target.as_ref().unwrap_or(self.target()))
    }

    /// Keeps what the slots hold that a run is about to write.
    pub(super) fn keep_slots(&mut self, turn: &Turn<'_>) -> Result<()> {
        if self.guard.before.is_empty() {
            for (chunk, bytes) in turn.chunks_of(self.target().updates.iter().map(|(slot, _)| *slot)) {
                self.guard.before.push((chunk, self.device().backend().allocate(bytes)?));
            }
        }
        let chunks = turn.chunks();
        self.guard.before.iter().try_for_each(|(chunk, kept)| kept.copy_from(&*chunks[*chunk]))
    }

    /// Puts them back.
    pub(super) fn restore_slots(&self, turn: &Turn<'_>) -> Result<()> {
        let chunks = turn.chunks();
        self.guard.before.iter().try_for_each(|(chunk, kept)| chunks[*chunk].copy_from(&**kept))
    }

    /// Takes the results of a run with the knob apart; where one is not finite, undoes the run and says where it began.
    pub(super) fn judge(
        &self,
        turn: &Turn<'_>,
        binding: &Binding,
        feeds: &Feeds<'_, '_>,
        into: &[(usize, &External)],
        results: Result<Vec<HostTensor>>,
    ) -> Result<Vec<HostTensor>> {
        let mut results = match results {
            Ok(results) => results,
            Err(error) => {
                self.restore_slots(turn)?;
                return Err(error);
            }
        };
        let Some(bad) = results.iter().position(|r| first_bad(r).is_some()) else {
            results.truncate(self.target().outputs.len() - into.len());
            return Ok(results);
        };
        self.restore_slots(turn)?;
        // What was lent for a run is not there to run again with: the result that shows it is named.
        let again = feeds.values().all(|v| matches!(v, Value::Host(_)));
        let first = if again { self.first_non_finite(turn, binding, feeds)? } else { None };
        let named = || {
            let target = self.guard.target.as_ref().unwrap_or(self.target());
            let sent = (0..target.outputs.len()).filter(|i| into.iter().all(|(lent, _)| lent != i));
            let value = target.outputs[sent.clone().nth(bad)?];
            let found = report(&target.graph, value, &results[bad], Vec::new())?;
            Some(NonFinite { planned_only: again, ..found })
        };
        match first.or_else(named) {
            Some(found) => Err(Error::NotFinite(Box::new(found))),
            None => Ok(results),
        }
    }
}
