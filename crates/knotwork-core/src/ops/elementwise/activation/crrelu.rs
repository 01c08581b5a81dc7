//! The rectifier with a correction that decays.

use super::{
    super::{
        exact::vanishing,
        math,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{Jet, defined, jet, passing, smooth},
};

fn crrelu(x: f64, a: &[f64]) -> Jet<f64> {
    let e = a[0] * libm::exp(-x * x / 2.0);
    let on = if x > 0.0 { 1.0 } else { 0.0 };
    let cubic = vanishing(x, e) * (x * x).min(1e6) - vanishing(3.0 * x, e);
    defined(x, [x.max(0.0) + vanishing(x, e), on + vanishing(1.0 - x * x, e), cubic])
}

#[inline(always)]
fn fast_crrelu(x: f32, [epsilon]: [f32; 1]) -> Jet<f32> {
    // Beyond, the correction has vanished.
    let h = x.clamp(-15.0, 15.0);
    let e = math::exp_neg_square(0.5, h);
    let on = if x > 0.0 { 1.0 } else { 0.0 };
    let relu = if x > 0.0 { x } else { 0.0 };
    // √3 in two parts, around the root.
    let root = (h.abs() - 1.732_050_8) - 3.108_725e-8;
    passing(
        x,
        [
            relu + epsilon * h * e,
            on + epsilon * ((1.0 - h) * (1.0 + h)) * e,
            epsilon * h * (root * (h.abs() + 1.732_050_8)) * e,
        ],
    )
}

const EPSILON: &[Attribute] =
    &[Attribute { name: "epsilon", default: 0.01, range: -1e15..=1e15, trials: &[0.0, 0.5, -2.0] }];

pub(super) static CRRELU: [Row; 3] = jet!(
    "crrelu",
    "activation/crrelu",
    "({0}, {1})",
    Row { source: "Sun et al. 2024, arXiv:2405.12954", attributes: EPSILON, kinks: |_| vec![0.0], ..UNARY },
    ["max(0, x) + ε x e^(−x²/2)", "[x > 0] + ε (1 − x²) e^(−x²/2)", "ε x (x² − 3) e^(−x²/2)"],
    crrelu,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 1]| fast_crrelu(x, p)
);
