//! A line search for the strong Wolfe conditions (Nocedal and Wright, "Numerical Optimization", 2006, algorithms 3.5 and
//! 3.6), with cubic interpolation.

/// φ(t) = f(x + t d) and its slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub t: f64,
    pub value: f64,
    pub slope: f64,
}

/// The conditions: φ(t) ≤ φ(0) + c₁ t φ'(0) and |φ'(t)| ≤ c₂ |φ'(0)|.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wolfe {
    pub c1: f64,
    pub c2: f64,
    /// Points that may be looked at.
    pub evaluations: usize,
    /// The part of φ(0) that rounding hides: φ may be so much above, where its slope says that it falls.
    pub noise: f64,
}

impl Wolfe {
    fn decreases(&self, start: Point, at: Point) -> bool {
        // Hager and Zhang 2005, eq. 4: the first condition of a parabola, by slopes alone.
        let falls = || at.slope <= (2.0 * self.c1 - 1.0) * start.slope;
        at.value <= start.value + self.c1 * at.t * start.slope
            || (self.noise > 0.0 && at.value <= start.value + self.noise * start.value.abs() && falls())
    }

    /// Whether a value is not below another's, by more than rounding hides.
    fn is_above(&self, start: Point, at: Point, other: Point) -> bool {
        at.value >= other.value + self.noise * start.value.abs()
    }

    fn is_flat(&self, start: Point, at: Point) -> bool {
        at.slope.abs() <= self.c2 * start.slope.abs()
    }

    /// A step from `first` on that meets both conditions, or, where none is found in time, the lowest point seen that is
    /// below the start; the start where there is none. `start.slope` is below 0.
    pub fn search<E>(
        &self,
        start: Point,
        first: f64,
        mut look: impl FnMut(f64) -> Result<Point, E>,
    ) -> Result<Point, E> {
        let mut best = start;
        let mut left = self.evaluations;
        let mut look = |t: f64| -> Result<Option<Point>, E> {
            if left == 0 {
                return Ok(None);
            }
            left -= 1;
            let mut at = look(t)?;
            // Beyond where the function is defined it counts as high, so the step gets shorter.
            if !(at.value.is_finite() && at.slope.is_finite()) {
                (at.value, at.slope) = (f64::INFINITY, f64::INFINITY);
            }
            if at.value < best.value {
                best = at;
            }
            Ok(Some(at))
        };
        let mut before = start;
        let mut t = first;
        let (mut low, mut high) = loop {
            let Some(at) = look(t)? else { return Ok(best) };
            if !self.decreases(start, at) || (before.t > 0.0 && self.is_above(start, at, before)) {
                break (before, at);
            }
            if self.is_flat(start, at) {
                return Ok(at);
            }
            if at.slope >= 0.0 {
                break (at, before);
            }
            // Farther, by at most ten times.
            let farther = minimum(before, at).filter(|n| *n > at.t);
            t = farther.unwrap_or(f64::INFINITY).clamp(at.t + 0.01 * (at.t - before.t), 10.0 * at.t);
            before = at;
        };
        // A step that meets the conditions lies between `low`, the lowest point yet, and `high`.
        loop {
            let (a, b) = if low.t < high.t { (low.t, high.t) } else { (high.t, low.t) };
            let wide = b - a;
            if wide * start.slope.abs() <= 1e-16 * start.value.abs() || wide <= f64::EPSILON * b {
                return Ok(best);
            }
            // Not so near an end that nothing is learned.
            let t = minimum(low, high).unwrap_or(0.5 * (a + b)).clamp(a + 0.1 * wide, b - 0.1 * wide);
            let Some(at) = look(t)? else { return Ok(best) };
            if !self.decreases(start, at) || self.is_above(start, at, low) {
                high = at;
                continue;
            }
            if self.is_flat(start, at) {
                return Ok(at);
            }
            if at.slope * (high.t - low.t) >= 0.0 {
                high = low;
            }
            low = at;
        }
    }
}

