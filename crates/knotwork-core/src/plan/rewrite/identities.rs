//! Functions that give back one of their arguments, bit by bit.

use super::{Rule, single, uses::Uses};
use crate::{
    DType,
    ops::elementwise::{Argument, Step},
    plan::{
        Capabilities,
        work::{Draft, Operand},
    },
};

/// Only what is exact for every value: x + 0 would turn −0 into 0, so it stays; x − 0 and x + (−0) go.
pub(super) const RULE: Rule = Rule {
    name: "identities",
    about: "x 1, x / 1, x − 0, x¹, −(−x), casts that change nothing, chosen constants and needless copies go",
    apply,
};

/// Below this, f64 counts whole numbers exactly.
fn apply(draft: &mut Draft, _: &Capabilities) -> usize {
    let mut uses = Uses::of(draft);
    let mut gone = vec![false; draft.work.len()];
    let mut count = 0;
    for k in 0..draft.work.len() {
        count += usize::from(skip_inner(draft, &mut uses, k));
        let Some(instead) = given_back(draft, &uses, k) else { continue };
        let out = draft.work[k].outputs[0].root;
        if uses.replace(draft, out, &instead) {
            for input in &draft.work[k].inputs {
                uses.readers[input.root].retain(|&(w, _)| w != k);
            }
            gone[k] = true;
            count += 1;
        }
    }
    super::drop_work(draft, &gone);
    count
}

/// The single step that computed what an input of unfused elementwise work sees, element by element; and its work.
fn inner<'d>(draft: &'d Draft, uses: &Uses, operand: &Operand) -> Option<(&'d Step, usize)> {
    let k = uses.maker(draft, operand)?;
    Some((single(draft, k)?, k))
}

/// What the result of elementwise work is anyway.
fn given_back(draft: &Draft, uses: &Uses, k: usize) -> Option<Operand> {
    let step = single(draft, k)?;
    let work = &draft.work[k];
    let input = |a: &Argument| if let Argument::Input(i) = a { work.inputs.get(*i).cloned() } else { None };
    let number = |a: &Argument| if let Argument::Constant(c) = a { Some(*c) } else { None };
    let is = |a: &Argument, value: f64| number(a).is_some_and(|c| c.to_bits() == value.to_bits());
    let whole = !step.operands.is_float();
    let zero = |a: &Argument| is(a, 0.0) || is(a, -0.0);
    let result = match (step.function.row.name, &step.arguments[..]) {
        ("copy", [x]) => input(x),
        ("mul", [x, one]) | ("mul", [one, x]) | ("div", [x, one]) | ("pow", [x, one]) if is(one, 1.0) => {
            input(x)
        }
        ("sub", [x, none]) if is(none, 0.0) || (whole && zero(none)) => input(x),
        ("add", [x, none]) | ("add", [none, x]) if is(none, -0.0) || (whole && zero(none)) => input(x),
        ("select", [_, y, z]) if y == z => input(y),
        ("select", [condition, y, z]) => match number(condition)? {
            c if c != 0.0 => input(y),
            _ => input(z),
        },
        ("neg", [x]) => {
            let (before, by) = inner(draft, uses, &input(x)?)?;
            (before.function.row.name == "neg").then(|| draft.work[by].inputs.first().cloned()).flatten()
        }
        (name, [x]) if is_cast(name) => {
            let x = input(x)?;
            (draft.roots[x.root].dtype == step.dtype).then_some(x)
        }
        _ => None,
    }?;
    (draft.roots[result.root].dtype == step.dtype).then_some(result)
}

/// A cast of a cast that loses nothing reads what that one read. Whether it did.
fn skip_inner(draft: &mut Draft, uses: &mut Uses, k: usize) -> bool {
    let found = (|| {
        let step = single(draft, k)?;
        let (before, by) = inner(draft, uses, draft.work[k].inputs.first()?)?;
        let from = draft.work[by].inputs.first()?;
        let casts = is_cast(step.function.row.name) && is_cast(before.function.row.name);
        let dtype = draft.roots[from.root].dtype;
        (casts && holds(before.dtype, dtype)).then(|| (from.clone(), dtype))
    })();
    let Some((from, dtype)) = found else { return false };
    let Some(mut body) = draft.work[k].op.body().cloned() else { return false };
    body.steps[0].operands = dtype;
    let work = &mut draft.work[k];
    uses.readers[work.inputs[0].root].retain(|&reader| reader != (k, 0));
    uses.readers[from.root].push((k, 0));
    work.inputs[0] = from;
    work.op = std::sync::Arc::new(crate::ops::elementwise::Fused::new(body));
    true
}

fn is_cast(name: &str) -> bool {
    name.starts_with("to_")
}

/// Whether every value of `small` is one of `large`.
fn holds(large: DType, small: DType) -> bool {
    use DType::{Bool, F16, F32, F64, I32, U32};
    large == small
        || match small {
            Bool => true,
            F16 => matches!(large, F32 | F64),
            F32 | I32 | U32 => large == F64,
            F64 => false,
        }
}
