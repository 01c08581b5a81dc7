//! Softplus, the logarithm of the logistic function, and gates made of either.

use super::{
    super::{
        exact::{self, held, sech2, sigmoid, sigmoid_d1, sigmoid_d2, vanishing},
        math,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{Jet, fast_gated, gated, jet, logistic, smooth, split},
};

const TWO_BY_SQRT_PI: f32 = std::f32::consts::FRAC_2_SQRT_PI;

fn softplus(x: f64, a: &[f64]) -> Jet<f64> {
    let v = a[0] * held(x);
    let tail = libm::log1p(libm::exp(-v.abs()));
    [if x > 0.0 { x } else { 0.0 } + tail / a[0], sigmoid(v), a[0] * sigmoid_d1(v)]
}

#[inline(always)]
fn fast_softplus(x: f32, [beta]: [f32; 1]) -> Jet<f32> {
    let (high, low) = split(f64::from(beta) * f64::from(x));
    let e = math::exp_parts(-high.abs(), if high < 0.0 { low } else { -low });
    let (s, _, slope, _) = logistic(high, low);
    [if x > 0.0 { x } else { 0.0 } + math::log1p(e) / beta, s, beta * slope]
}

pub(super) static SOFTPLUS: [Row; 3] = jet!(
    "softplus",
    "activation/softplus",
    "_beta({0}, {1})",
    Row {
        source: "Dugas, Bengio, Bélisle, Nadeau and Garcia 2000, NIPS 13",
        attributes: &[Attribute { name: "beta", default: 1.0, range: 1e-8..=1e8, trials: &[0.25, 5.0] }],
        ..UNARY
    },
    ["ln(1 + e^(β x)) / β", "σ(β x)", "β σ'(β x)"],
    softplus,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 1]| fast_softplus(x, p)
);

pub(super) static LOG_SIGMOID: [Row; 3] = jet!(
    "log_sigmoid",
    "activation/softplus",
    "({0})",
    UNARY,
    ["ln σ(x) = −ln(1 + e⁻ˣ)", "σ(−x)", "−σ'(x)"],
    |x: f64, _: &[f64]| [-exact::softplus(-x), sigmoid(-x), -sigmoid_d1(x)],
    smooth,
    #[inline(always)]
    |x: f32, _: [f32; 0]| {
        let (_, c, slope, _) = logistic(x, 0.0);
        [-math::softplus(-x), c, -slope]
    }
);

fn mish(x: f64, _: &[f64]) -> Jet<f64> {
    let (w, s) = (exact::softplus(x), sigmoid(x));
    let (t, q) = (libm::tanh(w), sech2(w));
    gated(x, [t, q * s, q * (sigmoid_d1(x) - 2.0 * t * s * s)])
}

/// tanh(ln m) = (m² − 1) / (m² + 1) with m = 1 + eˣ, divided by m² on the right.
#[inline(always)]
fn fast_mish(x: f32, _: [f32; 0]) -> Jet<f32> {
    let e = math::exp(-x.abs());
    let s = 1.0 / (1.0 + e);
    let left = {
        let d = 1.0 / (2.0 + e * (2.0 + e));
        let r = e * (1.0 + e) * d;
        let slope = 4.0 * r * d;
        [e * (2.0 + e) * d, slope, slope * (1.0 + e * s - 4.0 * r)]
    };
    let right = {
        let d = 1.0 / (1.0 + 2.0 * e * (1.0 + e));
        let r = (1.0 + e) * d;
        let slope = 4.0 * e * e * r * d;
        [(1.0 + 2.0 * e) * d, slope, slope * (1.0 + s - 4.0 * r)]
    };
    fast_gated(x, if x < 0.0 { left } else { right })
}

pub(super) static MISH: [Row; 3] = jet!(
    "mish",
    "activation/mish",
    "({0})",
    Row { source: "Misra 2019, arXiv:1908.08681", ..UNARY },
    ["x tanh w, w = ln(1 + eˣ)", "tanh w + x sech² w σ(x)", "sech² w (2 σ(x) + x (σ'(x) − 2 tanh w σ(x)²))"],
    mish,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_mish(x, p)
);

