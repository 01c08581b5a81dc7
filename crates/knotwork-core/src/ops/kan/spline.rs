//! The uniform B-spline basis: its attributes, and its definition by Cox and de Boor.

use std::fmt;

use super::Outside;
use crate::{Result, Site, error::OpError};

/// The largest order that a basis may have.
pub const MAX_ORDER: usize = 16;

/// A B-spline basis on a uniform grid: `grid` intervals over [lo, hi], pieces of degree `order`, `grid + order`
/// functions an input.
///
/// The knots are t_j = lo + j h, h = (hi − lo) / grid, j = −order … grid + order: the grid, and `order` steps on either
/// side. Function m lives on [t_{m−order}, t_{m+1}). Intervals are closed on the left and open on the right; beyond the
/// outermost knots every function is 0, as in pykan, where [`outside`](Self::outside) says nothing else. At NaN every
/// function is NaN.
///
/// ```
/// use knotwork_core::ops::BSpline;
/// let basis = BSpline::new(5, 3)?.range(-2.0, 2.0)?;
/// assert_eq!(basis.count(), 8);
/// assert_eq!(basis.to_string(), "order=3 grid=5 range=[-2, 2]");
/// assert!(BSpline::new(0, 3).is_err());
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BSpline {
    order: usize,
    grid: usize,
    range: (f64, f64),
    outside: Outside,
}

impl BSpline {
    /// The basis of that many intervals and that order over [−1, 1].
    ///
    /// # Errors
    /// Where `grid` is 0 or above 2²⁰, or `order` above [`MAX_ORDER`].
    #[track_caller]
    pub fn new(grid: usize, order: usize) -> Result<Self> {
        let basis = Self { order, grid, range: (-1.0, 1.0), outside: Outside::Zero };
        if grid == 0 || grid > 1 << 20 {
            return Err(
                basis.refuse(format!("grid is {grid}; it must be from 1 to {}", 1 << 20), Site::here())
            );
        }
        if order > MAX_ORDER {
            return Err(
                basis.refuse(format!("order is {order}; it must be at most {MAX_ORDER}"), Site::here())
            );
        }
        Ok(basis)
    }

    /// Over [lo, hi] instead.
    ///
    /// # Errors
    /// Where an end is not finite in f32, or `lo` is not below `hi` by a step that f32 can tell.
    #[track_caller]
    pub fn range(mut self, lo: f64, hi: f64) -> Result<Self> {
        let site = Site::here();
        self.range = (lo, hi);
        let finite = (lo as f32).is_finite() && (hi as f32).is_finite();
        if !(finite && lo < hi) {
            return Err(self.refuse(format!("the range [{lo}, {hi}] must be finite and not empty"), site));
        }
        let step = self.step();
        if !((step as f32) > f32::MIN_POSITIVE && step.recip().is_finite()) {
            return Err(
                self.refuse(format!("{} intervals over [{lo}, {hi}] are too narrow", self.grid), site)
            );
        }
        Ok(self)
    }

    /// With another policy beyond [lo, hi].
    #[must_use]
    pub fn outside(mut self, outside: Outside) -> Self {
        self.outside = outside;
        self
    }

    /// What is beyond [lo, hi].
    #[must_use]
    pub fn policy(&self) -> Outside {
        self.outside
    }

    /// The degree of the pieces, k.
    #[must_use]
    pub fn order(&self) -> usize {
        self.order
    }

    /// The number of intervals, G.
    #[must_use]
    pub fn grid(&self) -> usize {
        self.grid
    }

    /// Both ends of the grid.
    #[must_use]
    pub fn ends(&self) -> (f64, f64) {
        self.range
    }

    /// The number of functions, G + k.
    #[must_use]
    pub fn count(&self) -> usize {
        self.grid + self.order
    }

    /// The width of an interval, h.
    #[must_use]
    pub fn step(&self) -> f64 {
        (self.range.1 - self.range.0) / self.grid as f64
    }

    /// Knot j, from −k to G + k.
    pub(super) fn knot(&self, j: isize) -> f64 {
        self.range.0 + j as f64 * self.step()
    }

