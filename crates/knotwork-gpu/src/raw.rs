//! The raw door, for apps that share a wgpu device with Knotwork: their renderer's device under Knotwork's programs, their
//! buffers as inputs and outputs, with nothing passing through the host. Only here does the API show wgpu's types;
//! [`wgpu`] is the version that they are of.
//!
//! ```
//! use knotwork_core::{DType, Device, Graph};
//! use knotwork_gpu::raw::{DeviceExt, Sharing, wgpu};
//! # use knotwork_core::Error;
//!
//! # pollster::block_on(async {
//! // The app's own device, opened as it likes.
//! let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
//! let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await?;
//! let (gpu, queue) = adapter.request_device(&wgpu::DeviceDescriptor::default()).await?;
//!
//! // Knotwork on it.
//! let device = Device::from_wgpu(gpu.clone(), queue.clone(), Sharing::default())?;
//! let g = Graph::new();
//! let x = g.input("x", DType::F32, [64])?;
//! let mut program = device.compile(&g, &[&x.square()?], &[])?;
//!
//! // The app's buffers, in and out.
//! let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
//! let buffer = |size| {
//!     gpu.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
//! };
//! let (a, b) = (buffer(256), buffer(256));
//! let input = device.import(&a, 0, DType::F32, &[64])?;
//! let output = device.import(&b, 0, DType::F32, &[64])?;
//! program.run_with([("x", (&input).into())], &[(0, &output)])?; // what is submitted next sees the squares in `b`
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Order
//!
//! Everything goes through the app's queue, in the order of the calls. A run reads its lent inputs as what was submitted
//! before the call left them, and what is submitted after the call sees its lent outputs; neither side waits on the host.
//! So the app submits its own passes first, calls [`run_with`](knotwork_core::Program::run_with), then submits the passes
//! that read the outputs. The same holds for parameters that the app binds ([`parameter`]). With several threads, the
//! order is that of the calls as they happen; a buffer that a run uses must not be mapped or destroyed by the app
//! meanwhile: the run is then refused with a typed error.
//!
//! A lent input is copied into the program's own memory on the device, and a lent output out of it, by the run itself: the
//! app's buffers need the usages `COPY_SRC` and `COPY_DST` and nothing else, may be read by the app while the run is
//! under way, and may be others in each run.
//!
//! # What the app's device can do
//!
//! Plans are made for the features and limits that the device was *opened* with, not for those of its adapter: without
//! `SHADER_F16` there are no 16-bit floats in kernels, with fewer storage buffers kernels are chosen and fused for fewer.
//! What no kernel can do within them is refused at planning, with the node, the limit and the device's value. Below the
//! floor of [`floor`], [`from_wgpu`](DeviceExt::from_wgpu) itself refuses. To give Knotwork all that there is, open the
//! device with [`features`] and the adapter's limits.

use std::{any::Any, sync::Arc};

use knotwork_core::{
    DType, Device, Error, Result,
    device::{External, Lent, Params},
};
pub use wgpu;

use crate::{
    adapter::{Profile, wanted_features},
    context::{Context, GpuBackend, Manner},
    memory::GpuMemory,
};

/// How Knotwork treats a device that an app opened.
#[derive(Clone, Copy, Debug)]
pub struct Sharing {
    /// The shader profile of Knotwork's kernels.
    pub profile: Profile,
    /// Whether Knotwork's own memory is filled with NaN before a value is written to it; see [`Options`](crate::Options).
    pub poison: bool,
    /// Whether Knotwork may set the device's callbacks on uncaptured errors and on its loss. A device has one of each. Where
    /// the app has set its own, leave this off: Knotwork then learns of a loss when it next writes a parameter or waits for a
    /// run, or when the app's callback tells it ([`report_loss`]), and none of Knotwork's errors reach the app's callback in
    /// either case.
    pub callbacks: bool,
}

impl Default for Sharing {
    /// The build's profile, poison in debug builds, the app's callbacks left alone.
    fn default() -> Self {
        Self { profile: Profile::default(), poison: cfg!(debug_assertions), callbacks: false }
    }
}

/// What [`Device`] has for apps that know wgpu.
pub trait DeviceExt: Sized {
    /// Knotwork on an app's device and queue. Both stay the app's as well: they are handles.
    ///
    /// # Errors
    /// Where the device was opened with limits below the [`floor`]: the message names the limit and both values.
    fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue, sharing: Sharing) -> Result<Self>;

    /// The wgpu device and queue that it runs on, `None` for one that is no GPU.
    fn wgpu(&self) -> Option<(&wgpu::Device, &wgpu::Queue)>;

    /// Lends a range of one of the app's buffers, from byte `offset` on, to the runs on this handle and its clones: as an
    /// input (the buffer needs the usage `COPY_SRC`) or for an output (`COPY_DST`). The elements are row-major without gaps;
    /// a bool is a `u32` that is 0 or 1. The buffer must be one of this wgpu device: of one instance, wgpu refuses those of
    /// another device when they are used, but those of two instances it cannot tell apart.
    ///
    /// # Errors
    /// Where the device is no GPU, the offset is no multiple of 4, or the buffer is too small: it must have room for the
    /// elements and, where they end within one, the rest of a 4-byte word.
    fn import(&self, buffer: &wgpu::Buffer, offset: u64, dtype: DType, shape: &[usize]) -> Result<External>;
}

