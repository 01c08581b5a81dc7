//! Optimizers: their updates are nodes of the graph that they train, one operation for all parameters.

mod adam;
mod minimize;
mod sgd;

pub use adam::{Adam, AdamW};
pub use sgd::Sgd;
