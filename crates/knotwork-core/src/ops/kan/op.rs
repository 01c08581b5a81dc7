//! One operation for the three sums of a KAN layer, at any order of the basis' derivative.
//!
//! With f⁽ᵈ⁾_bio = Σ_m C_imo B_m⁽ᵈ⁾(x_bi) + W_io silu⁽ᵈ⁾(x_bi):
//! - forward: y_bo = Σ_i u_bi f⁽ᵈ⁾_bio;
//! - input: v_bi = Σ_o g_bo f⁽ᵈ⁾_bio;
//! - coefficients: P_imo = Σ_b u_bi g_bo B_m⁽ᵈ⁾(x_bi), Q_io = Σ_b u_bi g_bo silu⁽ᵈ⁾(x_bi).
//!
//! Each one's gradients are the others at order d or d + 1, so gradients of any order exist and no basis is ever in memory.
//! Over splines the knots may be an input of their own, the last one; they are constants to all gradients.

use super::{
    BSpline, MAX_DERIVATIVE,
    basis::{Basis, Form},
    choose, dense, fast, reference,
};
use crate::{
    Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference, no_gradient},
    plan::{KernelRequest, Lowering},
    tensor::DType,
};

/// Which of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// (x, C, W?, u?) → y
    Forward,
    /// (x, g, C, W?) → v
    Input,
    /// (x, g, u?) → P, and Q where there is a base
    Coefficients,
}

/// Where the knots of splines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// As the basis says, evenly.
    Even,
    /// In the last input, [I, G + 2k + 1]; of the basis only grid and order count.
    Given {
        /// Whether the last cell that is not empty holds t_G too: there functions are what they are just below.
        closed: bool,
    },
}

/// One sum: x [B, I], C [I, n, O], W [I, O], u [B, I], g and y [B, O].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KanSum {
    pub kind: Kind,
    pub basis: Basis,
    /// d, the order of the derivative.
    pub derivative: usize,
    /// Whether W is an input (or Q an output).
    pub base: bool,
    /// Whether u is an input.
    pub scale: bool,
    /// Only splines have knots that are given.
    pub spacing: Spacing,
}

/// A [`KanSum`] over B-splines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SplineSum {
    pub kind: Kind,
    pub basis: BSpline,
    pub derivative: usize,
    pub base: bool,
    pub scale: bool,
    pub spacing: Spacing,
}

impl SplineSum {
    fn sum(&self) -> KanSum {
        let Self { kind, basis, derivative, base, scale, spacing } = *self;
        KanSum { kind, basis: basis.into(), derivative, base, scale, spacing }
    }

    /// Where the knots stand among the inputs.
    pub fn knots_input(&self) -> Option<usize> {
        self.sum().knots_input()
    }

    /// Where W stands among the inputs.
    pub fn base_input(&self) -> Option<usize> {
        self.sum().base_input()
    }

    /// Where u stands among the inputs.
    pub fn scale_input(&self) -> Option<usize> {
        self.sum().scale_input()
    }

    /// Where C stands among the inputs.
    pub fn coef_input(&self) -> Option<usize> {
        self.sum().coef_input()
    }

    /// The number of basis functions that are not 0 at a point: k + 1, or none beyond the order.
    pub fn terms(&self) -> usize {
        if self.derivative > self.basis.order() { 0 } else { self.basis.order() + 1 }
    }
}

impl KanSum {
    /// The sum over B-splines, where they are the basis.
    pub fn splines(&self) -> Option<SplineSum> {
        let Self { kind, derivative, base, scale, spacing, .. } = *self;
        match self.basis.0 {
            Form::BSpline(basis) => Some(SplineSum { kind, basis, derivative, base, scale, spacing }),
            _ => None,
        }
    }

    /// Where W stands among the inputs.
    pub fn base_input(&self) -> Option<usize> {
        match self.kind {
            Kind::Forward => self.base.then_some(2),
            Kind::Input => self.base.then_some(3),
            Kind::Coefficients => None,
        }
    }

