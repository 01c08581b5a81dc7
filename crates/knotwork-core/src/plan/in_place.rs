//! Outputs that take the memory of an input which nothing reads afterwards.

use super::{
    Capabilities, arena::is_good, bind::is_whole, lifetimes::Lifetimes, rooms::estimate, uses::Uses,
    work::Draft,
};

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

/// Sharing in place ties an output to the buffer of its input. Where values could lie closer without, and the sum of
/// what is alive stays what it is, some outputs get memory of their own again.
pub(super) fn loosen(draft: &mut Draft, capabilities: &Capabilities) {
    let lives = Lifetimes::of(draft);
    let (peak, _) = lives.peak();
    let mut least = estimate(draft, &lives, capabilities);
    if is_good(least, peak) {
        return;
    }
    let uses = Uses::of(draft);
    let mut shared: Vec<(usize, (usize, usize))> = Vec::new();
    for (k, work) in draft.work.iter().enumerate() {
        let arena = work.aliases.iter().filter(|(i, _)| uses.in_arena(draft, work.inputs[*i].root));
        shared.extend(arena.map(|&pair| (k, pair)));
    }
    let bytes = |draft: &Draft, (k, (i, _)): (usize, (usize, usize))| {
        draft.roots[draft.work[k].inputs[i].root].bytes()
    };
    shared.sort_by_key(|&at| (std::cmp::Reverse(bytes(draft, at)), at));
    // Each try is an assignment: few of them where there is much to assign.
    let tries = (TRIES / lives.tenants.len().max(1)).min(MOST_TRIES);
    for &(k, pair) in shared.iter().take(tries) {
        let before = draft.work[k].aliases.clone();
        draft.work[k].aliases.retain(|p| *p != pair);
        let lives = Lifetimes::of(draft);
        let taken = if lives.peak().0 > peak { usize::MAX } else { estimate(draft, &lives, capabilities) };
        if taken < least {
            least = taken;
        } else {
            draft.work[k].aliases = before;
        }
        if is_good(least, peak) {
            return;
        }
    }
}

/// Tries times tenants.
const TRIES: usize = 10_000;
const MOST_TRIES: usize = 32;
