//! Splines over knots that may lie anywhere, in f64 on the host: what grids are changed by.

use knotwork_core::ops::{BSpline, MAX_ORDER};

use super::project::System;
use crate::{Error, Result};

/// A ridge beside the mean diagonal element of a system: so small that only directions without data feel it.
const RIDGE: f64 = 1e-13;

/// The knots of one input: t_{−k} … t_{G+k}, not falling; cell q is [t_q, t_{q+1}], function j has the knots t_{j−k} … t_{j+1}.
#[derive(Clone, Debug, PartialEq)]
pub struct Knots {
    order: usize,
    all: Vec<f64>,
}

impl Knots {
    /// The evenly spaced ones of a basis.
    #[must_use]
    pub fn uniform(basis: &BSpline) -> Self {
        let (order, grid) = (basis.order() as isize, basis.grid() as isize);
        let (lo, step) = (basis.ends().0, basis.step());
        let mut all: Vec<f64> = (-order..=grid + order).map(|j| lo + j as f64 * step).collect();
        // The end as it was given.
        all[(order + grid) as usize] = basis.ends().1;
        Self { order: basis.order(), all }
    }

    /// Through the grid's points, which rise, with k more on each side as far apart as the points are on average.
    ///
    /// # Errors
    /// Where there are fewer than two points, one is not finite or not above the one before, or the order is above
    /// [`MAX_ORDER`](knotwork_core::ops::MAX_ORDER).
    #[track_caller]
    pub fn through(points: &[f64], order: usize) -> Result<Self> {
        let [first, .., last] = *points else {
            return Err(Error::setting(format!("Knots: {} points; there must be at least 2", points.len())));
        };
        if order > MAX_ORDER {
            return Err(Error::setting(format!("Knots: order is {order}; it must be at most {MAX_ORDER}")));
        }
        if let Some(at) = points.iter().position(|t| !t.is_finite()) {
            return Err(Error::setting(format!("Knots: point {at} is {}; it must be finite", points[at])));
        }
        if let Some(at) = points.windows(2).position(|pair| pair[0] >= pair[1]) {
            let (a, b) = (points[at], points[at + 1]);
            return Err(Error::setting(format!(
                "Knots: point {} is {b}; it must be above the one before, {a}",
                at + 1
            )));
        }
        let step = (last - first) / (points.len() - 1) as f64;
        if !(step * order as f64 + last.abs().max(first.abs())).is_finite() {
            return Err(Error::setting(format!(
                "Knots: [{first}, {last}] is too wide: knots beyond it are not finite"
            )));
        }
        let before = (1..=order).rev().map(|j| first - j as f64 * step);
        let after = (1..=order).map(|j| last + j as f64 * step);
        Ok(Self { order, all: before.chain(points.iter().copied()).chain(after).collect() })
    }

    /// From t_{−k} … t_{G+k}, which rise within the grid and do not fall beyond it.
    ///
    /// # Errors
    /// Where there are fewer than 2 k + 2, one is not finite or below the one before, or two of the grid are equal.
    #[track_caller]
    pub fn from_all(all: &[f64], order: usize) -> Result<Self> {
        if order > MAX_ORDER || all.len() < 2 * order + 2 {
            return Err(Error::setting(format!(
                "Knots: {} knots of order {order}; the order must be at most {MAX_ORDER}, and the knots at least twice as many and 2",
                all.len()
            )));
        }
        let grid = &all[order..all.len() - order];
        if !all.iter().all(|t| t.is_finite()) || !all.is_sorted() || grid.windows(2).any(|t| t[0] >= t[1]) {
            return Err(Error::setting(
                "Knots: the knots must be finite and not fall, and those of the grid must rise",
            ));
        }
        Ok(Self { order, all: all.to_vec() })
    }

