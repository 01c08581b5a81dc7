//! The f32 forms of elementwise functions for the CPU: loops that the compiler vectorises for the instruction
//! set found at run time, over branch-free elementary functions.

/// Runs a loop compiled for the best instruction set of this machine.
#[inline(always)]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    crate::cpu::arch().dispatch(f)
}

#[inline(always)]
pub(super) fn unary(x: &[&[f32]], y: &mut [f32], f: impl Fn(f32) -> f32) {
    let a = &x[0][..y.len()];
    vectorised(
        #[inline(always)]
        move || {
            for (y, &a) in y.iter_mut().zip(a) {
                *y = f(a);
            }
        },
    );
}

/// `f` of (x, a, sin(a x), cos(a x)), where a is the first attribute, or 1. Angles beyond what the vectorised reduction
/// takes, and infinite ones, are done again one by one.
#[inline(always)]
pub(super) fn periodic(
    x: &[&[f32]],
    attributes: &[f64],
    y: &mut [f32],
    f: impl Fn(f32, f64, f32, f32) -> f32,
) {
    let scale = attributes.first().copied().unwrap_or(1.0);
    unary(
        x,
        y,
        #[inline(always)]
        |v| {
            let (s, c) = math::sin_cos(scale * f64::from(v));
            f(v, scale, s, c)
        },
    );
    for (y, &v) in y.iter_mut().zip(x[0]) {
        let angle = scale * f64::from(v);
        let small = angle.abs() < math::ANGLE;
        if !small {
            *y = f(v, scale, libm::sin(angle) as f32, libm::cos(angle) as f32);
        }
    }
}

#[inline(always)]
pub(super) fn binary(x: &[&[f32]], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    let (a, b) = (&x[0][..y.len()], &x[1][..y.len()]);
    vectorised(
        #[inline(always)]
        || {
            for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                *y = f(a, b);
            }
        },
    );
}

#[inline(always)]
pub(super) fn ternary(x: &[&[f32]], y: &mut [f32], f: impl Fn(f32, f32, f32) -> f32) {
    let (a, b, c) = (&x[0][..y.len()], &x[1][..y.len()], &x[2][..y.len()]);
    vectorised(
        #[inline(always)]
        || {
            for (((y, &a), &b), &c) in y.iter_mut().zip(a).zip(b).zip(c) {
                *y = f(a, b, c);
            }
        },
    );
}

/// Elementary functions in f32 without branches, each within a few units in the last place.
pub mod math {
    pub use super::super::special::*;

    /// (2ⁿ as two factors, eʳ − 1) with x + low = n ln 2 + r, |r| ≤ ln 2 / 2.
    #[inline(always)]
    fn reduce(x: f32, low: f32) -> (f32, f32, f32) {
        // The sum with 1.5·2²³ leaves round(x / ln 2) in the low mantissa bits.
        const MAGIC: f32 = 12_582_912.0;
        const LN2_HI: f32 = 0.693_359_4;
        const LN2_LO: f32 = -2.121_944_4e-4;
        let x = if x > 89.0 { 89.0 } else { x };
        let x = if x < -104.0 { -104.0 } else { x };
        let shifted = x * std::f32::consts::LOG2_E + MAGIC;
        let n = shifted - MAGIC;
        let r = ((x - n * LN2_HI) + low) - n * LN2_LO;
        let p = 1.988_0e-4f32;
        let p = p * r + 1.398_199_9e-3;
        let p = p * r + 8.333_452e-3;
        let p = p * r + 4.166_579_6e-2;
        let p = p * r + 1.666_666_5e-1;
        let p = p * r + 0.5;
        let p = p * r * r + r;
        let n = (shifted.to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32);
        let half = n >> 1;
        let power = |k: i32| f32::from_bits((k.wrapping_add(127) as u32) << 23);
        (power(half), power(n.wrapping_sub(half)), p)
    }

    /// eˣ: 0 below −104, ∞ above 88.73; subnormal results are kept.
    #[inline(always)]
    #[must_use]
    pub fn exp(x: f32) -> f32 {
        exp_parts(x, 0.0)
    }

    /// e^(high + low), where `low` is a small finite correction.
    #[inline(always)]
    pub(crate) fn exp_parts(high: f32, low: f32) -> f32 {
        let (a, b, p) = reduce(high, low);
        (1.0 + p) * a * b
    }

    /// eˣ − 1, relatively accurate near 0.
    #[inline(always)]
    #[must_use]
    pub fn expm1(x: f32) -> f32 {
        let (a, b, p) = reduce(x, 0.0);
        let scale = a * b;
        p * scale + (scale - 1.0)
    }

