//! `Program::verify`: the device against the oracle, node by node, then the plan against the oracle.

mod planned;
mod report;
mod tolerance;

use std::{borrow::Borrow, ops::ControlFlow};

pub use report::{Difference, NodeCheck, PlannedDifference, Verification};

use super::{
    Program, Value,
    observe::{Seen, describe},
    summary::{Summary, element},
};
use crate::{
    Result,
    cpu::reference,
    graph::Snapshot,
    ops::Reference,
    tensor::{Binding, HostTensor},
};

impl Program {
    /// Looks for the first wrong result. Every live node runs on the device, unfused, with its value visible, and is held
    /// against its reference over the very inputs that the device had, within the operation's tolerance. Where all agree,
    /// the program's own plan runs, updates included, and its outputs and new slot values are held against the oracle's.
    /// Parameters and states are as before afterwards, and no other program over them runs meanwhile.
    ///
    /// What it needs besides: the results of a chunk of the graph at a time (some tens of megabytes, or one result), on the
    /// device and on the host; and the parameters on the host.
    ///
    /// ```
    /// use knotwork_core::{DType, Device, Graph, HostTensor, ops::Custom};
    /// let wrong = Custom::new("cube", |x, y| y[0].data[0] = x[0].data[0].powi(3))
    ///     .cpu(|x, y| y[0][0] = x[0][0] * x[0][0]); // one factor too few
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [1])?;
    /// let y = wrong.apply_one(&[&x.add(1.0)?])?.exp()?;
    /// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
    /// let found = program.verify([("x", HostTensor::new(&[1.0f32], [1])?)])?;
    /// let first = found.first.expect("a node differs");
    /// assert_eq!((first.op.as_str(), first.device, first.oracle), ("cube", 4.0, 8.0));
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](Program::run), and where the device cannot give a node's value alone. A difference is no error.
    pub fn verify<'n, V: Borrow<HostTensor>>(
        &mut self,
        feeds: impl IntoIterator<Item = (&'n str, V)>,
    ) -> Result<Verification> {
        let feeds: Vec<(&str, V)> = feeds.into_iter().collect();
        let host = feeds.iter().map(|(name, value)| (*name, Value::Host(value.borrow())));
        let (binding, by_name) = self.bind_feeds(host)?;
        let params = self.params().clone();
        let turn = params.turn();
        let given = self.given(&turn, &by_name)?;
        let (graph, wanted) = (self.graph_of_target().clone(), self.results());
        let observer = self.observer(&graph, &binding, &given, wanted);
        let (mut nodes, mut first) = (Vec::new(), None);
        let unfused = observer.walk(|seen| {
            if let Some((check, difference)) = check(seen, &graph, &binding)? {
                nodes.push(check);
                first = first.take().or(difference);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let planned = match (&first, unfused) {
            (None, Some(unfused)) => self.verify_plan(&turn, &binding, &by_name, &given, &unfused)?,
            _ => None,
        };
        Ok(Verification { nodes, first, planned })
    }
}

fn to_reference(value: &HostTensor) -> Reference {
    Reference { dtype: value.dtype(), shape: value.shape().to_vec(), data: value.to_f64() }
}

/// One node against its reference.
fn check(
    seen: &Seen<'_>,
    graph: &Snapshot,
    binding: &Binding,
) -> Result<Option<(NodeCheck, Option<Difference>)>> {
    let Some(op) = seen.op.as_deref() else { return Ok(None) };
    let site = seen.node.site;
    let inputs: Vec<Reference> = seen.inputs.iter().map(|v| to_reference(v)).collect();
    let wants = reference(op, &inputs, site, binding)?;
    let gots: Vec<Vec<f64>> = seen.outputs.iter().map(|v| v.to_f64()).collect();
    let look = |moved: Option<&[Vec<f64>]>| {
        let all = gots.iter().zip(&wants).enumerate().filter_map(|(k, (got, want))| {
            let relative = tolerance::of(op.name(), want.dtype);
            let allowed = |at: usize| {
                if op.is_hint(k, at) {
                    return f64::INFINITY;
                }
                relative * want.data[at].abs().max(1.0) + moved.map_or(0.0, |m| m[k][at])
            };
            Some((k, tolerance::worst(got, &want.data, allowed)?))
        });
        all.reduce(|a, b| if b.1.times > a.1.times { b } else { a })
    };
    let mut worst = look(None);
    if worst.is_some_and(|(_, miss)| miss.times > 1.0) && !tolerance::is_exact(op.name()) {
        worst = look(Some(&tolerance::movement(op, &inputs, &wants, site, binding)?));
    }
    let line = NodeCheck {
        node: seen.index,
        op: op.name().into(),
        dtype: wants.first().map_or(crate::DType::F32, |w| w.dtype),
        shape: wants.first().map_or_else(Vec::new, |w| w.shape.clone()),
        site,
        worst: worst.map_or(0.0, |(_, miss)| miss.times),
    };
    let difference = worst.filter(|_| !line.agrees()).map(|(output, miss)| {
        let want = HostTensor::from_f64(wants[output].dtype, &wants[output].data, &wants[output].shape);
        Difference {
            node: seen.index,
            op: op.name().into(),
            site,
            output,
            element: element(want.shape(), miss.at),
            device: gots[output][miss.at],
            oracle: wants[output].data[miss.at],
            allowed: miss.allowed,
            device_output: Summary::of("the output", seen.outputs[output]),
            oracle_output: Summary::of("the output", &want),
            inputs: inputs_of(seen, graph),
        }
    });
    Ok(Some((line, difference)))
}

/// Summaries of what a node read.
pub(super) fn inputs_of(seen: &Seen<'_>, graph: &Snapshot) -> Vec<Summary> {
    let read = seen.node.inputs.iter().zip(&seen.inputs);
    read.map(|(v, value)| Summary::of(describe(graph, *v), value)).collect()
}
