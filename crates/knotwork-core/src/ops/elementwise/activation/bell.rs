//! The Gaussian and its integral.

use super::{
    super::{
        exact::vanishing,
        math,
        rows::{Derivative, Row, UNARY, call},
    },
    jet::{Jet, jet, smooth},
};

fn gaussian(x: f64, _: &[f64]) -> Jet<f64> {
    let e = libm::exp(-x * x);
    [e, vanishing(-2.0 * x, e), vanishing(4.0 * x * x - 2.0, e)]
}

#[inline(always)]
fn fast_gaussian(x: f32, _: [f32; 0]) -> Jet<f32> {
    // Beyond, everything has vanished.
    let x = if x.abs() > 11.0 { 11.0 } else { x };
    let e = math::exp_neg_square(1.0, x);
    // √½ in two parts, around the root.
    let root = (x.abs() - 0.707_106_77) - 1.210_161_7e-8;
    [e, -2.0 * x * e, 4.0 * e * (root * (x.abs() + 0.707_106_77))]
}

pub(super) static GAUSSIAN: [Row; 3] = jet!(
    "gaussian",
    "activation/gaussian",
    "({0})",
    Row { source: "Ramasinghe and Lucey 2021, arXiv:2111.15135", ..UNARY },
    ["e^(−x²)", "−2 x e^(−x²)", "(4 x² − 2) e^(−x²)"],
    gaussian,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_gaussian(x, p)
);

pub(super) static ERF: [Row; 3] = jet!(
    "erf",
    "activation/gaussian",
    "({0})",
    UNARY,
    ["erf x = 2/√π ∫₀ˣ e^(−t²) dt", "2/√π e^(−x²)", "−4/√π x e^(−x²)"],
    |x: f64, a: &[f64]| {
        let [e, d, _] = gaussian(x, a);
        [libm::erf(x), std::f64::consts::FRAC_2_SQRT_PI * e, std::f64::consts::FRAC_2_SQRT_PI * d]
    },
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| {
        let [e, d, _] = fast_gaussian(x, p);
        [math::erf(x), std::f32::consts::FRAC_2_SQRT_PI * e, std::f32::consts::FRAC_2_SQRT_PI * d]
    }
);
