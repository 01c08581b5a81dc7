//! Which function of a library an edge is: all of them fitted, and ranked by fit and simplicity.

use std::fmt;

use knotwork_core::{Device, Site};
use rayon::prelude::*;

use super::{
    Fit, Function, Library, Samples, Search, SymbolicError,
    fit::{Hills, fit, survey},
};

/// Scores nearer than this are equal: what rounding and a search's last step leave.
const EQUAL: f64 = 1e-6;

/// A fitted function and its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The fit.
    pub fit: Fit,
    /// weight · complexity + (1 − weight) · log₂(1 + 1e-5 − r²): the lower, the better.
    pub score: f64,
}

/// The functions of a library, the best for the samples first; as text, a table of the first ten.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestions {
    /// The candidates by score; among equal ones the one with the least |a| + |b| + |c| + |d|, then by the library's
    /// order.
    pub candidates: Vec<Candidate>,
    /// Functions that are not finite on all samples for any a and b that were tried.
    pub undefined: Vec<Function>,
}

impl Suggestions {
    /// pykan's weight of simplicity beside fit.
    pub const WEIGHT: f64 = 0.8;

    /// The best of them; `None` where no function is finite on all samples, or the library was empty.
    #[must_use]
    pub fn best(&self) -> Option<&Candidate> {
        self.candidates.first()
    }
}

/// Fits every function of a library to the samples and ranks them by pykan's score,
/// weight · complexity + (1 − weight) · log₂(1 + 1e-5 − r²), lowest first. [`Suggestions::WEIGHT`] is pykan's 0.8; a weight
/// of 0 goes by fit alone, 1 by simplicity alone.
///
/// Where y is constant every function fits (r² = 1, c = 0), so that the simplest, `0`, comes first.
///
/// ```
/// use knotwork_nn::symbolic::{Library, Samples, Suggestions, suggest};
/// let x: Vec<f64> = (0..200).map(|i| f64::from(i) / 100.0 - 1.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| (std::f64::consts::PI * x).sin()).collect();
/// let library = Library::standard().only(["x", "x^2", "x^3", "exp", "sin", "tanh"])?;
/// let found = suggest(&Samples::new(&x, &y)?, &library, Suggestions::WEIGHT)?;
/// assert_eq!(found.best().map(|c| c.fit.edge.function.name()), Some("sin"));
/// println!("{found}");
/// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
/// ```
///
/// # Errors
///
/// [`SymbolicError::Setting`] for a weight that is not in 0..=1. Functions that are not finite on the samples are no error:
/// they are listed.
#[track_caller]
pub fn suggest(samples: &Samples, library: &Library, weight: f64) -> Result<Suggestions, SymbolicError> {
    ranked(samples, library, weight, &Search::default(), Site::here())
}

/// [`suggest`] with a search of one's own.
///
/// # Errors
///
/// Those of [`suggest`], and [`SymbolicError::Setting`] for a range, a grid or zooms out of their limits.
#[track_caller]
pub fn suggest_with(
    samples: &Samples,
    library: &Library,
    weight: f64,
    search: &Search,
) -> Result<Suggestions, SymbolicError> {
    ranked(samples, library, weight, search, Site::here())
}

/// [`suggest_with`] for many edges at once, the first grids on a device: for each function one program takes all of them, in
/// f32, in parts that keep its memory below 64 MiB. The zooms and steps from the hills found there are the host's, in f64, so
/// that the answers are those of [`suggest_with`]. Functions that have no form of tensors are looked for on the host.
///
/// ```
/// use knotwork_core::Device;
/// use knotwork_nn::symbolic::{Library, Samples, Search, suggest_on};
/// let x: Vec<f64> = (0..100).map(|i| f64::from(i) / 50.0 - 1.0).collect();
/// let wave: Vec<f64> = x.iter().map(|x| (3.0 * x + 1.0).sin()).collect();
/// let bell: Vec<f64> = x.iter().map(|x| (-4.0 * x * x).exp()).collect();
/// let edges = [Samples::new(&x, &wave)?, Samples::new(&x, &bell)?];
/// let library = Library::standard().only(["x", "x^2", "sin", "gaussian"])?;
/// let found = suggest_on(&Device::cpu(), &edges, &library, 0.8, &Search::default())?;
/// let names: Vec<_> = found.iter().filter_map(|f| f.best()).map(|c| c.fit.edge.function.name()).collect();
/// assert_eq!(names, ["sin", "gaussian"]);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`suggest_with`]; [`SymbolicError::Function`] where a function's form of tensors changes the shape; and what the
/// device refuses.
#[track_caller]
pub fn suggest_on(
    device: &Device,
    edges: &[Samples],
    library: &Library,
    weight: f64,
    search: &Search,
) -> crate::Result<Vec<Suggestions>> {
    let site = Site::here();
    check_weight(weight, site)?;
    search.check(site)?;
    let functions: Vec<&Function> = library.iter().collect();
    let mut hills = survey(device, &functions, edges, search, site)?;
    let mut tasks: Vec<(usize, &Function, &Samples, Option<Hills>)> = Vec::new();
    for (e, samples) in edges.iter().enumerate() {
        let of_functions = functions.iter().zip(&mut hills);
        tasks.extend(of_functions.map(|(f, of_edges)| (e, *f, samples, of_edges[e].take())));
    }
    let fits: Vec<(usize, Result<Fit, SymbolicError>)> = tasks
        .into_par_iter()
        .map(|(e, f, samples, hills)| (e, fit(f, samples, search, hills, site)))
        .collect();
    let mut by_edge: Vec<Vec<Result<Fit, SymbolicError>>> = edges.iter().map(|_| Vec::new()).collect();
    for (e, fit) in fits {
        by_edge[e].push(fit);
    }
    by_edge.into_iter().map(|fits| Ok(in_order(&functions, fits, weight)?)).collect()
}

