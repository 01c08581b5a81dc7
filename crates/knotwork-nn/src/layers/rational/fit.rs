//! Coefficients of a safe Padé unit that is a given function, found in the form of the denominator that will be used.
//!
//! Given Q the best P solves linear least squares, so the search is over the denominator alone (variable projection, Golub
//! and Pereyra 1973), by Levenberg and Marquardt's steps from a few beginnings. All in f64.

use knotwork_core::ops::RationalForm;

/// Where functions are fitted: activations are at their ends there, and normalised inputs lie within.
const RANGE: (f64, f64) = (-3.0, 3.0);
/// Points of the fit.
const POINTS: usize = 201;
/// Steps from each beginning.
const STEPS: usize = 120;
/// The least that a coefficient of form A's denominator begins with: at 0 its gradient is 0, and it would stay there.
const LEAST: f64 = 1e-5;

/// Coefficients of a rational function, and how far it is from what it was fitted to.
#[derive(Clone, Debug, PartialEq)]
pub struct RationalFit {
    /// The form of the denominator.
    pub form: RationalForm,
    /// pᵢ, i from 0.
    pub numerator: Vec<f64>,
    /// q_j, j from 1.
    pub denominator: Vec<f64>,
    /// The largest |P / Q − f| over [−3, 3].
    pub error: f64,
}

/// Q at x.
fn bottom(form: RationalForm, q: &[f64], x: f64) -> f64 {
    let terms = q.iter().scan(1.0, |power, q| {
        *power *= x;
        Some(q * *power)
    });
    match form {
        RationalForm::A => 1.0 + terms.map(f64::abs).sum::<f64>(),
        RationalForm::B => 1.0 + terms.sum::<f64>().abs(),
    }
}

impl RationalFit {
    /// The coefficients of degrees (numerator, denominator) with which P / Q is nearest to `f` over [−3, 3] in the mean
    /// square, of those found.
    ///
    /// ```
    /// use knotwork_core::ops::RationalForm;
    /// use knotwork_nn::layers::RationalFit;
    /// let fit = RationalFit::of(f64::tanh, RationalForm::B, (5, 4));
    /// assert!(fit.error < 1e-3);
    /// assert!((fit.value(0.7) - 0.7f64.tanh()).abs() <= fit.error);
    /// ```
    #[must_use]
    pub fn of(f: impl Fn(f64) -> f64, form: RationalForm, (m, n): (usize, usize)) -> Self {
        // Denser towards the ends, where a polynomial's error would be largest.
        let x: Vec<f64> = (0..POINTS)
            .map(|k| RANGE.1 * (std::f64::consts::PI * k as f64 / (POINTS - 1) as f64).cos())
            .collect();
        let y: Vec<f64> = x.iter().map(|&x| f(x)).collect();
        let search = Search { form, terms: m + 1, x: &x, y: &y };
        let start = |scale: f64, even: bool| -> Vec<f64> {
            let term = |j: usize| scale / (1..=j).product::<usize>() as f64;
            (1..=n).map(|j| if even && j % 2 == 1 { 0.0 } else { term(j) }).collect()
        };
        let starts =
            [start(0.2, true), start(0.2, false), start(-0.3, false), start(1.0, true), start(1.0, false)];
        let best = starts
            .into_iter()
            .map(|q| search.walk(q))
            .min_by(|a, b| a.square.total_cmp(&b.square))
            .unwrap_or_else(|| search.at(vec![0.0; n]));
        let mut fit = Self { form, numerator: best.p, denominator: best.q, error: 0.0 };
        let steps = 4 * POINTS;
        fit.error = (0..=steps)
            .map(|k| RANGE.0 + (RANGE.1 - RANGE.0) * k as f64 / steps as f64)
            .map(|x| (fit.value(x) - f(x)).abs())
            .fold(0.0, f64::max);
        fit
    }

    /// P / Q at x.
    #[must_use]
    pub fn value(&self, x: f64) -> f64 {
        self.numerator.iter().rev().fold(0.0, |sum, p| sum * x + p) / bottom(self.form, &self.denominator, x)
    }

    /// E[F(x)²] for x ~ N(0, 1), by the trapezoidal rule over eight standard deviations on each side.
    #[must_use]
    pub fn second_moment(&self) -> f64 {
        let h = 1.0 / 64.0;
        let at = |k: i32| {
            let x = f64::from(k) * h;
            self.value(x).powi(2) * (-0.5 * x * x).exp()
        };
        h * (-512..=512).map(at).sum::<f64>() / std::f64::consts::TAU.sqrt()
    }
}