    /// Where u stands among the inputs.
    pub fn scale_input(&self) -> Option<usize> {
        match self.kind {
            Kind::Forward => self.scale.then_some(2 + usize::from(self.base)),
            Kind::Input => None,
            Kind::Coefficients => self.scale.then_some(2),
        }
    }

    /// Where the knots stand among the inputs.
    pub fn knots_input(&self) -> Option<usize> {
        let others = match self.kind {
            Kind::Forward => 2 + usize::from(self.base) + usize::from(self.scale),
            Kind::Input => 3 + usize::from(self.base),
            Kind::Coefficients => 2 + usize::from(self.scale),
        };
        (self.spacing != Spacing::Even).then_some(others)
    }

    /// Where C stands among the inputs.
    pub fn coef_input(&self) -> Option<usize> {
        match self.kind {
            Kind::Forward => Some(1),
            Kind::Input => Some(2),
            Kind::Coefficients => None,
        }
    }

    /// Adds the node.
    pub fn apply(self, inputs: &[&Tensor], site: Site) -> Result<Vec<Tensor>> {
        inputs[0].graph().apply(self, inputs, site)
    }

    fn one(self, at: Points<'_>, inputs: &[Option<&Tensor>]) -> Result<Tensor> {
        at.x.graph().apply_one(self, &at.with(inputs), Site::here())
    }

    /// The gradient to x: u ⊙ input⁽ᵈ⁺¹⁾(x, g, C, W); none where the pieces are constant and there is no W.
    fn gradient_to_x(
        &self,
        at: Points<'_>,
        g: &Tensor,
        c: &Tensor,
        w: Option<&Tensor>,
        u: Option<&Tensor>,
    ) -> Result<Option<Tensor>> {
        if w.is_none() && self.basis.vanishes(self.derivative + 1) {
            return Ok(None);
        }
        if self.derivative >= self.basis.derivatives() {
            return Err(too_many(&self.basis));
        }
        if w.is_some() && self.derivative >= MAX_DERIVATIVE {
            return Err(no_gradient(&format!(
                "with a silu branch it has derivatives up to order {MAX_DERIVATIVE}, and this is one more"
            )));
        }
        let op = Self {
            kind: Kind::Input,
            derivative: self.derivative + 1,
            base: w.is_some(),
            scale: false,
            ..*self
        };
        let slope = op.one(at, &[Some(g), Some(c), w])?;
        match u {
            Some(u) => u.mul(&slope).map(Some),
            None => Ok(Some(slope)),
        }
    }

    /// input⁽ᵈ⁾(x, g, C, W), the gradient to u.
    fn gradient_to_u(&self, at: Points<'_>, g: &Tensor, c: &Tensor, w: Option<&Tensor>) -> Result<Tensor> {
        let op = Self { kind: Kind::Input, base: w.is_some(), scale: false, ..*self };
        op.one(at, &[Some(g), Some(c), w])
    }

    /// forward⁽ᵈ⁾(x, C, W, u), the gradient to g.
    fn gradient_to_g(
        &self,
        at: Points<'_>,
        c: &Tensor,
        w: Option<&Tensor>,
        u: Option<&Tensor>,
    ) -> Result<Tensor> {
        let op = Self { kind: Kind::Forward, base: w.is_some(), scale: u.is_some(), ..*self };
        op.one(at, &[Some(c), w, u])
    }

    /// coefficients⁽ᵈ⁾(x, g, u): the gradients to C and, where asked, W.
    fn gradients_to_parameters(
        &self,
        at: Points<'_>,
        g: &Tensor,
        u: Option<&Tensor>,
        base: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let op = Self { kind: Kind::Coefficients, base, scale: u.is_some(), ..*self };
        let mut out = op.apply(&at.with(&[Some(g), u]), Site::here())?.into_iter();
        match out.next() {
            Some(c) => Ok((c, out.next())),
            None => Err(no_gradient("the sum over rows has no output")),
        }
    }
}

/// What the functions are evaluated at, and on which knots.
#[derive(Clone, Copy)]
struct Points<'a> {
    x: &'a Tensor,
    knots: Option<&'a Tensor>,
}

