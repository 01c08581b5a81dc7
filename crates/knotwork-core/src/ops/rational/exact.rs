//! One element in f64, as the definition says it; for |x| > 1 with both polynomials divided by powers of x.

use super::RationalForm;

/// What a value, a slope and the gradients to coefficients are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// P / Q
    pub y: f64,
    /// d(P / Q) / dx
    pub slope: f64,
    /// The sign of Σ q_j xʲ.
    pub sign: f64,
    /// |x|ᵏ / Q with k = `at`; other powers by multiplication.
    pub power: f64,
    /// k
    pub at: usize,
}

/// 0 where x is, unlike the signum of the standard library.
pub(super) fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x.abs()
    }
}

/// x or, where it is negative and the exponent odd, −x.
fn signed(value: f64, x: f64, exponent: i32) -> f64 {
    if x < 0.0 && exponent % 2 != 0 { -value } else { value }
}

/// P / Q and its kin at x, for the coefficients of its group.
pub(super) fn parts(form: RationalForm, x: f64, p: &[f64], q: &[f64]) -> Parts {
    if x.abs() > 1.0 { reversed(form, x, p, q) } else { direct(form, x, p, q) }
}

fn direct(form: RationalForm, x: f64, p: &[f64], q: &[f64]) -> Parts {
    let (mut top, mut d_top) = (0.0, 0.0);
    for &c in p.iter().rev() {
        d_top = d_top * x + top;
        top = top * x + c;
    }
    let absolute = form == RationalForm::A;
    let v = if absolute { x.abs() } else { x };
    let (mut sum, mut d_sum) = (0.0, 0.0);
    for c in q.iter().rev().map(|c| if absolute { c.abs() } else { *c }).chain([0.0]) {
        d_sum = d_sum * v + sum;
        sum = sum * v + c;
    }
    let bottom = 1.0 + sum.abs();
    let outer = if absolute { sign(x) } else { sign(sum) };
    let y = top / bottom;
    Parts { y, slope: (d_top - outer * d_sum * y) / bottom, sign: sign(sum), power: 1.0 / bottom, at: 0 }
}

/// With z = 1/x, P = xᵐ Σ pᵢ zᵐ⁻ⁱ and Q = |x|ⁿ (|z|ⁿ + |Σ q_j zⁿ⁻ʲ|), m and n the last powers that occur.
fn reversed(form: RationalForm, x: f64, p: &[f64], q: &[f64]) -> Parts {
    let m = p.iter().rposition(|&c| c != 0.0).unwrap_or(0);
    let n = q.iter().rposition(|&c| c != 0.0).map_or(0, |j| j + 1);
    let z = 1.0 / x;
    let (mut top, mut d_top) = (0.0, 0.0);
    for (i, &c) in p.iter().enumerate().take(m + 1) {
        top = top * z + c;
        d_top = d_top * z + i as f64 * c;
    }
    let absolute = form == RationalForm::A;
    let v = if absolute { z.abs() } else { z };
    let (mut sum, mut d_sum, mut one) = (0.0, 0.0, 1.0);
    for (j, c) in q.iter().map(|c| if absolute { c.abs() } else { *c }).enumerate().take(n) {
        sum = sum * v + c;
        d_sum = d_sum * v + (j + 1) as f64 * c;
        one *= z.abs();
    }
    let bottom = one + sum.abs();
    let ratio = top / bottom;
    let (m, n) = (m as i32, n as i32);
    Parts {
        y: signed(ratio * x.powi(m - n), x, n),
        slope: signed((d_top - sign(sum) * d_sum * ratio) / bottom * x.powi(m - 1 - n), x, n),
        sign: if absolute { sign(sum) } else { signed(sign(sum), x, n) },
        power: 1.0 / bottom,
        at: n as usize,
    }
}

/// Adds the gradients to the coefficients, g times those of one element: `sums` is the numerator's, then the denominator's.
pub(super) fn add(form: RationalForm, (x, g): (f64, f64), (p, q): (&[f64], &[f64]), sums: &mut [f64]) {
    let here = parts(form, x, p, q);
    let mut put = |k: usize, power: f64| {
        if k < p.len() {
            sums[k] += signed(power, x, k as i32);
        }
        if (1..=q.len()).contains(&k) {
            sums[p.len() + k - 1] -= here.y
                * match form {
                    RationalForm::A => power * sign(q[k - 1]),
                    RationalForm::B => signed(power, x, k as i32) * here.sign,
                };
        }
    };
    let mut power = g * here.power;
    for k in (0..=here.at).rev() {
        put(k, power);
        power /= x.abs();
    }
    power = g * here.power;
    for k in here.at + 1..p.len().max(q.len() + 1) {
        power *= x.abs();
        put(k, power);
    }
}
