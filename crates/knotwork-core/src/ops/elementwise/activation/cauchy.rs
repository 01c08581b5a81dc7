//! A Cauchy kernel and its companion.

use super::{
    super::{
        fast,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{Jet, jet, passing},
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

/// In f64, where no power of an f32 up to the sixth overflows and what cancels has digits to spare.
#[inline(always)]
fn fast_cauchy(x: f32, [lambda1, lambda2, d]: [f64; 3]) -> Jet<f32> {
    // Beyond, squares would vanish in f32, and infinities stay out of the products.
    let h = f64::from(x).clamp(-1e40, 1e40);
    let (s, t) = (h * h, d * d);
    let q = 1.0 / (s + t);
    let first = lambda1 * (t - s) - 2.0 * lambda2 * h;
    let second = lambda1 * h * (s - 3.0 * t) + lambda2 * (3.0 * s - t);
    let jet = [(lambda1 * h + lambda2) * q, first * q * q, 2.0 * (second * q) * q * q];
    passing(x, jet.map(|y| y as f32))
}

/// Attributes stay f64.
#[inline(always)]
fn wide(
    x: &[&[f32]],
    a: &[f64],
    y: &mut [f32],
    f: impl Fn(f32, [f64; 3]) -> Jet<f32>,
    pick: impl Fn(Jet<f32>) -> f32,
) {
    let p = [a[0], a[1], a[2]];
    fast::unary(
        x,
        y,
        #[inline(always)]
        move |v| pick(f(v, p)),
    );
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
    wide,
    #[inline(always)]
    |x: f32, p: [f64; 3]| fast_cauchy(x, p)
);
