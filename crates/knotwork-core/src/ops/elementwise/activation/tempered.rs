//! The logistic function, stretched and moved.

use super::{
    super::{
        exact::{held, sigmoid, sigmoid_d1, sigmoid_d2},
        fast, math,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{Jet, jet, logistic, passing, split},
};

fn tempered(x: f64, a: &[f64]) -> Jet<f64> {
    let (s, temperature, o) = (a[0], a[1], a[2]);
    let z = temperature * held(x);
    let slope = s * temperature * sigmoid_d1(z);
    // The constant of least size is added: o, or s − o to what is left of s on the right.
    let middle = s / 2.0 - o;
    let value = if middle.abs() <= o.abs().min((s - o).abs()) {
        s / 2.0 * libm::tanh(z / 2.0) + middle
    } else if o.abs() <= (s - o).abs() {
        s * sigmoid(z) - o
    } else {
        (s - o) - s * sigmoid(-z)
    };
    [value, slope, s * temperature * temperature * sigmoid_d2(z)]
}

/// What does not depend on x.
#[derive(Clone, Copy)]
struct Curve {
    temperature: f64,
    /// The weights of σ(z), σ(−z) and tanh(z/2) in the form that is taken, and its constant.
    weights: [f32; 3],
    constant: f32,
    first: f32,
}

#[inline(always)]
fn fast_tempered(x: f32, c: Curve) -> Jet<f32> {
    let z = c.temperature * f64::from(x).clamp(f32::MIN.into(), f32::MAX.into());
    let (high, low) = split(z);
    let (right, left, slope, tilt) = logistic(high, low);
    let [a, b, t] = c.weights;
    let value = (a * right + b * left) + t * math::tanh(0.5 * high) + c.constant;
    let slope = c.first * slope;
    passing(x, [value, slope, -slope * tilt * c.temperature as f32])
}

/// Chooses the form out of the loop: that with the smallest constant.
#[inline(always)]
fn curved(
    x: &[&[f32]],
    a: &[f64],
    y: &mut [f32],
    f: impl Fn(f32, Curve) -> Jet<f32>,
    pick: impl Fn(Jet<f32>) -> f32,
) {
    let (s, temperature, o) = (a[0], a[1], a[2]);
    let (low, middle, high) = (o.abs(), (s / 2.0 - o).abs(), (s - o).abs());
    let (weights, constant) = if middle <= low.min(high) {
        ([0.0, 0.0, (s / 2.0) as f32], s / 2.0 - o)
    } else if low <= high {
        ([s as f32, 0.0, 0.0], -o)
    } else {
        ([0.0, -s as f32, 0.0], s - o)
    };
    let c = Curve { temperature, weights, constant: constant as f32, first: (s * temperature) as f32 };
    fast::unary(
        x,
        y,
        #[inline(always)]
        move |v| pick(f(v, c)),
    );
}

const SHAPE: &[Attribute] = &[
    Attribute { name: "scale", default: 2.0, range: -1e15..=1e15, trials: &[1.0, -3.0] },
    Attribute { name: "temperature", default: 2.0, range: -1e8..=1e8, trials: &[0.0, 0.5, -1.5] },
    Attribute { name: "offset", default: 1.0, range: -1e15..=1e15, trials: &[0.0, 2.0, 0.4] },
];

pub(super) static TEMPERED: [Row; 3] = jet!(
    "tempered_sigmoid",
    "activation/tempered_sigmoid",
    "({0}, {1}, {2}, {3})",
    Row {
        source: "Papernot, Thakurta, Song, Chien and Erlingsson 2020, arXiv:2007.14191",
        attributes: SHAPE,
        ..UNARY
    },
    ["s σ(z) − o, z = T x", "s T σ(z) σ(−z)", "−s T² σ(z) σ(−z) tanh(z/2)"],
    tempered,
    curved,
    #[inline(always)]
    |x: f32, c: Curve| fast_tempered(x, c)
);
