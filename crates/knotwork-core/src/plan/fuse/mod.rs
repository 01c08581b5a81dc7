//! Fuses elementwise work into what makes or reads its values, so that those never reach memory.
//!
//! - A piece of elementwise work takes in what made its inputs: other elementwise work, or one operation whose kernels
//!   can store through steps (`Op::emits`). Values that others read too are outputs of the whole.
//! - What is left of elementwise work enters the one operation that reads it, where that can load through steps
//!   (`Op::loads`) and bytes are saved.
//!
//! A producer moves down to its first reader, or a reader moves up to a producer after which all that it needs is there:
//! so nothing that one of them needs can depend on the other.

mod group;
mod prologue;
mod space;

use std::sync::Arc;

use super::{
    Capabilities, DeviceKind,
    work::{Draft, Operand, RootId, RootKind},
};
use crate::{
    DType,
    ops::{elementwise::Fused, fused::Epilogue},
};
use group::{Group, merge};
use space::Match;

/// Longer bodies gain nothing and compile slowly.
const MAX_STEPS: usize = 48;
/// More buffers than this gain nothing.
const MAX_BUFFERS: usize = 16;

/// Who makes and who reads each root.
struct Uses {
    writer: Vec<Option<usize>>,
    readers: Vec<Vec<usize>>,
    /// Whether a root is read when the run is over.
    kept: Vec<bool>,
}

impl Uses {
    fn of(draft: &Draft) -> Self {
        let n = draft.roots.len();
        let mut uses = Self { writer: vec![None; n], readers: vec![Vec::new(); n], kept: vec![false; n] };
        for (k, work) in draft.work.iter().enumerate() {
            work.outputs.iter().for_each(|o| uses.writer[o.root] = Some(k));
            work.inputs.iter().for_each(|o| uses.add_reader(o.root, k));
        }
        // What updates take has been brought into slots by works of their own, or is written there.
        let slots = draft.into_slot.iter().map(|(r, _)| *r);
        draft.outputs.iter().map(|o| o.root).chain(slots).for_each(|r| uses.kept[r] = true);
        uses
    }

    fn add_reader(&mut self, root: RootId, work: usize) {
        if !self.readers[root].contains(&work) {
            self.readers[root].push(work);
        }
    }

    /// Whether anybody but `reader` needs a root.
    fn needed_beside(&self, root: RootId, reader: usize) -> bool {
        self.kept[root] || self.readers[root].iter().any(|&w| w != reader)
    }
}

struct Fuser<'a> {
    draft: &'a mut Draft,
    uses: Uses,
    groups: Vec<Option<Group>>,
    gone: Vec<bool>,
    /// Work that cannot be taken in.
    closed: Vec<bool>,
    /// Whether an output may be stored in another order than row-major.
    reorders: bool,
    buffers: usize,
}

/// Fuses what pays.
pub(super) fn fuse(draft: &mut Draft, capabilities: &Capabilities) {
    let gpu = capabilities.kind == DeviceKind::Gpu;
    let groups = draft.work.iter().map(|w| Group::of(w, &draft.roots)).collect();
    let gone = vec![false; draft.work.len()];
    let uses = Uses::of(draft);
    let buffers = (capabilities.max_storage_buffers as usize).min(MAX_BUFFERS);
    let closed = gone.clone();
    let mut fuser = Fuser { draft, uses, groups, gone, closed, reorders: gpu, buffers };
    for consumer in 0..fuser.draft.work.len() {
        // Inputs may grow while producers are taken in; look again until nothing changes.
        let mut at = consumer;
        while let Some((producer, by)) = fuser.candidate(at) {
            at = fuser.take_in(producer, at, &by);
        }
    }
    fuser.finish();
    if gpu {
        fuser.prologues();
    }
    let Fuser { draft, gone, .. } = fuser;
    let mut index = 0;
    draft.work.retain(|_| {
        index += 1;
        !gone[index - 1]
    });
}

