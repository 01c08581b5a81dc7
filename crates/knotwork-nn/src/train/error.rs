//! Why training stops.

/// Training had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The loss is NaN or infinite. No checkpoint was written after it.
    #[error("the loss is {loss} at step {step} (epoch {epoch}); the last checkpoint is from before")]
    NonFiniteLoss {
        /// The epoch, counted from 0.
        epoch: u64,
        /// The step, counted from 0.
        step: u64,
        /// The loss.
        loss: f32,
    },
    /// The loss of a minimisation is NaN or infinite where a step begins.
    #[error(
        "the loss is {loss} after {step} steps, from where nothing leads down; the parameters are as they were"
    )]
    NoStart {
        /// Steps made.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// The loss is a number and its gradient is not.
    #[error(
        "the gradient of the loss, {loss}, is not finite after {step} steps; the parameters are as they were then"
    )]
    NonFiniteGradient {
        /// Steps made.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// Weights are NaN or infinite after a step, although its loss was finite.
    #[error("after step {step} (epoch {epoch}): {source}")]
    NonFiniteWeights {
        /// The epoch, counted from 0.
        epoch: u64,
        /// Steps made.
        step: u64,
        /// Which value.
        source: Box<crate::CheckpointError>,
    },
    /// The data set has no rows.
    #[error("there is nothing to train on: the data set has no rows")]
    NoData,
    /// The program's first output is no single f32.
    #[error("the first output of a training program must be the loss, one f32; it is {0}")]
    NoLoss(String),
    /// A checkpoint holds no place to go on from.
    #[error("checkpoint {}: it holds no place to go on from; load its parameters instead", path.display())]
    NoPlace {
        /// The file.
        path: std::path::PathBuf,
    },
    /// A checkpoint was made with another configuration.
    #[error("checkpoint {}: its configuration is {found}, this program's is {expected}", path.display())]
    OtherConfig {
        /// The file.
        path: std::path::PathBuf,
        /// This program's.
        expected: serde_json::Value,
        /// The file's.
        found: serde_json::Value,
    },
}
