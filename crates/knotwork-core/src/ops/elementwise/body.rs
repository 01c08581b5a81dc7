//! A few elementwise functions applied one after the other to each element: what one fused kernel computes.

use std::sync::Arc;

use rayon::prelude::*;

use super::{super::pack::pack, Function, moved, wide};
use crate::{
    DType, Layout, Result,
    cpu::{CpuIo, Slice, SliceMut},
    graph::Meta,
    ops::{Cost, Op, Reference, Rows},
    plan::{KernelRequest, Lowering},
};

/// Elements that the reference takes at a time.
const RUN: usize = 64;

/// Elements that the CPU takes through all steps before the next ones: they stay in the first-level cache.
pub(super) const TILE: usize = 2048;
/// Below this many elements a second thread costs more than it saves.
pub(super) const PARALLEL: usize = 1 << 16;

/// Where a step finds an argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// An input of the body.
    Input(usize),
    /// The result of an earlier step.
    Step(usize),
    /// A number.
    Constant(f64),
}

/// One function of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The function.
    pub function: Function,
    /// Where its arguments are.
    pub arguments: Vec<Argument>,
    /// The type of the result.
    pub dtype: DType,
    /// The type of the arguments (of the values to choose from, where the first is a condition).
    pub operands: DType,
}

/// Steps in order; the results of some are the outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// The steps.
    pub steps: Vec<Step>,
    /// Which steps' results are written.
    pub outputs: Vec<usize>,
}

impl Body {
    /// One function of as many inputs as it takes, on f32.
    #[must_use]
    pub fn of(function: Function) -> Self {
        let arguments: Vec<Argument> = (0..function.row.arity).map(Argument::Input).collect();
        let dtype = function.output(&vec![DType::F32; function.row.arity]);
        Self { steps: vec![Step { function, arguments, dtype, operands: DType::F32 }], outputs: vec![0] }
    }

    /// A readable name: the functions in order.
    #[must_use]
    pub fn name(&self) -> String {
        let mut names: Vec<&str> = self.steps.iter().map(|s| s.function.row.name).collect();
        if names.len() > 6 {
            names.truncate(5);
            names.push("more");
        }
        names.join("_")
    }

    /// One past the last input that a step reads.
    #[must_use]
    pub fn inputs(&self) -> usize {
        let arguments = self.steps.iter().flat_map(|s| &s.arguments);
        arguments
            .filter_map(|a| if let Argument::Input(i) = a { Some(i + 1) } else { None })
            .max()
            .unwrap_or(0)
    }

    /// Computes the outputs tile by tile: in f32, or by way of f64 where a type is another.
    pub(in crate::ops) fn run(&self, io: &mut CpuIo<'_>) {
        if !moved::run(self, io) && !self.run_f32(io) {
            wide::run(self, io);
        }
    }

