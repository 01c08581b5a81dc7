//! The rectifier and its kin: piecewise polynomials around a kink.

use super::super::{
    fast,
    rows::{Derivative, Row, UNARY, call},
};

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    Row {
        name: "relu",
        formula: "max(0, x)",
        wgsl: call("activation/relu", "kw_relu({0})"),
        reference: |x, _| if x[0] <= 0.0 { 0.0 } else { x[0] },
        fast: |x, _, y| fast::unary(x, y, |a| if a <= 0.0 { 0.0 } else { a }),
        derivatives: &[Derivative::Row("relu_d1")],
        kinks: |_| vec![0.0],
        ..UNARY
    },
    Row {
        name: "relu_d1",
        formula: "1 where x > 0, else 0",
        wgsl: call("activation/relu", "kw_relu_d1({0})"),
        reference: |x, _| if x[0].is_nan() { x[0] } else { f64::from(u8::from(x[0] > 0.0)) },
        fast: |x, _, y| fast::unary(x, y, |a| if a.is_nan() { a } else { f32::from(u8::from(a > 0.0)) }),
        derivatives: &[Derivative::Zero],
        kinks: |_| vec![0.0],
        ..UNARY
    },
];
