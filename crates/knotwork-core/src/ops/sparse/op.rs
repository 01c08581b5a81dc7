//! One operation for all products of a sparse matrix in block rows: plain CSR is that of blocks of one element.

use std::sync::Arc;

use super::{cpu, kernels, pattern::Pattern};
use crate::{
    DType, Dim, Layout, Result,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference},
    plan::{KernelRequest, Lowering},
    tensor::Binding,
};

/// Which of the three products.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// (values, indptr, indices, b `[K, N]`) → A b, `[M, N]`.
    Product,
    /// (values, indptr, indices, b `[M, N]`) → Aᵀ b, `[columns, N]`.
    Transposed { columns: Dim },
    /// (indptr, indices, a `[M, D]`, c `[K, D]`) → a cᵀ at the places of the pattern.
    Sampled,
}

/// A product; `block` is the side of the blocks, `None` for CSR.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    pub(super) kind: Kind,
    pub(super) block: Option<usize>,
}

impl Sparse {
    pub(super) fn side(&self) -> usize {
        self.block.unwrap_or(1)
    }

    /// Where the pattern's two inputs begin.
    pub(super) fn pattern_at(&self) -> usize {
        if matches!(self.kind, Kind::Sampled) { 0 } else { 1 }
    }

    /// The sizes of bound inputs and outputs.
    pub(super) fn sizes(&self, input: impl Fn(usize) -> Vec<usize>, output: &[usize]) -> Sizes {
        let at = self.pattern_at();
        let (rows, entries) = (input(at)[0].saturating_sub(1), input(at + 1)[0]);
        let side = self.side();
        let (bound, columns) = match self.kind {
            Kind::Product => (input(3)[0] / side, output[1]),
            Kind::Transposed { .. } => (output[0] / side, output[1]),
            Kind::Sampled => (input(3)[0] / side, input(3)[1]),
        };
        Sizes { rows, entries, bound, columns, side }
    }
}

/// Sizes of a product: block rows, entries, block columns, columns of the dense operand, side of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) rows: usize,
    pub(super) entries: usize,
    pub(super) bound: usize,
    pub(super) columns: usize,
    pub(super) side: usize,
}

fn dense<'a>(name: &str, meta: &'a Meta) -> Result<&'a [Dim; 2], String> {
    meta.shape.dims().try_into().map_err(|_| format!("{name} is {}; it must have two dimensions", meta.shape))
}

/// The number of rows of a dense operand that has one row for each row or column of the blocks.
fn multiple(name: &str, rows: &Dim, side: usize) -> Result<(), String> {
    match rows.fixed() {
        Some(n) if n % side != 0 => {
            Err(format!("{name} has {n} rows, which is no multiple of the blocks' side {side}"))
        }
        _ => Ok(()),
    }
}

impl Op for Sparse {
    fn name(&self) -> &str {
        match (&self.kind, self.block.is_some()) {
            (Kind::Product, false) => "spmm_csr",
            (Kind::Product, true) => "spmm_bsr",
            (Kind::Transposed { .. }, false) => "spmm_csr_transposed",
            (Kind::Transposed { .. }, true) => "spmm_bsr_transposed",
            (Kind::Sampled, false) => "sddmm_csr",
            (Kind::Sampled, true) => "sddmm_bsr",
        }
    }

