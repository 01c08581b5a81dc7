//! Wavelets and their derivatives: f(u) = e^(iωu − u²/2) has f⁽ⁿ⁺¹⁾ = (iω − u) f⁽ⁿ⁾ − n f⁽ⁿ⁻¹⁾, and each wavelet is a
//! factor times the real part of one of these.

use super::Wavelet;
use crate::ops::kan::dense::real::Real;

/// How a wavelet follows from f.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// ω
    pub frequency: f64,
    /// n of ψ itself.
    pub skip: usize,
    pub factor: f64,
}

impl Wavelet {
    pub(super) fn form(self) -> Form {
        match self {
            // 2 / (√3 π^¼), and the sign of −f''.
            Self::MexicanHat => Form { frequency: 0.0, skip: 2, factor: -0.867_325_070_584_077_6 },
            Self::Morlet => Form { frequency: 5.0, skip: 0, factor: 1.0 },
            Self::Dog => Form { frequency: 0.0, skip: 1, factor: 1.0 },
        }
    }
}

/// (x − t) / s, NaN where s is 0.
#[inline(always)]
pub(super) fn argument<R: Real>(x: R, s: R, t: R) -> R {
    held((x - t) * s.reciprocal())
}

/// u, held where the wavelet is 0, so that no infinity meets a 0.
#[inline(always)]
pub(super) fn held<R: Real>(u: R) -> R {
    u.held(20.0, 40.0)
}

/// uᵖ ψ⁽ᵈ⁾(u) and uᵖ ψ⁽ᵈ⁺¹⁾(u).
#[inline(always)]
pub(super) fn both<R: Real>(wavelet: Wavelet, p: usize, d: usize, u: R) -> [R; 2] {
    let Form { frequency, skip, factor } = wavelet.form();
    let e = (u * u * R::splat(-0.5)).exp();
    let zero = R::splat(0.0);
    let mut f = [e, zero];
    if frequency > 0.0 {
        let (cos, sin) = (u * R::splat(frequency)).cos_sin();
        f = [e * cos, e * sin];
    }
    let mut before = [zero, zero];
    let mut value = f[0];
    for n in 0..=skip + d {
        value = f[0];
        let k = R::splat(n as f64);
        let mut next = [-(u * f[0]) - k * before[0], -(u * f[1]) - k * before[1]];
        if frequency > 0.0 {
            let w = R::splat(frequency);
            next = [next[0] - w * f[1], next[1] + w * f[0]];
        }
        (before, f) = (f, next);
    }
    let mut power = R::splat(factor);
    for _ in 0..p {
        power = power * u;
    }
    [power * value, power * f[0]]
}
