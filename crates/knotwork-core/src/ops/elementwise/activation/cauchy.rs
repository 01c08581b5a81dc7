//! A Cauchy kernel and its companion.

use super::{
    super::{
        math,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{Jet, jet, passing, smooth},
};

fn cauchy(x: f64, a: &[f64]) -> Jet<f64> {
    let (lambda1, lambda2, d) = (a[0], a[1], a[2]);
    if x.is_infinite() {
        return [0.0; 3];
    }
    let q = x * x + d * d;
    let line = lambda1 * x + lambda2;
    let slope = lambda1 / q - 2.0 * x * (line / q) / q;
    // q y = line, differentiated twice: q y'' + 4 x y' + 2 y = 0.
    [line / q, slope, -(4.0 * x * slope + 2.0 * (line / q)) / q]
}

#[inline(always)]
fn fast_cauchy(x: f32, [lambda1, lambda2, d]: [f32; 3]) -> Jet<f32> {
    let r = math::hypot(x, d);
    let (u, v, w) = (math::share(x, r), 1.0 / r, d / r);
    let odd = lambda1 * (u * (u * u - 3.0 * (w * w)));
    let even = lambda2 * (v * (3.0 * (u * u) - w * w));
    passing(
        x,
        [
            (lambda1 * u + lambda2 * v) * v,
            (lambda1 * ((w - u) * (w + u)) - 2.0 * lambda2 * (u * v)) * v * v,
            2.0 * (odd + even) * v * v * v,
        ],
    )
}

const SHAPE: &[Attribute] = &[
    Attribute { name: "lambda1", default: 1.0, range: -1e8..=1e8, trials: &[0.0, -2.5] },
    Attribute { name: "lambda2", default: 1.0, range: -1e8..=1e8, trials: &[0.0, 3.0] },
    Attribute { name: "d", default: 1.0, range: 1e-6..=1e15, trials: &[0.5, 3.0] },
];

pub(super) static CAUCHY: [Row; 3] = jet!(
    "cauchy",
    "activation/cauchy",
    "({0}, {1}, {2}, {3})",
    Row { source: "Li, Xia and Zhang 2024, arXiv:2409.19221", attributes: SHAPE, ..UNARY },
    [
        "(λ₁ x + λ₂) / q, q = x² + d²",
        "(λ₁ (d² − x²) − 2 λ₂ x) / q²",
        "2 (λ₁ x (x² − 3 d²) + λ₂ (3 x² − d²)) / q³"
    ],
    cauchy,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 3]| fast_cauchy(x, p)
);
