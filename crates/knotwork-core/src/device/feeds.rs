//! Checks what a run is given, before anything runs.

use std::collections::HashMap;

use super::{External, Value};
use crate::{
    FeedError, Result,
    graph::{Kind, Leaf, Snapshot},
    plan::{FeedCheck, Plan},
    tensor::{Binding, DType, Data, Shape, format_shape},
};

/// An input of a graph.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub name: String,
    pub dtype: DType,
    pub shape: Shape,
}

/// The inputs that a target reads.
pub(super) fn inputs(graph: &Snapshot, live: &[bool]) -> Vec<Input> {
    let read = graph.nodes.iter().zip(live).filter(|(_, live)| **live);
    read.filter_map(|(node, _)| match &node.kind {
        Kind::Leaf(Leaf::Input(name)) => Some(Input {
            name: name.clone(),
            dtype: node.outputs[0].dtype,
            shape: node.outputs[0].shape.clone(),
        }),
        _ => None,
    })
    .collect()
}

/// Matches values to inputs by name, and finds what the named dimensions stand for.
pub(super) fn bind(inputs: &[Input], feeds: &HashMap<&str, Value<'_>>) -> Result<Binding, FeedError> {
    if let Some(name) = feeds.keys().filter(|n| inputs.iter().all(|i| i.name != **n)).min() {
        let known: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
        return Err(FeedError::Extra { name: (*name).into(), known: known.join(", ") });
    }
    let mut binding = Binding::new();
    // Dimensions that are one name bind it; every other dimension is then checked against the binding.
    for input in inputs {
        let value = feeds.get(input.name.as_str()).ok_or_else(|| FeedError::Missing {
            name: input.name.clone(),
            expected: format!("{}{}", input.dtype, input.shape),
        })?;
        if value.dtype() != input.dtype {
            return Err(FeedError::DType {
                name: input.name.clone(),
                expected: input.dtype,
                got: value.dtype(),
            });
        }
        let refuse = |reason: String| FeedError::Shape {
            name: input.name.clone(),
            expected: input.shape.to_string(),
            got: format_shape(value.shape()),
            reason,
        };
        if value.shape().len() != input.shape.rank() {
            return Err(refuse(format!(
                "it has {} dimensions, not {}",
                value.shape().len(),
                input.shape.rank()
            )));
        }
        for (d, (dim, &n)) in input.shape.dims().iter().zip(value.shape()).enumerate() {
            let Some(name) = dim.name() else { continue };
            match binding.get(name) {
                Some(&before) if before != n => {
                    return Err(refuse(format!(
                        "dimension {d}, `{name}`, is {n}, but another input has {before}"
                    )));
                }
                _ => {
                    binding.insert(name.into(), n);
                }
            }
        }
    }
    for input in inputs {
        let shape = feeds[input.name.as_str()].shape();
        for (d, (dim, &n)) in input.shape.dims().iter().zip(shape).enumerate() {
            let expected = dim.bind(&binding);
            if expected != Ok(n) {
                let expected =
                    expected.map_or_else(|name| format!("`{name}` times something"), |e| e.to_string());
                return Err(FeedError::Shape {
                    name: input.name.clone(),
                    expected: input.shape.to_string(),
                    got: format_shape(shape),
                    reason: format!("dimension {d} is {n}, not {expected}"),
                });
            }
        }
    }
    Ok(binding)
}

/// Indices among the feeds must lie within what they select from. Those in an app's memory are not seen here: kernels
/// clamp and count them.
pub(super) fn check_indices(plan: &Plan, feeds: &[Value<'_>]) -> Result<(), FeedError> {
    for check in &plan.checks {
        let Value::Host(feed) = feeds[check.feed] else { continue };
        let bad = match feed.data() {
            Data::I32(v) => outside(check, |at| v.get(at).map(|&i| i.into())),
            Data::U32(v) => outside(check, |at| v.get(at).map(|&i| i.into())),
            _ => None,
        };
        if let Some((at, value)) = bad {
            return Err(FeedError::Index {
                name: plan.feeds[check.feed].name.clone(),
                at,
                value,
                bound: check.bound,
                op: check.op.clone(),
                site: check.site,
            });
        }
    }
    Ok(())
}

/// The first element that the step reads and that is no index: (where it is in the feed, what it is).
fn outside(check: &FeedCheck, read: impl Fn(usize) -> Option<i64>) -> Option<(usize, i64)> {
    let mut elements = check.layout.positions().filter_map(|at| Some((at, read(at)?)));
    elements.find(|&(_, i)| i < 0 || i as u64 >= check.bound as u64)
}

/// Puts lent memory into the order of the outputs, checked against them.
pub(super) fn lend<'a>(
    plan: &Plan,
    into: &[(usize, &'a External)],
) -> Result<Vec<Option<&'a External>>, FeedError> {
    if into.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = vec![None; plan.outputs.len()];
    for &(index, external) in into {
        let refuse = |reason: String| FeedError::Output { index, got: external.to_string(), reason };
        let (Some(place), Some(slot)) = (plan.outputs.get(index), all.get_mut(index)) else {
            return Err(refuse(format!("the program has {} outputs", plan.outputs.len())));
        };
        if (place.dtype, place.layout.shape()) != (external.dtype(), external.shape()) {
            return Err(refuse(format!("it is {}{}", place.dtype, format_shape(place.layout.shape()))));
        }
        if slot.replace(external).is_some() {
            return Err(refuse("it was given memory twice".into()));
        }
    }
    Ok(all)
}
