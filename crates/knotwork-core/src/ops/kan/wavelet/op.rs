//! One operation for the three sums of a wavelet layer.
//!
//! With u = (x_bi − t_oi) / s_oi and F = uᵖ ψ⁽ᵈ⁾(u):
//! - forward: y_bo = Σ_i h_bi a_oi F;
//! - input: v_bi = Σ_o g_bo a_oi F;
//! - parameters: Σ_b h_bi g_bo of uᵖ ψ⁽ᵈ⁾, of uᵖ ψ⁽ᵈ⁺¹⁾ and of uᵖ⁺¹ ψ⁽ᵈ⁺¹⁾, for every edge.
//!
//! dF/du = p uᵖ⁻¹ ψ⁽ᵈ⁾ + uᵖ ψ⁽ᵈ⁺¹⁾, and u times it, are sums of the same kind: each one's gradients are the others.

use super::{Wavelet, fast, kernels, psi};
use crate::{
    Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference, no_gradient},
    plan::{KernelRequest, Lowering},
    tensor::DType,
};

/// The largest d.
const MAX_DERIVATIVE: usize = 4;

/// Which of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// (x, a, s, t, h?) → y
    Forward,
    /// (x, g, a, s, t) → v
    Input,
    /// (x, g, s, t, h?) → the three sums over rows
    Parameters,
}

/// One sum: x and h [B, I], g and y [B, O], a, s and t [O, I].
#[derive(Clone, Copy, Debug)]
pub(super) struct WaveletSum {
    pub kind: Kind,
    pub wavelet: Wavelet,
    /// p
    pub power: usize,
    /// d
    pub derivative: usize,
    /// Whether h is an input.
    pub weighted: bool,
}

/// What a sum Σ h g a F depends on, and where the gradients to each go.
struct Edges<'a> {
    sum: WaveletSum,
    x: &'a Tensor,
    g: &'a Tensor,
    a: &'a Tensor,
    s: &'a Tensor,
    t: &'a Tensor,
    h: Option<&'a Tensor>,
}

impl WaveletSum {
    fn at(self, kind: Kind, power: usize, derivative: usize) -> Self {
        Self { kind, power, derivative, weighted: false, ..self }
    }

    fn apply(self, inputs: &[&Tensor], h: Option<&Tensor>) -> Result<Vec<Tensor>> {
        if self.derivative > MAX_DERIVATIVE {
            return Err(no_gradient(&format!(
                "the wavelet {} has derivatives up to order {MAX_DERIVATIVE}, and this is one more",
                self.wavelet
            )));
        }
        let mut all = inputs.to_vec();
        all.extend(h);
        inputs[0].graph().apply(Self { weighted: h.is_some(), ..self }, &all, Site::here())
    }

    /// The first output.
    fn one(self, inputs: &[&Tensor], h: Option<&Tensor>) -> Result<Tensor> {
        self.apply(inputs, h)?.into_iter().next().ok_or_else(|| no_gradient("the sum has no output"))
    }
}

