//! Rows of a table by index: embedding look-up.

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::{Case, CaseInput, Cases, Cost, Op, Reference, Registered};
use crate::{
    DType, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};

/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;

pub(super) const REGISTERED: Registered = Registered {
    name: "gather_rows",
    formula: "row index of the table",
    inputs: "table [N, D]; index […] (i32 or u32)",
    attributes: "",
    types: "any; gradients f32, f64",
    source: "",
    cases: Cases::Listed(|| {
        let case = |rows: usize, columns: usize, shape: &[usize]| {
            Case::new(
                format!("{shape:?} of [{rows}, {columns}]"),
                vec![CaseInput::new(&[rows, columns]), CaseInput::index(shape, rows)],
                |t| Ok(vec![t[0].gather_rows(&t[1])?]),
            )
        };
        vec![
            case(1, 1, &[5]),
            case(300, 65, &[7, 9]),
            case(300, 1, &[257]),
            case(5, 64, &[3, 1, 4]),
            case(3, 2, &[]),
            case(4, 3, &[0]),
        ]
    }),
};

/// (table, index) → rows.
#[derive(Clone, Debug)]
struct GatherRows;

impl Tensor {
    /// Rows of a table: self is `[N, D]`, `index` holds i32 or u32 in 0..N in any shape, and the result is `[..., D]`. An
    /// index may come several times; its gradients are then added, in the order of the positions.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let table = g.parameter("table", HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [3, 2])?)?;
    /// let rows = table.gather_rows(&g.input("index", DType::I32, [2])?)?;
    /// let mut p = Device::cpu().compile(&g, &[&rows], &[])?;
    /// let out = p.run([("index", HostTensor::new(&[2i32, 0], [2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[5.0, 6.0, 1.0, 2.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the table is not `[N, D]` with a row, or the index holds no i32 or u32. An index outside 0..N is refused before
    /// the run where it is an input of the program, else clamped, counted and reported with the results.
    #[track_caller]
    pub fn gather_rows(&self, index: &Self) -> Result<Self> {
        self.graph().apply_one(GatherRows, &[self, index], Site::here())
    }
}

/// An index as a row, or the message that it is outside.
pub(super) fn row(value: i64, at: usize, rows: usize) -> Result<usize, String> {
    usize::try_from(value)
        .ok()
        .filter(|&row| row < rows)
        .ok_or_else(|| format!("index {value} at {at} lies outside 0..{rows}"))
}

/// The flag of a kernel whose indices are u32.
pub(super) fn index_flags(dtype: DType) -> Vec<&'static str> {
    if dtype == DType::U32 { vec!["unsigned"] } else { Vec::new() }
}

impl Op for GatherRows {
    fn name(&self) -> &str {
        "gather_rows"
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (table, index) = (&inputs[0], &inputs[1]);
        let [rows, columns] = table.shape.dims() else {
            return Err(format!("the table is {}; it must be [N, D]", table.shape));
        };
        if rows.fixed() == Some(0) {
            return Err(format!("the table is {}: there is no row to take", table.shape));
        }
        if !index.dtype.is_index() {
            return Err(format!("the index is {}; it takes i32 or u32", index.dtype));
        }
        let dims = index.shape.dims().iter().chain([columns]).cloned().collect::<Vec<_>>();
        Ok(vec![Meta::new(table.dtype, dims)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (rows, columns) = (inputs[0].shape[0], inputs[0].shape[1]);
        for (at, &index) in inputs[1].data.iter().enumerate() {
            let from = row(index as i64, at, rows)? * columns;
            for d in 0..columns {
                outputs[0].data[at * columns + d] = inputs[0].data[from + d];
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (rows, columns) = (io.inputs[0].layout.shape()[0], io.inputs[0].layout.shape()[1]);
        let (Some(table), Some(index)) = (io.inputs[0].f32(), io.inputs[1].indices()) else {
            return Ok(false);
        };
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        let from =
            index.iter().enumerate().map(|(at, &i)| row(i, at, rows)).collect::<Result<Vec<_>, _>>()?;
        let width = columns.max(1);
        let copy =
            |(out, &row): (&mut [f32], &usize)| out.copy_from_slice(&table[row * columns..][..columns]);
        if out.len() < PARALLEL {
            out.chunks_mut(width).zip(&from).for_each(copy);
        } else {
            out.par_chunks_mut(width).zip(&from).with_min_len(64).for_each(copy);
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let dtype = request.inputs[0].dtype;
        if dtype.bytes() != 4 {
            return Err(format!("{dtype} rows are taken on the CPU only; cast first"));
        }
        let shape = request.inputs[0].layout.shape();
        let count = request.outputs[0].layout.count();
        Ok(vec![Lowering::single(
            "element",
            DispatchSpec {
                kernel: Kernel {
                    name: "gather_rows".into(),
                    source: Source::Named("gather_rows"),
                    flags: index_flags(request.inputs[1].dtype),
                    constants: Vec::new(),
                    needs: Needs::default(),
                },
                bindings: vec![BindTo::Input(0), BindTo::Input(1), BindTo::Output(0), BindTo::Status],
                params: Params::new().u32(count).u32(shape[0]).u32(shape[1]).u32(0usize),
                grid: Grid::Linear(count.div_ceil(256) as u64),
                flat: None,
            },
        )])
    }

    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        Some((1, inputs[0][0]))
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let rows = context.inputs[0].shape().dims()[0].clone();
        Ok(vec![Some(context.cotangent()?.scatter_add_rows(&context.inputs[1], rows)?), None])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        // The rows that are taken, and not the table.
        let moved = 2 * outputs[0].1.count() * outputs[0].0.bytes();
        Cost { flops: 0.0, bytes: (moved + inputs[1].1.count() * inputs[1].0.bytes()) as f64 }
    }
}
