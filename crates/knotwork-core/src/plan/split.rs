//! Work over values larger than the device can bind is done in parts, some rows at a time.

use std::sync::Arc;

use super::{
    Capabilities,
    work::{Draft, Operand, Work},
};
use crate::ops::{
    Op,
    elementwise::{Argument, Body, copy_step},
    fused::Epilogue,
};

/// The part of a value's memory that a dispatch binds, where the whole is too large: first byte, and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub first: usize,
    pub bytes: usize,
}

impl Window {
    /// What an operand looks at, from an offset that may be bound; none where all of its root may be.
    pub fn of(draft: &Draft, operand: &Operand, capabilities: &Capabilities) -> Option<Self> {
        let root = &draft.roots[operand.root];
        if root.bytes() <= capabilities.max_binding_bytes {
            return None;
        }
        let align = capabilities.offset_alignment.max(16);
        let size = root.dtype.bytes();
        let first = operand.layout.offset() * size / align * align;
        Some(Self { first, bytes: operand.layout.extent() * size - first })
    }
}

/// Replaces each piece of work that binds too much by pieces over fewer rows, where its operation can be cut so. What
/// cannot is refused later, with the limit.
pub(super) fn split(draft: &mut Draft, capabilities: &Capabilities) {
    let most = capabilities.max_binding_bytes;
    if draft.roots.iter().all(|r| r.bytes() <= most) {
        return;
    }
    let works = std::mem::take(&mut draft.work);
    for work in works {
        match parts(draft, &work, capabilities) {
            Some(parts) => draft.work.extend(parts),
            None => draft.work.push(work),
        }
    }
}

fn parts(draft: &Draft, work: &Work, capabilities: &Capabilities) -> Option<Vec<Work>> {
    let too_large = |o: &Operand| draft.roots[o.root].bytes() > capabilities.max_binding_bytes;
    if !work.inputs.iter().chain(&work.outputs).any(too_large) {
        return None;
    }
    let shapes: Vec<Vec<usize>> = work.inputs.iter().map(|o| o.layout.shape().to_vec()).collect();
    let rows = *work.outputs.first()?.layout.shape().first()?;
    if work.outputs.iter().any(|o| o.layout.shape().first() != Some(&rows)) {
        return None;
    }
    let cut = |from: usize, to: usize| -> Option<Work> {
        let (op, dims) = work.op.in_rows(to - from, &shapes)?;
        let slice = |(o, dim): (&Operand, Option<usize>)| Operand {
            root: o.root,
            layout: dim.map_or_else(|| o.layout.clone(), |d| o.layout.slice(d, from, to)),
        };
        let inputs: Vec<Operand> = work.inputs.iter().zip(dims).map(slice).collect();
        let outputs: Vec<Operand> = work.outputs.iter().map(|o| slice((o, Some(0)))).collect();
        // Kernels store from the first element of what is bound; a step stores where a part begins.
        let op: Arc<dyn Op> = if op.emits() {
            let first = outputs.first()?;
            let raw = (draft.roots[first.root].dtype, first.layout.shape().to_vec());
            let body = Body { steps: vec![copy_step(Argument::Input(0), raw.0)], outputs: vec![0] };
            Arc::new(Epilogue::new(op, inputs.len(), raw, body))
        } else {
            op
        };
        Some(Work { op, inputs, outputs, ..work.clone() })
    };
    // The alignment of a part's first byte may cost it so much.
    let fits = |part: &Work| {
        part.inputs.iter().chain(&part.outputs).all(|o| {
            Window::of(draft, o, capabilities).is_none_or(|w| w.bytes <= capabilities.max_binding_bytes)
        })
    };
    let all_fit = |each: usize| {
        (0..rows).step_by(each).all(|from| cut(from, (from + each).min(rows)).is_some_and(|w| fits(&w)))
    };
    // The fewest parts that fit; parts are alike, so their number is soon found.
    let mut count = 2;
    while count <= rows {
        let each = rows.div_ceil(count);
        if all_fit(each) {
            return (0..rows).step_by(each).map(|from| cut(from, (from + each).min(rows))).collect();
        }
        count += count.div_ceil(4);
    }
    None
}
