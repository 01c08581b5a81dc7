//! Attention by sparsemax and entmax15 in tiles: thresholds by passes over the scores, then only the tiles that hold weights.
//!
//! The forward pass leaves in each row's third number which tiles of keys hold no weight for its tile of queries
//! (`attention/empty_tiles`; 0 says nothing, and is what kernels by rows and the CPU leave). The backward pass makes its lists
//! without them.

use super::{
    Normalizer,
    call::{Call, Shape},
    op::{AttentionOp, PartOf},
    tiles::{KINDS, TILE, kernels},
};
use crate::{
    DType,
    plan::{BindTo, DispatchSpec, Grid, Kernel, Lowering, Scratch},
};

/// The variant that leaves out tiles below the thresholds.
pub(super) const SKIPPED: &str = "tiles_skipped";

/// Tiles of keys that the kernel of the thresholds has bits for.
const MOST_TILES: usize = 8192;

/// Whether weights below a threshold are 0, and tiles can find it: what top-k keeps they do not know.
pub(super) fn takes(op: &AttentionOp) -> bool {
    op.setting.normalizer != Normalizer::Softmax && op.setting.top_k.is_none() && op.part != PartOf::Bias
}

/// None where a buffer is larger than a binding can show, or keys are too many.
pub(super) fn lower(call: &Call<'_>) -> Option<Lowering> {
    let op = call.op;
    let (q, v) = (call.shape(0), call.shape(2));
    let (batches, heads) = (q[0], q[1]);
    let (queries, keys) = (q[2].div_ceil(TILE), v[2].div_ceil(TILE));
    let tiles = [queries, keys, batches, heads];
    let by_key = matches!(op.part, PartOf::Key | PartOf::Value);
    let (owners, others) = if by_key { (keys, queries) } else { (queries, keys) };
    let planes = batches * heads;
    let pairs = queries.checked_mul(keys)?.checked_mul(planes)?;
    let room = (owners * planes).checked_mul(others + 1)?;
    let fits = room.max(pairs).checked_mul(4)? <= call.request.capabilities.max_binding_bytes;
    if keys > MOST_TILES || !fits {
        return None;
    }
    let backward = op.part != PartOf::Forward;
    let loud = batches * v[1] * keys + if backward { planes * queries } else { 0 };
    let mut scratch = call.scratch.clone();
    let first = scratch.len();
    scratch.extend([pairs, room, loud].map(|count| Scratch { dtype: DType::U32, count }));
    let of = |groups: usize| Shape { groups, columns: 1, tiles };
    let [kinds, lists] = [first, first + 1].map(BindTo::ScratchRead);
    let mut dispatches = call.packing.clone();
    dispatches.push(call.kinds(BindTo::Scratch(first), of(pairs.div_ceil(KINDS))));
    dispatches.push(numbers(call, BindTo::Scratch(first + 2), of(loud)));
    let mut listed = call.lists(kinds, BindTo::Scratch(first + 1), by_key, of(owners * planes));
    if !backward {
        let groups = of(planes * queries);
        let own = [BindTo::Input(0), BindTo::Input(1), BindTo::Input(2), BindTo::Output(1)];
        dispatches.push(listed.clone());
        dispatches.push(call.dispatch(
            "attention_tile_thresholds",
            "tile_threshold",
            &own,
            Some(lists),
            &["lists"],
            groups,
        ));
    }
    // Once more, of what holds weights.
    let rows = if backward { BindTo::Input(op.cotangent_input() + 1) } else { BindTo::Output(1) };
    listed.kernel.name += "_kept";
    listed.kernel.flags.push("skips");
    listed.kernel.flags.push(if backward { "cotangents" } else { "given" });
    listed.bindings.extend([rows, BindTo::ScratchRead(first + 2)]);
    dispatches.push(listed);
    dispatches.extend(kernels(call, Some(lists), tiles));
    Some(Lowering { variant: SKIPPED, scratch, dispatches })
}

/// Which tiles of values, and of cotangents, hold what is no finite number.
fn numbers(call: &Call<'_>, to: BindTo, shape: Shape) -> DispatchSpec {
    let cotangent = call.op.cotangent_input();
    let backward = call.op.part != PartOf::Forward;
    let apart = call.flags.iter().copied().filter(|flag| *flag == "apart");
    let kernel = Kernel {
        name: "attention_tile_numbers".into(),
        flags: apart.chain(backward.then_some("cotangents")).collect(),
        ..Kernel::named("attention/tile_numbers", vec![("TABLE_WORDS", call.table_words())])
    };
    let inputs = (0..3).chain(backward.then_some(cotangent)).map(BindTo::Input);
    let (bindings, params) = (inputs.chain([to]).collect(), call.params(shape));
    DispatchSpec { kernel, bindings, params, grid: Grid::Linear(shape.groups as u64), flat: None }
}
