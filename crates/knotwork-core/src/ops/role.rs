//! What the rewriting rules of the planner know operations as.

/// The part that an operation plays in a rule. Most play none.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Role {
    /// The product of `[.., M, K]` and `[.., K, N]`, leading dimensions alike, which reads its operands through any
    /// order of the last two dimensions.
    Product,
    /// Zeros before and after one dimension.
    Pad {
        /// The dimension.
        dim: usize,
        /// Zeros in front.
        before: usize,
    },
}