fn serf(x: f64, _: &[f64]) -> Jet<f64> {
    let (w, s) = (exact::softplus(x), sigmoid(x));
    let bell = std::f64::consts::FRAC_2_SQRT_PI * libm::exp(-w * w);
    gated(x, [libm::erf(w), bell * s, vanishing(sigmoid_d1(x) - 2.0 * w * s * s, bell)])
}

#[inline(always)]
fn fast_serf(x: f32, _: [f32; 0]) -> Jet<f32> {
    let (s, c, _, _) = logistic(x, 0.0);
    let w = math::softplus(x);
    // From there on the gate is 1.
    let w = if w > 12.0 { 12.0 } else { w };
    let d1 = TWO_BY_SQRT_PI * math::exp_neg_square(1.0, w) * s;
    fast_gated(x, [math::erf(w), d1, d1 * (c - 2.0 * w * s)])
}

pub(super) static SERF: [Row; 3] = jet!(
    "serf",
    "activation/serf",
    "({0})",
    Row { source: "Nag, Bhattacharyya, Mukherjee and Kundu 2021, arXiv:2108.09598", ..UNARY },
    ["x erf(w), w = ln(1 + eˣ)", "erf(w) + x b σ(x), b = 2/√π e^(−w²)", "b σ(x) (2 + x (σ(−x) − 2 w σ(x)))"],
    serf,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_serf(x, p)
);

/// ln(1 + σ(x)) and its derivatives.
fn log_gate(x: f64) -> Jet<f64> {
    let s = sigmoid(x);
    let d1 = sigmoid_d1(x) / (1.0 + s);
    [libm::log1p(s), d1, sigmoid_d2(x) / (1.0 + s) - d1 * d1]
}

pub(super) static LOGISH: [Row; 3] = jet!(
    "logish",
    "activation/logish",
    "({0})",
    Row { source: "Zhu, Zeng, Liu and Zhang 2021, Neurocomputing 458", ..UNARY },
    ["x l, l = ln(1 + σ(x))", "l + x l', l' = σ'(x) / (1 + σ(x))", "l' (2 − x (tanh(x/2) + l'))"],
    |x: f64, _: &[f64]| gated(x, log_gate(x)),
    smooth,
    #[inline(always)]
    |x: f32, _: [f32; 0]| {
        let (s, _, slope, tilt) = logistic(x, 0.0);
        let d1 = slope / (1.0 + s);
        fast_gated(x, [math::log1p(s), d1, -d1 * (tilt + d1)])
    }
);

fn smish(x: f64, _: &[f64]) -> Jet<f64> {
    let [l, l1, l2] = log_gate(x);
    let (t, q) = (libm::tanh(l), sech2(l));
    gated(x, [t, q * l1, q * (l2 - 2.0 * t * l1 * l1)])
}

/// tanh(ln m) as in mish, with m = 1 + σ(x).
#[inline(always)]
fn fast_smish(x: f32, _: [f32; 0]) -> Jet<f32> {
    let (s, _, slope, tilt) = logistic(x, 0.0);
    let m = 1.0 + s;
    let d = 1.0 / (2.0 + s * (2.0 + s));
    let d1 = 4.0 * m * d * d * slope;
    fast_gated(x, [s * (2.0 + s) * d, d1, d1 * (slope * (1.0 / m - 4.0 * m * d) - tilt)])
}

pub(super) static SMISH: [Row; 3] = jet!(
    "smish",
    "activation/logish",
    "({0})",
    Row { source: "Wang, Ren and Wang 2022, Electronics 11(4):540", ..UNARY },
    ["x tanh l, l = ln(1 + σ(x))", "tanh l + x sech² l l'", "sech² l (2 l' + x (l'' − 2 tanh l l'²))"],
    smish,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_smish(x, p)
);
