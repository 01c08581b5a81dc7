//! The GPU kernels of the coefficient gradient over splines that sort rows by the cells of their points first.
//!
//! A thread then walks rows of one input whose cells only rise, and keeps the k + 1 sums of a cell in registers: it reads a
//! row's cotangent once and writes a sum once. The walks are as long for any data: lists of rows are cut by their number,
//! not by cells, so that a feature which never changes costs no more than another.

use super::{
    kernels::{
        Sizes, WORKGROUP_BYTES, add_parts, dispatch, evaluation, kernel, limit, params_of_blocks, tile,
    },
    op::SplineSum,
    split::{Split, TURNS, Terms},
};
use crate::{
    DType,
    plan::{BindTo, Capabilities, Lowering, Scratch},
};

/// The most sums that a thread keeps in registers.
const TERMS: usize = 8;
/// Threads of a workgroup that adds up.
const THREADS: usize = 64;
/// Threads that sort, from and to: each has a count for every interval.
const SORTING: (usize, usize) = (16, 256);
/// Rows of a block that a sorting thread takes at most.
const EACH: usize = 64;
/// Rows that are worth a part of their own.
const LEAST: usize = 64;

/// How the rows of an input are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    /// Intervals, and one key more for NaN.
    keys: usize,
    threads: usize,
    /// Rows that are sorted by themselves.
    block: usize,
    blocks: usize,
}

impl Order {
    /// None where there are too many intervals to count them in workgroup memory.
    fn new(rows: usize, grid: usize) -> Option<Self> {
        let keys = grid + 1;
        let threads = (WORKGROUP_BYTES / 4 / (keys + 1)).checked_ilog2().map(|log| 1 << log)?;
        let threads = SORTING.1.min(threads);
        if threads < SORTING.0 {
            return None;
        }
        let blocks = rows.div_ceil(EACH * threads);
        let block = rows.div_ceil(blocks);
        Some(Self { keys, threads, block, blocks: rows.div_ceil(block) })
    }
}

/// The variants; none where the outputs are no fours, there is nothing to sort by, or memory between the dispatches would
/// not fit a binding.
pub(super) fn lower(op: &SplineSum, s: Sizes, on: &Capabilities) -> Vec<Lowering> {
    let empty = s.rows * s.inputs * s.outputs == 0;
    if empty || !s.outputs.is_multiple_of(4) || !(1..=TERMS).contains(&op.terms()) {
        return Vec::new();
    }
    let Some(order) = Order::new(s.rows, op.basis.grid()) else { return Vec::new() };
    // A thread takes two fours of outputs.
    let across = tile(s.outputs.div_ceil(8), 1, 16);
    let lists = THREADS / across;
    // A list's own words, and of each of its points the weights, row and first function, and silu.
    let point = 16 * op.terms().div_ceil(4) + 8 + if op.base { 4 } else { 0 };
    let chunk = ((WORKGROUP_BYTES / lists - 20) / point).clamp(1, 32);
    let columns = s.outputs.div_ceil(8 * across);
    let tiles = (s.inputs * order.blocks).div_ceil(lists) * columns;
    let turns = 1 + evaluation(op).div_ceil(across);
    let terms = Terms { count: order.block, least: LEAST, grain: 1, limit: limit(turns, 1) };
    let sizes = [("ACROSS", across), ("LISTS", lists), ("CHUNK", 1 << chunk.ilog2())];
    let offered = Split::offered(terms, tiles, on).into_iter();
    // Where blocks are several, no choice of parts is whole.
    let most = if order.blocks > 1 { 1 } else { 2 };
    offered.take(most).filter_map(|split| one(op, s, order, split, sizes, on)).collect()
}

