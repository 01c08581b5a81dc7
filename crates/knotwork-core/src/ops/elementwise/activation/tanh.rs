//! Activations made of the hyperbolic tangent.

use super::super::{
    exact::sech2,
    fast, math,
    rows::{Derivative, Row, UNARY, call},
};

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    Row {
        name: "tanh",
        formula: "tanh x",
        wgsl: call("activation/tanh", "kw_tanh({0})"),
        reference: |x, _| libm::tanh(x[0]),
        fast: |x, _, y| fast::unary(x, y, math::tanh),
        derivatives: &[Derivative::Row("tanh_d1")],
        ..UNARY
    },
    Row {
        name: "tanh_d1",
        formula: "sech² x",
        wgsl: call("activation/tanh", "kw_tanh_d1({0})"),
        reference: |x, _| sech2(x[0]),
        fast: |x, _, y| fast::unary(x, y, math::sech2),
        derivatives: &[Derivative::Row("tanh_d2")],
        ..UNARY
    },
    Row {
        name: "tanh_d2",
        formula: "−2 tanh x sech² x",
        wgsl: call("activation/tanh", "kw_tanh_d2({0})"),
        reference: |x, _| -2.0 * libm::tanh(x[0]) * sech2(x[0]),
        fast: |x, _, y| {
            fast::unary(
                x,
                y,
                #[inline(always)]
                |a| -2.0 * math::tanh(a) * math::sech2(a),
            )
        },
        // tanh''' = sech² (4 − 6 sech²)
        derivatives: &[Derivative::Compose(|g, x, _, _| {
            let d1 = x[0].map("tanh_d1", &[], &[])?;
            g.mul(&d1)?.mul(&d1.mul(-6.0)?.add(4.0)?)
        })],
        ..UNARY
    },
];
