//! Operations: one file each. A file opens with the method that users call and implements one trait.

mod attention;
mod case;
mod cross_entropy;
pub mod elementwise;
mod kan;
mod logsumexp;
mod matmul;
mod mse_loss;
mod op;
pub mod optimizer;
mod pad;
mod reduce;
mod registry;
mod softmax;
#[cfg(test)]
mod testing;
pub(crate) mod views;

pub use attention::{Attention, Condition, Index, Mask, Normalizer};
pub use case::{Case, CaseInput, Fill};
pub use kan::{BSpline, MAX_ORDER};
pub use op::{Cases, Cost, Op, Reference, Registered, no_gradient};
pub use optimizer::{Adam, Sgd};
pub use registry::registry;
