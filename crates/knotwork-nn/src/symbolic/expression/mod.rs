//! Formulas: sums, products and functions of variables.

mod constants;
mod evaluate;
mod latex;
mod rust;
mod simplify;
#[cfg(test)]
mod tests;
mod write;

use std::{
    fmt,
    ops::{Add, Mul, Neg, Sub},
};

use super::Function;

/// A formula over named variables, in f64.
///
/// ```
/// use knotwork_nn::symbolic::{Expression, Library};
/// let library = Library::standard();
/// let (x, y) = (Expression::variable("x"), Expression::variable("y"));
/// let sine = Expression::apply(&library.get("sin")?, x * 3.14159.into());
/// let sum = sine + Expression::apply(&library.get("x^2")?, y) + 1e-7.into();
/// let formula = Expression::apply(&library.get("exp")?, sum).rounded(4).with_pi(1e-4);
/// assert_eq!(formula.to_string(), "exp(sin(pi*x) + y^2)");
/// assert_eq!(formula.to_latex(), r"\exp\left(\sin\left(\pi x\right) + y^{2}\right)");
/// let value = formula.evaluate(&[("x", 0.5), ("y", 0.0)])?;
/// assert!((value - 1f64.exp()).abs() < 1e-12);
/// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Expression {
    /// A number.
    Constant(f64),
    /// A rational multiple of π, from [`with_pi`](Self::with_pi).
    Pi {
        /// The numerator, not 0.
        numerator: i32,
        /// The denominator, from 1.
        denominator: u32,
    },
    /// A variable, by its name.
    Variable(String),
    /// A sum; 0 where it is empty.
    Sum(Vec<Expression>),
    /// A product; 1 where it is empty.
    Product(Vec<Expression>),
    /// A function of an expression.
    Apply(Function, Box<Expression>),
}

impl Expression {
    /// A variable.
    #[must_use]
    pub fn variable(name: impl Into<String>) -> Self {
        Self::Variable(name.into())
    }

    /// f of an expression.
    #[must_use]
    pub fn apply(function: &Function, argument: Self) -> Self {
        Self::Apply(function.clone(), Box::new(argument))
    }

    /// The names of the variables, each once, in the order in which they first appear.
    #[must_use]
    pub fn variables(&self) -> Vec<&str> {
        fn collect<'a>(e: &'a Expression, into: &mut Vec<&'a str>) {
            match e {
                Expression::Variable(name) if !into.contains(&name.as_str()) => into.push(name),
                Expression::Sum(parts) | Expression::Product(parts) => {
                    parts.iter().for_each(|p| collect(p, into))
                }
                Expression::Apply(_, argument) => collect(argument, into),
                _ => {}
            }
        }
        let mut names = Vec::new();
        collect(self, &mut names);
        names
    }

    /// How many nodes the formula has: numbers, variables, sums, products and functions.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Sum(parts) | Self::Product(parts) => 1 + parts.iter().map(Self::size).sum::<usize>(),
            Self::Apply(_, argument) => 1 + argument.size(),
            _ => 1,
        }
    }

    /// Every number of the formula changed; its structure kept.
    fn map_constants(&self, change: &impl Fn(f64) -> Self) -> Self {
        let all = |parts: &[Self]| parts.iter().map(|p| p.map_constants(change)).collect();
        match self {
            Self::Constant(v) => change(*v),
            Self::Sum(parts) => Self::Sum(all(parts)),
            Self::Product(parts) => Self::Product(all(parts)),
            Self::Apply(f, argument) => Self::Apply(f.clone(), Box::new(argument.map_constants(change))),
            other => other.clone(),
        }
    }
}

impl From<f64> for Expression {
    fn from(value: f64) -> Self {
        Self::Constant(value)
    }
}

impl Add for Expression {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::Sum(vec![self, other])
    }
}

impl Sub for Expression {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::Sum(vec![self, -other])
    }
}

impl Mul for Expression {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::Product(vec![self, other])
    }
}

impl Neg for Expression {
    type Output = Self;

    fn neg(self) -> Self {
        Self::Product(vec![Self::Constant(-1.0), self])
    }
}

impl fmt::Display for Expression {
    /// As text, numbers in full.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}
