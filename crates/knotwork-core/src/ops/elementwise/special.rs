//! More elementary functions in f32 without branches: logarithms near 1, the normal distribution's kin, angles.

use super::math::{exp, exp_parts};

/// A sine and a cosine are taken of angles up to this size; beyond it π/2 would need more digits.
pub(crate) const ANGLE: f64 = 1e6;

/// ln(1 + x), relatively accurate near 0.
#[inline(always)]
#[must_use]
pub fn log1p(x: f32) -> f32 {
    // sqrt(1/2): mantissas are taken from there on.
    const LOWEST: i32 = 0x3f35_04f3;
    let u = 1.0 + x;
    let t = u - 1.0;
    // What the sum lost to rounding, exactly.
    let lost = (1.0 - (u - t)) + (x - t);
    let shifted = (u.to_bits() as i32).wrapping_sub(LOWEST);
    let e = (shifted >> 23) as f32;
    let f = f32::from_bits(((shifted & 0x007f_ffff) + LOWEST) as u32) - 1.0;
    let p = -0.061_558_07f32;
    let p = p * f + 0.108_410_425;
    let p = p * f - 0.108_521_42;
    let p = p * f + 0.109_961_38;
    let p = p * f - 0.124_119_96;
    let p = p * f + 0.142_876_18;
    let p = p * f - 0.166_704_64;
    let p = p * f + 0.200_000_36;
    let p = p * f - 0.249_999_33;
    let p = p * f + 0.333_333_3;
    let tail = f * f * (f * p - 0.5);
    let low = tail + (e * 1.428_606_8e-6 + lost / u);
    let y = e * 0.693_145_75 + (f + low);
    let y = if x > f32::MAX { x } else { y };
    let y = if x <= -1.0 { f32::NEG_INFINITY } else { y };
    if x >= -1.0 { y } else { f32::NAN }
}

/// ln(1 + eˣ), relatively accurate on both sides.
#[inline(always)]
#[must_use]
pub fn softplus(x: f32) -> f32 {
    let y = log1p(exp(-x.abs()));
    if x > 0.0 { x + y } else { y }
}

/// e^(−c x²) for c = 1 or ½ and |x| < 1e15, with x² carried as two floats.
#[inline(always)]
pub(crate) fn exp_neg_square(c: f32, x: f32) -> f32 {
    let h = f32::from_bits(x.to_bits() & 0xffff_f000);
    exp_parts(-c * (h * h), c * ((h - x) * (h + x)))
}

/// e^(x²) erfc x for x from 0.45 to 10.5.
#[inline(always)]
fn erfcx(x: f32) -> f32 {
    let t = (x - 2.0) / (x + 2.0);
    let p = 2.247_575_2e-4f32;
    let p = p * t - 3.134_152_2e-4;
    let p = p * t - 1.478_136_4e-3;
    let p = p * t + 1.217_529_8e-3;
    let p = p * t + 8.730_131e-3;
    let p = p * t - 8.024_679e-3;
    let p = p * t - 5.422_101_5e-2;
    let p = p * t + 0.164_050_61;
    let p = p * t - 0.166_030_35;
    let p = p * t - 0.092_763_81;
    let p = p * t + 1.276_978_4;
    p / (1.0 + 2.0 * x)
}

/// erf x for |x| < 0.52.
#[inline(always)]
fn erf_small(x: f32) -> f32 {
    let z = x * x;
    let p = -7.615_697_7e-4f32;
    let p = p * z + 5.195_765_8e-3;
    let p = p * z - 2.686_219_5e-2;
    let p = p * z + 0.112_837_665;
    let p = p * z - 0.376_126_38;
    let p = p * z + 0.128_379_17;
    x + x * p
}

/// The larger bound for NaN too, so that it reaches no polynomial.
#[inline(always)]
fn between(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < high { x } else { high };
    if x > low { x } else { low }
}

/// The error function.
#[inline(always)]
#[must_use]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let b = between(a, 0.5, 5.0);
    let far = (1.0 - exp_neg_square(1.0, b) * erfcx(b)).copysign(x);
    let near = erf_small(x);
    let y = if a < 0.5 { near } else { far };
    if x.is_nan() { x } else { y }
}

/// 1 − erf x, relatively accurate far into its tail.
#[inline(always)]
#[must_use]
pub fn erfc(x: f32) -> f32 {
    let a = x.abs();
    let b = between(a, 0.5, 10.5);
    let tail = exp_neg_square(1.0, b) * erfcx(b);
    let far = if x < 0.0 { 2.0 - tail } else { tail };
    let near = 1.0 - erf_small(x);
    let y = if a < 0.5 { near } else { far };
    if x.is_nan() { x } else { y }
}

