//! Matrix products, batched and broadcast.

mod classes;
mod cooperative;
mod half;
mod kernels;
#[cfg(test)]
mod tests;
mod tiles;

pub(super) use half::REGISTERED as HALF;

use std::sync::Arc;

pub(super) use classes::tunable;
use rayon::prelude::*;

use super::{Case, CaseInput, Cases, Cost, Load, Op, Reference, Registered, Role, Rows, no_gradient};
use crate::{
    DType, Layout, Result, Shape, Site,
    autodiff::GradContext,
    cpu::{CpuIo, Slice, SliceMut},
    error::OpError,
    graph::{Meta, Tensor},
    plan::{KernelRequest, Lowering},
};

/// Below so many multiplications a second thread costs more than it saves.
const PARALLEL: usize = 1 << 20;

pub(super) const REGISTERED: Registered = Registered {
    name: "matmul",
    formula: "c[.., m, n] = Σ_k a[.., m, k] b[.., k, n]",
    inputs: "a […, M, K]; b […, K, N]; leading dimensions broadcast",
    attributes: "",
    types: "f32, f64; f16 through `matmul_f16`",
    source: "",
    cases: Cases::Listed(|| {
        let case = |name: &str, a: &[usize], b: &[usize]| {
            Case::new(name, vec![CaseInput::new(a), CaseInput::new(b)], |t| Ok(vec![t[0].matmul(&t[1])?]))
                .tolerance(1e-5)
        };
        let turned = |name: &str, a: &[usize], b: &[usize], ta: bool, tb: bool| {
            Case::new(name, vec![CaseInput::new(a), CaseInput::new(b)], move |t| {
                let turn = |t: &Tensor, yes: bool| if yes { t.transpose(-2, -1) } else { Ok(t.clone()) };
                Ok(vec![turn(&t[0], ta)?.matmul(&turn(&t[1], tb)?)?])
            })
            .tolerance(1e-5)
        };
        // Of one sign, so that nothing cancels; as in `reduce`, differences would lose their digits.
        let long = |name: &str, a: &[usize], b: &[usize]| {
            let input = |shape: &[usize]| CaseInput::between(shape, 0.5, 2.0);
            Case::new(name, vec![input(a), input(b)], |t| Ok(vec![t[0].matmul(&t[1])?]))
                .tolerance(1e-5)
                .no_gradient()
        };
        vec![
            long("a long sum in parts", &[3, 2000], &[2000, 5]),
            long("a long sum in ranges", &[3, 20_000], &[20_000, 2]),
            case("one element", &[1, 1], &[1, 1]),
            case("a row and a column", &[1, 65], &[65, 1]),
            case("an outer product", &[63, 1], &[1, 3]),
            case("odd sizes", &[65, 17], &[17, 33]),
            case("more than a tile", &[70, 40], &[40, 130]),
            case("nothing to add", &[3, 0], &[0, 2]),
            case("no rows", &[0, 3], &[3, 2]),
            case("batched", &[2, 3, 5, 7], &[2, 3, 7, 4]),
            case("broadcast", &[3, 1, 4, 5], &[2, 5, 6]),
            turned("a transposed", &[17, 20], &[17, 9], true, false),
            turned("b transposed", &[20, 17], &[9, 17], false, true),
            turned("both transposed", &[2, 17, 20], &[2, 9, 17], true, true),
            case("in fours", &[2, 68, 20], &[20, 36]),
            turned("in fours, both transposed", &[20, 68], &[2, 36, 20], true, true),
            case("a row times a matrix", &[1, 36], &[36, 140]),
            case("a matrix times three columns", &[37, 41], &[41, 3]),
            turned("four rows, turned", &[3, 12, 4], &[3, 20, 12], true, true),
            long("a row times a long matrix", &[1, 2000], &[2000, 12]),
            long("a long column", &[5, 9000], &[9000, 1]),
        ]
    }),
};

/// A product. The planner makes one with sums beside it (`rewrite::sum_beside_product`).
#[derive(Clone, Debug, Default)]
pub(crate) struct MatMul {
    /// The operand of which sums over K are output 1: of the rows of a, `[.., M]`, or of the columns of b, `[.., N]`.
    pub sums: Option<usize>,
}

