//! Arithmetic and elementary functions.

use super::super::{
    fast, math,
    rows::{BINARY, Derivative, Row, Takes, UNARY, Wgsl, both, call},
    wide,
};
use crate::{Result, graph::Tensor};

const ARITH: &str = "elementwise/arith";

pub(in crate::ops::elementwise) static COPY: Row = Row {
    name: "copy",
    formula: "x",
    takes: Takes::Any,
    wgsl: both("{0}"),
    derivatives: &[Derivative::One],
    ..UNARY
};

/// Half the cotangent where both inputs tie, all of it where `wins`, none elsewhere.
fn split_tie(g: &Tensor, wins: &Tensor, ties: &Tensor) -> Result<Tensor> {
    let half = g.mul(0.5)?;
    g.select(wins, &half.select(ties, 0.0)?)
}

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    Row {
        name: "add",
        formula: "x + y",
        wgsl: both("{0} + {1}"),
        reference: |x, _| x[0] + x[1],
        integers: Some(i64::wrapping_add),
        wide: Some(|x, y| wide::binary(x, y, |a, b| a + b)),
        fast: |x, _, y| fast::binary(x, y, |a, b| a + b),
        derivatives: &[Derivative::One, Derivative::One],
        ..BINARY
    },
    Row {
        name: "sub",
        formula: "x − y",
        wgsl: both("{0} - {1}"),
        reference: |x, _| x[0] - x[1],
        integers: Some(i64::wrapping_sub),
        wide: Some(|x, y| wide::binary(x, y, |a, b| a - b)),
        fast: |x, _, y| fast::binary(x, y, |a, b| a - b),
        derivatives: &[Derivative::One, Derivative::Compose(|g, _, _, _| g.neg())],
        ..BINARY
    },
    Row {
        name: "mul",
        formula: "x y",
        wgsl: both("{0} * {1}"),
        reference: |x, _| x[0] * x[1],
        integers: Some(i64::wrapping_mul),
        wide: Some(|x, y| wide::binary(x, y, |a, b| a * b)),
        fast: |x, _, y| fast::binary(x, y, |a, b| a * b),
        derivatives: &[
            Derivative::Compose(|g, x, _, _| g.mul(&x[1])),
            Derivative::Compose(|g, x, _, _| g.mul(&x[0])),
        ],
        ..BINARY
    },
    Row {
        name: "div",
        formula: "x / y",
        takes: Takes::Floats,
        wgsl: Wgsl { import: None, floats: "{0} / {1}", integers: None },
        reference: |x, _| x[0] / x[1],
        wide: Some(|x, y| wide::binary(x, y, |a, b| a / b)),
        fast: |x, _, y| fast::binary(x, y, |a, b| a / b),
        derivatives: &[
            Derivative::Compose(|g, x, _, _| g.div(&x[1])),
            Derivative::Compose(|g, x, y, _| g.mul(y)?.div(&x[1])?.neg()),
        ],
        range: (0.5, 4.0),
        ..BINARY
    },
    Row {
        name: "pow",
        formula: "xʸ",
        takes: Takes::Floats,
        wgsl: call("shared/pow", "kw_pow({0}, {1})"),
        reference: |x, _| libm::pow(x[0], x[1]),
        fast: |x, _, y| fast::binary(x, y, libm::powf),
        derivatives: &[
            Derivative::Compose(|g, x, _, _| g.mul(&x[1])?.mul(&x[0].pow(&x[1].sub(1.0)?)?)),
            Derivative::Compose(|g, x, y, _| {
                // 0 where x = 0: log 0 times 0 has no other useful value.
                let positive = x[0].gt(0.0)?;
                let log = x[0].select(&positive, 1.0)?.log()?;
                g.mul(y)?.mul(&log)
            }),
        ],
        range: (0.5, 3.0),
        tolerance: 2e-5,
        ..BINARY
    },
    Row {
        name: "maximum",
        formula: "max(x, y)",
        wgsl: Wgsl { import: Some(ARITH), floats: "kw_max({0}, {1})", integers: Some("max({0}, {1})") },
        reference: |x, _| if x[0].is_nan() || x[0] > x[1] { x[0] } else { x[1] },
        fast: |x, _, y| fast::binary(x, y, |a, b| if a.is_nan() || a > b { a } else { b }),
        derivatives: &[
            Derivative::Compose(|g, x, _, _| split_tie(g, &x[0].gt(&x[1])?, &x[0].eq(&x[1])?)),
            Derivative::Compose(|g, x, _, _| split_tie(g, &x[1].gt(&x[0])?, &x[0].eq(&x[1])?)),
        ],
        ..BINARY
    },
    Row {
        name: "minimum",
        formula: "min(x, y)",
        wgsl: Wgsl { import: Some(ARITH), floats: "kw_min({0}, {1})", integers: Some("min({0}, {1})") },
        reference: |x, _| if x[0].is_nan() || x[0] < x[1] { x[0] } else { x[1] },
        fast: |x, _, y| fast::binary(x, y, |a, b| if a.is_nan() || a < b { a } else { b }),
        derivatives: &[
            Derivative::Compose(|g, x, _, _| split_tie(g, &x[0].lt(&x[1])?, &x[0].eq(&x[1])?)),
            Derivative::Compose(|g, x, _, _| split_tie(g, &x[1].lt(&x[0])?, &x[0].eq(&x[1])?)),
        ],
        ..BINARY
    },
    Row {
        name: "neg",
        formula: "−x",
        wgsl: both("-({0})"),
        reference: |x, _| -x[0],
        wide: Some(|x, y| wide::unary(x, y, |a| -a)),
        fast: |x, _, y| fast::unary(x, y, |a| -a),
        derivatives: &[Derivative::Compose(|g, _, _, _| g.neg())],
        ..UNARY
    },
    Row {
        name: "abs",
        formula: "|x|",
        wgsl: both("abs({0})"),
        reference: |x, _| x[0].abs(),
        wide: Some(|x, y| wide::unary(x, y, f64::abs)),
        fast: |x, _, y| fast::unary(x, y, f32::abs),
        derivatives: &[Derivative::Row("sign")],
        kinks: |_| vec![0.0],
        ..UNARY
    },
    Row {
        name: "sign",
        formula: "−1, 0 or 1 by the sign of x",
        wgsl: call(ARITH, "kw_sign({0})"),
        reference: |x, _| {
            if x[0] > 0.0 {
                1.0
            } else if x[0] < 0.0 {
                -1.0
            } else {
                x[0]
            }
        },
        fast: |x, _, y| {
            fast::unary(x, y, |a| {
                if a > 0.0 {
                    1.0
                } else if a < 0.0 {
                    -1.0
                } else {
                    a
                }
            })
        },
        derivatives: &[Derivative::Zero],
        kinks: |_| vec![0.0],
        ..UNARY
    },
    Row {
        name: "exp",
        formula: "eˣ",
        wgsl: call("shared/exp", "kw_exp({0})"),
        reference: |x, _| libm::exp(x[0]),
        fast: |x, _, y| fast::unary(x, y, math::exp),
        derivatives: &[Derivative::Compose(|g, _, y, _| g.mul(y))],
        ..UNARY
    },
    Row {
        name: "log",
        formula: "ln x",
        wgsl: call("shared/log", "kw_log({0})"),
        reference: |x, _| libm::log(x[0]),
        fast: |x, _, y| fast::unary(x, y, f32::ln),
        derivatives: &[Derivative::Compose(|g, x, _, _| g.div(&x[0]))],
        range: (0.1, 8.0),
        ..UNARY
    },
    Row {
        name: "cos",
        formula: "cos x",
        wgsl: call("shared/trig", "kw_cos({0})"),
        reference: |x, _| libm::cos(x[0]),
        fast: |x, a, y| fast::periodic(x, a, y, |_, _, _, c| c),
        derivatives: &[Derivative::Compose(|g, x, _, _| g.mul(&x[0].sin()?)?.neg())],
        ..UNARY
    },
    Row {
        name: "sqrt",
        formula: "√x",
        wgsl: both("sqrt({0})"),
        reference: |x, _| x[0].sqrt(),
        fast: |x, _, y| fast::unary(x, y, f32::sqrt),
        derivatives: &[Derivative::Compose(|g, _, y, _| g.mul(0.5)?.div(y))],
        range: (0.1, 8.0),
        ..UNARY
    },
    Row {
        name: "rsqrt",
        formula: "1 / √x",
        wgsl: both("1.0 / sqrt({0})"),
        reference: |x, _| 1.0 / x[0].sqrt(),
        fast: |x, _, y| fast::unary(x, y, |a| 1.0 / a.sqrt()),
        derivatives: &[Derivative::Compose(|g, x, y, _| g.mul(-0.5)?.mul(y)?.div(&x[0]))],
        range: (0.1, 8.0),
        ..UNARY
    },
    Row {
        name: "recip",
        formula: "1 / x",
        wgsl: both("1.0 / {0}"),
        reference: |x, _| 1.0 / x[0],
        fast: |x, _, y| fast::unary(x, y, |a| 1.0 / a),
        derivatives: &[Derivative::Compose(|g, _, y, _| g.mul(y)?.mul(y)?.neg())],
        range: (0.5, 4.0),
        ..UNARY
    },
    Row {
        name: "square",
        formula: "x²",
        wgsl: call(ARITH, "kw_square({0})"),
        reference: |x, _| x[0] * x[0],
        fast: |x, _, y| fast::unary(x, y, |a| a * a),
        derivatives: &[Derivative::Compose(|g, x, _, _| g.mul(2.0)?.mul(&x[0]))],
        ..UNARY
    },
];
