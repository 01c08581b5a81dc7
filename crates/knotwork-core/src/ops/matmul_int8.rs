//! Products of 8-bit integers, and how floats become them.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rayon::prelude::*;

use super::{Case, CaseInput, Cases, Cost, Fill, Op, Reference, Registered, Rows, no_gradient};
use crate::{
    DType, Dim, HostTensor, Layout, Result, Shape, Site,
    autodiff::GradContext,
    cpu::{CpuIo, Slice},
    error::OpError,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Params},
};

/// Integers a word.
const PACKED: usize = 4;
/// The largest magnitude that quantising gives: symmetric, −128 is not used.
const LARGEST: f64 = 127.0;
/// Words of a row whose products an i32 holds at worst, 128 · 128 each.
const MAX_WORDS: usize = (i32::MAX as usize) / (PACKED << 14);
/// Below so many products a second thread costs more than it saves.
const PARALLEL: usize = 1 << 18;

pub(super) const REGISTERED: Registered = Registered {
    name: "matmul_int8",
    formula: "c[.., m, n] = s[.., m] t[.., n] Σ_k a[.., m, k] b[.., n, k], a and b int8, summed in i32",
    inputs: "a […, M, K/4] u32, four int8 a word; b […, N, K/4] u32; s […, M]; t […, N]; leading dimensions broadcast",
    attributes: "",
    types: "s, t and c f32 or f64; no gradient: it is for inference with trained weights",
    source: "",
    cases: Cases::Listed(|| {
        let case = |name: &str, batch: &[usize], (m, n, words): (usize, usize, usize)| {
            let packed = |rows: usize| CaseInput {
                dtype: DType::U32,
                shape: [batch, &[rows, words]].concat(),
                fill: Fill::Index(u32::MAX as usize),
            };
            // Scales as small as they are for real: sums of K products of up to 2^14 come out near 1.
            let scales = |rows: usize| CaseInput::between(&[batch, &[rows]].concat(), 1e-3, 8e-3);
            let inputs = vec![packed(m), packed(n), scales(m), scales(n)];
            Case::new(name, inputs, |t| Ok(vec![t[0].matmul_int8(&t[1], &t[2], &t[3])?])).no_gradient()
        };
        vec![
            case("one word", &[], (1, 1, 1)),
            case("a row", &[], (1, 65, 17)),
            case("odd sizes", &[], (17, 33, 5)),
            case("more than a tile", &[], (70, 130, 9)),
            case("batched", &[2, 3], (5, 7, 8)),
            case("nothing to add", &[], (3, 2, 0)),
            case("no rows", &[], (0, 2, 3)),
        ]
    }),
};

/// A tensor as int8 along its last dimension, with a scale for each row: x ≈ scale · integer.
#[derive(Clone, Debug)]
pub struct Int8 {
    /// `[.., K/4]` u32, four integers a word, the first in the lowest byte; K is filled up with zeros.
    pub words: Tensor,
    /// `[..]`, the distance of neighbouring integers: the largest magnitude of the row over 127.
    pub scale: Tensor,
}

impl Int8 {
    /// x yᵀ for x `[.., M, K]` and y `[.., N, K]`: [`Tensor::matmul_int8`] with the scales of both.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [1, 3])?;
    /// let w = g.input("w", DType::F32, [2, 3])?;
    /// let y = x.quantize_int8()?.matmul_transposed(&w.quantize_int8()?)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let x = HostTensor::new(&[127.0f32, -64.0, 2.0], [1, 3])?;
    /// let w = HostTensor::new(&[1.0f32, 0.0, 0.0, 0.0, -2.0, 2.0], [2, 3])?;
    /// let out = p.run([("x", x), ("w", w)])?.wait()?;
    /// let y = out[0].as_slice::<f32>()?;
    /// assert!((y[0] - 127.0).abs() < 1e-4 && (y[1] - 132.0).abs() < 1e-4);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tensor::matmul_int8`].
    #[track_caller]
    pub fn matmul_transposed(&self, other: &Self) -> Result<Tensor> {
        self.words.matmul_int8(&other.words, &self.scale, &other.scale)
    }
}

