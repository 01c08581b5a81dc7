//! The order of work: updates after everything that reads the old value; then low in memory, and independent work
//! side by side, so that a device may overlap it.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{
    bind::is_whole,
    build::SlotPlaces,
    in_place::share_in_place,
    lifetimes::Lifetimes,
    uses::Uses,
    work::{Draft, RootId, RootKind},
};

/// Orders the work and lets values share memory in place: of a few orders, the one whose peak is lowest, and of those
/// with the lowest the one in which most neighbours do not depend on each other.
pub(super) fn order(draft: &mut Draft, slots: &dyn SlotPlaces) {
    updates_last(draft);
    settle_updates(draft, slots);
    let edges = Edges::of(draft);
    let usual: Vec<usize> = (0..draft.work.len()).collect();
    let orders = [First::Frees, First::Independent].map(|first| schedule(draft, &edges, first));
    let written = draft.work.clone();
    let mut tried = vec![usual.clone()];
    share_in_place(draft);
    let mut best = (Lifetimes::of(draft).peak().0, edges.waves(&usual));
    for order in orders {
        if tried.contains(&order) {
            continue;
        }
        let arranged = order.iter().map(|&k| written[k].clone()).collect();
        let before = std::mem::replace(&mut draft.work, arranged);
        share_in_place(draft);
        let found = (Lifetimes::of(draft).peak().0, edges.waves(&order));
        if found < best {
            best = found;
        } else {
            draft.work = before;
        }
        tried.push(order);
    }
}

/// (the root that is written into a slot, the root that is the slot's old value).
fn written(draft: &Draft) -> Vec<(RootId, RootId)> {
    let mut old = vec![None; draft.into_slot.iter().map(|(_, s)| s.0 + 1).max().unwrap_or(0)];
    for (slot, root, _) in &draft.updates {
        if let Some(entry) = old.get_mut(slot.0) {
            *entry = Some(*root);
        }
    }
    draft.into_slot.iter().filter_map(|(root, slot)| Some((*root, old[slot.0]?))).collect()
}

/// Work that writes slots, and what reads its results, goes last.
fn updates_last(draft: &mut Draft) {
    let mut late_root = vec![false; draft.roots.len()];
    draft.into_slot.iter().for_each(|(r, _)| late_root[*r] = true);
    let (mut first, mut last) = (Vec::with_capacity(draft.work.len()), Vec::new());
    for work in std::mem::take(&mut draft.work) {
        if work.inputs.iter().chain(&work.outputs).any(|o| late_root[o.root]) {
            work.outputs.iter().for_each(|o| late_root[o.root] = true);
            last.push(work);
        } else {
            first.push(work);
        }
    }
    first.append(&mut last);
    draft.work = first;
}

/// Each update is written in place, or straight into the slot where nobody needs the old value any more; else it
/// keeps a root of its own, and a copy at the very end brings it into the slot.
fn settle_updates(draft: &mut Draft, slots: &dyn SlotPlaces) {
    let uses = Uses::of(draft);
    for (root, slot_root) in written(draft) {
        let Some(&writer) = uses.writers[root].first() else { continue };
        let read_later = uses.readers[slot_root].last().is_some_and(|&k| k > writer);
        let count = draft.roots[slot_root].count;
        let work = &mut draft.work[writer];
        let alias = work.op.in_place().into_iter().find(|&(i, o)| {
            work.outputs[o].root == root
                && work.inputs.get(i).is_some_and(|p| p.root == slot_root && is_whole(&p.layout, count))
        });
        let reads = work.inputs.iter().filter(|o| o.root == slot_root).count();
        match alias {
            Some(pair) if !read_later && reads == 1 => work.aliases.push(pair),
            _ if !read_later && reads == 0 => {}
            _ => through_temporary(draft, root, writer),
        }
    }
    // One buffer cannot be read and written by one dispatch. Operations over lists make a dispatch for each tensor.
    let chunk_of = |draft: &Draft, root: RootId| match draft.roots[root].kind {
        RootKind::Slot(slot) => Some(slots.place(slot).0),
        _ => None,
    };
    let mut into = vec![None; draft.roots.len()];
    draft.into_slot.iter().for_each(|(r, s)| into[*r] = Some(slots.place(*s).0));
    for k in 0..draft.work.len() {
        let work = &draft.work[k];
        if !work.op.packed().is_empty() {
            continue;
        }
        let chunks: Vec<usize> = work
            .inputs
            .iter()
            .enumerate()
            .filter(|(i, _)| !work.aliases.iter().any(|(a, _)| a == i))
            .filter_map(|(_, o)| into[o.root].or(chunk_of(draft, o.root)))
            .collect();
        let clash = |o: &RootId| into[*o].is_some_and(|c| chunks.contains(&c));
        let roots: Vec<RootId> = work.outputs.iter().map(|o| o.root).filter(clash).collect();
        for root in roots {
            let pair = |o: usize| draft.work[k].outputs[o].root == root;
            let aliases = draft.work[k].aliases.iter().copied().filter(|&(_, o)| !pair(o)).collect();
            draft.work[k].aliases = aliases;
            through_temporary(draft, root, k);
            into[root] = None;
        }
    }
}