impl Tensor {
    /// The matrix product over the last two dimensions, [.., M, K] × [.., K, N] → [.., M, N]; leading dimensions
    /// broadcast. Transposes are views and cost nothing. f32 and f16 are accumulated in f32; of f16 operands the result is
    /// rounded to f16 ([`matmul_wide`](Self::matmul_wide) keeps it).
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let a = g.input("a", DType::F32, [2, 2])?;
    /// let y = a.matmul(&a.transpose(0, 1)?)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("a", HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0], [2, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[5.0, 11.0, 11.0, 25.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where an operand has fewer than two dimensions, the inner sizes differ, the leading ones do not broadcast, or
    /// the element types are not both f32, both f16 or both f64.
    #[track_caller]
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        let wide = self.matmul_wide(other)?;
        let halves = self.dtype() == DType::F16 && other.dtype() == DType::F16;
        if halves { wide.cast(DType::F16) } else { Ok(wide) }
    }

    /// The [`matmul`](Self::matmul) of two f16 operands as the f32 that it is summed in; of others it is `matmul`.
    ///
    /// On devices with cooperative matrices (tensor cores) of f16 with sums in f32, they do the work.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let a = g.input("a", DType::F16, [1, 2])?;
    /// let y = a.matmul_wide(&a.transpose(0, 1)?)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let x = HostTensor::new(&[2048.0f32, 1.0], [1, 2])?.cast(DType::F16);
    /// let out = p.run([("a", x)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[4_194_305.0]); // the largest f16 is 65504
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`matmul`](Self::matmul).
    #[track_caller]
    pub fn matmul_wide(&self, other: &Self) -> Result<Self> {
        let site = Site::here();
        let refuse = |message: String| OpError {
            op: "matmul".into(),
            inputs: vec![self.meta().to_string(), other.meta().to_string()],
            message,
            site,
        };
        if self.rank() < 2 || other.rank() < 2 {
            return Err(
                refuse("both operands need at least two dimensions; `unsqueeze` adds one".into()).into()
            );
        }
        let split = |t: &Self| {
            let dims = t.shape().dims();
            (Shape::from(dims[..dims.len() - 2].to_vec()), dims[dims.len() - 2..].to_vec())
        };
        let ((batch_a, a), (batch_b, b)) = (split(self), split(other));
        let batch = batch_a.broadcast(&batch_b).ok_or_else(|| {
            refuse(format!("the leading dimensions {batch_a} and {batch_b} do not broadcast"))
        })?;
        let whole = |last: &[crate::Dim]| Shape::from([batch.dims(), last].concat());
        let a = self.broadcast_to(whole(&a))?;
        let b = other.broadcast_to(whole(&b))?;
        if a.dtype() == DType::F16 && b.dtype() == DType::F16 {
            return half::product(&a, &b, site);
        }
        self.graph().apply_one(MatMul::default(), &[&a, &b], site)
    }

    /// x Wᵀ + bias for x `[.., I]`, weight `[O, I]`, bias `[O]`: a dense layer.
    ///
    /// # Errors
    /// Where the inner sizes differ, or the bias has not O elements.
    #[track_caller]
    pub fn linear(&self, weight: &Self, bias: Option<&Self>) -> Result<Self> {
        let site = Site::here();
        let refuse = |message: String| OpError {
            op: "linear".into(),
            inputs: [Some(self), Some(weight), bias].iter().flatten().map(|t| t.meta().to_string()).collect(),
            message,
            site,
        };
        let (Some(inner), true) = (self.shape().dims().last().cloned(), weight.rank() == 2) else {
            return Err(refuse("x needs a dimension, and the weight exactly two, [O, I]".into()).into());
        };
        let (o, i) = (weight.shape().dims()[0].clone(), weight.shape().dims()[1].clone());
        if inner != i {
            return Err(refuse(format!("the last dimension of x is {inner}, the weight takes {i}")).into());
        }
        if let Some(b) = bias.filter(|b| b.shape().dims() != std::slice::from_ref(&o)) {
            return Err(refuse(format!("the bias has shape {}; the weight gives [{o}]", b.shape())).into());
        }
        let leading = self.shape().dims()[..self.rank() - 1].to_vec();
        let rows = leading.iter().cloned().fold(1.into(), |a: crate::Dim, b| a * b);
        let flat = self.reshape(vec![rows, i])?;
        let y = flat.matmul(&weight.transpose(0, 1)?)?;
        let y = match bias {
            Some(b) => y.add(b)?,
            None => y,
        };
        y.reshape([leading, vec![o]].concat())
    }
}

