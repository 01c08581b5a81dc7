//! Layers: parameters of a graph with names, and what they compute.

mod linear;

pub use linear::{Linear, LinearBuilder};
