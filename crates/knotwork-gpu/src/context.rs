//! An open device: what everything else of the backend shares.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use knotwork_core::{
    DeviceInfo, Error, Result,
    device::{Backend, Counters, Memory, Prepared},
    plan::{Capabilities, CooperativeMatrix, DeviceKind, Plan, Tuned},
};

use crate::{
    adapter::{COOPERATIVE, Profile, capabilities, cooperative, wanted_features},
    buffer::Buffer,
    cache::{DiskCache, tuned_path},
    failure::Failure,
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
    /// Whether memory is filled with NaN before a value is written to it.
    pub poison: bool,
    /// Whether the device's callbacks are ours, so that its loss is told to us.
    pub callbacks: bool,
    pub failure: Arc<Failure>,
}

/// How a device is driven, whoever opened it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub profile: Profile,
    pub poison: bool,
    /// Whether the device's own callbacks, on errors and on its loss, are ours to set.
    pub callbacks: bool,
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
    /// Opens an adapter with all that it has and Knotwork knows.
    pub async fn open(adapter: &wgpu::Adapter, manner: Manner) -> Result<Self> {
        let matrices = cooperative(adapter);
        let mut required_features = adapter.features() & wanted_features();
        required_features.set(COOPERATIVE, !matrices.is_empty());
        let experimental_features = if matrices.is_empty() {
            wgpu::ExperimentalFeatures::disabled()
        } else {
            // SAFETY: of the experiments only cooperative matrices are asked for. Kernels load and store them in workgroup
            // memory alone, at places that are made from constants.
            unsafe { wgpu::ExperimentalFeatures::enabled() }
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("knotwork"),
            required_features,
            required_limits: adapter.limits(),
            experimental_features,
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|e| {
            Error::NoDevice(format!("`{}` could not be opened: {e}", adapter.get_info().name))
        })?;
        Ok(Self::over(device, queue, manner, matrices))
    }

    /// Over a device that is open. Only its adapter knows of which kinds its cooperative matrices are.
    pub fn over(
        device: wgpu::Device,
        queue: wgpu::Queue,
        manner: Manner,
        matrices: Vec<CooperativeMatrix>,
    ) -> Self {
        let adapter = device.adapter_info();
        let info = DeviceInfo {
            name: adapter.name.clone(),
            kind: DeviceKind::Gpu,
            driver: [adapter.driver.as_str(), adapter.driver_info.as_str()].join(" ").trim().to_owned(),
            interface: adapter.backend.to_string(),
            profile: manner.profile.to_string(),
        };
        let failure = Arc::new(Failure::new(info.to_string()));
        if manner.callbacks {
            let stray = failure.clone();
            device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| stray.stray(e.to_string())));
            let on_loss = failure.clone();
            device.set_device_lost_callback(move |reason, message| {
                on_loss.lose(&format!("{} {message}", why(reason)));
            });
        }
        let limits = device.limits();
        let mut capabilities = capabilities(&adapter, &limits, device.features(), matrices);
        if let Some(path) = tuned_path(&info) {
            let shipped = Tuned::clone(&capabilities.tuned);
            capabilities.tuned = Arc::new(shipped.with_file(&path, &info.driver));
        }
        Self {
            uniform_alignment: limits.min_uniform_buffer_offset_alignment as usize,
            capabilities,
            pipelines: Pipelines::new(manner.profile, DiskCache::open(&device, &adapter)),
            poison: manner.poison,
            callbacks: manner.callbacks,
            device,
            queue,
            info,
            count: Count::default(),
            failure,
        }
    }

    pub fn fail(&self, message: impl Into<String>) -> Error {
        Error::Device { device: self.info.to_string(), message: message.into() }
    }

    /// What the driver said against something of ours, as our error.
    pub fn refused(&self, what: &str, bytes: usize, error: &wgpu::Error) -> Error {
        if let Err(lost) = self.failure.check() {
            return lost;
        }
        match error {
            wgpu::Error::OutOfMemory { source } => self.no_memory(what, bytes, &source.to_string()),
            other => self.fail(format!("{what}: {other}")),
        }
    }

    fn no_memory(&self, what: &str, bytes: usize, message: &str) -> Error {
        Error::OutOfMemory {
            what: what.into(),
            bytes,
            device: self.info.to_string(),
            message: message.into(),
        }
    }

    /// The loss of the device, if it was lost. It asks the driver, which tells no other way of a device that was destroyed:
    /// calls on such a one do nothing and say nothing. Where the callbacks are the app's, only a wait can tell.
    pub fn alive(&self) -> Result<()> {
        self.failure.check()?;
        // What it says beside is nothing that was asked for.
        let _ = self.poll(wgpu::PollType::Poll);
        self.failure.check()
    }

    /// Whether a write was taken: a lost device takes none, and does not say so. A run needs no such question, since it
    /// will be waited for.
    ///
    /// A wait of no time would tell as well, but wgpu 30 panics where one runs out while another thread finds the queue
    /// empty.
    pub fn taken(&self, submission: &wgpu::SubmissionIndex) -> Result<()> {
        if self.callbacks { self.alive() } else { self.wait_for(submission) }
    }

    /// Polls. wgpu panics where the driver reports the loss of the device to a poll; it has called the callback then.
    fn poll(&self, how: wgpu::PollType) -> Result<wgpu::PollStatus, wgpu::PollError> {
        let poll = std::panic::AssertUnwindSafe(|| self.device.poll(how));
        std::panic::catch_unwind(poll).unwrap_or_else(|_| {
            self.failure.lose("the driver reported its loss while it was waited for");
            Ok(wgpu::PollStatus::Poll)
        })
    }

    /// The error of a device that no longer answers: with its own reason where it gives one.
    pub fn gone(&self, otherwise: &str) -> Error {
        if let Err(lost) = self.alive() {
            return lost;
        }
        self.failure.lose(otherwise);
        self.failure.check().err().unwrap_or_else(|| self.fail(otherwise))
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
        if bytes > self.capabilities.max_buffer_bytes {
            let limit = format!("a buffer has at most {} bytes", self.capabilities.max_buffer_bytes);
            return Err(self.no_memory(label, bytes, &limit));
        }
        let made = self.guarded(|| self.device.create_buffer(&descriptor));
        let made = made.map_err(|e| self.refused(label, bytes, &e))?;
        Ok(Buffer::new(made, &self.count.bytes))
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
        let wait =
            wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(TIMEOUT) };
        match self.poll(wait) {
            Ok(_) => self.failure.check(),
            Err(wgpu::PollError::Timeout) => {
                Err(self.gone(&format!("a run had not come back after {} seconds", TIMEOUT.as_secs())))
            }
            Err(refused) => Err(self.gone(&refused.to_string())),
        }
    }
}

fn why(reason: wgpu::DeviceLostReason) -> &'static str {
    match reason {
        wgpu::DeviceLostReason::Destroyed => "it was destroyed",
        wgpu::DeviceLostReason::Unknown => "the driver says:",
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
        self.0.alive()?;
        Ok(Arc::new(GpuMemory::new(&self.0, bytes)?))
    }

    fn prepare(&self, plan: Arc<Plan>, chunks: &[Arc<dyn Memory>]) -> Result<Box<dyn Prepared>> {
        self.0.alive()?;
        Ok(Box::new(GpuPrepared::new(&self.0, plan, chunks)?))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
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