    /// The same in f32; false where a type is another.
    fn run_f32(&self, io: &mut CpuIo<'_>) -> bool {
        let plain = |d: DType| matches!(d, DType::F32 | DType::Bool);
        if !io.inputs.iter().all(|i| plain(i.dtype)) || !self.steps.iter().all(|s| plain(s.dtype)) {
            return false;
        }
        let layouts: Vec<&Layout> = io.inputs.iter().map(|i| i.layout).collect();
        let mut layouts = Layout::collapse(&layouts);
        // Transposed inputs are made row-major first: tile by tile, each element would cost a cache line of its own.
        let packed: Vec<Option<Vec<f32>>> = io
            .inputs
            .iter()
            .zip(&layouts)
            .map(|(input, layout)| if let Slice::F32(x) = input.data { pack(layout, x) } else { None })
            .collect();
        let mut inputs: Vec<Slice<'_>> = io.inputs.iter().map(|i| i.data).collect();
        for ((input, layout), packed) in inputs.iter_mut().zip(&mut layouts).zip(&packed) {
            if let Some(packed) = packed {
                (*input, *layout) = (Slice::F32(packed), Layout::contiguous(&[packed.len()]));
            }
        }
        let n = io.outputs.first().map_or(0, |o| o.shape.iter().product());
        let constants: Vec<Vec<f32>> = self
            .steps
            .iter()
            .flat_map(|s| &s.arguments)
            .filter_map(
                |a| if let Argument::Constant(c) = a { Some(vec![*c as f32; TILE.min(n)]) } else { None },
            )
            .collect();
        // Split every output into the same tiles; a tile owns its piece of each output.
        let mut pieces: Vec<(usize, Vec<TileOut<'_>>)> =
            (0..n.div_ceil(TILE)).map(|t| (t * TILE, Vec::with_capacity(io.outputs.len()))).collect();
        for out in &mut io.outputs {
            match &mut out.data {
                SliceMut::F32(s) => {
                    for (piece, chunk) in pieces.iter_mut().zip(s.chunks_mut(TILE)) {
                        piece.1.push(TileOut::F32(chunk));
                    }
                }
                SliceMut::Bool(s) => {
                    for (piece, chunk) in pieces.iter_mut().zip(s.chunks_mut(TILE)) {
                        piece.1.push(TileOut::Bool(chunk));
                    }
                }
                _ => return false,
            }
        }
        let run = |scratch: &mut Scratch, (start, outs): &mut (usize, Vec<TileOut<'_>>)| {
            let len = TILE.min(n - *start);
            scratch.loaded.resize_with(inputs.len(), Vec::new);
            scratch.registers.resize_with(self.steps.len(), Vec::new);
            for (i, slice) in inputs.iter().enumerate() {
                let tile = &mut scratch.loaded[i];
                tile.resize(len, 0.0);
                match slice {
                    Slice::F32(s) => load(&layouts[i], *start, tile, |at| s[at], Some(s)),
                    Slice::Bool(s) => load(&layouts[i], *start, tile, |at| s[at] as f32, None),
                    Slice::InOutput(o) => match &outs[*o] {
                        TileOut::F32(chunk) => tile.copy_from_slice(chunk),
                        TileOut::Bool(chunk) => {
                            tile.iter_mut().zip(chunk.iter()).for_each(|(t, &c)| *t = c as f32);
                        }
                    },
                    _ => {}
                }
            }
            let loaded = &scratch.loaded;
            self.tile(len, &mut scratch.registers, |i| &loaded[i][..len], &constants);
            for (out, &s) in outs.iter_mut().zip(&self.outputs) {
                let result = &scratch.registers[s][..len];
                match out {
                    TileOut::F32(chunk) => chunk.copy_from_slice(result),
                    TileOut::Bool(chunk) => {
                        chunk.iter_mut().zip(result).for_each(|(c, &r)| *c = u32::from(r != 0.0));
                    }
                }
            }
        };
        if n < PARALLEL {
            let mut scratch = Scratch::default();
            pieces.iter_mut().for_each(|p| run(&mut scratch, p));
        } else {
            pieces.par_iter_mut().for_each_init(Scratch::default, |s, p| run(s, p));
        }
        true
    }

    /// Runs one tile: `load` fills a tile of an input, `store` takes one of an output.
    fn tile<'t>(
        &self,
        n: usize,
        registers: &mut [Vec<f32>],
        mut input: impl FnMut(usize) -> &'t [f32],
        constants: &[Vec<f32>],
    ) {
        let mut next_constant = 0;
        for (k, step) in self.steps.iter().enumerate() {
            let mut out = std::mem::take(&mut registers[k]);
            out.resize(n, 0.0);
            let arguments: Vec<&[f32]> = step
                .arguments
                .iter()
                .map(|a| match *a {
                    Argument::Input(i) => input(i),
                    Argument::Step(s) => &registers[s][..n],
                    Argument::Constant(_) => {
                        next_constant += 1;
                        &constants[next_constant - 1][..n]
                    }
                })
                .collect();
            (step.function.row.fast)(&arguments, &step.function.attributes, &mut out);
            registers[k] = out;
        }
    }
}

/// A body as an operation of the plan.
#[derive(Clone, Debug)]
pub struct Fused {
    name: String,
    body: Body,
}

impl Fused {
    /// A body under a name made of its functions.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self { name: body.name(), body }
    }
}

