//! The GPU kernels of the three sums, as plain data.

use super::{
    fours,
    op::{Kind, Spacing, SplineSum},
    silu::polynomial,
    sorted,
    split::{MOST_PARTS, Split, TURNS, Terms},
};
use crate::{
    DType,
    plan::{BindTo, Capabilities, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Params, Scratch},
};

/// Bytes of workgroup memory that every device has.
pub(super) const WORKGROUP_BYTES: usize = 16 << 10;

/// Sizes of one call.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub rows: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub bases: usize,
}

impl Sizes {
    /// Those of a sum, where its kernels can take them.
    pub fn of(kind: Kind, bases: usize, request: &KernelRequest<'_>) -> Result<Self, String> {
        if let Some(bad) = request.inputs.iter().chain(request.outputs).find(|o| o.dtype != DType::F32) {
            return Err(format!("its kernels take f32, not {}; cast first", bad.dtype));
        }
        let shape = |i: usize| request.inputs[i].layout.shape();
        let (rows, inputs) = (shape(0)[0], shape(0)[1]);
        let outputs = if kind == Kind::Forward { shape(1)[2] } else { shape(1)[1] };
        let largest = (inputs * bases * outputs).max(rows * inputs).max(rows * outputs);
        if largest > (u32::MAX as usize) / (2 * MOST_PARTS) {
            return Err(format!("{largest} elements of one operand are more than its kernels can index"));
        }
        Ok(Self { rows, inputs, outputs, bases })
    }
}

/// The kernels for these shapes.
pub(super) fn lower(op: &SplineSum, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    let sizes = Sizes::of(op.kind, op.basis.count(), request)?;
    let mut all = fours::lower(op, sizes, request.capabilities);
    if op.kind == Kind::Coefficients && op.spacing == Spacing::Even {
        all.extend(sorted::lower(op, sizes, request.capabilities));
    }
    all.push(match op.kind {
        Kind::Forward => forward(op, sizes, request.capabilities),
        Kind::Input => input(op, sizes),
        Kind::Coefficients => coefficients(op, sizes, request.capabilities),
    });
    Ok(all)
}

/// The words that all kernels share; `parts` and `span` say how the sum is split.
pub(super) fn params(op: &SplineSum, s: Sizes, parts: usize, span: usize) -> Params {
    params_of_blocks(op, s, parts, span, 0)
}

/// The same where blocks of so many rows are sorted.
pub(super) fn params_of_blocks(op: &SplineSum, s: Sizes, parts: usize, span: usize, block: usize) -> Params {
    let (lo, step) = (op.basis.ends().0, op.basis.step());
    // 12 bits less, so that the product with a cell's number is exact; the rest goes in a second word.
    let short = f64::from(f32::from_bits((step as f32).to_bits() & 0xffff_f000));
    let lo_hi = f64::from(lo as f32);
    let inverse = step.recip();
    let mut words = Params::new()
        .u32(s.rows)
        .u32(s.inputs)
        .u32(s.outputs)
        .u32(s.bases)
        .u32(op.basis.grid())
        .u32(parts)
        .u32(span)
        .f32(inverse as f32)
        .f32(lo_hi as f32)
        .f32((lo - lo_hi) as f32)
        .f32(short as f32)
        .f32((step - short) as f32)
        .f32(inverse.powi(op.derivative as i32) as f32)
        .u32(block)
        .u32(0u32)
        .u32(0u32);
    let (upper, lower) = (polynomial(op.derivative), polynomial(op.derivative.saturating_sub(1)));
    for c in upper.into_iter().chain(lower.map(|c| c * op.derivative as f64)) {
        words = words.f32(c as f32);
    }
    words
}

pub(super) fn kernel(op: &SplineSum, name: &'static str, sizes: &[(&'static str, usize)]) -> Kernel {
    let mut constants = vec![
        ("KAN_ORDER", (op.basis.order() as u32).into()),
        ("KAN_DERIVATIVE", (op.derivative as u32).into()),
    ];
    constants.extend(sizes.iter().map(|&(name, value)| (name, (value as u32).into())));
    let mut kernel = Kernel::named(name, constants);
    if op.base {
        kernel.flags.push("base");
    }
    if op.scale {
        kernel.flags.push("scale");
    }
    kernel
}

/// Words of workgroup memory a point takes: its weights, and the number of its first function.
fn words(op: &SplineSum) -> usize {
    op.basis.order() + 1 + usize::from(op.base) + 1
}

/// Turns of the loops that evaluate one point, about.
pub(super) fn evaluation(op: &SplineSum) -> usize {
    let terms = op.basis.order() + 1;
    let search = match op.spacing {
        Spacing::Even => 0,
        Spacing::Given { .. } => 2 * terms + (op.basis.grid() + 2 * terms).ilog2() as usize + 1,
    };
    terms * (terms + 4) + search
}

/// Terms of a sum, a multiple of `grain`, that one invocation may walk where each takes so many turns of its loops.
pub(super) fn limit(each: usize, grain: usize) -> usize {
    (TURNS / each.max(1) / grain).max(1) * grain
}

/// The largest power of two from `low` to `high` that `count` fills, `low` if none.
pub(super) fn tile(count: usize, low: usize, high: usize) -> usize {
    count.next_power_of_two().clamp(low, high)
}

pub(super) fn dispatch(kernel: Kernel, bindings: Vec<BindTo>, params: Params, groups: usize) -> DispatchSpec {
    DispatchSpec { kernel, bindings, params, grid: Grid::Linear(groups as u64), flat: None }
}

