//! What can be wrong with a checkpoint.

use std::{fmt, path::PathBuf};

/// A checkpoint could not be saved or loaded. A failed save leaves the file before it as it was; a failed load changes
/// nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error("checkpoint {}: it cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be written; what was there before is still there.
    #[error("checkpoint {}: it was not saved ({what}: {source}); an older one there is unchanged", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is damaged or of another kind.
    #[error("checkpoint {}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file was made by another version of the format.
    #[error("checkpoint {}: it has format version {found}; this program reads version {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: u32,
        /// The version that can be read.
        known: u32,
    },
    /// The file holds another network.
    #[error("checkpoint {}: it holds another network: {mismatch}", path.display())]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// What differs.
        mismatch: Mismatch,
    },
    /// A value is not finite, so it is not saved over a good checkpoint.
    #[error("checkpoint {}: `{name}` holds {value}; it was not saved, an older one there is unchanged", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The parameter or state.
        name: String,
        /// Its first value that is not finite.
        value: f64,
    },
}

/// How a checkpoint differs from a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// What the network has and the file lacks.
    pub missing: Vec<String>,
    /// What the file has and the network lacks.
    pub extra: Vec<String>,
    /// What both have in another type or shape: (name, in the network, in the file).
    pub misshapen: Vec<(String, String, String)>,
}

impl Mismatch {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.misshapen.is_empty()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |names: &[String]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("it lacks {}", quoted(&self.missing)));
        }
        if !self.extra.is_empty() {
            parts.push(format!("it has {} besides", quoted(&self.extra)));
        }
        for (name, want, got) in &self.misshapen {
            parts.push(format!("`{name}` is {got}, the network's is {want}"));
        }
        f.write_str(&parts.join("; "))
    }
}