/// The standard normal distribution Φ(x). Its tail takes the exponential from x itself, not from the rounded x/√2.
#[inline(always)]
#[must_use]
pub fn normal_cdf(x: f32) -> f32 {
    const ROOT: f32 = std::f32::consts::FRAC_1_SQRT_2;
    let a = x.abs();
    let b = between(a, 0.707_2, 14.8);
    let tail = 0.5 * exp_neg_square(0.5, b) * erfcx(b * ROOT);
    let far = if x < 0.0 { tail } else { 1.0 - tail };
    let near = 0.5 + 0.5 * erf_small(x * ROOT);
    let y = if a < 0.707_2 { near } else { far };
    if x.is_nan() { x } else { y }
}

/// The sine and the cosine of an angle up to [`ANGLE`], to f32's precision even next to their zeros: the reduction is
/// in f64, with π/2 in two parts of which n times the first is exact.
#[inline(always)]
pub(crate) fn sin_cos(x: f64) -> (f32, f32) {
    // The sum with 1.5·2⁵² leaves round(x · 2/π) in the low mantissa bits.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    let shifted = x * std::f64::consts::FRAC_2_PI + MAGIC;
    let n = shifted - MAGIC;
    let r = (x - n * 1.570_796_326_734_125_6) - n * 6.077_100_506_506_192e-11;
    let quadrant = shifted.to_bits();
    let z = r * r;
    let s = -1.0 / 39_916_800.0;
    let s = s * z + 1.0 / 362_880.0;
    let s = s * z - 1.0 / 5_040.0;
    let s = s * z + 1.0 / 120.0;
    let s = s * z - 1.0 / 6.0;
    let s = r + r * z * s;
    let c = 1.0 / 479_001_600.0;
    let c = c * z - 1.0 / 3_628_800.0;
    let c = c * z + 1.0 / 40_320.0;
    let c = c * z - 1.0 / 720.0;
    let c = c * z + 1.0 / 24.0;
    let c = c * z - 0.5;
    let c = 1.0 + z * c;
    let swap = quadrant & 1 == 1;
    let (sine, cosine) = if swap { (c, s) } else { (s, c) };
    let sine = if quadrant & 2 == 2 { -sine } else { sine };
    let cosine = if quadrant.wrapping_add(1) & 2 == 2 { -cosine } else { cosine };
    (sine as f32, cosine as f32)
}

/// atan(t) / t − 1 over z, for z = t² up to 1.
#[inline(always)]
pub(crate) fn atan_tail(z: f32) -> f32 {
    let p = -2.423_439_6e-3f32;
    let p = p * z + 1.365_542_7e-2;
    let p = p * z - 3.611_51e-2;
    let p = p * z + 6.271_145_5e-2;
    let p = p * z - 8.666_924e-2;
    let p = p * z + 1.103_638_8e-1;
    let p = p * z - 1.427_890_8e-1;
    let p = p * z + 1.999_975_6e-1;
    p * z - 3.333_333e-1
}

/// The arctangent.
#[inline(always)]
#[must_use]
pub fn atan(x: f32) -> f32 {
    let a = x.abs();
    let far = a > 1.0;
    let t = if far { 1.0 / a } else { a };
    let z = t * t;
    let near = t + t * (z * atan_tail(z));
    // π/2 in two parts.
    let y = if far { (std::f32::consts::FRAC_PI_2 - near) - 4.371_139e-8 } else { near };
    y.copysign(x)
}

/// √(x² + y²) for finite y ≥ 0, without overflow.
#[inline(always)]
pub(crate) fn hypot(x: f32, y: f32) -> f32 {
    let a = x.abs();
    let (long, short) = if a > y { (a, y) } else { (y, a) };
    let k = short / long;
    let r = long * (1.0 + k * k).sqrt();
    if long == 0.0 { 0.0 } else { r }
}

/// x / r for r = [`hypot`] of x and another: the sign of x where the other has vanished beside it.
#[inline(always)]
pub(crate) fn share(x: f32, r: f32) -> f32 {
    if x.abs() == r { 1.0f32.copysign(x) } else { x / r }
}