/// The writer keeps a root of its own; a copy at the very end brings it into the slot.
fn through_temporary(draft: &mut Draft, root: RootId, writer: usize) {
    let Some(entry) = draft.into_slot.iter().position(|(r, _)| *r == root) else { return };
    let shape = vec![draft.roots[root].count];
    let from = draft.whole(root, &shape);
    let (work, to) = draft.copy_work(&from, draft.work[writer].site);
    draft.work.push(work);
    draft.into_slot[entry].0 = to.root;
}

/// What must come before what, in any order that gives the same values.
struct Edges {
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

impl Edges {
    fn of(draft: &Draft) -> Self {
        let n = draft.work.len();
        let mut edges = Self { before: vec![Vec::new(); n], after: vec![Vec::new(); n] };
        let uses = Uses::of(draft);
        for root in 0..draft.roots.len() {
            // Readers lie between writers as they do in the list.
            let mut events: Vec<(usize, bool)> = uses.writers[root].iter().map(|&k| (k, true)).collect();
            if events.is_empty() {
                continue;
            }
            events.extend(uses.readers[root].iter().map(|&k| (k, false)));
            events.sort_unstable();
            let (mut last, mut since) = (None, Vec::new());
            for (k, writes) in events {
                if let Some(writer) = last {
                    edges.add(writer, k);
                }
                if writes {
                    since.drain(..).for_each(|r| edges.add(r, k));
                    last = Some(k);
                } else {
                    since.push(k);
                }
            }
        }
        for (root, slot_root) in written(draft) {
            for &writer in &uses.writers[root] {
                uses.readers[slot_root].iter().for_each(|&r| edges.add(r, writer));
            }
        }
        // What is computed once more waits until it is needed, unless fusing has turned that order around.
        for &(root, before) in &draft.after {
            if let (Some(&first), Some(&then)) = (uses.writers[before].last(), uses.writers[root].first()) {
                edges.add(first, then);
            }
        }
        edges
    }

    fn add(&mut self, first: usize, then: usize) {
        if first < then && !self.before[then].contains(&first) {
            self.before[then].push(first);
            self.after[first].push(then);
        }
    }

    /// Into how many groups an order falls, of neighbours that do not depend on each other.
    fn waves(&self, order: &[usize]) -> usize {
        let mut wave_of = vec![0; order.len()];
        let mut wave = 0;
        for &k in order {
            if self.before[k].iter().any(|&b| wave_of[b] == wave) || wave == 0 {
                wave += 1;
            }
            wave_of[k] = wave;
        }
        wave
    }
}

/// What a list scheduler looks at first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// What frees most memory, or takes least; then what does not depend on its neighbours.
    Frees,
    /// What does not depend on its neighbours; then what frees most memory.
    Independent,
}

/// A list scheduler; where all else is equal, what comes first in the list comes first.
fn schedule(draft: &Draft, edges: &Edges, first: First) -> Vec<usize> {
    Scheduler::new(draft, edges).run(first)
}

