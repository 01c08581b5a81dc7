//! Small named rules that turn work into less work with the same meaning. No search: each rule looks once at each
//! piece of work, in a fixed order of rules.

mod attention_from_parts;
mod constants;
mod identities;
mod join;
mod loss_and_gradient;
mod repeated;
mod sum_beside_product;
mod transposed_product;
mod uses;

use super::{
    Capabilities, PlanOptions,
    bind::is_whole,
    work::{Draft, RootKind},
};
use crate::ops::elementwise::{Body, Step};

/// A rule: what it is called, what it does, and how often it applied.
pub(super) struct Rule {
    pub name: &'static str,
    pub about: &'static str,
    pub apply: fn(&mut Draft, &Capabilities) -> usize,
}

/// All rules, in the order in which they run.
const RULES: &[Rule] = &[
    constants::RULE,
    attention_from_parts::RULE,
    transposed_product::RULE,
    join::RULE,
    identities::RULE,
    repeated::RULE,
    loss_and_gradient::RULE,
    sum_beside_product::RULE,
];

/// Applies every rule; the draft remembers which did something, and how often.
pub(super) fn rewrite(draft: &mut Draft, capabilities: &Capabilities, options: &PlanOptions) {
    if options.no_rewrite {
        return;
    }
    for rule in RULES {
        let count = (rule.apply)(draft, capabilities);
        if count > 0 {
            tracing::debug!(rule = rule.name, count, "{}", rule.about);
            draft.rewrites.push((rule.name, count));
            settle(draft);
        }
    }
}

/// Work that nothing needs any more goes; the rest comes after what it reads, else in the order in which it was.
fn settle(draft: &mut Draft) {
    let count = draft.work.len();
    let mut needed_roots = vec![false; draft.roots.len()];
    draft.outputs.iter().for_each(|o| needed_roots[o.root] = true);
    draft.updates.iter().for_each(|(_, _, o)| needed_roots[o.root] = true);
    let mut writers: Vec<Vec<usize>> = vec![Vec::new(); draft.roots.len()];
    for (k, work) in draft.work.iter().enumerate() {
        work.outputs.iter().for_each(|o| writers[o.root].push(k));
    }
    // What is needed, and in which order: depth first from what the program gives, over an explicit stack.
    let mut state = vec![0u8; count];
    let mut stack: Vec<usize> = Vec::new();
    let mut needed = vec![false; count];
    for (root, _) in needed_roots.iter().enumerate().filter(|(_, needed)| **needed) {
        stack.extend(&writers[root]);
    }
    while let Some(k) = stack.pop() {
        if std::mem::replace(&mut needed[k], true) {
            continue;
        }
        for input in &draft.work[k].inputs {
            stack.extend(&writers[input.root]);
        }
    }
    let mut order = Vec::with_capacity(count);
    for k in (0..count).filter(|&k| needed[k]) {
        stack.push(k);
        while let Some(&top) = stack.last() {
            if state[top] == 2 {
                stack.pop();
                continue;
            }
            let before = stack.len();
            if state[top] == 0 {
                state[top] = 1;
                let producers =
                    draft.work[top].inputs.iter().rev().flat_map(|o| writers[o.root].iter().rev());
                stack.extend(producers.filter(|&&p| state[p] == 0));
            }
            if stack.len() == before {
                state[top] = 2;
                order.push(top);
                stack.pop();
            }
        }
    }
    let mut work: Vec<Option<_>> = std::mem::take(&mut draft.work).into_iter().map(Some).collect();
    draft.work = order.into_iter().filter_map(|k| work[k].take()).collect();
    // Constants that nobody reads any more need no memory.
    let mut seen = vec![false; draft.roots.len()];
    draft.work.iter().flat_map(|w| &w.inputs).for_each(|o| seen[o.root] = true);
    draft.outputs.iter().chain(draft.updates.iter().map(|u| &u.2)).for_each(|o| seen[o.root] = true);
    for (root, seen) in draft.roots.iter_mut().zip(seen) {
        if !seen && matches!(root.kind, RootKind::Constant(_)) {
            root.kind = RootKind::Computed;
        }
    }
}

/// The one step of elementwise work that writes all of a root of its own: what all of it is before any fusing.
fn single(draft: &Draft, k: usize) -> Option<&Step> {
    let work = &draft.work[k];
    let Body { steps, outputs } = work.op.body()?;
    match (&steps[..], &outputs[..], &work.outputs[..]) {
        ([step], [0], [out]) => is_whole(&out.layout, draft.roots[out.root].count).then_some(step),
        _ => None,
    }
}

/// Takes out the marked work.
fn drop_work(draft: &mut Draft, gone: &[bool]) {
    let mut gone = gone.iter();
    draft.work.retain(|_| !gone.next().is_some_and(|g| *g));
}