impl Tensor {
    /// The nearest int8 along the last dimension, symmetric about zero, with one scale a row: max |x| / 127. A row of zeros
    /// has scale 1. There is no gradient: rounding has none.
    ///
    /// # Errors
    /// Where it is not f32 or f64, has no dimension, or the last one is named: words are packed along it.
    #[track_caller]
    pub fn quantize_int8(&self) -> Result<Int8> {
        let site = Site::here();
        let refuse = |message: String| OpError {
            op: "quantize_int8".into(),
            inputs: vec![self.meta().to_string()],
            message,
            site,
        };
        if !matches!(self.dtype(), DType::F32 | DType::F64) {
            return Err(refuse("it takes f32 or f64; cast first".into()).into());
        }
        let Some(k) = self.shape().dims().last().and_then(Dim::fixed) else {
            return Err(refuse(
                "it needs a last dimension of a fixed size: words are packed along it".into(),
            )
            .into());
        };
        if k == 0 {
            return Err(refuse("the last dimension has no elements: there is nothing to scale".into()).into());
        }
        let largest = self.map("abs", &[], &[])?.max(&[-1], true)?;
        let one = self.graph().constant(self.dtype(), 1.0)?;
        let scale = one.select(&largest.le(0.0)?, largest.mul(1.0 / LARGEST)?)?;
        let x = self.div(&scale)?;
        // Half away from zero: the cast truncates.
        let integers = x.add(&x.map("sign", &[], &[])?.mul(0.5)?)?;
        let integers = integers.maximum(-LARGEST)?.minimum(LARGEST)?.cast(DType::I32)?;
        let integers = integers.pad(-1, 0, k.next_multiple_of(PACKED) - k)?;
        // As bytes, then each at its place in the word.
        let bytes = integers.add(256.0)?.select(&integers.lt(0.0)?, &integers)?.cast(DType::U32)?;
        let mut dims = self.shape().dims().to_vec();
        dims.pop();
        let four = bytes.reshape([&dims[..], &[k.div_ceil(PACKED).into(), PACKED.into()]].concat())?;
        let places = HostTensor::new(&[1u32, 1 << 8, 1 << 16, 1 << 24], [PACKED])?;
        let placed = four.mul(self.graph().tensor(places)?)?;
        let byte = |i: usize| placed.slice(-1, i, i + 1);
        let words = byte(0)?.add(&byte(1)?)?.add(&byte(2)?)?.add(&byte(3)?)?;
        let words = words.reshape([&dims[..], &[k.div_ceil(PACKED).into()]].concat())?;
        Ok(Int8 { words, scale: scale.reshape(dims)? })
    }

    /// The product of two tensors of int8, packed four to a u32 along K (the first in the lowest byte): self `[.., M, K/4]`
    /// and `other` `[.., N, K/4]` (its rows are the columns of the result), summed exactly in i32, times `scale` `[.., M]` and
    /// `other_scale` `[.., N]`: `[.., M, N]` in the scales' type. Leading dimensions broadcast. [`Int8`] packs and multiplies.
    ///
    /// It has no gradient: train in f32, quantise what was trained.
    ///
    /// # Errors
    /// Where an operand is not u32 or has fewer than two dimensions, K differs or is longer than an i32 can sum
    /// (131,068), a scale does not fit its operand or is not f32 or f64, or leading dimensions do not broadcast.
    #[track_caller]
    pub fn matmul_int8(&self, other: &Self, scale: &Self, other_scale: &Self) -> Result<Self> {
        let site = Site::here();
        let all = [self, other, scale, other_scale];
        let refuse = |message: String| OpError {
            op: REGISTERED.name.into(),
            inputs: all.iter().map(|t| t.meta().to_string()).collect(),
            message,
            site,
        };
        let mut batch = Shape::scalar();
        for (t, own) in all.into_iter().zip([2, 2, 1, 1]) {
            let Some(leading) = t.rank().checked_sub(own) else {
                return Err(refuse("operands need two dimensions at least, scales one".into()).into());
            };
            let leading = Shape::from(t.shape().dims()[..leading].to_vec());
            batch = batch.broadcast(&leading).ok_or_else(|| {
                refuse(format!("the leading dimensions {leading} do not broadcast with {batch}"))
            })?;
        }
        let whole = |t: &Self, own: usize| {
            let dims = t.shape().dims();
            t.broadcast_to(Shape::from([batch.dims(), &dims[dims.len() - own..]].concat()))
        };
        let (a, b) = (whole(self, 2)?, whole(other, 2)?);
        let (s, t) = (whole(scale, 1)?, whole(other_scale, 1)?);
        self.graph().apply_one(MatMulInt8, &[&a, &b, &s, &t], site)
    }
}

/// A product of packed int8 operands with scales.
#[derive(Clone, Debug)]
struct MatMulInt8;

/// The four integers of a word.
fn unpack(word: u32) -> [i8; PACKED] {
    word.to_le_bytes().map(|byte| byte as i8)
}

/// (batches, M, N, words of a row).
fn sizes(a: &[usize], b: &[usize]) -> (usize, usize, usize, usize) {
    let r = a.len();
    (a[..r - 2].iter().product(), a[r - 2], b[r - 2], a[r - 1])
}

