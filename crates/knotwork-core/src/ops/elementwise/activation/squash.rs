//! Saturating curves: softsign, scaled hyperbolic tangents, and what the tangent leaves.

use super::super::{
    exact::sech2,
    fast, math,
    rows::{Attribute, Derivative, Row, UNARY, call},
};

/// x − tanh x without cancellation: x³ P(x²) below 1.
#[inline(always)]
fn shrunk(x: f32) -> f32 {
    let z = x * x;
    let p = -1.428_217_2e-4f32;
    let p = p * z + 9.236_014e-4;
    let p = p * z - 3.206_942_7e-3;
    let p = p * z + 8.697_944e-3;
    let p = p * z - 2.182_958_3e-2;
    let p = p * z + 5.396_342e-2;
    let p = p * z - 1.333_331e-1;
    let p = p * z + 3.333_333_4e-1;
    if z < 1.0 { x * (z * p) } else { x - math::tanh(x) }
}

const PENALIZED_TANH: &[Attribute] = &[Attribute {
    name: "alpha",
    default: 0.25,
    range: f64::NEG_INFINITY..=f64::INFINITY,
    trials: &[-0.5, 0.0],
}];

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    short!(
        "softsign",
        "x / (1 + |x|)",
        "Bergstra, Desjardins, Lamblin and Bengio 2009",
        "activation/softsign",
        "kw_softsign({0})",
        &[],
        |_| vec![0.0],
        &[Derivative::Row("softsign_d1")],
        |x, a| if x.is_infinite() { x.signum() } else { x / (1.0 + x.abs()) },
        |v, c| if v.abs() > 1e8 { 1.0f32.copysign(v) } else { v / (1.0 + v.abs()) }
    ),
    short!(
        "softsign_d1",
        "1 / (1 + |x|)²",
        "Bergstra, Desjardins, Lamblin and Bengio 2009",
        "activation/softsign",
        "kw_softsign_d1({0})",
        &[],
        |_| vec![0.0],
        &[Derivative::Row("softsign_d2")],
        |x, a| (1.0 + x.abs()).powi(-2),
        |v, c| (1.0 / (1.0 + v.abs())) * (1.0 / (1.0 + v.abs()))
    ),
    short!(
        "softsign_d2",
        "−2 sign x / (1 + |x|)³",
        "Bergstra, Desjardins, Lamblin and Bengio 2009",
        "activation/softsign",
        "kw_softsign_d2({0})",
        &[],
        |_| vec![0.0],
        &[],
        |x, a| if x == 0.0 { 0.0 } else { -2.0 * x.signum() / (1.0 + x.abs()).powi(3) },
        |v, c| {
            let q = 1.0 / (1.0 + v.abs());
            if v == 0.0 { 0.0 } else { -2.0f32.copysign(v) * q * q * q }
        }
    ),
    short!(
        "penalized_tanh",
        "tanh x where x > 0, else α times that",
        "Xu, Huang and Li 2016",
        "activation/scaled_tanh",
        "kw_penalized_tanh({0}, {1})",
        PENALIZED_TANH,
        |_| vec![0.0],
        &[Derivative::Row("penalized_tanh_d1")],
        |x, a| (if x > 0.0 { 1.0 } else { a[0] }) * libm::tanh(x),
        |v, c| (if v > 0.0 { 1.0 } else { c[0] }) * math::tanh(v)
    ),
    short!(
        "penalized_tanh_d1",
        "sech² x where x > 0, else α times that",
        "Xu, Huang and Li 2016",
        "activation/scaled_tanh",
        "kw_penalized_tanh_d1({0}, {1})",
        PENALIZED_TANH,
        |_| vec![0.0],
        &[Derivative::Row("penalized_tanh_d2")],
        |x, a| (if x > 0.0 { 1.0 } else { a[0] }) * sech2(x),
        |v, c| (if v > 0.0 { 1.0 } else { c[0] }) * math::sech2(v)
    ),
    short!(
        "penalized_tanh_d2",
        "−2 tanh x sech² x where x > 0, else α times that",
        "Xu, Huang and Li 2016",
        "activation/scaled_tanh",
        "kw_penalized_tanh_d2({0}, {1})",
        PENALIZED_TANH,
        |_| vec![0.0],
        &[],
        |x, a| (if x > 0.0 { 1.0 } else { a[0] }) * (-2.0 * libm::tanh(x) * sech2(x)),
        |v, c| (if v > 0.0 { 1.0 } else { c[0] }) * (-2.0 * math::tanh(v) * math::sech2(v))
    ),
    short!(
        "lecun_tanh",
        "1.7159 tanh(2x/3)",
        "LeCun, Bottou, Orr and Müller 1998",
        "activation/scaled_tanh",
        "kw_lecun_tanh({0})",
        &[],
        |_| Vec::new(),
        &[Derivative::Row("lecun_tanh_d1")],
        |x, a| 1.7159 * libm::tanh(x * 2.0 / 3.0),
        |v, c| 1.7159 * math::tanh(v * (2.0 / 3.0))
    ),
    short!(
        "lecun_tanh_d1",
        "1.7159 · 2/3 sech²(2x/3)",
        "LeCun, Bottou, Orr and Müller 1998",
        "activation/scaled_tanh",
        "kw_lecun_tanh_d1({0})",
        &[],
        |_| Vec::new(),
        &[Derivative::Row("lecun_tanh_d2")],
        |x, a| 1.7159 * 2.0 / 3.0 * sech2(x * 2.0 / 3.0),
        |v, c| (1.7159 * 2.0 / 3.0) * math::sech2(v * (2.0 / 3.0))
    ),
    short!(
        "lecun_tanh_d2",
        "−1.7159 · 8/9 tanh(2x/3) sech²(2x/3)",
        "LeCun, Bottou, Orr and Müller 1998",
        "activation/scaled_tanh",
        "kw_lecun_tanh_d2({0})",
        &[],
        |_| Vec::new(),
        &[],
        |x, a| -1.7159 * 8.0 / 9.0 * libm::tanh(x * 2.0 / 3.0) * sech2(x * 2.0 / 3.0),
        |v, c| (-1.7159 * 8.0 / 9.0) * math::tanh(v * (2.0 / 3.0)) * math::sech2(v * (2.0 / 3.0))
    ),
    short!(
        "tanh_shrink",
        "x − tanh x",
        "",
        "activation/scaled_tanh",
        "kw_tanh_shrink({0})",
        &[],
        |_| Vec::new(),
        &[Derivative::Row("tanh_shrink_d1")],
        |x, a| x - libm::tanh(x),
        |v, c| shrunk(v)
    ),
    short!(
        "tanh_shrink_d1",
        "tanh² x",
        "",
        "activation/scaled_tanh",
        "kw_tanh_shrink_d1({0})",
        &[],
        |_| Vec::new(),
        &[Derivative::Row("tanh_shrink_d2")],
        |x, a| libm::tanh(x).powi(2),
        |v, c| math::tanh(v) * math::tanh(v)
    ),
    short!(
        "tanh_shrink_d2",
        "2 tanh x sech² x",
        "",
        "activation/scaled_tanh",
        "kw_tanh_shrink_d2({0})",
        &[],
        |_| Vec::new(),
        &[],
        |x, a| 2.0 * libm::tanh(x) * sech2(x),
        |v, c| 2.0 * math::tanh(v) * math::sech2(v)
    ),
];
