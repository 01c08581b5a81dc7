//! Elements by index along one dimension.

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::{
    Case, CaseInput, Cases, Cost, Op, Reference, Registered,
    gather_rows::{index_flags, row},
    scatter_add::ScatterAdd,
};
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
    name: "gather",
    formula: "yⱼ = x at index j, along dim",
    inputs: "x […]; index, of x's shape but along dim (i32 or u32)",
    attributes: "dim",
    types: "any; gradients f32, f64",
    source: "",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize], dim: usize, n: usize| {
            let mut index = shape.to_vec();
            index[dim] = n;
            Case::new(
                format!("{n} along {dim} of {shape:?}"),
                vec![CaseInput::new(shape), CaseInput::index(&index, shape[dim])],
                move |t| Ok(vec![t[0].gather(dim as isize, &t[1])?]),
            )
        };
        vec![
            case(&[1], 0, 5),
            case(&[7], 0, 1),
            case(&[3, 65], 1, 7),
            case(&[65, 3], 0, 131),
            case(&[2, 5, 4], 1, 9),
            case(&[2, 300], 1, 3),
            case(&[3, 4], 1, 0),
            case(&[0, 4], 1, 3),
        ]
    }),
};

/// (x [.., length], index [.., n]) → [.., n].
#[derive(Clone, Debug)]
pub(super) struct Gather {
    /// No index comes twice in a row: gradients need not add.
    pub unique: bool,
}

impl Tensor {
    /// Elements by index along `dim`: self and `index` (i32 or u32, in 0..the dimension's length) have one shape but along
    /// `dim`, the result has that of `index`, and each of its elements is the one of self at the same place but along `dim`,
    /// where the index says. For a matrix along its last dimension: y[i, j] = x[i, index[i, j]]. An index may come several
    /// times; its gradients are then added, in the order of the positions.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let (x, index) = (g.input("x", DType::F32, [2, 3])?, g.input("index", DType::I32, [2, 2])?);
    /// let mut p = Device::cpu().compile(&g, &[&x.gather(1, &index)?], &[])?;
    /// let feeds = [
    ///     ("x", HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3])?),
    ///     ("index", HostTensor::new(&[2i32, 0, 1, 1], [2, 2])?),
    /// ];
    /// assert_eq!(p.run(feeds)?.wait()?[0].as_slice::<f32>()?, &[3.0, 1.0, 5.0, 5.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, the shapes differ elsewhere, the index holds no i32 or u32, or there is nothing to
    /// take an element from. An index outside the dimension is refused before the run where it is an input of the program,
    /// else clamped, counted and reported with the results.
    #[track_caller]
    pub fn gather(&self, dim: isize, index: &Self) -> Result<Self> {
        let site = Site::here();
        let axis = self.axis(dim, "gather", site)? as isize;
        let op = Gather { unique: false };
        if axis + 1 == self.rank() as isize || index.rank() != self.rank() {
            return self.graph().apply_one(op, &[self, index], site);
        }
        let (x, index) = (self.transpose(axis, -1)?, index.transpose(axis, -1)?);
        self.graph().apply_one(op, &[&x, &index], site)?.transpose(axis, -1)
    }
}

/// The elements of a row, and the number of rows.
pub(super) fn rows_of(shape: &[usize]) -> (usize, usize) {
    let n = shape.last().copied().unwrap_or(1);
    (n, shape[..shape.len().saturating_sub(1)].iter().product())
}

/// What is wrong with x and an index into it, or with values and the index of where they go.
pub(super) fn check(x: &Meta, index: &Meta) -> Result<(), String> {
    if !index.dtype.is_index() {
        return Err(format!("the index is {}; it takes i32 or u32", index.dtype));
    }
    let outer = |m: &Meta| m.shape.dims().split_last().map(|(_, outer)| outer.to_vec());
    match (outer(x), outer(index)) {
        (Some(a), Some(b)) if a == b => Ok(()),
        _ => Err(format!(
            "the shapes may differ in the last dimension only, not be {} and {} (where dim is not the last, both are shown with it there)",
            x.shape, index.shape
        )),
    }
}

impl Op for Gather {
    fn name(&self) -> &str {
        "gather"
    }

    fn attributes(&self) -> String {
        format!("unique={}", self.unique)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (x, index) = (&inputs[0], &inputs[1]);
        check(x, index)?;
        let last = |m: &Meta| m.shape.dims().last().and_then(|d| d.fixed());
        if last(x) == Some(0) && last(index) != Some(0) {
            return Err(format!("x is {}: there is no element to take", x.shape));
        }
        Ok(vec![Meta::new(x.dtype, index.shape.dims().to_vec())])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let ((length, _), (n, _)) = (rows_of(&inputs[0].shape), rows_of(&inputs[1].shape));
        for (at, &index) in inputs[1].data.iter().enumerate() {
            outputs[0].data[at] = inputs[0].data[at / n * length + row(index as i64, at, length)?];
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (length, _) = rows_of(io.inputs[0].layout.shape());
        let (n, _) = rows_of(io.inputs[1].layout.shape());
        let (Some(x), Some(index)) = (io.inputs[0].f32(), io.inputs[1].indices()) else { return Ok(false) };
        let Some(y) = io.outputs[0].f32() else { return Ok(false) };
        let one = |(r, (y, index)): (usize, (&mut [f32], &[i64]))| {
            for (k, (y, &i)) in y.iter_mut().zip(index).enumerate() {
                *y = x[r * length + row(i, r * n + k, length)?];
            }
            Ok::<(), String>(())
        };
        let width = n.max(1);
        if y.len() < PARALLEL {
            y.chunks_mut(width).zip(index.chunks(width)).enumerate().try_for_each(one)?;
        } else {
            y.par_chunks_mut(width).zip(index.par_chunks(width)).enumerate().try_for_each(one)?;
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let dtype = request.inputs[0].dtype;
        if dtype.bytes() != 4 {
            return Err(format!("{dtype} elements are taken on the CPU only; cast first"));
        }
        let (length, _) = rows_of(request.inputs[0].layout.shape());
        let (n, rows) = rows_of(request.inputs[1].layout.shape());
        Ok(vec![Lowering::single(
            "element",
            DispatchSpec {
                kernel: Kernel {
                    name: "gather".into(),
                    source: Source::Named("gather"),
                    flags: index_flags(request.inputs[1].dtype),
                    constants: Vec::new(),
                    needs: Needs::default(),
                },
                bindings: vec![BindTo::Input(0), BindTo::Input(1), BindTo::Output(0), BindTo::Status],
                params: Params::new().u32(rows * n).u32(length).u32(n).u32(0usize),
                grid: Grid::Linear((rows * n).div_ceil(256) as u64),
                flat: None,
            },
        )])
    }

    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        Some((1, rows_of(&inputs[0]).0))
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let Some(length) = context.inputs[0].shape().dims().last().cloned() else {
            return Ok(vec![None, None]);
        };
        let op = ScatterAdd { length, unique: self.unique };
        let g = context.cotangent()?;
        Ok(vec![Some(g.graph().apply_one(op, &[g, &context.inputs[1]], Site::here())?), None])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        // The elements that are taken, and no others.
        let moved = 2 * outputs[0].1.count() * outputs[0].0.bytes();
        Cost { flops: 0.0, bytes: (moved + inputs[1].1.count() * inputs[1].0.bytes()) as f64 }
    }
}
