//! The shortest form of a formula that says the same.

use knotwork_core::Site;

use super::{Expression, SymbolicError};

/// The most digits that are tried.
const DIGITS: usize = 9;

impl Expression {
    /// The shortest of the formula's rounded forms, with pi where a number is near a multiple of it, whose values over rows
    /// x [rows, inputs] differ from the formula's by at most `tolerance` in the root of the mean square; the formula itself
    /// where none does.
    ///
    /// ```
    /// use knotwork_nn::symbolic::{Affine, Expression, Library};
    /// let sine = Affine { function: Library::standard().get("sin")?, a: 3.141_59, b: 4e-7, c: 1.000_002, d: 3e-6 };
    /// let formula = sine.of(&Expression::variable("x"));
    /// let x: Vec<f64> = (0..50).map(|i| f64::from(i) / 25.0 - 1.0).collect();
    /// assert_eq!(formula.readable(&["x"], &x, 1e-4)?.to_string(), "sin(pi*x)");
    /// assert_eq!(formula.readable(&["x"], &x, 0.0)?, formula);
    /// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
    /// ```
    ///
    /// # Errors
    /// [`SymbolicError::MissingVariable`] where a variable is none of the inputs, and [`SymbolicError::Setting`] where x is no
    /// whole number of rows or the tolerance is negative.
    #[track_caller]
    pub fn readable(&self, inputs: &[&str], x: &[f64], tolerance: f64) -> Result<Self, SymbolicError> {
        let site = Site::here();
        if inputs.is_empty() || !x.len().is_multiple_of(inputs.len()) || tolerance.is_nan() || tolerance < 0.0
        {
            let what = format!(
                "{} values are no rows of {} inputs, or the tolerance {tolerance} is negative",
                x.len(),
                inputs.len()
            );
            return Err(SymbolicError::Setting { what, site });
        }
        let values = |formula: &Self| -> Result<Vec<f64>, SymbolicError> {
            let row = |row: &[f64]| {
                let named: Vec<(&str, f64)> = inputs.iter().copied().zip(row.iter().copied()).collect();
                formula.evaluate(&named)
            };
            x.chunks_exact(inputs.len()).map(row).collect()
        };
        let want = values(self)?;
        let near = |formula: &Self| -> Result<bool, SymbolicError> {
            let off: f64 = values(formula)?.iter().zip(&want).map(|(a, b)| (a - b).powi(2)).sum();
            Ok((off / want.len().max(1) as f64).sqrt() <= tolerance)
        };
        let mut forms: Vec<Self> = Vec::new();
        for digits in 1..=DIGITS {
            let few = self.rounded_significant(digits);
            forms.extend((0..=DIGITS).map(|decimals| few.rounded(decimals)));
            forms.push(few);
        }
        let close = |digits: i32| 10f64.powi(-digits);
        let with_pi: Vec<Self> =
            (2..6).flat_map(|d| forms.iter().map(move |f| f.with_pi(close(d)))).collect();
        forms.extend(with_pi);
        let mut written: Vec<(usize, Self)> =
            forms.into_iter().map(|f| (f.to_string().chars().count(), f)).collect();
        written.sort_by_key(|(length, _)| *length);
        written.dedup_by(|a, b| a.1 == b.1);
        for (_, form) in written {
            if near(&form)? {
                return Ok(form);
            }
        }
        Ok(self.clone())
    }
}
