//! The table of activations, by family. Each has up to three rows: its value, `NAME_d1` and `NAME_d2`.

mod gelu;
mod logistic;
mod relu;
mod tanh;

use super::rows::Row;

/// All of them, by family.
pub(super) static FAMILIES: &[&[Row]] = &[relu::ROWS, logistic::ROWS, tanh::ROWS, gelu::ROWS];
