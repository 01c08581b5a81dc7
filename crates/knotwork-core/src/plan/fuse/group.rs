//! Elementwise work as it grows, alone or around an operation.

use std::sync::Arc;

use super::{
    super::work::{Operand, Root, RootId, Work},
    space::Match,
};
use crate::{
    DType, Layout,
    ops::{
        Op,
        elementwise::{Argument, Body, Step, copy_step},
    },
};

/// An operation whose output 0 goes through the body.
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    pub op: Arc<dyn Op>,
    /// The number of its inputs: the first ones of the work.
    pub taken: usize,
    /// The shape of its output 0.
    pub raw: Vec<usize>,
}

/// Steps over the inputs of a work. With an anchor, input 0 of the body is the anchor's result, and the work's inputs
/// after the anchor's are the body's from 1 on; a body without outputs is one that has not begun.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub anchor: Option<Anchor>,
    pub body: Body,
}

impl Group {
    pub fn of(work: &Work, roots: &[Root]) -> Option<Self> {
        if let Some(body) = work.op.body() {
            return Some(Self { anchor: None, body: body.clone() });
        }
        let first = work.outputs.first()?;
        let stores = work.op.emits() && roots[first.root].dtype == DType::F32 && first.layout.is_contiguous();
        stores.then(|| Self {
            anchor: Some(Anchor {
                op: work.op.clone(),
                taken: work.inputs.len(),
                raw: first.layout.shape().to_vec(),
            }),
            body: Body { steps: Vec::new(), outputs: Vec::new() },
        })
    }

    pub fn is_elementwise(&self) -> bool {
        self.anchor.is_none()
    }

    pub fn has_body(&self) -> bool {
        !self.body.outputs.is_empty()
    }

    /// How many inputs of the work are not the body's.
    pub fn taken(&self) -> usize {
        self.anchor.as_ref().map_or(0, |a| a.taken)
    }

    /// The number of outputs of the work that the body makes; an anchor that stands alone makes its first itself.
    fn made(&self) -> usize {
        self.body.outputs.len()
    }

    /// Where a body finds the value of one of the work's outputs; none where the body does not make it.
    pub fn value(&self, work: &Work, root: RootId) -> Option<Argument> {
        self.made_at(work.outputs.iter().position(|o| o.root == root)?)
    }

    /// Where a body finds the value of the work's output of that number.
    fn made_at(&self, at: usize) -> Option<Argument> {
        if !self.has_body() {
            return (at == 0).then_some(Argument::Input(0));
        }
        self.body.outputs.get(at).map(|&step| Argument::Step(step))
    }
}

/// The inputs of a growing body.
struct Inputs {
    /// 1 with an anchor: its result is input 0.
    base: usize,
    operands: Vec<Operand>,
}

impl Inputs {
    fn place(&mut self, operand: Operand) -> Argument {
        let at = self.operands.iter().position(|o| *o == operand).unwrap_or_else(|| {
            self.operands.push(operand);
            self.operands.len() - 1
        });
        Argument::Input(self.base + at)
    }
}

/// Where each input of a group's body is in the merged one.
fn arguments(
    group: &Group,
    work: &Work,
    inputs: &mut Inputs,
    view: impl Fn(&Layout) -> Option<Layout>,
    given: impl Fn(RootId) -> Option<Argument>,
) -> Option<Vec<Argument>> {
    let result = group.anchor.iter().map(|_| Some(Argument::Input(0)));
    let others = work.inputs[group.taken()..].iter().map(|o| {
        given(o.root).or_else(|| Some(inputs.place(Operand { root: o.root, layout: view(&o.layout)? })))
    });
    result.chain(others).collect()
}

fn rewire(steps: &[Step], arguments: &[Argument], shift: usize) -> Vec<Step> {
    let mut steps = steps.to_vec();
    for a in steps.iter_mut().flat_map(|s| &mut s.arguments) {
        *a = match *a {
            Argument::Input(i) => arguments[i],
            Argument::Step(s) => Argument::Step(s + shift),
            constant => constant,
        };
    }
    steps
}

/// One work that does both: the producer's steps, then the consumer's. `keep`: the producer's outputs that others need.
pub(super) fn merge(
    (made, from): (&Work, Group),
    (read, into): (&Work, Group),
    by: &Match,
    keep: &[RootId],
) -> Option<(Work, Group)> {
    // An anchor cannot change the order in which it makes elements; elementwise work takes the reader's.
    let anchored = from.anchor.is_some();
    let of_writer = |l: &Layout| if anchored { by.common(l) } else { by.to_reader(l) };
    let of_reader = |l: &Layout| if anchored { by.to_writer(l) } else { by.split(l) };
    let anchor = from.anchor.clone().or(into.anchor.clone());
    let mut inputs = Inputs { base: usize::from(anchor.is_some()), operands: Vec::new() };
    let first = arguments(&from, made, &mut inputs, of_writer, |_| None)?;
    let mut steps = rewire(&from.body.steps, &first, 0);
    let mut outputs = Vec::new();
    let mut places = Vec::new();
    let store = |o: &Operand, layout: Option<Layout>| Some(Operand { root: o.root, layout: layout? });
    // By their numbers: several may be parts of one root.
    for (at, output) in made.outputs.iter().enumerate().filter(|(_, o)| keep.contains(&o.root)) {
        let step = match from.made_at(at) {
            Some(Argument::Step(step)) => step,
            Some(argument) => {
                steps.push(copy_step(argument, DType::F32));
                steps.len() - 1
            }
            // The anchor's own other outputs follow below.
            None => continue,
        };
        outputs.push(step);
        places.push(store(output, of_writer(&output.layout))?);
    }
    let shift = steps.len();
    let given = |root: RootId| from.value(made, root);
    let second = arguments(&into, read, &mut inputs, of_reader, given)?;
    steps.extend(rewire(&into.body.steps, &second, shift));
    outputs.extend(into.body.outputs.iter().map(|s| s + shift));
    for output in &read.outputs[..into.made()] {
        places.push(store(output, of_reader(&output.layout))?);
    }
    let others = if from.has_body() { from.made() } else { 1 };
    if anchored {
        places.extend(made.outputs[others..].iter().cloned());
    } else {
        places.extend(read.outputs[into.made()..].iter().cloned());
    }
    let (base, site) = if anchored { (made, made.site) } else { (read, read.site) };
    let nodes = [made.nodes.as_slice(), &read.nodes].concat();
    let mut work = Work { outputs: places, aliases: Vec::new(), site, nodes, ..base.clone() };
    let taken = anchor.as_ref().map_or(0, |a| a.taken);
    work.inputs.truncate(taken);
    work.inputs.extend(inputs.operands);
    Some((work, Group { anchor, body: Body { steps, outputs } }))
}