impl Op for MatMulInt8 {
    fn name(&self) -> &str {
        REGISTERED.name
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let [a, b, s, t] = inputs else { return Err("it takes two operands and two scales".into()) };
        for (name, packed) in [("left", a), ("right", b)] {
            if packed.dtype != DType::U32 {
                return Err(format!(
                    "the {name} operand is {}, not u32: int8 is packed four to a word",
                    packed.dtype
                ));
            }
        }
        if s.dtype != t.dtype || !matches!(s.dtype, DType::F32 | DType::F64) {
            return Err(format!("the scales are {} and {}; both must be f32, or both f64", s.dtype, t.dtype));
        }
        let (da, db) = (a.shape.dims(), b.shape.dims());
        let r = da.len();
        if da[r - 1] != db[r - 1] {
            return Err(format!("rows have {} words on the left, {} on the right", da[r - 1], db[r - 1]));
        }
        if let Some(words) = da[r - 1].fixed().filter(|&words| words > MAX_WORDS) {
            return Err(format!("{words} words a row; an i32 holds the sum of {MAX_WORDS} at most"));
        }
        for (name, scale, dims) in [("left", s, da), ("right", t, db)] {
            if scale.shape.dims() != &dims[..r - 1] {
                let want = Shape::from(dims[..r - 1].to_vec());
                return Err(format!("the {name} scale has shape {}, its operand {want} rows", scale.shape));
            }
        }
        Ok(vec![Meta::new(s.dtype, [&da[..r - 1], &[db[r - 2].clone()]].concat())])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (_, m, n, words) = sizes(&inputs[0].shape, &inputs[1].shape);
        for (at, out) in outputs[0].data.iter_mut().enumerate() {
            let (batch, row, column) = (at / (m * n), at / n % m, at % n);
            let mut sum = 0i64;
            for w in 0..words {
                let a = unpack(inputs[0].data[(batch * m + row) * words + w] as u32);
                let b = unpack(inputs[1].data[(batch * n + column) * words + w] as u32);
                sum += a.iter().zip(b).map(|(&a, b)| i64::from(a) * i64::from(b)).sum::<i64>();
            }
            *out = sum as f64 * inputs[2].data[batch * m + row] * inputs[3].data[batch * n + column];
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (_, m, n, words) = sizes(io.inputs[0].layout.shape(), io.inputs[1].layout.shape());
        let unpacked = |i: usize| match io.inputs[i].data {
            Slice::U32(s) => {
                let layout = io.inputs[i].layout;
                let at = layout.offset()..layout.offset() + layout.count();
                layout
                    .is_dense()
                    .then(|| s.get(at))?
                    .map(|s| s.iter().flat_map(|&w| unpack(w)).collect::<Vec<i8>>())
            }
            _ => None,
        };
        let (Some(a), Some(b)) = (unpacked(0), unpacked(1)) else { return Ok(false) };
        let (Some(s), Some(t)) = (io.inputs[2].f32(), io.inputs[3].f32()) else { return Ok(false) };
        let Some(c) = io.outputs[0].f32() else { return Ok(false) };
        if c.is_empty() {
            return Ok(true);
        }
        let k = words * PACKED;
        let row = |(at, c): (usize, &mut [f32])| {
            let batch = at / m;
            let a = &a[at * k..][..k];
            for (column, c) in c.iter_mut().enumerate() {
                let b = &b[(batch * n + column) * k..][..k];
                let sum: i32 = a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
                *c = sum as f32 * (s[at] * t[batch * n + column]);
            }
        };
        if c.len() * k >= PARALLEL {
            c.par_chunks_exact_mut(n).enumerate().for_each(row);
        } else {
            c.chunks_exact_mut(n).enumerate().for_each(row);
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} products run on the CPU only", request.outputs[0].dtype));
        }
        let (batches, m, n, words) =
            sizes(request.inputs[0].layout.shape(), request.inputs[1].layout.shape());
        let variant = |name: &'static str, each: usize| {
            let mut kernel = Kernel::named("matmul_int8", vec![("EACH", (each as u32).into())]);
            kernel.name = format!("matmul_int8_{name}");
            let tiles = m.div_ceil(16 * each) * n.div_ceil(16 * each) * batches;
            let dispatch = DispatchSpec {
                kernel,
                bindings: (0..4).map(BindTo::Input).chain([BindTo::Output(0)]).collect(),
                params: Params::new().u32(m).u32(n).u32(words).u32(batches),
                grid: Grid::Linear(tiles as u64),
                flat: None,
            };
            Lowering::single(name, dispatch)
        };
        let mut all = vec![variant("tile64", 4), variant("tile16", 1)];
        // A large tile pays where it is mostly filled.
        if m.min(n) <= 32 {
            all.reverse();
        }
        Ok(all)
    }

    fn in_rows(&self, _: usize, shapes: &[Vec<usize>]) -> Option<Rows> {
        // The rows of a; or whole matrices.
        let b = (shapes[0].len() > 2).then_some(0);
        Some((Arc::new(self.clone()), vec![Some(0), b, Some(0), b]))
    }

    fn emits(&self) -> bool {
        true
    }

    fn grad(&self, _: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient("its operands are integers: train in f32, and quantise what was trained"))
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let k = PACKED * inputs[0].1.shape().last().copied().unwrap_or(0);
        Cost { flops: 2.0 * k as f64 * outputs[0].1.count() as f64, bytes: bytes(inputs) + bytes(outputs) }
    }
}
