//! Forms of functions without their singularities.

use std::f64::consts::{FRAC_PI_2, PI};

/// How a function is kept finite; [`Function::protected`](super::Function::protected) has the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Protection {
    None,
    /// u^−n.
    Inverse(i32),
    Root,
    PowerOneAndHalf,
    InverseRoot,
    Exponential,
    Logarithm,
    Tangent,
    ArcSine,
    ArcCosine,
    ArcTangentHyperbolic,
    CosineHyperbolic,
    SineHyperbolic,
}

/// The largest f64 below 1.
const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;

impl Protection {
    /// The protected value; `None` where it is the function's own.
    pub fn value(self, u: f64, limit: f64) -> Option<f64> {
        let size = u.abs();
        match self {
            Self::None => None,
            Self::Inverse(n) => {
                let edge = limit.powf(-1.0 / f64::from(n));
                let inside = if n % 2 == 0 { limit } else { limit * u / edge };
                (size < edge).then_some(inside)
            }
            Self::Root => Some(if size < limit.powi(-2) { limit * u } else { size.sqrt().copysign(u) }),
            Self::PowerOneAndHalf => Some(size * size.sqrt()),
            Self::InverseRoot => Some(if size < limit.powi(-2) { limit } else { 1.0 / size.sqrt() }),
            Self::Exponential => (u > limit.ln()).then_some(limit),
            Self::Logarithm => Some(size.ln().max(-limit)),
            Self::Tangent => {
                let (from_pole, delta) = near_pole(u, limit);
                (from_pole.abs() < delta).then(|| -limit * from_pole / delta)
            }
            Self::ArcSine => Some(u.clamp(-1.0, 1.0).asin()),
            Self::ArcCosine => Some(u.clamp(-1.0, 1.0).acos()),
            Self::ArcTangentHyperbolic => {
                let edge = limit.tanh().min(BELOW_ONE);
                (size > edge).then(|| limit.min(BELOW_ONE.atanh()).copysign(u))
            }
            Self::CosineHyperbolic => Some(held(u, limit).cosh()),
            Self::SineHyperbolic => Some(held(u, limit).sinh()),
        }
    }

    /// The derivative of the protected value; `None` where it is the function's own.
    pub fn derivative(self, u: f64, limit: f64) -> Option<f64> {
        let size = u.abs();
        match self {
            Self::None => None,
            Self::Inverse(n) => {
                let edge = limit.powf(-1.0 / f64::from(n));
                (size < edge).then(|| if n % 2 == 0 { 0.0 } else { limit / edge })
            }
            Self::Root => Some(if size < limit.powi(-2) { limit } else { 0.5 / size.sqrt() }),
            Self::PowerOneAndHalf => Some(if u == 0.0 { 0.0 } else { 1.5 * size.sqrt().copysign(u) }),
            Self::InverseRoot => Some(if size < limit.powi(-2) { 0.0 } else { -0.5 / (u * size.sqrt()) }),
            Self::Exponential => (u > limit.ln()).then_some(0.0),
            Self::Logarithm => Some(if size.ln() <= -limit { 0.0 } else { 1.0 / u }),
            Self::Tangent => {
                let (from_pole, delta) = near_pole(u, limit);
                (from_pole.abs() < delta).then(|| -limit / delta)
            }
            Self::ArcSine | Self::ArcCosine => (size >= 1.0).then_some(0.0),
            Self::ArcTangentHyperbolic => (size > limit.tanh().min(BELOW_ONE)).then_some(0.0),
            Self::CosineHyperbolic | Self::SineHyperbolic => (held(u, limit) != u).then_some(0.0),
        }
    }
}

/// How far u is from the nearest pole of the tangent, and how near a pole the tangent exceeds the limit.
fn near_pole(u: f64, limit: f64) -> (f64, f64) {
    (u.rem_euclid(PI) - FRAC_PI_2, FRAC_PI_2 - limit.atan())
}

/// u, held to where cosh and sinh are about the limit.
fn held(u: f64, limit: f64) -> f64 {
    let most = (2.0 * limit).ln().clamp(0.0, 700.0);
    u.clamp(-most, most)
}
