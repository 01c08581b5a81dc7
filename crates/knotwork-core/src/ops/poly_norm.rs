//! The sum of normalised powers (PolyNorm).

mod gradient;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::{
    Case, CaseInput, Cases, Cost, Op, Reference, Registered,
    elementwise::vectorised,
    norm::{check_eps, leaf},
};
use crate::{
    DType, Dim, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    error::OpError,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};
use gradient::PolyNormGradient;

pub(super) const REGISTERED: Registered = Registered {
    name: "poly_norm",
    formula: "Σᵢ weightᵢ₋₁ xⁱ / √(mean(x²ⁱ) + eps) + bias for i from 1, over the last dimension",
    inputs: "x […, C]; weight [r], r in 1..=16; bias [1]",
    attributes: "eps ≥ 0, usually 1e-6",
    types: "f32, f64",
    source: "Zhuo et al. 2024, Polynomial Composition Activations",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize], order: usize, eps: f64| {
            Case::new(
                format!("{shape:?}, order {order}, eps {eps}"),
                vec![CaseInput::new(shape), CaseInput::new(&[order]), CaseInput::new(&[1])],
                move |t| Ok(vec![t[0].poly_norm(&t[1], &t[2], eps)?]),
            )
        };
        vec![
            case(&[2, 3, 65], 3, 1e-6),
            case(&[65, 3], 2, 0.1),
            case(&[2, 257], 1, 1e-6),
            case(&[3, 17], 5, 1e-3),
            case(&[0, 4], 3, 1e-6),
            case(&[64], 4, 1e-6).no_gradient(),
        ]
    }),
};

/// The most powers that a kernel keeps sums of.
const MAX_POWERS: usize = 16;
/// Rows up to this length are one thread's; longer ones a workgroup's.
const SHORT: usize = 32;
/// A thread takes no longer ones.
const LONGEST_SERIAL: usize = 256;
/// Turns of all loops of one thread together, below the number at which some drivers end them.
const TURNS: usize = 60_000;
/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 14;

/// y of x `[rows, C]`, weight `[r]` and bias `[1]`; and of each row the number m that x was divided by, and the roots
/// √(mean((x/m)²ⁱ) + eps/m²ⁱ): `[rows, 1 + r]`.
#[derive(Clone, Debug)]
struct PolyNorm {
    eps: f64,
}

impl Tensor {
    /// Σᵢ weightᵢ₋₁ xⁱ / √(mean(x²ⁱ) + eps) + bias, i from 1 to r, means over the last dimension: of x `[…, C]`, weight
    /// `[r]` and bias `[1]` (Zhuo et al. 2024; there r = 3, weights 1/3, bias 0, eps = 1e-6). Large rows are divided by
    /// their largest element first, so that no power overflows; the result is the same.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [1, 2])?;
    /// let weight = g.tensor(HostTensor::new(&[1.0f32, 2.0], [2])?)?;
    /// let bias = g.tensor(HostTensor::new(&[0.5f32], [1])?)?;
    /// let mut p = Device::cpu().compile(&g, &[&x.poly_norm(&weight, &bias, 0.0)?], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[4.0f32, -4.0], [1, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[3.5, 1.5]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is a scalar or neither f32 nor f64, weight is not of rank 1 with 1 to 16 elements, bias is not `[1]`, their
    /// types differ, or eps is negative or not finite.
    #[track_caller]
    pub fn poly_norm(&self, weight: &Self, bias: &Self, eps: f64) -> Result<Self> {
        let site = Site::here();
        let inputs = [self, weight, bias];
        self.check_poly(weight, bias, eps).map_err(|message| OpError {
            op: "poly_norm".into(),
            inputs: inputs.iter().map(|t| t.meta().to_string()).collect(),
            message,
            site,
        })?;
        let dims = self.shape().dims();
        let (front, last) = dims.split_at(dims.len() - 1);
        let rows = front.iter().fold(Dim::from(1), |n, d| n * d.clone());
        let x = self.reshape(vec![rows, last[0].clone()])?;
        let y = self.graph().apply(PolyNorm { eps }, &[&x, weight, bias], site)?.swap_remove(0);
        y.reshape(dims.to_vec())
    }

