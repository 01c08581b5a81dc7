//! Activations x g(x) whose gate g is logistic or normal: approximations of gelu, swish, and gates that are expanded or
//! joined to another function at 0.

use super::{
    super::{
        exact::{held, normal_cdf, normal_pdf, sigmoid, sigmoid_d1, sigmoid_d2, vanishing},
        math,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{self, Jet, fast_gated, gated, jet, logistic, smooth, split},
};

/// √(8/π), twice the factor inside gelu_tanh.
const SLOPE: f64 = 1.595_769_121_605_730_7;
const CUBIC: f64 = 0.044_715;

fn gelu_tanh(x: f64, _: &[f64]) -> Jet<f64> {
    // Beyond, the gate is 0 or 1.
    let h = x.clamp(-40.0, 40.0);
    let v = SLOPE * (h + CUBIC * h * h * h);
    let v1 = SLOPE * (1.0 + 3.0 * CUBIC * h * h);
    let v2 = SLOPE * 6.0 * CUBIC * h;
    let d1 = sigmoid_d1(v);
    gated(x, [sigmoid(v), d1 * v1, sigmoid_d2(v) * v1 * v1 + d1 * v2])
}

#[inline(always)]
fn fast_gelu_tanh(x: f32, _: [f32; 0]) -> Jet<f32> {
    let h = f64::from(x).clamp(-12.0, 12.0);
    let z = h * h;
    let (high, low) = split(SLOPE * h * (1.0 + CUBIC * z));
    let (s, _, slope, tilt) = logistic(high, low);
    let v1 = (SLOPE * (1.0 + 3.0 * CUBIC * z)) as f32;
    let v2 = (6.0 * SLOPE * CUBIC * h) as f32;
    fast_gated(x, [s, slope * v1, slope * (v2 - v1 * v1 * tilt)])
}

pub(super) static GELU_TANH: [Row; 3] = jet!(
    "gelu_tanh",
    "activation/gelu_tanh",
    "({0})",
    Row { source: "Hendrycks and Gimpel 2016, arXiv:1606.08415", ..UNARY },
    [
        "x/2 (1 + tanh u), u = √(2/π) (x + 0.044715 x³)",
        "σ(2u) (1 + 2 x u' σ(−2u))",
        "σ'(2u) (4 u' + x (2 u'' − 4 u'² tanh u))"
    ],
    gelu_tanh,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_gelu_tanh(x, p)
);

fn swish(x: f64, beta: f64) -> Jet<f64> {
    let v = beta * held(x);
    gated(x, [sigmoid(v), beta * sigmoid_d1(v), beta * beta * sigmoid_d2(v)])
}

#[inline(always)]
fn fast_swish(x: f32, beta: f64) -> Jet<f32> {
    let (high, low) = split(beta * f64::from(if x.abs() > f32::MAX { f32::MAX.copysign(x) } else { x }));
    let (s, _, slope, tilt) = logistic(high, low);
    let beta = beta as f32;
    fast_gated(x, [s, beta * slope, -beta * beta * slope * tilt])
}

pub(super) static QUICK_GELU: [Row; 3] = jet!(
    "quick_gelu",
    "activation/swish",
    "({0})",
    Row { source: "Hendrycks and Gimpel 2016, arXiv:1606.08415", ..UNARY },
    ["x σ(v), v = 1.702 x", "σ(v) (1 + v σ(−v))", "1.702 σ'(v) (2 − v tanh(v/2))"],
    |x: f64, _: &[f64]| swish(x, 1.702),
    smooth,
    #[inline(always)]
    |x: f32, _: [f32; 0]| fast_swish(x, 1.702)
);

pub(super) static SWISH: [Row; 3] = jet!(
    "swish",
    "activation/swish",
    "({0}, {1})",
    Row {
        source: "Ramachandran, Zoph and Le 2017, arXiv:1710.05941",
        attributes: &[Attribute { name: "beta", default: 1.0, range: -1e8..=1e8, trials: &[0.0, 2.5, -1.5] }],
        ..UNARY
    },
    ["x σ(v), v = β x", "σ(v) (1 + v σ(−v))", "β σ'(v) (2 − v tanh(v/2))"],
    |x: f64, a: &[f64]| swish(x, a[0]),
    smooth,
    #[inline(always)]
    |x: f32, [beta]: [f32; 1]| fast_swish(x, beta.into())
);

fn elish(x: f64, _: &[f64]) -> Jet<f64> {
    let (s, s1, s2) = (sigmoid(x), sigmoid_d1(x), sigmoid_d2(x));
    if x < 0.0 {
        let (e, m) = (libm::exp(x), libm::expm1(x));
        return [m * s, e * s + m * s1, e * s + 2.0 * e * s1 + m * s2];
    }
    gated(x, [s, s1, s2])
}

#[inline(always)]
fn fast_elish(x: f32, _: [f32; 0]) -> Jet<f32> {
    let n = math::exp(-x.abs());
    let q = 1.0 / (1.0 + n);
    let left = [
        math::expm1(-x.abs()) * n * q,
        n * (n * (n + 2.0) - 1.0) * q * q,
        n * (n * (n * (n + 3.0) + 5.0) - 1.0) * q * q * q,
    ];
    let slope = n * q * q;
    let right = fast_gated(x, [q, slope, -slope * (1.0 - n) * q]);
    if x < 0.0 { left } else { right }
}

pub(super) static ELISH: [Row; 3] = jet!(
    "elish",
    "activation/elish",
    "({0})",
    Row { source: "Basirat and Roth 2018, arXiv:1808.00783", kinks: |_| vec![0.0], ..UNARY },
    [
        "x σ(x) where x ≥ 0, else (eˣ − 1) σ(x)",
        "σ + x σ' where x ≥ 0, else n (n² + 2n − 1) / (1 + n)², n = eˣ",
        "2 σ' + x σ'' where x ≥ 0, else n (n³ + 3n² + 5n − 1) / (1 + n)³, n = eˣ"
    ],
    elish,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_elish(x, p)
);

/// How far the gate is expanded.
const ALPHA: &[Attribute] =
    &[Attribute { name: "alpha", default: 0.0, range: -1e8..=1e8, trials: &[0.25, -1.0, 1.5] }];

/// The jet of (1 + α) g(x) − α g(−x), given g(x), g(−x), g' and g''.
fn expanded(alpha: f64, left: f64, right: f64, d1: f64, d2: f64) -> Jet<f64> {
    [(1.0 + alpha) * left - alpha * right, (1.0 + 2.0 * alpha) * d1, (1.0 + 2.0 * alpha) * d2]
}

/// (1 + α) f(x) + α f(−x) and its derivatives, where f' (x) + f'(−x) = 1 and f'' is even.
#[inline(always)]
fn fast_expanded(alpha: f32, f: [f32; 2], d1: [f32; 2], d2: f32) -> Jet<f32> {
    let weighted = |w: f32, y: f32| if w == 0.0 && !y.is_nan() { 0.0 } else { w * y };
    [
        weighted(1.0 + alpha, f[0]) + weighted(alpha, f[1]),
        (1.0 + alpha) * d1[0] - alpha * d1[1],
        (1.0 + 2.0 * alpha) * d2,
    ]
}

pub(super) static XGELU: [Row; 3] = jet!(
    "xgelu",
    "activation/expanded",
    "({0}, {1})",
    Row { source: "Huang 2024, arXiv:2405.20768", attributes: ALPHA, ..UNARY },
    ["x (Φ(x) (1 + 2α) − α)", "(1 + 2α) gelu'(x) − α", "(1 + 2α) φ(x) (2 − x²)"],
    |x: f64, a: &[f64]| {
        let p = normal_pdf(x);
        gated(x, expanded(a[0], normal_cdf(x), normal_cdf(-x), p, -vanishing(x, p)))
    },
    smooth,
    #[inline(always)]
    |x: f32, [alpha]: [f32; 1]| {
        let d1 = [math::gelu_d1(x), math::gelu_d1(-x)];
        fast_expanded(alpha, [math::gelu(x), math::gelu(-x)], d1, math::gelu_d2(x))
    }
);

pub(super) static XSILU: [Row; 3] = jet!(
    "xsilu",
    "activation/expanded",
    "({0}, {1})",
    Row { source: "Huang 2024, arXiv:2405.20768", attributes: ALPHA, ..UNARY },
    ["x (σ(x) (1 + 2α) − α)", "(1 + 2α) silu'(x) − α", "(1 + 2α) (2 σ'(x) + x σ''(x))"],
    |x: f64, a: &[f64]| gated(x, expanded(a[0], sigmoid(x), sigmoid(-x), sigmoid_d1(x), sigmoid_d2(x))),
    smooth,
    #[inline(always)]
    |x: f32, [alpha]: [f32; 1]| {
        let (_, _, slope, tilt) = logistic(x, 0.0);
        let d2 = 2.0 * slope - jet::vanishing(x, slope * tilt);
        let d1 = [math::silu_d1(x), math::silu_d1(-x)];
        fast_expanded(alpha, [math::silu(x), math::silu(-x)], d1, d2)
    }
);
