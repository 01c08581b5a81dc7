//! A KAN layer that is being made: what fits together, and the sums that it consists of.

use super::{
    BSpline, Basis, OnKnots, Outside,
    basis::Form,
    op::{KanSum, Kind, Spacing},
    outside::Ends,
};
use crate::{
    Dim, Result, Site,
    error::OpError,
    graph::{Tensor, with_provenance},
};

/// A layer that is being made.
pub(super) struct Layer<'a> {
    x: &'a Tensor,
    coef: &'a Tensor,
    base_weight: Option<&'a Tensor>,
    bias: Option<&'a Tensor>,
    /// Of splines on given knots only grid and order count.
    basis: Basis,
    knots: Option<&'a OnKnots>,
    op: &'static str,
    site: Site,
}

impl<'a> Layer<'a> {
    /// Over a basis that all inputs share.
    pub fn new(
        x: &'a Tensor,
        coef: &'a Tensor,
        base_weight: Option<&'a Tensor>,
        bias: Option<&'a Tensor>,
        basis: Basis,
        site: Site,
    ) -> Self {
        Self { x, coef, base_weight, bias, basis, knots: None, op: "kan_layer", site }
    }

    /// Over splines on knots of each input.
    pub fn on_knots(
        x: &'a Tensor,
        coef: &'a Tensor,
        base_weight: Option<&'a Tensor>,
        bias: Option<&'a Tensor>,
        knots: &'a OnKnots,
        site: Site,
    ) -> Result<Self> {
        let basis = BSpline::new(knots.grid(), knots.order())?.outside(knots.policy());
        let layer = Self {
            knots: Some(knots),
            op: "kan_layer_on_knots",
            ..Self::new(x, coef, base_weight, bias, basis.into(), site)
        };
        let given = knots.tensor();
        if !given.graph().same(x.graph()) {
            return Err(layer.refuse("the knots are of another graph than x".into()));
        }
        let inputs = &given.shape().dims()[0];
        if x.shape().dims().last().is_some_and(|width| width != inputs) {
            let width = x.shape().dims().last().map_or_else(String::new, ToString::to_string);
            return Err(layer.refuse(format!("dimension 0 of knots is {inputs}, the last of x is {width}")));
        }
        Ok(layer)
    }

    /// With coef [O, I, n] and base_weight [O, I].
    pub fn in_user_order(self) -> Result<Tensor> {
        let [out, inputs, bases] = self.three("[O, I, n]")?;
        self.check(&out, &inputs, &bases, false)?;
        let coef = self.coef.permute(&[1, 2, 0])?;
        let base = self.base_weight.map(|w| w.transpose(0, 1)).transpose()?;
        self.apply(&coef, base.as_ref())
    }

    /// With coef [I, n, O] and base_weight [I, O].
    pub fn in_kernel_order(self) -> Result<Tensor> {
        let [inputs, bases, out] = self.three("[I, n, O]")?;
        self.check(&out, &inputs, &bases, true)?;
        self.apply(self.coef, self.base_weight)
    }

    fn given(&self) -> [(&'static str, Option<&'a Tensor>); 5] {
        [
            ("x", Some(self.x)),
            ("coef", Some(self.coef)),
            ("base_weight", self.base_weight),
            ("bias", self.bias),
            ("knots", self.knots.map(OnKnots::tensor)),
        ]
    }

    fn refuse(&self, message: String) -> crate::Error {
        let inputs =
            self.given().iter().filter_map(|(name, t)| Some(format!("{name} {}", (*t)?.meta()))).collect();
        OpError { op: self.op.into(), inputs, message, site: self.site }.into()
    }

    fn three(&self, order: &str) -> Result<[Dim; 3]> {
        match self.coef.shape().dims() {
            [a, b, c] => Ok([a.clone(), b.clone(), c.clone()]),
            dims => Err(self.refuse(format!("coef has {} dimensions; it must have 3, {order}", dims.len()))),
        }
    }

