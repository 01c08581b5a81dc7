//! Rows in order: whole ones, or the best k of each.

mod cases;
mod fast;
mod kernels;
mod long;
mod order;
mod short;
#[cfg(test)]
mod tests;

use super::{Cost, Op, Reference, gather::rows_of, refuse::refuse, scatter_add::ScatterAdd};
use crate::{
    DType, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{KernelRequest, Lowering},
};

pub(super) use cases::REGISTERED;

/// x `[.., n]` → values and indices, both `[.., n]` or `[.., k]`.
#[derive(Clone, Debug)]
struct Sort {
    /// How many of each row stay; all of them without.
    k: Option<usize>,
    /// The largest first.
    descending: bool,
}

impl Tensor {
    /// The elements along `dim` in ascending or descending order, and where each of them was: (values, indices), both of
    /// self's shape, the indices i32.
    ///
    /// The order is PyTorch's with `stable=True`: elements that are equal keep their order, in both directions; NaN counts as
    /// larger than every number, and all NaN are equal; −0 equals 0. Elements are moved, never computed: values have the bits
    /// that they had (NaN in f16 may become another, by way of f32). The gradient of the values goes to where they were; indices have none. It takes f32, f16, i32 and u32,
    /// and on the CPU f64.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let (values, indices) = g.input("x", DType::F32, [4])?.sort(0, false)?;
    /// let mut p = Device::cpu().compile(&g, &[&values, &indices], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[3.0f32, 1.0, 2.0, 1.0], [4])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[1.0, 1.0, 2.0, 3.0]);
    /// assert_eq!(out[1].as_slice::<i32>()?, &[1, 3, 2, 0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, it has more elements than an i32 counts, or the elements are truth values.
    #[track_caller]
    pub fn sort(&self, dim: isize, descending: bool) -> Result<(Self, Self)> {
        self.in_order("sort", dim, Sort { k: None, descending }, Site::here())
    }

    /// The indices that would sort self along `dim`: those of [`sort`](Self::sort), i32.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let order = g.input("x", DType::F32, [3])?.argsort(-1, true)?;
    /// let mut p = Device::cpu().compile(&g, &[&order], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[1.0f32, f32::NAN, 2.0], [3])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<i32>()?, &[1, 2, 0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`sort`](Self::sort).
    #[track_caller]
    pub fn argsort(&self, dim: isize, descending: bool) -> Result<Self> {
        Ok(self.in_order("argsort", dim, Sort { k: None, descending }, Site::here())?.1)
    }

    /// The `k` largest or smallest elements along `dim`, the best first, and where each of them was: (values, indices), of
    /// self's shape but for `k` along `dim`, the indices i32. They are the first k of [`sort`](Self::sort), by its rules:
    /// NaN is larger than every number, and of equal elements the earlier comes first.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let (values, indices) = g.input("x", DType::F32, [4])?.topk(2, 0, true)?;
    /// let mut p = Device::cpu().compile(&g, &[&values, &indices], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[3.0f32, 1.0, 4.0, 3.0], [4])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[4.0, 3.0]);
    /// assert_eq!(out[1].as_slice::<i32>()?, &[2, 0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, `k` is beyond its length (of a named dimension: when its length is known), or the
    /// elements are truth values.
    #[track_caller]
    pub fn topk(&self, k: usize, dim: isize, largest: bool) -> Result<(Self, Self)> {
        let site = Site::here();
        let axis = self.axis(dim, "topk", site)?;
        if let Some(n) = self.shape().dims()[axis].fixed()
            && k > n
        {
            let message = format!("k is {k}; dimension {axis} has {n} elements, so it may be 0 to {n}");
            return Err(refuse("topk", &[self], message, site));
        }
        self.in_order("topk", dim, Sort { k: Some(k), descending: largest }, site)
    }

    /// Applies a sort along a dimension: kernels take contiguous rows, so it goes last, and back.
    #[track_caller]
    fn in_order(&self, method: &str, dim: isize, op: Sort, site: Site) -> Result<(Self, Self)> {
        let axis = self.axis(dim, method, site)? as isize;
        let last = axis + 1 == self.rank() as isize;
        // Every f16 is an f32, in the same order.
        let half = self.dtype() == DType::F16;
        let x = if half { self.cast(DType::F32)? } else { self.clone() };
        let x = if last { x } else { x.transpose(axis, -1)? };
        let mut both = x.graph().apply(op, &[&x], site)?.into_iter();
        let (Some(values), Some(indices)) = (both.next(), both.next()) else {
            return Err(refuse(method, &[self], "it must give values and indices", site));
        };
        let values = if half { values.cast(DType::F16)? } else { values };
        if last {
            return Ok((values, indices));
        }
        Ok((values.transpose(axis, -1)?, indices.transpose(axis, -1)?))
    }
}

impl Op for Sort {
    fn name(&self) -> &str {
        if self.k.is_some() { "topk" } else { "sort" }
    }

    fn attributes(&self) -> String {
        match self.k {
            Some(k) => format!("k={k} largest={}", self.descending),
            None => format!("descending={}", self.descending),
        }
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let x = &inputs[0];
        if !matches!(x.dtype, DType::F32 | DType::F64 | DType::I32 | DType::U32) {
            return Err(format!("it orders numbers, not {}; cast first", x.dtype));
        }
        let mut dims = x.shape.dims().to_vec();
        let last = dims.last_mut().ok_or("a scalar has no dimension to sort along")?;
        if let Some(n) = last.fixed().filter(|&n| i32::try_from(n).is_err()) {
            return Err(format!(
                "the dimension has {n} elements; indices are i32, so it may have {}",
                i32::MAX
            ));
        }
        if let Some(k) = self.k {
            if let Some(n) = last.fixed().filter(|&n| k > n) {
                return Err(format!("k is {k}; the dimension has {n} elements, so it may be 0 to {n}"));
            }
            *last = k.into();
        }
        Ok(vec![Meta::new(x.dtype, dims.clone()), Meta::new(DType::I32, dims)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (n, rows) = rows_of(&inputs[0].shape);
        let (kept, _) = rows_of(&outputs[0].shape);
        for r in 0..rows {
            let x = &inputs[0].data[r * n..(r + 1) * n];
            let mut places: Vec<usize> = (0..n).collect();
            // A stable sort.
            places.sort_by(|&a, &b| {
                let ascending = order::compare(x[a], x[b]);
                if self.descending { ascending.reverse() } else { ascending }
            });
            for (k, &place) in places.iter().take(kept).enumerate() {
                outputs[0].data[r * kept + k] = x[place];
                outputs[1].data[r * kept + k] = place as f64;
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        fast::run(io, self.descending)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(request, self.descending)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (Some(Some(g)), Some(length)) =
            (context.cotangents.first(), context.inputs[0].shape().dims().last())
        else {
            return Ok(vec![None]);
        };
        // Each value came from a place of its own.
        let op = ScatterAdd { length: length.clone(), unique: true };
        Ok(vec![Some(g.graph().apply_one(op, &[g, &context.outputs[1]], Site::here())?)])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        // Comparisons: n for each halving of a row, and of the kept ones.
        let halvings = |(_, l): &(DType, Layout)| (rows_of(l.shape()).0.max(2) as f64).log2();
        let flops = match self.k {
            None => inputs[0].1.count() as f64 * halvings(&inputs[0]),
            Some(_) => inputs[0].1.count() as f64 + outputs[0].1.count() as f64 * halvings(&outputs[0]),
        };
        Cost { flops, bytes: bytes(inputs) + bytes(outputs) }
    }
}
