//! Numbers of a formula made readable: rounded, or named as multiples of π.

use std::f64::consts::PI;

use super::{super::number, Expression};

impl Expression {
    /// Simplified, with every number rounded to so many decimals: terms whose factor rounds to 0 are gone.
    #[must_use]
    pub fn rounded(&self, decimals: usize) -> Self {
        self.rounded_by(|v| number::decimals(v, decimals))
    }

    /// Simplified, with every number rounded to so many significant digits, so that small terms stay.
    #[must_use]
    pub fn rounded_significant(&self, digits: usize) -> Self {
        self.rounded_by(|v| number::significant(v, digits))
    }

    fn rounded_by(&self, round: impl Fn(f64) -> f64) -> Self {
        let mut now = self.simplified();
        // A number that becomes 0 or 1 lets the formula shrink, which may multiply others: until nothing changes, 8 at most.
        for _ in 0..8 {
            let next = now.map_constants(&|v| Self::Constant(round(v))).simplified();
            if next == now {
                break;
            }
            now = next;
        }
        now
    }

    /// Every number within `tolerance` (a part of it) of p π/q written as that, for q of 1, 2, 3, 4 and 6 and p up to 12.
    /// [`simplified`](Self::simplified) turns it back into a number: this comes last.
    ///
    /// ```
    /// use knotwork_nn::symbolic::Expression;
    /// let e = Expression::variable("x") * 4.7124.into();
    /// assert_eq!(e.simplified().with_pi(1e-4).to_string(), "3*pi/2*x");
    /// assert_eq!(e.simplified().with_pi(1e-7).to_string(), "4.7124*x");
    /// ```
    #[must_use]
    pub fn with_pi(&self, tolerance: f64) -> Self {
        self.map_constants(&|v| {
            for denominator in [1u32, 2, 3, 4, 6] {
                let ratio = v / PI * f64::from(denominator);
                let p = ratio.round();
                if p != 0.0 && p.abs() <= 12.0 && (ratio - p).abs() <= tolerance * ratio.abs() {
                    return Self::Pi { numerator: p as i32, denominator };
                }
            }
            Self::Constant(v)
        })
    }
}
