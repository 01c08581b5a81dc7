//! The GPU kernels of the sums over any basis, as plain data.

use super::super::{
    basis::{Basis, Form},
    kernels::{self, Sizes, add_parts, dispatch},
    op::{KanSum, Kind},
    silu::polynomial,
    split::{Split, TURNS, Terms, few},
};
use crate::{
    DType,
    plan::{
        BindTo, Capabilities, ConstantValue, DispatchSpec, Kernel, KernelRequest, Lowering, Params, Scratch,
    },
};

/// Functions that lie in workgroup memory at once.
const FEATURES: usize = 32;
/// Rows of a tile.
const ROWS: usize = 64;
/// Rows up to which a workgroup makes outputs of one row only.
const FEW_ROWS: usize = 16;

/// The kernels for these shapes.
pub(crate) fn lower(op: &KanSum, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    let sizes = Sizes::of(op.kind, op.basis.count(), request)?;
    let on = request.capabilities;
    Ok(match op.kind {
        Kind::Forward => {
            let mut all = rows(op, sizes, on);
            all.extend(tiles(op, sizes, on));
            all.push(forward(op, sizes, on));
            all
        }
        Kind::Input => {
            let mut all: Vec<Lowering> = input_tile(op, sizes).into_iter().collect();
            all.push(input(op, sizes));
            all
        }
        Kind::Coefficients => {
            let mut all = transposed(op, sizes, on);
            all.push(coefficients(op, sizes, on));
            all
        }
    })
}

/// The flag that chooses a basis, and the constants that it declares.
pub(crate) fn family(basis: &Basis) -> (Option<&'static str>, Vec<(&'static str, ConstantValue)>) {
    let table = ("KAN_TABLE", ((table(basis).len() / 4) as u32).into());
    match basis.0 {
        Form::BSpline(spline) => (Some("bspline"), vec![("KAN_ORDER", (spline.order() as u32).into())]),
        Form::Rbf { .. } => (Some("rbf"), vec![table]),
        Form::Polynomial { .. } => (None, vec![table]),
        Form::Fourier { .. } => (Some("fourier"), vec![table]),
        Form::ReluKan { .. } => (Some("relu_kan"), vec![table]),
        Form::Bernstein { degree } => {
            (Some("bernstein"), vec![table, ("KAN_COUNT", (degree as u32 + 1).into())])
        }
    }
}

/// The numbers of a basis, in vectors of four; its file in `shaders/kan/bases` says what they mean. The last factor of
/// ReLU-KAN depends on the derivative: [`sum_params`] sets it.
fn table(basis: &Basis) -> Vec<f32> {
    match basis.0 {
        Form::Rbf { n, range: (lo, hi), width } => {
            let step = (hi - lo) / n.saturating_sub(1).max(1) as f64;
            // 12 bits less, so that the product with a centre's number is exact; the rest goes in a second word.
            let short = f64::from(f32::from_bits((step as f32).to_bits() & 0xffff_f000));
            let high = lo as f32;
            let low = (lo - f64::from(high)) as f32;
            vec![high, low, short as f32, (step - short) as f32, width.recip() as f32, 0.0, 0.0, 0.0]
        }
        Form::Polynomial { degree, family } => (1..=degree.max(1))
            .flat_map(|n| {
                let [a, b, c] = family.step(n).map(|v| {
                    let high = v as f32;
                    [high, (v - f64::from(high)) as f32]
                });
                [a[0], a[1], b[0], b[1], c[0], c[1], 0.0, 0.0]
            })
            .collect(),
        Form::ReluKan { grid, order } => vec![grid as f32, order as f32, 0.0, 0.0],
        _ => vec![0.0; 4],
    }
}

/// The words that all kernels share; `parts` and `span` say how the work is split.
pub(crate) fn sum_params(basis: &Basis, derivative: usize, s: Sizes, parts: usize, span: usize) -> Params {
    let mut words = Params::new()
        .u32(s.rows)
        .u32(s.inputs)
        .u32(s.outputs)
        .u32(s.bases)
        .u32(parts)
        .u32(span)
        .u32(0u32)
        .u32(0u32);
    let (upper, lower) = (polynomial(derivative), polynomial(derivative.saturating_sub(1)));
    for c in upper.into_iter().chain(lower.map(|c| c * derivative as f64)) {
        words = words.f32(c as f32);
    }
    let mut table = table(basis);
    if let Form::ReluKan { grid, order } = basis.0 {
        let factorial = (1..=derivative).product::<usize>() as f64;
        let unit = (grid as f64).powi(derivative as i32);
        table[2] = (16.0 * unit * factorial / ((order + 1) as f64).powi(4)) as f32;
    }
    table.into_iter().fold(words, Params::f32)
}

