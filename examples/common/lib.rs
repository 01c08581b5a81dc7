//! What the examples share: where their data lie, and how they name a device.

use std::path::PathBuf;

use knotwork::{Counters, DeviceInfo, plan::DeviceKind};

/// The path of a file of `examples/data`.
#[must_use]
pub fn data(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "data", file].iter().collect()
}

/// A device as reports write it: `cpu (...)` or `gpu: NAME`.
#[must_use]
pub fn device_name(info: &DeviceInfo) -> String {
    match info.kind {
        DeviceKind::Cpu => info.to_string(),
        DeviceKind::Gpu => format!("gpu: {}", info.name),
    }
}

/// What was done between two readings of a device's counters, by step.
#[must_use]
pub fn per_step(before: Counters, after: Counters, steps: u64) -> (f64, f64) {
    let each = |a: u64, b: u64| (b - a) as f64 / steps.max(1) as f64;
    (each(before.dispatches, after.dispatches), each(before.submits, after.submits))
}
