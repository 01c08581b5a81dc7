//! Every function of a basis at a point, and its derivatives, by one recurrence over truncated Taylor series: a jet holds
//! f, f', f''/2, … at the point, and a product of jets is that of polynomials.

use super::{
    MAX_DERIVATIVE,
    real::{Lanes, Real, Wide},
};
use crate::ops::kan::{
    BSpline,
    basis::{Basis, Family, Form},
};

/// Harmonics after which the rotation starts from an exact angle again.
const RESTART: usize = 16;
/// The most Bernstein polynomials.
const BERNSTEIN: usize = 65;

/// The Taylor coefficients of a function at a point, the value first.
#[derive(Clone, Copy)]
struct Jet<R, const N: usize>([R; N]);

impl<R: Real, const N: usize> Jet<R, N> {
    #[inline(always)]
    fn constant(value: f64) -> Self {
        let mut all = [R::splat(0.0); N];
        all[0] = R::splat(value);
        Self(all)
    }

    #[inline(always)]
    fn times(&self, other: &Self) -> Self {
        let mut all = [R::splat(0.0); N];
        for k in 0..N {
            let mut sum = self.0[0] * other.0[k];
            for j in 1..=k {
                sum = sum + self.0[j] * other.0[k - j];
            }
            all[k] = sum;
        }
        Self(all)
    }

    #[inline(always)]
    fn plus(mut self, other: &Self) -> Self {
        for k in 0..N {
            self.0[k] = self.0[k] + other.0[k];
        }
        self
    }

    #[inline(always)]
    fn scaled(mut self, by: f64) -> Self {
        for k in 0..N {
            self.0[k] = self.0[k] * R::splat(by);
        }
        self
    }

    /// The derivative of order N − 1.
    #[inline(always)]
    fn derivative(&self) -> R {
        let factorial: usize = (1..N).product();
        self.0[N - 1] * R::splat(factorial as f64)
    }
}

/// tanh x, by u' = 1 − u².
#[inline(always)]
fn tanh<R: Real, const N: usize>(x: R) -> Jet<R, N> {
    let mut u = Jet::constant(0.0);
    u.0[0] = x.tanh();
    for k in 1..N {
        u.0[k] = if k == 1 { x.sech2() } else { -(u.times(&u).0[k - 1]) * R::splat(1.0 / k as f64) };
    }
    u
}

/// σ(x) and 1 − σ(x), by u' = u (1 − u).
#[inline(always)]
fn sigmoid<R: Real, const N: usize>(x: R) -> [Jet<R, N>; 2] {
    let (mut u, mut v) = (Jet::constant(0.0), Jet::constant(0.0));
    (u.0[0], v.0[0]) = (x.sigmoid(), (-x).sigmoid());
    for k in 1..N {
        u.0[k] = u.times(&v).0[k - 1] * R::splat(1.0 / k as f64);
        v.0[k] = -u.0[k];
    }
    [u, v]
}

/// Gives `put` the derivative of order `d` of every function of `basis` at `x`, with its number. B-splines have a path of
/// their own, because few of them are not 0: nothing is given for them.
#[inline(always)]
pub(crate) fn fill<R: Real>(basis: &Basis, d: usize, x: R, put: impl FnMut(usize, R)) {
    debug_assert!(d <= MAX_DERIVATIVE);
    match d {
        0 => jets::<R, 1>(basis, x, put),
        1 => jets::<R, 2>(basis, x, put),
        2 => jets::<R, 3>(basis, x, put),
        _ => jets::<R, 4>(basis, x, put),
    }
}

/// [`fill`] of eight points in f32. Polynomials and harmonics are evaluated in f64: their terms cancel, and what f32 would
/// round away of tanh x or of an angle grows with the degree.
#[inline(always)]
pub(crate) fn fill_lanes(basis: &Basis, d: usize, x: Lanes, mut put: impl FnMut(usize, Lanes)) {
    match basis.0 {
        Form::Polynomial { .. } | Form::Fourier { .. } => {
            fill(
                basis,
                d,
                Wide::from(x),
                #[inline(always)]
                |m, value| put(m, value.narrow()),
            );
        }
        _ => fill(basis, d, x, put),
    }
}

#[inline(always)]
fn jets<R: Real, const N: usize>(basis: &Basis, x: R, put: impl FnMut(usize, R)) {
    match basis.0 {
        Form::BSpline(BSpline { .. }) => {}
        Form::Rbf { n, range, width } => rbf::<R, N>(n, range, width, x, put),
        Form::Polynomial { family, degree } => polynomial::<R, N>(family, degree, x, put),
        Form::Fourier { frequencies } => fourier::<R, N>(frequencies, x, put),
        Form::ReluKan { grid, order } => relu_kan::<R, N>(grid, order, x, put),
        Form::Bernstein { degree } => bernstein::<R, N>(degree, x, put),
    }
}