    /// 1 / (1 + e⁻ˣ), relatively accurate on both sides.
    #[inline(always)]
    #[must_use]
    pub fn sigmoid(x: f32) -> f32 {
        let e = exp(-x.abs());
        let s = 1.0 / (1.0 + e);
        if x < 0.0 { e * s } else { s }
    }

    /// x σ(x).
    #[inline(always)]
    #[must_use]
    pub fn silu(x: f32) -> f32 {
        let s = sigmoid(x);
        if s == 0.0 { 0.0 } else { x * s }
    }

    /// The derivative of [`silu`]: σ(x) (1 + x σ(−x)).
    #[inline(always)]
    #[must_use]
    pub fn silu_d1(x: f32) -> f32 {
        // σ(x) and σ(−x), of which one is e^−|x| times the other.
        let e = exp(-x.abs());
        let larger = 1.0 / (1.0 + e);
        let smaller = e * larger;
        let s = if x < 0.0 { smaller } else { larger };
        let product = smaller * larger;
        s + if product == 0.0 { 0.0 } else { x * product }
    }

    /// tanh x.
    #[inline(always)]
    #[must_use]
    pub fn tanh(x: f32) -> f32 {
        let e = expm1(-2.0 * x.abs());
        (-e / (e + 2.0)).copysign(x)
    }

    /// 1 − tanh² x, without cancellation.
    #[inline(always)]
    #[must_use]
    pub fn sech2(x: f32) -> f32 {
        let e = exp(-2.0 * x.abs());
        4.0 * e / ((1.0 + e) * (1.0 + e))
    }

    /// The standard normal density.
    #[inline(always)]
    #[must_use]
    pub fn normal_pdf(x: f32) -> f32 {
        let held = if x.abs() > 15.0 { 15.0 } else { x };
        0.398_942_3 * exp_neg_square(0.5, held)
    }

    /// x Φ(x).
    #[inline(always)]
    #[must_use]
    pub fn gelu(x: f32) -> f32 {
        let cdf = normal_cdf(x);
        if cdf == 0.0 { 0.0 } else { x * cdf }
    }

    /// The derivative of [`gelu`]: Φ(x) + x φ(x).
    #[inline(always)]
    #[must_use]
    pub fn gelu_d1(x: f32) -> f32 {
        let pdf = normal_pdf(x);
        normal_cdf(x) + if pdf == 0.0 { 0.0 } else { x * pdf }
    }

    /// The second derivative of [`gelu`]: φ(x) (2 − x²).
    #[inline(always)]
    #[must_use]
    pub(crate) fn gelu_d2(x: f32) -> f32 {
        let pdf = normal_pdf(x);
        if pdf == 0.0 { 0.0 } else { pdf * (2.0 - x * x) }
    }
}

#[cfg(test)]
mod tests {
    use super::math;

    /// The largest error over a sweep, in units of 2⁻²⁴ relative to the f64 value.
    fn error(f: fn(f32) -> f32, exact: fn(f64) -> f64, from: f32, to: f32) -> f64 {
        (0..=200_000)
            .map(|i| {
                let x = from + (to - from) * (i as f32 / 200_000.0);
                let want = exact(x.into());
                ((f64::from(f(x)) - want) / want.abs().max(1e-30)).abs() * f64::from(1 << 24)
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn elementary_functions_are_within_a_few_ulp() {
        assert!(error(math::exp, libm::exp, -80.0, 88.0) < 4.0);
        assert!(error(math::expm1, libm::expm1, -10.0, 10.0) < 6.0);
        assert!(error(math::tanh, libm::tanh, -9.0, 9.0) < 8.0);
        assert!(error(math::sigmoid, |x| 1.0 / (1.0 + libm::exp(-x)), -60.0, 60.0) < 6.0);
    }

    #[test]
    fn the_ends_are_exact() {
        assert_eq!(math::exp(-200.0), 0.0);
        assert_eq!(math::exp(200.0), f32::INFINITY);
        assert_eq!(math::exp(0.0), 1.0);
        assert!(math::exp(f32::NAN).is_nan() && math::tanh(f32::NAN).is_nan());
        assert_eq!(math::silu(f32::NEG_INFINITY), 0.0);
        assert_eq!(math::gelu(f32::NEG_INFINITY), 0.0);
        assert_eq!(math::tanh(100.0), 1.0);
        assert_eq!(math::tanh(-0.0).to_bits(), (-0.0f32).to_bits());
    }
}
