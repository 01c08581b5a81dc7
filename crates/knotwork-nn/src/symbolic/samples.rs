//! Samples of one edge, checked and made ready for fits.

use knotwork_core::Site;

use super::SymbolicError;

/// Samples (x, y) of a function of one variable, all finite. At most [`MOST`](Self::MOST) of them, evenly taken by the rank
/// of x with both ends, are used to search; r² is over all.
///
/// ```
/// use knotwork_nn::symbolic::Samples;
/// let x: Vec<f64> = (0..50).map(|i| f64::from(i) / 10.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
/// assert_eq!(Samples::new(&x, &y)?.len(), 50);
/// let e = Samples::new(&x[..3], &y[..3]).unwrap_err().to_string();
/// assert!(e.starts_with("3 samples are too few to fit a, b, c and d: at least 5 are needed"), "{e}");
/// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Samples {
    x: Vec<f64>,
    y: Vec<f64>,
    pub(super) frame: Frame,
    pub(super) fine: Set,
    pub(super) coarse: Set,
}

/// The frame of the search: t = (x − centre)/half lies in [−1, 1], y/scale too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub centre: f64,
    pub half: f64,
    pub scale: f64,
}

/// Samples in the frame.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub t: Vec<f64>,
    pub y: Vec<f64>,
    /// y less its mean.
    pub centred: Vec<f64>,
    pub mean: f64,
    /// The sum of the squares of `centred`; 0 where y is constant.
    pub spread: f64,
}

impl Samples {
    /// The least number of samples: one more than a, b, c and d.
    pub const MIN: usize = 5;
    /// The most samples that a search looks at.
    pub const MOST: usize = 1000;
    /// Samples on the first grid, which only has to find the right hill.
    pub(super) const COARSE: usize = 128;
    /// y is constant where its standard deviation is at most this part of the largest |y|.
    pub const CONSTANT: f64 = 1e-12;

    /// Samples of y over x, in any order.
    ///
    /// # Errors
    ///
    /// [`SymbolicError::Lengths`], [`SymbolicError::TooFew`] below [`MIN`](Self::MIN), and [`SymbolicError::NotFinite`] with
    /// the index of the first NaN or infinity.
    #[track_caller]
    pub fn new(x: &[f64], y: &[f64]) -> Result<Self, SymbolicError> {
        let site = Site::here();
        if x.len() != y.len() {
            return Err(SymbolicError::Lengths { x: x.len(), y: y.len(), site });
        }
        if x.len() < Self::MIN {
            return Err(SymbolicError::TooFew { got: x.len(), site });
        }
        for (index, (x, y)) in x.iter().zip(y).enumerate() {
            for (axis, value) in [("x", x), ("y", y)] {
                if !value.is_finite() {
                    return Err(SymbolicError::NotFinite { index, axis, value: value.to_string(), site });
                }
            }
        }
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|i, j| x[*i].total_cmp(&x[*j]));
        let (low, high) = (x[order[0]], x[order[x.len() - 1]]);
        // Halves first: the width of f64's whole range is no f64.
        let half = high / 2.0 - low / 2.0;
        let largest = y.iter().fold(0.0, |m: f64, y| m.max(y.abs()));
        let frame = Frame {
            centre: low / 2.0 + high / 2.0,
            half: if half > 0.0 && half.is_normal() { half } else { 1.0 },
            scale: if largest.is_normal() { largest } else { 1.0 },
        };
        let set = |most: usize| {
            let n = order.len().min(most);
            let rank = |k: usize| order[k * (order.len() - 1) / (n - 1)];
            let (t, ys) =
                (0..n).map(rank).map(|i| ((x[i] - frame.centre) / frame.half, y[i] / frame.scale)).unzip();
            Set::new(t, ys)
        };
        Ok(Self { fine: set(Self::MOST), coarse: set(Self::COARSE), x: x.to_vec(), y: y.to_vec(), frame })
    }

    /// The samples' x.
    #[must_use]
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// The samples' y.
    #[must_use]
    pub fn y(&self) -> &[f64] {
        &self.y
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Never: there are at least [`MIN`](Self::MIN).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// Whether y does not depend on x: its standard deviation is at most [`CONSTANT`](Self::CONSTANT) max |y|.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.spread().1 == 0.0
    }

    /// The mean of y, in its own unit, and the sum of the squares of (y − mean)/scale; 0 where y is constant.
    pub(super) fn spread(&self) -> (f64, f64) {
        let scaled: Vec<f64> = self.y.iter().map(|y| y / self.frame.scale).collect();
        let (mean, spread) = moments(&scaled);
        (mean * self.frame.scale, spread)
    }
}

