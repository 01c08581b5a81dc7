//! A function of a library between two affine maps: what one edge of a network becomes.

use std::fmt;

use super::{Expression, Function, number};

/// c f(a x + b) + d.
///
/// ```
/// use knotwork_nn::symbolic::{Affine, Expression, Library};
/// let edge = Affine { function: Library::standard().get("sin")?, a: 3.0, b: 1.0, c: 2.0, d: 0.5 };
/// assert!((edge.value(0.2) - (2.0 * 1.6f64.sin() + 0.5)).abs() < 1e-15);
/// assert_eq!(edge.to_string(), "2*sin(3*x + 1) + 0.5");
/// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// f.
    pub function: Function,
    /// The factor inside.
    pub a: f64,
    /// The shift inside.
    pub b: f64,
    /// The factor outside.
    pub c: f64,
    /// The shift outside.
    pub d: f64,
}

impl Affine {
    /// c f(a x + b) + d; d alone where c is 0.
    #[must_use]
    pub fn value(&self, x: f64) -> f64 {
        if self.c == 0.0 { self.d } else { self.c * self.function.value(self.a * x + self.b) + self.d }
    }

    /// The derivative in x: a c f′(a x + b).
    #[must_use]
    pub fn derivative(&self, x: f64) -> f64 {
        if self.c == 0.0 { 0.0 } else { self.a * self.c * self.function.derivative_at(self.a * x + self.b) }
    }

    /// The same of an expression, simplified.
    #[must_use]
    pub fn of(&self, x: &Expression) -> Expression {
        let inside = Expression::from(self.a) * x.clone() + self.b.into();
        let outside = Expression::from(self.c) * Expression::apply(&self.function, inside);
        (outside + self.d.into()).simplified()
    }

    /// The same function in the form that reads best: a > 0 where f is even or odd, |a| = 1 for powers, b = 0 for `exp`, b in
    /// one period for `sin`.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let [a, b, c, d] = self.function.symmetry().canonical([self.a, self.b, self.c, self.d]);
        Self { function: self.function.clone(), a, b, c, d }
    }

    /// The [canonical](Self::canonical) form with the smaller b, whatever sign c has: for edges within a network, whose
    /// signs belong to others.
    pub(crate) fn shortest(&self) -> Self {
        let Self { function, a, b, c, d } = self.canonical();
        let [a, b, c, d] = function.symmetry().half_wave([a, b, c, d]);
        Self { function, a, b, c, d }
    }

    /// The four numbers, to six digits.
    pub(super) fn numbers(&self) -> [String; 4] {
        [self.a, self.b, self.c, self.d].map(|v| number::short(v, 6))
    }
}

impl fmt::Display for Affine {
    /// As a formula in `x`, in full precision.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.of(&Expression::variable("x")))
    }
}
