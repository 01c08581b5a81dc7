//! The arctangent's gate, expanded.

use std::f64::consts::PI;

use super::{
    super::{
        math,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{Jet, jet, passing, smooth},
};

/// atan t − t / (1 + t²) for t from 0 to 1, by its series where the difference would cancel.
fn rest(t: f64) -> f64 {
    if t > 0.05 {
        return libm::atan(t) - t / (1.0 + t * t);
    }
    // Σ (−1)^(k+1) 2k / (2k + 1) t^(2k + 1)
    let z = t * t;
    t * z
        * (2.0 / 3.0
            - z * (4.0 / 5.0 - z * (6.0 / 7.0 - z * (8.0 / 9.0 - z * (10.0 / 11.0 - z * 12.0 / 13.0)))))
}

fn xatlu(x: f64, a: &[f64]) -> Jet<f64> {
    let (alpha, beta) = (a[0], 1.0 + 2.0 * a[0]);
    let q = 1.0 / (1.0 + x * x);
    let bend = 2.0 * beta / PI * q * q;
    if x.is_nan() || x.abs() <= 1.0 {
        let slope = libm::atan(x) + x * q;
        return [x * (0.5 + beta * libm::atan(x) / PI), 0.5 + beta * slope / PI, bend];
    }
    let t = 1.0 / x.abs();
    let ratio = if t == 0.0 { 1.0 } else { libm::atan(t) / t };
    let side = if x < 0.0 { -alpha } else { 1.0 + alpha };
    let line = if side == 0.0 { 0.0 } else { side * x };
    [line - beta * ratio / PI, side - x.signum() * beta * rest(t) / PI, bend]
}

/// (1 + z) (atan t − t / (1 + z)) / t³ for z = t² up to 1.
#[inline(always)]
fn fast_rest(z: f32) -> f32 {
    let p = 3.906_397_3e-4f32;
    let p = p * z - 2.269_225_7e-3;
    let p = p * z + 6.341_062_5e-3;
    let p = p * z - 1.213_093_9e-2;
    let p = p * z + 1.964_530_7e-2;
    let p = p * z - 3.164_819_3e-2;
    let p = p * z + 5.713_403_2e-2;
    let p = p * z - 1.333_330_3e-1;
    p * z + 6.666_667e-1
}

#[inline(always)]
fn fast_xatlu(x: f32, [alpha]: [f32; 1]) -> Jet<f32> {
    let a = x.abs();
    let far = a > 1.0;
    let beta = (1.0 + 2.0 * alpha) * std::f32::consts::FRAC_1_PI;
    let t = if far { 1.0 / a } else { a };
    let z = t * t;
    let ratio = 1.0 + z * math::atan_tail(z);
    let near = (t * ratio).copysign(x);
    let side = if x < 0.0 { -alpha } else { 1.0 + alpha };
    let line = if side == 0.0 { 0.0 } else { side * x };
    let lost = beta * (t * (z * fast_rest(z)) / (1.0 + z)).copysign(x);
    let value = if far { line - beta * ratio } else { x * (0.5 + beta * near) };
    let slope = if far { side - lost } else { 0.5 + beta * (near + x / (1.0 + z)) };
    let q = 1.0 / (1.0 + x * x);
    passing(x, [value, slope, 2.0 * beta * q * q])
}

const ALPHA: &[Attribute] =
    &[Attribute { name: "alpha", default: 0.0, range: -1e8..=1e8, trials: &[0.25, -1.0, -0.5] }];

pub(super) static XATLU: [Row; 3] = jet!(
    "xatlu",
    "activation/xatlu",
    "({0}, {1})",
    Row { source: "Huang 2024, arXiv:2405.20768", attributes: ALPHA, ..UNARY },
    ["x (β (arctan(x)/π + ½) − α), β = 1 + 2α", "½ + β/π (arctan x + x / (1 + x²))", "2 β/π / (1 + x²)²"],
    xatlu,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 1]| fast_xatlu(x, p)
);
