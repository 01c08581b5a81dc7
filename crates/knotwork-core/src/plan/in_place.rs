//! Outputs that take the memory of an input which nothing reads afterwards.

use super::{bind::is_whole, uses::Uses, work::Draft};

/// Lets every output that can take over an input's memory do so.
pub(super) fn share_in_place(draft: &mut Draft) {
    let uses = Uses::of(draft);
    for k in 0..draft.work.len() {
        for (i, o) in draft.work[k].op.in_place() {
            let work = &draft.work[k];
            if work.aliases.iter().any(|&(a, b)| a == i || b == o) || i >= work.inputs.len() {
                continue;
            }
            let (input, output) = (&work.inputs[i], &work.outputs[o]);
            let (from, to) = (&draft.roots[input.root], &draft.roots[output.root]);
            let fits = uses.in_arena(draft, input.root)
                && uses.in_arena(draft, output.root)
                && is_whole(&input.layout, from.count)
                && is_whole(&output.layout, to.count)
                && from.dtype == to.dtype
                && from.count == to.count
                && !uses.given[input.root]
                && !uses.packed[input.root]
                && !uses.packed[output.root]
                && uses.writers[output.root].len() == 1
                && uses.readers[input.root].last() == Some(&k)
                && work.inputs.iter().filter(|o| o.root == input.root).count() == 1;
            if fits {
                draft.work[k].aliases.push((i, o));
            }
        }
    }
}

/// Takes back what `share_in_place` did; updates still write into their slots.
pub(super) fn keep_apart(draft: &mut Draft) {
    let uses = Uses::of(draft);
    for k in 0..draft.work.len() {
        let work = &draft.work[k];
        let kept = work.aliases.iter().copied().filter(|&(i, _)| !uses.in_arena(draft, work.inputs[i].root));
        draft.work[k].aliases = kept.collect();
    }
}
