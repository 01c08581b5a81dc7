//! Inverses of the tangent and of the hyperbolic sine.

use super::{
    super::{
        exact::vanishing,
        math,
        rows::{Derivative, Row, UNARY, call},
    },
    jet::{self, Jet, jet, passing, smooth},
};

pub(super) static ARCTAN: [Row; 3] = jet!(
    "arctan",
    "activation/arctan",
    "({0})",
    UNARY,
    ["arctan x", "1 / (1 + x²)", "−2 x / (1 + x²)²"],
    |x: f64, _: &[f64]| {
        let q = 1.0 / (1.0 + x * x);
        [libm::atan(x), q, vanishing(-2.0 * x, q * q)]
    },
    smooth,
    #[inline(always)]
    |x: f32, _: [f32; 0]| {
        let q = 1.0 / (1.0 + x * x);
        [math::atan(x), q, -2.0 * jet::vanishing(x, q) * q]
    }
);

/// From here on x² + 1 is x², which would overflow later.
const LARGE: f32 = 1e8;

fn asinh(x: f64, _: &[f64]) -> Jet<f64> {
    let r = libm::hypot(x, 1.0);
    let bounded = if x.is_infinite() { x.signum() } else { x / r };
    [libm::asinh(x), 1.0 / r, -bounded / r / r]
}

#[inline(always)]
fn fast_asinh(x: f32, _: [f32; 0]) -> Jet<f32> {
    let a = x.abs();
    let far = a > LARGE;
    let root = (1.0 + a * a).sqrt();
    // asinh a = ln(1 + more), from LARGE on ln 2 + ln(1 + a).
    let more = a + a * (a / (1.0 + root));
    let y = math::log1p(if far { a } else { more }) + if far { std::f32::consts::LN_2 } else { 0.0 };
    let q = 1.0 / if far { a } else { root };
    let bounded = if far { 1.0f32.copysign(x) } else { x * q };
    passing(x, [y.copysign(x), q, -bounded * q * q])
}

pub(super) static ASINH: [Row; 3] = jet!(
    "asinh",
    "activation/asinh",
    "({0})",
    UNARY,
    ["asinh x = ln(x + √(x² + 1))", "1 / √(x² + 1)", "−x (x² + 1)^(−3/2)"],
    asinh,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_asinh(x, p)
);
