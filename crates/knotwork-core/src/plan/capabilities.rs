//! What a device can do, as plain data.

use std::sync::Arc;

use super::Tuned;

/// The kind of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// The CPU backend.
    Cpu,
    /// A graphics processor (or a software driver that acts as one).
    Gpu,
}

/// What kernels may rely on. Limits are the adapter's, not the portable defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// CPU or GPU.
    pub kind: DeviceKind,
    /// The device's name, for messages.
    pub device: String,
    /// Bytes that one storage binding can show.
    pub max_binding_bytes: usize,
    /// Bytes of one buffer.
    pub max_buffer_bytes: usize,
    /// Storage buffers a kernel may bind.
    pub max_storage_buffers: u32,
    /// Threads of a workgroup.
    pub max_threads: u32,
    /// Bytes of workgroup memory.
    pub max_workgroup_bytes: u32,
    /// Workgroups in one dimension of a grid.
    pub max_groups: u32,
    /// The alignment of binding offsets in bytes.
    pub offset_alignment: usize,
    /// Whether shaders have 16-bit floats.
    pub f16: bool,
    /// The smallest and largest subgroup, where shaders have subgroup operations.
    pub subgroup_size: Option<(u32, u32)>,
    /// How fast it is at least.
    pub speed: Speed,
    /// Which kernel variants were measured to be best.
    pub tuned: Arc<Tuned>,
}

/// Estimates on the low side, so that a submit is rather split too early than too late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Floating-point operations a second.
    pub flops_per_second: f64,
    /// Bytes read or written a second.
    pub bytes_per_second: f64,
    /// Seconds that a submit may take, by this estimate, before it is split: drivers of hardware reset what seems to hang,
    /// nobody watches a processor.
    pub longest_submit: f64,
}

impl Speed {
    /// A software driver, or a processor's cores.
    pub const SOFTWARE: Self =
        Self { flops_per_second: 2e9, bytes_per_second: 2e9, longest_submit: f64::INFINITY };
    /// A graphics processor that shares the memory of the host.
    pub const INTEGRATED: Self = Self { flops_per_second: 1e11, bytes_per_second: 1e10, longest_submit: 0.1 };
    /// A graphics processor with memory of its own.
    pub const DISCRETE: Self = Self { flops_per_second: 1e12, bytes_per_second: 1e11, longest_submit: 0.1 };
}

impl Capabilities {
    /// The CPU backend's.
    #[must_use]
    pub fn cpu() -> Self {
        Self {
            kind: DeviceKind::Cpu,
            device: "cpu".into(),
            max_binding_bytes: isize::MAX as usize,
            max_buffer_bytes: isize::MAX as usize,
            max_storage_buffers: u32::MAX,
            max_threads: u32::MAX,
            max_workgroup_bytes: u32::MAX,
            max_groups: u32::MAX,
            offset_alignment: 64,
            f16: true,
            subgroup_size: None,
            speed: Speed::SOFTWARE,
            tuned: Arc::default(),
        }
    }

    /// WebGPU's portable floor: what every adapter has.
    #[must_use]
    pub fn portable() -> Self {
        Self {
            kind: DeviceKind::Gpu,
            device: "portable GPU".into(),
            max_binding_bytes: 128 << 20,
            max_buffer_bytes: 256 << 20,
            max_storage_buffers: 8,
            max_threads: 256,
            max_workgroup_bytes: 16 << 10,
            max_groups: 65_535,
            offset_alignment: 256,
            f16: false,
            subgroup_size: None,
            speed: Speed::INTEGRATED,
            tuned: Arc::new(Tuned::shipped(&Speed::INTEGRATED)),
        }
    }
}
