//! Sums of several tensors.

use knotwork_core::{Result, Tensor};

/// The sum of all, in their order; none of none.
pub(crate) fn total(all: Vec<Tensor>) -> Result<Option<Tensor>> {
    let mut all = all.into_iter();
    let Some(first) = all.next() else { return Ok(None) };
    all.try_fold(first, |a, b| a.add(&b)).map(Some)
}
