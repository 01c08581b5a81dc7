//! The CPU's way for types that have no form of their own: each value as f64, a run of elements through all steps at a time.

use rayon::prelude::*;

use super::{
    Argument, Body, Function,
    body::{PARALLEL, load},
};
use crate::{
    DType, Layout,
    cpu::{CpuIo, Slice, SliceMut},
};

/// Elements of a run.
const RUN: usize = 256;
/// Runs of one task.
const RUNS: usize = 16;
/// The most arguments of a function.
const ARGUMENTS: usize = 3;

/// Computes the outputs.
pub(super) fn run(body: &Body, io: &mut CpuIo<'_>) {
    let layouts: Vec<&Layout> = io.inputs.iter().map(|i| i.layout).collect();
    let layouts = Layout::collapse(&layouts);
    let inputs: Vec<(Slice<'_>, &Layout)> = io.inputs.iter().map(|i| i.data).zip(&layouts).collect();
    let n: usize = io.outputs.first().map_or(0, |o| o.shape.iter().product());
    let size = RUN * RUNS;
    let mut tasks: Vec<(usize, Vec<SliceMut<'_>>)> =
        (0..n).step_by(size).map(|start| (start, Vec::with_capacity(io.outputs.len()))).collect();
    for out in &mut io.outputs {
        let parts = chunks(&mut out.data, size);
        tasks.iter_mut().zip(parts).for_each(|(task, part)| task.1.push(part));
    }
    let task = |wide: &mut Wide<'_>, (start, outs): &mut (usize, Vec<SliceMut<'_>>)| {
        let here = size.min(n - *start);
        for from in (0..here).step_by(RUN) {
            wide.run(&inputs, *start, from..here.min(from + RUN), outs);
        }
    };
    if n < PARALLEL {
        let mut wide = Wide::new(body, inputs.len(), n);
        tasks.iter_mut().for_each(|t| task(&mut wide, t));
    } else {
        tasks.par_iter_mut().for_each_init(|| Wide::new(body, inputs.len(), n), |w, t| task(w, t));
    }
}

/// Parts of so many elements.
fn chunks<'a>(all: &'a mut SliceMut<'_>, size: usize) -> Vec<SliceMut<'a>> {
    match all {
        SliceMut::F32(s) => s.chunks_mut(size).map(SliceMut::F32).collect(),
        SliceMut::F16(s) => s.chunks_mut(size).map(SliceMut::F16).collect(),
        SliceMut::F64(s) => s.chunks_mut(size).map(SliceMut::F64).collect(),
        SliceMut::I32(s) => s.chunks_mut(size).map(SliceMut::I32).collect(),
        SliceMut::U32(s) => s.chunks_mut(size).map(SliceMut::U32).collect(),
        SliceMut::Bool(s) => s.chunks_mut(size).map(SliceMut::Bool).collect(),
    }
}

/// Room for a run: of every input, constant and result.
struct Wide<'a> {
    body: &'a Body,
    room: usize,
    loaded: Vec<f64>,
    constants: Vec<f64>,
    results: Vec<f64>,
}

impl<'a> Wide<'a> {
    /// For runs of at most `n` elements.
    fn new(body: &'a Body, inputs: usize, n: usize) -> Self {
        let room = n.clamp(1, RUN);
        let rows = |n: usize| vec![0.0; n * room];
        let results = rows(body.steps.len());
        Self { body, room, loaded: rows(inputs), constants: rows(ARGUMENTS), results }
    }