    /// Knots where samples are: `uniform` times evenly spaced points over the samples' range and 1 − `uniform` times their
    /// quantiles (pykan's `grid_eps`), no cell narrower than a thousandth of an even one. Repeated samples count
    /// as often as they are there; those that are no numbers do not.
    ///
    /// ```
    /// use knotwork_nn::kan::Knots;
    /// let samples: Vec<f64> = (0..1000).map(|i| (f64::from(i) / 999.0).powi(3)).collect();
    /// let knots = Knots::of_samples(&samples, 4, 3, 0.02)?;
    /// assert!(knots.grid()[1] < 0.03 && knots.grid()[3] > 0.4); // close where samples are
    /// assert_eq!(knots.cells(), 4);
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where `grid` is 0, `uniform` is not from 0 to 1, the order is above [`MAX_ORDER`](knotwork_core::ops::MAX_ORDER), or all
    /// samples are one number: such an input keeps its grid.
    #[track_caller]
    pub fn of_samples(samples: &[f64], grid: usize, order: usize, uniform: f64) -> Result<Self> {
        if grid == 0 {
            return Err(Error::setting("Knots: grid is 0; there must be at least 1 cell"));
        }
        if !(0.0..=1.0).contains(&uniform) {
            return Err(Error::setting(format!("Knots: uniform is {uniform}; it must be from 0 to 1")));
        }
        let mut sorted: Vec<f64> = samples.iter().copied().filter(|x| x.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = match sorted[..] {
            [low, .., high] if !(high - low).is_finite() => {
                return Err(Error::setting(format!(
                    "Knots: the samples lie in [{low}, {high}], which is too wide"
                )));
            }
            [low, .., high] if low < high => (low, high),
            _ => {
                let held = sorted.first().map_or_else(|| "no number".to_owned(), |x| format!("{x} alone"));
                return Err(Error::setting(format!("Knots: the samples hold {held}; a grid needs a range")));
            }
        };
        let step = (high - low) / grid as f64;
        let quantile = |j: usize| {
            let at = j as f64 * (sorted.len() - 1) as f64 / grid as f64;
            let (from, part) = (at.floor(), at.fract());
            let next = sorted[(from as usize + 1).min(sorted.len() - 1)];
            (1.0 - part) * sorted[from as usize] + part * next
        };
        let mut points: Vec<f64> =
            (0..=grid).map(|j| uniform * (low + j as f64 * step) + (1.0 - uniform) * quantile(j)).collect();
        // Quantiles of repeated samples meet: each cell gets its least width, from the left, then from the right.
        let least = 1e-3 * step;
        (points[0], points[grid]) = (low, high);
        for j in 1..grid {
            points[j] = points[j].max(points[j - 1] + least);
        }
        for j in (1..grid).rev() {
            points[j] = points[j].min(points[j + 1] - least);
        }
        Self::through(&points, order)
    }

    /// The grid's ends moved outwards by a part of its width.
    #[track_caller]
    pub(super) fn widened(self, margin: f64) -> Result<Self> {
        if margin == 0.0 {
            return Ok(self);
        }
        let mut points = self.grid().to_vec();
        let ((low, high), last) = (self.range(), points.len() - 1);
        let room = margin * (high - low);
        (points[0], points[last]) = (low - room, high + room);
        Self::through(&points, self.order)
    }

    /// The coefficients whose spline is nearest to samples (x, y) in the sum of squares, with `smoothing` times the squares of
    /// the coefficients' second differences beside it (relative to the system's mean diagonal element): in a gap of the data the
    /// function is straight. Samples beyond the grid do not count.
    ///
    /// ```
    /// use knotwork_core::ops::BSpline;
    /// use knotwork_nn::kan::Knots;
    /// let knots = Knots::uniform(&BSpline::new(8, 3)?);
    /// let samples: Vec<(f64, f64)> = (0..200).map(|i| f64::from(i) / 99.5 - 1.0).map(|x| (x, x.sin())).collect();
    /// let coefficients = knots.fit(&samples, 1e-9)?;
    /// assert!((knots.value(&coefficients, 0.5) - 0.5f64.sin()).abs() < 1e-5);
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where no sample lies in the grid, one is not finite, or `smoothing` is not from 0 to 1e6.
    #[track_caller]
    pub fn fit(&self, samples: &[(f64, f64)], smoothing: f64) -> Result<Vec<f64>> {
        if !(smoothing >= 0.0 && smoothing.is_finite()) {
            return Err(Error::setting(format!(
                "Knots: smoothing is {smoothing}; it must be finite, at least 0"
            )));
        }
        let (low, high) = (self.grid()[0], self.grid()[self.cells()]);
        let mut system = System::new(self);
        let mut inside = 0;
        for (at, &(x, y)) in samples.iter().enumerate() {
            if !(x.is_finite() && y.is_finite()) {
                return Err(Error::setting(format!("Knots: sample {at} is {y} at {x}; both must be finite")));
            }
            if (low..=high).contains(&x) {
                inside += 1;
                system.add(self.cell(x), x, 1.0, std::iter::once(y), 1);
            }
        }
        if inside == 0 {
            return Err(Error::setting(format!("Knots: no sample lies in the grid, [{low}, {high}]")));
        }
        system.smooth(smoothing);
        let found = system.solve(RIDGE).and_then(|mut columns| columns.pop());
        let found = found.filter(|c| c.iter().all(|c| c.is_finite()));
        found.ok_or_else(|| {
            Error::setting(format!("Knots: {inside} samples in [{low}, {high}] say no coefficients"))
        })
    }

    /// Σ_j c_j B_j(x); beyond the grid the outermost cells' polynomials go on. Coefficients that are not there count as 0.
    #[must_use]
    pub fn value(&self, coefficients: &[f64], x: f64) -> f64 {
        let cell = self.cell(x);
        let mut weights = vec![0.0; self.order + 1];
        self.weights(cell, x, &mut weights);
        weights.iter().zip(coefficients.iter().skip(cell)).map(|(w, c)| w * c).sum()
    }

    /// The degree, k.
    #[must_use]
    pub fn order(&self) -> usize {
        self.order
    }

    /// The number of cells, G.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.all.len() - 1 - 2 * self.order
    }

