//! What `knotwork tune` measures: for each class of shapes of a tuned table, work of that class.

use super::{Case, kan, matmul};

/// Work of one class of shapes.
#[derive(Clone, Debug)]
pub struct Tunable {
    /// The operation, as tuned tables name it.
    pub operation: &'static str,
    /// The class, as tuned tables name it.
    pub class: String,
    /// Floating-point operations.
    pub flops: f64,
    /// The work.
    pub case: Case,
}

/// Work of every class of every operation that tuned tables know, the least work first.
///
/// ```
/// let all = knotwork_core::ops::tunable();
/// assert!(all.iter().any(|t| t.operation == "matmul"));
/// assert!(all.windows(2).all(|t| t[0].flops <= t[1].flops));
/// ```
#[must_use]
pub fn tunable() -> Vec<Tunable> {
    let mut all = matmul::tunable();
    all.extend(kan::tunable());
    all.sort_by(|a, b| a.flops.total_cmp(&b.flops));
    all
}
