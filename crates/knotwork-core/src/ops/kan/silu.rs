//! Derivatives of silu(x) = x σ(x) of any order.
//!
//! With t = tanh(x/2) and v = 1 − t² = 4 σ (1 − σ), the derivatives of σ = (1 + t) / 2 are σ⁽ᵈ⁾ = v R_d(t), where
//! R_1 = 1/4 and R_{d+1} = v R_d' / 2 − t R_d. So silu⁽ᵈ⁾ = x σ⁽ᵈ⁾ + d σ⁽ᵈ⁻¹⁾. In t the coefficients stay near 1 and v is
//! computed without cancellation, so both tails keep their relative accuracy.

use crate::ops::elementwise::math;

/// The largest order that kernels are made for.
pub(super) const MAX_DERIVATIVE: usize = 6;

/// Coefficients of a polynomial in t, the constant first.
pub(super) type Polynomial = [f64; MAX_DERIVATIVE];

/// R_d for 1 ≤ d ≤ [`MAX_DERIVATIVE`]; 0 for d = 0, which has no such form.
pub(super) fn polynomial(d: usize) -> Polynomial {
    let mut r = [0.0; MAX_DERIVATIVE];
    if d == 0 {
        return r;
    }
    r[0] = 0.25;
    for _ in 1..d {
        let mut next = [0.0; MAX_DERIVATIVE];
        for (p, &c) in r.iter().enumerate().filter(|(_, c)| **c != 0.0) {
            // (1 − t²) (c tᵖ)' / 2 − t (c tᵖ)
            if p > 0 {
                next[p - 1] += c * p as f64 / 2.0;
            }
            next[p + 1] -= c * p as f64 / 2.0 + c;
        }
        r = next;
    }
    r
}

/// silu⁽ᵈ⁾(x); its limits at ±∞, NaN at NaN.
pub(super) fn silu(x: f64, d: usize) -> f64 {
    // Beyond ±800 e^−|x| is 0; x is held there so that no infinity meets a 0.
    let held = x.clamp(-800.0, 800.0);
    let e = libm::exp(-held.abs());
    let q = 1.0 / (1.0 + e);
    let sigma = if x < 0.0 { e * q } else { q };
    if d == 0 {
        return if x < -800.0 { 0.0 } else { x * sigma };
    }
    let v = 4.0 * e * q * q;
    let t = ((1.0 - e) * q).copysign(x);
    let horner = |r: Polynomial| r.iter().rev().fold(0.0, |a, &c| a * t + c);
    let below = if d == 1 { sigma } else { v * horner(polynomial(d - 1)) };
    held * v * horner(polynomial(d)) + d as f64 * below
}

/// silu⁽ᵈ⁾ of each element, in f32.
#[inline(always)]
pub(super) fn silu_f32(x: &[f32], d: usize, y: &mut [f32]) {
    match d {
        0 => x.iter().zip(y).for_each(|(&x, y)| *y = math::silu(x)),
        1 => x.iter().zip(y).for_each(|(&x, y)| *y = math::silu_d1(x)),
        _ => {
            let (upper, lower) =
                (polynomial(d).map(|c| c as f32), polynomial(d - 1).map(|c| c as f32 * d as f32));
            for (&x, y) in x.iter().zip(y) {
                let held = if x.abs() > 110.0 { 110.0f32.copysign(x) } else { x };
                let e = math::exp(-held.abs());
                let q = 1.0 / (1.0 + e);
                let t = ((1.0 - e) * q).copysign(x);
                let (mut a, mut b) = (0.0, 0.0);
                for p in (0..MAX_DERIVATIVE).rev() {
                    a = a * t + upper[p];
                    b = b * t + lower[p];
                }
                *y = 4.0 * e * q * q * (held * a + b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_derivative_is_the_slope_of_the_one_before() {
        for d in 0..MAX_DERIVATIVE {
            for i in -80..=80 {
                let x = f64::from(i) / 8.0 + 0.01;
                let slope = (silu(x + 1e-5, d) - silu(x - 1e-5, d)) / 2e-5;
                let got = silu(x, d + 1);
                assert!((got - slope).abs() < 1e-8, "silu^({}) at {x}: {got}, slope {slope}", d + 1);
            }
        }
    }

    #[test]
    fn f32_agrees_and_the_ends_are_the_limits() {
        let x: Vec<f32> = (-400..=400).map(|i| i as f32 / 20.0).collect();
        let mut y = vec![0.0; x.len()];
        for d in 0..=MAX_DERIVATIVE {
            silu_f32(&x, d, &mut y);
            for (&x, &y) in x.iter().zip(&y) {
                let want = silu(x.into(), d);
                assert!(
                    (f64::from(y) - want).abs() < 1e-6 * want.abs().max(1.0),
                    "order {d} at {x}: {y}, {want}"
                );
            }
            let ends = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
            let mut at = [0.0; 3];
            silu_f32(&ends, d, &mut at);
            assert_eq!(at[0], 0.0);
            assert_eq!(
                at[1],
                if d == 0 {
                    f32::INFINITY
                } else if d == 1 {
                    1.0
                } else {
                    0.0
                }
            );
            assert!(at[2].is_nan() && silu(f64::NAN, d).is_nan());
            assert_eq!((silu(f64::NEG_INFINITY, d), silu(f64::INFINITY, d)), (at[0].into(), at[1].into()));
        }
    }
}
