//! Fits y ≈ c f(a x + b) + d.

mod correlation;
mod grid;
mod refine;
#[cfg(test)]
mod robust_tests;
mod start;
mod survey;
#[cfg(test)]
mod tests;

use std::fmt;

use knotwork_core::Site;

use super::{Affine, Function, Samples, SymbolicError, samples::Frame, symmetry::Symmetry};
use correlation::regress;
pub(super) use survey::{Hills, survey};

/// How a fit looks for a and b.
///
/// ```
/// use knotwork_nn::symbolic::Search;
/// let finer = Search { grid: 201, ..Search::default() };
/// assert_eq!((finer.a, finer.zooms), ((-10.0, 10.0), 3));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The range of a, ±10 unless told. Waves are looked for up to 12 periods over the samples as well.
    pub a: (f64, f64),
    /// The range of b, ±10 unless told.
    pub b: (f64, f64),
    /// Values of a, and of b, on the grid: 101 unless told, 3 to 1001.
    pub grid: usize,
    /// Grids: 3 unless told, 1 to 20. All but the first are 25 × 25, over the cells around the best of the one before.
    pub zooms: usize,
    /// The most Levenberg–Marquardt steps on (a, b, c, d) from a start: 200 unless told. 0 leaves the grid's answer.
    pub steps: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self { a: (-10.0, 10.0), b: (-10.0, 10.0), grid: 101, zooms: 3, steps: 200 }
    }
}

impl Search {
    pub(super) fn check(&self, site: Site) -> Result<(), SymbolicError> {
        let no = |what: String| Err(SymbolicError::Setting { what, site });
        for (name, (low, high)) in [("a", self.a), ("b", self.b)] {
            if !(low < high && low.abs() <= 1e6 && high.abs() <= 1e6) {
                return no(format!("the range {low} to {high} of {name} is no ascending range within ±1e6"));
            }
        }
        if !(3..=1001).contains(&self.grid) {
            return no(format!("a grid of {} is not in 3..=1001", self.grid));
        }
        if !(1..=20).contains(&self.zooms) {
            return no(format!("{} zooms are not in 1..=20", self.zooms));
        }
        Ok(())
    }
}

/// A fitted edge: its function, and how well it fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// c f(a x + b) + d, in its [canonical](Affine::canonical) form.
    pub edge: Affine,
    /// 1 − Σ(y − fit)² / Σ(y − ȳ)² over all samples, from 0 to 1. Where y is constant, 1: the constant fits, whatever f is,
    /// with c = 0. Where f(a x + b) is constant but y is not, 0.
    pub r2: f64,
    /// The root of the mean of (y − fit)², in y's unit.
    pub rmse: f64,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.edge.numbers();
        let name = self.edge.function.name();
        write!(f, "{name}: a {a}, b {b}, c {c}, d {d}, r2 {:.9}, rmse {:.3e}", self.r2, self.rmse)
    }
}

/// Finds a, b, c and d for which c f(a x + b) + d is nearest to the samples in the mean square, by the default
/// [`Search`]: r² is maximised over a 101 × 101 grid of a and b in ±10, in three zooms, c and d come from linear regression,
/// and Levenberg–Marquardt steps on all four end the search, so that exact functions are found to rounding.
///
/// What c and d can undo is not searched: powers need only b/a, `exp` only a, `sin` one half period of b. Where the
/// samples' x lies far from [−1, 1], the grid is also laid over x brought there; waves are looked for up to 12 periods over
/// the samples, and poles beside the largest |y|. a and b for which f is not finite on a sample
/// are left out.
///
/// ```
/// use knotwork_nn::symbolic::{Library, Samples, fit_affine};
/// let x: Vec<f64> = (0..200).map(|i| f64::from(i) / 100.0 - 1.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| 5.0 * (3.0 * x + 2.0).sin() + 0.7).collect();
/// let fit = fit_affine(&Library::standard().get("sin")?, &Samples::new(&x, &y)?)?;
/// assert!(fit.r2 > 1.0 - 1e-12);
/// assert!((fit.edge.a - 3.0).abs() < 1e-10 && (fit.edge.c - 5.0).abs() < 1e-10);
/// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
/// ```
///
/// # Errors
///
/// [`SymbolicError::Undefined`] where no a and b of the search make f finite on all samples.
#[track_caller]
pub fn fit_affine(function: &Function, samples: &Samples) -> Result<Fit, SymbolicError> {
    fit(function, samples, &Search::default(), None, Site::here())
}

