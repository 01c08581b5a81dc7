//! (A B)ᵀ = Bᵀ Aᵀ: a product that is only ever seen transposed is computed transposed.

use super::{Rule, uses::Uses};
use crate::{
    Layout,
    ops::Role,
    plan::{Capabilities, work::Draft},
};

/// The gradient of a weight `[O, I]` is the transpose of xᵀ g, `[I, O]`. Computed as gᵀ x it needs no copy into the
/// order of the weight.
pub(super) const RULE: Rule = Rule {
    name: "transposed_product",
    about: "a product that is only seen transposed becomes the product of its transposed operands, swapped",
    apply,
};

fn apply(draft: &mut Draft, _: &Capabilities) -> usize {
    let uses = Uses::of(draft);
    let mut count = 0;
    for k in 0..draft.work.len() {
        let work = &draft.work[k];
        if work.op.role() != Some(Role::Product) || !work.outputs[0].layout.is_contiguous() {
            continue;
        }
        let output = work.outputs[0].clone();
        let swapped: Vec<Layout> = work.inputs.iter().rev().map(|o| turned(&o.layout)).collect();
        if !swapped.iter().enumerate().all(|(i, l)| work.op.accepts(i, l)) {
            continue;
        }
        // Where the elements lie in the new memory, by their old indices.
        let shape = output.layout.shape().to_vec();
        let rank = shape.len();
        let mut other = shape.clone();
        other.swap(rank - 2, rank - 1);
        let lies = turned(&Layout::contiguous(&other));
        let seen: Option<Vec<(bool, Layout)>> = uses
            .layouts(draft, output.root)
            .map(|l| l.through(&lies).map(|new| (in_order(l), new)))
            .collect();
        let Some(seen) = seen else { continue };
        let readable = uses.readers[output.root]
            .iter()
            .zip(&seen)
            .all(|(&(k, i), (_, new))| draft.work[k].op.accepts(i, new));
        let better = seen.iter().all(|(_, new)| in_order(new)) && seen.iter().any(|(before, _)| !before);
        if !better || !readable || !uses.packs[output.root].is_empty() {
            continue;
        }
        let mut seen = seen.into_iter().map(|(_, new)| new);
        for &(k, i) in &uses.readers[output.root] {
            seen.next().into_iter().for_each(|new| draft.work[k].inputs[i].layout = new);
        }
        for &i in &uses.outputs[output.root] {
            seen.next().into_iter().for_each(|new| draft.outputs[i].layout = new);
        }
        for &i in &uses.updates[output.root] {
            seen.next().into_iter().for_each(|new| draft.updates[i].2.layout = new);
        }
        let work = &mut draft.work[k];
        work.inputs.reverse();
        work.inputs.iter_mut().zip(swapped).for_each(|(o, l)| o.layout = l);
        work.outputs[0].layout = Layout::contiguous(&other);
        count += 1;
    }
    count
}

/// The last two dimensions swapped.
fn turned(layout: &Layout) -> Layout {
    let rank = layout.shape().len();
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 2, rank - 1);
    layout.permute(&order)
}

/// Whether a walk over the view's elements goes through memory forwards, dimension by dimension.
fn in_order(layout: &Layout) -> bool {
    let strides: Vec<usize> = layout
        .shape()
        .iter()
        .zip(layout.strides())
        .filter(|&(&n, &s)| n > 1 && s > 0)
        .map(|(_, &s)| s)
        .collect();
    strides.windows(2).all(|pair| pair[0] >= pair[1])
}
