//! What a bench writes to a file, and reading it back.

use std::path::{Path, PathBuf};

use knotwork::device::{DeviceInfo, Peak};
use serde::{Deserialize, Serialize};

/// The version of the file's form; a file of a later one is refused.
pub const VERSION: u64 = 1;

/// A whole run of the bench.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// [`VERSION`].
    pub version: u64,
    /// The library's version.
    pub knotwork: String,
    /// The commit that the program was built from; `unknown` outside a repository.
    pub commit: String,
    /// `release` or `debug`.
    pub build: String,
    /// What it ran on.
    pub device: DeviceRecord,
    /// What the device can do at most, where that was measured.
    pub peak: Option<PeakRecord>,
    /// `tiny`, `small` or `large`.
    pub size: String,
    /// The seed of the inputs.
    pub seed: u64,
    /// What was measured, in the order in which it ran.
    pub cases: Vec<Record>,
    /// What the device cannot run, and why.
    pub skipped: Vec<Note>,
    /// What was computed wrong, or failed.
    pub wrong: Vec<Note>,
}

/// The device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Its name.
    pub name: String,
    /// The driver and its version; the instruction set on the CPU.
    pub driver: String,
    /// `cpu`, `vulkan`, `metal`, `dx12`.
    pub interface: String,
    /// The shader profile.
    pub profile: String,
}

impl From<&DeviceInfo> for DeviceRecord {
    fn from(info: &DeviceInfo) -> Self {
        Self {
            name: info.name.clone(),
            driver: info.driver.clone(),
            interface: info.interface.clone(),
            profile: info.profile.clone(),
        }
    }
}

/// The device's peaks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeakRecord {
    /// Bytes read and written a second by a copy.
    pub bytes_per_second: f64,
    /// Floating-point operations a second in f32.
    pub flops_per_second: f64,
}

impl From<Peak> for PeakRecord {
    fn from(peak: Peak) -> Self {
        Self { bytes_per_second: peak.bytes_per_second, flops_per_second: peak.flops_per_second }
    }
}

/// One case in one kernel variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The case.
    pub name: String,
    /// The kernel variants of its steps; empty on the CPU.
    pub variant: String,
    /// Whether the planner takes these by itself.
    pub chosen: bool,
    /// `timestamps`, `submits` or `steps`.
    pub clock: String,
    /// How many runs were timed.
    pub runs: usize,
    /// The fastest.
    pub min_ns: f64,
    /// The middle one.
    pub median_ns: f64,
    /// The slowest.
    pub max_ns: f64,
    /// The distance of the quartiles over the median.
    pub spread: f64,
    /// Dispatches of a run; steps on the CPU.
    pub dispatches: usize,
    /// Floating-point operations of a run.
    pub flops: f64,
    /// Bytes that a run must move at least.
    pub bytes: f64,
    /// By the median.
    pub flops_per_second: f64,
    /// By the median.
    pub bytes_per_second: f64,
    /// Over the device's measured peak.
    pub of_peak_flops: Option<f64>,
    /// Over the device's measured peak.
    pub of_peak_bytes: Option<f64>,
    /// What the results were held against.
    pub checked: String,
}

impl Record {
    /// What tells it from the other records of a file.
    pub fn key(&self) -> (&str, &str) {
        (&self.name, &self.variant)
    }
}

/// A case without figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The case.
    pub name: String,
    /// The kernel variants of its steps, as far as they are known.
    pub variant: String,
    /// Why.
    pub message: String,
}

/// Why a file of figures cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no JSON.
    #[error("{} is no file of `knotwork bench`: {source}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// It is JSON of something else.
    #[error("{} is no file of `knotwork bench`: it has no number `version`", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later program wrote it.
    #[error("{} has version {version}; this program knows versions up to {VERSION}", path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// Its figures make no sense.
    #[error("{} is damaged: `{case}` says {what} is {value}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The case.
        case: String,
        /// Which figure.
        what: &'static str,
        /// Its value.
        value: f64,
    },
}

/// Reads a file that [`File`] was written to.
///
/// # Errors
/// Where there is none, it is something else, of a later version, or a time in it is no time.
pub fn read(path: &Path) -> Result<File, FileError> {
    let path = path.to_owned();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(source) => return Err(FileError::Unreadable { path, source }),
    };
    // The version first: another one may have another form.
    let value: serde_json::Value = match serde_json::from_slice(&text) {
        Ok(value) => value,
        Err(source) => return Err(FileError::Corrupt { path, source }),
    };
    match value.get("version").and_then(serde_json::Value::as_u64) {
        None => return Err(FileError::Foreign { path }),
        Some(version) if version > VERSION => return Err(FileError::Later { path, version }),
        Some(_) => {}
    }
    let file: File = match serde_json::from_slice(&text) {
        Ok(file) => file,
        Err(source) => return Err(FileError::Corrupt { path, source }),
    };
    for case in &file.cases {
        for (what, value) in [("min_ns", case.min_ns), ("median_ns", case.median_ns)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(FileError::Damaged { path, case: case.name.clone(), what, value });
            }
        }
    }
    Ok(file)
}