    fn check_poly(&self, weight: &Self, bias: &Self, eps: f64) -> Result<(), String> {
        if !matches!(self.dtype(), DType::F32 | DType::F64) {
            return Err(format!("x is {}; it takes f32 or f64; cast first", self.dtype()));
        }
        if self.rank() == 0 {
            return Err("x is []; it takes […, C]".into());
        }
        check_eps(eps)?;
        let powers = match weight.shape().dims() {
            [r] => r.fixed(),
            _ => None,
        };
        if weight.dtype() != self.dtype() || !powers.is_some_and(|r| (1..=MAX_POWERS).contains(&r)) {
            return Err(format!(
                "weight is {}; it takes {}[r], one number for each of 1 to {MAX_POWERS} powers",
                weight.meta(),
                self.dtype()
            ));
        }
        if bias.dtype() != self.dtype() || bias.shape().fixed().as_deref() != Some(&[1]) {
            return Err(format!("bias is {}; it takes {}[1]", bias.meta(), self.dtype()));
        }
        Ok(())
    }
}

/// What a row is divided by: its largest element where that is above 1 (or where no eps bounds the roots).
fn divisor(largest: f64, eps: f64) -> f64 {
    if largest > 1.0 || (eps == 0.0 && largest > 0.0) { largest } else { 1.0 }
}

/// eps / m²ⁱ.
fn scaled(eps: f64, m: f64, power: usize) -> f64 {
    if m > 1.0 { (0..power).fold(eps, |e, _| e / m / m) } else { eps }
}

/// The dispatch variants of a kernel that works by rows of x.
fn variants(
    shader: &'static str,
    eps: f64,
    powers: usize,
    bindings: &[BindTo],
    request: &KernelRequest<'_>,
) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
    }
    let shape = request.inputs[0].layout.shape();
    let (rows, n) = (shape[0], shape[1]);
    let longest = 256 * (TURNS / (3 * (powers + 2)));
    if n > longest {
        return Err(format!("rows of {n} elements; the kernel takes {longest} with {powers} powers"));
    }
    let variant = |name: &'static str, serial: bool| {
        let dispatch = DispatchSpec {
            kernel: Kernel {
                name: format!("{}_{name}", shader.replace('/', "_")),
                source: Source::Named(shader),
                flags: serial.then_some("serial").into_iter().collect(),
                constants: vec![("POWERS", (powers as u32).into())],
                needs: Needs::default(),
            },
            bindings: bindings.to_vec(),
            params: Params::new().u32(rows).u32(n).f32(n as f32).f32(eps as f32),
            grid: Grid::Linear(if serial { rows.div_ceil(256) } else { rows } as u64),
            flat: None,
        };
        Lowering::single(name, dispatch)
    };
    let (serial, group) = (variant("row_a_thread", true), variant("row_a_group", false));
    Ok(if n <= SHORT {
        vec![serial, group]
    } else if n <= LONGEST_SERIAL {
        vec![group, serial]
    } else {
        vec![group]
    })
}

/// xⁱ / √(mean(x²ⁱ) + eps) of x `[rows, C]` for i from 1, made of simple operations.
fn composed(x: &Tensor, eps: f64, powers: usize) -> Result<Vec<Tensor>> {
    let mut power = x.clone();
    let mut all = Vec::with_capacity(powers);
    for i in 0..powers {
        if i > 0 {
            power = power.mul(x)?;
        }
        let root = power.square()?.mean(&[1], true)?.add(eps)?.sqrt()?;
        all.push(power.div(&root)?);
    }
    Ok(all)
}

impl Op for PolyNorm {
    fn name(&self) -> &str {
        "poly_norm"
    }

