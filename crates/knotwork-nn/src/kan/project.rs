//! The spline over new knots that is nearest to an old one, or to samples: banded least squares.

use knotwork_core::ops::{OnKnots, Outside};

use super::{
    banded::{Banded, Factor},
    knots::Knots,
};

/// Turns the coefficients over `old`, a column for each function, into those over `new`: exactly where the old knots are
/// among the new ones, else the nearest in the mean square over the new grid. `outside` says what the functions are
/// beyond the old grid. Beyond `known`, where it lies in the old grid, the polynomials of the cells at its ends go on instead:
/// no sample has said anything there.
pub(super) fn convert(
    old: &Knots,
    new: &Knots,
    outside: Outside,
    known: Option<(f64, f64)>,
    columns: &[Vec<f64>],
) -> Option<Vec<Vec<f64>>> {
    if new.contains(old) && known.is_none() {
        return Some(columns.iter().map(|c| new.insert(old, c)).collect());
    }
    let (nodes, masses) = gauss(new.order().max(old.order()) + 1);
    // Between these both are polynomials.
    let ends = known.map_or(Vec::new(), |(low, high)| vec![low, high]);
    let mut points: Vec<f64> = old.all().iter().chain(new.grid()).chain(&ends).copied().collect();
    points.sort_by(f64::total_cmp);
    let (low, high) = new.range();
    let (start, end) = old.range();
    // The cell whose polynomial goes on at a point.
    let goes_on = |x: f64| {
        let (first, last) = known?;
        let from = if x < first { first } else { last };
        ((x < first || x > last) && (start..=end).contains(&from)).then(|| old.cell(from))
    };
    let mut cell_weights = vec![0.0; old.order() + 1];
    let mut system = System::new(new);
    for pair in points.windows(2) {
        let (middle, half) = (0.5 * (pair[0] + pair[1]), 0.5 * (pair[1] - pair[0]));
        // Beyond the new grid the old function is not asked for.
        if half <= 0.0 || middle < low || middle > high {
            continue;
        }
        for (node, mass) in nodes.iter().zip(&masses) {
            let x = middle + half * node;
            let (first, functions) = match goes_on(middle) {
                Some(cell) => {
                    old.weights(cell, x, &mut cell_weights);
                    (cell, cell_weights.clone())
                }
                None => {
                    let all = OnKnots::evaluate(old.all(), old.order(), outside, x, 0);
                    let first = all.iter().position(|f| *f != 0.0).unwrap_or(0);
                    (first, all[first..].to_vec())
                }
            };
            let values = columns.iter().map(|c| functions.iter().zip(&c[first..]).map(|(f, c)| f * c).sum());
            system.add(new.cell(middle), x, mass * half, values, columns.len());
        }
    }
    system.solve(0.0)
}

/// A least squares problem over the coefficients of one input's functions.
#[derive(Debug)]
pub(super) struct System<'a> {
    knots: &'a Knots,
    matrix: Banded,
    /// One a column.
    right: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

impl<'a> System<'a> {
    pub fn new(knots: &'a Knots) -> Self {
        Self {
            knots,
            matrix: Banded::zeros(knots.count(), knots.order().max(2)),
            right: Vec::new(),
            weights: vec![0.0; knots.order() + 1],
        }
    }

    /// A point in a cell, with its weight and what each of the columns should be there.
    pub fn add(
        &mut self,
        cell: usize,
        x: f64,
        weight: f64,
        values: impl Iterator<Item = f64>,
        columns: usize,
    ) {
        self.knots.weights(cell, x, &mut self.weights);
        for (a, wa) in self.weights.iter().enumerate() {
            for (b, wb) in self.weights[..=a].iter().enumerate() {
                self.matrix.add(cell + a, cell + b, weight * wa * wb);
            }
        }
        self.right.resize_with(columns, || vec![0.0; self.knots.count()]);
        for (right, value) in self.right.iter_mut().zip(values) {
            for (a, wa) in self.weights.iter().enumerate() {
                right[cell + a] += weight * wa * value;
            }
        }
    }

    /// Adds λ times the squares of second differences of the coefficients: where there is no data a function is straight.
    pub fn smooth(&mut self, lambda: f64) {
        let by = lambda * self.matrix.scale();
        for i in 2..self.knots.count() {
            for (a, ca) in [(0, 1.0), (1, -2.0), (2, 1.0)] {
                for (b, cb) in [(0, 1.0), (1, -2.0), (2, 1.0)].into_iter().take(a + 1) {
                    self.matrix.add(i - 2 + a, i - 2 + b, by * ca * cb);
                }
            }
        }
    }

    /// The coefficients, column by column, with a ridge relative to the matrix's mean diagonal element, larger where that is
    /// not enough; none where no ridge up to 1 makes them unique.
    pub fn solve(mut self, ridge: f64) -> Option<Vec<Vec<f64>>> {
        let scale = self.matrix.scale();
        if !(scale > 0.0 && scale.is_finite()) {
            return None;
        }
        let factor = self.factor(ridge * scale, scale)?;
        for right in &mut self.right {
            factor.solve(right);
        }
        Some(self.right)
    }

