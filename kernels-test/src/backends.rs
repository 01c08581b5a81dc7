//! The backends that a run holds against references: the CPU, and the GPU in both shader profiles.

use anyhow::Result;
use clap::{Args, ValueEnum};
use knotwork::Device;

/// A kind of backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The CPU backend.
    Cpu,
    /// A GPU, or a software driver that acts as one.
    Wgpu,
}

/// A profile of the GPU's shaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// With bounds checks.
    Checked,
    /// Without.
    Trusted,
}

/// Which backends and operations to test.
#[derive(Args, Clone, Debug, Default)]
pub struct Selection {
    /// Only this backend; without it, all
    #[arg(long)]
    pub backend: Option<Kind>,
    /// Only this profile of the GPU's shaders; without it, both
    #[arg(long)]
    pub profile: Option<Profile>,
    /// Only this operation; may be repeated
    #[arg(long = "op", value_name = "NAME")]
    pub ops: Vec<String>,
}

impl Selection {
    /// Whether an operation is among those asked for.
    #[must_use]
    pub fn takes(&self, op: &str) -> bool {
        self.ops.is_empty() || self.ops.iter().any(|name| name == op)
    }
}

/// A device under test, by the name that reports use: `cpu`, `wgpu/checked`, `wgpu/trusted`.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// The device.
    pub device: Device,
}

impl Backend {
    /// The CPU backend.
    ///
    /// ```
    /// assert_eq!(kernels_test::backends::Backend::cpu().name, "cpu");
    /// ```
    #[must_use]
    pub fn cpu() -> Self {
        Self { name: "cpu".into(), device: Device::cpu() }
    }
}

/// Opens the backends of a selection. Where no backend is named: `KNOTWORK_DEVICE=cpu` leaves only the CPU, any other
/// value of it chooses the GPU, and all are opened.
///
/// # Errors
/// Where there is no such GPU.
pub fn open(selection: &Selection) -> Result<Vec<Backend>> {
    let named = std::env::var("KNOTWORK_DEVICE").unwrap_or_default();
    let named = named.trim();
    let only_cpu = named.eq_ignore_ascii_case("cpu") && selection.backend.is_none();
    let mut all = Vec::new();
    if selection.backend != Some(Kind::Wgpu) {
        all.push(Backend::cpu());
    }
    if selection.backend != Some(Kind::Cpu) && !only_cpu {
        let any = named.is_empty() || ["cpu", "gpu"].iter().any(|word| named.eq_ignore_ascii_case(word));
        gpus(selection, (!any).then(|| named.to_owned()), &mut all)?;
    }
    Ok(all)
}

#[cfg(feature = "gpu")]
fn gpus(selection: &Selection, selector: Option<String>, all: &mut Vec<Backend>) -> Result<()> {
    use anyhow::Context;
    use knotwork_gpu::{Options, Profile as Shaders};
    let profiles = [
        (Profile::Checked, Shaders::Checked, "wgpu/checked"),
        (Profile::Trusted, Shaders::Trusted, "wgpu/trusted"),
    ];
    for (profile, shaders, name) in profiles {
        if selection.profile.is_none_or(|only| only == profile) {
            let options = Options { selector: selector.clone(), profile: shaders, ..Options::default() };
            let device = knotwork_gpu::open(&options)
                .with_context(|| format!("{name} cannot be tested; `--backend cpu` leaves it out"))?;
            all.push(Backend { name: name.into(), device });
        }
    }
    Ok(())
}

#[cfg(not(feature = "gpu"))]
fn gpus(selection: &Selection, _: Option<String>, _: &mut Vec<Backend>) -> Result<()> {
    anyhow::ensure!(
        selection.backend.is_none(),
        "this build is without the feature `gpu`: there is only `--backend cpu`"
    );
    Ok(())
}
