//! The functions that the edges of a layer are sums of.

use std::fmt;

use knotwork_core::ops::{BSpline, Basis, OnKnots, Outside};

use super::Knots;

/// The functions that edges are sums of: the same for every input, or splines over knots of each input's own.
#[derive(Clone, Debug, PartialEq)]
pub enum Functions {
    /// A basis, the same for every input.
    Basis(Basis),
    /// B-splines over knots of each input's own, with what they are beyond the grid. All have one order and one number of cells.
    OnKnots(Vec<Knots>, Outside),
}

impl Functions {
    /// The number of functions an input, n.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Basis(basis) => basis.count(),
            Self::OnKnots(knots, _) => knots.first().map_or(0, Knots::count),
        }
    }

    /// Where the functions of an input are made for.
    #[must_use]
    pub fn range(&self, input: usize) -> (f64, f64) {
        match self {
            Self::Basis(basis) => basis.range(),
            Self::OnKnots(knots, _) => knots.get(input).map_or((-1.0, 1.0), Knots::range),
        }
    }

    /// The derivative of order `d` of an input's functions at x, in f64; 0 where the basis has no such derivative.
    #[must_use]
    pub fn evaluate(&self, input: usize, x: f64, d: usize) -> Vec<f64> {
        let none = || vec![0.0; self.count()];
        match self {
            Self::Basis(basis) => basis.evaluate(x, d).unwrap_or_else(none),
            Self::OnKnots(knots, outside) => knots
                .get(input)
                .map_or_else(none, |knots| OnKnots::evaluate(knots.all(), knots.order(), *outside, x, d)),
        }
    }

    /// The cells and the order of splines, and what they are beyond the grid; none for other functions.
    #[must_use]
    pub fn spline(&self) -> Option<(usize, usize, Outside)> {
        match self {
            Self::Basis(basis) => basis.spline().map(|s| (s.grid(), s.order(), s.policy())),
            Self::OnKnots(knots, outside) => knots.first().map(|k| (k.cells(), k.order(), *outside)),
        }
    }

    /// The knots of an input's splines; none for other functions.
    #[must_use]
    pub fn knots(&self, input: usize) -> Option<Knots> {
        match self {
            Self::Basis(basis) => basis.spline().map(Knots::uniform),
            Self::OnKnots(knots, _) => knots.get(input).cloned(),
        }
    }

    /// The functions of some of the inputs, in that order.
    pub(super) fn of_inputs(&self, inputs: &[usize]) -> Self {
        match self {
            Self::Basis(basis) => Self::Basis(*basis),
            Self::OnKnots(knots, outside) => {
                Self::OnKnots(inputs.iter().filter_map(|i| knots.get(*i).cloned()).collect(), *outside)
            }
        }
    }
}

impl From<Basis> for Functions {
    fn from(basis: Basis) -> Self {
        Self::Basis(basis)
    }
}

impl From<BSpline> for Functions {
    fn from(basis: BSpline) -> Self {
        Self::Basis(basis.into())
    }
}

impl fmt::Display for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basis(basis) => write!(f, "{basis}"),
            Self::OnKnots(..) => {
                let (grid, order, outside) = self.spline().unwrap_or_default();
                write!(f, "bspline order={order} grid={grid} on knots of each input")?;
                if outside == Outside::Zero { Ok(()) } else { write!(f, " outside={outside}") }
            }
        }
    }
}
