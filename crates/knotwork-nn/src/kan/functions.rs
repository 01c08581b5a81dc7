//! The functions that the edges of a layer are sums of.

use knotwork_core::ops::{BSpline, Basis, OnKnots, Outside, Wavelet};

use super::Knots;

/// The least and the largest width of a range of wavelets.
const WIDTHS: (f64, f64) = (1e-9, 1e9);

/// The functions that edges are sums of: the same for every input, splines over knots of each input's own, or a wavelet for
/// each edge.
///
/// Their text, as files and the command line have it, is that of a [`Basis`], or a wavelet's name.
///
/// ```
/// use knotwork_core::{Graph, ops::{Basis, Wavelet}};
/// use knotwork_nn::{Kan, kan::Functions};
/// let network = Kan::new(&Graph::new(), "kan", [2, 3, 1])
///     .basis(Wavelet::MexicanHat)
///     .edge_basis(1, 0, 0, Basis::chebyshev(4)?)
///     .layer_basis(0, "dog range=[-2, 2]".parse::<Functions>()?)
///     .network()?;
/// assert_eq!(
///     network.to_string(),
///     "KAN [2, 3, 1], dog range=[-2, 2], mexican_hat range=[-1, 1], chebyshev degree=4"
/// );
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Functions {
    /// A basis, the same for every input.
    Basis(Basis),
    /// B-splines over knots of each input's own, with what they are beyond the grid. All have one order and one number of cells.
    OnKnots(Vec<Knots>, Outside),
    /// c ψ((x − translation) / scale), with a weight, a scale and a translation of each edge's own, all of them learned; and the
    /// range over which the wavelets are laid at first (Bozorgasl and Chen 2024, "Wav-KAN").
    ///
    /// Translations begin anywhere in the range, and one wave is as wide as it: over [−1, 1] scales begin at 1 (mexican_hat
    /// and dog, as in Wav-KAN) and at 5/π (morlet, whose waves are shorter). Training sees ln scale, so that no step reaches 0.
    Wavelet(Wavelet, (f64, f64)),
}

impl Functions {
    /// The number of functions an input, n; 1 of a wavelet.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Basis(basis) => basis.count(),
            Self::OnKnots(knots, _) => knots.first().map_or(0, Knots::count),
            Self::Wavelet(..) => 1,
        }
    }

    /// Where the functions of an input are made for.
    #[must_use]
    pub fn range(&self, input: usize) -> (f64, f64) {
        match self {
            Self::Basis(basis) => basis.range(),
            Self::OnKnots(knots, _) => knots.get(input).map_or((-1.0, 1.0), Knots::range),
            Self::Wavelet(_, range) => *range,
        }
    }

    /// The derivative of order `d` of an input's functions at x, in f64; 0 where the basis has no such derivative. Of a
    /// wavelet that is ψ itself, with scale 1 at 0: an edge's own is what the network's
    /// [`edge_values`](super::Network::edge_values) are.
    #[must_use]
    pub fn evaluate(&self, input: usize, x: f64, d: usize) -> Vec<f64> {
        let none = || vec![0.0; self.count()];
        match self {
            Self::Basis(basis) => basis.evaluate(x, d).unwrap_or_else(none),
            Self::OnKnots(knots, outside) => knots
                .get(input)
                .map_or_else(none, |knots| OnKnots::evaluate(knots.all(), knots.order(), *outside, x, d)),
            Self::Wavelet(wavelet, _) => vec![wavelet.evaluate(x, d)],
        }
    }

    /// The cells and the order of splines, and what they are beyond the grid; none for other functions.
    #[must_use]
    pub fn spline(&self) -> Option<(usize, usize, Outside)> {
        match self {
            Self::Basis(basis) => basis.spline().map(|s| (s.grid(), s.order(), s.policy())),
            Self::OnKnots(knots, outside) => knots.first().map(|k| (k.cells(), k.order(), *outside)),
            Self::Wavelet(..) => None,
        }
    }

    /// The knots of an input's splines; none for other functions.
    #[must_use]
    pub fn knots(&self, input: usize) -> Option<Knots> {
        match self {
            Self::Basis(basis) => basis.spline().map(Knots::uniform),
            Self::OnKnots(knots, _) => knots.get(input).cloned(),
            Self::Wavelet(..) => None,
        }
    }

    /// That a layer of so many inputs can have these functions; what is wrong where it cannot.
    pub(super) fn check(&self, inputs: usize) -> Result<(), String> {
        match self {
            Self::Basis(_) => Ok(()),
            Self::OnKnots(knots, _) => {
                let alike =
                    knots.windows(2).all(|k| (k[0].cells(), k[0].order()) == (k[1].cells(), k[1].order()));
                match knots.len() {
                    _ if !alike => Err("knots of several orders or numbers of cells".into()),
                    n if n != inputs => Err(format!("knots of {n} inputs; it has {inputs}")),
                    _ => Ok(()),
                }
            }
            Self::Wavelet(_, (low, high)) => {
                let wide = high - low;
                // Narrower, f32 has too few numbers in it.
                let least = WIDTHS.0.max(1e-5 * low.abs());
                let fits = (least..=WIDTHS.1).contains(&wide) && low.abs() <= WIDTHS.1;
                let most = WIDTHS.1;
                let limits = format!("it must begin within ±{most:e} and be from {least:e} to {most:e} wide");
                fits.then_some(()).ok_or_else(|| format!("{self} of wavelets; {limits}"))
            }
        }
    }

    /// The functions of some of the inputs, in that order.
    pub(super) fn of_inputs(&self, inputs: &[usize]) -> Self {
        match self {
            Self::OnKnots(knots, outside) => {
                Self::OnKnots(inputs.iter().filter_map(|i| knots.get(*i).cloned()).collect(), *outside)
            }
            all @ (Self::Basis(_) | Self::Wavelet(..)) => all.clone(),
        }
    }
}

impl From<Basis> for Functions {
    fn from(basis: Basis) -> Self {
        Self::Basis(basis)
    }
}

impl From<&Basis> for Functions {
    fn from(basis: &Basis) -> Self {
        Self::Basis(*basis)
    }
}

impl From<BSpline> for Functions {
    fn from(basis: BSpline) -> Self {
        Self::Basis(basis.into())
    }
}

impl From<&BSpline> for Functions {
    fn from(basis: &BSpline) -> Self {
        Self::Basis(basis.into())
    }
}

impl From<Wavelet> for Functions {
    /// Over [−1, 1].
    fn from(wavelet: Wavelet) -> Self {
        Self::Wavelet(wavelet, (-1.0, 1.0))
    }
}
