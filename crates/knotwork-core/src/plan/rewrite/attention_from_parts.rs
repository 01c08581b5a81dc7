//! softmax(q kᵀ scale + bias) v, written as products and a softmax, is attention: no scores in memory.

use std::{collections::HashMap, sync::Arc};

use super::{Rule, single, uses::Uses};
use crate::{
    DType, HostTensor, Layout,
    graph::Meta,
    ops::{
        Role,
        attention::{Hidden, from_parts},
        elementwise::Argument,
    },
    plan::{
        Capabilities,
        work::{Draft, Operand, RootId, RootKind, Work},
    },
};

/// Only where nothing else reads scores or weights: where gradients do, those would have to be computed again. A mask is
/// recognised where it is a constant, hides by −1e30 or less, and leaves every query a key; others stay additions (a
/// bias), or choices, and these then stay as they were written.
pub(super) const RULE: Rule = Rule {
    name: "attention_from_parts",
    about: "products with a softmax between them that nothing else reads become attention",
    apply,
};

/// A score that is this or less has no weight beside any that is not.
const HIDES: f64 = -1e30;

/// What stands between the softmax and the product of queries and keys.
struct Scores {
    product: usize,
    scale: f64,
    bias: Option<Operand>,
    mask: Option<Arc<Allowed>>,
    /// The product and what stands after it.
    works: Vec<usize>,
}

/// A constant mask of queries and keys.
struct Allowed {
    hidden: Hidden,
    table: Option<HostTensor>,
}

fn apply(draft: &mut Draft, _: &Capabilities) -> usize {
    let uses = Uses::of(draft);
    let mut masks = Masks::default();
    let mut count = 0;
    for k in 0..draft.work.len() {
        let Some((softmax, scores)) = found(draft, &uses, &mut masks, k) else { continue };
        count += usize::from(replace(draft, k, softmax, scores));
    }
    count
}

/// For the product of weights and values: the softmax before it, and its scores.
fn found(draft: &Draft, uses: &Uses, masks: &mut Masks, k: usize) -> Option<(usize, Scores)> {
    let work = draft.work.get(k).filter(|w| w.op.role() == Some(Role::Product))?;
    let weights = &work.inputs[0];
    let softmax = uses.maker(draft, weights)?;
    if draft.work[softmax].op.role() != Some(Role::Softmax) || uses.only_reader(weights.root) != Some((k, 0))
    {
        return None;
    }
    let mut search = Search { draft, uses, masks };
    let scores = search.walk(&draft.work[softmax].inputs[0], (softmax, 0), 0)?;
    Some((softmax, scores))
}

struct Search<'a> {
    draft: &'a Draft,
    uses: &'a Uses,
    masks: &'a mut Masks,
}