impl Op for Fused {
    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> String {
        format!("{:?}", self.body)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let shape = inputs.first().map(|m| m.shape.clone()).unwrap_or_default();
        Ok(self.body.outputs.iter().map(|&s| Meta::new(self.body.steps[s].dtype, &shape)).collect())
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let n = outputs.first().map_or(0, |o| o.data.len());
        // A run of elements at a time, step by step: what a step is must not be asked again for each of them.
        let mut results = vec![[0.0; RUN]; self.body.steps.len()];
        let mut arguments = Vec::new();
        for start in (0..n).step_by(RUN) {
            let run = RUN.min(n - start);
            for (s, step) in self.body.steps.iter().enumerate() {
                let (before, after) = results.split_at_mut(s);
                let out = &mut after[0][..run];
                let at = |a: &Argument, k: usize| match *a {
                    Argument::Input(i) => inputs[i].data[start + k],
                    Argument::Step(s) => before[s][k],
                    Argument::Constant(c) => c,
                };
                match &step.arguments[..] {
                    [a] => {
                        for (k, out) in out.iter_mut().enumerate() {
                            *out = step.function.value(step.operands, &[at(a, k)]);
                        }
                    }
                    [a, b] => {
                        for (k, out) in out.iter_mut().enumerate() {
                            *out = step.function.value(step.operands, &[at(a, k), at(b, k)]);
                        }
                    }
                    all => {
                        for (k, out) in out.iter_mut().enumerate() {
                            arguments.clear();
                            arguments.extend(all.iter().map(|a| at(a, k)));
                            *out = step.function.value(step.operands, &arguments);
                        }
                    }
                }
                if step.dtype != DType::F64 {
                    out.iter_mut().for_each(|v| *v = step.dtype.round(*v));
                }
            }
            for (out, &s) in outputs.iter_mut().zip(&self.body.outputs) {
                out.data[start..start + run].copy_from_slice(&results[s][..run]);
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        self.body.run(io);
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        self.body.lower(request)
    }

    fn accepts(&self, _: usize, _: &Layout) -> bool {
        true
    }

    fn body(&self) -> Option<&Body> {
        Some(&self.body)
    }

    fn in_rows(&self, _: usize, shapes: &[Vec<usize>]) -> Option<Rows> {
        Some((Arc::new(self.clone()), vec![Some(0); shapes.len()]))
    }

    /// One operation a function and element.
    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let elements = outputs.first().map_or(0, |(_, l)| l.count());
        Cost { flops: (self.body.steps.len() * elements) as f64, bytes: bytes(inputs) + bytes(outputs) }
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        let inputs = self.body.inputs();
        (0..inputs).flat_map(|i| (0..self.body.outputs.len()).map(move |o| (i, o))).collect()
    }
}

enum TileOut<'a> {
    F32(&'a mut [f32]),
    Bool(&'a mut [u32]),
}

#[derive(Default)]
struct Scratch {
    loaded: Vec<Vec<f32>>,
    registers: Vec<Vec<f32>>,
}

/// Fills a tile with the elements `start..` of a view.
pub(super) fn load<T: Copy>(
    layout: &Layout,
    start: usize,
    tile: &mut [T],
    at: impl Fn(usize) -> T,
    whole: Option<&[T]>,
) {
    let offset = layout.offset();
    let (shape, strides) = (layout.shape(), layout.strides());
    match (strides, whole) {
        ([] | [0], _) => return tile.fill(at(offset)),
        ([1], Some(s)) => return tile.copy_from_slice(&s[offset + start..offset + start + tile.len()]),
        _ => {}
    }
    // Walk row by row of the innermost dimension.
    let last = shape.len() - 1;
    let (inner, stride) = (shape[last], strides[last]);
    let mut done = 0;
    while done < tile.len() {
        let element = start + done;
        let (mut row, column) = (element / inner, element % inner);
        let mut base = offset;
        for d in (0..last).rev() {
            base += row % shape[d] * strides[d];
            row /= shape[d];
        }
        let run = (inner - column).min(tile.len() - done);
        let target = &mut tile[done..done + run];
        match (stride, whole) {
            (0, _) => target.fill(at(base)),
            (1, Some(s)) => target.copy_from_slice(&s[base + column..base + column + run]),
            _ => target.iter_mut().enumerate().for_each(|(k, t)| *t = at(base + (column + k) * stride)),
        }
        done += run;
    }
}
