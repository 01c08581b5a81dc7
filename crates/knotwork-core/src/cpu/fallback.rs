//! Runs a plan on the CPU, step by step, through each operation's fast path or its reference.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{
    CpuInput, CpuIo, CpuOutput, Slice,
    buffer::{Block, CpuMemory},
};
use crate::{
    Error, Result,
    device::{
        Backend, Clock, Counters, DeviceInfo, Interval, Memory, Pending, Prepared, RunInputs, Timeline, Value,
    },
    error::OpError,
    ops::Reference,
    plan::{BufferKind, Capabilities, DeviceKind, Fill, POISON, Place, Plan, Step},
    tensor::{HostTensor, format_shape},
};

/// The CPU as a device.
#[derive(Debug)]
pub struct CpuBackend {
    info: DeviceInfo,
    capabilities: Capabilities,
    count: Arc<Count>,
    poison: bool,
}

/// What was made and done so far.
#[derive(Debug, Default)]
struct Count {
    buffers: AtomicU64,
    bytes: Arc<AtomicU64>,
    runs: AtomicU64,
    steps: AtomicU64,
}

impl CpuBackend {
    /// The CPU, with whatever instruction set it has.
    #[must_use]
    pub fn new() -> Self {
        let info = DeviceInfo {
            name: "cpu".into(),
            kind: DeviceKind::Cpu,
            driver: format!("{}, {} threads", instruction_set(), rayon::current_num_threads()),
            interface: "cpu".into(),
            profile: "none".into(),
        };
        Self {
            info,
            capabilities: Capabilities::cpu(),
            count: Arc::default(),
            poison: cfg!(debug_assertions),
        }
    }

    /// Whether memory is filled with NaN before a value is written to it, so that an element that a step leaves out, or
    /// reads too late, shows. On in debug builds without being asked for; it costs a pass over the memory.
    #[must_use]
    pub fn poison(mut self, on: bool) -> Self {
        self.poison = on;
        self
    }

    fn block(&self, what: &str, bytes: usize) -> Result<Arc<Block>> {
        self.count.buffers.fetch_add(1, Ordering::Relaxed);
        Block::new(bytes, &self.count.bytes).ok_or_else(|| Error::OutOfMemory {
            what: what.into(),
            bytes,
            device: self.info.to_string(),
            message: "the system refused it".into(),
        })
    }
}

/// The instruction set that loops are compiled for on this machine, by its level's name.
fn instruction_set() -> String {
    let found = format!("{:?}", super::arch());
    let level = found.split('(').next().unwrap_or_default();
    format!("{} {level}", std::env::consts::ARCH)
}

impl Default for CpuBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for CpuBackend {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn allocate(&self, bytes: usize) -> Result<Arc<dyn Memory>> {
        Ok(Arc::new(CpuMemory(self.block("parameters", bytes)?)))
    }

    fn prepare(&self, plan: Arc<Plan>, chunks: &[Arc<dyn Memory>]) -> Result<Box<dyn Prepared>> {
        let _span = tracing::debug_span!("prepare", steps = plan.steps.len()).entered();
        let mut buffers = Vec::with_capacity(plan.buffers.len());
        for buffer in &plan.buffers {
            let block = match &buffer.kind {
                BufferKind::Chunk(c) => chunks
                    .get(*c)
                    .and_then(|m| m.as_any().downcast_ref::<CpuMemory>())
                    .map(|m| m.0.clone())
                    .ok_or_else(|| Error::Params("a chunk of parameters lies on another device".into()))?,
                BufferKind::Constant(value) => {
                    let block = self.block("a constant", buffer.bytes)?;
                    block.write_bytes(0, &value.device_bytes());
                    block
                }
                BufferKind::Feed(f) => {
                    self.block(&format!("input `{}`", plan.feeds[*f].name), buffer.bytes)?
                }
                _ => self.block("activations and gradients", buffer.bytes)?,
            };
            buffers.push(block);
        }
        plan.steps.iter().try_for_each(check_disjoint)?;
        let serial = plan.serial.then(|| rayon::ThreadPoolBuilder::new().num_threads(1).build()).transpose();
        let serial = serial.map_err(|e| Error::Device { device: "cpu".into(), message: e.to_string() })?;
        let fills = if self.poison { plan.fills() } else { Vec::new() };
        Ok(Box::new(CpuPrepared { plan, buffers, fills, serial, count: self.count.clone() }))
    }

