//! Kin of the rectifier: one piece on each side of a kink, which belongs to the lower piece.

use super::super::{
    fast, math,
    rows::{Attribute, Derivative, Row, UNARY, call},
};

const SCALE: f64 = 1.050_700_987_355_480_5;
const ALPHA: f64 = 1.673_263_242_354_377_2;

const CELU: &[Attribute] =
    &[Attribute { name: "alpha", default: 1.0, range: 1e-6..=f64::INFINITY, trials: &[2.0, 0.25] }];

const ELU: &[Attribute] = &[Attribute {
    name: "alpha",
    default: 1.0,
    range: f64::NEG_INFINITY..=f64::INFINITY,
    trials: &[0.5, 0.0],
}];

const STAR_RELU: &[Attribute] = &[
    Attribute { name: "scale", default: 0.8944, range: f64::NEG_INFINITY..=f64::INFINITY, trials: &[2.0] },
    Attribute { name: "bias", default: -0.4472, range: f64::NEG_INFINITY..=f64::INFINITY, trials: &[0.5] },
];

const THRESHOLD: &[Attribute] = &[
    Attribute { name: "threshold", default: 0.1, range: f64::NEG_INFINITY..=f64::INFINITY, trials: &[-0.75] },
    Attribute { name: "value", default: 0.0, range: f64::NEG_INFINITY..=f64::INFINITY, trials: &[2.0] },
];