/// [`fit_affine`] with a search of one's own.
///
/// # Errors
///
/// Those of [`fit_affine`], and [`SymbolicError::Setting`] for a range, a grid or zooms out of their limits.
#[track_caller]
pub fn fit_affine_with(
    function: &Function,
    samples: &Samples,
    search: &Search,
) -> Result<Fit, SymbolicError> {
    fit(function, samples, search, None, Site::here())
}

/// [`fit_affine_with`], from the hills of the first grids where they are known.
pub(super) fn fit(
    function: &Function,
    samples: &Samples,
    search: &Search,
    hills: Option<Hills>,
    site: Site,
) -> Result<Fit, SymbolicError> {
    search.check(site)?;
    let (mean, spread) = samples.spread();
    if spread == 0.0 || function.symmetry() == Symmetry::Zero {
        return Ok(measure(Affine { function: function.clone(), a: 1.0, b: 0.0, c: 0.0, d: mean }, samples));
    }
    let undefined = || SymbolicError::Undefined {
        function: function.name().into(),
        domain: function.domain_of().to_string(),
        site,
    };
    let starts = start::starts(function, samples, search, hills);
    let mut best: Option<Fit> = None;
    let free = start::free(function.symmetry());
    for [a, b] in starts {
        let Some(line) = regress(function, &samples.fine, a, b) else { continue };
        // Zooms into a = 0 make a parabola of any f: not where another start serves.
        if best.is_some() && line.c.abs() > refine::largest(free) {
            continue;
        }
        let first = [a, b, line.c, line.d];
        let refined =
            refine::refine(function, &samples.fine, first, free, search.steps).map_or(first, |r| r.at);
        for at in [refined, first] {
            let found = outside(function, at, samples.frame);
            for edge in [without_dust(found.canonical(), samples), found.canonical(), found] {
                let fit = measure(edge, samples);
                // The canonical form of the refined start comes first; others must be better to be told apart from rounding.
                if fit.rmse.is_finite()
                    && best.as_ref().is_none_or(|b| fit.r2 > b.r2 + 1e-12 * (1.0 - b.r2) + 1e-15)
                {
                    best = Some(fit);
                }
            }
        }
    }
    best.ok_or_else(undefined)
}

/// The edge in the samples' own units.
fn outside(function: &Function, [a, b, c, d]: [f64; 4], frame: Frame) -> Affine {
    Affine {
        function: function.clone(),
        a: a / frame.half,
        b: b - a * (frame.centre / frame.half),
        c: c * frame.scale,
        d: d * frame.scale,
    }
}

/// b and d, where they are rounding alone, as 0.
fn without_dust(mut edge: Affine, samples: &Samples) -> Affine {
    const DUST: f64 = 1e-13;
    let frame = samples.frame;
    if edge.b.abs() <= DUST * (edge.a.abs() * (frame.half + frame.centre.abs())).min(1.0) {
        edge.b = 0.0;
    }
    if edge.d.abs() <= DUST * frame.scale {
        edge.d = 0.0;
    }
    edge
}

/// r² and rmse over all samples; the rmse is NaN where the edge is not finite somewhere.
fn measure(edge: Affine, samples: &Samples) -> Fit {
    let scale = samples.frame.scale;
    let (_, spread) = samples.spread();
    let error = |(x, y): (&f64, &f64)| (edge.value(*x) / scale - y / scale).powi(2);
    let sum: f64 = samples.x().iter().zip(samples.y()).map(error).sum();
    let r2 = if spread == 0.0 { 1.0 } else { (1.0 - sum / spread).clamp(0.0, 1.0) };
    let rmse = if sum.is_finite() { (sum / samples.len() as f64).sqrt() * scale } else { f64::NAN };
    Fit { edge, r2, rmse }
}