/// A denominator with the best numerator for it.
struct Point {
    p: Vec<f64>,
    q: Vec<f64>,
    residual: Vec<f64>,
    square: f64,
}

struct Search<'a> {
    form: RationalForm,
    terms: usize,
    x: &'a [f64],
    y: &'a [f64],
}

impl Search<'_> {
    /// The best numerator of a denominator: least squares over Chebyshev polynomials divided by Q, by an orthogonal basis.
    fn at(&self, mut q: Vec<f64>) -> Point {
        if self.form == RationalForm::A {
            q.iter_mut().for_each(|q| *q = q.abs().max(LEAST));
        }
        let scale = RANGE.1;
        // Chebyshev polynomials of x / scale: their values over Q, and their coefficients of powers of x.
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(self.terms);
        let mut powers: Vec<Vec<f64>> = Vec::with_capacity(self.terms);
        for k in 0..self.terms {
            let mut power = vec![0.0; self.terms];
            match k {
                0 => power[0] = 1.0,
                1 => power[1] = 1.0 / scale,
                _ => {
                    for i in 0..k {
                        power[i + 1] += 2.0 / scale * powers[k - 1][i];
                    }
                    power.iter_mut().zip(&powers[k - 2]).for_each(|(p, before)| *p -= before);
                }
            }
            let value = |x: f64| match k {
                0 => 1.0,
                _ => (k as f64 * (x / scale).clamp(-1.0, 1.0).acos()).cos(),
            };
            columns.push(self.x.iter().map(|&x| value(x) / bottom(self.form, &q, x)).collect());
            powers.push(power);
        }
        // Each column without what those before it say, and the same of its coefficients: then they are independent.
        let mut residual = self.y.to_vec();
        let mut p = vec![0.0; self.terms];
        for k in 0..self.terms {
            for _ in 0..2 {
                for j in 0..k {
                    let along = dot(&columns[j], &columns[k]);
                    let (before, here) = columns.split_at_mut(k);
                    add(&mut here[0], -along, &before[j]);
                    let (before, here) = powers.split_at_mut(k);
                    add(&mut here[0], -along, &before[j]);
                }
            }
            let length = dot(&columns[k], &columns[k]).sqrt();
            if length <= f64::MIN_POSITIVE {
                continue;
            }
            columns[k].iter_mut().chain(&mut powers[k]).for_each(|v| *v /= length);
            let along = dot(&columns[k], &residual);
            add(&mut residual, -along, &columns[k]);
            add(&mut p, along, &powers[k]);
        }
        let square = dot(&residual, &residual);
        Point { p, q, residual, square: if square.is_nan() { f64::INFINITY } else { square } }
    }

    fn walk(&self, from: Vec<f64>) -> Point {
        let mut here = self.at(from);
        let n = here.q.len();
        let mut damping = 1e-3;
        for _ in 0..STEPS {
            if here.square < 1e-28 {
                break;
            }
            let slopes: Vec<Vec<f64>> = (0..n)
                .map(|j| {
                    let h = 1e-6 * here.q[j].abs().max(1e-2);
                    let mut q = here.q.clone();
                    q[j] += h;
                    let moved = self.at(q).residual;
                    moved.iter().zip(&here.residual).map(|(a, b)| (a - b) / h).collect()
                })
                .collect();
            let gradient: Vec<f64> = slopes.iter().map(|s| -dot(s, &here.residual)).collect();
            let mut better = None;
            while better.is_none() && damping < 1e12 {
                let matrix = (0..n)
                    .map(|i| {
                        let row = (0..n).map(|j| dot(&slopes[i], &slopes[j]));
                        row.enumerate()
                            .map(|(j, v)| if i == j { v * (1.0 + damping) + 1e-14 } else { v })
                            .collect()
                    })
                    .collect();
                let step = solve(matrix, gradient.clone());
                let to = self.at(here.q.iter().zip(&step).map(|(q, s)| q + s).collect());
                if to.square < here.square {
                    better = Some(to);
                    damping *= 0.3;
                } else {
                    damping *= 4.0;
                }
            }
            let Some(to) = better else { break };
            let gained = here.square - to.square;
            here = to;
            if gained < 1e-9 * here.square {
                break;
            }
        }
        here
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, of: &[f64]) {
    to.iter_mut().zip(of).for_each(|(t, o)| *t += factor * o);
}

