//! Fuses elementwise work into its only consumer, so that values between them never reach memory.

use std::sync::Arc;

use super::{
    bind::is_whole,
    work::{Draft, RootKind, Work},
};
use crate::ops::elementwise::{Argument, Body, Fused, Step};

/// Storage buffers that a fused kernel may bind: one below the portable floor, which leaves room for a status.
const MAX_BINDINGS: usize = 7;
/// Longer bodies gain nothing and compile slowly.
const MAX_STEPS: usize = 48;

/// A work's elementwise body while it grows.
struct Group {
    body: Body,
}

/// Merges each elementwise work into the elementwise work that alone reads its result.
pub(super) fn fuse(draft: &mut Draft) {
    let mut groups: Vec<Option<Group>> =
        draft.work.iter().map(|w| body_of(w).map(|body| Group { body })).collect();
    let mut gone = vec![false; draft.work.len()];
    for consumer in 0..draft.work.len() {
        if groups[consumer].is_none() {
            continue;
        }
        // Inputs may grow while producers are taken in; look again until nothing changes.
        while let Some((input, producer)) = candidate(draft, &groups, &gone, consumer) {
            let from = groups[producer].take();
            if let (Some(from), Some(into)) = (from, groups[consumer].as_mut()) {
                let produced = draft.work[producer].inputs.clone();
                absorb(&mut draft.work[consumer], &mut into.body, input, &produced, &from.body);
                let nodes = std::mem::take(&mut draft.work[producer].nodes);
                draft.work[consumer].nodes.splice(0..0, nodes);
                gone[producer] = true;
            }
        }
    }
    for (work, group) in draft.work.iter_mut().zip(groups) {
        if let Some(group) = group {
            work.op = Arc::new(Fused::new(group.body));
        }
    }
    let mut index = 0;
    draft.work.retain(|_| {
        index += 1;
        !gone[index - 1]
    });
}

fn body_of(work: &Work) -> Option<Body> {
    work.op.body().cloned()
}

/// An input of `consumer` whose producer can be taken in: elementwise, read by nothing else, whole.
fn candidate(
    draft: &Draft,
    groups: &[Option<Group>],
    gone: &[bool],
    consumer: usize,
) -> Option<(usize, usize)> {
    let work = &draft.work[consumer];
    let into = groups[consumer].as_ref()?;
    work.inputs.iter().enumerate().find_map(|(input, operand)| {
        let root = &draft.roots[operand.root];
        if !matches!(root.kind, RootKind::Computed) || !is_whole(&operand.layout, root.count) {
            return None;
        }
        let producer = (0..consumer).find(|&p| !gone[p] && draft.work[p].writes(operand.root))?;
        let from = groups[producer].as_ref()?;
        let same_shape = draft.work[producer].outputs[0].layout == work.outputs[0].layout;
        let read_once = work.inputs.iter().filter(|o| o.root == operand.root).count() == 1
            && (0..draft.work.len()).all(|w| w == consumer || gone[w] || !draft.work[w].reads(operand.root))
            && draft.outputs.iter().all(|o| o.root != operand.root)
            && draft.updates.iter().all(|(_, _, o)| o.root != operand.root)
            && draft.packs.iter().flatten().all(|r| *r != operand.root);
        let inputs = work.inputs.len() - 1 + draft.work[producer].inputs.len();
        let small = inputs + work.outputs.len() <= MAX_BINDINGS
            && into.body.steps.len() + from.body.steps.len() <= MAX_STEPS;
        (same_shape && read_once && small && draft.work[producer].outputs.len() == 1)
            .then_some((input, producer))
    })
}

/// Puts the producer's steps before the consumer's and rewires the arguments.
fn absorb(work: &mut Work, body: &mut Body, input: usize, produced: &[super::work::Operand], from: &Body) {
    let mut inputs = work.inputs.clone();
    inputs.remove(input);
    let place = |inputs: &mut Vec<super::work::Operand>, operand: &super::work::Operand| {
        inputs.iter().position(|o| o == operand).unwrap_or_else(|| {
            inputs.push(operand.clone());
            inputs.len() - 1
        })
    };
    let map: Vec<usize> = produced.iter().map(|o| place(&mut inputs, o)).collect();
    let shift = from.steps.len();
    let result = from.outputs[0];
    let mut steps: Vec<Step> = from.steps.clone();
    for step in &mut steps {
        for a in &mut step.arguments {
            if let Argument::Input(i) = a {
                *i = map[*i];
            }
        }
    }
    for mut step in std::mem::take(&mut body.steps) {
        for a in &mut step.arguments {
            *a = match *a {
                Argument::Input(i) if i == input => Argument::Step(result),
                Argument::Input(i) => Argument::Input(if i > input { i - 1 } else { i }),
                Argument::Step(s) => Argument::Step(s + shift),
                constant => constant,
            };
        }
        steps.push(step);
    }
    body.steps = steps;
    body.outputs.iter_mut().for_each(|o| *o += shift);
    work.inputs = inputs;
}