    fn attributes(&self) -> String {
        format!("eps={:?}", self.eps)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (x, weight) = (&inputs[0], &inputs[1]);
        let rows = x.shape.dims()[0].clone();
        let Some(powers) = weight.shape.dims()[0].fixed() else {
            return Err("weight has a named dimension; its powers must be counted".into());
        };
        Ok(vec![x.clone(), Meta::new(x.dtype, vec![rows, Dim::from(powers + 1)])])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (n, weight) = (inputs[0].shape[1], &inputs[1].data);
        let numbers = weight.len() + 1;
        let [y, kept] = outputs else { return Err("two outputs are expected".into()) };
        for row in 0..inputs[0].shape[0] {
            let x = &inputs[0].data[row * n..(row + 1) * n];
            let m = divisor(x.iter().fold(0.0, |m, v| v.abs().max(m)), self.eps);
            kept.data[row * numbers] = m;
            let y = &mut y.data[row * n..(row + 1) * n];
            y.fill(inputs[2].data[0]);
            for (i, w) in weight.iter().enumerate() {
                let power = |v: f64| (v / m).powi(i as i32 + 1);
                let mean = x.iter().map(|&v| power(v) * power(v)).sum::<f64>() / n as f64;
                let root = (mean + scaled(self.eps, m, i + 1)).sqrt();
                kept.data[row * numbers + 1 + i] = root;
                y.iter_mut().zip(x).for_each(|(y, &x)| *y += w * power(x) / root);
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let n = io.inputs[0].layout.shape()[1];
        let inputs = [0, 1, 2].map(|k| io.inputs[k].f32());
        let [Some(x), Some(weight), Some(bias)] = inputs else { return Ok(false) };
        let [y, rows] = &mut io.outputs[..] else { return Ok(false) };
        let (Some(y), Some(rows)) = (y.f32(), rows.f32()) else { return Ok(false) };
        if n == 0 {
            // No elements; what a row was divided by has no readers.
            rows.fill(1.0);
            return Ok(true);
        }
        let row = |((x, y), rows): ((&[f32], &mut [f32]), &mut [f32])| {
            vectorised(|| forward_row(x, weight, bias[0], self.eps, y, rows));
        };
        let numbers = weight.len() + 1;
        if x.len() < PARALLEL {
            x.chunks(n).zip(y.chunks_mut(n)).zip(rows.chunks_mut(numbers)).for_each(row);
        } else {
            x.par_chunks(n).zip(y.par_chunks_mut(n)).zip(rows.par_chunks_mut(numbers)).for_each(row);
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let powers = request.inputs[1].layout.count();
        let bindings =
            [BindTo::Input(0), BindTo::Input(1), BindTo::Input(2), BindTo::Output(0), BindTo::Output(1)];
        variants("poly_norm/forward", self.eps, powers, &bindings, request)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, weight, g) = (&context.inputs[0], &context.inputs[1], context.cotangent()?);
        let op = PolyNormGradient { eps: self.eps };
        let inputs = [x, g, weight, &context.outputs[1]];
        let (dx, dots) = if context.wanted[0] || context.wanted[1] {
            let mut found = x.graph().apply(op, &inputs, Site::here())?;
            (Some(found.swap_remove(0)), found.pop())
        } else {
            (None, None)
        };
        let dw = dots.map(|d| d.sum(&[0], false)).transpose()?;
        let db = if context.wanted[2] { Some(g.sum(&[0, 1], false)?.reshape([1])?) } else { None };
        Ok(vec![dx, dw, db])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let (n, powers) = (outputs[0].1.count() as f64, inputs[1].1.count() as f64);
        Cost { flops: (2.0 + 5.0 * powers) * n, bytes: 8.0 * n }
    }
}

#[inline(always)]
fn forward_row(x: &[f32], weight: &[f32], bias: f32, eps: f64, y: &mut [f32], row: &mut [f32]) {
    let largest = x.iter().fold(0.0f32, |m, v| if v.abs() > m { v.abs() } else { m });
    let m = divisor(largest.into(), eps) as f32;
    let mut factors = [0.0f32; MAX_POWERS];
    row[0] = m;
    let mut sums = [0.0f64; MAX_POWERS];
    for &x in x {
        let (u, mut power) = (x / m, 1.0f32);
        for sum in &mut sums[..weight.len()] {
            power *= u;
            *sum += f64::from(power) * f64::from(power);
        }
    }
    for (i, w) in weight.iter().enumerate() {
        let root = (sums[i] / x.len() as f64 + scaled(eps, m.into(), i + 1)).sqrt();
        row[1 + i] = root as f32;
        factors[i] = (f64::from(*w) / root) as f32;
    }
    for (y, &x) in y.iter_mut().zip(x) {
        let u = x / m;
        *y = bias + u * factors[..weight.len()].iter().rev().fold(0.0, |sum, f| sum * u + f);
    }
}
