//! Activations x tanh(u(x)).

use super::{
    super::{
        exact::{normal_cdf, normal_pdf, sech2, vanishing},
        math,
        rows::{Derivative, Row, UNARY, call},
    },
    jet::{Jet, fast_gated, gated, jet, smooth},
};

pub(super) static LISHT: [Row; 3] = jet!(
    "lisht",
    "activation/lisht",
    "({0})",
    Row { source: "Roy, Manna, Dubey and Chaudhuri 2019, arXiv:1901.05894", ..UNARY },
    ["x tanh x", "tanh x + x sech² x", "2 sech² x (1 − x tanh x)"],
    |x: f64, _: &[f64]| gated(x, [libm::tanh(x), sech2(x), -2.0 * libm::tanh(x) * sech2(x)]),
    smooth,
    #[inline(always)]
    |x: f32, _: [f32; 0]| {
        let (t, q) = (math::tanh(x), math::sech2(x));
        fast_gated(x, [t, q, -2.0 * t * q])
    }
);

fn tanhexp(x: f64, _: &[f64]) -> Jet<f64> {
    let n = libm::exp(x.clamp(f64::MIN, 40.0));
    let (t, q) = (libm::tanh(n), n * sech2(n));
    gated(x, [t, q, q * (1.0 - 2.0 * n * t)])
}

#[inline(always)]
fn fast_tanhexp(x: f32, _: [f32; 0]) -> Jet<f32> {
    // From there on the gate is 1.
    let n = math::exp(if x > 6.0 { 6.0 } else { x });
    let t = math::tanh(n);
    let q = n * math::sech2(n);
    fast_gated(x, [t, q, q * (1.0 - 2.0 * n * t)])
}

pub(super) static TANHEXP: [Row; 3] = jet!(
    "tanhexp",
    "activation/lisht",
    "({0})",
    Row {
        source: "Liu and Di 2020, arXiv:2003.09855; as TeLU, Fernandez and Mali 2024, arXiv:2412.20269",
        ..UNARY
    },
    ["x tanh n, n = eˣ", "tanh n + x n sech² n", "n sech² n (2 + x (1 − 2 n tanh n))"],
    tanhexp,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_tanhexp(x, p)
);

fn phish(x: f64, _: &[f64]) -> Jet<f64> {
    let (c, p) = (normal_cdf(x), normal_pdf(x));
    let u = vanishing(x, c);
    let (u1, u2) = (c + vanishing(x, p), vanishing(2.0 - x * x, p));
    let (t, q) = (libm::tanh(u), sech2(u));
    gated(x, [t, q * u1, q * (u2 - 2.0 * t * u1 * u1)])
}

#[inline(always)]
fn fast_phish(x: f32, _: [f32; 0]) -> Jet<f32> {
    let (u, u1, u2) = (math::gelu(x), math::gelu_d1(x), math::gelu_d2(x));
    let (t, q) = (math::tanh(u), math::sech2(u));
    fast_gated(x, [t, q * u1, q * (u2 - 2.0 * t * u1 * u1)])
}

pub(super) static PHISH: [Row; 3] = jet!(
    "phish",
    "activation/lisht",
    "({0})",
    Row { source: "Naveen 2022, Phish: a novel hyper-optimizable activation function", ..UNARY },
    ["x tanh u, u = gelu(x)", "tanh u + x sech² u u'", "sech² u (2 u' + x (u'' − 2 tanh u u'²))"],
    phish,
    smooth,
    #[inline(always)]
    |x: f32, p: [f32; 0]| fast_phish(x, p)
);
