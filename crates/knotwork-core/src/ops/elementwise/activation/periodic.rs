//! Sines: activations that repeat or oscillate. NaN at ±∞.

use super::{
    super::{
        fast,
        rows::{Attribute, Derivative, Row, UNARY, call},
    },
    jet::{Jet, jet, periodic},
};

/// The sine's derivative is the row `cos`.
pub(super) static SIN: &[Row] = &[Row {
    name: "sin",
    formula: "sin x",
    source: "Sitzmann, Martel, Bergman, Lindell and Wetzstein 2020, arXiv:2006.09661",
    wgsl: call("shared/trig", "kw_sin({0})"),
    reference: |x, _| libm::sin(x[0]),
    fast: |x, a, y| fast::periodic(x, a, y, |_, _, s, _| s),
    derivatives: &[Derivative::Row("cos")],
    ..UNARY
}];

fn snake(x: f64, a: &[f64]) -> Jet<f64> {
    let u = a[0] * x;
    // f = x + a x² − a³ x⁴/3 near a x = 0.
    let wave = if u.abs() < 1e-4 { x * u * (1.0 - u * u / 3.0) } else { libm::sin(u) * libm::sin(u) / a[0] };
    [x + wave, 1.0 + libm::sin(2.0 * u), 2.0 * a[0] * libm::cos(2.0 * u)]
}

#[inline(always)]
fn fast_snake(x: f32, a: f64, s: f32, c: f32) -> Jet<f32> {
    let u = (a * f64::from(x)) as f32;
    let a = a as f32;
    let sinc = if u.abs() < 1e-4 { 1.0 } else { s / u };
    let near = x * u * (sinc * sinc);
    let wave = if u.abs() < 1.0 { near } else { s * s / a };
    [x + wave, (s + c) * (s + c), 2.0 * a * ((c - s) * (c + s))]
}

pub(super) static SNAKE: [Row; 3] = jet!(
    "snake",
    "activation/snake",
    "({0}, {1})",
    Row {
        source: "Ziyin, Hartwig and Ueda 2020, arXiv:2006.08195",
        attributes: &[Attribute {
            name: "a",
            default: 1.0,
            range: -1e8..=1e8,
            trials: &[0.0, 0.5, 5.0, -2.0],
        }],
        ..UNARY
    },
    ["x + sin²(a x) / a, x where a = 0", "1 + sin(2 a x)", "2 a cos(2 a x)"],
    snake,
    periodic,
    #[inline(always)]
    |x: f32, a: f64, s: f32, c: f32| fast_snake(x, a, s, c)
);

pub(super) static GCU: [Row; 3] = jet!(
    "gcu",
    "activation/gcu",
    "({0})",
    Row { source: "Noel, Trivedi and Dutta 2021, arXiv:2108.12943", ..UNARY },
    ["x cos x", "cos x − x sin x", "−2 sin x − x cos x"],
    |x: f64, _: &[f64]| {
        let (s, c) = (libm::sin(x), libm::cos(x));
        [x * c, c - x * s, -2.0 * s - x * c]
    },
    periodic,
    #[inline(always)]
    |x: f32, _: f64, s: f32, c: f32| [x * c, c - x * s, -2.0 * s - x * c]
);

fn spder(x: f64, _: &[f64]) -> Jet<f64> {
    let a = x.abs();
    let (s, c, r) = (libm::sin(a), libm::cos(a), libm::sqrt(a));
    if a == 0.0 {
        return [x, 0.0, f64::INFINITY.copysign(x)];
    }
    [libm::sin(x) * r, r * c + s / (2.0 * r), ((c - s / (4.0 * a)) / r - s * r) * x.signum()]
}

#[inline(always)]
fn fast_spder(x: f32, _: f64, s: f32, c: f32) -> Jet<f32> {
    let a = x.abs();
    let r = a.sqrt();
    // sin x / x is even.
    let sinc = if a < 1e-4 { 1.0 } else { s / x };
    let d2 = (c - 0.25 * sinc - x * s) / r;
    [s * r, r * (c + 0.5 * sinc), if x.is_sign_negative() { -d2 } else { d2 }]
}

pub(super) static SPDER: [Row; 3] = jet!(
    "spder",
    "activation/gcu",
    "({0})",
    Row { source: "Shah and Sitawarin 2023, arXiv:2306.15242", kinks: |_| vec![0.0], ..UNARY },
    [
        "sin x √|x|",
        "√a (cos a + sin a / (2a)), a = |x|; 0 at 0",
        "±(cos a − sin a / (4a) − a sin a) / √a, a = |x|; ±∞ at ±0"
    ],
    spder,
    periodic,
    #[inline(always)]
    |x: f32, a: f64, s: f32, c: f32| fast_spder(x, a, s, c)
);
