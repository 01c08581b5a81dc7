//! What evaluating a basis needs of numbers: f64 for the definition, eight f32 side by side for speed, eight f64 where the
//! digits of f32 would not do.

use std::ops::{Add, Mul, Neg, Sub};

use crate::ops::elementwise::math;

/// A number, or several.
pub(crate) trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Neg<Output = Self>
{
    fn splat(value: f64) -> Self;
    /// self − c, with c to more than the digits of f32.
    fn minus(self, c: f64) -> Self;
    /// Held within ±`wide` (in f32 within ±`narrow`); NaN stays.
    fn held(self, narrow: f32, wide: f64) -> Self;
    fn exp(self) -> Self;
    fn tanh(self) -> Self;
    /// 1 − tanh².
    fn sech2(self) -> Self;
    fn sigmoid(self) -> Self;
    /// (cos, sin) of k times self, k a whole number below 2¹³.
    fn turn(self, k: f64) -> (Self, Self);
    /// (cos, sin), for at most ±512.
    fn cos_sin(self) -> (Self, Self);
    /// 1 / self; NaN for 0.
    fn reciprocal(self) -> Self;
    /// Self, but 0 where `a` or `b` is 0 or less.
    fn inside(self, a: Self, b: Self) -> Self;
}

impl Real for f64 {
    fn splat(value: f64) -> Self {
        value
    }
    fn minus(self, c: f64) -> Self {
        self - c
    }
    fn held(self, _: f32, wide: f64) -> Self {
        self.clamp(-wide, wide)
    }
    fn exp(self) -> Self {
        libm::exp(self)
    }
    fn tanh(self) -> Self {
        libm::tanh(self)
    }
    fn sech2(self) -> Self {
        let e = libm::exp(-2.0 * self.abs());
        4.0 * e / ((1.0 + e) * (1.0 + e))
    }
    fn sigmoid(self) -> Self {
        let e = libm::exp(-self.abs());
        (if self < 0.0 { e } else { 1.0 }) / (1.0 + e)
    }
    fn turn(self, k: f64) -> (Self, Self) {
        (libm::cos(k * self), libm::sin(k * self))
    }
    fn cos_sin(self) -> (Self, Self) {
        (libm::cos(self), libm::sin(self))
    }
    fn reciprocal(self) -> Self {
        if self == 0.0 { f64::NAN } else { 1.0 / self }
    }
    fn inside(self, a: Self, b: Self) -> Self {
        if a <= 0.0 || b <= 0.0 { 0.0 } else { self }
    }
}

/// How many f32 go side by side.
pub(crate) const LANES: usize = 8;

/// Eight f32: loops over them become vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes(pub [f32; LANES]);

impl Lanes {
    #[inline(always)]
    fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        for a in &mut self.0 {
            *a = f(*a);
        }
        self
    }

    #[inline(always)]
    fn with(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for (a, &b) in self.0.iter_mut().zip(&other.0) {
            *a = f(*a, b);
        }
        self
    }

    /// The first elements of a slice; `rest` where it ends.
    #[inline(always)]
    pub fn load(from: &[f32], rest: f32) -> Self {
        match from.first_chunk() {
            Some(all) => Self(*all),
            None => {
                let mut all = [rest; LANES];
                all[..from.len()].copy_from_slice(from);
                Self(all)
            }
        }
    }
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
}

impl Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }
}

impl Mul for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.with(other, |a, b| a * b)
    }
}

impl Neg for Lanes {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|a| -a)
    }
}

