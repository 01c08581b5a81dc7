//! Elementary functions in f64, over libm: what the definitions of activations are made of.

use std::f64::consts::SQRT_2;

/// The logistic function, without overflow on either side.
pub(super) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + libm::exp(-x)) } else { libm::exp(x) / (1.0 + libm::exp(x)) }
}

/// σ'(x) = σ(x) σ(−x), without cancellation.
pub(super) fn sigmoid_d1(x: f64) -> f64 {
    sigmoid(x) * sigmoid(-x)
}

/// σ''(x) = −σ'(x) tanh(x/2).
pub(super) fn sigmoid_d2(x: f64) -> f64 {
    -sigmoid_d1(x) * libm::tanh(x / 2.0)
}

pub(super) fn sech2(x: f64) -> f64 {
    let e = libm::exp(-2.0 * x.abs());
    4.0 * e / ((1.0 + e) * (1.0 + e))
}

/// ln(1 + eˣ), without overflow.
pub(super) fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + libm::log1p(libm::exp(-x)) } else { libm::log1p(libm::exp(x)) }
}

/// x with infinities replaced by the largest numbers, for products that may not become NaN.
pub(super) fn held(x: f64) -> f64 {
    x.clamp(f64::MIN, f64::MAX)
}

/// A product that is 0 where `decays` is, whatever `grows` is.
pub(super) fn vanishing(grows: f64, decays: f64) -> f64 {
    if decays == 0.0 { 0.0 } else { grows * decays }
}

pub(super) fn normal_pdf(x: f64) -> f64 {
    libm::exp(-x * x / 2.0) / (2.0 * std::f64::consts::PI).sqrt()
}

pub(super) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}
