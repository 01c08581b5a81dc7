//! Optimizers: their updates are nodes of the graph that they train, one operation for all parameters.

mod adam;
mod lbfgs;
mod minimize;
mod sgd;

pub use adam::{Adam, AdamW};
pub use lbfgs::{Lbfgs, LbfgsFit, LbfgsStep};
pub use sgd::Sgd;
