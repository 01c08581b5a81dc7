//! Rows added to the rows of a table that indices name: what gathering rows is the gradient of, and the other way round.

pub(super) mod kernels;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rayon::prelude::*;

use super::{Case, CaseInput, Cases, Cost, Op, Reference, Registered, gather_rows::row};
use crate::{
    DType, Dim, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{KernelRequest, Lowering},
    tensor::Binding,
};

/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;
/// Rows that one accumulator takes before sums of sums begin.
const BLOCK: usize = 32;

pub(super) const REGISTERED: Registered = Registered {
    name: "scatter_add_rows",
    formula: "row n is the sum of the rows of x whose index is n",
    inputs: "x [..., D]; index […] (i32 or u32)",
    attributes: "rows, one past the largest index",
    types: "f32, f64",
    source: "",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize], columns: usize, rows: usize| {
            let all: Vec<usize> = shape.iter().copied().chain([columns]).collect();
            Case::new(
                format!("{all:?} to {rows} rows"),
                vec![CaseInput::new(&all), CaseInput::index(shape, rows)],
                move |t| Ok(vec![t[0].scatter_add_rows(&t[1], rows)?]),
            )
        };
        vec![
            case(&[1], 1, 1),
            case(&[7, 9], 65, 5),
            // Several blocks, two digits.
            case(&[2500], 3, 300),
            // Rows over several whole chunks.
            case(&[3000], 2, 2),
            case(&[700], 1, 1),
            case(&[3], 4, 70_000).no_gradient(),
            case(&[0], 3, 4),
        ]
    }),
};

/// (x, index) → `[rows, D]`.
#[derive(Clone, Debug)]
struct ScatterAddRows {
    rows: Dim,
}

impl Tensor {
    /// Rows added up by index: self is `[..., D]`, `index` is `[...]` of i32 or u32 in 0..rows, and row n of the result,
    /// `[rows, D]`, is the sum of the rows of self whose index is n; 0 where there is none. Sums are made in an order that
    /// depends on the indices only, without floating-point atomics: every run gives the same bits.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let (x, index) = (g.input("x", DType::F32, [3, 1])?, g.input("index", DType::I32, [3])?);
    /// let mut p = Device::cpu().compile(&g, &[&x.scatter_add_rows(&index, 2)?], &[])?;
    /// let feeds =
    ///     [("x", HostTensor::new(&[1.0f32, 2.0, 4.0], [3, 1])?), ("index", HostTensor::new(&[1i32, 0, 1], [3])?)];
    /// assert_eq!(p.run(feeds)?.wait()?[0].as_slice::<f32>()?, &[2.0, 5.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the index has not the shape of self without its last dimension, or holds no i32 or u32, `rows` is 0, or the
    /// elements are not f32 or f64. An index outside 0..rows is refused before the run where it is an input of the program,
    /// else clamped, counted and reported with the results.
    #[track_caller]
    pub fn scatter_add_rows(&self, index: &Self, rows: impl Into<Dim>) -> Result<Self> {
        self.graph().apply_one(ScatterAddRows { rows: rows.into() }, &[self, index], Site::here())
    }
}

impl Op for ScatterAddRows {
    fn name(&self) -> &str {
        "scatter_add_rows"
    }

    fn attributes(&self) -> String {
        format!("rows={}", self.rows)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (x, index) = (&inputs[0], &inputs[1]);
        if !matches!(x.dtype, DType::F32 | DType::F64) {
            return Err(format!("x is {}; it adds f32 or f64", x.dtype));
        }
        if !index.dtype.is_index() {
            return Err(format!("the index is {}; it takes i32 or u32", index.dtype));
        }
        let columns = match x.shape.dims().split_last() {
            Some((columns, rest)) if rest == index.shape.dims() => columns.clone(),
            _ => {
                return Err(format!(
                    "the shapes must be [..., D] and [...], not {} and {}",
                    x.shape, index.shape
                ));
            }
        };
        if self.rows.fixed() == Some(0) {
            return Err("rows is 0: there is no row to add to".into());
        }
        Ok(vec![Meta::new(x.dtype, vec![self.rows.clone(), columns])])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (rows, columns) = (outputs[0].shape[0], outputs[0].shape[1]);
        outputs[0].data.fill(0.0);
        for (at, &index) in inputs[1].data.iter().enumerate() {
            let to = row(index as i64, at, rows)? * columns;
            for d in 0..columns {
                outputs[0].data[to + d] += inputs[0].data[at * columns + d];
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (rows, columns) = (io.outputs[0].shape[0], io.outputs[0].shape[1]);
        let (Some(x), Some(index)) = (io.inputs[0].f32(), io.inputs[1].indices()) else { return Ok(false) };
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        // Positions in the order of their rows: a stable counting sort.
        let mut ends = vec![0usize; rows + 1];
        for (at, &i) in index.iter().enumerate() {
            ends[row(i, at, rows)? + 1] += 1;
        }
        for n in 0..rows {
            ends[n + 1] += ends[n];
        }
        let starts = ends.clone();
        let mut order = vec![0usize; index.len()];
        for (at, &i) in index.iter().enumerate() {
            let place = &mut ends[i as usize];
            order[*place] = at;
            *place += 1;
        }
        let one = |(n, out): (usize, &mut [f32])| {
            let mut block = vec![0.0f32; columns];
            let mut sum = vec![0.0f64; columns];
            for positions in order[starts[n]..starts[n + 1]].chunks(BLOCK) {
                block.fill(0.0);
                for &at in positions {
                    block.iter_mut().zip(&x[at * columns..]).for_each(|(b, x)| *b += x);
                }
                sum.iter_mut().zip(&block).for_each(|(sum, b)| *sum += f64::from(*b));
            }
            out.iter_mut().zip(sum).for_each(|(out, sum)| *out = sum as f32);
        };
        let width = columns.max(1);
        if x.len().max(out.len()) < PARALLEL {
            out.chunks_mut(width).enumerate().for_each(one);
        } else {
            out.par_chunks_mut(width).enumerate().with_min_len(16).for_each(one);
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(request)
    }

    fn indices(&self, _: &[Vec<usize>]) -> Option<(usize, usize)> {
        self.rows.fixed().map(|rows| (1, rows))
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(context.cotangent()?.gather_rows(&context.inputs[1])?), None])
    }

    fn bind(&self, binding: &Binding) -> Result<Option<Arc<dyn Op>>, Arc<str>> {
        Ok(Some(Arc::new(Self { rows: self.rows.bind(binding)?.into() })))
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        Cost { flops: inputs[0].1.count() as f64, bytes: bytes(inputs) + bytes(outputs) }
    }
}