/// f = exp(−z²): f' = −2 z / s f.
#[inline(always)]
fn rbf<R: Real, const N: usize>(n: usize, (lo, hi): (f64, f64), s: f64, x: R, mut put: impl FnMut(usize, R)) {
    let step = (hi - lo) / n.saturating_sub(1).max(1) as f64;
    let by = R::splat(1.0 / s);
    for m in 0..n {
        // Beyond the limits e^−z² is 0; z is held there so that no infinity meets it.
        let z = (x.minus(lo + m as f64 * step) * by).held(15.0, 40.0);
        let mut f = Jet::<R, N>::constant(0.0);
        f.0[0] = (-(z * z)).exp();
        for k in 1..N {
            let before = if k > 1 { by * f.0[k - 2] } else { R::splat(0.0) };
            f.0[k] = (z * f.0[k - 1] + before) * by * R::splat(-2.0 / k as f64);
        }
        put(m, f.derivative());
    }
}

#[inline(always)]
fn polynomial<R: Real, const N: usize>(family: Family, degree: usize, x: R, mut put: impl FnMut(usize, R)) {
    let u = tanh::<R, N>(x);
    let (mut before, mut last) = (Jet::<R, N>::constant(0.0), Jet::constant(1.0));
    put(0, last.derivative());
    for n in 1..=degree {
        let [a, b, c] = family.step(n);
        let mut next = u.scaled(a).times(&last).plus(&before.scaled(-c));
        if b != 0.0 {
            next = next.plus(&last.scaled(b));
        }
        (before, last) = (last, next);
        put(n, last.derivative());
    }
}

#[inline(always)]
fn fourier<R: Real, const N: usize>(frequencies: usize, x: R, mut put: impl FnMut(usize, R)) {
    let (cos_1, sin_1) = x.turn(1.0);
    let (mut cos, mut sin) = (cos_1, sin_1);
    for k in 1..=frequencies {
        if k % RESTART == 1 && k > 1 {
            (cos, sin) = x.turn(k as f64);
        } else if k > 1 {
            (cos, sin) = (cos * cos_1 - sin * sin_1, sin * cos_1 + cos * sin_1);
        }
        // A quarter turn for each derivative.
        let (a, b) = match (N - 1) % 4 {
            0 => (cos, sin),
            1 => (-sin, cos),
            2 => (-cos, -sin),
            _ => (sin, -cos),
        };
        let unit = R::splat((k as f64).powi(N as i32 - 1));
        put(k - 1, a * unit);
        put(frequencies + k - 1, b * unit);
    }
}

#[inline(always)]
fn relu_kan<R: Real, const N: usize>(grid: usize, order: usize, x: R, mut put: impl FnMut(usize, R)) {
    let (g, wide) = (grid as f64, (order + 1) as f64 / grid as f64);
    for m in 0..grid + order {
        let rise = x.minus((m as f64 - order as f64) / g);
        let fall = -x.minus((m + 1) as f64 / g);
        // (e − x)(x − s): a parabola.
        let mut parabola = Jet::<R, N>::constant(0.0);
        let coefficients = [rise * fall, fall - rise, R::splat(-1.0)];
        for (to, value) in parabola.0.iter_mut().zip(coefficients) {
            *to = value;
        }
        let square = parabola.times(&parabola).derivative() * R::splat(16.0 / wide.powi(4));
        put(m, square.inside(rise, fall));
    }
}

/// b_i ← (1 − u) b_i + u b_(i−1), from b_0 = 1.
#[inline(always)]
fn bernstein<R: Real, const N: usize>(degree: usize, x: R, mut put: impl FnMut(usize, R)) {
    let [u, v] = sigmoid::<R, N>(x);
    let mut all = [Jet::<R, N>::constant(0.0); BERNSTEIN];
    all[0].0[0] = R::splat(1.0);
    let all = &mut all[..=degree];
    for j in 1..=degree {
        all[j] = u.times(&all[j - 1]);
        for i in (1..j).rev() {
            all[i] = v.times(&all[i]).plus(&u.times(&all[i - 1]));
        }
        all[0] = v.times(&all[0]);
    }
    for (m, b) in all.iter().enumerate() {
        put(m, b.derivative());
    }
}