impl Real for Lanes {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self([value as f32; LANES])
    }
    #[inline(always)]
    fn minus(self, c: f64) -> Self {
        let high = c as f32;
        let low = (c - f64::from(high)) as f32;
        self.map(|a| (a - high) - low)
    }
    #[inline(always)]
    fn held(self, narrow: f32, _: f64) -> Self {
        self.map(|a| {
            let a = if a > narrow { narrow } else { a };
            if a < -narrow { -narrow } else { a }
        })
    }
    #[inline(always)]
    fn exp(self) -> Self {
        self.map(math::exp)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        self.map(math::tanh)
    }
    #[inline(always)]
    fn sech2(self) -> Self {
        self.map(math::sech2)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        self.map(math::sigmoid)
    }
    #[inline(always)]
    fn turn(self, k: f64) -> (Self, Self) {
        // In f64 the product is exact, and the reduction holds for every f32.
        (self.map(|a| libm::cos(k * f64::from(a)) as f32), self.map(|a| libm::sin(k * f64::from(a)) as f32))
    }
    #[inline(always)]
    fn cos_sin(self) -> (Self, Self) {
        (self.map(|a| quadrant(a, 1)), self.map(|a| quadrant(a, 0)))
    }
    #[inline(always)]
    fn reciprocal(self) -> Self {
        self.map(|a| if a == 0.0 { f32::NAN } else { 1.0 / a })
    }
    #[inline(always)]
    fn inside(mut self, a: Self, b: Self) -> Self {
        for l in 0..LANES {
            self.0[l] = if (a.0[l] <= 0.0) | (b.0[l] <= 0.0) { 0.0 } else { self.0[l] };
        }
        self
    }
}

/// Eight f64: polynomials whose terms cancel, and multiples of an angle, are evaluated in them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wide([f64; LANES]);

impl Wide {
    #[inline(always)]
    pub fn from(lanes: Lanes) -> Self {
        Self(lanes.0.map(f64::from))
    }

    #[inline(always)]
    pub fn narrow(self) -> Lanes {
        Lanes(self.0.map(|a| a as f32))
    }

    #[inline(always)]
    fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        for a in &mut self.0 {
            *a = f(*a);
        }
        self
    }

    #[inline(always)]
    fn with(mut self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        for (a, &b) in self.0.iter_mut().zip(&other.0) {
            *a = f(*a, b);
        }
        self
    }
}

impl Add for Wide {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
}

impl Sub for Wide {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }
}

impl Mul for Wide {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.with(other, |a, b| a * b)
    }
}

impl Neg for Wide {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|a| -a)
    }
}

impl Real for Wide {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    fn minus(self, c: f64) -> Self {
        self.map(|a| a - c)
    }
    #[inline(always)]
    fn held(self, _: f32, wide: f64) -> Self {
        self.map(|a| {
            let a = if a > wide { wide } else { a };
            if a < -wide { -wide } else { a }
        })
    }
    #[inline(always)]
    fn exp(self) -> Self {
        self.map(exp)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        self.map(|a| {
            let e = expm1(-2.0 * a.abs());
            (-e / (e + 2.0)).copysign(a)
        })
    }
    #[inline(always)]
    fn sech2(self) -> Self {
        self.map(|a| {
            let e = exp(-2.0 * a.abs());
            4.0 * e / ((1.0 + e) * (1.0 + e))
        })
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        self.map(|a| {
            let e = exp(-a.abs());
            (if a < 0.0 { e } else { 1.0 }) / (1.0 + e)
        })
    }
    #[inline(always)]
    fn turn(self, k: f64) -> (Self, Self) {
        (self.map(|a| libm::cos(k * a)), self.map(|a| libm::sin(k * a)))
    }
    #[inline(always)]
    fn cos_sin(self) -> (Self, Self) {
        self.turn(1.0)
    }
    #[inline(always)]
    fn reciprocal(self) -> Self {
        self.map(|a| if a == 0.0 { f64::NAN } else { 1.0 / a })
    }
    #[inline(always)]
    fn inside(mut self, a: Self, b: Self) -> Self {
        for l in 0..LANES {
            self.0[l] = if (a.0[l] <= 0.0) | (b.0[l] <= 0.0) { 0.0 } else { self.0[l] };
        }
        self
    }
}

