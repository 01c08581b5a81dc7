//! Attention in tiles of 32 queries by 32 keys, and the lists of tiles that a mask leaves.

use super::{
    Normalizer,
    call::{Call, Shape},
    density::Choice,
    op::PartOf,
};
use crate::{
    DType,
    ops::Op as _,
    plan::{BindTo, DispatchSpec, Lowering, Scratch},
};

/// Rows of a tile, of queries and of keys.
pub(super) const TILE: usize = 32;
/// Columns of a result that one accumulator of the threads of a workgroup holds.
const PART: usize = 32;
/// Pairs of tiles whose kinds a workgroup finds.
pub(super) const KINDS: usize = 64;
/// Below this many queries a workgroup a query does less work.
pub(super) const FEW_QUERIES: usize = 5;

/// The variants of a mask: over the tiles that it leaves, and over all.
pub(super) const LISTED: &str = "tiles_listed";
pub(super) const EVERY: &str = "tiles_all";

/// Tiles of the queries and of the keys, and the batches and heads whose masks differ.
fn tiles(call: &Call<'_>) -> [usize; 4] {
    let [batches, heads] = call.planes();
    [call.shape(0)[2].div_ceil(TILE), call.shape(2)[2].div_ceil(TILE), batches, heads]
}

/// Over every tile; where there is a mask, over lists of those that it leaves too. First what is estimated to cost less.
pub(super) fn lower(call: &Call<'_>) -> Vec<Lowering> {
    let every = Lowering {
        variant: if call.is_masked() { EVERY } else { "tiles" },
        scratch: call.scratch.clone(),
        dispatches: call.packing.iter().cloned().chain(kernels(call, None, tiles(call))).collect(),
    };
    let Some(listed) = call.is_masked().then(|| listed(call)).flatten() else { return vec![every] };
    if Choice::of(call).lists_pay() { vec![listed, every] } else { vec![every, listed] }
}

/// None where a list is larger than a binding can show.
fn listed(call: &Call<'_>) -> Option<Lowering> {
    let tiles = tiles(call);
    let [queries, keys, batches, heads] = tiles;
    let by_key = matches!(call.op.part, PartOf::Key | PartOf::Value);
    let (owners, others) = if by_key { (keys, queries) } else { (queries, keys) };
    let pairs = queries.checked_mul(keys)?.checked_mul(batches)?.checked_mul(heads)?;
    let room = (owners * batches * heads).checked_mul(others + 1)?;
    if room.max(pairs).checked_mul(4)? > call.request.capabilities.max_binding_bytes {
        return None;
    }
    let mut scratch = call.scratch.clone();
    let first = scratch.len();
    scratch.extend([pairs, room].map(|count| Scratch { dtype: DType::U32, count }));
    let of = |groups: usize| Shape { groups, columns: 1, tiles };
    let (kinds, lists) = (BindTo::Scratch(first), BindTo::Scratch(first + 1));
    let mut dispatches = call.packing.clone();
    dispatches.push(call.kinds(kinds, of(pairs.div_ceil(KINDS))));
    dispatches.push(call.lists(BindTo::ScratchRead(first), lists, by_key, of(owners * batches * heads)));
    dispatches.extend(kernels(call, Some(BindTo::ScratchRead(first + 1)), tiles));
    Some(Lowering { variant: LISTED, scratch, dispatches })
}

/// What the part itself takes, over lists or over every tile; tiles, batches and heads as the lists count them.
pub(super) fn kernels(call: &Call<'_>, lists: Option<BindTo>, tiles: [usize; 4]) -> Vec<DispatchSpec> {
    let op = call.op;
    let (q, v) = (call.shape(0), call.shape(2));
    let input = BindTo::Input;
    let given = [input(0), input(1), input(2)];
    let with_lists = lists.map(|_| "lists");
    // So many accumulators hold the columns of a result; beyond four of them other workgroups do the rest.
    let dispatch =
        |name: &str, file: &str, own: &[BindTo], owners: usize, width: usize, flags: &[&'static str]| {
            let parts = width.div_ceil(PART).max(1);
            let columns = parts.div_ceil(4);
            let wide = match parts {
                1 => None,
                2 => Some("two"),
                _ => Some("four"),
            };
            let flags: Vec<&'static str> = flags.iter().copied().chain(wide).chain(with_lists).collect();
            call.dispatch(name, file, own, lists, &flags, Shape { groups: owners * columns, columns, tiles })
        };
    let of_queries = q[0] * q[1] * tiles[0];
    let of_keys = v[0] * v[1] * tiles[1];
    let output = BindTo::Output;
    let name = format!("{}_tiles", op.name());
    let backward = |more: &[BindTo]| {
        let cotangent = op.cotangent_input();
        [&given[..], &[input(cotangent)], more].concat()
    };
    let numbers = input(op.cotangent_input() + 1);
    match op.part {
        PartOf::Forward => {
            let own = [&given[..], &[output(0), output(1)]].concat();
            // Thresholds come from a kernel before it.
            let file =
                if op.setting.normalizer == Normalizer::Softmax { "tile_forward" } else { "tile_values" };
            vec![dispatch(&name, file, &own, of_queries, v[3], &[])]
        }
        PartOf::Rows => {
            vec![dispatch(&name, "tile_rows", &backward(&[numbers, output(0)]), of_queries, 1, &[])]
        }
        PartOf::Query => vec![
            dispatch(
                "attention_rows_tiles",
                "tile_rows",
                &backward(&[numbers, output(1)]),
                of_queries,
                1,
                &[],
            ),
            dispatch(&name, "tile_query", &backward(&[output(1), output(0)]), of_queries, q[3], &["given"]),
        ],
        PartOf::Key | PartOf::Value => {
            let width = if op.part == PartOf::Key { q[3] } else { v[3] };
            vec![dispatch(&name, "tile_key", &backward(&[numbers, output(0)]), of_keys, width, &["by_key"])]
        }
        PartOf::Bias => Vec::new(),
    }
}
