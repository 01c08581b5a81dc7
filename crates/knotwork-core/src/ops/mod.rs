//! Operations: one file each. A file opens with the method that users call and implements one trait.

mod case;
mod cross_entropy;
mod cumsum;
pub mod elementwise;
mod kan;
mod logsumexp;
mod matmul;
mod mse_loss;
mod norm;
mod op;
pub mod optimizer;
mod pad;
mod poly_norm;
mod reduce;
mod registry;
mod softmax;
#[cfg(test)]
mod testing;
mod var;
pub(crate) mod views;

pub use case::{Case, CaseInput, Fill};
pub use kan::{BSpline, MAX_ORDER};
pub use op::{Cases, Cost, Op, Reference, Registered, no_gradient};
pub use optimizer::{Adam, Sgd};
pub use registry::registry;