/// A range of a buffer.
#[derive(Clone, Debug)]
pub struct Region {
    /// Whose it is: wgpu cannot tell buffers of two instances apart.
    pub(crate) context: Arc<Context>,
    /// The buffer.
    pub buffer: wgpu::Buffer,
    /// The first byte.
    pub offset: u64,
    /// The number of bytes, a multiple of 4.
    pub bytes: u64,
}

impl Lent for Region {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn context(device: &Device) -> Option<&Arc<Context>> {
    device.backend().as_any()?.downcast_ref::<GpuBackend>().map(|b| &b.0)
}

impl DeviceExt for Device {
    fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue, sharing: Sharing) -> Result<Self> {
        check_floor(&device)?;
        let Sharing { profile, poison, callbacks } = sharing;
        let context = Context::over(device, queue, Manner { profile, poison, callbacks }, Vec::new());
        Ok(Self::from_backend(Arc::new(GpuBackend(Arc::new(context)))))
    }

    fn wgpu(&self) -> Option<(&wgpu::Device, &wgpu::Queue)> {
        context(self).map(|c| (&c.device, &c.queue))
    }

    fn import(&self, buffer: &wgpu::Buffer, offset: u64, dtype: DType, shape: &[usize]) -> Result<External> {
        let context = context(self)
            .ok_or_else(|| Error::Host(format!("a buffer cannot be lent to {}", self.info())))?;
        let refuse = |message: String| Err(Error::Host(format!("a buffer to lend: {message}")));
        if dtype == DType::F64 {
            return refuse("a GPU has no f64".into());
        }
        if !offset.is_multiple_of(4) {
            return refuse(format!("its offset is {offset}, no multiple of 4"));
        }
        let count = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64));
        let bytes = count.and_then(|n| n.checked_mul(dtype.bytes() as u64)).map(|n| n.div_ceil(4) * 4);
        let (Some(bytes), Some(end)) = (bytes, bytes.and_then(|n| n.checked_add(offset))) else {
            return refuse(format!("{dtype}{shape:?} has more bytes than there are"));
        };
        if end > buffer.size() {
            return refuse(format!(
                "{dtype}{shape:?} from byte {offset} on needs {end} bytes; it has {}",
                buffer.size()
            ));
        }
        let region = Region { context: context.clone(), buffer: buffer.clone(), offset, bytes };
        Ok(External::new(dtype, shape, Arc::new(region)))
    }
}

/// The features that Knotwork makes use of where a device was opened with them: to intersect with the adapter's.
#[must_use]
pub fn features() -> wgpu::Features {
    wanted_features()
}

/// The least that a device must have been opened with: WebGPU's guaranteed limits for compute, but for the storage buffers
/// a stage, of which 4 will do for plain networks.
///
/// ```
/// let floor = knotwork_gpu::raw::floor();
/// assert_eq!(floor.max_compute_invocations_per_workgroup, 256);
/// ```
#[must_use]
pub fn floor() -> wgpu::Limits {
    wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..wgpu::Limits::defaults() }
}

/// A limit's name and how to read it.
type Limit = (&'static str, fn(&wgpu::Limits) -> u64);

/// The limits that kernels rely on.
const RELIED_ON: &[Limit] = &[
    ("max_compute_invocations_per_workgroup", |l| l.max_compute_invocations_per_workgroup.into()),
    ("max_compute_workgroup_size_x", |l| l.max_compute_workgroup_size_x.into()),
    ("max_compute_workgroup_storage_size", |l| l.max_compute_workgroup_storage_size.into()),
    ("max_compute_workgroups_per_dimension", |l| l.max_compute_workgroups_per_dimension.into()),
    ("max_storage_buffers_per_shader_stage", |l| l.max_storage_buffers_per_shader_stage.into()),
    ("max_bindings_per_bind_group", |l| l.max_bindings_per_bind_group.into()),
    ("max_dynamic_uniform_buffers_per_pipeline_layout", |l| {
        l.max_dynamic_uniform_buffers_per_pipeline_layout.into()
    }),
];

fn check_floor(device: &wgpu::Device) -> Result<()> {
    let (has, floor) = (device.limits(), floor());
    match RELIED_ON.iter().find(|(_, read)| read(&has) < read(&floor)) {
        Some((name, read)) => Err(Error::NoDevice(format!(
            "`{}` was opened with {name} = {}; Knotwork's kernels need {} (see `raw::floor`)",
            device.adapter_info().name,
            read(&has),
            read(&floor)
        ))),
        None => Ok(()),
    }
}

/// Tells Knotwork that its device was lost, from an app's own callback. Every later call on its programs and parameters
/// gives [`Error::DeviceLost`] with this reason. Does nothing where the device is no GPU or its loss is known.
pub fn report_loss(device: &Device, reason: &str) {
    if let Some(context) = context(device) {
        context.failure.lose(reason);
    }
}

/// Where a parameter or state lies, for an app to bind in its own passes (as storage) or to copy from, between runs: runs
/// that update it write here. Writing to it is the app's own affair; the next run submitted after that reads it.
///
/// # Errors
/// Where there is none of that name, or it does not lie on a GPU.
pub fn parameter(params: &Params, name: &str) -> Result<Region> {
    let (memory, offset, bytes) = params.memory(name)?;
    let memory: &GpuMemory = memory
        .as_any()
        .downcast_ref()
        .ok_or_else(|| Error::Params(format!("`{name}` does not lie on a GPU")))?;
    Ok(Region {
        context: memory.context.clone(),
        buffer: (*memory.buffer).clone(),
        offset: offset as u64,
        bytes: bytes.div_ceil(4) as u64 * 4,
    })
}