    /// The smallest ridge from the given one on that is enough.
    fn factor(&self, mut ridge: f64, most: f64) -> Option<Factor> {
        loop {
            let mut matrix = self.matrix.clone();
            (0..self.knots.count()).for_each(|i| matrix.add(i, i, ridge));
            match matrix.factor() {
                Some(factor) => return Some(factor),
                None if ridge < most => ridge = (100.0 * ridge).max(1e-15 * most),
                None => return None,
            }
        }
    }
}

/// The points and weights of Gauss and Legendre on [−1, 1]: exact for polynomials of degree 2 n − 1.
fn gauss(n: usize) -> (Vec<f64>, Vec<f64>) {
    (1..=n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 - 0.25) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..100 {
                let (mut p, mut before) = (1.0, 0.0);
                for j in 1..=n {
                    let m = j as f64;
                    (p, before) = (((2.0 * m - 1.0) * x * p - (m - 1.0) * before) / m, p);
                }
                slope = n as f64 * (x * p - before) / (x * x - 1.0);
                let step = p / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .unzip()
}

#[cfg(test)]
mod tests {
    use knotwork_core::ops::BSpline;

    use super::*;

    /// So small that only directions without data feel it.
    const RIDGE: f64 = 1e-13;

    fn uniform(grid: usize, order: usize) -> Knots {
        Knots::uniform(&BSpline::new(grid, order).unwrap())
    }

    #[test]
    fn quadrature_is_exact() {
        for n in 1..=8 {
            let (x, w) = gauss(n);
            for degree in 0..2 * n {
                let got: f64 = x.iter().zip(&w).map(|(x, w)| w * x.powi(degree as i32)).sum();
                let want = if degree % 2 == 0 { 2.0 / (degree + 1) as f64 } else { 0.0 };
                assert!((got - want).abs() < 1e-13, "n {n}, degree {degree}: {got}");
            }
        }
    }

    #[test]
    fn a_function_that_the_new_grid_has_is_kept_also_by_projection() {
        // A cubic lies in both spaces, though the knots are not nested.
        let (old, new) = (uniform(3, 3), uniform(10, 3));
        assert!(!new.contains(&old));
        // The coefficients of x³ by its polar form: the product of the inner knots.
        let cube = |knots: &Knots| -> Vec<f64> {
            (0..knots.count()).map(|j| knots.all()[j + 1..j + 4].iter().product()).collect()
        };
        let found = convert(&old, &new, Outside::Zero, None, &[cube(&old)]).unwrap().remove(0);
        for (got, want) in found.iter().zip(cube(&new)) {
            assert!((got - want).abs() < 1e-9, "{got}, {want}");
        }
        for i in 0..=40 {
            let x = -1.0 + f64::from(i) / 20.0;
            assert!((Knots::value(&new, &found, x) - x.powi(3)).abs() < 1e-12);
        }
    }

    #[test]
    fn projection_is_nearest() {
        // The residual is orthogonal to the new functions, so any change makes the distance larger.
        let (old, new) = (uniform(7, 3), uniform(10, 3));
        let c: Vec<f64> = (0..old.count()).map(|j| (1.3 * j as f64).sin()).collect();
        let found = convert(&old, &new, Outside::Zero, None, std::slice::from_ref(&c)).unwrap().remove(0);
        let distance = |d: &[f64]| -> f64 {
            (0..2000)
                .map(|i| -1.0 + (f64::from(i) + 0.5) / 1000.0)
                .map(|x| (Knots::value(&old, &c, x) - Knots::value(&new, d, x)).powi(2))
                .sum()
        };
        let best = distance(&found);
        for j in 0..new.count() {
            for by in [-1e-3, 1e-3] {
                let mut other = found.clone();
                other[j] += by;
                assert!(distance(&other) > best, "{j}");
            }
        }
    }

    #[test]
    fn samples_with_a_gap_have_a_smooth_answer() {
        let knots = uniform(50, 3);
        let f = |x: f64| (3.0 * x).sin();
        let samples: Vec<f64> =
            (0..2000).map(|i| -1.0 + f64::from(i) / 1000.0).filter(|x| !(0.2..0.4).contains(x)).collect();
        let mut system = System::new(&knots);
        for &x in &samples {
            system.add(knots.cell(x), x, 1.0, std::iter::once(f(x)), 1);
        }
        system.smooth(1e-7);
        let c = system.solve(RIDGE).unwrap().remove(0);
        let error = (0..1000)
            .map(|i| -1.0 + f64::from(i) / 500.0)
            .map(|x| (Knots::value(&knots, &c, x) - f(x)).powi(2))
            .sum::<f64>();
        assert!((error / 1000.0).sqrt() < 1e-3, "{}", (error / 1000.0).sqrt());
        // One sample cannot say what eight coefficients are; the smooth answer is the constant.
        let knots = uniform(5, 3);
        let mut system = System::new(&knots);
        system.add(knots.cell(0.3), 0.3, 1.0, std::iter::once(2.0), 1);
        system.smooth(1e-7);
        let c = system.solve(RIDGE).unwrap().remove(0);
        assert!((Knots::value(&knots, &c, 0.3) - 2.0).abs() < 1e-3, "{c:?}");
        assert!(System::new(&knots).solve(RIDGE).is_none());
    }
}
