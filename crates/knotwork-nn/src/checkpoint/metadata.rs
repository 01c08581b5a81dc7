//! What a checkpoint says beside its tensors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Generator, Schedule, data::Order};

/// The version of the format that this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// How far training had come, and what made the network.
///
/// ```
/// use knotwork_nn::Metadata;
/// let m = Metadata { epoch: 3, config: serde_json::json!({ "widths": [64, 10] }), ..Metadata::default() };
/// let text = serde_json::to_string(&m)?;
/// assert_eq!(serde_json::from_str::<Metadata>(&text)?, m);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The format's version.
    pub version: u32,
    /// Steps made.
    pub step: u64,
    /// Whole epochs made.
    pub epoch: u64,
    /// Where in the data training goes on: shuffle seed, epoch and position.
    pub order: Option<Order>,
    /// The generator of random values: its seed and counter.
    pub generator: Option<Generator>,
    /// The learning-rate schedule and the scalar that it sets.
    pub schedule: Option<(String, Schedule)>,
    /// What the network was built from, in the form of its program's choosing.
    pub config: serde_json::Value,
    /// Values that scalars were set to.
    pub scalars: BTreeMap<String, f64>,
    /// The losses so far: (step, loss).
    #[serde(default)]
    pub losses: Vec<(u64, f32)>,
    /// Which of the file's tensors are parameters, filled in by a save; the others are states of optimizers.
    #[serde(default)]
    pub parameters: Vec<String>,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            version: FORMAT_VERSION,
            step: 0,
            epoch: 0,
            order: None,
            generator: None,
            schedule: None,
            config: serde_json::Value::Null,
            scalars: BTreeMap::new(),
            losses: Vec::new(),
            parameters: Vec::new(),
        }
    }
}
