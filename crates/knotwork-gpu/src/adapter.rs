//! Which adapters there are, which one to take, and what it can do.

use std::sync::Arc;

use knotwork_core::{
    Error, Result,
    plan::{Capabilities, DeviceKind, Speed, Tuned},
};

/// How much the compiler guards kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Bounds checks on every access, loops bounded, workgroup memory zeroed: for tests, debugging and fuzzing.
    Checked,
    /// None of these: kernels clamp the indices that come from data themselves.
    Trusted,
}

impl Default for Profile {
    /// Checked in debug builds, trusted in release builds.
    fn default() -> Self {
        if cfg!(debug_assertions) { Self::Checked } else { Self::Trusted }
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Checked => "checked",
            Self::Trusted => "trusted",
        })
    }
}

/// Which adapter to open, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Part of the adapter's name, in any case; `None` takes the best: discrete, integrated, virtual, then software.
    pub selector: Option<String>,
    /// The shader profile.
    pub profile: Profile,
    /// Whether to pass by adapters that run on the CPU.
    pub hardware_only: bool,
    /// Whether memory is filled with NaN before a value is written to it, so that an element that a kernel leaves out, or
    /// reads too late, shows. Costs about a dispatch more for each. On in debug builds, off in release builds.
    pub poison: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            selector: None,
            profile: Profile::default(),
            hardware_only: false,
            poison: cfg!(debug_assertions),
        }
    }
}

/// What is known of an adapter before it is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterSummary {
    /// Its name.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub class: String,
    /// `vulkan`, `metal` or `dx12`.
    pub interface: String,
    /// The driver and its version.
    pub driver: String,
    /// What plans may rely on.
    pub capabilities: Capabilities,
    /// Optional features that Knotwork knows, by their names in wgpu: (name, whether the adapter has it).
    pub features: Vec<(String, bool)>,
}

impl AdapterSummary {
    /// Whether it runs on the CPU.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.class == "software"
    }
}

/// All adapters, best first.
#[must_use]
pub fn adapters() -> Vec<AdapterSummary> {
    pollster::block_on(enumerate()).iter().map(summary).collect()
}

pub(crate) fn wanted_features() -> wgpu::Features {
    wgpu::Features::SHADER_F16
        | wgpu::Features::SUBGROUP
        | wgpu::Features::TIMESTAMP_QUERY
        | wgpu::Features::PIPELINE_CACHE
}

async fn enumerate() -> Vec<wgpu::Adapter> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let descriptor = wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    };
    let instance = wgpu::Instance::new(descriptor);
    let mut all = instance.enumerate_adapters(backends).await;
    all.sort_by_key(|a| rank(a.get_info().device_type));
    all
}

fn rank(class: wgpu::DeviceType) -> u8 {
    match class {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

pub(crate) async fn choose(options: &Options) -> Result<wgpu::Adapter> {
    let all = enumerate().await;
    let names: Vec<String> = all.iter().map(|a| format!("`{}`", a.get_info().name)).collect();
    let fits = |a: &wgpu::Adapter| {
        let info = a.get_info();
        let named =
            options.selector.as_ref().is_none_or(|s| info.name.to_lowercase().contains(&s.to_lowercase()));
        named && !(options.hardware_only && info.device_type == wgpu::DeviceType::Cpu)
    };
    if let Some(found) = all.into_iter().find(fits) {
        return Ok(found);
    }
    let there = if names.is_empty() {
        "no GPU driver (Vulkan, Metal or DX12) was found; on Debian and Ubuntu `mesa-vulkan-drivers` gives a software one"
            .to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    };
    Err(Error::NoDevice(match &options.selector {
        Some(name) => format!("no GPU is called `{name}`; {there}"),
        None => format!("no GPU: {there}"),
    }))
}

pub(crate) fn summary(adapter: &wgpu::Adapter) -> AdapterSummary {
    let info = adapter.get_info();
    let class = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    };
    let known =
        wanted_features() | wgpu::Features::IMMEDIATES | wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
    let has = adapter.features();
    AdapterSummary {
        class: class.into(),
        interface: info.backend.to_string(),
        driver: [info.driver.as_str(), info.driver_info.as_str()].join(" ").trim().to_owned(),
        capabilities: capabilities(&info, &adapter.limits(), has),
        features: known.iter_names().map(|(name, flag)| (name.to_owned(), has.contains(flag))).collect(),
        name: info.name,
    }
}

/// What plans may rely on, on a device with these limits and features.
pub(crate) fn capabilities(
    info: &wgpu::AdapterInfo,
    limits: &wgpu::Limits,
    features: wgpu::Features,
) -> Capabilities {
    let bytes = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let speed = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => Speed::DISCRETE,
        wgpu::DeviceType::Cpu => Speed::SOFTWARE,
        _ => Speed::INTEGRATED,
    };
    Capabilities {
        kind: DeviceKind::Gpu,
        device: info.name.clone(),
        max_binding_bytes: bytes(limits.max_storage_buffer_binding_size),
        max_buffer_bytes: bytes(limits.max_buffer_size),
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        max_threads: limits.max_compute_invocations_per_workgroup,
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        max_groups: limits.max_compute_workgroups_per_dimension,
        offset_alignment: limits.min_storage_buffer_offset_alignment as usize,
        f16: features.contains(wgpu::Features::SHADER_F16),
        subgroup_size: features
            .contains(wgpu::Features::SUBGROUP)
            .then_some((info.subgroup_min_size, info.subgroup_max_size)),
        tuned: Arc::new(Tuned::shipped(&speed)),
        speed,
    }
}