/// Sorting, adding up, and where an input has several parts, adding these.
fn one(
    op: &SplineSum,
    s: Sizes,
    order: Order,
    Split { parts, span }: Split,
    sizes: [(&'static str, usize); 3],
    on: &Capabilities,
) -> Option<Lowering> {
    let all = parts * order.blocks;
    if all > TURNS {
        return None;
    }
    let words = || params_of_blocks(op, s, parts, span, order.block);
    let plain = SplineSum { base: false, scale: false, derivative: 0, ..*op };
    let mut scratch = vec![
        Scratch { dtype: DType::I32, count: s.rows * s.inputs },
        Scratch { dtype: DType::I32, count: s.rows * s.inputs * 2 },
    ];
    let sorting = [("THREADS", order.threads), ("KEYS", order.keys)];
    let mut dispatches = vec![dispatch(
        kernel(&plain, "kan/sorted/order", &sorting),
        vec![BindTo::Input(0), BindTo::Scratch(0), BindTo::Scratch(1)],
        words(),
        s.inputs * order.blocks,
    )];
    let [(_, across), (_, lists), _] = sizes;
    let to = |output: usize| if all > 1 { BindTo::Scratch(2 + output) } else { BindTo::Output(output) };
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), BindTo::ScratchRead(1), to(0)];
    bindings.extend(op.base.then(|| to(1)));
    bindings.extend(op.scale_input().map(BindTo::Input));
    let mut sums = kernel(op, "kan/sorted/sums", &sizes);
    sums.flags.extend((all == 1).then_some("whole"));
    let groups = (s.inputs * all).div_ceil(lists) * s.outputs.div_ceil(8 * across);
    dispatches.push(dispatch(sums, bindings, words(), groups));
    if all > 1 {
        // Neighbouring parts of a block share at most the functions of one cell, and have places of their own for them.
        let places = s.bases + (parts - 1) * op.terms();
        let count = order.blocks.checked_mul(s.inputs * places)?.checked_mul(s.outputs)?;
        scratch.push(Scratch { dtype: DType::F32, count });
        dispatches.push(dispatch(
            kernel(&plain, "kan/sorted/add", &[]),
            vec![BindTo::ScratchRead(1), BindTo::ScratchRead(2), BindTo::Output(0)],
            words(),
            (s.inputs * s.bases * s.outputs / 4).div_ceil(256),
        ));
        if op.base {
            let count = s.inputs * s.outputs;
            scratch.push(Scratch { dtype: DType::F32, count: count * all });
            dispatches.push(add_parts(3, 1, count, all));
        }
    }
    let most = on.max_binding_bytes.min(u32::MAX as usize);
    let fits = scratch.iter().all(|s| s.count.checked_mul(4).is_some_and(|bytes| bytes <= most));
    fits.then_some(Lowering { variant: if all > 1 { "sorted_split" } else { "sorted" }, scratch, dispatches })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Layout,
        ops::kan::{
            BSpline,
            op::{Kind, Spacing},
        },
        plan::{KernelOperand, KernelRequest},
    };

    #[test]
    fn blocks_cover_all_rows_and_their_counts_fit_workgroup_memory() {
        for grid in [1, 5, 50, 200, 254] {
            for rows in [1, 2, 63, 64, 1000, 4097, 1_000_003] {
                let order = Order::new(rows, grid).unwrap();
                assert!(order.block * order.blocks >= rows && order.block * (order.blocks - 1) < rows);
                assert!(order.block <= EACH * order.threads);
                assert!(4 * order.threads * (order.keys + 1) <= WORKGROUP_BYTES);
            }
        }
        assert_eq!(Order::new(100_000, 400), None);
    }

    /// The variants of the sum over [rows, inputs, outputs] of a basis, on a device.
    fn variants([rows, i, o]: [usize; 3], basis: BSpline, on: &Capabilities) -> Vec<Lowering> {
        let op = SplineSum {
            kind: Kind::Coefficients,
            basis,
            derivative: 0,
            base: true,
            scale: false,
            spacing: Spacing::Even,
        };
        let operand =
            |shape: &[usize]| KernelOperand { dtype: DType::F32, layout: Layout::contiguous(shape) };
        let inputs = [operand(&[rows, i]), operand(&[rows, o])];
        let outputs = [operand(&[i, basis.count(), o]), operand(&[i, o])];
        let request = KernelRequest { inputs: &inputs, outputs: &outputs, aliases: &[], capabilities: on };
        lower(&op, Sizes::of(op.kind, basis.count(), &request).unwrap(), on)
    }

    #[test]
    fn what_does_not_fit_is_not_offered() {
        let on = Capabilities::portable();
        let cubic = BSpline::new(50, 3).unwrap();
        let names = |shape, basis, on: &Capabilities| -> Vec<_> {
            variants(shape, basis, on).iter().map(|l| l.variant).collect()
        };
        assert_eq!(names([2048, 16, 64], cubic, &on), ["sorted_split", "sorted"]);
        // More rows than are sorted at once.
        assert_eq!(names([100_000, 16, 64], cubic, &on), ["sorted_split"]);
        // No fours, orders of more sums than registers hold, too many intervals.
        assert!(names([2048, 16, 6], cubic, &on).is_empty());
        assert!(names([2048, 16, 64], BSpline::new(5, 8).unwrap(), &on).is_empty());
        assert!(names([2048, 16, 64], BSpline::new(400, 3).unwrap(), &on).is_empty());
        // Pairs of 8 bytes a point beyond a binding.
        let small = Capabilities { max_binding_bytes: 2048 * 16 * 8 - 1, ..on };
        assert!(names([2048, 16, 64], cubic, &small).is_empty());
    }

    #[test]
    fn parts_of_every_list_have_places_of_their_own() {
        let on = Capabilities::portable();
        for all in variants([5000, 3, 8], BSpline::new(50, 2).unwrap(), &on) {
            let word = |k: usize| all.dispatches[1].params.words()[k] as usize;
            let (parts, block) = (word(5), word(13));
            assert!(parts * word(6) >= block && block * 5000usize.div_ceil(block) >= 5000);
            assert_eq!(all.scratch[2].count, 5000usize.div_ceil(block) * 3 * (52 + (parts - 1) * 3) * 8);
        }
    }
}
