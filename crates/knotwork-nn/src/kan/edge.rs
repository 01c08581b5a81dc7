//! The functions on the edges of a network, sampled for pictures; and how large a basis' functions are.

use knotwork_core::ops::{Basis, Wavelet};

use super::{Functions, Knots, Network, NetworkLayer};
use crate::{Error, Result, plot::Edge};

/// So many points from one end of a range to the other.
pub(super) fn spread((low, high): (f64, f64), samples: usize) -> impl Iterator<Item = f64> {
    let last = samples.max(2) - 1;
    (0..samples).map(move |k| low + (high - low) * k as f64 / last as f64)
}

/// The least and the largest of values; an empty range, from ∞ to −∞, of none.
pub(super) fn ends(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    values.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
}

impl NetworkLayer {
    /// Where an input's functions are made for: of several kinds all ranges together.
    #[must_use]
    pub fn range(&self, input: usize) -> (f64, f64) {
        let ranges = self.functions().map(|f| f.range(input));
        ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((-1.0, 1.0))
    }
}

impl Network {
    /// The function of one edge, sampled evenly over its input's [range](NetworkLayer::range) in f64.
    ///
    /// # Errors
    /// Where there is no such layer, input or sum, or fewer than 2 samples.
    #[track_caller]
    pub fn edge_curve(&self, layer: usize, input: usize, output: usize, samples: usize) -> Result<Edge> {
        let range = self.layer_of(layer, input, output)?.range(input);
        enough(samples)?;
        let x: Vec<f64> = spread(range, samples).collect();
        let y = self.edge_values(layer, input, output, &x)?;
        Ok(Edge { input, output, points: x.into_iter().zip(y).collect() })
    }

    /// The functions of all edges of a layer, those of input 0 first; 0 where there is no edge.
    ///
    /// # Errors
    /// Where there is no such layer, or fewer than 2 samples.
    #[track_caller]
    pub fn edge_curves(&self, layer: usize, samples: usize) -> Result<Vec<Edge>> {
        let found = self.layer(layer)?;
        enough(samples)?;
        let mut all = Vec::with_capacity(found.inputs * found.sums);
        for input in 0..found.inputs {
            let rows: Vec<(f64, Vec<f64>)> =
                spread(found.range(input), samples).map(|x| (x, found.values(input, x))).collect();
            all.extend((0..found.sums).map(|output| {
                let points = rows.iter().map(|(x, y)| (*x, y[output])).collect();
                Edge { input, output, points }
            }));
        }
        Ok(all)
    }
}

#[track_caller]
fn enough(samples: usize) -> Result<()> {
    if samples >= 2 {
        return Ok(());
    }
    Err(Error::setting(format!("Network: {samples} samples of an edge; there must be at least 2")))
}

/// The mean of Σ_m φ_m(x)² over the functions' range; over a cell of the grid for B-splines, where it is 151/315 for order 3,
/// whatever the grid.
pub(crate) fn mean_square(basis: &Basis) -> f64 {
    let (low, wide, samples) = match basis.spline() {
        Some(spline) => (spline.ends().0, spline.step(), 64),
        None => (basis.range().0, basis.range().1 - basis.range().0, 1024),
    };
    let square = |x: f64| basis.evaluate(x, 0).unwrap_or_default().iter().map(|b| b * b).sum::<f64>();
    middles(low, wide, samples).map(square).sum::<f64>() / samples as f64
}

/// The middles of so many equal parts of a stretch.
fn middles(low: f64, wide: f64, parts: usize) -> impl Iterator<Item = f64> {
    (0..parts).map(move |k| low + wide * (k as f64 + 0.5) / parts as f64)
}

impl Functions {
    /// What [`mean_square`] is of a basis: on knots over the ranges of all inputs, of wavelets over all places of x and of the
    /// translation in a range, with the [scale](first_scale) that they begin with.
    pub(super) fn mean_square(&self) -> f64 {
        match self {
            Self::Basis(basis) => mean_square(basis),
            Self::OnKnots(knots, _) => {
                let parts = 1024;
                let input = |(i, knots): (usize, &Knots)| {
                    let (low, high) = knots.range();
                    let square = |x: f64| self.evaluate(i, x, 0).iter().map(|b| b * b).sum::<f64>();
                    middles(low, high - low, parts).map(square).sum::<f64>() / parts as f64
                };
                knots.iter().enumerate().map(input).sum::<f64>() / knots.len().max(1) as f64
            }
            Self::Wavelet(wavelet, _) => {
                let at: Vec<f64> = middles(0.0, 1.0 / first_scale(*wavelet, (0.0, 1.0)), 128).collect();
                let square = |x: f64, t: f64| wavelet.evaluate(x - t, 0).powi(2);
                let all = at.iter().map(|x| at.iter().map(|t| square(*x, *t)).sum::<f64>());
                all.sum::<f64>() / (at.len() * at.len()) as f64
            }
        }
    }
}

/// The scale that wavelets over a range begin with: one wave of theirs is as wide as the range.
pub(super) fn first_scale(wavelet: Wavelet, (low, high): (f64, f64)) -> f64 {
    let wave = match wavelet {
        // From zero to zero, and from peak to peak.
        Wavelet::MexicanHat | Wavelet::Dog => 2.0,
        // Of cos 5 u.
        Wavelet::Morlet => std::f64::consts::TAU / 5.0,
    };
    (high - low) / wave
}

#[cfg(test)]
mod tests {
    use knotwork_core::ops::BSpline;

    use super::*;

    #[test]
    fn the_mean_square_of_splines() {
        for (order, want) in [(1, 2.0 / 3.0), (2, 11.0 / 20.0), (3, 151.0 / 315.0)] {
            for grid in [1, 4] {
                let got = mean_square(&BSpline::new(grid, order).unwrap().range(-3.0, 2.0).unwrap().into());
                assert!((got - want).abs() < 1e-4, "order {order}: {got}, want {want}");
            }
        }
        // cos² + sin² of each frequency
        assert!((mean_square(&Basis::fourier(3).unwrap()) - 3.0).abs() < 1e-12);
    }
}