fn check_weight(weight: f64, site: Site) -> Result<(), SymbolicError> {
    if (0.0..=1.0).contains(&weight) {
        return Ok(());
    }
    Err(SymbolicError::Setting { what: format!("the weight {weight} of simplicity is not in 0..=1"), site })
}

fn ranked(
    samples: &Samples,
    library: &Library,
    weight: f64,
    search: &Search,
    site: Site,
) -> Result<Suggestions, SymbolicError> {
    check_weight(weight, site)?;
    let functions: Vec<&Function> = library.iter().collect();
    let fits = functions.par_iter().map(|f| fit(f, samples, search, None, site)).collect();
    in_order(&functions, fits, weight)
}

/// The fits of all functions by their score.
fn in_order(
    functions: &[&Function],
    fits: Vec<Result<Fit, SymbolicError>>,
    weight: f64,
) -> Result<Suggestions, SymbolicError> {
    let (mut candidates, mut undefined) = (Vec::new(), Vec::new());
    for (function, fit) in functions.iter().zip(fits) {
        match fit {
            Ok(fit) => {
                let score = weight * function.complexity_of() + (1.0 - weight) * (1.0 + 1e-5 - fit.r2).log2();
                candidates.push(Candidate { fit, score });
            }
            Err(SymbolicError::Undefined { .. }) => undefined.push((*function).clone()),
            Err(other) => return Err(other),
        }
    }
    let key = |c: &Candidate| {
        let edge = &c.fit.edge;
        let size = edge.a.abs() + edge.b.abs() + edge.c.abs() + edge.d.abs();
        ((c.score / EQUAL).round(), (size / EQUAL).round())
    };
    candidates.sort_by(|x, y| {
        let ((score, size), (score_y, size_y)) = (key(x), key(y));
        score.total_cmp(&score_y).then(size.total_cmp(&size_y))
    });
    Ok(Suggestions { candidates, undefined })
}

impl fmt::Display for Suggestions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        let head = ["function", "r2", "complexity", "score", "a", "b", "c", "d"].map(str::to_owned);
        let rows = self.candidates.iter().take(SHOWN).map(|candidate| {
            let Fit { edge, r2, .. } = &candidate.fit;
            let [a, b, c, d] = edge.numbers();
            let name = edge.function.name().to_owned();
            let complexity = edge.function.complexity_of().to_string();
            [name, format!("{r2:.6}"), complexity, format!("{:.4}", candidate.score), a, b, c, d]
        });
        let rows: Vec<[String; 8]> = std::iter::once(head).chain(rows).collect();
        let width = |k: usize| rows.iter().map(|r| r[k].len()).max().unwrap_or(0);
        let widths: [usize; 8] = std::array::from_fn(width);
        for row in &rows {
            write!(f, "{:<w$}", row[0], w = widths[0])?;
            for (cell, w) in row.iter().zip(widths).skip(1) {
                write!(f, "  {cell:>w$}")?;
            }
            writeln!(f)?;
        }
        let more = self.candidates.len().saturating_sub(SHOWN);
        if more > 0 {
            writeln!(f, "and {more} more")?;
        }
        if !self.undefined.is_empty() {
            let names: Vec<&str> = self.undefined.iter().map(Function::name).collect();
            writeln!(f, "not defined on these samples: {}", names.join(", "))?;
        }
        Ok(())
    }
}
