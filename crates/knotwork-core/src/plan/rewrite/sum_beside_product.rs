//! A sum over the dimension over which a product of the same value sums: one kernel gives both.

use std::sync::Arc;

use super::{
    Rule,
    uses::{Seen, Uses},
};
use crate::{
    DType,
    ops::{Role, matmul::MatMul},
    plan::{
        Capabilities, DeviceKind,
        work::{Draft, Operand, Work},
    },
};

/// The gradient of a bias, the sum of g over rows, leaves the kernel that makes the weight's, gᵀ x: the rows of g are in
/// workgroup memory there anyway.
pub(super) const RULE: Rule = Rule {
    name: "sum_beside_product",
    about: "a sum over the rows of a product's operand leaves the product's kernel",
    apply,
};

fn apply(draft: &mut Draft, capabilities: &Capabilities) -> usize {
    if capabilities.kind != DeviceKind::Gpu {
        return 0;
    }
    let mut uses = Uses::of(draft);
    let mut seen = Seen::default();
    let mut gone = vec![false; draft.work.len()];
    let mut count = 0;
    for k in 0..draft.work.len() {
        let Some(Role::Sum(dims)) = draft.work[k].op.role() else { continue };
        let Some(walk) = walk_of_sum(&draft.work[k], dims) else { continue };
        let root = draft.work[k].inputs[0].root;
        if draft.roots[root].dtype != DType::F32 {
            continue;
        }
        let found = uses.readers[root].iter().find(|&&(reader, input)| {
            let product = &draft.work[reader];
            let other = product.inputs.get(1 - input.min(1)).map(|o| o.root);
            product.op.role() == Some(Role::Product)
                && walk_of_operand(&product.inputs[input], input) == Some(walk)
                && other.is_some_and(|other| !uses.depends(draft, &mut seen, other, k))
        });
        let Some(&(product, operand)) = found else { continue };
        let output = draft.work[k].outputs[0].clone();
        let nodes = std::mem::take(&mut draft.work[k].nodes);
        let work = &mut draft.work[product];
        work.op = Arc::new(MatMul { sums: Some(operand) });
        uses.writers[output.root] = vec![product];
        work.outputs.push(output);
        work.nodes.extend(nodes);
        gone[k] = true;
        count += 1;
    }
    super::drop_work(draft, &gone);
    count
}

/// A two-dimensional walk: (offset, kept size and stride, summed size and stride).
type Walk = (usize, (usize, usize), (usize, usize));

/// How a sum walks its input, where that is two dimensions of at least two elements.
fn walk_of_sum(work: &Work, dims: u64) -> Option<Walk> {
    let layout = &work.inputs[0].layout;
    let one = |summed: bool| {
        let mut walk: Option<(usize, usize)> = None;
        for (d, (&n, &stride)) in layout.shape().iter().zip(layout.strides()).enumerate() {
            if n == 1 || (dims >> d & 1 == 1) != summed {
                continue;
            }
            walk = match walk {
                None => Some((n, stride)),
                Some((outer, step)) if step == n * stride => Some((outer * n, stride)),
                Some(_) => return None,
            };
        }
        walk
    };
    Some((layout.offset(), one(false)?, one(true)?))
}

/// How a product walks an operand of two dimensions: what it keeps, and K.
fn walk_of_operand(operand: &Operand, input: usize) -> Option<Walk> {
    let layout = &operand.layout;
    let (&[rows, columns], &[step, next]) = (layout.shape(), layout.strides()) else { return None };
    let (rows, columns) = ((rows, step), (columns, next));
    Some(if input == 0 { (layout.offset(), rows, columns) } else { (layout.offset(), columns, rows) })
}
