//! Why there is no picture.

use std::path::PathBuf;

/// What keeps a picture from being drawn or written. Every message names the picture or the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// There is nothing to show.
    #[error("`{title}` has {what}")]
    Nothing {
        /// The picture's title.
        title: String,
        /// What it lacks, as "no finite point to show".
        what: &'static str,
    },
    /// The data do not fit each other, or a value is outside its range.
    #[error("`{title}`: {what}")]
    Input {
        /// The picture's title.
        title: String,
        /// Which of the data, its value, and what it may be.
        what: String,
    },
    /// A file name whose ending names no format that can be written.
    #[error("{}: pictures are written as .svg or .png, by the end of the name", path.display())]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// A PNG was asked of a build that cannot make any.
    #[error("{}: PNG needs the cargo feature `png`, which this program was built without; .svg needs none", path.display())]
    WithoutPng {
        /// The file.
        path: PathBuf,
    },
    /// A PNG cannot have that size.
    #[error(
        "`{title}`: a PNG of {width} by {height} pixels; there must be 1 to {most} in all, and a scale or width above 0"
    )]
    Size {
        /// The picture's title.
        title: String,
        /// The number of pixels in a row.
        width: f64,
        /// The number of rows.
        height: f64,
        /// The largest number of pixels.
        most: u64,
    },
    /// The picture could not be turned into pixels.
    #[error("`{title}` as PNG: {what}")]
    Raster {
        /// The picture's title.
        title: String,
        /// What the renderer says.
        what: String,
    },
    /// The file cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl PlotError {
    pub(super) fn input(title: &str, what: impl Into<String>) -> Self {
        Self::Input { title: title.into(), what: what.into() }
    }
}
