//! The dispatches of attention.

use super::{
    Normalizer,
    call::{Call, Shape},
    density::Choice,
    op::{AttentionOp, PartOf},
    skips, tiles,
};
use crate::{
    DType,
    ops::Op as _,
    plan::{BindTo, DispatchSpec, KernelRequest, Lowering},
};

/// Keys whose scores a workgroup keeps in its memory.
const CACHE: usize = 2048;
const THREADS: usize = 64;

pub(super) fn lower(op: &AttentionOp, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
    }
    let call = Call::new(op, request);
    let rows = rows_alone(&call);
    let (queries, keys) = (call.shape(0)[2], call.shape(2)[2]);
    // The smallest score that is kept needs all of a row's; there is nothing to tile where a side is empty.
    let threshold = op.setting.top_k.is_some() || op.setting.normalizer != Normalizer::Softmax;
    let no_tiles = op.part == PartOf::Bias || (op.part == PartOf::Forward && op.setting.top_k.is_some());
    if no_tiles || queries == 0 || keys == 0 {
        return Ok(rows);
    }
    let mut tiles = if op.part == PartOf::Forward && threshold { Vec::new() } else { tiles::lower(&call) };
    // A tile of few queries is mostly empty.
    let few = queries < tiles::FEW_QUERIES;
    let skipped = if skips::takes(op) { skips::lower(&call) } else { None };
    let found = match skipped {
        Some(skipped) if !few && Choice::of(&call).lists_may_pay() => {
            tiles.insert(0, skipped);
            tiles.into_iter().chain(rows).collect()
        }
        // Little work: the fewest dispatches.
        skipped if few || tiles.is_empty() => rows.into_iter().chain(tiles).chain(skipped).collect(),
        skipped => tiles.into_iter().chain(skipped).chain(rows).collect(),
    };
    Ok(found)
}

/// How a mask's tiles were chosen; none where there is no mask, and where rows go one by one.
pub(super) fn note(op: &AttentionOp, request: &KernelRequest<'_>, variant: &str) -> Option<String> {
    let call = Call::new(op, request);
    if variant == skips::SKIPPED {
        return Some(Choice::of(&call).skipping());
    }
    let tiled = [tiles::LISTED, tiles::EVERY].contains(&variant);
    (tiled && call.is_masked()).then(|| Choice::of(&call).to_string())
}

/// A workgroup a query, or a key.
fn rows_alone(call: &Call<'_>) -> Vec<Lowering> {
    let (op, request) = (call.op, call.request);
    let (q, v) = (call.shape(0), call.shape(2));
    let rows = q[0] * q[1] * q[2];
    let all_keys = v[0] * v[1] * v[2];
    let (file, groups, columns) = match op.part {
        PartOf::Forward => ("forward", rows, v[3]),
        PartOf::Rows => ("rows", rows, 1),
        PartOf::Query => ("query", rows, q[3]),
        PartOf::Key => ("key", all_keys, q[3]),
        PartOf::Value => ("key", all_keys, v[3]),
        PartOf::Bias => ("bias", request.outputs[0].layout.count(), 1),
    };
    let shape = Shape { groups, columns: columns.next_power_of_two().min(THREADS), tiles: [0; 4] };
    let dispatch = |name: &str, file: &str, own: &[BindTo], more: &[&'static str]| {
        call.dispatch(name, file, own, None, more, shape)
    };
    let variant = |name: &'static str, kernels: Vec<DispatchSpec>| Lowering {
        variant: name,
        scratch: call.scratch.clone(),
        dispatches: call.packing.iter().cloned().chain(kernels).collect(),
    };
    let given: Vec<BindTo> =
        (0..3).chain((op.part != PartOf::Forward).then(|| op.cotangent_input())).map(BindTo::Input).collect();
    let numbers = BindTo::Input(op.cotangent_input() + 1);
    let outputs = (0..request.outputs.len()).map(BindTo::Output);
    let own = match op.part {
        PartOf::Forward => given.iter().copied().chain(outputs).collect(),
        _ => [&given[..], &[numbers]].concat().into_iter().chain(outputs).collect::<Vec<_>>(),
    };
    let streamed = variant("streamed", vec![dispatch(op.name(), file, &own, &[])]);
    match op.part {
        PartOf::Forward if v[2] <= CACHE => {
            let cached = dispatch(&format!("{}_cached", op.name()), file, &own, &["cached"]);
            vec![variant("cached", vec![cached]), streamed]
        }
        PartOf::Forward => vec![streamed],
        // With a table and a bias the two outputs are a buffer too many for some devices.
        PartOf::Query if call.table.is_some() && op.bias_input().is_some() => {
            let found = [&given[..], &[numbers, BindTo::Output(1)]].concat();
            let taken = [&given[..], &[BindTo::Output(1), BindTo::Output(0)]].concat();
            let after = vec![
                dispatch("attention_rows", "rows", &found, &[]),
                dispatch(op.name(), file, &taken, &["given"]),
            ];
            vec![Lowering { variant: "a_group_each", ..streamed }, variant("rows_first", after)]
        }
        _ => vec![Lowering { variant: "a_group_each", ..streamed }],
    }
}
