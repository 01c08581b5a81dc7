//! The training loop: epochs, schedule, progress, losses read without stalling the device, checkpoints, resuming.

mod error;
mod losses;
mod trainer;

pub use error::TrainError;
pub use trainer::{EpochReport, Trainer};
