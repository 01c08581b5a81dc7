//! The table of elementwise operations.

use std::f64::consts::SQRT_2;

use super::{
    fast, math,
    rows::{Derivative, Output, Row, Takes, Wgsl},
};
use crate::{DType, Result, graph::Tensor};

const fn call(import: &'static str, floats: &'static str) -> Wgsl {
    Wgsl { import: Some(import), floats, integers: None }
}

const fn both(expression: &'static str) -> Wgsl {
    Wgsl { import: None, floats: expression, integers: Some(expression) }
}

const ARITH: &str = "elementwise/arith";
const CAST: &str = "elementwise/cast";

/// What most rows have.
const UNARY: Row = Row {
    name: "",
    formula: "",
    arity: 1,
    takes: Takes::Floats,
    output: Output::LikeLast,
    attributes: &[],
    wgsl: both(""),
    reference: |x, _| x[0],
    integers: None,
    fast: |x, _, y| y.copy_from_slice(x[0]),
    derivatives: &[],
    kinks: &[],
    range: (-4.0, 4.0),
    tolerance: 2e-6,
};

const BINARY: Row = Row { arity: 2, takes: Takes::Numbers, ..UNARY };

const COMPARE: Row =
    Row { output: Output::Bool, derivatives: &[Derivative::Zero, Derivative::Zero], ..BINARY };

const CONVERT: Row = Row { takes: Takes::Any, derivatives: &[Derivative::Compose(convert_back)], ..UNARY };

fn convert_back(g: &Tensor, x: &[Tensor], _: &Tensor, _: &[f64]) -> Result<Tensor> {
    g.cast(x[0].dtype())
}

/// Half the cotangent where both inputs tie, all of it where `wins`, none elsewhere.
fn split_tie(g: &Tensor, wins: &Tensor, ties: &Tensor) -> Result<Tensor> {
    let half = g.mul(0.5)?;
    g.select(wins, &half.select(ties, 0.0)?)
}

fn select(then_side: bool, g: &Tensor, x: &[Tensor]) -> Result<Tensor> {
    let zero = g.graph().constant(g.dtype(), 0.0)?;
    if then_side { g.select(&x[0], zero) } else { zero.select(&x[0], g) }
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + libm::exp(-x)) } else { libm::exp(x) / (1.0 + libm::exp(x)) }
}

/// σ'(x) = σ(x) σ(−x), without cancellation.
fn sigmoid_d1(x: f64) -> f64 {
    sigmoid(x) * sigmoid(-x)
}

/// σ''(x) = −σ'(x) tanh(x/2).
fn sigmoid_d2(x: f64) -> f64 {
    -sigmoid_d1(x) * libm::tanh(x / 2.0)
}

fn sech2(x: f64) -> f64 {
    let e = libm::exp(-2.0 * x.abs());
    4.0 * e / ((1.0 + e) * (1.0 + e))
}

/// A product that is 0 where `decays` is, whatever `grows` is.
fn vanishing(grows: f64, decays: f64) -> f64 {
    if decays == 0.0 { 0.0 } else { grows * decays }
}