/// The natural logarithm of a positive f32 to about 1e-10 of itself, or so of 1; some −709 for 0.
#[inline(always)]
pub(crate) fn ln_wide(x: f32) -> f64 {
    // sqrt(1/2), as the upper bits have it: mantissas are taken from there on.
    const LOWEST: i64 = 0x3fe6_a09e_667f_3bcc;
    let shifted = (f64::from(x).to_bits() as i64).wrapping_sub(LOWEST);
    // The exponent as a float, by its place in the mantissa of 1.5·2⁵².
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    let e = f64::from_bits((MAGIC.to_bits() as i64).wrapping_add(shifted >> 52) as u64) - MAGIC;
    let m = f64::from_bits(((shifted & 0x000f_ffff_ffff_ffff) + LOWEST) as u64);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let p = 1.0 / 13.0;
    let p = p * z + 1.0 / 11.0;
    let p = p * z + 1.0 / 9.0;
    let p = p * z + 1.0 / 7.0;
    let p = p * z + 1.0 / 5.0;
    let p = p * z + 1.0 / 3.0;
    e * std::f64::consts::LN_2 + 2.0 * (s + s * z * p)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error over a sweep, in units of 2⁻²⁴ relative to the f64 value.
    fn error(f: impl Fn(f32) -> f32, exact: fn(f64) -> f64, from: f32, to: f32) -> f64 {
        (0..=100_000)
            .map(|i| {
                let x = from + (to - from) * (i as f32 / 100_000.0);
                let want = exact(x.into());
                ((f64::from(f(x)) - want) / want.abs().max(1e-30)).abs() * f64::from(1 << 24)
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn special_functions_are_within_a_few_ulp() {
        let plus = |x: f64| x.max(0.0) + libm::log1p(libm::exp(-x.abs()));
        let cdf = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
        for (name, error, bound) in [
            ("log1p", error(log1p, libm::log1p, -0.999, 2.0), 4.0),
            ("log1p", error(log1p, libm::log1p, 2.0, 1e30), 3.0),
            ("softplus", error(softplus, plus, -80.0, 80.0), 6.0),
            ("erf", error(erf, libm::erf, -6.0, 6.0), 4.0),
            ("erfc", error(erfc, libm::erfc, -6.0, 8.3), 12.0),
            ("normal_cdf", error(normal_cdf, cdf, -11.7, 10.0), 12.0),
            ("sin", error(|x| sin_cos(x.into()).0, libm::sin, -9e5, 9e5), 1.1),
            ("atan", error(atan, libm::atan, -3.0, 3.0), 4.0),
            ("atan", error(atan, libm::atan, -1e6, 1e6), 4.0),
            ("hypot", error(|x| hypot(x, 2.0), |x| x.hypot(2.0), -9.0, 9.0), 3.0),
            ("ln_wide", error(|x| ln_wide(x) as f32, libm::log, 1e-3, 30.0), 1.1),
            ("cos", error(|x| sin_cos(x.into()).1, libm::cos, -50.0, 50.0), 1.1),
        ] {
            assert!(error < bound, "{name}: {error}");
        }
    }

    #[test]
    fn the_ends_are_exact() {
        let inf = f32::INFINITY;
        assert_eq!((log1p(inf), log1p(-1.0), log1p(0.0), log1p(1e-30)), (inf, -inf, 0.0, 1e-30));
        assert!(log1p(-2.0).is_nan() && log1p(f32::NAN).is_nan() && softplus(f32::NAN).is_nan());
        assert_eq!((softplus(inf), softplus(-inf), softplus(1e30)), (inf, 0.0, 1e30));
        assert_eq!((erf(inf), erf(-inf), erf(0.0), erfc(inf), erfc(-inf)), (1.0, -1.0, 0.0, 0.0, 2.0));
        assert_eq!(erf(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!((normal_cdf(inf), normal_cdf(-inf), normal_cdf(0.0)), (1.0, 0.0, 0.5));
        let right = std::f32::consts::FRAC_PI_2;
        assert_eq!((atan(inf), atan(-inf), atan(1e-30), atan(1e30)), (right, -right, 1e-30, right));
        assert_eq!(atan(-0.0).to_bits(), (-0.0f32).to_bits());
        assert!(atan(f32::NAN).is_nan() && hypot(f32::NAN, 1.0).is_nan());
        assert_eq!((hypot(0.0, 0.0), hypot(-1e30, 1.0), hypot(inf, 2.0)), (0.0, 1e30, inf));
        assert!((ln_wide(1e-40) - f64::from(1e-40f32).ln()).abs() < 1e-8);
        assert!(ln_wide(0.0) < -700.0 && ln_wide(inf) > 700.0);
        assert!(erf(f32::NAN).is_nan() && erfc(f32::NAN).is_nan() && normal_cdf(f32::NAN).is_nan());
    }
}