impl Fuser<'_> {
    /// What a consumer can take in: elementwise work rather than an operation, of operations the latest.
    fn candidate(&self, consumer: usize) -> Option<(usize, Match)> {
        self.groups[consumer].as_ref().filter(|g| g.is_elementwise() || g.has_body())?;
        let mut best: Option<(bool, usize, Match)> = None;
        for operand in &self.draft.work[consumer].inputs {
            let Some(producer) = self.uses.writer[operand.root] else { continue };
            if self.closed[producer] {
                continue;
            }
            let Some(by) = self.fits(producer, consumer, operand) else { continue };
            let plain = self.groups[producer].as_ref().is_some_and(Group::is_elementwise);
            if best.as_ref().is_none_or(|b| (b.0, b.1) < (plain, producer)) {
                best = Some((plain, producer, by));
            }
        }
        best.map(|(_, producer, by)| (producer, by))
    }

    /// Whether `consumer` can take in `producer`, whose value it reads through `operand`; and how both see it.
    fn fits(&self, producer: usize, consumer: usize, operand: &Operand) -> Option<Match> {
        let (made, read) = (&self.draft.work[producer], &self.draft.work[consumer]);
        let (from, into) = (self.groups[producer].as_ref()?, self.groups[consumer].as_ref()?);
        if !matches!(self.draft.roots[operand.root].kind, RootKind::Computed) {
            return None;
        }
        // Of two operations only one can be in a kernel; and updates come last, which a product should not.
        let into_slot = |o: &Operand| self.draft.into_slot.iter().any(|(r, _)| *r == o.root);
        if from.anchor.is_some() && (into.anchor.is_some() || read.outputs.iter().any(into_slot)) {
            return None;
        }
        let from_producer = |o: &&Operand| made.writes(o.root);
        let alike = read.inputs.iter().filter(from_producer).all(|o| o.layout == operand.layout);
        let body_inputs = &read.inputs[into.taken()..];
        let in_body = read.inputs.iter().filter(from_producer).count()
            == body_inputs.iter().filter(from_producer).count();
        let open = read.inputs.iter().filter(from_producer).all(|o| from.value(made, o.root).is_some());
        // What moves up lives longer: it takes the place of what it is made of.
        let instead = !self.uses.needed_beside(operand.root, consumer);
        let movable = self.is_first(producer, consumer) || (instead && self.is_ready(producer, consumer));
        let kept = made.outputs.iter().filter(|o| self.uses.needed_beside(o.root, consumer)).count();
        let buffers = made.inputs.len() + read.inputs.len() - 1 + kept + read.outputs.len();
        let small = buffers <= self.buffers && from.body.steps.len() + into.body.steps.len() < MAX_STEPS;
        let (true, true, true, true, true) = (alike, in_body, open, movable, small) else { return None };
        let place = made.outputs.iter().find(|o| o.root == operand.root)?;
        if !place.layout.is_contiguous() {
            return None;
        }
        let by = Match::new(place.layout.shape(), &operand.layout)?;
        let stored = from.anchor.is_some() || kept > 0;
        (by.in_order() || !stored || self.reorders).then_some(by)
    }

    /// Whether nobody reads the producer before the consumer does.
    fn is_first(&self, producer: usize, consumer: usize) -> bool {
        let made = &self.draft.work[producer].outputs;
        made.iter().all(|o| self.uses.readers[o.root].iter().all(|&w| w >= consumer))
    }

    /// Whether all that the consumer reads is there where the producer runs, but what that makes itself.
    fn is_ready(&self, producer: usize, consumer: usize) -> bool {
        let read = &self.draft.work[consumer].inputs;
        read.iter().all(|o| self.uses.writer[o.root].is_none_or(|w| w <= producer))
    }

    /// Merges two pieces of work; gives the place where both are then.
    fn take_in(&mut self, producer: usize, consumer: usize, by: &Match) -> usize {
        let (Some(from), Some(into)) = (self.groups[producer].take(), self.groups[consumer].take()) else {
            return consumer;
        };
        let (made, read) = (self.draft.work[producer].clone(), self.draft.work[consumer].clone());
        let keep: Vec<RootId> =
            made.outputs.iter().map(|o| o.root).filter(|&r| self.uses.needed_beside(r, consumer)).collect();
        let Some((work, group)) = merge((&made, from.clone()), (&read, into.clone()), by, &keep) else {
            // A layout could not be split as the shapes are: both stay as they are.
            (self.groups[producer], self.groups[consumer]) = (Some(from), Some(into));
            self.closed[producer] = true;
            return consumer;
        };
        let (place, other) =
            if self.is_first(producer, consumer) { (consumer, producer) } else { (producer, consumer) };
        for root in made.inputs.iter().chain(&read.inputs).map(|o| o.root) {
            self.uses.readers[root].retain(|&w| w != producer && w != consumer);
        }
        for root in work.inputs.iter().map(|o| o.root) {
            self.uses.add_reader(root, place);
        }
        for root in made.outputs.iter().map(|o| o.root) {
            self.uses.writer[root] = self.uses.writer[root].filter(|&w| w != producer);
        }
        for root in work.outputs.iter().map(|o| o.root) {
            // Of several that write parts of a root the last counts.
            self.uses.writer[root] = self.uses.writer[root].filter(|&w| w != other).max(Some(place));
        }
        self.draft.work[place] = work;
        self.groups[place] = Some(group);
        self.gone[other] = true;
        place
    }

    /// Makes operations of the groups.
    fn finish(&mut self) {
        for (k, group) in self.groups.iter_mut().enumerate().filter(|(k, _)| !self.gone[*k]) {
            let Some(Group { anchor, body }) = group.clone() else { continue };
            let work = &mut self.draft.work[k];
            match anchor {
                None => work.op = Arc::new(Fused::new(body)),
                Some(anchor) if !body.outputs.is_empty() => {
                    let raw = (DType::F32, anchor.raw);
                    work.op = Arc::new(Epilogue::new(anchor.op, anchor.taken, raw, body));
                }
                Some(_) => {}
            }
        }
    }
}