const LEAKY_RELU: &[Attribute] = &[Attribute {
    name: "negative_slope",
    default: 0.01,
    range: f64::NEG_INFINITY..=f64::INFINITY,
    trials: &[0.2, 0.0],
}];

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    short!(
        "leaky_relu",
        "x where x > 0, else slope x",
        "Maas, Hannun and Ng 2013",
        "activation/rectified",
        "kw_leaky_relu({0}, {1})",
        LEAKY_RELU,
        |_| vec![0.0],
        &[Derivative::Row("leaky_relu_d1")],
        |x, a| if x > 0.0 {
            x
        } else if a[0] == 0.0 {
            0.0
        } else {
            a[0] * x
        },
        |v, c| if v > 0.0 {
            v
        } else if c[0] == 0.0 {
            0.0
        } else {
            c[0] * v
        }
    ),
    short!(
        "leaky_relu_d1",
        "1 where x > 0, else slope",
        "Maas, Hannun and Ng 2013",
        "activation/rectified",
        "kw_leaky_relu_d1({0}, {1})",
        LEAKY_RELU,
        |_| vec![0.0],
        &[Derivative::Zero],
        |x, a| if x > 0.0 { 1.0 } else { a[0] },
        |v, c| if v > 0.0 { 1.0 } else { c[0] }
    ),
    short!(
        "threshold",
        "x where x > threshold, else value",
        "",
        "activation/rectified",
        "kw_threshold({0}, {1}, {2})",
        THRESHOLD,
        |a| vec![a[0]],
        &[Derivative::Row("threshold_d1")],
        |x, a| if x > a[0] { x } else { a[1] },
        |v, c| if v > c[0] { v } else { c[1] }
    ),
    short!(
        "threshold_d1",
        "1 where x > threshold, else 0",
        "",
        "activation/rectified",
        "kw_threshold_d1({0}, {1})",
        THRESHOLD,
        |a| vec![a[0]],
        &[Derivative::Zero],
        |x, a| f64::from(u8::from(x > a[0])),
        |v, c| if v > c[0] { 1.0 } else { 0.0 }
    ),
    short!(
        "relu_squared",
        "max(0, x)²",
        "So et al. 2021",
        "activation/rectified",
        "kw_relu_squared({0})",
        &[],
        |_| vec![0.0],
        &[Derivative::Row("relu_squared_d1")],
        |x, a| if x > 0.0 { x * x } else { 0.0 },
        |v, c| if v > 0.0 { v * v } else { 0.0 }
    ),
    short!(
        "relu_squared_d1",
        "2 max(0, x)",
        "So et al. 2021",
        "activation/rectified",
        "kw_relu_squared_d1({0})",
        &[],
        |_| vec![0.0],
        &[Derivative::Row("relu_squared_d2")],
        |x, a| if x > 0.0 { 2.0 * x } else { 0.0 },
        |v, c| if v > 0.0 { 2.0 * v } else { 0.0 }
    ),
    short!(
        "relu_squared_d2",
        "2 where x > 0, else 0",
        "So et al. 2021",
        "activation/rectified",
        "kw_relu_squared_d2({0})",
        &[],
        |_| vec![0.0],
        &[Derivative::Zero],
        |x, a| if x > 0.0 { 2.0 } else { 0.0 },
        |v, c| if v > 0.0 { 2.0 } else { 0.0 }
    ),
    short!(
        "star_relu",
        "scale max(0, x)² + bias",
        "Yu et al. 2022",
        "activation/rectified",
        "kw_star_relu({0}, {1}, {2})",
        STAR_RELU,
        |_| vec![0.0],
        &[Derivative::Row("star_relu_d1")],
        |x, a| if x > 0.0 { a[0] * x * x + a[1] } else { a[1] },
        |v, c| if v > 0.0 { c[0] * v * v + c[1] } else { c[1] }
    ),
    short!(
        "star_relu_d1",
        "2 scale max(0, x)",
        "Yu et al. 2022",
        "activation/rectified",
        "kw_star_relu_d1({0}, {1})",
        STAR_RELU,
        |_| vec![0.0],
        &[Derivative::Row("star_relu_d2")],
        |x, a| if x > 0.0 { 2.0 * a[0] * x } else { 0.0 },
        |v, c| if v > 0.0 { 2.0 * c[0] * v } else { 0.0 }
    ),
    short!(
        "star_relu_d2",
        "2 scale where x > 0, else 0",
        "Yu et al. 2022",
        "activation/rectified",
        "kw_star_relu_d2({0}, {1})",
        STAR_RELU,
        |_| vec![0.0],
        &[Derivative::Zero],
        |x, a| if x > 0.0 { 2.0 * a[0] } else { 0.0 },
        |v, c| if v > 0.0 { 2.0 * c[0] } else { 0.0 }
    ),
    short!(
        "elu",
        "x where x > 0, else α (eˣ − 1)",
        "Clevert, Unterthiner and Hochreiter 2015",
        "activation/elu",
        "kw_elu({0}, {1})",
        ELU,
        |_| vec![0.0],
        &[Derivative::Row("elu_d1")],
        |x, a| if x > 0.0 { x } else { a[0] * libm::expm1(x) },
        |v, c| if v > 0.0 { v } else { c[0] * math::expm1(v) }
    ),
    short!(
        "elu_d1",
        "1 where x > 0, else α eˣ",
        "Clevert, Unterthiner and Hochreiter 2015",
        "activation/elu",
        "kw_elu_d1({0}, {1})",
        ELU,
        |_| vec![0.0],
        &[Derivative::Row("elu_d2")],
        |x, a| if x > 0.0 { 1.0 } else { a[0] * libm::exp(x) },
        |v, c| if v > 0.0 { 1.0 } else { c[0] * math::exp(v) }
    ),
    short!(
        "elu_d2",
        "0 where x > 0, else α eˣ",
        "Clevert, Unterthiner and Hochreiter 2015",
        "activation/elu",
        "kw_elu_d2({0}, {1})",
        ELU,
        |_| vec![0.0],
        &[],
        |x, a| if x > 0.0 { 0.0 } else { a[0] * libm::exp(x) },
        |v, c| if v > 0.0 { 0.0 } else { c[0] * math::exp(v) }
    ),
    short!(
        "selu",
        "λ x where x > 0, else λ α (eˣ − 1)",
        "Klambauer, Unterthiner, Mayr and Hochreiter 2017",
        "activation/elu",
        "kw_selu({0})",
        &[],
        |_| vec![0.0],
        &[Derivative::Row("selu_d1")],
        |x, a| if x > 0.0 { SCALE * x } else { SCALE * ALPHA * libm::expm1(x) },
        |v, c| if v > 0.0 { SCALE as f32 * v } else { (SCALE * ALPHA) as f32 * math::expm1(v) }
    ),
    short!(
        "selu_d1",
        "λ where x > 0, else λ α eˣ",
        "Klambauer, Unterthiner, Mayr and Hochreiter 2017",
        "activation/elu",
        "kw_selu_d1({0})",
        &[],
        |_| vec![0.0],
        &[Derivative::Row("selu_d2")],
        |x, a| if x > 0.0 { SCALE } else { SCALE * ALPHA * libm::exp(x) },
        |v, c| if v > 0.0 { SCALE as f32 } else { (SCALE * ALPHA) as f32 * math::exp(v) }
    ),
    short!(
        "selu_d2",
        "0 where x > 0, else λ α eˣ",
        "Klambauer, Unterthiner, Mayr and Hochreiter 2017",
        "activation/elu",
        "kw_selu_d2({0})",
        &[],
        |_| vec![0.0],
        &[],
        |x, a| if x > 0.0 { 0.0 } else { SCALE * ALPHA * libm::exp(x) },
        |v, c| if v > 0.0 { 0.0 } else { (SCALE * ALPHA) as f32 * math::exp(v) }
    ),
    short!(
        "celu",
        "x where x > 0, else α (e^(x/α) − 1)",
        "Barron 2017",
        "activation/elu",
        "kw_celu({0}, {1})",
        CELU,
        |_| vec![0.0],
        &[Derivative::Row("celu_d1")],
        |x, a| if x > 0.0 { x } else { a[0] * libm::expm1(x / a[0]) },
        |v, c| {
            let q = v / c[0];
            // Next to 0 it is x, also where the quotient would be subnormal.
            if q > -1e-8 { v } else { c[0] * math::expm1(q) }
        }
    ),
    short!(
        "celu_d1",
        "1 where x > 0, else e^(x/α)",
        "Barron 2017",
        "activation/elu",
        "kw_celu_d1({0}, {1})",
        CELU,
        |_| vec![0.0],
        &[Derivative::Row("celu_d2")],
        |x, a| if x > 0.0 { 1.0 } else { libm::exp(x / a[0]) },
        |v, c| if v > 0.0 { 1.0 } else { math::exp(v / c[0]) }
    ),
    short!(
        "celu_d2",
        "0 where x > 0, else e^(x/α) / α",
        "Barron 2017",
        "activation/elu",
        "kw_celu_d2({0}, {1})",
        CELU,
        |_| vec![0.0],
        &[],
        |x, a| if x > 0.0 { 0.0 } else { libm::exp(x / a[0]) / a[0] },
        |v, c| if v > 0.0 { 0.0 } else { math::exp(v / c[0]) / c[0] }
    ),
];