    fn attributes(&self) -> String {
        let side = self.side();
        match &self.kind {
            Kind::Transposed { columns } => format!("block={side} columns={columns}"),
            _ => format!("block={side}"),
        }
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let at = self.pattern_at();
        let (indptr, indices) = (&inputs[at], &inputs[at + 1]);
        for (name, meta) in [("indptr", indptr), ("indices", indices)] {
            if !meta.dtype.is_index() {
                return Err(format!("{name} is {}; it takes i32 or u32", meta.dtype));
            }
            if meta.shape.rank() != 1 {
                return Err(format!("{name} is {}; it must have one dimension", meta.shape));
            }
        }
        let Some(length) = indptr.shape.dims()[0].fixed() else {
            return Err(format!("indptr is {}; its length must be a number", indptr.shape));
        };
        let Some(rows) = length.checked_sub(1) else {
            return Err("indptr is empty; for M rows it holds M + 1 numbers".into());
        };
        let side = self.side();
        if side == 0 {
            return Err("the blocks' side is 0".into());
        }
        let entries = &indices.shape.dims()[0];
        if rows == 0 && entries.fixed().is_some_and(|n| n > 0) {
            return Err(format!("indptr of length 1 has no row for the {entries} entries of indices"));
        }
        let mut shape = vec![entries.clone()];
        shape.extend(self.block.iter().flat_map(|&s| [Dim::from(s), Dim::from(s)]));
        let height = rows * side;
        let floats: Vec<(&str, &Meta)> = match self.kind {
            Kind::Sampled => vec![("a", &inputs[2]), ("b", &inputs[3])],
            _ => vec![("values", &inputs[0]), ("b", &inputs[3])],
        };
        for (name, meta) in &floats {
            if !matches!(meta.dtype, DType::F32 | DType::F64) {
                return Err(format!("{name} is {}; it takes f32 or f64", meta.dtype));
            }
        }
        let dtype = floats[0].1.dtype;
        if floats[1].1.dtype != dtype {
            return Err(format!(
                "{} is {dtype}, but b is {}; they must agree",
                floats[0].0, floats[1].1.dtype
            ));
        }
        if !matches!(self.kind, Kind::Sampled) && inputs[0].shape.dims() != shape {
            return Err(format!(
                "values is {}, but indices is {}: there must be a value for each index",
                inputs[0].shape, indices.shape
            ));
        }
        let [tall, wide] = dense("b", &inputs[3])?;
        match &self.kind {
            Kind::Product => {
                multiple("b", tall, side)?;
                has_columns(tall, entries, "b")?;
                Ok(vec![Meta::new(dtype, vec![height.into(), wide.clone()])])
            }
            Kind::Transposed { columns } => {
                if tall.fixed() != Some(height) {
                    return Err(format!("b has {tall} rows, but indptr of length {length} means {height}"));
                }
                multiple("the result", columns, side)?;
                has_columns(columns, entries, "the result")?;
                Ok(vec![Meta::new(dtype, vec![columns.clone(), wide.clone()])])
            }
            Kind::Sampled => {
                let [m, d] = dense("a", &inputs[2])?;
                if m.fixed() != Some(height) {
                    return Err(format!("a has {m} rows, but indptr of length {length} means {height}"));
                }
                if d != wide {
                    return Err(format!("a has {d} columns, but b has {wide} rows: they must agree"));
                }
                if let Some(n) = tall.fixed().filter(|n| n % side != 0) {
                    return Err(format!(
                        "b has {n} columns, which is no multiple of the blocks' side {side}"
                    ));
                }
                has_columns(tall, entries, "b")?;
                Ok(vec![Meta::new(dtype, shape)])
            }
        }
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let Sizes { entries, bound, columns, side, .. } =
            self.sizes(|i| inputs[i].shape.clone(), &outputs[0].shape);
        let at = self.pattern_at();
        let whole = |t: &Reference| t.data.iter().map(|&v| v as i64).collect::<Vec<_>>();
        let pattern = Pattern::new(&whole(&inputs[at]), whole(&inputs[at + 1]), bound)?;
        let out = &mut outputs[0].data;
        out.fill(0.0);
        for k in 0..entries {
            let (row, column) = (pattern.rows[k], pattern.columns[k]);
            for r in 0..side {
                for c in 0..side {
                    let value = (k * side + r) * side + c;
                    let (i, j) = ((row * side + r) * columns, (column * side + c) * columns);
                    for n in 0..columns {
                        match self.kind {
                            Kind::Product => out[i + n] += inputs[0].data[value] * inputs[3].data[j + n],
                            Kind::Transposed { .. } => {
                                out[j + n] += inputs[0].data[value] * inputs[3].data[i + n];
                            }
                            Kind::Sampled => out[value] += inputs[2].data[i + n] * inputs[3].data[j + n],
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        cpu::run(self, io)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(self, request)
    }

    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        let at = self.pattern_at() + 1;
        match &self.kind {
            Kind::Transposed { columns } => columns.fixed().map(|n| (at, n / self.side())),
            _ => Some((at, inputs[3][0] / self.side())),
        }
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let dy = context.cotangent()?;
        let t = context.inputs;
        let at = self.pattern_at();
        let (indptr, indices) = (&t[at], &t[at + 1]);
        let apply = |kind: Kind, inputs: [&Tensor; 4]| {
            dy.graph().apply_one(Self { kind, block: self.block }, &inputs, crate::Site::here())
        };
        let product = |values, b| apply(Kind::Product, [values, indptr, indices, b]);
        let transposed = |values, b, like: &Tensor| {
            let columns = like.shape().dims()[0].clone();
            apply(Kind::Transposed { columns }, [values, indptr, indices, b])
        };
        let sampled = |a, c| apply(Kind::Sampled, [indptr, indices, a, c]);
        let want = |i: usize, f: &dyn Fn() -> Result<Tensor>| {
            if context.wanted[i] { f().map(Some) } else { Ok(None) }
        };
        Ok(match self.kind {
            Kind::Product => {
                vec![want(0, &|| sampled(dy, &t[3]))?, None, None, want(3, &|| transposed(&t[0], dy, &t[3]))?]
            }
            Kind::Transposed { .. } => {
                vec![want(0, &|| sampled(&t[3], dy))?, None, None, want(3, &|| product(&t[0], dy))?]
            }
            Kind::Sampled => {
                vec![None, None, want(2, &|| product(dy, &t[3]))?, want(3, &|| transposed(dy, &t[2], &t[3]))?]
            }
        })
    }

    fn bind(&self, binding: &Binding) -> Result<Option<Arc<dyn Op>>, Arc<str>> {
        let Kind::Transposed { columns } = &self.kind else { return Ok(None) };
        let columns = columns.bind(binding)?.into();
        Ok(Some(Arc::new(Self { kind: Kind::Transposed { columns }, block: self.block })))
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let sizes = self.sizes(|i| inputs[i].1.shape().to_vec(), outputs[0].1.shape());
        let products = sizes.entries * sizes.side * sizes.columns;
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        Cost { flops: 2.0 * (products * sizes.side) as f64, bytes: bytes(inputs) + bytes(outputs) }
    }
}

fn has_columns(columns: &Dim, entries: &Dim, name: &str) -> Result<(), String> {
    match (columns.fixed(), entries.fixed()) {
        (Some(0), Some(n)) if n > 0 => Err(format!(
            "{name} has no place for the {n} entries of indices: the sparse matrix has no column"
        )),
        _ => Ok(()),
    }
}