/// The words of a sum over any basis.
fn words(op: &KanSum, s: Sizes, parts: usize, span: usize) -> Params {
    match op.splines() {
        Some(sum) => kernels::params(&sum, s, parts, span),
        None => sum_params(&op.basis, op.derivative, s, parts, span),
    }
}

/// How the functions of the inputs fill a tile.
struct Tile {
    /// Functions of an input, silu among them.
    held: usize,
    /// Inputs.
    depth: usize,
    /// Tiles that an input's functions need.
    ranges: usize,
}

impl Tile {
    fn new(op: &KanSum, s: Sizes) -> Self {
        Self::of(op, s, FEATURES)
    }

    /// With at most so many features.
    fn of(op: &KanSum, s: Sizes, features: usize) -> Self {
        let functions = s.bases + usize::from(op.base);
        let ranges = functions.div_ceil(features);
        let held = functions.div_ceil(ranges);
        let depth = if ranges > 1 { 1 } else { (features / held).min(s.inputs).max(1) };
        Self { held, depth, ranges }
    }
}

/// Turns of the loops that evaluate all functions at one point, about.
fn turns(op: &KanSum, s: Sizes, tile: &Tile) -> usize {
    let skipped = tile.held * tile.ranges * (tile.ranges - 1) / 2;
    match op.basis.0 {
        Form::Bernstein { degree } => s.bases + tile.ranges * (degree * degree / 2 + degree),
        Form::Polynomial { .. } => s.bases + skipped,
        Form::BSpline(spline) => s.bases + tile.ranges * spline.order() * (spline.order() + 4),
        _ => s.bases,
    }
}

fn kernel(op: &KanSum, name: &'static str, sizes: &[(&'static str, usize)]) -> Kernel {
    let (flag, mut constants) = family(&op.basis);
    constants.push(("KAN_DERIVATIVE", (op.derivative as u32).into()));
    constants.extend(sizes.iter().map(|&(name, value)| (name, (value as u32).into())));
    let mut kernel = Kernel::named(name, constants);
    kernel.flags.extend(flag);
    if op.base {
        kernel.flags.push("base");
    }
    if op.scale {
        kernel.flags.push("scale");
    }
    kernel
}

/// Threads along the outputs, of which each takes 4.
fn across(outputs: usize) -> usize {
    if outputs > 16 { 16 } else { 4 }
}

fn forward(op: &KanSum, s: Sizes, on: &Capabilities) -> Lowering {
    let (tile, across) = (Tile::new(op, s), across(s.outputs));
    let tiles = s.rows.div_ceil(ROWS) * s.outputs.div_ceil(4 * across);
    // Each thread evaluates 4 / across points of an input, stages coefficients and multiplies.
    let each = 4 * turns(op, s, &tile) / across + 2 * tile.held * tile.ranges + 2;
    let limit = (TURNS / each).max(1);
    let terms = Terms { count: s.inputs, least: 4 * tile.depth, grain: 1, limit };
    let Split { parts, span } = Split::best(terms, tiles, on);
    let phi = tile.held * tile.depth * ROWS;
    let sizes = [("HELD", tile.held), ("DEPTH", tile.depth), ("PHI", phi), ("ACROSS", across)];
    let kernel = kernel(op, "kan/dense/forward", &sizes);
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1)];
    bindings.push(if parts > 1 { BindTo::Scratch(0) } else { BindTo::Output(0) });
    bindings.extend(op.base_input().map(BindTo::Input));
    bindings.extend(op.scale_input().map(BindTo::Input));
    let params = words(op, s, parts, span);
    let first = dispatch(kernel, bindings, params, tiles * parts);
    let count = s.rows * s.outputs;
    split_or_whole(["dense", "dense_split_inputs"], first, vec![count], parts)
}