impl Search<'_> {
    /// Walks inwards from what `reader` alone reads: a choice by a mask, additions, a scale, the product, in this order.
    fn walk(&mut self, operand: &Operand, reader: (usize, usize), stage: u8) -> Option<Scores> {
        let (draft, uses) = (self.draft, self.uses);
        let k = uses.maker(draft, operand)?;
        if uses.only_reader(operand.root) != Some(reader) || operand.layout.shape().len() > 4 {
            return None;
        }
        let work = &draft.work[k];
        if work.op.role() == Some(Role::Product) {
            return Some(Scores { product: k, scale: 1.0, bias: None, mask: None, works: vec![k] });
        }
        let step = single(draft, k)?;
        let mut scores = match (step.function.row.name, &step.arguments[..]) {
            ("select", [Argument::Input(c), Argument::Input(i), Argument::Constant(hides)]) if stage == 0 => {
                self.masked((k, *c), *i, true, *hides)
            }
            ("select", [Argument::Input(c), Argument::Constant(hides), Argument::Input(i)]) if stage == 0 => {
                self.masked((k, *c), *i, false, *hides)
            }
            ("add", [Argument::Input(a), Argument::Input(b)]) if stage < 3 && a != b => {
                let added = |i: usize| &work.inputs[i];
                let (mut scores, other) = match self.walk(added(*a), (k, *a), stage + 1) {
                    Some(scores) => (scores, added(*b)),
                    None => (self.walk(added(*b), (k, *b), stage + 1)?, added(*a)),
                };
                match self.masks.additive(draft, other).filter(|_| scores.mask.is_none()) {
                    Some(mask) => scores.mask = Some(mask),
                    None if scores.bias.is_none() => scores.bias = Some(bias(other)?),
                    None => return None,
                }
                Some(scores)
            }
            (
                "mul",
                [Argument::Input(i), Argument::Constant(c)] | [Argument::Constant(c), Argument::Input(i)],
            ) => self.scaled(k, *i, *c),
            ("div", [Argument::Input(i), Argument::Constant(c)]) if *c != 0.0 => self.scaled(k, *i, 1.0 / c),
            _ => None,
        }?;
        scores.works.push(k);
        Some(scores)
    }

    fn scaled(&mut self, k: usize, input: usize, scale: f64) -> Option<Scores> {
        let scores = self.walk(&self.draft.work[k].inputs[input], (k, input), 4)?;
        let plain = scores.scale == 1.0 && scores.bias.is_none() && scores.mask.is_none();
        (plain && scale.is_finite()).then_some(Scores { scale, ..scores })
    }

    fn masked(&mut self, (k, c): (usize, usize), input: usize, shows: bool, hides: f64) -> Option<Scores> {
        let condition = &self.draft.work[k].inputs[c];
        let mask = self.masks.chosen(self.draft, condition, shows).filter(|_| hides <= HIDES)?;
        let scores = self.walk(&self.draft.work[k].inputs[input], (k, input), 1)?;
        scores.mask.is_none().then_some(Scores { mask: Some(mask), ..scores })
    }
}

/// Constant masks that were looked at: most layers share theirs.
#[derive(Default)]
struct Masks(HashMap<(RootId, Layout, bool), Option<Arc<Allowed>>>);

impl Masks {
    /// The keys that a condition shows, where it is `shows`.
    fn chosen(&mut self, draft: &Draft, condition: &Operand, shows: bool) -> Option<Arc<Allowed>> {
        let truth = draft.roots[condition.root].dtype == DType::Bool;
        truth.then(|| self.of(draft, condition, shows, |c| Some((c != 0.0) == shows))).flatten()
    }

    /// The keys that an added constant leaves as they are, where it hides all others.
    fn additive(&mut self, draft: &Draft, added: &Operand) -> Option<Arc<Allowed>> {
        let read = |x: f64| if x == 0.0 { Some(true) } else { (x <= HIDES).then_some(false) };
        self.of(draft, added, true, read)
    }

    fn of(
        &mut self,
        draft: &Draft,
        operand: &Operand,
        key: bool,
        read: impl Fn(f64) -> Option<bool>,
    ) -> Option<Arc<Allowed>> {
        let RootKind::Constant(tensor) = &draft.roots[operand.root].kind else { return None };
        let place = (operand.root, operand.layout.clone(), key);
        self.0.entry(place).or_insert_with(|| allowed(tensor, &operand.layout, read).map(Arc::new)).clone()
    }
}

fn allowed(tensor: &HostTensor, layout: &Layout, read: impl Fn(f64) -> Option<bool>) -> Option<Allowed> {
    let (rank, shape) = (layout.shape().len(), layout.shape());
    let (queries, keys) = (shape[rank - 2], shape[rank - 1]);
    // One for all batches and heads.
    let one = (0..rank - 2)
        .try_fold(layout.clone(), |l, d| (shape[d] == 1 || l.strides()[d] == 0).then(|| l.slice(d, 0, 1)))?;
    let all = tensor.to_f64();
    let shown: Vec<bool> = one.positions().map(|at| read(all[at])).collect::<Option<_>>()?;
    if keys == 0 || shown.chunks(keys).any(|row| !row.contains(&true)) {
        return None;
    }
    let causal = |at: usize| at % keys + queries <= at / keys + keys;
    if shown.iter().all(|&s| s) {
        return Some(Allowed { hidden: Hidden::Nothing, table: None });
    }
    if shown.iter().enumerate().all(|(at, &s)| s == causal(at)) {
        return Some(Allowed { hidden: Hidden::Later, table: None });
    }
    let table: Vec<i32> = shown.into_iter().map(i32::from).collect();
    Some(Allowed { hidden: Hidden::Table, table: HostTensor::new(&table, [queries, keys]).ok() })
}

