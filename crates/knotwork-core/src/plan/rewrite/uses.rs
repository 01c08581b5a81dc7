//! Who writes and who sees each root: looked up once for a whole rule.

use super::super::{
    bind::is_whole,
    work::{Draft, Operand, RootId, RootKind},
};

/// Which work a walk has met, kept from walk to walk so that none begins by clearing it.
#[derive(Default)]
pub(super) struct Seen {
    walk: u32,
    by: Vec<u32>,
}

/// An index over the work of a draft. Rules keep it true while they change the draft.
pub(super) struct Uses {
    /// The work that writes the root, or parts of it.
    pub writers: Vec<Vec<usize>>,
    /// Each input that sees the root: (work, input).
    pub readers: Vec<Vec<(usize, usize)>>,
    /// Which outputs of the program see it.
    pub outputs: Vec<Vec<usize>>,
    /// Which updates take it as their value.
    pub updates: Vec<Vec<usize>>,
    /// Places in packs: (pack, place).
    pub packs: Vec<Vec<(usize, usize)>>,
}

impl Uses {
    pub fn of(draft: &Draft) -> Self {
        let roots = draft.roots.len();
        let mut uses = Self {
            writers: vec![Vec::new(); roots],
            readers: vec![Vec::new(); roots],
            outputs: vec![Vec::new(); roots],
            updates: vec![Vec::new(); roots],
            packs: vec![Vec::new(); roots],
        };
        for (k, work) in draft.work.iter().enumerate() {
            for output in &work.outputs {
                uses.writers[output.root].push(k);
            }
            for (i, input) in work.inputs.iter().enumerate() {
                uses.readers[input.root].push((k, i));
            }
        }
        draft.outputs.iter().enumerate().for_each(|(i, o)| uses.outputs[o.root].push(i));
        draft.updates.iter().enumerate().for_each(|(i, u)| uses.updates[u.2.root].push(i));
        for (p, pack) in draft.packs.iter().enumerate() {
            pack.iter().enumerate().for_each(|(i, root)| uses.packs[*root].push((p, i)));
        }
        uses
    }

    /// Room for a root that was added to the draft.
    pub fn grow(&mut self, root: RootId) {
        let roots = root + 1;
        self.writers.resize_with(roots, Vec::new);
        self.readers.resize_with(roots, Vec::new);
        self.outputs.resize_with(roots, Vec::new);
        self.updates.resize_with(roots, Vec::new);
        self.packs.resize_with(roots, Vec::new);
    }

    /// Whether a root is computed from what some work gives. Rules that move work ask this before they do, and set
    /// `writers` after: by its index alone, work that was joined with other work does not stand after what it reads.
    pub fn depends(&self, draft: &Draft, seen: &mut Seen, root: RootId, on: usize) -> bool {
        seen.walk += 1;
        seen.by.resize(draft.work.len(), 0);
        let mut stack: Vec<usize> = self.writers[root].clone();
        while let Some(k) = stack.pop() {
            if k == on {
                return true;
            }
            if std::mem::replace(&mut seen.by[k], seen.walk) != seen.walk {
                stack.extend(draft.work[k].inputs.iter().flat_map(|o| &self.writers[o.root]));
            }
        }
        false
    }

    /// The work that alone made what an operand shows, element by element: all of a root, row-major.
    pub fn maker(&self, draft: &Draft, operand: &Operand) -> Option<usize> {
        match self.writers[operand.root][..] {
            [k] => draft.work[k]
                .outputs
                .contains(operand)
                .then_some(k)
                .filter(|_| is_whole(&operand.layout, draft.roots[operand.root].count)),
            _ => None,
        }
    }

    /// The one input of one work that sees the root, where nothing else does.
    pub fn only_reader(&self, root: RootId) -> Option<(usize, usize)> {
        let alone =
            self.outputs[root].is_empty() && self.updates[root].is_empty() && self.packs[root].is_empty();
        match self.readers[root][..] {
            [reader] if alone => Some(reader),
            _ => None,
        }
    }

    /// The layouts by which the root is seen by inputs, outputs and updates.
    pub fn layouts<'d>(&'d self, draft: &'d Draft, root: RootId) -> impl Iterator<Item = &'d crate::Layout> {
        let inputs = self.readers[root].iter().map(|&(k, i)| &draft.work[k].inputs[i].layout);
        let outputs = self.outputs[root].iter().map(|&i| &draft.outputs[i].layout);
        inputs.chain(outputs).chain(self.updates[root].iter().map(|&i| &draft.updates[i].2.layout))
    }

    /// Lets everything that sees `root`, row-major, see the elements of `instead`. Does nothing and returns false
    /// where a layout cannot say that, a reader cannot read so, or a pack would lose a member.
    pub fn replace(&mut self, draft: &mut Draft, root: RootId, instead: &Operand) -> bool {
        let new = instead.root;
        let packed = !self.packs[root].is_empty();
        let may_be_packed = matches!(draft.roots[new].kind, RootKind::Computed)
            && is_whole(&instead.layout, draft.roots[new].count)
            && self.packs[new].is_empty()
            && self.packs[root].len() == 1;
        if new == root || (packed && !may_be_packed) {
            return false;
        }
        let inputs: Option<Vec<_>> = self.readers[root]
            .iter()
            .map(|&(k, i)| {
                let work = &draft.work[k];
                work.inputs[i].layout.through(&instead.layout).filter(|l| work.op.accepts(i, l))
            })
            .collect();
        let through = |operand: &Operand| operand.layout.through(&instead.layout);
        let outputs: Option<Vec<_>> =
            self.outputs[root].iter().map(|&i| through(&draft.outputs[i])).collect();
        let updates: Option<Vec<_>> =
            self.updates[root].iter().map(|&i| through(&draft.updates[i].2)).collect();
        let (Some(inputs), Some(outputs), Some(updates)) = (inputs, outputs, updates) else { return false };
        for (&(k, i), layout) in self.readers[root].iter().zip(inputs) {
            draft.work[k].inputs[i] = Operand { root: new, layout };
        }
        for (&i, layout) in self.outputs[root].iter().zip(outputs) {
            draft.outputs[i] = Operand { root: new, layout };
        }
        for (&i, layout) in self.updates[root].iter().zip(updates) {
            draft.updates[i].2 = Operand { root: new, layout };
        }
        for &(p, i) in &self.packs[root] {
            draft.packs[p][i] = new;
        }
        let readers = std::mem::take(&mut self.readers[root]);
        self.readers[new].extend(readers);
        let outputs = std::mem::take(&mut self.outputs[root]);
        self.outputs[new].extend(outputs);
        let updates = std::mem::take(&mut self.updates[root]);
        self.updates[new].extend(updates);
        let packs = std::mem::take(&mut self.packs[root]);
        self.packs[new].extend(packs);
        true
    }
}