impl<'a> Points<'a> {
    /// All inputs of a sum: these, and the others between them.
    fn with(self, others: &[Option<&'a Tensor>]) -> Vec<&'a Tensor> {
        std::iter::once(self.x).chain(others.iter().copied().flatten()).chain(self.knots).collect()
    }
}

/// That a basis has no derivative of the next order.
pub(super) fn too_many(basis: &Basis) -> crate::Error {
    no_gradient(&format!(
        "the basis {basis} has derivatives up to order {}, and this is one more",
        basis.derivatives()
    ))
}

/// Whether a shape has so many dimensions.
fn rank(name: &str, meta: &Meta, rank: usize, dims: &str) -> Result<(), String> {
    if meta.shape.rank() == rank {
        return Ok(());
    }
    Err(format!("{name} is {meta}; it must have {rank} dimensions, {dims}"))
}

impl Op for KanSum {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Forward => "kan_forward",
            Kind::Input => "kan_input_gradient",
            Kind::Coefficients => "kan_coefficient_gradient",
        }
    }

    fn attributes(&self) -> String {
        let basis = match (self.spacing, self.splines()) {
            (Spacing::Given { closed }, Some(sum)) => {
                let (order, grid) = (sum.basis.order(), sum.basis.grid());
                format!("bspline order={order} grid={grid} knots=given closed={closed}")
            }
            _ => self.basis.to_string(),
        };
        format!("{basis} derivative={} base={} scale={}", self.derivative, self.base, self.scale)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let x = &inputs[0];
        if let Some(m) = inputs.iter().find(|m| m.dtype != x.dtype || !m.dtype.is_float()) {
            return Err(format!("all inputs must be floats of one type; x is {x}, another is {m}"));
        }
        rank("x", x, 2, "[B, I]")?;
        let (rows, width) = (&x.shape.dims()[0], &x.shape.dims()[1]);
        let same = |name: &str, dim: &crate::Dim, index: usize, want: &crate::Dim, of: &str| {
            if dim == want {
                return Ok(());
            }
            Err(format!("dimension {index} of {name} is {dim}, {of} is {want}"))
        };
        let n = crate::Dim::from(self.basis.count());
        let mut out = None;
        if let Some(c) = self.coef_input().map(|i| &inputs[i]) {
            rank("coef", c, 3, "[I, n, O]")?;
            let dims = c.shape.dims();
            same("coef", &dims[0], 0, width, "the last dimension of x")?;
            same("coef", &dims[1], 1, &n, &format!("the number of functions of the basis ({})", self.basis))?;
            out = Some(&dims[2]);
        }
        if self.kind != Kind::Forward {
            let g = &inputs[1];
            rank("g", g, 2, "[B, O]")?;
            same("g", &g.shape.dims()[0], 0, rows, "dimension 0 of x")?;
            if let Some(out) = out {
                same("g", &g.shape.dims()[1], 1, out, "the last dimension of coef")?;
            }
            out = Some(&g.shape.dims()[1]);
        }
        let out = out.ok_or("it has neither coefficients nor a cotangent")?;
        if let Some(w) = self.base_input().map(|i| &inputs[i]) {
            rank("base_weight", w, 2, "[I, O]")?;
            same("base_weight", &w.shape.dims()[0], 0, width, "the last dimension of x")?;
            same("base_weight", &w.shape.dims()[1], 1, out, "the last dimension of coef")?;
        }
        if let Some(u) = self.scale_input().map(|i| &inputs[i])
            && u.shape != x.shape
        {
            return Err(format!("the scale has shape {}, x has {}", u.shape, x.shape));
        }
        if let (Some(t), Some(sum)) = (self.knots_input().map(|i| &inputs[i]), self.splines()) {
            rank("knots", t, 2, "[I, G + 2k + 1]")?;
            same("knots", &t.shape.dims()[0], 0, width, "the last dimension of x")?;
            let (grid, order) = (sum.basis.grid(), sum.basis.order());
            let want = crate::Dim::from(grid + 2 * order + 1);
            same(
                "knots",
                &t.shape.dims()[1],
                1,
                &want,
                &format!("G + 2k + 1 with G = {grid} and k = {order}"),
            )?;
        }
        let meta = |dims: Vec<crate::Dim>| Meta::new(x.dtype, dims);
        let (rows, width, out) = (rows.clone(), width.clone(), out.clone());
        Ok(match self.kind {
            Kind::Forward => vec![meta(vec![rows, out])],
            Kind::Input => vec![meta(vec![rows, width])],
            Kind::Coefficients => {
                let mut metas = vec![meta(vec![width.clone(), n, out.clone()])];
                if self.base {
                    metas.push(meta(vec![width, out]));
                }
                metas
            }
        })
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        reference::run(self, inputs, outputs)
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        Ok(match self.splines() {
            Some(sum) => fast::run(&sum, io),
            None => dense::run(self, io),
        }
        .is_some())
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        choose::lower(self, request)
    }

