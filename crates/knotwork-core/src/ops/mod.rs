//! Operations: one file each. A file opens with the method that users call and implements one trait.

mod case;
mod cross_entropy;
mod cumsum;
mod custom;
pub mod elementwise;
mod gather_rows;
mod glu;
mod hadamard_transform;
mod kan;
mod logsumexp;
mod matmul;
mod maxout;
mod mse_loss;
mod norm;
mod op;
pub mod optimizer;
mod pad;
mod poly_relu;
mod polynomial;
mod prelu;
mod rational;
mod reduce;
mod refuse;
mod registry;
mod scatter_add_rows;
mod softmax;
mod sparse;
#[cfg(test)]
mod testing;
mod var;
pub(crate) mod views;

pub use case::{Case, CaseInput, Fill};
pub use custom::Custom;
pub use glu::GluActivation;
pub use kan::{BSpline, Basis, MAX_ORDER, Wavelet};
pub use op::{Cases, Cost, Op, Reference, Registered, no_gradient};
pub use optimizer::{Adam, Sgd};
pub use rational::RationalForm;
pub use registry::{families, registry};
