//! A rational function made of polynomials, for the gradients of its gradients.

use super::RationalForm;
use crate::{
    Result, Site,
    graph::Tensor,
    ops::{polynomial::Polynomial, views::Reshape},
};

/// Another node of the same value: gradients to it do not run on into what made the value, but it has gradients.
fn alias(t: &Tensor) -> Result<Tensor> {
    t.graph().apply_one(Reshape(t.shape().clone()), &[t], Site::here())
}

/// P / Q of nodes that have gradients of any order.
fn composed(form: RationalForm, x: &Tensor, p: &Tensor, q: &Tensor) -> Result<Tensor> {
    let top = Polynomial::of(false, x, p)?;
    // The denominator's coefficients begin with that of x.
    let sum = match form {
        RationalForm::A => Polynomial::of(false, &x.abs()?, &q.abs()?.pad(1, 1, 0)?)?,
        RationalForm::B => Polynomial::of(false, x, &q.pad(1, 1, 0)?)?.abs()?,
    };
    top.div(sum.add(1.0)?)
}

/// Of which gradient the gradient is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The one to x.
    Slope,
    /// Those to the coefficients, as one tensor.
    Coefficients,
}

/// The gradients to (x, p, q, g) of a gradient with cotangent g, for a direction c of its own.
pub(super) fn second(
    form: RationalForm,
    of: Of,
    inputs: &[Tensor],
    c: &Tensor,
) -> Result<Vec<Option<Tensor>>> {
    let all = inputs.iter().map(alias).collect::<Result<Vec<_>>>()?;
    let [x, p, q, g] = &all[..] else { return Ok(vec![None; inputs.len()]) };
    let graph = x.graph();
    let y = composed(form, x, p, q)?;
    let found = match of {
        Of::Slope => {
            let dx = graph.vjp(&[(&y, g)], &[x])?.remove(0);
            graph.vjp(&[(&dx, c)], &[x, p, q, g])?
        }
        Of::Coefficients => {
            let d = graph.vjp(&[(&y, g)], &[p, q])?;
            let split = p.shape().dims()[1].fixed().unwrap_or(0);
            let end = split + q.shape().dims()[1].fixed().unwrap_or(0);
            let (cp, cq) = (c.slice(1, 0, split)?, c.slice(1, split, end)?);
            graph.vjp(&[(&d[0], &cp), (&d[1], &cq)], &[x, p, q, g])?
        }
    };
    Ok(found.into_iter().map(Some).collect())
}
