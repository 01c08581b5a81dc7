//! What the examples share: where their data lie, how they name a device, and what each of them can be told.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use knotwork::{
    Counters, Device, DeviceInfo, Program, Tensor, graph::SlotGroup, nn::Linear, plan::DeviceKind,
};

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

/// The options that every example has.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Common {
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    pub device: Option<String>,
    /// The seed of everything random: initial values, samples, shuffling.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Writes the figures of the run as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Common {
    /// Opens the device that was asked for, and prints its name.
    ///
    /// # Errors
    /// Where there is no such device.
    pub fn open(&self) -> Result<Device> {
        let device = knotwork::open_device(self.device.as_deref())?;
        println!("device      {}", device_name(device.info()));
        Ok(device)
    }

    /// Writes the figures where that was asked for, with the device's name and the seed before them.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, device: &Device, figures: &serde_json::Value) -> Result<()> {
        let Some(path) = &self.json else { return Ok(()) };
        let mut all = serde_json::json!({ "device": device_name(device.info()), "seed": self.seed });
        if let (Some(all), Some(figures)) = (all.as_object_mut(), figures.as_object()) {
            all.extend(figures.clone());
        }
        std::fs::write(path, format!("{all:#}\n"))
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// Makes a folder for pictures.
///
/// # Errors
/// Where it cannot be made.
pub fn folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// The root of the mean of squared differences; `NaN` where there are none.
#[must_use]
pub fn rmse(got: &[f64], want: &[f64]) -> f64 {
    let sum: f64 = got.iter().zip(want).map(|(a, b)| (a - b).powi(2)).sum();
    (sum / got.len() as f64).sqrt()
}

/// How many numbers training finds.
#[must_use]
pub fn parameters(program: &Program) -> usize {
    let all = program.params().list().into_iter().filter(|p| p.group == SlotGroup::Parameter);
    all.map(|p| p.shape.iter().product::<usize>()).sum()
}

/// The plain network that KANs are held against: affine layers through these widths, with a function between them.
///
/// # Errors
/// Where x does not fit the first width, or the graph has a layer of this name.
pub fn mlp(
    x: &Tensor,
    name: &str,
    widths: &[usize],
    seed: u64,
    gain: f64,
    between: impl Fn(&Tensor) -> knotwork::Result<Tensor>,
) -> Result<Tensor> {
    let mut y = x.clone();
    for (layer, pair) in widths.windows(2).enumerate() {
        let linear = Linear::new(x.graph(), &format!("{name}.{layer}"), pair[0], pair[1])
            .seed(seed)
            .gain(gain)
            .build()?;
        y = linear.forward(&if layer == 0 { y } else { between(&y)? })?;
    }
    Ok(y)
}