    /// That everything fits; `native` says in which order the dimensions stand.
    fn check(&self, out: &Dim, inputs: &Dim, bases: &Dim, native: bool) -> Result<()> {
        let Some(width) = self.x.shape().dims().last() else {
            return Err(self.refuse("x has no dimension; its last one is the inputs, I".into()));
        };
        let mut all = self.given().into_iter().filter_map(|(_, t)| t);
        if all.any(|t| t.dtype() != self.x.dtype() || !t.dtype().is_float()) {
            return Err(self.refuse("all must be floats of one type".into()));
        }
        let (n_at, o_at, i_at) = if native { (1, 2, 0) } else { (2, 0, 1) };
        if inputs != width {
            return Err(
                self.refuse(format!("dimension {i_at} of coef is {inputs}, the last of x is {width}"))
            );
        }
        let n = self.basis.count();
        if *bases != n.into() {
            let basis = match self.knots {
                Some(knots) => format!("order {} on knots of {} intervals", knots.order(), knots.grid()),
                None => self.basis.to_string(),
            };
            return Err(self.refuse(format!(
                "dimension {n_at} of coef is {bases}, the basis ({basis}) has {n} functions"
            )));
        }
        if let Some(w) = self.base_weight {
            let dims = w.shape().dims();
            if dims.len() != 2 {
                let want = if native { "[I, O]" } else { "[O, I]" };
                return Err(
                    self.refuse(format!("base_weight has {} dimensions; it must have 2, {want}", dims.len()))
                );
            }
            let (o, i) = if native { (1, 0) } else { (0, 1) };
            if dims[o] != *out {
                let d = &dims[o];
                return Err(self.refuse(format!(
                    "dimension {o} of base_weight is {d}, dimension {o_at} of coef is {out}"
                )));
            }
            if dims[i] != *width {
                return Err(self.refuse(format!(
                    "dimension {i} of base_weight is {}, the last of x is {width}",
                    dims[i]
                )));
            }
        }
        if let Some(bias) = self.bias {
            let dims = bias.shape().dims();
            if dims.len() != 1 || dims[0] != *out {
                let shape = bias.shape();
                return Err(self.refuse(format!(
                    "bias has shape {shape}; it must be [{out}], dimension {o_at} of coef"
                )));
            }
        }
        Ok(())
    }

    /// Over coef [I, n, O] and base [I, O].
    fn apply(&self, coef: &Tensor, base: Option<&Tensor>) -> Result<Tensor> {
        let dims = self.x.shape().dims();
        let (lead, last) = dims.split_at(dims.len() - 1);
        let rows = lead.iter().cloned().fold(Dim::from(1), |a, b| a * b);
        let x = self.x.reshape([rows, last[0].clone()])?;
        let y = match self.basis.0 {
            Form::BSpline(spline) if spline.policy() != Outside::Zero => self.held(&x, coef, base, spline)?,
            _ => self.sum(0, &x, coef, base, None)?,
        };
        let mut shape = lead.to_vec();
        shape.push(coef.shape().dims()[2].clone());
        let y = y.reshape(shape)?;
        match self.bias {
            Some(bias) => y.add(bias),
            None => Ok(y),
        }
    }

    /// One forward sum: of functions' derivatives, with a base, times a scale [B, I].
    fn sum(
        &self,
        derivative: usize,
        x: &Tensor,
        coef: &Tensor,
        base: Option<&Tensor>,
        scale: Option<&Tensor>,
    ) -> Result<Tensor> {
        let basis = match self.basis.0 {
            Form::BSpline(spline) => spline.outside(Outside::Zero).into(),
            _ => self.basis,
        };
        let spacing = match self.knots {
            Some(knots) => Spacing::Given { closed: knots.policy() != Outside::Zero },
            None => Spacing::Even,
        };
        let (base_given, scale_given) = (base.is_some(), scale.is_some());
        let kind = Kind::Forward;
        let op = KanSum { kind, basis, derivative, base: base_given, scale: scale_given, spacing };
        let knots = self.knots.map(OnKnots::tensor);
        let inputs: Vec<&Tensor> = [Some(x), Some(coef), base, scale, knots].into_iter().flatten().collect();
        x.graph().apply_one(op, &inputs, self.site)
    }

    /// Splines of x held within the grid, with their slopes times what is beyond it where they go on in lines; the base of
    /// x itself.
    fn held(&self, x: &Tensor, coef: &Tensor, base: Option<&Tensor>, spline: BSpline) -> Result<Tensor> {
        with_provenance(self.site, || {
            let ends = match self.knots {
                Some(knots) => knots.bounds()?,
                None => Ends::even(x, &spline)?,
            };
            let (held, beyond) = ends.hold(x, self.site)?;
            let mut y = self.sum(0, &held, coef, None, None)?;
            // Pieces of degree 0 have no slope.
            if spline.policy() == Outside::Linear && spline.order() > 0 {
                y = y.add(&self.sum(1, &held, coef, None, Some(&beyond))?)?;
            }
            match base {
                Some(w) => y.add(&x.silu()?.matmul(w)?),
                None => Ok(y),
            }
        })
    }
}
