//! The GPU kernels of the sums over splines that take four outputs at a time, where their number is a multiple of 4.

use super::{
    kernels::{Sizes, WORKGROUP_BYTES, add_parts, evaluation, kernel, limit, params, splines, tile},
    op::{Kind, SplineSum},
    split::{Split, Terms},
};
use crate::plan::{BindTo, Capabilities, DispatchSpec, Lowering};

/// Threads of a workgroup.
const THREADS: usize = 256;
/// Bytes of a vector.
const VECTOR: usize = 16;
/// Rows up to which a workgroup makes outputs of one row only.
const FEW_ROWS: usize = 16;
/// Numbers of functions up to which floats are exact.
const EXACT: usize = 1 << 24;

/// The variants; none where the outputs are no fours.
pub(super) fn lower(op: &SplineSum, s: Sizes, on: &Capabilities) -> Vec<Lowering> {
    let empty = s.rows * s.inputs * s.outputs == 0;
    if empty || !s.outputs.is_multiple_of(4) || s.bases >= EXACT {
        return Vec::new();
    }
    match op.kind {
        Kind::Forward => {
            let mut all = tiles(op, s, on);
            if s.rows <= FEW_ROWS {
                all.splice(0..0, rows(op, s, on));
            }
            all
        }
        Kind::Input => input(op, s),
        Kind::Coefficients => coefficients(op, s, on),
    }
}

/// Vectors that a point takes in workgroup memory.
fn vectors(op: &SplineSum) -> usize {
    (op.terms() + 5) / 4
}

/// Where the operands of a forward sum are bound.
fn bind_forward(op: &SplineSum, parts: usize) -> Vec<BindTo> {
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1)];
    bindings.push(if parts > 1 { BindTo::Scratch(0) } else { BindTo::Output(0) });
    bindings.extend(op.base_input().map(BindTo::Input));
    bindings.extend(op.scale_input().map(BindTo::Input));
    bindings
}

/// One dispatch, and where the sum is split, one more that adds the parts of each output.
fn in_parts(variant: &'static str, first: DispatchSpec, counts: &[usize], parts: usize) -> Lowering {
    let mut lowering = Lowering::single(variant, first);
    if parts > 1 {
        for (i, &count) in counts.iter().enumerate() {
            lowering.scratch.push(crate::plan::Scratch { dtype: crate::DType::F32, count: count * parts });
            lowering.dispatches.push(add_parts(i, i, count, parts));
        }
    }
    lowering
}

/// Tiles of rows x outputs, whole and, where that leaves a device idle, split over the inputs.
fn tiles(op: &SplineSum, s: Sizes, on: &Capabilities) -> Vec<Lowering> {
    let across = tile(s.outputs / 4, 2, 16);
    let lanes = THREADS / across;
    let each = s.rows.div_ceil(lanes).clamp(1, 4).next_power_of_two();
    let rows = lanes * each;
    let depth = (WORKGROUP_BYTES / (VECTOR * vectors(op) * rows)).clamp(1, 4);
    let depth = 1 << depth.ilog2();
    let tiles = s.rows.div_ceil(rows) * s.outputs.div_ceil(4 * across);
    let sizes = [("ACROSS", across), ("EACH", each), ("DEPTH", depth)];
    let turns = each * (vectors(op) + 1) + evaluation(op) * rows.div_ceil(THREADS) + 1;
    let terms = Terms { count: s.inputs, least: 4 * depth, grain: depth, limit: limit(turns, depth) };
    Split::offered(terms, tiles, on)
        .into_iter()
        .map(|Split { parts, span }| {
            let kernel = kernel(op, "kan/fours/forward", &sizes);
            let words = params(op, s, parts, span);
            let first = splines(op, kernel, bind_forward(op, parts), words, tiles * parts);
            let name = if parts > 1 { "fours_split" } else { "fours" };
            in_parts(name, first, &[s.rows * s.outputs], parts)
        })
        .collect()
}