/// (2ⁿ, eʳ − 1) for x ≤ 0 to about 1e-15, without branches: x = n ln 2 + r, then a Taylor polynomial in r.
#[inline(always)]
fn reduce(x: f64) -> (f64, f64) {
    // The sum with 1.5·2⁵² leaves round(x / ln 2) in the low mantissa bits.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    const LN2_HI: f64 = 0.693_147_180_369_123_8;
    const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
    const FACTORIALS: [f64; 11] = [
        479_001_600.0,
        39_916_800.0,
        3_628_800.0,
        362_880.0,
        40_320.0,
        5_040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
    ];
    let x = if x < -700.0 { -700.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = (x - n * LN2_HI) - n * LN2_LO;
    let mut p = 1.0 / 6_227_020_800.0;
    for k in FACTORIALS {
        p = p * r + 1.0 / k;
    }
    let n = (shifted.to_bits() as i64).wrapping_sub(MAGIC.to_bits() as i64);
    (f64::from_bits((n.wrapping_add(1023) as u64) << 52), p * r * r + r)
}

/// eˣ for x ≤ 0; below −700 it stays at e⁻⁷⁰⁰.
#[inline(always)]
fn exp(x: f64) -> f64 {
    let (scale, p) = reduce(x);
    scale * p + scale
}

/// eˣ − 1 for x ≤ 0.
#[inline(always)]
fn expm1(x: f64) -> f64 {
    let (scale, p) = reduce(x);
    p * scale + (scale - 1.0)
}

/// The sine of x + `ahead` quarter turns, |x| ≤ 512: x = n π/2 + r, π/2 in three parts of which n times the first two is
/// exact, then a polynomial in r.
#[inline(always)]
fn quadrant(x: f32, ahead: i32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::FRAC_2_PI + MAGIC;
    let n = shifted - MAGIC;
    let turns = (shifted.to_bits() as i32).wrapping_add(ahead);
    let r = ((x - n * 1.570_739_7) - n * 5.657_971e-5) - n * 9.920_936e-10;
    let z = r * r;
    let s = r + r * z * (((2.826_220_2e-6 * z - 1.985_255_4e-4) * z + 8.333_379e-3) * z - 0.166_666_67);
    let c = 1.0
        - (0.5 * z - z * z * (((-2.885_992e-7 * z + 2.482_191_5e-5) * z - 1.388_898e-3) * z + 0.041_666_668));
    let y = if turns & 1 == 1 { c } else { s };
    if turns & 2 == 2 { -y } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_functions_have_far_more_digits_than_f32() {
        for i in -3000..=3000 {
            let x = f64::from(i) * 0.011;
            let wide = Wide([x; LANES]);
            for (got, want) in [
                (wide.tanh(), libm::tanh(x)),
                (wide.sech2(), Real::sech2(x)),
                (wide.sigmoid(), Real::sigmoid(x)),
            ] {
                assert!((got.0[0] - want).abs() < 1e-14, "{x}: {}, not {want}", got.0[0]);
            }
        }
        let ends = Wide([f64::NEG_INFINITY; LANES]);
        assert_eq!(ends.tanh().0[0], -1.0);
        assert!(ends.sech2().0[0] < 1e-300 && ends.sigmoid().0[0] < 1e-300);
        assert!((Wide([30.0; LANES]).sech2().0[0] / Real::sech2(30.0f64) - 1.0).abs() < 1e-13);
        assert!(Wide([f64::NAN; LANES]).tanh().0[0].is_nan());
    }

    #[test]
    fn sine_and_cosine_are_within_a_few_ulp_of_one() {
        for i in -40_000..=40_000 {
            let x = i as f32 * 0.0125;
            let (cos, sin) = Lanes([x; LANES]).cos_sin();
            let (c, s) = (libm::cos(x.into()), libm::sin(x.into()));
            assert!(
                (f64::from(cos.0[0]) - c).abs() < 1.5e-7 && (f64::from(sin.0[0]) - s).abs() < 1.5e-7,
                "{x}"
            );
        }
        assert!(Lanes([f32::NAN; LANES]).cos_sin().0.0[0].is_nan());
    }
}
