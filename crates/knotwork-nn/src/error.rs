//! Every way in which this crate can say no.

use crate::{
    checkpoint::CheckpointError, data::DataError, plot::PlotError, symbolic::SymbolicError, train::TrainError,
};

/// The result of a fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Every message names the thing, the place and, where there is one, the limit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Data could not be read or does not fit.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A checkpoint could not be saved or loaded.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Training had to stop.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A function, its samples or a formula cannot be taken.
    #[error(transparent)]
    Symbolic(#[from] SymbolicError),
    /// A layer, optimizer or schedule was given a setting that it cannot take.
    #[error("{what} (at {site})")]
    Setting {
        /// Which setting of what, and its limits.
        what: String,
        /// The call that asked for it.
        site: knotwork_core::Site,
    },
    /// A plot has nothing to show or nowhere to go.
    #[error("plot: {error} (at {site})")]
    Plot {
        /// What is wrong with it.
        error: PlotError,
        /// The call that asked for it.
        site: knotwork_core::Site,
    },
    /// The core refused a graph, a plan or a run.
    #[error(transparent)]
    Core(#[from] knotwork_core::Error),
}

impl Error {
    #[track_caller]
    pub(crate) fn setting(what: impl Into<String>) -> Self {
        Self::Setting { what: what.into(), site: knotwork_core::Site::here() }
    }

    #[track_caller]
    pub(crate) fn plot(error: PlotError) -> Self {
        Self::Plot { error, site: knotwork_core::Site::here() }
    }
}
