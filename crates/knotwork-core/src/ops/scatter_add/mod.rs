//! Elements added to those that indices name along one dimension: what gathering is the gradient of, and the other way round.

mod kernels;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rayon::prelude::*;

use super::{
    Case, CaseInput, Cases, Cost, Op, Reference, Registered,
    gather::{Gather, check, rows_of},
    gather_rows::row,
};
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

pub(super) const REGISTERED: Registered = Registered {
    name: "scatter_add",
    formula: "yₖ is the sum of the elements of x whose index is k, along dim",
    inputs: "x […]; index, of x's shape (i32 or u32)",
    attributes: "dim; length, one past the largest index",
    types: "f32, f64",
    source: "",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize], dim: isize, length: usize| {
            Case::new(
                format!("{shape:?} along {dim} to {length}"),
                vec![CaseInput::new(shape), CaseInput::index(shape, length)],
                move |t| Ok(vec![t[0].scatter_add(dim, &t[1], length)?]),
            )
        };
        vec![
            case(&[5], 0, 1),
            case(&[1], 0, 7),
            case(&[3, 65], 1, 7),
            case(&[131, 3], 0, 65),
            case(&[2, 9, 4], 1, 5),
            case(&[2, 700], 1, 2),
            // Several blocks, and more digits.
            case(&[3, 1500], 1, 300).no_gradient(),
            case(&[3, 0], 1, 4),
            case(&[0, 4], 1, 3),
        ]
    }),
};

/// (x [.., n], index [.., n]) → [.., length].
#[derive(Clone, Debug)]
pub(super) struct ScatterAdd {
    pub length: Dim,
    /// No index comes twice in a row: there is nothing to add, and elements are put where they belong.
    pub unique: bool,
}

impl Tensor {
    /// Elements added up by index along `dim`: self and `index` (i32 or u32, in 0..length) have one shape; the result has it
    /// too, but for `length` along `dim`, and holds at each place the sum of the elements of self whose index names it; 0
    /// where there is none. For a matrix along its last dimension: y[i, k] = Σⱼ x[i, j] over the j with index[i, j] = k. Sums
    /// are made in an order that depends on the indices only, without floating-point atomics: every run gives the same bits.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let (x, index) = (g.input("x", DType::F32, [3])?, g.input("index", DType::I32, [3])?);
    /// let mut p = Device::cpu().compile(&g, &[&x.scatter_add(0, &index, 2)?], &[])?;
    /// let feeds = [("x", HostTensor::new(&[1.0f32, 2.0, 4.0], [3])?), ("index", HostTensor::new(&[1i32, 0, 1], [3])?)];
    /// assert_eq!(p.run(feeds)?.wait()?[0].as_slice::<f32>()?, &[2.0, 5.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, the shapes differ, the index holds no i32 or u32, `length` is 0 (and the index
    /// not empty), or the elements are not f32 or f64. An index outside 0..length is refused before the run where it is an input of the program, else
    /// clamped, counted and reported with the results.
    #[track_caller]
    pub fn scatter_add(&self, dim: isize, index: &Self, length: impl Into<Dim>) -> Result<Self> {
        let site = Site::here();
        let axis = self.axis(dim, "scatter_add", site)? as isize;
        let op = ScatterAdd { length: length.into(), unique: false };
        if axis + 1 == self.rank() as isize || index.rank() != self.rank() {
            return self.graph().apply_one(op, &[self, index], site);
        }
        let (x, index) = (self.transpose(axis, -1)?, index.transpose(axis, -1)?);
        self.graph().apply_one(op, &[&x, &index], site)?.transpose(axis, -1)
    }
}

impl Op for ScatterAdd {
    fn name(&self) -> &str {
        "scatter_add"
    }

    fn attributes(&self) -> String {
        format!("length={} unique={}", self.length, self.unique)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (x, index) = (&inputs[0], &inputs[1]);
        if !matches!(x.dtype, DType::F32 | DType::F64) {
            return Err(format!("x is {}; it adds f32 or f64", x.dtype));
        }
        check(x, index)?;
        if x.shape != index.shape {
            return Err(format!("x is {} and the index {}; they must have one shape", x.shape, index.shape));
        }
        // Of nothing there are sums anywhere: the gradient of an empty gather.
        let nothing = inputs[1].shape.dims().last().and_then(Dim::fixed) == Some(0);
        if self.length.fixed() == Some(0) && !self.unique && !nothing {
            return Err("length is 0: there is nothing to add to".into());
        }
        let mut dims = x.shape.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = self.length.clone();
        }
        Ok(vec![Meta::new(x.dtype, dims)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let ((n, _), (length, _)) = (rows_of(&inputs[0].shape), rows_of(&outputs[0].shape));
        outputs[0].data.fill(0.0);
        for (at, &index) in inputs[1].data.iter().enumerate() {
            outputs[0].data[at / n * length + row(index as i64, at, length)?] += inputs[0].data[at];
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let ((n, _), (length, _)) = (rows_of(io.inputs[0].layout.shape()), rows_of(io.outputs[0].shape));
        let (Some(x), Some(index)) = (io.inputs[0].f32(), io.inputs[1].indices()) else { return Ok(false) };
        let Some(y) = io.outputs[0].f32() else { return Ok(false) };
        let one = |(r, y): (usize, &mut [f32])| {
            let places =
                index[r * n..(r + 1) * n].iter().enumerate().map(|(k, &i)| row(i, r * n + k, length));
            let mut pairs = x[r * n..(r + 1) * n].iter().zip(places);
            if self.unique {
                y.fill(0.0);
                return pairs.try_for_each(|(x, place)| place.map(|k| y[k] = *x));
            }
            let mut sums = vec![0.0f64; length];
            pairs.try_for_each(|(x, place)| place.map(|k| sums[k] += f64::from(*x)))?;
            y.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum as f32);
            Ok(())
        };
        let width = length.max(1);
        if x.len().max(y.len()) < PARALLEL {
            y.chunks_mut(width).enumerate().try_for_each(one)?;
        } else {
            y.par_chunks_mut(width).enumerate().try_for_each(one)?;
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(request, self.unique)
    }

    fn indices(&self, _: &[Vec<usize>]) -> Option<(usize, usize)> {
        self.length.fixed().map(|length| (1, length))
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let g = context.cotangent()?;
        let op = Gather { unique: self.unique };
        Ok(vec![Some(g.graph().apply_one(op, &[g, &context.inputs[1]], Site::here())?), None])
    }

    fn bind(&self, binding: &Binding) -> Result<Option<Arc<dyn Op>>, Arc<str>> {
        Ok(Some(Arc::new(Self { length: self.length.bind(binding)?.into(), unique: self.unique })))
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        Cost { flops: inputs[0].1.count() as f64, bytes: bytes(inputs) + bytes(outputs) }
    }
}