/// A dispatch of a kernel that evaluates splines: where knots are given they are bound behind all else.
pub(super) fn splines(
    op: &SplineSum,
    mut kernel: Kernel,
    mut bindings: Vec<BindTo>,
    params: Params,
    groups: usize,
) -> DispatchSpec {
    if let (Some(knots), Spacing::Given { closed }) = (op.knots_input(), op.spacing) {
        bindings.push(BindTo::Input(knots));
        kernel.flags.push("knots");
        kernel.constants.push(("KAN_KNOTS", (bindings.len() as u32).into()));
        kernel.constants.push(("KAN_CLOSED", u32::from(closed).into()));
    }
    dispatch(kernel, bindings, params, groups)
}

/// Adds the parts of a sum: `count` elements from scratch memory into an output.
pub(super) fn add_parts(scratch: usize, output: usize, count: usize, parts: usize) -> DispatchSpec {
    let kernel = Kernel::named("kan/add_parts", Vec::new());
    let params = Params::new().u32(count).u32(parts).u32(0u32).u32(0u32);
    dispatch(kernel, vec![BindTo::ScratchRead(scratch), BindTo::Output(output)], params, count.div_ceil(256))
}

fn forward(op: &SplineSum, s: Sizes, on: &Capabilities) -> Lowering {
    const THREADS: usize = 256;
    let columns = tile(s.outputs, 8, 64);
    let lanes = THREADS / columns;
    let each = s.rows.div_ceil(lanes).clamp(1, 4).next_power_of_two();
    let rows = lanes * each;
    let points = if THREADS * 4 * words(op) <= WORKGROUP_BYTES { THREADS } else { THREADS / 2 };
    let depth = (points / rows).max(1);
    let tiles = s.rows.div_ceil(rows) * s.outputs.div_ceil(columns);
    let turns = each * (words(op) + 1) + evaluation(op) * rows.div_ceil(THREADS);
    let terms = Terms { count: s.inputs, least: 4 * depth, grain: depth, limit: limit(turns, depth) };
    let Split { parts, span } = Split::best(terms, tiles, on);
    let kernel = kernel(op, "kan/forward", &[("COLUMNS", columns), ("EACH", each), ("DEPTH", depth)]);
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1)];
    bindings.push(if parts > 1 { BindTo::Scratch(0) } else { BindTo::Output(0) });
    bindings.extend(op.base_input().map(BindTo::Input));
    bindings.extend(op.scale_input().map(BindTo::Input));
    let first = splines(op, kernel, bindings, params(op, s, parts, span), tiles * parts);
    let count = s.rows * s.outputs;
    if parts == 1 {
        return Lowering::single("tiles", first);
    }
    Lowering {
        variant: "split_inputs",
        scratch: vec![Scratch { dtype: DType::F32, count: count * parts }],
        dispatches: vec![first, add_parts(0, 0, count, parts)],
    }
}

fn input(op: &SplineSum, s: Sizes) -> Lowering {
    const THREADS: usize = 256;
    // Outputs that are staged at once; one word of padding keeps rows in different banks.
    let chunk = tile(s.outputs, 4, 32);
    let inputs = tile(s.inputs, 1, 8);
    let budget = |inputs: usize| {
        let rows = THREADS / inputs;
        let base = if op.base { inputs } else { 0 };
        4 * (chunk + 1) * (rows + inputs * s.bases + base) <= WORKGROUP_BYTES
    };
    let staged = [inputs, inputs / 2, inputs / 4].into_iter().find(|&i| i > 0 && budget(i));
    let (tile_inputs, variant) = match staged {
        Some(inputs) => (inputs, "staged"),
        None => (tile(s.inputs, 4, 8), "gather"),
    };
    let bases = if staged.is_some() { s.bases } else { 0 };
    let sizes = [("INPUTS", tile_inputs), ("CHUNK", chunk), ("BASES", bases)];
    let mut kernel = kernel(op, "kan/input", &sizes);
    if staged.is_some() {
        kernel.flags.push("staged");
    }
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), BindTo::Input(2), BindTo::Output(0)];
    bindings.extend(op.base_input().map(BindTo::Input));
    let groups = s.rows.div_ceil(THREADS / tile_inputs) * s.inputs.div_ceil(tile_inputs);
    Lowering::single(variant, splines(op, kernel, bindings, params(op, s, 1, s.rows), groups))
}

fn coefficients(op: &SplineSum, s: Sizes, on: &Capabilities) -> Lowering {
    let columns = tile(s.outputs, 16, 64);
    let held = (WORKGROUP_BYTES / 4 / columns - words(op)).min(s.bases);
    let ranges = s.bases.div_ceil(held);
    let tiles = s.inputs * ranges * s.outputs.div_ceil(columns);
    let turns = words(op) + 1 + evaluation(op).div_ceil(columns);
    let terms = Terms { count: s.rows, least: 64, grain: 1, limit: limit(turns, 1) };
    let Split { parts, span } = Split::best(terms, tiles, on);
    let kernel = kernel(op, "kan/coefficients", &[("COLUMNS", columns), ("HELD", held)]);
    let to = |index: usize| if parts > 1 { BindTo::Scratch(index) } else { BindTo::Output(index) };
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), to(0)];
    if op.base {
        bindings.push(to(1));
    }
    bindings.extend(op.scale_input().map(BindTo::Input));
    let first = splines(op, kernel, bindings, params(op, s, parts, span), tiles * parts);
    if parts == 1 {
        return Lowering::single("columns", first);
    }
    let mut counts = vec![s.inputs * s.bases * s.outputs];
    if op.base {
        counts.push(s.inputs * s.outputs);
    }
    let scratch = counts.iter().map(|count| Scratch { dtype: DType::F32, count: count * parts }).collect();
    let mut dispatches = vec![first];
    dispatches.extend(counts.iter().enumerate().map(|(i, &count)| add_parts(i, i, count, parts)));
    Lowering { variant: "split_rows", scratch, dispatches }
}