/// Sizes and strides of one product.
struct Sizes {
    m: usize,
    n: usize,
    k: usize,
    /// Sizes of the leading dimensions, and the strides of a and b over them.
    batch: Vec<(usize, usize, usize)>,
    a: (usize, usize),
    b: (usize, usize),
}

/// The variants of an f32 product of operands through any strides, for operations that are one as they lie.
pub(super) fn lower(request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    kernels::lower(None, request)
}

/// The products of two operands on the CPU; 0 and 1 in their type are given.
fn products<T: Copy + Send + Sync + 'static>(
    (a, la): (&[T], &Layout),
    (b, lb): (&[T], &Layout),
    c: &mut [T],
    [zero, one]: [T; 2],
) -> Result<(), String> {
    let s = sizes(la, lb);
    if s.k == 0 {
        c.fill(zero);
        return Ok(());
    }
    if la.extent() > a.len() || lb.extent() > b.len() {
        return Err("an operand's layout reaches beyond its memory".into());
    }
    let product = |(batch, c): (usize, &mut [T]), parallelism| {
        let (mut rest, mut at, mut bt) = (batch, la.offset(), lb.offset());
        for &(n, x, y) in s.batch.iter().rev() {
            at += rest % n * x;
            bt += rest % n * y;
            rest /= n;
        }
        // SAFETY: the layouts stay inside the operands' memory (checked above through their extents), and c has
        // m × n elements of its own.
        unsafe {
            gemm::gemm(
                s.m,
                s.n,
                s.k,
                c.as_mut_ptr(),
                1,
                s.n as isize,
                false,
                a.as_ptr().add(at),
                s.a.1 as isize,
                s.a.0 as isize,
                b.as_ptr().add(bt),
                s.b.1 as isize,
                s.b.0 as isize,
                zero,
                one,
                false,
                false,
                false,
                parallelism,
            );
        }
    };
    let (none, all) = (gemm::Parallelism::None, gemm::Parallelism::Rayon(0));
    let work = s.m * s.n * s.k;
    let size = (s.m * s.n).max(1);
    let batches = c.len() / size;
    if work >= PARALLEL {
        c.chunks_exact_mut(size).enumerate().for_each(|item| product(item, all));
    } else if batches > 1 && work * batches >= PARALLEL {
        // Products too small to share are shared out whole.
        c.par_chunks_exact_mut(size).enumerate().for_each(|item| product(item, none));
    } else {
        c.chunks_exact_mut(size).enumerate().for_each(|item| product(item, none));
    }
    Ok(())
}

fn sizes(a: &Layout, b: &Layout) -> Sizes {
    let r = a.shape().len();
    let leading = |l: &Layout| {
        let mut shape = l.shape()[..r - 2].to_vec();
        let mut strides = l.strides()[..r - 2].to_vec();
        shape.push(1);
        strides.push(0);
        (shape, strides)
    };
    let ((shape, sa), (_, sb)) = (leading(a), leading(b));
    // Join neighbouring leading dimensions that both operands walk alike.
    let mut batch: Vec<(usize, usize, usize)> = Vec::new();
    for d in 0..r - 2 {
        let (n, x, y) = (shape[d], sa[d], sb[d]);
        if n == 1 {
            continue;
        }
        match batch.last_mut() {
            Some(last) if last.1 == x * n && last.2 == y * n => *last = (last.0 * n, x, y),
            _ => batch.push((n, x, y)),
        }
    }
    Sizes {
        m: a.shape()[r - 2],
        k: a.shape()[r - 1],
        n: b.shape()[r - 1],
        batch,
        a: (a.strides()[r - 2], a.strides()[r - 1]),
        b: (b.strides()[r - 2], b.strides()[r - 1]),
    }
}

impl Op for MatMul {
    fn name(&self) -> &str {
        if self.sums.is_some() { "matmul_sums" } else { "matmul" }
    }