fn normal_pdf(x: f64) -> f64 {
    libm::exp(-x * x / 2.0) / (2.0 * std::f64::consts::PI).sqrt()
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// All elementwise operations.
pub static ROWS: &[Row] = &[
    Row {
        name: "copy",
        formula: "x",
        takes: Takes::Any,
        wgsl: both("{0}"),
        derivatives: &[Derivative::One],
        ..UNARY
    },
    Row {
        name: "add",
        formula: "x + y",
        wgsl: both("{0} + {1}"),
        reference: |x, _| x[0] + x[1],
        integers: Some(i64::wrapping_add),
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
        name: "gt",
        formula: "x > y",
        wgsl: both("{0} > {1}"),
        reference: |x, _| f64::from(u8::from(x[0] > x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a > b))),
        ..COMPARE
    },
    Row {
        name: "ge",
        formula: "x ≥ y",
        wgsl: both("{0} >= {1}"),
        reference: |x, _| f64::from(u8::from(x[0] >= x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a >= b))),
        ..COMPARE
    },
    Row {
        name: "lt",
        formula: "x < y",
        wgsl: both("{0} < {1}"),
        reference: |x, _| f64::from(u8::from(x[0] < x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a < b))),
        ..COMPARE
    },
    Row {
        name: "le",
        formula: "x ≤ y",
        wgsl: both("{0} <= {1}"),
        reference: |x, _| f64::from(u8::from(x[0] <= x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a <= b))),
        ..COMPARE
    },
    Row {
        name: "eq",
        formula: "x = y",
        wgsl: both("{0} == {1}"),
        reference: |x, _| f64::from(u8::from(x[0] == x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a == b))),
        ..COMPARE
    },
    Row {
        name: "ne",
        formula: "x ≠ y",
        // naga compares with an ordered "not equal", which is false on NaN.
        wgsl: both("!({0} == {1})"),
        reference: |x, _| f64::from(u8::from(x[0] != x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a != b))),
        ..COMPARE
    },
    Row {
        name: "select",
        formula: "y where c, else z",
        arity: 3,
        takes: Takes::Select,
        wgsl: both("select({2}, {1}, {0})"),
        reference: |x, _| if x[0] != 0.0 { x[1] } else { x[2] },
        fast: |x, _, y| fast::ternary(x, y, |c, a, b| if c != 0.0 { a } else { b }),
        derivatives: &[
            Derivative::Zero,
            Derivative::Compose(|g, x, _, _| select(true, g, x)),
            Derivative::Compose(|g, x, _, _| select(false, g, x)),
        ],
        ..UNARY
    },
    Row {
        name: "neg",
        formula: "−x",
        wgsl: both("-({0})"),
        reference: |x, _| -x[0],
        fast: |x, _, y| fast::unary(x, y, |a| -a),
        derivatives: &[Derivative::Compose(|g, _, _, _| g.neg())],
        ..UNARY
    },
    Row {
        name: "abs",
        formula: "|x|",
        wgsl: both("abs({0})"),
        reference: |x, _| x[0].abs(),
        fast: |x, _, y| fast::unary(x, y, f32::abs),
        derivatives: &[Derivative::Row("sign")],
        kinks: &[0.0],
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
        kinks: &[0.0],
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
    Row {
        name: "relu",
        formula: "max(0, x)",
        wgsl: call("activation/relu", "kw_relu({0})"),
        reference: |x, _| if x[0] <= 0.0 { 0.0 } else { x[0] },
        fast: |x, _, y| fast::unary(x, y, |a| if a <= 0.0 { 0.0 } else { a }),
        derivatives: &[Derivative::Row("relu_d1")],
        kinks: &[0.0],
        ..UNARY
    },
    Row {
        name: "relu_d1",
        formula: "1 where x > 0, else 0",
        wgsl: call("activation/relu", "kw_relu_d1({0})"),
        reference: |x, _| if x[0].is_nan() { x[0] } else { f64::from(u8::from(x[0] > 0.0)) },
        fast: |x, _, y| fast::unary(x, y, |a| if a.is_nan() { a } else { f32::from(u8::from(a > 0.0)) }),
        derivatives: &[Derivative::Zero],
        kinks: &[0.0],
        ..UNARY
    },
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
        fast: |x, _, y| fast::unary(x, y, |a| math::sigmoid(a) * math::sigmoid(-a)),
        derivatives: &[Derivative::Row("sigmoid_d2")],
        ..UNARY
    },
    Row {
        name: "sigmoid_d2",
        formula: "−σ'(x) tanh(x/2)",
        wgsl: call("activation/sigmoid", "kw_sigmoid_d2({0})"),
        reference: |x, _| sigmoid_d2(x[0]),
        fast: |x, _, y| {
            fast::unary(x, y, |a| -math::sigmoid(a) * math::sigmoid(-a) * math::tanh(0.5 * a));
        },
        // σ''' = σ' (1 − 6 σ')
        derivatives: &[Derivative::Compose(|g, x, _, _| {
            let d1 = x[0].map("sigmoid_d1", &[], &[])?;
            g.mul(&d1)?.mul(&d1.mul(-6.0)?.add(1.0)?)
        })],
        ..UNARY
    },
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
        fast: |x, _, y| fast::unary(x, y, |a| -2.0 * math::tanh(a) * math::sech2(a)),
        // tanh''' = sech² (4 − 6 sech²)
        derivatives: &[Derivative::Compose(|g, x, _, _| {
            let d1 = x[0].map("tanh_d1", &[], &[])?;
            g.mul(&d1)?.mul(&d1.mul(-6.0)?.add(4.0)?)
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
            fast::unary(x, y, |a| {
                let d1 = math::sigmoid(a) * math::sigmoid(-a);
                if d1 == 0.0 { 0.0 } else { d1 * (2.0 - a * math::tanh(0.5 * a)) }
            });
        },
        // silu''' = x σ''' + 3 σ''
        derivatives: &[Derivative::Compose(|g, x, _, _| {
            let d1 = x[0].map("sigmoid_d1", &[], &[])?;
            let d3 = d1.mul(&d1.mul(-6.0)?.add(1.0)?)?;
            g.mul(&x[0].mul(&d3)?.add(&x[0].map("sigmoid_d2", &[], &[])?.mul(3.0)?)?)
        })],
        ..UNARY
    },
    Row {
        name: "gelu",
        formula: "x Φ(x)",
        wgsl: call("activation/gelu", "kw_gelu({0})"),
        reference: |x, _| vanishing(x[0], normal_cdf(x[0])),
        fast: |x, _, y| fast::unary(x, y, math::gelu),
        derivatives: &[Derivative::Row("gelu_d1")],
        ..UNARY
    },
    Row {
        name: "gelu_d1",
        formula: "Φ(x) + x φ(x)",
        wgsl: call("activation/gelu", "kw_gelu_d1({0})"),
        reference: |x, _| normal_cdf(x[0]) + vanishing(x[0], normal_pdf(x[0])),
        fast: |x, _, y| fast::unary(x, y, math::gelu_d1),
        derivatives: &[Derivative::Row("gelu_d2")],
        ..UNARY
    },
    Row {
        name: "gelu_d2",
        formula: "φ(x) (2 − x²)",
        wgsl: call("activation/gelu", "kw_gelu_d2({0})"),
        reference: |x, _| vanishing(2.0 - x[0] * x[0], normal_pdf(x[0])),
        fast: |x, _, y| {
            fast::unary(x, y, |a| {
                let p = math::normal_pdf(a);
                if p == 0.0 { 0.0 } else { p * (2.0 - a * a) }
            });
        },
        // gelu''' = φ(x) (x³ − 4x)
        derivatives: &[Derivative::Compose(|g, x, _, _| {
            let square = x[0].square()?;
            let pdf = square.mul(-0.5)?.exp()?.mul(1.0 / (2.0 * std::f64::consts::PI).sqrt())?;
            g.mul(&pdf)?.mul(&x[0].mul(&square.sub(4.0)?)?)
        })],
        ..UNARY
    },
    Row {
        name: "to_f32",
        formula: "x as f32",
        output: Output::Cast(DType::F32),
        wgsl: both("f32({0})"),
        reference: |x, _| DType::F32.round(x[0]),
        ..CONVERT
    },
    Row {
        name: "to_f16",
        formula: "x as f16",
        output: Output::Cast(DType::F16),
        wgsl: both("quantizeToF16(f32({0}))"),
        reference: |x, _| DType::F16.round(x[0]),
        fast: |x, _, y| fast::unary(x, y, |a| half::f16::from_f32(a).to_f32()),
        tolerance: 1e-3,
        ..CONVERT
    },
    Row {
        name: "to_f64",
        formula: "x as f64 (on the CPU)",
        output: Output::Cast(DType::F64),
        wgsl: both("{0}"),
        ..CONVERT
    },
    Row {
        name: "to_i32",
        formula: "x as i32, truncated and saturated; NaN is 0",
        output: Output::Cast(DType::I32),
        wgsl: Wgsl { import: Some(CAST), floats: "kw_to_i32(f32({0}))", integers: Some("i32({0})") },
        reference: |x, _| DType::I32.round(x[0]),
        fast: |x, _, y| fast::unary(x, y, |a| a as i32 as f32),
        derivatives: &[Derivative::Zero],
        ..CONVERT
    },
    Row {
        name: "to_u32",
        formula: "x as u32, truncated and saturated; NaN is 0",
        output: Output::Cast(DType::U32),
        wgsl: Wgsl { import: Some(CAST), floats: "kw_to_u32(f32({0}))", integers: Some("u32({0})") },
        reference: |x, _| DType::U32.round(x[0]),
        fast: |x, _, y| fast::unary(x, y, |a| a as u32 as f32),
        derivatives: &[Derivative::Zero],
        ..CONVERT
    },
    Row {
        name: "to_bool",
        formula: "x ≠ 0",
        output: Output::Cast(DType::Bool),
        wgsl: Wgsl { import: None, floats: "!(({0}) == 0.0)", integers: Some("bool({0})") },
        reference: |x, _| DType::Bool.round(x[0]),
        fast: |x, _, y| fast::unary(x, y, |a| f32::from(u8::from(a != 0.0))),
        derivatives: &[Derivative::Zero],
        ..CONVERT
    },
];
