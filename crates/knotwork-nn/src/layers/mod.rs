//! Layers: parameters of a graph with names, and what they compute.

mod edge;
mod kan;
mod linear;

pub use kan::{Kan, KanBuilder};
pub use linear::{Linear, LinearBuilder};
