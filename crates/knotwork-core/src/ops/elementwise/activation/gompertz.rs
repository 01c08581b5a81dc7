//! Gates of the Gompertz curve and of Richards' generalised logistic curve.

use super::{
    super::{
        exact::{held, sigmoid, softplus, vanishing},
        fast, math,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{self, Jet, fast_gated, gated, jet, logistic, smooth, split},
};

fn golu(x: f64, _: &[f64]) -> Jet<f64> {
    let m = libm::exp(-x.clamp(-30.0, f64::MAX));
    let g = libm::exp(-m);
    gated(x, [g, m * g, m * g * (m - 1.0)])
}

#[inline(always)]
fn fast_golu(x: f32, _: [f32; 0]) -> Jet<f32> {
    // Below, the gate is 0.
    let m = math::exp(if x < -10.0 { 10.0 } else { -x });
    let g = math::exp(-m);
    fast_gated(x, [g, m * g, m * g * (m - 1.0)])
}

pub(super) static GOLU: [Row; 3] = jet!(
    "golu",
    "activation/golu",
    "({0})",
    Row { source: "Das, Safari, Adriaensen and Hutter 2025, arXiv:2502.03654", ..UNARY },
    ["x g, g = e^(−m), m = e⁻ˣ", "g (1 + x m)", "m g (2 + x (m − 1))"],
    golu,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_golu(x, p)
);

/// η = e^(−softplus(v)/λ), and its logarithmic slopes: η' = η k and η'' = η k b.
fn richards(x: f64, a: &[f64]) -> Jet<f64> {
    let (lambda, kappa) = (a[0], a[1]);
    let v = libm::log(lambda) - kappa * held(x);
    let k = kappa * sigmoid(v) / lambda;
    [libm::exp(-softplus(v) / lambda), k, k - kappa * sigmoid(-v)]
}

fn apa(x: f64, a: &[f64]) -> Jet<f64> {
    let [value, k, bend] = richards(x, a);
    [value, value * k, value * k * bend]
}

fn aglu(x: f64, a: &[f64]) -> Jet<f64> {
    let [value, k, bend] = richards(x, a);
    let slope = held(x) * k;
    [vanishing(x, value), vanishing(1.0 + slope, value), vanishing(2.0 * k + slope * bend, value)]
}

/// As [`richards`]; exponents are made in f64, whose rounding no exponential enlarges to anything.
#[inline(always)]
fn fast_richards(x: f32, [lambda, kappa, log]: [f64; 3]) -> Jet<f32> {
    let x = f64::from(x).clamp(f32::MIN.into(), f32::MAX.into());
    let v = log - kappa * x;
    let (high, low) = split(-v.abs());
    let e = math::exp_parts(high, low);
    let sum = if v > 0.0 { v } else { 0.0 } + f64::from(math::log1p(e));
    let (high, low) = split(-sum / lambda);
    let (wide, rest) = split(v);
    let (s, c, _, _) = logistic(wide, rest);
    let (by, kappa) = ((1.0 / lambda) as f32, kappa as f32);
    [math::exp_parts(high, low), kappa * s * by, kappa * (s * by - c)]
}

/// λ, κ and ln λ out of the loop.
#[inline(always)]
fn gompertz(
    x: &[&[f32]],
    a: &[f64],
    y: &mut [f32],
    f: impl Fn(f32, [f64; 3]) -> Jet<f32>,
    pick: impl Fn(Jet<f32>) -> f32,
) {
    let p = [a[0], a[1], libm::log(a[0])];
    fast::unary(
        x,
        y,
        #[inline(always)]
        move |v| pick(f(v, p)),
    );
}

#[inline(always)]
fn fast_apa(x: f32, p: [f64; 3]) -> Jet<f32> {
    let [value, k, bend] = fast_richards(x, p);
    [value, value * k, value * k * bend]
}

#[inline(always)]
fn fast_aglu(x: f32, p: [f64; 3]) -> Jet<f32> {
    let [value, k, bend] = fast_richards(x, p);
    let held = x.clamp(f32::MIN, f32::MAX);
    let slope = held * k;
    [
        jet::vanishing(x, value),
        jet::vanishing(1.0 + slope, value),
        jet::vanishing(2.0 * k + slope * bend, value),
    ]
}

const SHAPE: &[Attribute] = &[
    Attribute { name: "lambda", default: 1.0, range: 1e-6..=1e8, trials: &[0.03125, 0.5, 8.0] },
    Attribute { name: "kappa", default: 1.0, range: -1e8..=1e8, trials: &[0.0, 2.5, -0.75] },
];

pub(super) static APA: [Row; 3] = jet!(
    "apa",
    "activation/apa",
    "({0}, {1}, {2})",
    Row { source: "Alexandridis, Deng, Nguyen and Luo 2024, arXiv:2407.08567", attributes: SHAPE, ..UNARY },
    ["η = (λ e^(−κ x) + 1)^(−1/λ)", "η k, k = κ/λ σ(v), v = ln λ − κ x", "η k (k − κ σ(−v))"],
    apa,
    gompertz,
    #[inline(always)]
    |x: f32, p: [f64; 3]| fast_apa(x, p)
);

pub(super) static AGLU: [Row; 3] = jet!(
    "aglu",
    "activation/apa",
    "({0}, {1}, {2})",
    Row { source: "Alexandridis, Deng, Nguyen and Luo 2024, arXiv:2407.08567", attributes: SHAPE, ..UNARY },
    [
        "x η, η = (λ e^(−κ x) + 1)^(−1/λ)",
        "η (1 + x k), k = κ/λ σ(v), v = ln λ − κ x",
        "η k (2 + x (k − κ σ(−v)))"
    ],
    aglu,
    gompertz,
    #[inline(always)]
    |x: f32, p: [f64; 3]| fast_aglu(x, p)
);