    fn counters(&self) -> Counters {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Counters {
            buffers: get(&self.count.buffers),
            bytes: get(&self.count.bytes),
            submits: get(&self.count.runs),
            dispatches: get(&self.count.steps),
            ..Counters::default()
        }
    }
}

/// A step's outputs must not overlap each other, nor inputs that are not declared to share their memory.
fn check_disjoint(step: &Step) -> Result<()> {
    let overlap = |a: &Place, b: &Place| {
        a.buffer == b.buffer
            && a.offset < b.offset + b.bytes
            && b.offset < a.offset + a.bytes
            && a.bytes.min(b.bytes) > 0
    };
    for (o, out) in step.outputs.iter().enumerate() {
        let shared = step.outputs[..o].iter().any(|other| overlap(out, other))
            || step
                .inputs
                .iter()
                .enumerate()
                .any(|(i, place)| !step.aliases.contains(&(i, o)) && overlap(out, place));
        if shared {
            return Err(Error::Device {
                device: "cpu".into(),
                message: format!(
                    "the plan lets `{}` (made at {}) overwrite what it reads",
                    step.op.name(),
                    step.site
                ),
            });
        }
    }
    Ok(())
}

#[derive(Debug)]
struct CpuPrepared {
    plan: Arc<Plan>,
    buffers: Vec<Arc<Block>>,
    /// One thread that does everything, where the plan asks for that.
    serial: Option<rayon::ThreadPool>,
    /// What is poisoned before which step, in order.
    fills: Vec<Fill>,
    count: Arc<Count>,
}

impl Prepared for CpuPrepared {
    fn run(&mut self, inputs: &RunInputs<'_>) -> Result<Box<dyn Pending>> {
        self.write(inputs)?;
        match &self.serial {
            Some(one) => one.install(|| self.steps())?,
            None => self.steps()?,
        }
        self.count_run();
        let _span = tracing::trace_span!("read", outputs = self.plan.outputs.len()).entered();
        let outputs = self.plan.outputs.iter().map(|place| self.read(place)).collect::<Result<_>>()?;
        Ok(Box::new(Done(outputs)))
    }

    fn profile(&mut self, inputs: &RunInputs<'_>) -> Result<Option<Timeline>> {
        self.write(inputs)?;
        let mut fills = self.fills.iter().peekable();
        let start = Instant::now();
        let mut slices = Vec::with_capacity(self.plan.steps.len());
        for (index, step) in self.plan.steps.iter().enumerate() {
            self.poison(&mut fills, index);
            let begin = start.elapsed();
            self.step(step)?;
            let ns = (start.elapsed() - begin).as_nanos() as f64;
            slices.push(Interval { begin: begin.as_nanos() as f64, ns });
        }
        self.count_run();
        Ok(Some(Timeline { clock: Clock::Steps, slices }))
    }
}

impl CpuPrepared {
    /// Feeds and scalars into their buffers.
    fn write(&self, inputs: &RunInputs<'_>) -> Result<()> {
        let _span = tracing::trace_span!("write", feeds = inputs.feeds.len()).entered();
        let values = inputs.feeds.iter().map(|v| match v {
            Value::Host(v) => Some(*v),
            Value::External(_) => None,
        });
        let values: Option<Vec<&HostTensor>> = values.collect();
        let (Some(values), true) = (values, inputs.into.iter().all(Option::is_none)) else {
            return Err(Error::Params("memory of a GPU was lent to the CPU".into()));
        };
        for (feed, value) in self.plan.feeds.iter().zip(values) {
            self.buffers[feed.buffer.0].write_bytes(0, &value.device_bytes());
        }
        for (k, buffer) in self.plan.buffers.iter().enumerate() {
            if matches!(buffer.kind, BufferKind::Scalars) {
                for (slot, value) in self.plan.scalars.iter().zip(inputs.scalars) {
                    let value = HostTensor::from_f64(slot.dtype, &[*value], &[]);
                    self.buffers[k].write_bytes(slot.offset, &value.device_bytes());
                }
            }
        }
        Ok(())
    }

    fn steps(&self) -> Result<()> {
        let mut fills = self.fills.iter().peekable();
        for (index, step) in self.plan.steps.iter().enumerate() {
            self.poison(&mut fills, index);
            let _span = tracing::trace_span!("step", index, op = step.op.name()).entered();
            self.step(step)?;
        }
        Ok(())
    }

