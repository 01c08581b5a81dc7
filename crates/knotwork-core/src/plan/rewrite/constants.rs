//! What is known before any run is computed while planning.

use std::sync::Arc;

use super::{Rule, single, uses::Uses};
use crate::{
    HostTensor,
    ops::{
        Op, Reference,
        elementwise::{Argument, Body, Fused},
    },
    plan::{
        Capabilities,
        work::{Draft, Operand, RootId, RootKind},
    },
    tensor::Layout,
};

/// By the functions' definitions in f64, each result rounded to its type, as the oracle does.
pub(super) const RULE: Rule = Rule {
    name: "constants",
    about: "elementwise functions of numbers and of small constant tensors are computed while planning",
    apply,
};

/// Constants of more elements stay work: they would make plans large.
const MOST: usize = 4096;

fn apply(draft: &mut Draft, _: &Capabilities) -> usize {
    let mut uses = Uses::of(draft);
    let mut count = 0;
    for k in 0..draft.work.len() {
        if draft.work[k].op.body().is_none() {
            continue;
        }
        take_numbers(draft, &mut uses, k);
        count += usize::from(number(draft, &mut uses, k) || tensor(draft, &uses, k));
    }
    // Numbers that reach work which takes none as arguments.
    let read: Vec<RootId> = draft.work.iter().flat_map(|w| &w.inputs).map(|o| o.root).collect();
    let given: Vec<RootId> = draft.outputs.iter().map(|o| o.root).collect();
    read.into_iter().chain(given).for_each(|root| draft.materialise(root));
    count
}

/// Inputs that became numbers become arguments.
fn take_numbers(draft: &mut Draft, uses: &mut Uses, k: usize) {
    let number = |o: &Operand| match draft.roots[o.root].kind {
        RootKind::Number(value) => Some(value),
        _ => None,
    };
    let numbers: Vec<Option<f64>> = draft.work[k].inputs.iter().map(number).collect();
    let Some(mut body) = draft.work[k].op.body().cloned().filter(|_| numbers.iter().any(Option::is_some))
    else {
        return;
    };
    for argument in body.steps.iter_mut().flat_map(|s| &mut s.arguments) {
        if let Argument::Input(i) = *argument {
            *argument = match numbers[i] {
                Some(value) => Argument::Constant(value),
                None => Argument::Input(numbers[..i].iter().filter(|n| n.is_none()).count()),
            };
        }
    }
    let work = &mut draft.work[k];
    for input in &work.inputs {
        uses.readers[input.root].retain(|&(w, _)| w != k);
    }
    let mut numbers = numbers.iter();
    work.inputs.retain(|_| numbers.next().is_some_and(Option::is_none));
    for (i, input) in work.inputs.iter().enumerate() {
        uses.readers[input.root].push((k, i));
    }
    work.op = Arc::new(Fused::new(body));
}

/// Work without any input is one number, whatever its shape.
fn number(draft: &mut Draft, uses: &mut Uses, k: usize) -> bool {
    let Some(value) = decided(draft, k) else { return false };
    let out = draft.work[k].outputs[0].clone();
    let (shape, count) = (out.layout.shape(), out.layout.count());
    let small = count <= MOST && uses.packs[out.root].is_empty();
    let given = !uses.outputs[out.root].is_empty();
    if count > 0 && !(small && given) {
        let root = draft.add_root(RootKind::Number(value), draft.roots[out.root].dtype, 1);
        uses.grow(root);
        let instead = Operand { root, layout: Layout::contiguous(&[]).expand(shape) };
        if uses.replace(draft, out.root, &instead) {
            return true;
        }
    }
    // Somebody reads it only where it is written out.
    if small {
        keep(draft, k, &vec![value; count], shape);
    }
    small
}

/// The one value of all elements, where no input has a say.
fn decided(draft: &Draft, k: usize) -> Option<f64> {
    let step = single(draft, k)?;
    let constant = |a: &Argument| if let Argument::Constant(c) = a { Some(*c) } else { None };
    if step.function.row.name == "select"
        && let Some(condition) = constant(&step.arguments[0])
    {
        return constant(&step.arguments[if condition != 0.0 { 1 } else { 2 }]);
    }
    if !draft.work[k].inputs.is_empty() || step.arguments.iter().any(|a| constant(a).is_none()) {
        return None;
    }
    let body = Body { steps: vec![step.clone()], outputs: vec![0] };
    let mut out = [Reference { dtype: step.dtype, shape: Vec::new(), data: vec![f64::NAN] }];
    Fused::new(body).reference(&[], &mut out).ok()?;
    Some(out[0].data[0])
}

/// Work on small constants alone gives a small constant.
fn tensor(draft: &mut Draft, uses: &Uses, k: usize) -> bool {
    let work = &draft.work[k];
    let (Some(_), [out]) = (single(draft, k), &work.outputs[..]) else { return false };
    let known = |o: &Operand| match &draft.roots[o.root].kind {
        RootKind::Constant(t) if draft.roots[o.root].count <= MOST => {
            let all = t.to_f64();
            let data = o.layout.positions().map(|at| all[at]).collect();
            Some(Reference { dtype: t.dtype(), shape: o.layout.shape().to_vec(), data })
        }
        _ => None,
    };
    if work.inputs.is_empty() || out.layout.count() > MOST || !uses.packs[out.root].is_empty() {
        return false;
    }
    let Some(inputs) = work.inputs.iter().map(known).collect::<Option<Vec<_>>>() else { return false };
    let shape = out.layout.shape().to_vec();
    let data = vec![f64::NAN; out.layout.count()];
    let mut outputs = [Reference { dtype: draft.roots[out.root].dtype, shape: shape.clone(), data }];
    if work.op.reference(&inputs, &mut outputs).is_err() {
        return false;
    }
    keep(draft, k, &outputs[0].data, &shape);
    true
}

/// What the work writes becomes a constant; nobody needs the work any more.
fn keep(draft: &mut Draft, k: usize, values: &[f64], shape: &[usize]) {
    for out in std::mem::take(&mut draft.work[k].outputs) {
        let root = &mut draft.roots[out.root];
        root.kind = RootKind::Constant(Arc::new(HostTensor::from_f64(root.dtype, values, shape)));
    }
}