/// A workgroup for a row, its threads split over the functions: where rows are few, as tiles of them would be nearly empty.
/// Splines have kernels for that which read only the coefficients of functions that are not 0.
fn rows(op: &KanSum, s: Sizes, on: &Capabilities) -> Vec<Lowering> {
    const THREADS: usize = 256;
    // Words of functions, beside a vector of sums for each thread.
    const PHI: usize = 2048;
    if s.rows > FEW_ROWS || s.rows * s.inputs * s.outputs == 0 || op.splines().is_some() {
        return Vec::new();
    }
    let held = Tile::of(op, s, PHI);
    let across = kernels::tile(s.outputs.div_ceil(4), 1, 16);
    let lanes = THREADS / across;
    let depth = held.depth.min(THREADS);
    let tiles = s.rows * s.outputs.div_ceil(4 * across);
    // Of so many inputs a thread evaluates one at most, and adds one of `lanes` functions.
    let each = turns(op, s, &held) + held.ranges * ((held.held * depth).div_ceil(lanes) + 1) + 1;
    let limit = (TURNS / each).max(1) * depth;
    let terms = Terms { count: s.inputs, least: (32 * lanes).div_ceil(held.held), grain: 1, limit };
    let offered = Split::offered(terms, tiles, on).into_iter();
    offered
        .map(|Split { parts, span }| {
            let sizes = [("HELD", held.held), ("DEPTH", depth), ("PHI", PHI), ("ACROSS", across)];
            let mut kernel = kernel(op, "kan/dense/row", &sizes);
            kernel.flags.extend(s.outputs.is_multiple_of(4).then_some("fours"));
            let mut bindings = vec![BindTo::Input(0), BindTo::Input(1)];
            bindings.push(if parts > 1 { BindTo::Scratch(0) } else { BindTo::Output(0) });
            bindings.extend(op.base_input().map(BindTo::Input));
            bindings.extend(op.scale_input().map(BindTo::Input));
            let first = dispatch(kernel, bindings, words(op, s, parts, span), tiles * parts);
            split_or_whole(["row", "row_split"], first, vec![s.rows * s.outputs], parts)
        })
        .collect()
}

/// Tiles of 8 x 8 outputs a thread, where rows and outputs fill a good part of one.
fn tiles(op: &KanSum, s: Sizes, on: &Capabilities) -> Vec<Lowering> {
    let mut all = Vec::new();
    let named = [("dense128", "dense128_split"), ("dense64", "dense64_split")];
    for ((name, split), threads, features) in [(named[0], 16, 16), (named[1], 8, 32)] {
        let side = 8 * threads;
        if s.rows.min(s.outputs) <= side / 2 {
            continue;
        }
        let tile = Tile::of(op, s, features);
        let tiles = s.rows.div_ceil(side) * s.outputs.div_ceil(side);
        // Each thread evaluates 8 / threads points of an input, stages two vectors of a feature and multiplies.
        let each = (8 * turns(op, s, &tile)).div_ceil(threads) + 3 * tile.held * tile.ranges + 2;
        let limit = (TURNS / each).max(1);
        let terms = Terms { count: s.inputs, least: 4 * tile.depth, grain: 1, limit };
        for Split { parts, span } in Split::offered(terms, tiles, on) {
            let phi = ("PHI", tile.held * tile.depth * side);
            let held = [("HELD", tile.held), ("DEPTH", tile.depth), phi];
            let sizes = [held.as_slice(), &[("DOWN", threads), ("ACROSS", threads)]].concat();
            let mut kernel = kernel(op, "kan/dense/tile", &sizes);
            kernel.flags.extend((s.outputs.is_multiple_of(4) && s.inputs > 0).then_some("fours"));
            let mut bindings = vec![BindTo::Input(0), BindTo::Input(1)];
            bindings.push(if parts > 1 { BindTo::Scratch(0) } else { BindTo::Output(0) });
            bindings.extend(op.base_input().map(BindTo::Input));
            bindings.extend(op.scale_input().map(BindTo::Input));
            let params = words(op, s, parts, span);
            let first = dispatch(kernel, bindings, params, tiles * parts);
            all.push(split_or_whole([name, split], first, vec![s.rows * s.outputs], parts));
        }
    }
    // Large tiles that leave a device idle come last.
    let idle = s.rows.div_ceil(128) * s.outputs.div_ceil(128) < few(on).div_ceil(4);
    all.sort_by_key(|l| idle && l.variant.starts_with("dense128"));
    all
}

/// One dispatch, and one more for each output that comes in parts.
fn split_or_whole(
    names: [&'static str; 2],
    first: DispatchSpec,
    counts: Vec<usize>,
    parts: usize,
) -> Lowering {
    if parts == 1 {
        return Lowering::single(names[0], first);
    }
    let scratch = counts.iter().map(|count| Scratch { dtype: DType::F32, count: count * parts }).collect();
    let mut dispatches = vec![first];
    dispatches.extend(counts.iter().enumerate().map(|(i, &count)| add_parts(i, i, count, parts)));
    Lowering { variant: names[1], scratch, dispatches }
}

fn input(op: &KanSum, s: Sizes) -> Lowering {
    let tile = Tile::new(op, s);
    let kernel = kernel(op, "kan/dense/input", &[("HELD", tile.held), ("DEPTH", tile.depth)]);
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), BindTo::Input(2), BindTo::Output(0)];
    bindings.extend(op.base_input().map(BindTo::Input));
    let params = words(op, s, 1, s.rows);
    let groups = s.rows.div_ceil(ROWS) * s.inputs.div_ceil(tile.depth);
    Lowering::single("dense", dispatch(kernel, bindings, params, groups))
}

