//! Products with a sparse matrix in compressed sparse rows, of elements (CSR) or of square blocks (BSR), and the product
//! sampled at its places. Each is the others' gradient, so the family is closed under differentiation.

mod cases;
mod compressed;
mod cpu;
mod dots;
mod kernels;
mod op;
mod pattern;
mod rows;
#[cfg(test)]
mod tests;

use op::{Kind, Sparse};

pub(super) use cases::REGISTERED;

use crate::{
    Dim, Result, Site,
    graph::{Graph, Tensor},
    ops::refuse::refuse,
};

fn apply(
    graph: &Graph,
    kind: Kind,
    block: Option<usize>,
    inputs: [&Tensor; 4],
    site: Site,
) -> Result<Tensor> {
    graph.apply_one(Sparse { kind, block }, &inputs, site)
}

/// The side of the blocks of `values [nblocks, side, side]`.
fn side(op: &str, values: &Tensor, inputs: &[&Tensor], site: Site) -> Result<usize> {
    match values.shape().dims() {
        [_, rows, columns] if rows == columns => rows.fixed(),
        _ => None,
    }
    .ok_or_else(|| {
        let message =
            format!("values is {}; it must be [nblocks, side, side], the side a number", values.shape());
        refuse(op, inputs, message, site)
    })
}

impl Tensor {
    /// A sparse matrix A `[M, K]` times a dense b `[K, N]`: `[M, N]`. Self holds A's values `[nnz]`, row by row;
    /// `indices [nnz]` their columns, in any order, the same one several times where it is wanted (they add up); row i has
    /// the entries `indptr[i]..indptr[i + 1]`, `indptr [M + 1]` (i32 or u32 both).
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// // [[0, 2], [0, 0], [3, 4]] times [10, 1].
    /// let values = g.parameter("values", HostTensor::new(&[2.0f32, 3.0, 4.0], [3])?)?;
    /// let indptr = g.tensor(HostTensor::new(&[0i32, 1, 1, 3], [4])?)?;
    /// let indices = g.tensor(HostTensor::new(&[1i32, 0, 1], [3])?)?;
    /// let y = values.spmm_csr(&indptr, &indices, &g.input("b", DType::F32, [2, 1])?)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("b", HostTensor::new(&[10.0f32, 1.0], [2, 1])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[2.0, 0.0, 34.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where lengths or types do not fit each other. What the arrays hold is checked when it runs: on the CPU an `indptr` that
    /// does not begin with 0, falls, or does not end with nnz, and a column outside 0..K are errors; on a GPU they are clamped,
    /// counted (each broken place of `indptr` as one index) and reported with the results.
    #[track_caller]
    pub fn spmm_csr(&self, indptr: &Self, indices: &Self, b: &Self) -> Result<Self> {
        apply(self.graph(), Kind::Product, None, [self, indptr, indices, b], Site::here())
    }

    /// The transpose of a sparse matrix A `[M, columns]` times a dense b `[M, N]`: `[columns, N]`. Self, `indptr` and
    /// `indices` are as for [`Tensor::spmm_csr`]. Entries are sorted by their columns, so sums are made in an order that depends
    /// on the pattern only, without floating-point atomics.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let values = g.parameter("values", HostTensor::new(&[2.0f32, 3.0, 4.0], [3])?)?;
    /// let indptr = g.tensor(HostTensor::new(&[0i32, 1, 1, 3], [4])?)?;
    /// let indices = g.tensor(HostTensor::new(&[1i32, 0, 1], [3])?)?;
    /// let y = values.spmm_csr_transposed(&indptr, &indices, &g.input("b", DType::F32, [3, 1])?, 2)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("b", HostTensor::new(&[10.0f32, 100.0, 1.0], [3, 1])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[3.0, 24.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Tensor::spmm_csr`].
    #[track_caller]
    pub fn spmm_csr_transposed(
        &self,
        indptr: &Self,
        indices: &Self,
        b: &Self,
        columns: impl Into<Dim>,
    ) -> Result<Self> {
        let kind = Kind::Transposed { columns: columns.into() };
        apply(self.graph(), kind, None, [self, indptr, indices, b], Site::here())
    }

    /// The product of self `[M, D]` and b `[D, K]`, only at the places of a sparse pattern: `[nnz]`, in the order of `indices`
    /// (a sampled dense-dense product). The pattern is that of [`Tensor::spmm_csr`].
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let indptr = g.tensor(HostTensor::new(&[0i32, 1, 3], [3])?)?;
    /// let indices = g.tensor(HostTensor::new(&[1i32, 0, 1], [3])?)?;
    /// let a = g.parameter("a", HostTensor::new(&[2.0f32, 3.0], [2, 1])?)?;
    /// let values = a.sddmm_csr(&indptr, &indices, &g.input("b", DType::F32, [1, 2])?)?;
    /// let mut p = Device::cpu().compile(&g, &[&values], &[])?;
    /// let out = p.run([("b", HostTensor::new(&[10.0f32, 100.0], [1, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[200.0, 30.0, 300.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Tensor::spmm_csr`].
    #[track_caller]
    pub fn sddmm_csr(&self, indptr: &Self, indices: &Self, b: &Self) -> Result<Self> {
        let site = Site::here();
        sampled("sddmm_csr", None, [indptr, indices, self, b], site)
    }

