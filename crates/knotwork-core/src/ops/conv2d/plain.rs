//! Weights of one tap that walk every element: a convolution that is a product of matrices as it lies.

use super::op::{Convolution, Part, Sizes};
use crate::{
    Layout, Result,
    ops::matmul,
    plan::{BindTo, KernelOperand, KernelRequest, Lowering},
};

/// The variants of a product, where the convolution is one: weight times x, the weight transposed times dy, or, for one
/// image, dy times x transposed (of more images, two dimensions that no stride joins are summed).
pub(super) fn lower(
    op: &Convolution,
    s: &Sizes,
    request: &KernelRequest<'_>,
) -> Result<Option<Vec<Lowering>>, String> {
    let o = &op.options;
    let is_plain = s.kernel == [1, 1] && o.stride == [1, 1] && o.padding == [0, 0];
    let places = s.out[0] * s.out[1];
    let x = Layout::contiguous(&[s.images, s.groups, s.c, places]);
    let y = Layout::contiguous(&[s.images, s.groups, s.o, places]);
    let weight = Layout::contiguous(&[1, s.groups, s.o, s.c]).expand(&[s.images, s.groups, s.o, s.c]);
    let turned = [0, 1, 3, 2];
    let layouts = match op.part {
        _ if !is_plain => return Ok(None),
        Part::Forward => [weight, x],
        Part::Input(_) => [weight.permute(&turned), y],
        Part::Weight(_) if s.images == 1 => [y, x.permute(&turned)],
        Part::Weight(_) => return Ok(None),
    };
    // All three take their second input from the left.
    let inputs = layouts.map(|layout| KernelOperand { dtype: request.outputs[0].dtype, layout });
    let mut all = matmul::lower(&KernelRequest { inputs: &inputs, ..*request })?;
    for binding in all.iter_mut().flat_map(|l| &mut l.dispatches).flat_map(|d| &mut d.bindings) {
        if let BindTo::Input(i) = binding {
            *i = 1 - *i;
        }
    }
    Ok(Some(all))
}