/// Where the cubic through two points and their slopes has its minimum; none where it has none or is no number.
fn minimum(a: Point, b: Point) -> Option<f64> {
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    let d2 = (square >= 0.0).then(|| square.sqrt())?.copysign(b.t - a.t);
    let t = b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    t.is_finite().then_some(t)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WOLFE: Wolfe = Wolfe { c1: 1e-4, c2: 0.9, evaluations: 25, noise: 0.0 };

    fn run(wolfe: Wolfe, first: f64, f: impl Fn(f64) -> (f64, f64)) -> (Point, usize) {
        let mut looks = 0;
        let at = |t: f64| {
            let (value, slope) = f(t);
            Point { t, value, slope }
        };
        let found = wolfe.search(at(0.0), first, |t| {
            looks += 1;
            Ok::<_, ()>(at(t))
        });
        (found.unwrap(), looks)
    }

    #[test]
    fn steps_meet_both_conditions() {
        let tight = Wolfe { c2: 0.1, evaluations: 60, ..WOLFE };
        let functions: [fn(f64) -> (f64, f64); 4] = [
            |t| ((t - 3.0).powi(2), 2.0 * (t - 3.0)),
            |t| (t.cosh() - 2.0 * t, t.sinh() - 2.0),
            // Moré and Thuente 1994, function 1
            |t| (-t / (t * t + 2.0), (t * t - 2.0) / (t * t + 2.0).powi(2)),
            |t| {
                (
                    (t + 0.004).powi(5) - 2.0 * (t + 0.004).powi(4),
                    5.0 * (t + 0.004).powi(4) - 8.0 * (t + 0.004).powi(3),
                )
            },
        ];
        for (n, f) in functions.into_iter().enumerate() {
            for first in [1e-3, 0.1, 1.0, 10.0, 1e3] {
                let (at, _) = run(tight, first, f);
                let (value, slope) = f(0.0);
                assert!(at.value <= value + 1e-4 * at.t * slope, "{n} from {first}: {at:?}");
                // Nearer to the minimum no f64 tells two values apart.
                assert!(at.slope.abs() <= (0.1 * slope.abs()).max(1e-7), "{n} from {first}: {at:?}");
            }
        }
    }

    #[test]
    fn the_cubic_finds_the_minimum_of_a_parabola_at_once() {
        let f = |t: f64| ((t - 3.0).powi(2), 2.0 * (t - 3.0));
        let (at, looks) = run(Wolfe { c2: 1e-9, ..WOLFE }, 10.0, f);
        assert!((at.t - 3.0).abs() < 1e-9, "{at:?}");
        assert_eq!(looks, 2);
    }

    #[test]
    fn slopes_show_what_rounding_hides() {
        // A parabola so flat that values of four digits do not fall.
        let f = |t: f64| (((1.0 + 1e-6 * (t - 3.0).powi(2)) * 1e4).round() / 1e4, 2e-6 * (t - 3.0));
        assert_eq!(run(WOLFE, 1.0, f).0.t, 0.0);
        let (at, _) = run(Wolfe { noise: 1e-4, c2: 0.1, ..WOLFE }, 1.0, f);
        assert!((at.t - 3.0).abs() < 0.31, "{at:?}");
        // What rises by more than that is still above.
        let (at, _) = run(Wolfe { noise: 1e-4, ..WOLFE }, 8.0, |t| (1.0 + 1e-3 * t, -1.0));
        assert_eq!(at.t, 0.0);
    }

    #[test]
    fn what_is_not_defined_is_high() {
        // −ln(1 − t) − 3 t: no number beyond 1
        let f = |t: f64| (-(1.0 - t).ln() - 3.0 * t, 1.0 / (1.0 - t) - 3.0);
        let (at, _) = run(WOLFE, 8.0, f);
        assert!(at.t > 0.0 && at.t < 1.0 && at.value < 0.0, "{at:?}");
    }

    #[test]
    fn without_a_lower_point_it_stays_at_the_start() {
        // A slope that lies.
        let (at, looks) = run(WOLFE, 1.0, |t| (t, -1.0));
        assert_eq!(at.t, 0.0);
        assert!(looks <= 25);
        let (at, looks) = run(Wolfe { evaluations: 0, ..WOLFE }, 1.0, |t| (-t, -1.0));
        assert_eq!((at.t, looks), (0.0, 0));
    }
}