    /// The number of functions, G + k.
    #[must_use]
    pub fn count(&self) -> usize {
        self.cells() + self.order
    }

    /// Knots of the grid itself, t_0 … t_G.
    #[must_use]
    pub fn grid(&self) -> &[f64] {
        &self.all[self.order..self.all.len() - self.order]
    }

    /// The grid's ends, t_0 and t_G.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (self.all[self.order], self.all[self.all.len() - 1 - self.order])
    }

    /// All knots, from t_{−k} on.
    #[must_use]
    pub fn all(&self) -> &[f64] {
        &self.all
    }

    /// t_j, from −k on.
    fn knot(&self, j: isize) -> f64 {
        self.all[(j + self.order as isize) as usize]
    }

    /// The cell of the grid that x lies in; the first or the last where it lies in none.
    #[must_use]
    pub fn cell(&self, x: f64) -> usize {
        let grid = self.grid();
        grid.partition_point(|t| *t <= x).saturating_sub(1).min(self.cells() - 1)
    }

    /// The k + 1 functions of a cell at x, the first of them that of the cell's number: the polynomials of the cell, also for x
    /// outside it.
    pub(super) fn weights(&self, cell: usize, x: f64, weights: &mut [f64]) {
        let q = cell as isize;
        weights[0] = 1.0;
        for j in 1..=self.order {
            let mut saved = 0.0;
            for r in 0..j {
                let right = self.knot(q + 1 + r as isize) - x;
                let left = x - self.knot(q + 1 + r as isize - j as isize);
                let part = weights[r] / (right + left);
                weights[r] = saved + right * part;
                saved = left * part;
            }
            weights[j] = saved;
        }
    }

    /// The polar form of Σ_j c_j B_j's polynomial on a cell at k arguments: the value where they are all x.
    /// `c` are the k + 1 coefficients from the cell's number on.
    fn polar(&self, cell: usize, c: &[f64], arguments: &[f64]) -> f64 {
        let (k, q) = (self.order, cell as isize);
        let mut d = c.to_vec();
        for (level, &a) in arguments.iter().enumerate().map(|(l, a)| (l + 1, a)) {
            for r in (level..=k).rev() {
                let low = self.knot(q + r as isize - k as isize);
                let high = self.knot(q + (r + 1) as isize - level as isize);
                let alpha = (a - low) / (high - low);
                d[r] = (1.0 - alpha) * d[r - 1] + alpha * d[r];
            }
        }
        d[k]
    }

    /// Whether every knot of the other's grid is one of this grid's, so that its functions are sums of this one's.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.grid(), other.grid());
        let wide = mine[mine.len() - 1] - mine[0];
        let near = |t: f64| {
            let at = mine.partition_point(|m| *m < t - 1e-12 * wide);
            mine.get(at).is_some_and(|m| (m - t).abs() <= 1e-12 * wide)
        };
        let ends = (mine[0] - theirs[0]).abs() <= 1e-12 * wide
            && (mine[mine.len() - 1] - theirs[theirs.len() - 1]).abs() <= 1e-12 * wide;
        ends && self.order == other.order && theirs.iter().all(|t| near(*t))
    }

    /// The coefficients over `self` of a function with coefficients over `old`, whose knots are among these: the same function
    /// within the grid.
    pub(super) fn insert(&self, old: &Self, c: &[f64]) -> Vec<f64> {
        let k = self.order;
        let mut arguments = vec![0.0; k];
        (0..self.count())
            .map(|j| {
                // A cell in the middle of the function's support: there the old coefficients are combined most evenly.
                let cell = (j as isize - (k / 2) as isize).clamp(0, self.cells() as isize - 1);
                let middle = 0.5 * (self.knot(cell) + self.knot(cell + 1));
                let from = old.cell(middle);
                for (l, a) in arguments.iter_mut().enumerate() {
                    *a = self.knot(j as isize - k as isize + 1 + l as isize);
                }
                old.polar(from, &c[from..=from + k], &arguments)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coefficients(n: usize) -> Vec<f64> {
        (0..n).map(|j| ((j * j) as f64 * 0.7 + 0.3).sin()).collect()
    }

    #[test]
    fn uniform_knots_have_the_basis_functions() {
        for (grid, order) in [(5, 3), (1, 2), (4, 0), (3, 5)] {
            let basis = BSpline::new(grid, order).unwrap().range(-1.0, 2.0).unwrap();
            let knots = Knots::uniform(&basis);
            assert_eq!((knots.cells(), knots.count()), (grid, basis.count()));
            let mut w = vec![0.0; order + 1];
            for i in 0..100 {
                let x = -1.0 + 3.0 * (f64::from(i) + 0.5) / 100.0;
                let cell = knots.cell(x);
                knots.weights(cell, x, &mut w);
                let want = basis.evaluate(x, 0);
                for (r, w) in w.iter().enumerate() {
                    assert!((w - want[cell + r]).abs() < 1e-14);
                }
            }
        }
    }

    #[test]
    fn knots_anywhere_sum_to_one_and_the_polar_form_is_the_value() {
        let knots = Knots::through(&[-1.0, -0.9, 0.1, 0.15, 2.0], 3).unwrap();
        let c = coefficients(knots.count());
        let mut w = vec![0.0; 4];
        for i in 0..=50 {
            let x = -1.0 + 3.0 * f64::from(i) / 50.0;
            let cell = knots.cell(x);
            knots.weights(cell, x, &mut w);
            assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-13 && w.iter().all(|w| *w >= -1e-15));
            let polar = knots.polar(cell, &c[cell..=cell + 3], &[x; 3]);
            assert!((polar - Knots::value(&knots, &c, x)).abs() < 1e-12);
        }
    }

    #[test]
    fn inserted_knots_keep_the_function() {
        for order in [0, 1, 2, 3, 5] {
            for (from, to) in [(5, 10), (3, 12), (1, 7), (20, 40), (100, 200)] {
                let uniform =
                    |grid| Knots::uniform(&BSpline::new(grid, order).unwrap().range(-1.5, 0.7).unwrap());
                let (old, new) = (uniform(from), uniform(to));
                assert!(new.contains(&old) && !old.contains(&new));
                let c = coefficients(old.count());
                let found = new.insert(&old, &c);
                for i in 0..400 {
                    let x = -1.5 + 2.2 * (f64::from(i) + 0.5) / 400.0;
                    let (a, b) = (Knots::value(&old, &c, x), Knots::value(&new, &found, x));
                    assert!((a - b).abs() < 1e-12, "order {order}, {from} to {to}, at {x}: {a}, {b}");
                }
            }
        }
        // The two-scale relation of cubics.
        let c = coefficients(8);
        let uniform = |grid| Knots::uniform(&BSpline::new(grid, 3).unwrap());
        let found = uniform(10).insert(&uniform(5), &c);
        for m in 0..6 {
            assert!((found[2 * m] - 0.5 * (c[m] + c[m + 1])).abs() < 1e-14 || m == 5);
            assert!((found[2 * m + 1] - (c[m] + 6.0 * c[m + 1] + c[m + 2]) / 8.0).abs() < 1e-14);
        }
        let bent = Knots::through(&[-1.0, -0.5, 0.3, 0.35, 2.0], 3).unwrap();
        let more = Knots::through(&[-1.0, -0.7, -0.5, 0.1, 0.3, 0.35, 1.0, 2.0], 3).unwrap();
        let c = coefficients(bent.count());
        let found = more.insert(&bent, &c);
        for i in 0..100 {
            let x = -1.0 + 3.0 * f64::from(i) / 100.0;
            assert!((Knots::value(&bent, &c, x) - Knots::value(&more, &found, x)).abs() < 1e-12);
        }
    }

    #[test]
    fn samples_of_all_kinds_have_knots() {
        // Nearly all of them one number; a step; one sample beside many; NaN among them.
        let mut inflated = vec![0.0; 990];
        inflated.extend((0..10).map(|i| f64::from(i) / 9.0));
        let two: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let holes = vec![f64::NAN, 1.0, f64::INFINITY, 2.0, 3.0];
        for samples in [inflated, two, holes, vec![1.0, 1.0 + 1e-9]] {
            for uniform in [0.0, 0.02, 1.0] {
                let knots = Knots::of_samples(&samples, 7, 3, uniform).unwrap();
                let grid = knots.grid();
                assert_eq!(knots.cells(), 7);
                let finite = samples.iter().copied().filter(|x| x.is_finite());
                assert_eq!(grid[0], finite.clone().fold(f64::INFINITY, f64::min));
                assert_eq!(grid[7], finite.fold(f64::NEG_INFINITY, f64::max));
                let least = 0.99e-3 * (grid[7] - grid[0]) / 7.0;
                assert!(grid.windows(2).all(|pair| pair[1] - pair[0] >= least), "{grid:?}");
            }
        }
    }

    #[test]
    fn what_has_no_knots_is_refused() {
        let text = |r: Result<Knots>| {
            let text = r.unwrap_err().to_string();
            assert!(text.contains("knots.rs"), "{text}");
            text
        };
        assert!(text(Knots::of_samples(&[2.0; 9], 5, 3, 0.0)).contains("hold 2 alone"));
        assert!(text(Knots::of_samples(&[f64::NAN], 5, 3, 0.0)).contains("hold no number"));
        assert!(text(Knots::of_samples(&[0.0, 1.0], 0, 3, 0.0)).contains("grid is 0"));
        assert!(text(Knots::of_samples(&[0.0, 1.0], 5, 3, 1.5)).contains("uniform is 1.5"));
        assert!(text(Knots::through(&[1.0], 3)).contains("1 points"));
        assert!(text(Knots::through(&[1.0, 1.0], 3)).contains("point 1 is 1; it must be above"));
        assert!(text(Knots::through(&[1.0, f64::NAN], 3)).contains("point 1 is NaN"));
        assert!(text(Knots::through(&[1.0, 2.0], 99)).contains("order is 99"));
        let knots = Knots::through(&[0.0, 1.0], 3).unwrap();
        assert!(
            knots
                .fit(&[(3.0, 1.0)], 0.0)
                .unwrap_err()
                .to_string()
                .contains("no sample lies in the grid, [0, 1]")
        );
        assert!(
            knots.fit(&[(0.5, f64::NAN)], 0.0).unwrap_err().to_string().contains("sample 0 is NaN at 0.5")
        );
        assert!(knots.fit(&[(0.5, 1.0)], -1.0).unwrap_err().to_string().contains("smoothing is -1"));
        assert!(knots.fit(&[(f64::NAN, 1.0)], 0.0).unwrap_err().to_string().contains("sample 0 is 1 at NaN"));
        assert!(text(Knots::through(&[-1e308, 1e308], 3)).contains("is too wide"));
        assert!(text(Knots::of_samples(&[-1e308, 1e308], 4, 3, 0.1)).contains("which is too wide"));
    }
}
