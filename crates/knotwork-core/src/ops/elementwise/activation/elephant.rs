//! A bell with algebraic tails.

use super::{
    super::{
        fast, math,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{Jet, jet, passing, split},
};

fn elephant(x: f64, a: &[f64]) -> Jet<f64> {
    let (a, d) = (a[0], a[1]);
    let t = (x / a).abs();
    let side = if x == 0.0 { 0.0 } else { -x.signum() };
    if x.is_nan() {
        [x; 3]
    } else if t > 1.0 {
        let p = t.powf(-d);
        let (f, g) = (p / (1.0 + p), 1.0 / (1.0 + p));
        [f, side * d * f * g / x.abs(), d * f / x.abs() * g * ((d + 1.0) * g - (d - 1.0) * f) / x.abs()]
    } else {
        // Of f = 1 / w, w = 1 + t^d: f' = −w' f² and f'' = (2 w'² f − w'') f².
        let f = 1.0 / (1.0 + t.powf(d));
        let w1 = d / a * t.powf(d - 1.0);
        let w2 = if d == 1.0 { 0.0 } else { d / a * (d - 1.0) / a * t.powf(d - 2.0) };
        [f, side * w1 * f * f, (2.0 * w1 * w1 * f - w2) * f * f]
    }
}

/// t^y, from ln t.
#[inline(always)]
fn power(log: f64, y: f64) -> f32 {
    let (high, low) = split(log * y);
    math::exp_parts(high, low)
}

/// Powers of t = |x| / a up to 1, and beyond 1 of 1 / t.
#[inline(always)]
fn fast_elephant(x: f32, [a, d, log_a, log_root]: [f64; 4]) -> Jet<f32> {
    let size = x.abs();
    let log = math::ln_wide(size) - log_a;
    let far = log > 0.0;
    let (a, d1) = ((1.0 / a) as f32, d as f32);
    let p = power(log, if far { -d } else { d });
    let q = 1.0 / (1.0 + p);
    let (f, g) = if far { (p * q, q) } else { (q, p * q) };
    let side = if x == 0.0 { 0.0 } else { -1.0f32.copysign(x) };
    // Near 0: t^(d − 1) and t^(d − 2), the second infinite at 0 where d is less than 2.
    let w1 = power(log, if far { 0.0 } else { d - 1.0 });
    let w2 = power(log, if far { 0.0 } else { d - 2.0 });
    let w2 = if x == 0.0 && d < 2.0 { f32::INFINITY } else { w2 };
    // (d + 1) t^d − (d − 1), whose root is where t^d is (d − 1) / (d + 1).
    let around = (d1 - 1.0) * math::expm1((log * d - log_root) as f32);
    let w2 = if d == 1.0 { 2.0 } else { w2 * around };
    let fa = f * a;
    let slope = if far { side * d1 * (f * g) / size } else { side * (d1 * a) * (w1 * f) * f };
    let bend = if far {
        d1 * (f / size) * (g * ((d1 + 1.0) * g - (d1 - 1.0) * f)) / size
    } else {
        d1 * f * (fa * w2) * fa
    };
    passing(x, [f, slope, bend])
}

/// a, d, ln a and ln((d − 1) / (d + 1)) out of the loop.
#[inline(always)]
fn shaped(
    x: &[&[f32]],
    a: &[f64],
    y: &mut [f32],
    f: impl Fn(f32, [f64; 4]) -> Jet<f32>,
    pick: impl Fn(Jet<f32>) -> f32,
) {
    let p = [a[0], a[1], libm::log(a[0]), libm::log((a[1] - 1.0) / (a[1] + 1.0))];
    fast::unary(
        x,
        y,
        #[inline(always)]
        move |v| pick(f(v, p)),
    );
}

const SHAPE: &[Attribute] = &[
    Attribute { name: "a", default: 1.0, range: 1e-6..=1e15, trials: &[0.3, 2.0] },
    Attribute { name: "d", default: 4.0, range: 1.0..=1e4, trials: &[1.0, 2.0, 8.0] },
];

pub(super) static ELEPHANT: [Row; 3] = jet!(
    "elephant",
    "activation/elephant",
    "({0}, {1}, {2})",
    Row {
        source: "Lan and Mahmood 2023, arXiv:2310.01365",
        attributes: SHAPE,
        // A derivative jumps there unless d is an even whole number.
        kinks: |a| if a[1] % 2.0 == 0.0 { Vec::new() } else { vec![0.0] },
        ..UNARY
    },
    ["f = 1 / (1 + |x/a|^d)", "−d f g / x, g = 1 − f", "d f g ((d + 1) g − (d − 1) f) / x²"],
    elephant,
    shaped,
    #[inline(always)]
    |x: f32, p: [f64; 4]| fast_elephant(x, p)
);
