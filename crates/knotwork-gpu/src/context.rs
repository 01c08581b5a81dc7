//! An open device: what everything else of the backend shares.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use knotwork_core::{
    DeviceInfo, Error, Result,
    device::{Backend, Counters, Memory, Prepared},
    plan::{Capabilities, DeviceKind, Plan},
};

use crate::{
    adapter::{Profile, capabilities, wanted_features},
    buffer::Buffer,
    cache::DiskCache,
    memory::GpuMemory,
    pipeline::Pipelines,
    prepared::GpuPrepared,
};

/// Device, queue, and what was made on them.
#[derive(Debug)]
pub(crate) struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: DeviceInfo,
    pub capabilities: Capabilities,
    pub uniform_alignment: usize,
    pub pipelines: Pipelines,
    pub count: Count,
    /// What the driver said outside of any call of ours, or when the device was lost: from then on every call fails.
    failure: Arc<Mutex<Option<String>>>,
}

/// How many objects were made.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub buffers: AtomicU64,
    pub bytes: Arc<AtomicU64>,
    pub bind_groups: AtomicU64,
    pub pipelines: AtomicU64,
    pub submits: AtomicU64,
    pub reads: AtomicU64,
    pub dispatches: AtomicU64,
}

impl Context {
    pub async fn open(adapter: &wgpu::Adapter, profile: Profile) -> Result<Self> {
        let adapter_info = adapter.get_info();
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("knotwork"),
            required_features: adapter.features() & wanted_features(),
            required_limits: adapter.limits(),
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| Error::NoDevice(format!("`{}` could not be opened: {e}", adapter_info.name)))?;
        let failure: Arc<Mutex<Option<String>>> = Arc::default();
        let keep = |failure: &Arc<Mutex<Option<String>>>, what: String| {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
        };
        let on_error = failure.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| keep(&on_error, e.to_string())));
        let on_loss = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                keep(&on_loss, format!("the device was lost: {message}"));
            }
        });
        let disk = DiskCache::open(&device, &adapter_info);
        let info = DeviceInfo {
            name: adapter_info.name.clone(),
            kind: DeviceKind::Gpu,
            driver: [adapter_info.driver.as_str(), adapter_info.driver_info.as_str()]
                .join(" ")
                .trim()
                .to_owned(),
            interface: adapter_info.backend.to_string(),
            profile: profile.to_string(),
        };
        Ok(Self {
            uniform_alignment: adapter.limits().min_uniform_buffer_offset_alignment as usize,
            capabilities: capabilities(adapter),
            pipelines: Pipelines::new(profile, disk),
            device,
            queue,
            info,
            count: Count::default(),
            failure,
        })
    }

    pub fn fail(&self, message: impl Into<String>) -> Error {
        Error::Device { device: self.info.to_string(), message: message.into() }
    }

    /// The failure that the device reported, if it did.
    pub fn check(&self) -> Result<()> {
        match &*self.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(message) => Err(self.fail(message.clone())),
            None => Ok(()),
        }
    }

    /// Runs `f`, and turns what the driver says against it into an error.
    pub fn guarded<R>(&self, f: impl FnOnce() -> R) -> Result<R, wgpu::Error> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let result = f();
        let errors = [
            pollster::block_on(internal.pop()),
            pollster::block_on(validation.pop()),
            pollster::block_on(memory.pop()),
        ];
        errors.into_iter().flatten().next().map_or(Ok(result), Err)
    }

    pub fn buffer(&self, label: &str, bytes: usize, usage: wgpu::BufferUsages) -> Result<Buffer> {
        self.count.buffers.fetch_add(1, Ordering::Relaxed);
        let descriptor = wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes as u64,
            usage,
            mapped_at_creation: false,
        };
        self.guarded(|| Buffer::new(self.device.create_buffer(&descriptor), &self.count.bytes))
            .map_err(|e| self.fail(format!("no buffer of {bytes} bytes for {label}: {e}")))
    }

    /// Writes bytes; the length is padded to a multiple of 4, which every buffer has room for.
    pub fn write(&self, buffer: &wgpu::Buffer, offset: usize, bytes: &[u8]) {
        let whole = bytes.len() / 4 * 4;
        if whole > 0 {
            self.queue.write_buffer(buffer, offset as u64, &bytes[..whole]);
        }
        if whole < bytes.len() {
            let mut last = [0; 4];
            last[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
            self.queue.write_buffer(buffer, (offset + whole) as u64, &last);
        }
    }

    /// Waits for a submission.
    pub fn wait_for(&self, submission: &wgpu::SubmissionIndex) -> Result<()> {
        let poll =
            wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(TIMEOUT) };
        self.device.poll(poll).map_err(|e| self.fail(format!("waiting for a run failed: {e}")))?;
        self.check()
    }
}

/// A submission that takes longer has hung.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(600);

/// The backend over an open device.
#[derive(Debug)]
pub(crate) struct GpuBackend(pub Arc<Context>);

impl Backend for GpuBackend {
    fn info(&self) -> &DeviceInfo {
        &self.0.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn allocate(&self, bytes: usize) -> Result<Arc<dyn Memory>> {
        self.0.check()?;
        Ok(Arc::new(GpuMemory::new(&self.0, bytes)?))
    }

    fn prepare(&self, plan: Arc<Plan>, chunks: &[Arc<dyn Memory>]) -> Result<Box<dyn Prepared>> {
        self.0.check()?;
        Ok(Box::new(GpuPrepared::new(&self.0, plan, chunks)?))
    }

    fn counters(&self) -> Counters {
        let count = &self.0.count;
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Counters {
            buffers: get(&count.buffers),
            bytes: get(&count.bytes),
            bind_groups: get(&count.bind_groups),
            pipelines: get(&count.pipelines),
            submits: get(&count.submits),
            reads: get(&count.reads),
            dispatches: get(&count.dispatches),
        }
    }
}
