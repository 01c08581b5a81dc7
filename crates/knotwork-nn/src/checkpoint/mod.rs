//! Checkpoints: one safetensors file with every parameter and optimizer state, and how far training had come.
//!
//! A save writes a temporary file beside the target, flushes it to the disk and renames it: whatever happens, the path
//! holds the last whole checkpoint. A load checks everything before it changes anything.

mod error;
mod file;
mod metadata;
mod save;

pub use error::{CheckpointError, Mismatch};
pub use file::Checkpoint;
pub use metadata::{FORMAT_VERSION, Metadata};
