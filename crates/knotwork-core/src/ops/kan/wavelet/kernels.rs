//! The GPU kernels of the three sums, as plain data.

use super::op::{Kind, WaveletSum};
use crate::{
    DType,
    ops::kan::{
        kernels::{add_parts, dispatch},
        split::{ENOUGH_GROUPS, MOST_PARTS},
    },
    plan::{BindTo, Kernel, KernelRequest, Lowering, Params, Scratch},
};

/// The side of a tile.
const SIDE: usize = 16;
/// Terms of a sum that one invocation may add: some drivers end its loops after 65,535 turns, of which a term takes
/// up to six.
const LONGEST: usize = 8192;
/// Rows up to which a workgroup makes outputs of one row only: of a tile's threads most would have no row.
const FEW_ROWS: usize = 8;
/// Threads that share such an output, and outputs of a workgroup.
const ROW: (usize, usize) = (32, 8);
/// The most parts of a sum of very many terms.
const MANY_PARTS: usize = 1024;

/// The kernels for these shapes.
pub(super) fn lower(op: &WaveletSum, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    if let Some(bad) = request.inputs.iter().chain(request.outputs).find(|o| o.dtype != DType::F32) {
        return Err(format!("its kernels take f32, not {}; cast first", bad.dtype));
    }
    let shape = |i: usize| request.inputs[i].layout.shape();
    let (rows, inputs) = (shape(0)[0], shape(0)[1]);
    let outputs = shape(if op.kind == Kind::Forward { 1 } else { 2 })[0];
    let largest = (inputs * outputs).max(rows * inputs).max(rows * outputs);
    if largest > (u32::MAX as usize) / (2 * MOST_PARTS) {
        return Err(format!("{largest} elements of one operand are more than its kernels can index"));
    }
    let (name, [down, across, terms]) = match op.kind {
        Kind::Forward => ("kan/wavelet/forward", [rows, outputs, inputs]),
        Kind::Input => ("kan/wavelet/input", [rows, inputs, outputs]),
        Kind::Parameters => ("kan/wavelet/parameters", [outputs, inputs, rows]),
    };
    let sum = |name: &'static str, names: [&'static str; 2], tiles: usize, threads: usize| {
        // Threads that share a sum, each with a few terms at least and so many at most.
        let (worth, longest) = (terms.div_ceil(4 * threads.max(SIDE)), LONGEST * threads);
        let wanted = ENOUGH_GROUPS.div_ceil(tiles.max(1)).min(worth).clamp(1, MOST_PARTS);
        let parts = wanted.max(terms.div_ceil(longest).min(MANY_PARTS));
        let span = terms.div_ceil(parts).max(1);
        let parts = terms.div_ceil(span).max(1);
        let outs = request.outputs.len();
        let last = request.inputs.len() - usize::from(op.weighted);
        let mut bindings: Vec<BindTo> = (0..last).map(BindTo::Input).collect();
        bindings.extend((0..outs).map(|i| if parts > 1 { BindTo::Scratch(i) } else { BindTo::Output(i) }));
        bindings.extend(op.weighted.then_some(BindTo::Input(last)));
        let params = Params::new().u32(rows).u32(inputs).u32(outputs).u32(parts).u32(span);
        let params = params.u32(0u32).u32(0u32).u32(0u32);
        let first = dispatch(kernel(op, name), bindings, params, tiles * parts);
        if parts == 1 {
            return Lowering::single(names[0], first);
        }
        let count = down * across;
        let mut dispatches = vec![first];
        dispatches.extend((0..outs).map(|i| add_parts(i, i, count, parts)));
        let scratch = vec![Scratch { dtype: DType::F32, count: count * parts }; outs];
        Lowering { variant: names[1], scratch, dispatches }
    };
    let mut all = Vec::new();
    if op.kind == Kind::Forward && (1..=FEW_ROWS).contains(&rows) && inputs * outputs > 0 {
        let (lanes, outs) = ROW;
        let tiles = rows * outputs.div_ceil(outs);
        all.push(sum("kan/wavelet/row", ["row", "row_split"], tiles, lanes));
    }
    let tiles = down.div_ceil(SIDE) * across.div_ceil(SIDE);
    all.push(sum(name, ["tiles", "split"], tiles, 1));
    Ok(all)
}

/// A kernel with what says which wavelet.
fn kernel(op: &WaveletSum, name: &'static str) -> Kernel {
    let form = op.wavelet.form();
    let constants = vec![
        ("FREQUENCY", (form.frequency as f32).into()),
        ("FACTOR", (form.factor as f32).into()),
        ("DERIVATIVE", ((form.skip + op.derivative) as u32).into()),
        ("POWER", (op.power as u32).into()),
    ];
    let mut kernel = Kernel::named(name, constants);
    kernel.flags.extend(op.weighted.then_some("weighted"));
    kernel
}