/// A workgroup for a row, its threads split over the inputs.
fn rows(op: &SplineSum, s: Sizes, on: &Capabilities) -> Vec<Lowering> {
    let across = tile(s.outputs / 4, 1, 16);
    // Points that are evaluated at once, beside a vector of sums for each thread.
    let chunk = ((WORKGROUP_BYTES / VECTOR - THREADS) / vectors(op)).min(THREADS);
    let chunk = 1 << chunk.ilog2();
    let tiles = s.rows * s.outputs.div_ceil(4 * across);
    let sizes = [("ACROSS", across), ("CHUNK", chunk)];
    // A thread takes one input of so many, and evaluates its own of 256.
    let lanes = THREADS / across;
    let turns = (vectors(op) + 1) * THREADS / lanes + evaluation(op);
    let terms = Terms { count: s.inputs, least: 4 * lanes, grain: lanes, limit: limit(turns, 1) * THREADS };
    Split::offered(terms, tiles, on)
        .into_iter()
        .map(|Split { parts, span }| {
            let kernel = kernel(op, "kan/fours/row", &sizes);
            let words = params(op, s, parts, span);
            let first = splines(op, kernel, bind_forward(op, parts), words, tiles * parts);
            let name = if parts > 1 { "row_split" } else { "row" };
            in_parts(name, first, &[s.rows * s.outputs], parts)
        })
        .collect()
}

fn input(op: &SplineSum, s: Sizes) -> Vec<Lowering> {
    let inputs = tile(s.inputs, 1, 8);
    let one = |variant: &'static str, inputs: usize, chunk: Option<usize>| {
        let mut sizes = vec![("INPUTS", inputs)];
        sizes.extend(chunk.into_iter().flat_map(|c| [("CHUNK", c), ("BASES", s.bases)]));
        let mut kernel = kernel(op, "kan/fours/input", &sizes);
        kernel.flags.extend(chunk.map(|_| "staged"));
        let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), BindTo::Input(2), BindTo::Output(0)];
        bindings.extend(op.base_input().map(BindTo::Input));
        let groups = s.rows.div_ceil(THREADS / inputs) * s.inputs.div_ceil(inputs);
        Lowering::single(variant, splines(op, kernel, bindings, params(op, s, 1, s.rows), groups))
    };
    let fits = |&(inputs, chunk): &(usize, usize)| {
        let base = if op.base { inputs } else { 0 };
        VECTOR * (chunk + 1) * (THREADS / inputs + inputs * s.bases + base) <= WORKGROUP_BYTES
    };
    let most = tile(s.outputs / 4, 1, 8);
    let choices = [8, 4, 2].into_iter().flat_map(|i| [8, 4, 2].map(|c| (i.min(inputs), c.min(most))));
    let staged = choices.into_iter().find(fits).map(|(i, c)| one("staged_fours", i, Some(c)));
    let mut all = vec![one("gather_fours", inputs, None)];
    all.extend(staged);
    all
}

fn coefficients(op: &SplineSum, s: Sizes, on: &Capabilities) -> Vec<Lowering> {
    const CHUNK: usize = 32;
    let across = tile(s.outputs / 4, 1, 16);
    let room = WORKGROUP_BYTES / VECTOR;
    let fits = |inputs: usize| inputs * (s.bases * across + CHUNK * vectors(op)) <= room;
    let inputs = [8, 4, 2].into_iter().find(|&i| i < 2 * s.inputs && i * across <= THREADS && fits(i));
    let inputs = inputs.unwrap_or(1);
    let held = ((room - inputs * CHUNK * vectors(op)) / (inputs * across)).min(s.bases);
    let ranges = s.bases.div_ceil(held);
    let tiles = s.inputs.div_ceil(inputs) * ranges * s.outputs.div_ceil(4 * across);
    let sizes = [("ACROSS", across), ("INPUTS", inputs), ("HELD", held), ("CHUNK", CHUNK)];
    let mut counts = vec![s.inputs * s.bases * s.outputs];
    if op.base {
        counts.push(s.inputs * s.outputs);
    }
    let turns = vectors(op) + 2 + evaluation(op).div_ceil(across);
    let terms = Terms { count: s.rows, least: 64, grain: 1, limit: limit(turns, 1) };
    Split::offered(terms, tiles, on)
        .into_iter()
        .map(|Split { parts, span }| {
            let mut kernel = kernel(op, "kan/fours/coefficients", &sizes);
            kernel.flags.extend((ranges > 1).then_some("ranged"));
            let to = |index: usize| if parts > 1 { BindTo::Scratch(index) } else { BindTo::Output(index) };
            let mut bindings = vec![BindTo::Input(0), BindTo::Input(1)];
            bindings.extend((0..counts.len()).map(to));
            bindings.extend(op.scale_input().map(BindTo::Input));
            let first = splines(op, kernel, bindings, params(op, s, parts, span), tiles * parts);
            in_parts(if parts > 1 { "fours_split" } else { "fours" }, first, &counts, parts)
        })
        .collect()
}
