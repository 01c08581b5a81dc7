//! The table of arithmetic, comparisons and casts.

mod arithmetic;
mod cast;
mod compare;

use super::rows::Row;

/// All of them, by family.
pub(super) static FAMILIES: &[&[Row]] = &[arithmetic::ROWS, compare::ROWS, cast::ROWS];

/// The row that changes nothing: what a copy into contiguous memory runs.
pub(super) static COPY: &Row = &arithmetic::COPY;
