//! What is in a tensor, in one line: for messages about values.

use std::fmt;

use crate::tensor::{DType, HostTensor, format_shape};

/// The range of a tensor's elements and how many of them are no numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What it is: an input, a parameter, the result of an operation, with the line that made it.
    pub what: String,
    /// The element type.
    pub dtype: DType,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// The smallest finite element; NaN where there is none.
    pub min: f64,
    /// The largest finite element; NaN where there is none.
    pub max: f64,
    /// The mean of the finite elements; NaN where there is none.
    pub mean: f64,
    /// How many elements are NaN.
    pub nans: usize,
    /// How many elements are infinite.
    pub infinities: usize,
}

impl Summary {
    /// The summary of a tensor, called `what`.
    ///
    /// ```
    /// use knotwork_core::{HostTensor, device::Summary};
    /// let s = Summary::of("x", &HostTensor::new(&[1.0f32, -2.0, f32::NAN], [3])?);
    /// assert_eq!((s.min, s.max, s.nans), (-2.0, 1.0, 1));
    /// assert_eq!(s.to_string(), "x: f32[3] in -2..1, mean -0.5, 1 NaN");
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    #[must_use]
    pub fn of(what: impl Into<String>, value: &HostTensor) -> Self {
        let (mut min, mut max, mut sum, mut finite) = (f64::NAN, f64::NAN, 0.0, 0usize);
        let (mut nans, mut infinities) = (0, 0);
        for x in value.to_f64() {
            if x.is_finite() {
                // The smaller or larger of a NaN and a number is the number.
                (min, max, sum, finite) = (min.min(x), max.max(x), sum + x, finite + 1);
            } else if x.is_nan() {
                nans += 1;
            } else {
                infinities += 1;
            }
        }
        Self {
            what: what.into(),
            dtype: value.dtype(),
            shape: value.shape().to_vec(),
            min,
            max,
            mean: sum / finite as f64,
            nans,
            infinities,
        }
    }

    /// Whether every element is a number.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.nans + self.infinities == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{}", self.what, self.dtype, format_shape(&self.shape))?;
        if !self.min.is_nan() {
            write!(f, " in {}..{}, mean {}", short(self.min), short(self.max), short(self.mean))?;
        }
        if self.nans > 0 {
            write!(f, ", {} NaN", self.nans)?;
        }
        if self.infinities > 0 {
            write!(f, ", {} infinite", self.infinities)?;
        }
        Ok(())
    }
}

/// A number in at most some seven digits: as it is written where that is short.
pub(super) fn short(x: f64) -> String {
    let plain = x.to_string();
    if plain.len() <= 8 { plain } else { format!("{x:.6e}") }
}

/// The indices of an element, from its row-major place.
pub(super) fn element(shape: &[usize], mut at: usize) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i = at % n.max(1);
        at /= n.max(1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_indices() {
        assert_eq!(element(&[2, 3, 4], 17), [1, 1, 1]);
        assert_eq!(element(&[], 0), Vec::<usize>::new());
    }

    #[test]
    fn nothing_and_only_nan_have_no_range() {
        let empty = Summary::of("e", &HostTensor::zeros(DType::F32, [0, 3]));
        assert_eq!(empty.to_string(), "e: f32[0, 3]");
        let nan = Summary::of("n", &HostTensor::scalar(f32::NAN));
        assert_eq!(nan.to_string(), "n: f32[], 1 NaN");
        assert!(empty.is_finite() && !nan.is_finite());
    }

    #[test]
    fn long_numbers_are_rounded() {
        assert_eq!(short(1.0 / 3.0), "3.333333e-1");
        assert_eq!(short(-0.25), "-0.25");
    }
}
