//! Compares a value with what it should be, and finds the worst element.

use std::fmt;

use knotwork::HostTensor;

/// Where a value is not what it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The index of the worst element, one number a dimension.
    pub index: Vec<usize>,
    /// What was computed there.
    pub got: f64,
    /// What should have been.
    pub want: f64,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: got {:e}, want {:e}", self.index, self.got, self.want)
    }
}

/// The worst element of `got` where |got − want| > `allowed(want)`. NaN and infinities never hold, wherever they are.
///
/// ```
/// use knotwork::HostTensor;
/// let want = HostTensor::new(&[1.0f32, 2.0], [2])?;
/// let got = HostTensor::new(&[1.0f32, 2.5], [2])?;
/// assert!(kernels_test::compare(&got, &want, |w| 0.5 + 0.1 * w.abs()).is_ok());
/// let error = kernels_test::compare(&got, &want, |_| 1e-3).unwrap_err();
/// assert_eq!(error, "[1]: got 2.5e0, want 2e0");
/// # Ok::<(), knotwork::Error>(())
/// ```
///
/// # Errors
/// A text that shows the worst element, or says that the shapes differ.
pub fn compare(got: &HostTensor, want: &HostTensor, allowed: impl Fn(f64) -> f64) -> Result<(), String> {
    if got.shape() != want.shape() {
        return Err(format!(": got shape {:?}, want {:?}", got.shape(), want.shape()));
    }
    match worst(&got.to_f64(), &want.to_f64(), want.shape(), allowed) {
        Some(mismatch) => Err(mismatch.to_string()),
        None => Ok(()),
    }
}

/// The element that exceeds what is allowed by the largest factor, if one does.
pub(crate) fn worst(
    got: &[f64],
    want: &[f64],
    shape: &[usize],
    allowed: impl Fn(f64) -> f64,
) -> Option<Mismatch> {
    let mut found: Option<(f64, usize)> = None;
    for (k, (&g, &w)) in got.iter().zip(want).enumerate() {
        let difference = (g - w).abs();
        let factor = if !g.is_finite() || !w.is_finite() {
            f64::INFINITY
        } else if difference > allowed(w) {
            difference / allowed(w)
        } else {
            continue;
        };
        if found.is_none_or(|(before, _)| factor > before) {
            found = Some((factor, k));
        }
    }
    found.map(|(_, k)| Mismatch { index: index_of(k, shape), got: got[k], want: want[k] })
}

/// The index of the k-th element, row-major.
pub(crate) fn index_of(mut k: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (at, &n) in index.iter_mut().zip(shape).rev() {
        *at = k % n.max(1);
        k /= n.max(1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_infinity_never_hold() {
        for bad in [f64::NAN, f64::INFINITY] {
            assert!(worst(&[bad], &[bad], &[1], |_| f64::INFINITY).is_some());
            assert!(worst(&[bad], &[0.0], &[1], |_| f64::INFINITY).is_some());
        }
    }

    #[test]
    fn the_worst_element_is_named() {
        let found = worst(&[0.1, 0.0, 0.0, 9.0], &[0.0; 4], &[2, 2], |_| 1e-3).unwrap();
        assert_eq!(found.index, [1, 1]);
        assert_eq!(index_of(23, &[2, 3, 4]), [1, 2, 3]);
    }

    #[test]
    fn zero_tolerance_takes_equal_values_only() {
        assert!(worst(&[1.0], &[1.0], &[1], |_| 0.0).is_none());
        assert!(worst(&[1.0 + f64::EPSILON], &[1.0], &[1], |_| 0.0).is_some());
    }
}