    /// The derivative of order `d` of every function at `x`, by the definition:
    /// B_{j,0} = 1 on [t_j, t_{j+1}), else 0;
    /// B_{j,p}(x) = (x − t_j) / (t_{j+p} − t_j) B_{j,p−1}(x) + (t_{j+p+1} − x) / (t_{j+p+1} − t_{j+1}) B_{j+1,p−1}(x);
    /// B'_{j,p} = p (B_{j,p−1} / (t_{j+p} − t_j) − B_{j+1,p−1} / (t_{j+p+1} − t_{j+1})).
    ///
    /// 0 where `d` is above the order; else NaN at NaN. Beyond [lo, hi] what [`Outside`] says.
    ///
    /// ```
    /// use knotwork_core::ops::BSpline;
    /// let at_knot = BSpline::new(5, 3)?.evaluate(-1.0, 0);
    /// assert!((at_knot[1] - 2.0 / 3.0).abs() < 1e-15 && at_knot[3..].iter().all(|&b| b == 0.0));
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    #[must_use]
    pub fn evaluate(&self, x: f64, d: usize) -> Vec<f64> {
        let knots: Vec<f64> =
            (-(self.order as isize)..=(self.grid + self.order) as isize).map(|j| self.knot(j)).collect();
        evaluate(&knots, self.order, self.outside, x, d)
    }

    fn refuse(&self, message: String, site: Site) -> crate::Error {
        OpError { op: "BSpline".into(), inputs: vec![self.to_string()], message, site }.into()
    }
}

impl fmt::Display for BSpline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, grid, range: (lo, hi), outside } = self;
        write!(f, "order={order} grid={grid} range=[{lo}, {hi}]")?;
        match outside {
            Outside::Zero => Ok(()),
            other => write!(f, " outside={other}"),
        }
    }
}

/// The derivative of order `d` at `x` of every spline of order `k` over knots t_{−k} … t_{G+k}, under a policy.
pub(super) fn evaluate(knots: &[f64], k: usize, outside: Outside, x: f64, d: usize) -> Vec<f64> {
    let (low, high) = (knots[k], knots[knots.len() - 1 - k]);
    let beyond = x < low || x >= high;
    if outside == Outside::Zero || !beyond {
        return by_definition(knots, k, x, d, false);
    }
    let end = if x < low { low } else { high };
    let at_end = |d: usize| by_definition(knots, k, end, d, true);
    match (outside, d) {
        (Outside::Linear, 0) => {
            at_end(0).iter().zip(at_end(1)).map(|(value, slope)| value + slope * (x - end)).collect()
        }
        (Outside::Linear, 1) => at_end(1),
        (_, 0) => at_end(0),
        _ => vec![0.0; knots.len() - 1 - k],
    }
}

/// The same by the definition, 0/0 being 0: 0 beyond the outermost knots. `closed` takes t_G, and what lies above it, to the
/// last interval before it that is not empty. NaN at NaN, and where knots fall or are no numbers.
pub(super) fn by_definition(knots: &[f64], k: usize, x: f64, d: usize, closed: bool) -> Vec<f64> {
    let n = knots.len() - 1 - k;
    if d > k {
        return vec![0.0; n];
    }
    if x.is_nan() || !knots.is_sorted() {
        return vec![f64::NAN; n];
    }
    let high = knots[n];
    let mut b: Vec<f64> = if closed && x >= high {
        let cell = knots.windows(2).rposition(|t| t[0] < t[1] && t[1] <= high);
        (0..knots.len() - 1).map(|j| if Some(j) == cell { 1.0 } else { 0.0 }).collect()
    } else {
        knots.windows(2).map(|t| if t[0] <= x && x < t[1] { 1.0 } else { 0.0 }).collect()
    };
    if b.iter().all(|&b| b == 0.0) {
        return vec![0.0; n];
    }
    let ratio = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a / b };
    for p in 1..=k {
        for j in 0..b.len() - 1 {
            let (left, right) = (knots[j + p] - knots[j], knots[j + p + 1] - knots[j + 1]);
            b[j] = if p <= k - d {
                ratio(x - knots[j], left) * b[j] + ratio(knots[j + p + 1] - x, right) * b[j + 1]
            } else {
                p as f64 * (ratio(b[j], left) - ratio(b[j + 1], right))
            };
        }
        b.pop();
    }
    b
}
