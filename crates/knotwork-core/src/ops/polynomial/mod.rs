//! Polynomials whose coefficients are data: what learned polynomial and rational activations, and their gradients of any
//! order, are made of.
//!
//! Two operations, each with an order of the derivative, so that they are closed under differentiation: [`Polynomial`],
//! the values, and [`Moments`], the sums over elements that are the gradient to the coefficients.

mod groups;
mod moments;
mod value;

pub(super) use groups::{Groups, sums, sums_in_two_stages};
pub(super) use moments::{Moments, lanes};
pub(super) use value::Polynomial;

/// The most coefficients that one polynomial has.
pub(super) const MAX_TERMS: usize = 32;

/// j (j − 1) … (j − d + 1), the factor of the d-th derivative of xʲ.
fn falling(j: usize, d: usize) -> f64 {
    (0..d).map(|k| j as f64 - k as f64).product()
}
