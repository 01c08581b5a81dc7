//! What needs memory, and from which step to which.

use super::{
    lower::Lowered,
    uses::Uses,
    work::{Draft, RootId},
};

/// Memory that one value after another holds (in place), or that one step needs beside its values.
#[derive(Clone, Debug)]
pub(super) struct Tenant {
    pub bytes: usize,
    /// The first step that writes it.
    pub born: usize,
    /// The last step that needs it; what a run gives lives on to the step after the last.
    pub dies: usize,
    /// Who holds it, the first one first; nobody where it is scratch memory.
    pub roots: Vec<RootId>,
}

impl Tenant {
    pub fn lives_at(&self, step: usize) -> bool {
        (self.born..=self.dies).contains(&step)
    }
}

/// All tenants, and which of them each root is.
#[derive(Debug, Default)]
pub(super) struct Lifetimes {
    pub tenants: Vec<Tenant>,
    /// By root; none where its memory is not the planner's to give.
    pub of_root: Vec<Option<usize>>,
    /// By step: the tenants that its scratch memory is.
    pub scratch: Vec<Vec<usize>>,
    /// The number of steps.
    pub steps: usize,
}

impl Lifetimes {
    /// Of the values; in place counts once.
    pub fn of(draft: &Draft) -> Self {
        let uses = Uses::of(draft);
        let steps = draft.work.len();
        let mut all = Self {
            tenants: Vec::new(),
            of_root: vec![None; draft.roots.len()],
            scratch: vec![Vec::new(); steps],
            steps,
        };
        for (k, work) in draft.work.iter().enumerate() {
            for (o, output) in work.outputs.iter().enumerate() {
                if !uses.in_arena(draft, output.root) || all.of_root[output.root].is_some() {
                    continue;
                }
                let before = work.aliases.iter().find(|(_, b)| *b == o);
                let tenant = match before.and_then(|&(i, _)| all.of_root[work.inputs[i].root]) {
                    Some(tenant) => tenant,
                    None => {
                        let bytes = draft.roots[output.root].bytes();
                        all.tenants.push(Tenant { bytes, born: k, dies: k, roots: Vec::new() });
                        all.tenants.len() - 1
                    }
                };
                all.tenants[tenant].roots.push(output.root);
                all.of_root[output.root] = Some(tenant);
            }
            for operand in work.inputs.iter().chain(&work.outputs) {
                if let Some(tenant) = all.of_root[operand.root] {
                    all.tenants[tenant].dies = k;
                }
            }
        }
        for operand in &draft.outputs {
            if let Some(tenant) = all.of_root[operand.root] {
                all.tenants[tenant].dies = steps;
            }
        }
        all
    }

    /// Adds the memory that lowered work needs beside its values.
    pub fn with_scratch(mut self, lowered: &[Lowered]) -> Self {
        for (k, lowering) in lowered.iter().enumerate() {
            for scratch in lowering.lowering.iter().flat_map(|l| &l.scratch) {
                let bytes = scratch.dtype.bytes() * scratch.count;
                self.scratch[k].push(self.tenants.len());
                self.tenants.push(Tenant { bytes, born: k, dies: k, roots: Vec::new() });
            }
        }
        self
    }

    /// The largest sum of simultaneously live bytes, and the first step at which it is reached.
    pub fn peak(&self) -> (usize, usize) {
        let mut change = vec![(0, 0); self.steps + 2];
        for t in &self.tenants {
            change[t.born].0 += t.bytes;
            change[t.dies + 1].1 += t.bytes;
        }
        let (mut live, mut peak, mut at) = (0, 0, 0);
        for (k, (more, less)) in change.into_iter().enumerate() {
            live = live + more - less;
            if live > peak {
                (peak, at) = (live, k);
            }
        }
        (peak, at)
    }
}
