//! Activations made of the logistic function σ.

use super::super::{
    exact::{sigmoid, sigmoid_d1, sigmoid_d2, vanishing},
    fast, math,
    rows::{Derivative, Row, UNARY, call},
};

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    Row {
        name: "sigmoid",
        formula: "σ(x) = 1 / (1 + e⁻ˣ)",
        wgsl: call("activation/sigmoid", "kw_sigmoid({0})"),
        reference: |x, _| sigmoid(x[0]),
        fast: |x, _, y| fast::unary(x, y, math::sigmoid),
        derivatives: &[Derivative::Row("sigmoid_d1")],
        ..UNARY
    },
    Row {
        name: "sigmoid_d1",
        formula: "σ(x) σ(−x)",
        wgsl: call("activation/sigmoid", "kw_sigmoid_d1({0})"),
        reference: |x, _| sigmoid_d1(x[0]),
        fast: |x, _, y| {
            fast::unary(
                x,
                y,
                #[inline(always)]
                |a| math::sigmoid(a) * math::sigmoid(-a),
            )
        },
        derivatives: &[Derivative::Row("sigmoid_d2")],
        ..UNARY
    },
    Row {
        name: "sigmoid_d2",
        formula: "−σ'(x) tanh(x/2)",
        wgsl: call("activation/sigmoid", "kw_sigmoid_d2({0})"),
        reference: |x, _| sigmoid_d2(x[0]),
        fast: |x, _, y| {
            fast::unary(
                x,
                y,
                #[inline(always)]
                |a| -math::sigmoid(a) * math::sigmoid(-a) * math::tanh(0.5 * a),
            );
        },
        // σ''' = σ' (1 − 6 σ')
        derivatives: &[Derivative::Compose(|g, x, _, _| {
            let d1 = x[0].map("sigmoid_d1", &[], &[])?;
            g.mul(&d1)?.mul(&d1.mul(-6.0)?.add(1.0)?)
        })],
        ..UNARY
    },
    Row {
        name: "silu",
        formula: "x σ(x)",
        wgsl: call("activation/silu", "kw_silu({0})"),
        reference: |x, _| vanishing(x[0], sigmoid(x[0])),
        fast: |x, _, y| fast::unary(x, y, math::silu),
        derivatives: &[Derivative::Row("silu_d1")],
        ..UNARY
    },
    Row {
        name: "silu_d1",
        formula: "σ(x) (1 + x σ(−x))",
        wgsl: call("activation/silu", "kw_silu_d1({0})"),
        reference: |x, _| sigmoid(x[0]) + vanishing(x[0], sigmoid_d1(x[0])),
        fast: |x, _, y| fast::unary(x, y, math::silu_d1),
        derivatives: &[Derivative::Row("silu_d2")],
        ..UNARY
    },
    Row {
        name: "silu_d2",
        formula: "x σ''(x) + 2 σ'(x)",
        wgsl: call("activation/silu", "kw_silu_d2({0})"),
        reference: |x, _| vanishing(x[0], sigmoid_d2(x[0])) + 2.0 * sigmoid_d1(x[0]),
        fast: |x, _, y| {
            fast::unary(
                x,
                y,
                #[inline(always)]
                |a| {
                    let d1 = math::sigmoid(a) * math::sigmoid(-a);
                    if d1 == 0.0 { 0.0 } else { d1 * (2.0 - a * math::tanh(0.5 * a)) }
                },
            );
        },
        // silu''' = x σ''' + 3 σ''
        derivatives: &[Derivative::Compose(|g, x, _, _| {
            let d1 = x[0].map("sigmoid_d1", &[], &[])?;
            let d3 = d1.mul(&d1.mul(-6.0)?.add(1.0)?)?;
            g.mul(&x[0].mul(&d3)?.add(&x[0].map("sigmoid_d2", &[], &[])?.mul(3.0)?)?)
        })],
        ..UNARY
    },
];
