//! Formulas out of networks: which function an edge is, and what the edges make together.
//!
//! A [`Library`] holds the functions that an edge may be. [`suggest`] fits each of them to [`Samples`] of an edge as
//! c f(a x + b) + d and ranks them by fit and simplicity; [`fit_affine`] fits one. [`formulas`] composes the edges of all
//! layers to an [`Expression`] an output, which can be simplified, rounded, evaluated, and written as text, LaTeX or a Rust
//! function.
//!
//! ```
//! use knotwork_nn::symbolic::{LayerFormula, Library, Samples, Suggestions, formulas, suggest};
//! let x: Vec<f64> = (0..200).map(|i| f64::from(i) / 100.0 - 1.0).collect();
//! let inner: Vec<f64> = x.iter().map(|x| (std::f64::consts::PI * x).sin()).collect();
//! let outer: Vec<f64> = x.iter().map(|x| x.exp()).collect();
//! let library = Library::standard();
//! let found = |y: &[f64]| -> Result<_, knotwork_nn::symbolic::SymbolicError> {
//!     let found = suggest(&Samples::new(&x, y)?, &library, Suggestions::WEIGHT)?;
//!     Ok(found.best().map(|c| c.fit.edge.clone()))
//! };
//! let layers = [LayerFormula::new(vec![vec![found(&inner)?]]), LayerFormula::new(vec![vec![found(&outer)?]])];
//! let formula = &formulas(&["x"], &layers)?[0];
//! assert_eq!(formula.rounded(6).with_pi(1e-6).to_string(), "exp(sin(pi*x))");
//! # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
//! ```

mod affine;
mod builtin;
mod compose;
mod domain;
mod error;
mod expression;
mod fit;
mod function;
mod library;
mod number;
mod protected;
mod readable;
mod samples;
mod spelling;
mod suggest;
mod symmetry;

pub use affine::Affine;
pub use compose::{LayerFormula, formulas};
pub use domain::Domain;
pub use error::SymbolicError;
pub use expression::Expression;
pub use fit::{Fit, Search, fit_affine, fit_affine_with};
pub use function::Function;
pub use library::Library;
pub use samples::Samples;
pub use suggest::{Candidate, Suggestions, suggest, suggest_with};
