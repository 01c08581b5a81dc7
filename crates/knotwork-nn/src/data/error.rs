//! What can be wrong with data.

use std::path::PathBuf;

/// Data could not be read or does not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A CSV file holds something that cannot be taken.
    #[error("{}{}: {problem}", path.display(), line.map_or_else(String::new, |l| format!(":{l}")))]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, where the problem is at one.
        line: Option<u64>,
        /// What is wrong.
        problem: CsvProblem,
    },
    /// Parts of a data set do not fit together.
    #[error("data: {0}")]
    Shape(String),
}

/// What is wrong with a CSV file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvProblem {
    /// There is no header, or no row below it.
    #[error("the file has {0}")]
    Empty(&'static str),
    /// A row has another number of fields than the header.
    #[error("the row has {got} fields, the header has {expected}")]
    Ragged {
        /// Fields of the header.
        expected: u64,
        /// Fields of the row.
        got: u64,
    },
    /// A field is no number.
    #[error("column `{column}`: `{text}` is no number")]
    NotANumber {
        /// The column's name.
        column: String,
        /// The field.
        text: String,
    },
    /// A column holds no number at all.
    #[error("column `{column}` holds text (`{text}`): leave it out with `exclude`")]
    TextColumn {
        /// The column's name.
        column: String,
        /// Its first field.
        text: String,
    },
    /// A field is NaN, infinite, or beyond the range of f32.
    #[error("column `{column}`: `{text}` is not finite in f32")]
    NotFinite {
        /// The column's name.
        column: String,
        /// The field.
        text: String,
    },
    /// A column that was asked for is not there.
    #[error("there is no column `{column}`; there are: {known}")]
    MissingColumn {
        /// The column that was asked for.
        column: String,
        /// The columns that there are.
        known: String,
    },
    /// Two columns have one name.
    #[error("two columns are called `{column}`")]
    TwiceColumn {
        /// The name.
        column: String,
    },
    /// A class is no whole number in 0..classes.
    #[error("column `{column}`: label `{text}` is no class in 0..{classes}")]
    Label {
        /// The column's name.
        column: String,
        /// The field.
        text: String,
        /// One past the largest class.
        classes: usize,
    },
    /// All columns are labels or left out.
    #[error("no column is left for features")]
    NoFeatures,
    /// The file is not UTF-8 or not CSV.
    #[error("{0}")]
    Malformed(String),
}