    /// Fills what holds nothing alive before a step.
    fn poison<'a>(&self, fills: &mut std::iter::Peekable<impl Iterator<Item = &'a Fill>>, step: usize) {
        while let Some(fill) = fills.next_if(|f| f.step <= step) {
            self.buffers[fill.buffer.0].fill(fill.offset, fill.bytes, POISON);
        }
    }

    fn count_run(&self) {
        self.count.runs.fetch_add(1, Ordering::Relaxed);
        self.count.steps.fetch_add(self.plan.steps.len() as u64, Ordering::Relaxed);
    }

    fn step(&self, step: &Step) -> Result<()> {
        if step.outputs.iter().all(|p| p.layout.count() == 0) {
            return Ok(());
        }
        let refuse = |message: String| -> Error {
            let shown = |p: &Place| format!("{}{}", p.dtype, format_shape(p.layout.shape()));
            OpError {
                op: step.op.name().into(),
                inputs: step.inputs.iter().map(shown).collect(),
                message,
                site: step.site,
            }
            .into()
        };
        let alias = |i: usize| step.aliases.iter().find(|(a, _)| *a == i).map(|&(_, o)| o);
        // SAFETY: `check_disjoint` has shown that outputs overlap neither each other nor any input but those that are
        // given as `InOutput`; `&mut self` of `run` and the parameters' lock exclude other runs.
        let mut io = unsafe {
            CpuIo {
                inputs: step
                    .inputs
                    .iter()
                    .enumerate()
                    .map(|(i, p)| CpuInput {
                        dtype: p.dtype,
                        layout: &p.layout,
                        data: alias(i).map_or_else(|| self.buffers[p.buffer.0].slice(p), Slice::InOutput),
                    })
                    .collect(),
                outputs: step
                    .outputs
                    .iter()
                    .map(|p| CpuOutput {
                        shape: p.layout.shape(),
                        data: self.buffers[p.buffer.0].slice_mut(p),
                    })
                    .collect(),
            }
        };
        if step.op.cpu(&mut io).map_err(refuse)? {
            return Ok(());
        }
        drop(io);
        self.by_reference(step).map_err(refuse)
    }

    /// The reference, between f64 copies of the inputs and rounded outputs.
    fn by_reference(&self, step: &Step) -> Result<(), String> {
        let inputs: Vec<Reference> = step
            .inputs
            .iter()
            .map(|p| {
                // SAFETY: nothing is written until all inputs are copied.
                let data = unsafe { gather(self.buffers[p.buffer.0].slice(p), p) };
                Reference { dtype: p.dtype, shape: p.layout.shape().to_vec(), data }
            })
            .collect();
        let mut outputs: Vec<Reference> = step
            .outputs
            .iter()
            .map(|p| Reference {
                dtype: p.dtype,
                shape: p.layout.shape().to_vec(),
                data: vec![f64::NAN; p.layout.count()],
            })
            .collect();
        step.op.reference(&inputs, &mut outputs)?;
        for (p, out) in step.outputs.iter().zip(&outputs) {
            // SAFETY: the inputs were copied; outputs do not overlap.
            unsafe { self.buffers[p.buffer.0].slice_mut(p) }.store(0..out.data.len(), &out.data);
        }
        Ok(())
    }

    fn read(&self, place: &Place) -> Result<HostTensor> {
        let bytes = self.buffers[place.buffer.0].read_bytes(place.offset, place.bytes);
        HostTensor::from_device_bytes(place.dtype, place.layout.shape(), &bytes)
    }
}

fn gather(from: Slice<'_>, place: &Place) -> Vec<f64> {
    let layout = &place.layout;
    if let (Slice::F64(s), true) = (from, layout.is_contiguous()) {
        return s[layout.offset()..layout.offset() + layout.count()].to_vec();
    }
    let at = layout.positions();
    match from {
        Slice::F32(s) => at.map(|i| s[i].into()).collect(),
        Slice::F16(s) => at.map(|i| s[i].into()).collect(),
        Slice::F64(s) => at.map(|i| s[i]).collect(),
        Slice::I32(s) => at.map(|i| s[i].into()).collect(),
        Slice::U32(s) | Slice::Bool(s) => at.map(|i| s[i].into()).collect(),
        Slice::InOutput(_) => Vec::new(),
    }
}

#[derive(Debug)]
struct Done(Vec<HostTensor>);

impl Pending for Done {
    fn wait(self: Box<Self>) -> Result<Vec<HostTensor>> {
        Ok(self.0)
    }

    fn outputs(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<Vec<HostTensor>>> + Send>> {
        Box::pin(std::future::ready(Ok(self.0)))
    }
}
