//! Results on their way back. A small ring of staging buffers lets the next runs start before a result is read.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use knotwork_core::{
    Error, HostTensor, Result,
    device::Pending,
    plan::{Place, Plan, StatusWord},
};

use crate::{
    background,
    buffer::Buffer,
    context::{Context, TIMEOUT},
    mapping::Mapping,
    raw::Region,
};

/// Runs that may be under way at once before the next one waits for the oldest.
const RING: usize = 3;

/// Idle staging buffers beyond which those of a caller who once held many results go. Who holds a few now and again, as a
/// training loop does with its losses, finds them there again.
const MANY: usize = 16;

/// What a run sends back.
#[derive(Debug)]
pub(crate) struct Contents {
    outputs: Vec<(Place, usize)>,
    /// The status buffer, its words, and where its copy begins.
    status: Option<(usize, usize, usize)>,
    words: Vec<(StatusWord, String, knotwork_core::Site)>,
    bytes: usize,
}

impl Contents {
    pub fn new(plan: &Plan, status: Option<usize>) -> Self {
        let mut bytes = 0;
        let mut place = |size: usize| {
            let at = bytes;
            bytes += size.div_ceil(8) * 8;
            at
        };
        let outputs = plan.outputs.iter().map(|p| (p.clone(), place(p.bytes))).collect();
        let status = status.map(|b| (b, plan.buffers[b].bytes, place(plan.buffers[b].bytes)));
        let words = plan
            .status
            .iter()
            .map(|w| (w.clone(), plan.steps[w.step].indexing().to_owned(), plan.steps[w.step].site))
            .collect();
        Self { outputs, status, words, bytes }
    }

    /// Turns the staging buffer's bytes into tensors, but for the outputs that went into lent memory, and counted indices
    /// into an error.
    fn decode(&self, data: &[u8], lent: &[bool]) -> Result<Vec<HostTensor>> {
        if let Some((_, size, at)) = self.status {
            let stride = size / self.words.len().max(1);
            for (k, (word, op, site)) in self.words.iter().enumerate() {
                let from = at + k * stride;
                let count =
                    data.get(from..from + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes);
                if count > 0 {
                    return Err(Error::IndexOutOfRange {
                        op: op.clone(),
                        site: *site,
                        count,
                        bound: word.bound,
                    });
                }
            }
        }
        let kept = self.outputs.iter().enumerate().filter(|(i, _)| !lent.get(*i).is_some_and(|l| *l));
        kept.map(|(_, (place, at))| {
            HostTensor::from_device_bytes(place.dtype, place.layout.shape(), data.get(*at..).unwrap_or(&[]))
        })
        .collect()
    }
}

#[derive(Debug)]
struct Staging {
    context: Arc<Context>,
    contents: Arc<Contents>,
    /// Absent where a run sends nothing back.
    buffer: Option<Buffer>,
    /// The run that fills it: where it was sent, and its number.
    submission: Mutex<Option<(wgpu::SubmissionIndex, u64)>>,
    mapped: Mapping,
}

/// The staging buffers of one prepared plan.
#[derive(Debug)]
pub(crate) struct Ring {
    slots: Vec<Arc<Staging>>,
    next: usize,
}

impl Ring {
    pub fn new(context: &Arc<Context>, contents: Arc<Contents>) -> Result<Self> {
        let slots = (0..RING).map(|_| Staging::new(context, &contents)).collect::<Result<_>>()?;
        Ok(Self { slots, next: 0 })
    }

    /// A staging buffer that nobody waits for. Where results of all are still held by the caller, one is added; where
    /// many are idle, they go but for as many as the ring began with.
    pub fn take(&mut self) -> Result<Slot> {
        let idle = |slot: &Arc<Staging>| Arc::strong_count(slot) == 1;
        if self.slots.len() > MANY && self.slots.iter().filter(|s| idle(s)).count() > MANY {
            let mut kept = 0;
            self.slots.retain(|slot| {
                kept += usize::from(idle(slot));
                !idle(slot) || kept <= RING
            });
            self.next = 0;
        }
        let n = self.slots.len();
        let free = (0..n).map(|k| (self.next + k) % n).find(|&k| Arc::strong_count(&self.slots[k]) == 1);
        let index = match free {
            Some(index) => index,
            None => {
                let added = Staging::new(&self.slots[0].context, &self.slots[0].contents)?;
                self.slots.push(added);
                n
            }
        };
        self.next = (index + 1) % self.slots.len();
        self.slots[index].recycle()?;
        Ok(Slot(self.slots[index].clone()))
    }
}