/// Elimination with row exchanges; a few unknowns.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap_or(k);
        a.swap(k, pivot);
        b.swap(k, pivot);
        for i in k + 1..n {
            let factor = a[i][k] / a[k][k];
            let (above, below) = a.split_at_mut(i);
            add(&mut below[0][k..], -factor, &above[k][k..]);
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| a[k][j] * b[j]).sum();
        b[k] = (b[k] - known) / a[k][k];
    }
    b
}

#[cfg(test)]
mod tests {
    use knotwork_core::{DType, Device, Graph, HostTensor, ops::elementwise::activations};

    use super::*;

    /// What the core's own operation makes of the coefficients, in f64 and in f32, farthest from f.
    fn error_of_the_operation(fit: &RationalFit, form: RationalForm, f: &dyn Fn(f64) -> f64) -> f64 {
        let xs: Vec<f64> = (0..=1200).map(|k| f64::from(k) / 200.0 - 3.0).collect();
        let mut worst = 0.0f64;
        for dtype in [DType::F64, DType::F32] {
            let g = Graph::new();
            let host = |v: &[f64], shape: &[usize]| HostTensor::new(v, shape).unwrap().cast(dtype);
            let p = g.parameter("p", host(&fit.numerator, &[1, fit.numerator.len()])).unwrap();
            let q = g.parameter("q", host(&fit.denominator, &[1, fit.denominator.len()])).unwrap();
            let x = g.input("x", dtype, [xs.len()]).unwrap();
            let y = x.rational(&p, &q, form).unwrap();
            let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
            let out = program.run([("x", host(&xs, &[xs.len()]))]).unwrap().wait().unwrap();
            let far = out[0].to_f64().iter().zip(&xs).map(|(y, x)| (y - f(*x)).abs()).fold(0.0, f64::max);
            worst = worst.max(far);
        }
        worst
    }

    #[test]
    fn fits_are_as_near_in_the_form_in_use_as_they_say() {
        let mut report = String::new();
        for (name, a, b) in BOUNDS {
            let row = activations().find(|row| row.name == name);
            let defaults: Vec<f64> = row.iter().flat_map(|r| r.attributes).map(|a| a.default).collect();
            let f = |x: f64| row.map_or(x, |row| (row.reference)(&[x], &defaults));
            for (form, bound) in [(RationalForm::A, a), (RationalForm::B, b)] {
                let fit = RationalFit::of(f, form, (5, 4));
                let error = error_of_the_operation(&fit, form, &f);
                report += &format!("{name} {form:?}: fit {:.2e}, operation {error:.2e}\n", fit.error);
                assert!(error <= bound, "{report}");
                assert!((error - fit.error).abs() <= 0.05 * fit.error + 2e-6, "{report}");
                // In form A a coefficient of 0 would never move.
                assert!(form == RationalForm::B || fit.denominator.iter().all(|q| *q > 0.0));
                assert!(fit.denominator.iter().any(|q| *q != 0.0));
            }
        }
    }

    /// Functions, and how near the fits are in form A and in form B.
    const BOUNDS: [(&str, f64, f64); 7] = [
        ("identity", 1e-6, 1e-6),
        ("gelu", 2e-3, 1e-3),
        ("silu", 2e-6, 2e-6),
        ("relu", 4e-2, 4e-2),
        ("tanh", 2e-6, 2e-6),
        ("sigmoid", 2e-6, 1e-6),
        ("softplus", 6e-6, 6e-6),
    ];

    #[test]
    fn coefficients_of_another_form_are_another_function() {
        // The trap that published tables fell into: a fit in one form, evaluated in the other.
        let row = activations().find(|row| row.name == "gelu").unwrap();
        let gelu = |x: f64| (row.reference)(&[x], &[]);
        let fit = RationalFit::of(gelu, RationalForm::B, (5, 4));
        assert!(error_of_the_operation(&fit, RationalForm::A, &gelu) > 10.0 * fit.error);
    }

    #[test]
    fn moments_are_those_of_the_function() {
        let fit = RationalFit::of(|x| x, RationalForm::B, (5, 4));
        assert!((fit.second_moment() - 1.0).abs() < 1e-5);
        // E[relu(x)²] = 1/2
        let fit = RationalFit::of(|x| x.max(0.0), RationalForm::B, (5, 4));
        assert!((fit.second_moment() - 0.5).abs() < 0.02, "{}", fit.second_moment());
    }
}
