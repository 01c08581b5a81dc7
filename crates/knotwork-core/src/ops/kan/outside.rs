//! What splines are beyond the ends of their grid.

use std::fmt;

use super::BSpline;
use crate::{
    Result, Site,
    graph::{Tensor, with_provenance},
    tensor::DType,
};

/// What the functions of splines are beyond the ends a and b of their grid: where x < a, or x ≥ b.
///
/// With φ any one of the functions, or a sum of them such as an edge of a layer:
///
/// | policy | beyond b (and at a in the same way) | derivative there | cost |
/// |---|---|---|---|
/// | `Zero` | each function as far as its own knots reach, then 0 | of what there is, then 0 | none |
/// | `Clamp` | φ(b), as if x were b | 0 | one elementwise pass over x |
/// | `Linear` | φ(b) + φ'(b) (x − b) | φ'(b) | that pass, and a second sum over the basis' slopes |
///
/// At b the functions are what they are just below it, so that the last interval counts. `Zero` is what pykan does: inputs
/// far outside have no gradient and stay where they are. `Linear` always has a slope that leads back. A base branch is none of
/// the splines: it sees x itself whatever the policy is; with a policy other than `Zero` it is a product of its own, of
/// silu(x) [B, I]. Infinities are clamped by `Clamp`; `Linear` makes them infinite or, where infinities of both signs
/// meet in a sum, NaN. NaN stays NaN.
///
/// `Linear` makes about twice the work of `Zero` forward and backward; its gradients of any order exist as those of the
/// splines do.
///
/// ```
/// use knotwork_core::ops::{BSpline, Outside};
/// let basis = BSpline::new(1, 1)?.range(0.0, 1.0)?; // 1 − x and x on [0, 1]
/// let far = |outside| basis.outside(outside).evaluate(3.0, 0);
/// assert_eq!(far(Outside::Zero), [0.0, 0.0]);
/// assert_eq!(far(Outside::Clamp), [0.0, 1.0]);
/// assert_eq!(far(Outside::Linear), [-2.0, 3.0]);
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outside {
    /// 0 beyond the outermost knots.
    #[default]
    Zero,
    /// The value at the end.
    Clamp,
    /// The line through the value at the end, with the slope there.
    Linear,
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zero => "zero",
            Self::Clamp => "clamp",
            Self::Linear => "linear",
        })
    }
}

/// The ends of the grid of every input: numbers, or tensors [I].
pub(super) struct Ends {
    /// a
    pub low: Tensor,
    /// b
    pub high: Tensor,
    /// Where functions are evaluated instead of at b.
    pub last: Tensor,
}

impl Ends {
    /// Those of a uniform basis. On [t, b) the last interval ends before b, so points there are moved below it by about the
    /// rounding of x.
    pub fn even(x: &Tensor, basis: &BSpline) -> Result<Self> {
        let number = |v: f64| x.graph().constant(x.dtype(), v);
        let (low, high) = basis.ends();
        let last = basis.knot(basis.grid() as isize).min(high);
        let (ulp, least) = match x.dtype() {
            DType::F64 => (f64::EPSILON, f64::MIN_POSITIVE),
            DType::F16 => (2f64.powi(-10), 2f64.powi(-14)),
            _ => (f64::from(f32::EPSILON), f64::from(f32::MIN_POSITIVE)),
        };
        let last = last - (low.abs().max(high.abs()) * ulp).max(least);
        Ok(Self { low: number(low)?, high: number(high)?, last: number(last)? })
    }

    /// x held within the grid, and what that took from it: x = held + beyond. The gradient to `held` goes to x where x is
    /// within, that to `beyond` where it is not.
    pub fn hold(&self, x: &Tensor, site: Site) -> Result<(Tensor, Tensor)> {
        with_provenance(site, || {
            // Chosen rather than bounded: NaN stays, and at the ends the gradient is that of one side, not of half of both.
            let shape = x.shape().clone();
            let low = self.low.broadcast_to(shape.clone())?;
            let last = self.last.broadcast_to(shape)?;
            let held = low.select(&x.lt(&self.low)?, x)?;
            let held = last.select(&x.ge(&self.high)?, &held)?;
            let beyond = x.sub(&held)?;
            Ok((held, beyond))
        })
    }
}
