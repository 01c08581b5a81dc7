//! Work that became equal to other work by rewriting is done once.

use std::collections::HashMap;

use super::{Rule, uses::Uses};
use crate::plan::{
    Capabilities,
    bind::is_whole,
    work::{Draft, RootId, Work},
};

/// Equal nodes of the graph are one already; this is for what the rules before made equal.
pub(super) const RULE: Rule =
    Rule { name: "repeated", about: "work that became equal to other work is done once", apply };

fn apply(draft: &mut Draft, _: &Capabilities) -> usize {
    let mut uses = Uses::of(draft);
    let mut seen: HashMap<(String, Vec<RootId>), Vec<usize>> = HashMap::new();
    let mut count = 0;
    for k in 0..draft.work.len() {
        let work = &draft.work[k];
        let own = |w: &Work| w.outputs.iter().all(|o| is_whole(&o.layout, draft.roots[o.root].count));
        if work.outputs.is_empty() || !own(work) {
            continue;
        }
        let key = (work.op.name().to_owned(), work.inputs.iter().map(|o| o.root).collect());
        let earlier = seen.entry(key).or_default();
        // What a checkpoint region does not keep is computed again on purpose.
        let region = |w: &Work| w.outputs.first().and_then(|o| draft.regions.get(&o.root));
        let alike = |j: usize| same(&draft.work[j], work) && region(&draft.work[j]) == region(work);
        let Some(&twin) = earlier.iter().find(|&&j| alike(j)) else {
            earlier.push(k);
            continue;
        };
        let pairs: Vec<_> =
            work.outputs.iter().map(|o| o.root).zip(draft.work[twin].outputs.clone()).collect();
        // A value that optimizers want beside others stays: it can lie in one place only.
        if pairs.iter().all(|(root, _)| uses.packs[*root].is_empty()) {
            count += usize::from(pairs.iter().all(|(root, instead)| uses.replace(draft, *root, instead)));
        }
    }
    count
}

/// Whether two pieces of work compute the same. Operations of one name and one text do.
fn same(a: &Work, b: &Work) -> bool {
    let alike = |a: &Work, b: &Work| {
        a.inputs == b.inputs && a.outputs.iter().map(|o| &o.layout).eq(b.outputs.iter().map(|o| &o.layout))
    };
    alike(a, b)
        && match (a.op.body(), b.op.body()) {
            (Some(a), Some(b)) => a == b,
            (None, None) => a.op.name() == b.op.name() && a.op.attributes() == b.op.attributes(),
            _ => false,
        }
}