impl Staging {
    fn new(context: &Arc<Context>, contents: &Arc<Contents>) -> Result<Arc<Self>> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let buffer =
            (contents.bytes > 0).then(|| context.buffer("results", contents.bytes, usage)).transpose()?;
        Ok(Arc::new(Self {
            context: context.clone(),
            contents: contents.clone(),
            buffer,
            submission: Mutex::new(None),
            mapped: Mapping::default(),
        }))
    }

    /// Waits for the run that fills it, where one does.
    fn settle(&self) -> Result<()> {
        let sent = self.submission.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((submission, run)) = sent else { return Ok(()) };
        self.context.wait_for(&submission)?;
        self.context.failure.back(run);
        Ok(())
    }

    /// Makes it usable again after a result that was never read.
    fn recycle(&self) -> Result<()> {
        self.settle()?;
        if let (true, Some(buffer)) = (self.mapped.take(TIMEOUT), &self.buffer) {
            buffer.unmap();
        }
        Ok(())
    }
}

/// A staging buffer that a run is about to fill.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Staging>);

impl Slot {
    /// Records the copies of the outputs: into lent memory where there is some, else into the staging buffer.
    pub fn copy(&self, encoder: &mut wgpu::CommandEncoder, buffers: &[Buffer], into: &[Option<&Region>]) {
        let contents = &self.0.contents;
        for (i, (place, at)) in contents.outputs.iter().enumerate() {
            let size = place.bytes.div_ceil(4) * 4;
            let lent = into.get(i).copied().flatten().map(|r| (&r.buffer, r.offset));
            let staging = || self.0.buffer.as_ref().map(|b| (&**b, *at as u64));
            if let (Some((to, at)), true) = (lent.or_else(staging), size > 0) {
                let from = &buffers[place.buffer.0];
                encoder.copy_buffer_to_buffer(from, place.offset as u64, to, at, size as u64);
            }
        }
        if let (Some((buffer, size, at)), Some(staging)) = (contents.status, &self.0.buffer) {
            encoder.copy_buffer_to_buffer(&buffers[buffer], 0, staging, at as u64, size as u64);
        }
    }

    /// The run was sent.
    pub fn sent(self, submission: wgpu::SubmissionIndex, run: u64, lent: Vec<bool>) -> GpuPending {
        let staging = self.0;
        let outputs = staging.contents.outputs.len();
        if lent.len() == outputs && lent.iter().all(|l| *l) && staging.contents.status.is_none() {
            // Nothing comes back: nobody has to wait for it, unless asked to.
            return GpuPending { staging, lent, alone: Some((submission, run)) };
        }
        *staging.submission.lock().unwrap_or_else(PoisonError::into_inner) = Some((submission, run));
        if let Some(buffer) = &staging.buffer {
            staging.mapped.ask(buffer);
        }
        GpuPending { staging, lent, alone: None }
    }
}

/// The results of a run under way.
#[derive(Debug)]
pub(crate) struct GpuPending {
    staging: Arc<Staging>,
    /// Which outputs went into an app's memory; empty where none did.
    lent: Vec<bool>,
    /// A run that sends nothing back, and its number.
    alone: Option<(wgpu::SubmissionIndex, u64)>,
}

impl Pending for GpuPending {
    fn wait(self: Box<Self>) -> Result<Vec<HostTensor>> {
        let staging = &self.staging;
        let _span = tracing::trace_span!("read", bytes = staging.contents.bytes).entered();
        if let Some((submission, run)) = &self.alone {
            staging.context.wait_for(submission)?;
            staging.context.failure.back(*run);
            return Ok(Vec::new());
        }
        staging.settle()?;
        let Some(buffer) = &staging.buffer else { return staging.contents.decode(&[], &self.lent) };
        if !staging.mapped.take(TIMEOUT) {
            return Err(staging.context.gone("the results of a run could not be mapped"));
        }
        read_mapped(&staging.context, buffer, |data| staging.contents.decode(data, &self.lent))
    }

    fn outputs(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<Vec<HostTensor>>> + Send>> {
        background::spawn(move || self.wait())
    }
}

/// Reads a mapped buffer and unmaps it.
pub(crate) fn read_mapped<R>(
    context: &Context,
    buffer: &wgpu::Buffer,
    read: impl FnOnce(&[u8]) -> Result<R>,
) -> Result<R> {
    let view =
        buffer.get_mapped_range(..).map_err(|e| context.gone(&format!("a buffer is not mapped: {e}")))?;
    let result = read(&view);
    drop(view);
    buffer.unmap();
    result
}