    /// A range of the elements from `start` on, of which `outs` are the outputs.
    fn run(
        &mut self,
        inputs: &[(Slice<'_>, &Layout)],
        start: usize,
        range: std::ops::Range<usize>,
        outs: &mut [SliceMut<'_>],
    ) {
        let (n, first, room) = (range.len(), start + range.start, self.room);
        // All inputs before any output, which may be in the same memory.
        for (&(slice, layout), tile) in inputs.iter().zip(self.loaded.chunks_exact_mut(room)) {
            let tile = &mut tile[..n];
            match slice {
                Slice::F64(s) => load(layout, first, tile, |at| s[at], Some(s)),
                Slice::F32(s) => load(layout, first, tile, |at| s[at].into(), None),
                Slice::F16(s) => load(layout, first, tile, |at| s[at].into(), None),
                Slice::I32(s) => load(layout, first, tile, |at| s[at].into(), None),
                Slice::U32(s) | Slice::Bool(s) => load(layout, first, tile, |at| s[at].into(), None),
                Slice::InOutput(o) => own(&outs[o], range.clone(), tile),
            }
        }
        for (s, step) in self.body.steps.iter().enumerate() {
            let (before, after) = self.results.split_at_mut(s * room);
            let out = &mut after[..n];
            let constants = self.constants.chunks_exact_mut(room);
            let mut arguments: [&[f64]; ARGUMENTS] = [&[]; ARGUMENTS];
            for ((to, argument), constant) in arguments.iter_mut().zip(&step.arguments).zip(constants) {
                *to = match *argument {
                    Argument::Input(i) => &self.loaded[i * room..][..n],
                    Argument::Step(s) => &before[s * room..][..n],
                    Argument::Constant(c) => {
                        constant[..n].fill(c);
                        &constant[..n]
                    }
                };
            }
            values(&step.function, step.operands, &arguments[..step.arguments.len()], out);
            if step.dtype != DType::F64 {
                out.iter_mut().for_each(|v| *v = step.dtype.round(*v));
            }
        }
        for (out, &s) in outs.iter_mut().zip(&self.body.outputs) {
            out.store(range.clone(), &self.results[s * room..][..n]);
        }
    }
}

/// A function of a run of arguments.
fn values(function: &Function, operands: DType, arguments: &[&[f64]], out: &mut [f64]) {
    match (function.row.wide, arguments) {
        (Some(wide), _) if operands.is_float() => wide(arguments, out),
        (_, [_]) => unary(arguments, out, |a| function.value(operands, &[a])),
        (_, [_, _]) => binary(arguments, out, |a, b| function.value(operands, &[a, b])),
        (_, all) => {
            let mut held = [0.0; ARGUMENTS];
            for (k, out) in out.iter_mut().enumerate() {
                held.iter_mut().zip(all).for_each(|(held, all)| *held = all[k]);
                *out = function.value(operands, &held[..all.len()]);
            }
        }
    }
}

/// f of each element.
pub(super) fn unary(x: &[&[f64]], y: &mut [f64], f: impl Fn(f64) -> f64) {
    y.iter_mut().zip(x[0]).for_each(|(y, a)| *y = f(*a));
}

/// f of each pair of elements.
pub(super) fn binary(x: &[&[f64]], y: &mut [f64], f: impl Fn(f64, f64) -> f64) {
    y.iter_mut().zip(x[0].iter().zip(x[1])).for_each(|(y, (a, b))| *y = f(*a, *b));
}

/// What an output's memory holds before it is written.
fn own(out: &SliceMut<'_>, range: std::ops::Range<usize>, tile: &mut [f64]) {
    let pairs = tile.iter_mut();
    match out {
        SliceMut::F64(s) => tile.copy_from_slice(&s[range]),
        SliceMut::F32(s) => pairs.zip(&s[range]).for_each(|(t, v)| *t = (*v).into()),
        SliceMut::F16(s) => pairs.zip(&s[range]).for_each(|(t, v)| *t = (*v).into()),
        SliceMut::I32(s) => pairs.zip(&s[range]).for_each(|(t, v)| *t = (*v).into()),
        SliceMut::U32(s) | SliceMut::Bool(s) => pairs.zip(&s[range]).for_each(|(t, v)| *t = (*v).into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Graph, HostTensor, ops::testing::both};

    #[test]
    fn every_type_and_layout_is_as_the_reference_has_it() {
        // Runs that end within a tile, several tasks, and threads.
        for shape in [[1, 3, 7], [3, 17, 21], [2, 190, 230]] {
            let n: usize = shape.iter().product();
            for dtype in [DType::F64, DType::F16, DType::F32, DType::I32, DType::U32] {
                let signed = if dtype == DType::U32 { 0.0 } else { 500.0 };
                // Integers whose products do not fit.
                let unit = if dtype.is_float() { 1.0 } else { 4_000_037.0 };
                let numbers: Vec<f64> = (0..n).map(|k| unit * ((k * 7919 % 1021) as f64 - signed)).collect();
                let g = Graph::new();
                let x = g.input("x", dtype, shape).unwrap();
                let [_, b, c] = shape;
                let row = x.slice(0, 0, 1).unwrap().slice(1, 1, 2).unwrap().broadcast_to(shape).unwrap();
                let column = x.slice(2, 2, 3).unwrap().broadcast_to(shape).unwrap();
                let sum = x.mul(2.0).unwrap().add(&row).unwrap().sub(&column).unwrap();
                let product = sum.mul(&x).unwrap();
                let turned = x.permute(&[0, 2, 1]).unwrap().reshape([shape[0], b, c]).unwrap();
                let above = x.gt(&row).unwrap();
                let chosen = sum.select(&above, &turned).unwrap();
                let tenth = x.cast(DType::F64).unwrap().mul(0.1).unwrap();
                let mut outputs = vec![sum, product, chosen, tenth, above];
                if dtype.is_float() {
                    let ratio = x.abs().unwrap().add(1.0).unwrap().recip().unwrap().mul(&row).unwrap();
                    outputs.push(ratio.cast(DType::F32).unwrap().add(1.0).unwrap());
                }
                let feeds = [("x", HostTensor::from_f64(dtype, &numbers, &shape))];
                both(&g, &outputs.iter().collect::<Vec<_>>(), &feeds);
            }
        }
    }

    /// State that a step reads and overwrites lies in the step's own output; another input is of another shape.
    #[test]
    fn memory_is_read_before_it_is_overwritten() {
        let (rows, wide) = (300, 240);
        let start: Vec<f64> = (0..rows * wide).map(|k| (k % 7) as f64).collect();
        for dtype in [DType::F64, DType::F16, DType::I32, DType::U32] {
            let g = Graph::new();
            let host = |values: &[f64], shape: &[usize]| HostTensor::from_f64(dtype, values, shape);
            let s = g.state("s", "s", host(&start, &[rows, wide])).unwrap();
            let row: Vec<f64> = (0..wide).map(|k| (k % 5) as f64).collect();
            let added = g.tensor(host(&row, &[1, wide])).unwrap();
            let update = g.assign(&s, &s.mul(2.0).unwrap().add(&added).unwrap()).unwrap();
            let mut program = crate::Device::cpu().compile(&g, &[], &[&update]).unwrap();
            for _ in 0..2 {
                program.run::<HostTensor>([]).unwrap();
            }
            let found = program.params().get("s").unwrap().to_f64();
            for (k, (found, start)) in found.iter().zip(&start).enumerate() {
                assert_eq!(*found, 4.0 * start + 3.0 * row[k % wide], "{dtype}, {k}");
            }
        }
    }
}
