//! The sums of a KAN layer over bases whose functions are not 0 anywhere, or whose layers take them all: features are
//! evaluated tile by tile, then multiplied.

mod fast;
pub(super) mod fill;
mod kernels;
pub(super) mod real;
#[cfg(test)]
mod tests;

pub(super) use fast::run;
pub(super) use kernels::{family, lower, sum_params};

/// The largest order of derivative of the bases other than B-splines.
pub(super) const MAX_DERIVATIVE: usize = 3;
