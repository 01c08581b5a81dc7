//! The dispatches of a causal product: a workgroup through the whole sequence, or spans with a state in front of each.

use super::{BLOCK, Sizes};
use crate::{
    DType,
    plan::{BindTo, DispatchSpec, Grid, Kernel, Lowering, Needs, Params, Scratch, Source},
};

/// Features that a workgroup holds.
const SLICE: usize = 64;
/// Positions of a workgroup at most: lavapipe ends all loops of an invocation after 65,535 turns together, and a block
/// takes up to 230.
const LONGEST: usize = 4096;
/// Positions of a span, at least and at most; and spans at most, whose states one thread adds up.
const SHORT_SPAN: usize = 256;
const LONG_SPAN: usize = 2048;
const SPANS: usize = 32_768;
/// Spans that a sequence is split into where that is possible, and workgroups that make splitting needless.
const SPLIT: usize = 64;

pub(super) fn lower(s: Sizes, reverse: bool) -> Result<Vec<Lowering>, String> {
    let span = s.positions.div_ceil(SPLIT).next_multiple_of(BLOCK).clamp(SHORT_SPAN, LONG_SPAN);
    let spans = s.positions.div_ceil(span);
    if spans > SPANS {
        return Err(format!(
            "Lq and Lk span {} positions; the kernels take up to {}",
            s.positions,
            SPANS * LONG_SPAN
        ));
    }
    let tiles = s.e.div_ceil(BLOCK);
    let slices = || (0..s.d.max(1)).step_by(SLICE);
    let whole = || Lowering {
        variant: "whole",
        scratch: Vec::new(),
        dispatches: slices()
            .map(|first| dispatch(s, reverse, (s.positions.next_multiple_of(BLOCK), 1), first, &[]))
            .collect(),
    };
    let split = || {
        let states = Scratch { dtype: DType::F32, count: s.batches * spans * s.d * s.e };
        let mut dispatches: Vec<_> =
            slices().map(|first| dispatch(s, reverse, (span, spans), first, &["states"])).collect();
        dispatches.push(dispatch(s, reverse, (span, spans), 0, &["starts"]));
        dispatches.extend(slices().map(|first| dispatch(s, reverse, (span, spans), first, &["started"])));
        Lowering { variant: "spans", scratch: vec![states; 2], dispatches }
    };
    Ok(if spans <= 1 || s.d == 0 {
        vec![whole()]
    } else if s.positions > LONGEST {
        vec![split()]
    } else if s.batches * tiles >= SPLIT || s.positions <= 2 * SHORT_SPAN {
        vec![whole(), split()]
    } else {
        vec![split(), whole()]
    })
}

fn dispatch(
    s: Sizes,
    reverse: bool,
    (span, spans): (usize, usize),
    first: usize,
    mode: &[&'static str],
) -> DispatchSpec {
    let stage = mode.first().copied().unwrap_or("whole");
    let mut flags = mode.to_vec();
    let mut bindings = vec![BindTo::Input(1), BindTo::Input(2)];
    let mut groups = s.batches * spans * s.e.div_ceil(BLOCK);
    match stage {
        "starts" => {
            bindings = vec![BindTo::ScratchRead(0), BindTo::Scratch(1)];
            groups = (s.batches * s.d * s.e).div_ceil(256);
        }
        "states" => bindings.push(BindTo::Scratch(0)),
        _ => {
            bindings.extend([BindTo::Input(0), BindTo::Output(0)]);
            bindings.extend((stage == "started").then_some(BindTo::ScratchRead(1)));
            flags.extend((first > 0).then_some("more"));
        }
    }
    flags.extend((reverse && stage != "starts").then_some("reverse"));
    DispatchSpec {
        kernel: Kernel {
            name: format!("causal_product_{stage}"),
            source: Source::Named("causal_product"),
            flags,
            constants: vec![("SLICE", (SLICE as u32).into()), ("PITCH", (SLICE as u32 + 1).into())],
            needs: Needs::default(),
        },
        bindings,
        params: Params::new()
            .u32(s.batches)
            .u32(s.n)
            .u32(s.m)
            .u32(s.d)
            .u32(s.e)
            .u32(first)
            .u32(s.begin as i32 as u32)
            .u32(s.offset as i32 as u32)
            .u32(s.positions)
            .u32(span)
            .u32(spans)
            .u32(0usize),
        grid: Grid::Linear(groups as u64),
        flat: None,
    }
}
