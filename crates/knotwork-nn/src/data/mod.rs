//! Data for training: tables in memory, read from CSV, shuffled from a seed, taken in batches.

mod csv;
mod dataset;
mod error;
mod order;

pub use csv::Csv;
pub use dataset::{Batch, Dataset, Labels};
pub use error::{CsvProblem, DataError};
pub use order::Order;
