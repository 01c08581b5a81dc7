//! Layers: parameters of a graph with names, and what they compute.

mod edge;
mod kan;

pub use kan::{Kan, KanBuilder};
