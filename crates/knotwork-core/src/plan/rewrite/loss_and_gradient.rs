//! A loss and its gradient walk over the same logits: one kernel gives both.

use std::{collections::HashMap, sync::Arc};

use super::{Rule, uses::Uses};
use crate::{
    ops::{Gives, Role, cross_entropy},
    plan::{
        Capabilities,
        work::{Draft, RootId},
    },
};

/// Where the gradient's own factor does not come from the loss.
pub(super) const RULE: Rule = Rule {
    name: "loss_and_gradient",
    about: "cross-entropy and its gradient on the same logits and targets become one operation",
    apply,
};

fn apply(draft: &mut Draft, _: &Capabilities) -> usize {
    let uses = Uses::of(draft);
    let mut losses: HashMap<(RootId, RootId), Vec<usize>> = HashMap::new();
    for (k, work) in draft.work.iter().enumerate() {
        if let Some(Role::CrossEntropy { gives: Gives::Loss, .. }) = work.op.role() {
            losses.entry((work.inputs[0].root, work.inputs[1].root)).or_default().push(k);
        }
    }
    let mut gone = vec![false; draft.work.len()];
    let mut count = 0;
    for k in 0..draft.work.len() {
        let slope = draft.work[k].clone();
        let Some(Role::CrossEntropy { smoothing, gives: Gives::Gradient }) = slope.op.role() else {
            continue;
        };
        let key = (slope.inputs[0].root, slope.inputs[1].root);
        let Some(candidates) = losses.get_mut(&key) else { continue };
        let same = |&loss: &usize| {
            let work = &draft.work[loss];
            work.op.role() == Some(Role::CrossEntropy { smoothing, gives: Gives::Loss })
                && work.inputs[..] == slope.inputs[..2]
                && !depends(draft, &uses, slope.inputs[2].root, loss)
        };
        let Some(at) = candidates.iter().position(same) else { continue };
        let loss = &mut draft.work[candidates.swap_remove(at)];
        loss.op = Arc::new(cross_entropy::CrossEntropy { smoothing, gives: Gives::Both });
        loss.inputs = slope.inputs;
        loss.outputs.extend(slope.outputs);
        loss.nodes.extend(slope.nodes);
        gone[k] = true;
        count += 1;
    }
    super::drop_work(draft, &gone);
    count
}

/// Whether a root is computed from what some work gives, also by way of losses that were joined with their gradients
/// before. The factor is mostly a number, and nothing is walked.
fn depends(draft: &Draft, uses: &Uses, root: RootId, on: usize) -> bool {
    let mut seen = std::collections::HashSet::new();
    let mut stack: Vec<usize> = uses.writers[root].clone();
    while let Some(k) = stack.pop() {
        if k == on {
            return true;
        }
        if seen.insert(k) {
            stack.extend(draft.work[k].inputs.iter().flat_map(|o| uses.writers[o.root].clone()));
        }
    }
    false
}