impl Set {
    fn new(t: Vec<f64>, y: Vec<f64>) -> Self {
        let (mean, spread) = moments(&y);
        Self { centred: y.iter().map(|y| y - mean).collect(), t, y, mean, spread }
    }
}

/// The mean and the sum of squared deviations, in two passes; deviations that are rounding alone count as 0.
pub(super) fn moments(v: &[f64]) -> (f64, f64) {
    let n = v.len() as f64;
    let first = v.iter().sum::<f64>() / n;
    // The second pass takes away what rounding left in the mean.
    let mean = first + v.iter().map(|v| v - first).sum::<f64>() / n;
    let spread: f64 = v.iter().map(|v| (v - mean) * (v - mean)).sum();
    let largest = v.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let rounding = n * (Samples::CONSTANT * largest).powi(2);
    (mean, if spread <= rounding { 0.0 } else { spread })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_samples_are_named() {
        let x = [0.0, 1.0, 2.0, 3.0, 4.0];
        let e = Samples::new(&x, &x[1..]).unwrap_err();
        assert!(matches!(e, SymbolicError::Lengths { x: 5, y: 4, .. }), "{e}");
        let mut y = x;
        y[3] = f64::NAN;
        let e = Samples::new(&x, &y).unwrap_err().to_string();
        assert!(e.starts_with("sample 3: y is NaN, not finite (at ") && e.contains("samples.rs:"), "{e}");
        let e = Samples::new(&[0.0, 1.0, f64::INFINITY, 3.0, 4.0], &y).unwrap_err().to_string();
        assert!(e.starts_with("sample 2: x is inf"), "{e}");
        assert!(matches!(Samples::new(&[], &[]), Err(SymbolicError::TooFew { got: 0, .. })));
    }

    #[test]
    fn the_frame_and_the_parts() {
        let x: Vec<f64> = (0..5000).map(|i| f64::from((i * 7919) % 5000)).collect();
        let y: Vec<f64> = x.iter().map(|x| 1e200 * x).collect();
        let s = Samples::new(&x, &y).unwrap();
        assert_eq!((s.len(), s.fine.t.len(), s.coarse.t.len()), (5000, 1000, 128));
        for set in [&s.fine, &s.coarse] {
            assert_eq!((set.t[0], *set.t.last().unwrap()), (-1.0, 1.0));
            assert!(set.t.is_sorted() && set.y.iter().all(|y| y.abs() <= 1.0) && set.spread > 0.0);
        }
        let wide = [f64::MIN, -1.0, 0.0, 1.0, f64::MAX];
        let s = Samples::new(&wide, &wide).unwrap();
        assert!(s.fine.t.iter().chain(&s.fine.y).all(|v| v.is_finite()));
    }

    #[test]
    fn constants_are_told_from_small_changes() {
        let x = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let constant = |y: [f64; 6]| Samples::new(&x, &y).unwrap().is_constant();
        assert!(constant([0.1; 6]) && constant([0.0; 6]) && constant([-1e300; 6]) && constant([1e-310; 6]));
        assert!(!constant([1.0, 1.0, 1.0, 1.0, 1.0, 1.0 + 1e-9]));
        assert!(!constant([0.0, 0.0, 0.0, 0.0, 1e-200, 0.0]));
    }
}