/// How much of what may come next is looked at for something independent.
const LOOK: usize = 64;

struct Scheduler<'a> {
    draft: &'a Draft,
    edges: &'a Edges,
    uses: Uses,
    /// Readers of each root that have not come.
    unread: Vec<usize>,
    made: Vec<bool>,
    scores: Vec<i128>,
    ready: BTreeSet<(Reverse<i128>, usize)>,
}

impl<'a> Scheduler<'a> {
    fn new(draft: &'a Draft, edges: &'a Edges) -> Self {
        let uses = Uses::of(draft);
        Self {
            unread: uses.readers.iter().map(Vec::len).collect(),
            made: vec![false; draft.roots.len()],
            scores: vec![0; draft.work.len()],
            ready: BTreeSet::new(),
            draft,
            edges,
            uses,
        }
    }

    /// Bytes freed less bytes taken by work that comes next.
    fn score(&self, k: usize) -> i128 {
        let work = &self.draft.work[k];
        let bytes = |root: RootId| self.draft.roots[root].bytes() as i128;
        let first = |list: &[super::work::Operand], at: usize| {
            list[..at].iter().all(|other| other.root != list[at].root)
        };
        let mut score = 0;
        for (at, operand) in work.inputs.iter().enumerate() {
            let root = operand.root;
            let dies = self.unread[root] == 1 && !self.uses.given[root];
            if dies && self.uses.in_arena(self.draft, root) && first(&work.inputs, at) {
                score += bytes(root);
            }
        }
        for (at, operand) in work.outputs.iter().enumerate() {
            let root = operand.root;
            if !self.made[root] && self.uses.in_arena(self.draft, root) && first(&work.outputs, at) {
                score -= bytes(root);
            }
        }
        score
    }

    fn rescore(&mut self, k: usize) {
        if self.ready.remove(&(Reverse(self.scores[k]), k)) {
            self.scores[k] = self.score(k);
            self.ready.insert((Reverse(self.scores[k]), k));
        }
    }

    fn run(mut self, first: First) -> Vec<usize> {
        let n = self.draft.work.len();
        let mut waiting: Vec<usize> = self.edges.before.iter().map(Vec::len).collect();
        let mut order = Vec::with_capacity(n);
        let mut done = vec![false; n];
        // The wave in which the last thing that work needs has come.
        let (mut needs, mut wave) = (vec![0; n], 1);
        for k in (0..n).filter(|&k| waiting[k] == 0) {
            self.scores[k] = self.score(k);
            self.ready.insert((Reverse(self.scores[k]), k));
        }
        while let Some(&best) = self.ready.first() {
            let as_good = |s: &Reverse<i128>| *s == best.0 || first == First::Independent;
            let alike = self.ready.iter().take_while(|(s, _)| as_good(s)).take(LOOK);
            let (score, k) = alike.copied().find(|&(_, k)| needs[k] < wave).unwrap_or(best);
            self.ready.remove(&(score, k));
            done[k] = true;
            order.push(k);
            if needs[k] == wave {
                wave += 1;
            }
            let work = &self.draft.work[k];
            let mut changed = Vec::new();
            for output in &work.outputs {
                if !std::mem::replace(&mut self.made[output.root], true) {
                    changed.extend(self.uses.writers[output.root].iter().copied());
                }
            }
            for (at, input) in work.inputs.iter().enumerate() {
                if work.inputs[..at].iter().any(|o| o.root == input.root) {
                    continue;
                }
                self.unread[input.root] -= 1;
                if self.unread[input.root] == 1 {
                    changed.extend(self.uses.readers[input.root].iter().copied());
                }
            }
            changed.into_iter().filter(|&c| !done[c]).for_each(|c| self.rescore(c));
            for &next in &self.edges.after[k] {
                needs[next] = wave;
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    self.scores[next] = self.score(next);
                    self.ready.insert((Reverse(self.scores[next]), next));
                }
            }
        }
        order
    }
}
