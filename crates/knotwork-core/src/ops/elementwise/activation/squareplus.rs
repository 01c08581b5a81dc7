//! The hyperbola between 0 and x.

use super::{
    super::{
        math,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{Jet, jet, passing, smooth},
};

fn squareplus(x: f64, a: &[f64]) -> Jet<f64> {
    let b = a[0];
    let r = libm::hypot(x, b.sqrt());
    if r == 0.0 {
        return [0.0, 0.5, 0.0];
    }
    let bend = b / r / r / r / 2.0;
    if x < 0.0 {
        [b / (r - x) / 2.0, b / (r - x) / r / 2.0, bend]
    } else {
        let slope = if x.is_infinite() { 1.0 } else { x / r };
        [x / 2.0 + r / 2.0, 0.5 + slope / 2.0, bend]
    }
}

/// With s = √b.
#[inline(always)]
fn fast_squareplus(x: f32, [b]: [f32; 1]) -> Jet<f32> {
    let s = b.sqrt();
    let r = math::hypot(x, s);
    let left = x < 0.0;
    let half = 0.5 * s * (s / (r + x.abs()));
    let share = s / r;
    let slope = if left { half / r } else { 0.5 + 0.5 * math::share(x, r) };
    let jet = [if left { half } else { 0.5 * x + 0.5 * r }, slope, 0.5 * share * share / r];
    passing(x, if r == 0.0 { [0.0, 0.5, 0.0] } else { jet })
}

const B: &[Attribute] =
    &[Attribute { name: "b", default: 4.0, range: 0.0..=1e30, trials: &[0.0, 0.25, 25.0] }];

pub(super) static SQUAREPLUS: [Row; 3] = jet!(
    "squareplus",
    "activation/squareplus",
    "({0}, {1})",
    Row {
        source: "Barron 2021, arXiv:2112.11687",
        attributes: B,
        kinks: |a| if a[0] == 0.0 { vec![0.0] } else { Vec::new() },
        ..UNARY
    },
    ["(x + √(x² + b)) / 2", "(1 + x / √(x² + b)) / 2", "b / 2 (x² + b)^(−3/2)"],
    squareplus,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 1]| fast_squareplus(x, p)
);