    fn attributes(&self) -> String {
        self.sums.map_or_else(String::new, |operand| format!("sums={operand}"))
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (a, b) = (&inputs[0], &inputs[1]);
        if !matches!(a.dtype, DType::F32 | DType::F64) || a.dtype != b.dtype {
            return Err(format!(
                "it takes two f32 or two f64 operands, got {} and {}; cast first",
                a.dtype, b.dtype
            ));
        }
        let (da, db) = (a.shape.dims(), b.shape.dims());
        let r = da.len();
        if da[r - 1] != db[r - 2] {
            return Err(format!(
                "the inner dimensions differ: {} of the left, {} of the right",
                da[r - 1],
                db[r - 2]
            ));
        }
        let mut dims = da[..r - 1].to_vec();
        let mut outputs = Vec::new();
        if let Some(operand) = self.sums {
            let kept = [&da[r - 2], &db[r - 1]][operand].clone();
            outputs.push(Meta::new(a.dtype, [&da[..r - 2], &[kept]].concat()));
        }
        dims.push(db[r - 1].clone());
        outputs.insert(0, Meta::new(a.dtype, dims));
        Ok(outputs)
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let r = inputs[0].shape.len();
        let (m, k, n) = (inputs[0].shape[r - 2], inputs[0].shape[r - 1], inputs[1].shape[r - 1]);
        for (at, out) in outputs[0].data.iter_mut().enumerate() {
            let (batch, row, column) = (at / (m * n), at / n % m, at % n);
            *out = (0..k)
                .map(|i| {
                    inputs[0].data[(batch * m + row) * k + i] * inputs[1].data[(batch * k + i) * n + column]
                })
                .sum();
        }
        if let Some(operand) = self.sums {
            let n = [m, n][operand];
            for (at, out) in outputs[1].data.iter_mut().enumerate() {
                let (batch, i) = (at / n, at % n);
                let place = |j: usize| [(batch * m + i) * k + j, (batch * k + j) * n + i][operand];
                *out = (0..k).map(|j| inputs[operand].data[place(j)]).sum();
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        if self.sums.is_some() {
            return Ok(false); // Only plans for GPUs have these.
        }
        let (la, lb) = (io.inputs[0].layout, io.inputs[1].layout);
        let (a, b) = (io.inputs[0].data, io.inputs[1].data);
        match (a, b, &mut io.outputs[0].data) {
            (Slice::F32(a), Slice::F32(b), SliceMut::F32(c)) => products((a, la), (b, lb), c, [0.0, 1.0])?,
            (Slice::F64(a), Slice::F64(b), SliceMut::F64(c)) => products((a, la), (b, lb), c, [0.0, 1.0])?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(self.sums, request)
    }

    fn accepts(&self, _: usize, layout: &Layout) -> bool {
        layout.strides().len() - 2 <= kernels::BATCH_DIMS
    }

    fn in_rows(&self, _: usize, shapes: &[Vec<usize>]) -> Option<Rows> {
        // The rows of a; or whole matrices.
        let b = (shapes[0].len() > 2).then_some(0);
        self.sums.is_none().then(|| (Arc::new(self.clone()) as Arc<dyn Op>, vec![Some(0), b]))
    }

    fn emits(&self) -> bool {
        true
    }

    fn loads(&self, input: usize, shapes: &[Vec<usize>]) -> Option<Load> {
        let name = *["load_a", "load_b"].get(input)?;
        // Each row of tiles reads b again, each column of them a.
        let other = &shapes[1 - input];
        let across = other[other.len() - 1 - input];
        Some(Load { name, times: across.div_ceil(kernels::LARGE_TILE) })
    }

    fn role(&self) -> Option<Role> {
        self.sums.is_none().then_some(Role::Product)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        if self.sums.is_some() {
            return Err(no_gradient("it is a planner's form of a product and a sum"));
        }
        let (a, b, g) = (&context.inputs[0], &context.inputs[1], context.cotangent()?);
        let da = if context.wanted[0] { Some(g.matmul(&b.transpose(-2, -1)?)?) } else { None };
        let db = if context.wanted[1] { Some(a.transpose(-2, -1)?.matmul(g)?) } else { None };
        Ok(vec![da, db])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let k = inputs[0].1.shape().last().copied().unwrap_or(0) as f64;
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        Cost { flops: 2.0 * k * outputs[0].1.count() as f64, bytes: bytes(inputs) + bytes(outputs) }
    }
}