/// What is added to the scores, as `[H or 1, Lq or 1, Lk or 1]`; the same for all of the batch.
fn bias(added: &Operand) -> Option<Operand> {
    let mut layout = four(&added.layout)?;
    for d in 0..4 {
        if layout.strides()[d] == 0 && layout.shape()[d] > 1 {
            layout = layout.slice(d, 0, 1);
        }
    }
    let shape = layout.shape().to_vec();
    let layout = if shape[0] == 1 { layout.reshape(&shape[1..])? } else { return None };
    Some(Operand { root: added.root, layout })
}

/// With dimensions of 1 in front, so that there are four.
fn four(layout: &Layout) -> Option<Layout> {
    let ones = vec![1; 4usize.checked_sub(layout.shape().len())?];
    layout.reshape(&[&ones[..], layout.shape()].concat())
}

/// Puts attention in the place of the last product. Not where kernels would need more copies than they save.
fn replace(draft: &mut Draft, k: usize, softmax: usize, scores: Scores) -> bool {
    let (site, dtype) = (draft.work[softmax].site, draft.roots[draft.work[k].outputs[0].root].dtype);
    let weights = draft.work[k].inputs[0].layout.count();
    let mask = scores.mask.as_ref();
    let op = from_parts(scores.scale, scores.bias.is_some(), mask.map_or(Hidden::Nothing, |m| m.hidden));
    let product = &draft.work[scores.product];
    let shown = |o: &Operand, layout: Option<Layout>| layout.map(|layout| Operand { root: o.root, layout });
    let rank = product.inputs[1].layout.shape().len();
    let mut turn: Vec<usize> = (0..rank).collect();
    turn.swap(rank - 2, rank - 1);
    let (q, key, v) = (&product.inputs[0], &product.inputs[1], &draft.work[k].inputs[1]);
    let [Some(q), Some(key), Some(v)] =
        [shown(q, four(&q.layout)), shown(key, four(&key.layout.permute(&turn))), shown(v, four(&v.layout))]
    else {
        return false;
    };
    let mut inputs = vec![q, key, v];
    inputs.extend(scores.bias);
    let strided: Vec<usize> = (0..inputs.len()).filter(|&i| !op.accepts(i, &inputs[i].layout)).collect();
    // Scores and weights would be written and read, copies too.
    let copied: usize = strided.iter().map(|&i| inputs[i].layout.count()).sum();
    if copied > 2 * weights {
        return false;
    }
    let mut metas: Vec<Meta> =
        inputs.iter().map(|o| Meta::new(draft.roots[o.root].dtype, o.layout.shape())).collect();
    let table = mask.and_then(|m| m.table.clone());
    metas.extend(table.iter().map(|t| Meta::new(DType::I32, t.shape())));
    let Some(shapes) =
        op.infer(&metas).ok().map(|all| all.iter().filter_map(|m| m.shape.fixed()).collect::<Vec<_>>())
    else {
        return false;
    };
    let [out, rows] = &shapes[..] else { return false };
    if draft.work[k].outputs[0].layout.count() != out.iter().product::<usize>() {
        return false;
    }
    for i in strided {
        let (copy, to) = draft.copy_work(&inputs[i], site);
        draft.work.push(copy);
        inputs[i] = to;
    }
    if let Some(table) = table {
        let (shape, count) = (table.shape().to_vec(), table.count());
        let root = draft.add_root(RootKind::Constant(Arc::new(table)), DType::I32, count);
        inputs.push(draft.whole(root, &shape));
    }
    let numbers = draft.add_root(RootKind::Computed, dtype, rows.iter().product());
    let outputs = vec![draft.whole(draft.work[k].outputs[0].root, out), draft.whole(numbers, rows)];
    let taken = scores.works.iter().chain([&softmax, &k]);
    let nodes = taken.flat_map(|&w| draft.work[w].nodes.clone()).collect();
    draft.work[k] = Work { op, inputs, outputs, aliases: Vec::new(), site, nodes };
    true
}