    fn emits(&self) -> bool {
        self.kind != Kind::Coefficients
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let input = |i: Option<usize>| i.map(|i| &context.inputs[i]);
        let wanted = |i: Option<usize>| i.is_some_and(|i| context.wanted[i]);
        let x = Points { x: &context.inputs[0], knots: input(self.knots_input()) };
        let mut found = vec![None; context.inputs.len()];
        let mut set = |i: Option<usize>, value: Option<Tensor>| {
            if let (Some(i), Some(value)) = (i, value) {
                found[i] = Some(value);
            }
        };
        let (w_at, u_at) = (self.base_input(), self.scale_input());
        match (self.kind, self.coef_input()) {
            (Kind::Forward, Some(c_at)) => {
                let (g, c, w, u) = (context.cotangent()?, &context.inputs[c_at], input(w_at), input(u_at));
                if context.wanted[0] {
                    set(Some(0), self.gradient_to_x(x, g, c, w, u)?);
                }
                if wanted(u_at) {
                    set(u_at, Some(self.gradient_to_u(x, g, c, w)?));
                }
                if context.wanted[c_at] || wanted(w_at) {
                    let (dc, dw) = self.gradients_to_parameters(x, g, u, wanted(w_at))?;
                    set(Some(c_at), Some(dc));
                    set(w_at, dw);
                }
            }
            (Kind::Input, Some(c_at)) => {
                let (v, g, c, w) =
                    (context.cotangent()?, &context.inputs[1], &context.inputs[c_at], input(w_at));
                if context.wanted[0] {
                    set(Some(0), self.gradient_to_x(x, g, c, w, Some(v))?);
                }
                if context.wanted[1] {
                    set(Some(1), Some(self.gradient_to_g(x, c, w, Some(v))?));
                }
                if context.wanted[c_at] || wanted(w_at) {
                    let (dc, dw) = self.gradients_to_parameters(x, g, Some(v), wanted(w_at))?;
                    set(Some(c_at), Some(dc));
                    set(w_at, dw);
                }
            }
            _ => {
                let (g, u) = (&context.inputs[1], input(u_at));
                let q = context.cotangents.get(1).and_then(Option::as_ref);
                let p = match context.cotangents.first().and_then(Option::as_ref) {
                    Some(p) => p.clone(),
                    None => {
                        let zero = x.x.graph().constant(x.x.dtype(), 0.0)?;
                        zero.broadcast_to(context.outputs[0].shape().clone())?
                    }
                };
                if context.wanted[0] {
                    set(Some(0), self.gradient_to_x(x, g, &p, q, u)?);
                }
                if context.wanted[1] {
                    set(Some(1), Some(self.gradient_to_g(x, &p, q, u)?));
                }
                if wanted(u_at) {
                    set(u_at, Some(self.gradient_to_u(x, g, &p, q)?));
                }
            }
        }
        Ok(found)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let points = inputs[0].1.count() as f64;
        let out = match self.kind {
            Kind::Forward => &outputs[0].1,
            _ => &inputs[1].1,
        };
        let out = out.shape().last().copied().unwrap_or(1) as f64;
        let terms = self.splines().map_or(self.basis.count(), |sum| sum.terms());
        let terms = (terms + usize::from(self.base)) as f64;
        Cost { flops: points * (2.0 * out * terms + 25.0), bytes: bytes(inputs) + bytes(outputs) }
    }
}
