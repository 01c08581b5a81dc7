//! What a formula is worth, and how fast it changes.

use std::f64::consts::PI;

use knotwork_core::Site;

use super::{super::SymbolicError, Expression};

impl Expression {
    /// The value where the variables have these values; NaN or an infinity where a function is not defined.
    ///
    /// # Errors
    ///
    /// [`SymbolicError::MissingVariable`] for a variable without a value.
    #[track_caller]
    pub fn evaluate(&self, values: &[(&str, f64)]) -> Result<f64, SymbolicError> {
        Ok(self.both(values, None, Site::here())?.0)
    }

    /// The derivative in one variable where the variables have these values, by the functions' own derivatives; 0 for a name
    /// that the formula has not.
    ///
    /// ```
    /// use knotwork_nn::symbolic::Expression;
    /// let x = Expression::variable("x");
    /// let square = x.clone() * x;
    /// assert_eq!(square.derivative("x", &[("x", 3.0)])?, 6.0);
    /// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SymbolicError::MissingVariable`] for a variable without a value.
    #[track_caller]
    pub fn derivative(&self, variable: &str, values: &[(&str, f64)]) -> Result<f64, SymbolicError> {
        Ok(self.both(values, Some(variable), Site::here())?.1)
    }

    /// The value, and the derivative in a variable (0 where none is asked for).
    fn both(
        &self,
        values: &[(&str, f64)],
        variable: Option<&str>,
        site: Site,
    ) -> Result<(f64, f64), SymbolicError> {
        Ok(match self {
            Self::Constant(v) => (*v, 0.0),
            Self::Pi { numerator, denominator } => (pi(*numerator, *denominator), 0.0),
            Self::Variable(name) => {
                let found = values.iter().find(|v| v.0 == name);
                let Some((_, v)) = found else {
                    let known = values.iter().map(|v| v.0.to_owned()).collect();
                    return Err(SymbolicError::MissingVariable { variable: name.clone(), known, site });
                };
                (*v, if variable == Some(name) { 1.0 } else { 0.0 })
            }
            Self::Sum(parts) => {
                let (mut value, mut slope) = (0.0, 0.0);
                for p in parts {
                    let (v, s) = p.both(values, variable, site)?;
                    (value, slope) = (value + v, slope + s);
                }
                (value, slope)
            }
            Self::Product(parts) => {
                let (mut value, mut slope) = (1.0, 0.0);
                for p in parts {
                    let (v, s) = p.both(values, variable, site)?;
                    (slope, value) = (slope * v + value * s, value * v);
                }
                (value, slope)
            }
            Self::Apply(f, argument) => {
                let (u, s) = argument.both(values, variable, site)?;
                // Where the argument stands still, so does f, whatever its derivative.
                (f.value(u), if s == 0.0 { 0.0 } else { f.derivative_at(u) * s })
            }
        })
    }
}

/// numerator/denominator · π.
pub(super) fn pi(numerator: i32, denominator: u32) -> f64 {
    f64::from(numerator) * PI / f64::from(denominator)
}
