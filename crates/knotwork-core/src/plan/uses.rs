//! Which work makes and reads each root: made once, so that no pass searches the whole list.

use super::work::{Draft, RootId, RootKind};

/// Positions in the list of work, ascending, by root; and what roots are for.
pub(super) struct Uses {
    pub writers: Vec<Vec<usize>>,
    pub readers: Vec<Vec<usize>>,
    /// Whether a run gives the root.
    pub given: Vec<bool>,
    /// Whether the root lies in a slot.
    pub in_slot: Vec<bool>,
    /// Whether the root wants neighbours.
    pub packed: Vec<bool>,
}

impl Uses {
    pub fn of(draft: &Draft) -> Self {
        let n = draft.roots.len();
        let mut uses = Self {
            writers: vec![Vec::new(); n],
            readers: vec![Vec::new(); n],
            given: vec![false; n],
            in_slot: vec![false; n],
            packed: vec![false; n],
        };
        let add = |list: &mut Vec<usize>, k| {
            if list.last() != Some(&k) {
                list.push(k);
            }
        };
        for (k, work) in draft.work.iter().enumerate() {
            work.outputs.iter().for_each(|o| add(&mut uses.writers[o.root], k));
            work.inputs.iter().for_each(|o| add(&mut uses.readers[o.root], k));
        }
        draft.outputs.iter().for_each(|o| uses.given[o.root] = true);
        draft.into_slot.iter().for_each(|(r, _)| uses.in_slot[*r] = true);
        draft.packs.iter().flatten().for_each(|r| uses.packed[*r] = true);
        uses
    }

    /// Whether the memory of a root is the planner's to reuse.
    pub fn in_arena(&self, draft: &Draft, root: RootId) -> bool {
        matches!(draft.roots[root].kind, RootKind::Computed) && !self.in_slot[root]
    }
}