impl Edges<'_> {
    /// Σ_o g a F, of the edges' power and derivative or others, and with another a.
    fn input(&self, a: &Tensor, p: usize, d: usize) -> Result<Tensor> {
        self.sum.at(Kind::Input, p, d).one(&[self.x, self.g, a, self.s, self.t], None)
    }

    fn to_x(&self) -> Result<Tensor> {
        let (p, d) = (self.sum.power, self.sum.derivative);
        let a = self.a.div(self.s)?;
        let mut slope = self.input(&a, p, d + 1)?;
        if p > 0 {
            slope = slope.add(&self.input(&a, p - 1, d)?.mul(p as f64)?)?;
        }
        match self.h {
            Some(h) => h.mul(&slope),
            None => Ok(slope),
        }
    }

    fn to_h(&self) -> Result<Tensor> {
        self.input(self.a, self.sum.power, self.sum.derivative)
    }

    fn to_g(&self) -> Result<Tensor> {
        let op = self.sum.at(Kind::Forward, self.sum.power, self.sum.derivative);
        op.one(&[self.x, self.a, self.s, self.t], self.h)
    }

    /// To a, s and t; only those that are wanted.
    fn to_edges(&self, wanted: [bool; 3]) -> Result<[Option<Tensor>; 3]> {
        let (p, d) = (self.sum.power, self.sum.derivative);
        let inputs = [self.x, self.g, self.s, self.t];
        if !wanted.contains(&true) {
            return Ok([None, None, None]);
        }
        let sums = self.sum.at(Kind::Parameters, p, d).apply(&inputs, self.h)?;
        let [f, slope, scaled] = &sums[..] else { return Err(no_gradient("there are not three sums")) };
        let by = self.a.div(self.s)?.neg()?;
        let mut to_s = None;
        let mut to_t = None;
        if wanted[1] {
            let whole = if p > 0 { scaled.add(&f.mul(p as f64)?)? } else { scaled.clone() };
            to_s = Some(by.mul(&whole)?);
        }
        if wanted[2] {
            let mut whole = slope.clone();
            if p > 0 {
                let lower = self.sum.at(Kind::Parameters, p - 1, d).one(&inputs, self.h)?;
                whole = whole.add(&lower.mul(p as f64)?)?;
            }
            to_t = Some(by.mul(&whole)?);
        }
        Ok([wanted[0].then(|| f.clone()), to_s, to_t])
    }
}

/// Adds a gradient to what there is.
fn accumulate(found: &mut Option<Tensor>, more: Option<Tensor>) -> Result<()> {
    *found = match (found.take(), more) {
        (Some(a), Some(b)) => Some(a.add(&b)?),
        (a, b) => a.or(b),
    };
    Ok(())
}