/// The gradient to x with 8 x 8 inner sums a thread, where rows and functions fill a good part of a tile.
fn input_tile(op: &KanSum, s: Sizes) -> Option<Lowering> {
    const SIDE: usize = 64;
    let tile = Tile::of(op, s, SIDE);
    // A turn an output, and 10 of 8 outputs that stage them.
    let turns = tile.ranges * (3 * s.outputs + turns(op, s, &tile));
    if s.rows.min(tile.held * tile.depth) <= SIDE / 2 || turns > TURNS {
        return None;
    }
    let kernel = kernel(op, "kan/dense/input_tile", &[("HELD", tile.held), ("DEPTH", tile.depth)]);
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), BindTo::Input(2), BindTo::Output(0)];
    bindings.extend(op.base_input().map(BindTo::Input));
    let params = words(op, s, 1, s.rows);
    let groups = s.rows.div_ceil(SIDE) * s.inputs.div_ceil(tile.depth);
    Some(Lowering::single("dense64", dispatch(kernel, bindings, params, groups)))
}

fn coefficients(op: &KanSum, s: Sizes, on: &Capabilities) -> Lowering {
    // Rows that are evaluated at once.
    const CHUNK: usize = 32;
    let (tile, across) = (Tile::new(op, s), across(s.outputs));
    let tiles = s.inputs.div_ceil(tile.depth) * tile.ranges * s.outputs.div_ceil(4 * across);
    let quads = (tile.held * tile.depth).div_ceil(4);
    // Each thread evaluates depth / (quads across) points of a row, stages g and multiplies.
    let each = tile.depth * turns(op, s, &tile) / (quads * across) + 4;
    let limit = (TURNS / each).max(32);
    let terms = Terms { count: s.rows, least: ROWS, grain: 1, limit };
    let Split { parts, span } = Split::best(terms, tiles, on);
    let phi = CHUNK * quads * 4;
    let sizes =
        [("HELD", tile.held), ("DEPTH", tile.depth), ("PHI", phi), ("ACROSS", across), ("CHUNK", CHUNK)];
    let kernel = kernel(op, "kan/dense/coefficients", &sizes);
    let to = |index: usize| if parts > 1 { BindTo::Scratch(index) } else { BindTo::Output(index) };
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), to(0)];
    let mut counts = vec![s.inputs * s.bases * s.outputs];
    if op.base {
        bindings.push(to(1));
        counts.push(s.inputs * s.outputs);
    }
    bindings.extend(op.scale_input().map(BindTo::Input));
    let params = words(op, s, parts, span);
    let first = dispatch(kernel, bindings, params, tiles * parts);
    split_or_whole(["dense", "dense_split_rows"], first, counts, parts)
}

/// The transposed product with 8 x 8 sums a thread, where functions and outputs fill a good part of a tile.
fn transposed(op: &KanSum, s: Sizes, on: &Capabilities) -> Vec<Lowering> {
    const SIDE: usize = 64;
    // Rows that are evaluated at once.
    const CHUNK: usize = 16;
    let tile = Tile::of(op, s, SIDE);
    if s.outputs <= SIDE / 2 || tile.held * tile.depth <= SIDE / 2 {
        return Vec::new();
    }
    let tiles = s.inputs.div_ceil(tile.depth) * tile.ranges * s.outputs.div_ceil(SIDE);
    // Of 16 rows each of 64 threads evaluates depth / 4 points, stages g and multiplies.
    let each = (tile.depth * turns(op, s, &tile)).div_ceil(64) + 4;
    let limit = (TURNS / each).max(32);
    let terms = Terms { count: s.rows, least: ROWS, grain: 1, limit };
    let Split { parts, span } = Split::best(terms, tiles, on);
    let side = SIDE / 8;
    // Rows lie a word more than a tile's functions apart.
    let held = [("HELD", tile.held), ("DEPTH", tile.depth), ("PHI", CHUNK * (SIDE + 1))];
    let sizes = [held.as_slice(), &[("CHUNK", CHUNK), ("DOWN", side), ("ACROSS", side)]].concat();
    let mut kernel = kernel(op, "kan/dense/transposed", &sizes);
    kernel.flags.extend((s.outputs.is_multiple_of(4) && s.rows > 0).then_some("fours"));
    let to = |index: usize| if parts > 1 { BindTo::Scratch(index) } else { BindTo::Output(index) };
    let mut counts = vec![s.inputs * s.bases * s.outputs];
    if op.base {
        counts.push(s.inputs * s.outputs);
    }
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1)];
    bindings.extend((0..counts.len()).map(to));
    bindings.extend(op.scale_input().map(BindTo::Input));
    let params = words(op, s, parts, span);
    let first = dispatch(kernel, bindings, params, tiles * parts);
    vec![split_or_whole(["transposed", "transposed_split"], first, counts, parts)]
}
