//! What the rewriting rules of the planner know operations as.

use super::cross_entropy::Gives;

/// The part that an operation plays in a rule. Most play none.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Role {
    /// The product of `[.., M, K]` and `[.., K, N]`, leading dimensions alike, which reads its operands through any
    /// order of the last two dimensions.
    Product,
    /// Softmax over the last dimension.
    Softmax,
    /// The sum over some dimensions: a bit mask of them.
    Sum(u64),
    /// Zeros before and after one dimension.
    Pad {
        /// The dimension.
        dim: usize,
        /// Zeros in front.
        before: usize,
    },
    /// Values one behind the other along one dimension.
    Concat {
        /// The dimension.
        dim: usize,
    },
    /// The cross-entropy of logits and class indices, or its gradient.
    CrossEntropy {
        /// The smoothing of the target.
        smoothing: f64,
        /// Which of the two it gives.
        gives: Gives,
    },
}