impl Op for WaveletSum {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Forward => "wavelet_forward",
            Kind::Input => "wavelet_input_gradient",
            Kind::Parameters => "wavelet_parameter_gradient",
        }
    }

    fn attributes(&self) -> String {
        let Self { wavelet, power, derivative, weighted, .. } = self;
        format!("wavelet={wavelet} power={power} derivative={derivative} weighted={weighted}")
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let x = &inputs[0];
        if let Some(m) =
            inputs.iter().find(|m| m.dtype != x.dtype || !m.dtype.is_float() || m.shape.rank() != 2)
        {
            return Err(format!("all inputs must be matrices of one float type; x is {x}, another is {m}"));
        }
        let dims = |i: usize| inputs[i].shape.dims();
        let (rows, width) = (&dims(0)[0], &dims(0)[1]);
        // a, s and t stand side by side; where there is no a, s comes first.
        let first = if self.kind == Kind::Forward { 1 } else { 2 };
        let edges = if self.kind == Kind::Parameters { 2 } else { 3 };
        let out = &dims(first)[0];
        for meta in &inputs[first..first + edges] {
            if meta.shape.dims() != [out.clone(), width.clone()] {
                return Err(format!("an edge's parameter is {meta}; it must be [{out}, {width}]"));
            }
        }
        if self.kind != Kind::Forward && dims(1) != [rows.clone(), out.clone()] {
            return Err(format!("g is {}; it must be [{rows}, {out}]", inputs[1]));
        }
        if self.weighted && inputs[inputs.len() - 1].shape != x.shape {
            return Err(format!(
                "the rows' weights have shape {}, x has {}",
                inputs[inputs.len() - 1].shape,
                x.shape
            ));
        }
        let meta = |a: &crate::Dim, b: &crate::Dim| Meta::new(x.dtype, vec![a.clone(), b.clone()]);
        Ok(match self.kind {
            Kind::Forward => vec![meta(rows, out)],
            Kind::Input => vec![meta(rows, width)],
            Kind::Parameters => vec![meta(out, width); 3],
        })
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let data = |i: usize| inputs[i].data.as_slice();
        let (rows, width) = (inputs[0].shape[0], inputs[0].shape[1]);
        let first = if self.kind == Kind::Forward { 1 } else { 2 };
        let out = inputs[first].shape[0];
        let (a, s, t) = match self.kind {
            Kind::Parameters => (&[][..], data(2), data(3)),
            _ => (data(first), data(first + 1), data(first + 2)),
        };
        let h = self.weighted.then(|| data(inputs.len() - 1));
        let g = if self.kind == Kind::Forward { &[][..] } else { data(1) };
        outputs.iter_mut().for_each(|y| y.data.fill(0.0));
        for b in 0..rows {
            for o in 0..out {
                for i in 0..width {
                    let (point, edge) = (b * width + i, o * width + i);
                    let u = psi::argument(data(0)[point], s[edge], t[edge]);
                    let [f, slope] = psi::both(self.wavelet, self.power, self.derivative, u);
                    let h = h.map_or(1.0, |h| h[point]);
                    match self.kind {
                        Kind::Forward => outputs[0].data[b * out + o] += h * a[edge] * f,
                        Kind::Input => outputs[0].data[point] += g[b * out + o] * a[edge] * f,
                        Kind::Parameters => {
                            let w = h * g[b * out + o];
                            outputs[0].data[edge] += w * f;
                            outputs[1].data[edge] += w * slope;
                            outputs[2].data[edge] += w * u * slope;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        Ok(fast::run(self, io).is_some())
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(self, request)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let inputs = context.inputs;
        let mut found = vec![None; inputs.len()];
        let wanted = |i: usize| context.wanted.get(i).copied().unwrap_or(false);
        let h_at = self.weighted.then(|| inputs.len() - 1);
        let h = h_at.map(|i| &inputs[i]);
        let sum = *self;
        match self.kind {
            Kind::Forward => {
                let (a, s, t) = (&inputs[1], &inputs[2], &inputs[3]);
                let edges = Edges { sum, x: &inputs[0], g: context.cotangent()?, a, s, t, h };
                if wanted(0) {
                    found[0] = Some(edges.to_x()?);
                }
                let [a, s, t] = edges.to_edges([wanted(1), wanted(2), wanted(3)])?;
                (found[1], found[2], found[3]) = (a, s, t);
                if let Some(at) = h_at.filter(|&i| wanted(i)) {
                    found[at] = Some(edges.to_h()?);
                }
            }
            Kind::Input => {
                let (a, s, t) = (&inputs[2], &inputs[3], &inputs[4]);
                let h = Some(context.cotangent()?);
                let edges = Edges { sum, x: &inputs[0], g: &inputs[1], a, s, t, h };
                if wanted(0) {
                    found[0] = Some(edges.to_x()?);
                }
                if wanted(1) {
                    found[1] = Some(edges.to_g()?);
                }
                let [a, s, t] = edges.to_edges([wanted(2), wanted(3), wanted(4)])?;
                (found[2], found[3], found[4]) = (a, s, t);
            }
            Kind::Parameters => {
                let (p, d) = (self.power, self.derivative);
                for (q, (p, d)) in context.cotangents.iter().zip([(p, d), (p, d + 1), (p + 1, d + 1)]) {
                    let Some(q) = q else { continue };
                    let sum = self.at(Kind::Forward, p, d);
                    let (s, t) = (&inputs[2], &inputs[3]);
                    let edges = Edges { sum, x: &inputs[0], g: &inputs[1], a: q, s, t, h };
                    if wanted(0) {
                        accumulate(&mut found[0], Some(edges.to_x()?))?;
                    }
                    if wanted(1) {
                        accumulate(&mut found[1], Some(edges.to_g()?))?;
                    }
                    let [_, s, t] = edges.to_edges([false, wanted(2), wanted(3)])?;
                    accumulate(&mut found[2], s)?;
                    accumulate(&mut found[3], t)?;
                    if let Some(at) = h_at.filter(|&i| wanted(i)) {
                        accumulate(&mut found[at], Some(edges.to_h()?))?;
                    }
                }
            }
        }
        Ok(found)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let first = if self.kind == Kind::Forward { 1 } else { 2 };
        let edges = inputs[first].1.count() as f64;
        let rows = inputs[0].1.shape().first().copied().unwrap_or(1) as f64;
        Cost { flops: 30.0 * rows * edges, bytes: bytes(inputs) + bytes(outputs) }
    }
}
