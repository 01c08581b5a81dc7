//! Which device to run on.

use knotwork_core::{Device, Error, Result};

/// A device, as `KNOTWORK_DEVICE` says; where it says nothing, a hardware GPU, else the CPU. A software GPU driver
/// is taken only where it is asked for by name or as `gpu`: the CPU backend is many times faster.
///
/// # Errors
/// Where `KNOTWORK_DEVICE` names a device that is not there.
pub fn best_device() -> Result<Device> {
    match std::env::var("KNOTWORK_DEVICE") {
        Ok(name) if !name.trim().is_empty() => {
            open(name.trim()).map_err(|e| Error::NoDevice(format!("{} (KNOTWORK_DEVICE={name})", message(e))))
        }
        _ => Ok(hardware().unwrap_or_else(Device::cpu)),
    }
}

/// The device called `name`: `cpu`, `gpu` (the best GPU there is) or part of a GPU's name.
/// `None` is [`best_device`].
///
/// ```
/// assert_eq!(knotwork::open_device(Some("cpu"))?.info().name, "cpu");
/// assert!(knotwork::open_device(Some("no such thing")).is_err());
/// # Ok::<(), knotwork::Error>(())
/// ```
///
/// # Errors
/// Where there is no such device; the message lists those there are.
pub fn open_device(name: Option<&str>) -> Result<Device> {
    name.map_or_else(best_device, open)
}

fn message(error: Error) -> String {
    match error {
        Error::NoDevice(message) => message,
        other => other.to_string(),
    }
}

fn open(name: &str) -> Result<Device> {
    if name.eq_ignore_ascii_case("cpu") {
        return Ok(Device::cpu());
    }
    gpu(name)
}

#[cfg(feature = "gpu")]
fn gpu(name: &str) -> Result<Device> {
    let selector = (!name.eq_ignore_ascii_case("gpu")).then(|| name.to_owned());
    knotwork_gpu::open(&knotwork_gpu::Options { selector, ..Default::default() })
}

#[cfg(not(feature = "gpu"))]
fn gpu(name: &str) -> Result<Device> {
    Err(Error::NoDevice(format!(
        "`{name}`: this build of Knotwork is without the feature `gpu`; there is: cpu"
    )))
}

#[cfg(feature = "gpu")]
fn hardware() -> Option<Device> {
    knotwork_gpu::open(&knotwork_gpu::Options { hardware_only: true, ..Default::default() }).ok()
}

#[cfg(not(feature = "gpu"))]
fn hardware() -> Option<Device> {
    None
}
