//! Activations made of the normal distribution.

use super::super::{
    exact::{normal_cdf, normal_pdf, vanishing},
    fast, math,
    rows::{Derivative, Row, UNARY, call},
};

#[allow(clippy::redundant_closure, reason = "a function's name would be called, and the loop not vectorised")]
pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    Row {
        name: "gelu",
        formula: "x Φ(x)",
        wgsl: call("activation/gelu", "kw_gelu({0})"),
        reference: |x, _| vanishing(x[0], normal_cdf(x[0])),
        fast: |x, _, y| {
            fast::unary(
                x,
                y,
                #[inline(always)]
                |a| math::gelu(a),
            )
        },
        derivatives: &[Derivative::Row("gelu_d1")],
        ..UNARY
    },
    Row {
        name: "gelu_d1",
        formula: "Φ(x) + x φ(x)",
        wgsl: call("activation/gelu", "kw_gelu_d1({0})"),
        reference: |x, _| normal_cdf(x[0]) + vanishing(x[0], normal_pdf(x[0])),
        fast: |x, _, y| {
            fast::unary(
                x,
                y,
                #[inline(always)]
                |a| math::gelu_d1(a),
            )
        },
        derivatives: &[Derivative::Row("gelu_d2")],
        ..UNARY
    },
    Row {
        name: "gelu_d2",
        formula: "φ(x) (2 − x²)",
        wgsl: call("activation/gelu", "kw_gelu_d2({0})"),
        reference: |x, _| vanishing(2.0 - x[0] * x[0], normal_pdf(x[0])),
        fast: |x, _, y| {
            fast::unary(
                x,
                y,
                #[inline(always)]
                |a| math::gelu_d2(a),
            )
        },
        // gelu''' = φ(x) (x³ − 4x)
        derivatives: &[Derivative::Compose(|g, x, _, _| {
            let square = x[0].square()?;
            let pdf = square.mul(-0.5)?.exp()?.mul(1.0 / (2.0 * std::f64::consts::PI).sqrt())?;
            g.mul(&pdf)?.mul(&x[0].mul(&square.sub(4.0)?)?)
        })],
        ..UNARY
    },
];
