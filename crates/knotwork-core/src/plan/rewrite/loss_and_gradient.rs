//! A loss and its gradient walk over the same logits: one kernel gives both.

use std::{collections::HashMap, sync::Arc};

use super::{
    Rule,
    uses::{Seen, Uses},
};
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
    let mut uses = Uses::of(draft);
    let mut seen = Seen::default();
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
        let mut same = |&loss: &usize| {
            let work = &draft.work[loss];
            work.op.role() == Some(Role::CrossEntropy { smoothing, gives: Gives::Loss })
                && work.inputs[..] == slope.inputs[..2]
                && !uses.depends(draft, &mut seen, slope.inputs[2].root, loss)
        };
        let Some(at) = candidates.iter().position(&mut same) else { continue };
        let at = candidates.swap_remove(at);
        slope.outputs.iter().for_each(|o| uses.writers[o.root] = vec![at]);
        let loss = &mut draft.work[at];
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