    /// A sparse matrix of square blocks, A `[Mb · side, Kb · side]`, times a dense b `[Kb · side, N]`. Self holds the blocks
    /// `[nblocks, side, side]`, `indices [nblocks]` their block columns, and block row i has the blocks
    /// `indptr[i]..indptr[i + 1]`, `indptr [Mb + 1]`; otherwise as [`Tensor::spmm_csr`].
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// // [[0, 0, 1, 2], [0, 0, 3, 4]] times [1, 1, 1, 10].
    /// let values = g.parameter("values", HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0], [1, 2, 2])?)?;
    /// let indptr = g.tensor(HostTensor::new(&[0i32, 1], [2])?)?;
    /// let indices = g.tensor(HostTensor::new(&[1i32], [1])?)?;
    /// let y = values.spmm_bsr(&indptr, &indices, &g.input("b", DType::F32, [4, 1])?)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("b", HostTensor::new(&[1.0f32, 1.0, 1.0, 10.0], [4, 1])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[21.0, 43.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Tensor::spmm_csr`]; also where b's rows are no multiple of the side.
    #[track_caller]
    pub fn spmm_bsr(&self, indptr: &Self, indices: &Self, b: &Self) -> Result<Self> {
        let site = Site::here();
        let inputs = [self, indptr, indices, b];
        let block = Some(side("spmm_bsr", self, &inputs, site)?);
        apply(self.graph(), Kind::Product, block, inputs, site)
    }

    /// The transpose of a sparse matrix of square blocks times a dense b `[Mb · side, N]`: `[columns, N]`. Self, `indptr` and
    /// `indices` are as for [`Tensor::spmm_bsr`]; `columns` counts elements, a multiple of the side.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let values = g.parameter("values", HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0], [1, 2, 2])?)?;
    /// let indptr = g.tensor(HostTensor::new(&[0i32, 1], [2])?)?;
    /// let indices = g.tensor(HostTensor::new(&[1i32], [1])?)?;
    /// let y = values.spmm_bsr_transposed(&indptr, &indices, &g.input("b", DType::F32, [2, 1])?, 4)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("b", HostTensor::new(&[1.0f32, 10.0], [2, 1])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[0.0, 0.0, 31.0, 42.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Tensor::spmm_bsr`].
    #[track_caller]
    pub fn spmm_bsr_transposed(
        &self,
        indptr: &Self,
        indices: &Self,
        b: &Self,
        columns: impl Into<Dim>,
    ) -> Result<Self> {
        let site = Site::here();
        let inputs = [self, indptr, indices, b];
        let block = Some(side("spmm_bsr_transposed", self, &inputs, site)?);
        apply(self.graph(), Kind::Transposed { columns: columns.into() }, block, inputs, site)
    }

    /// The product of self `[Mb · side, D]` and b `[D, Kb · side]`, only in the blocks of a sparse pattern:
    /// `[nblocks, side, side]`. The pattern is that of [`Tensor::spmm_bsr`].
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let indptr = g.tensor(HostTensor::new(&[0i32, 1], [2])?)?;
    /// let indices = g.tensor(HostTensor::new(&[1i32], [1])?)?;
    /// let a = g.parameter("a", HostTensor::new(&[1.0f32, 2.0], [2, 1])?)?;
    /// let values = a.sddmm_bsr(&indptr, &indices, &g.input("b", DType::F32, [1, 4])?, 2)?;
    /// let mut p = Device::cpu().compile(&g, &[&values], &[])?;
    /// let out = p.run([("b", HostTensor::new(&[1.0f32, 10.0, 100.0, 1000.0], [1, 4])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[100.0, 1000.0, 200.0, 2000.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Tensor::spmm_bsr`].
    #[track_caller]
    pub fn sddmm_bsr(&self, indptr: &Self, indices: &Self, b: &Self, side: usize) -> Result<Self> {
        sampled("sddmm_bsr", Some(side), [indptr, indices, self, b], Site::here())
    }
}

/// The operation reads b's columns as rows.
fn sampled(op: &str, block: Option<usize>, inputs: [&Tensor; 4], site: Site) -> Result<Tensor> {
    let [indptr, indices, a, b] = inputs;
    if b.rank() != 2 {
        return Err(refuse(op, &inputs, format!("b is {}; it must have two dimensions", b.shape()), site));
    }
    let b = b.transpose(0, 1)?;
    apply(a.graph(), Kind::Sampled, block, [indptr, indices, a, &b], site)
}
