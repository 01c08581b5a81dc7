//! A plan with everything bound once: replayed as one encoder, one pass, one submit (more where a run is long).

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use knotwork_core::{
    Error, FeedError, Result,
    device::{External, Memory, Pending, Prepared, RunInputs, Timeline, Value},
    plan::{BufferKind, Dispatch, FUSED_BINDING, Plan},
};

use crate::{
    buffer::Buffer,
    context::Context,
    failure::{Named, names},
    memory::{GpuMemory, STORAGE},
    pipeline::{Pipeline, Wanted},
    poison::{Filling, fillings},
    raw::Region,
    readback::{Contents, Ring, Slot},
};

#[derive(Debug)]
pub(crate) struct Call {
    pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    /// Where its uniforms lie: `params`, and `fused` where it has one.
    offsets: Vec<u32>,
    grid: [u32; 3],
    /// What is filled with NaN before it, where that is asked for.
    fills: Vec<Filling>,
}

impl Call {
    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.poison(pass);
        self.dispatch(pass);
    }

    /// Whether memory is filled before it.
    pub fn poisons(&self) -> bool {
        !self.fills.is_empty()
    }

    pub fn poison(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.fills.iter().for_each(|f| f.record(pass));
    }

    pub fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.bind_group, &self.offsets);
        pass.dispatch_workgroups(self.grid[0], self.grid[1], self.grid[2]);
    }
}

/// A prepared plan on a GPU.
#[derive(Debug)]
pub(crate) struct GpuPrepared {
    pub(crate) context: Arc<Context>,
    plan: Arc<Plan>,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) calls: Vec<Call>,
    pub(crate) ring: Ring,
    scalars: Option<(usize, Vec<u8>)>,
    status: Option<usize>,
    /// What an error names if the device is lost in a run.
    pub(crate) names: Arc<[Named]>,
}

impl GpuPrepared {
    pub fn new(context: &Arc<Context>, plan: Arc<Plan>, chunks: &[Arc<dyn Memory>]) -> Result<Self> {
        let _span = tracing::debug_span!("prepare", dispatches = plan.dispatches.len()).entered();
        let buffers = buffers(context, &plan, chunks)?;
        let wanted: Vec<Wanted<'_>> = plan
            .dispatches
            .iter()
            .map(|d| Wanted {
                kernel: &d.kernel,
                writes: d.bindings.iter().map(|b| b.writes).collect(),
                fused: !d.params.fused().is_empty(),
                node: plan.steps[d.step].op.name(),
                site: plan.steps[d.step].site,
            })
            .collect();
        let pipelines = context.pipelines.get(context, &wanted)?;
        let mut calls = calls(context, &plan, &buffers, pipelines)?;
        if context.poison {
            for (filled, fills) in fillings(context, &plan, &buffers)? {
                calls[filled].fills = fills;
            }
        }
        let find = |kind: fn(&BufferKind) -> bool| plan.buffers.iter().position(|b| kind(&b.kind));
        let scalars = find(|k| matches!(k, BufferKind::Scalars)).map(|b| (b, vec![0; plan.buffers[b].bytes]));
        let status = find(|k| matches!(k, BufferKind::Status));
        let contents = Arc::new(Contents::new(&plan, status));
        let ring = Ring::new(context, contents)?;
        context.alive()?;
        let names = names(&plan);
        Ok(Self { context: context.clone(), buffers, calls, ring, scalars, status, names, plan })
    }
}

/// The plan's buffers: those of siblings are shared, constants are uploaded once.
fn buffers(context: &Arc<Context>, plan: &Plan, chunks: &[Arc<dyn Memory>]) -> Result<Vec<Buffer>> {
    plan.buffers
        .iter()
        .map(|buffer| {
            if let BufferKind::Chunk(c) = buffer.kind {
                let chunk = chunks.get(c).and_then(|m| m.as_any().downcast_ref::<GpuMemory>());
                return chunk
                    .map(|m| m.buffer.clone())
                    .ok_or_else(|| Error::Params("a chunk of parameters lies on another device".into()));
            }
            let label = match &buffer.kind {
                BufferKind::Feed(f) => plan.feeds[*f].name.as_str(),
                BufferKind::Constant(_) => "constant",
                BufferKind::Arena => "activations and gradients",
                _ => "scalars and status words",
            };
            let made = context.buffer(label, buffer.bytes, STORAGE)?;
            if let BufferKind::Constant(value) = &buffer.kind {
                let bytes = value.device_bytes();
                let written = context.guarded(|| context.write(&made, 0, &bytes));
                written.map_err(|e| context.refused("a constant", bytes.len(), &e))?;
            }
            Ok(made)
        })
        .collect()
}

/// The uniforms of a dispatch: `params`, and `fused` where steps were fused into its kernel.
fn blocks(dispatch: &Dispatch) -> impl Iterator<Item = &[u32]> {
    let fused = dispatch.params.fused();
    std::iter::once(dispatch.params.words()).chain((!fused.is_empty()).then_some(fused))
}

/// One uniform buffer holds the parameters of all dispatches; each reads its block by a dynamic offset.
fn calls(
    context: &Arc<Context>,
    plan: &Plan,
    buffers: &[Buffer],
    pipelines: Vec<Arc<Pipeline>>,
) -> Result<Vec<Call>> {
    let align = context.uniform_alignment.max(16);
    let block = |words: &[u32]| (words.len() * 4).div_ceil(16).max(1) * 16;
    let mut bytes: Vec<u8> = Vec::new();
    let mut put = |words: &[u32]| {
        let offset = bytes.len();
        words.iter().for_each(|w| bytes.extend_from_slice(&w.to_ne_bytes()));
        bytes.resize((offset + block(words)).div_ceil(align) * align, 0);
        offset as u32
    };
    let offsets =
        plan.dispatches.iter().map(|d| blocks(d).map(&mut put).collect()).collect::<Vec<Vec<u32>>>();
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let uniforms = context.buffer("params", bytes.len().max(align), usage)?;
    let written = context.guarded(|| context.write(&uniforms, 0, &bytes));
    written.map_err(|e| context.refused("params", bytes.len(), &e))?;
    let mut calls = Vec::with_capacity(plan.dispatches.len());
    for ((dispatch, pipeline), offsets) in plan.dispatches.iter().zip(pipelines).zip(offsets) {
        let binding = |buffer, offset: usize, size: usize| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset: offset as u64,
                size: wgpu::BufferSize::new(size as u64),
            })
        };
        let mut entries: Vec<wgpu::BindGroupEntry<'_>> = blocks(dispatch)
            .zip([0, FUSED_BINDING])
            .map(|(words, at)| wgpu::BindGroupEntry {
                binding: at,
                resource: binding(&uniforms, 0, block(words)),
            })
            .collect();
        for (i, b) in dispatch.bindings.iter().enumerate() {
            let size = b.bytes.div_ceil(4).max(1) * 4;
            entries.push(wgpu::BindGroupEntry {
                binding: i as u32 + 1,
                resource: binding(&buffers[b.buffer.0], b.offset, size),
            });
        }
        context.count.bind_groups.fetch_add(1, Ordering::Relaxed);
        let descriptor = wgpu::BindGroupDescriptor {
            label: Some(&dispatch.kernel.name),
            layout: &pipeline.layout,
            entries: &entries,
        };
        let step = &plan.steps[dispatch.step];
        let bind_group = context.guarded(|| context.device.create_bind_group(&descriptor)).map_err(|e| {
            if matches!(e, wgpu::Error::OutOfMemory { .. }) || context.alive().is_err() {
                return context.refused("a bind group", 0, &e);
            }
            Error::Kernel {
                kernel: dispatch.kernel.name.clone(),
                node: step.op.name().into(),
                site: step.site,
                message: e.to_string(),
            }
        })?;
        calls.push(Call { pipeline, bind_group, offsets, grid: dispatch.grid, fills: Vec::new() });
    }
    Ok(calls)
}

impl Prepared for GpuPrepared {
    fn replay_bare(&mut self, inputs: &RunInputs<'_>) -> Result<Option<Duration>> {
        self.context.alive()?;
        let (device, queue) = (&self.context.device, &self.context.queue);
        let given = self.plan.feeds.iter().zip(inputs.feeds).filter_map(|(feed, value)| match value {
            Value::Host(value) => Some((&self.buffers[feed.buffer.0], value.device_bytes())),
            Value::External(_) => None,
        });
        let feeds: Vec<(&Buffer, Cow<'_, [u8]>)> = given.collect();
        let slot = self.ring.take()?;
        let start = Instant::now();
        for (buffer, bytes) in &feeds {
            queue.write_buffer(buffer, 0, bytes);
        }
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for call in &self.calls {
            pass.set_pipeline(&call.pipeline.pipeline);
            pass.set_bind_group(0, &call.bind_group, &call.offsets);
            pass.dispatch_workgroups(call.grid[0], call.grid[1], call.grid[2]);
        }
        drop(pass);
        slot.copy(&mut encoder, &self.buffers, &[]);
        let submission = queue.submit([encoder.finish()]);
        let time = start.elapsed();
        self.context.wait_for(&submission)?;
        Ok(Some(time))
    }

    fn run(&mut self, inputs: &RunInputs<'_>) -> Result<Box<dyn Pending>> {
        self.context.failure.check()?;
        let given = lent_inputs(&self.context, &self.plan, inputs)?;
        let taken = lent_outputs(&self.context, inputs)?;
        let slot = self.ring.take()?;
        let context = self.context.clone();
        let refused = |e: wgpu::Error| context.refused("a run", 0, &e);
        let whole = self.plan.submits.len() <= 1 && !self.plan.serial;
        let (run, submission) = if whole {
            // One guard for all: what is recorded wrongly is not run by a submit.
            let run = context.failure.sends(&self.names);
            let send = || {
                let parts = self.record(inputs, &given, &taken, &slot);
                let _span = tracing::trace_span!("submit").entered();
                context.queue.submit(parts)
            };
            let submission = context.guarded(send).map_err(refused)?;
            context.alive()?;
            context.count.submits.fetch_add(1, Ordering::Relaxed);
            (run, submission)
        } else {
            let parts = context.guarded(|| self.record(inputs, &given, &taken, &slot)).map_err(refused)?;
            let run = context.failure.sends(&self.names);
            (run, self.submit_parts(parts, run)?)
        };
        context.count.dispatches.fetch_add(self.calls.len() as u64, Ordering::Relaxed);
        Ok(Box::new(slot.sent(submission, run, taken.iter().map(Option::is_some).collect())))
    }

    fn profile(&mut self, inputs: &RunInputs<'_>) -> Result<Option<Timeline>> {
        self.timed(inputs).map(Some)
    }
}

impl GpuPrepared {
    /// Submits the parts of a run.
    fn submit_parts(&self, parts: Vec<wgpu::CommandBuffer>, run: u64) -> Result<wgpu::SubmissionIndex> {
        let context = &self.context;
        let mut last = None;
        // One after the other, and none after one that is refused: what follows would run on old values.
        for (k, part) in parts.into_iter().enumerate() {
            let _span = tracing::trace_span!("submit").entered();
            if self.plan.serial {
                context.failure.only(run, self.plan.submits.get(k).map_or(0, |range| range.start));
            }
            let submission = context
                .guarded(|| context.queue.submit([part]))
                .map_err(|e| context.refused("a run", 0, &e))?;
            context.alive()?;
            context.count.submits.fetch_add(1, Ordering::Relaxed);
            if self.plan.serial {
                context.wait_for(&submission)?;
            }
            last = Some(submission);
        }
        last.ok_or_else(|| context.fail("a run without a submit"))
    }

    /// Writes what the host gives, and records the run: one part for each of the plan's submits.
    fn record(
        &mut self,
        inputs: &RunInputs<'_>,
        given: &[Option<&Region>],
        taken: &[Option<&Region>],
        slot: &Slot,
    ) -> Vec<wgpu::CommandBuffer> {
        self.write(inputs);
        let context = &self.context;
        let submits = &self.plan.submits;
        let _span =
            tracing::trace_span!("encode", dispatches = self.calls.len(), submits = submits.len()).entered();
        let mut encoder = self.encoder(given);
        if submits.len() > 1 {
            // Memory that cannot take an output any more must be refused with the first part, not with the last.
            for region in taken.iter().flatten().filter(|r| r.bytes > 0) {
                encoder.clear_buffer(&region.buffer, region.offset, Some(4));
            }
        }
        let mut parts = Vec::with_capacity(submits.len());
        for (k, range) in submits.iter().enumerate() {
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                self.calls[range.clone()].iter().for_each(|call| call.record(&mut pass));
            }
            if k + 1 < submits.len() {
                let next = wgpu::CommandEncoderDescriptor { label: Some("run, continued") };
                let full = std::mem::replace(&mut encoder, context.device.create_command_encoder(&next));
                parts.push(full.finish());
            }
        }
        slot.copy(&mut encoder, &self.buffers, taken);
        parts.push(encoder.finish());
        parts
    }

    /// What the host gives into its buffers: feeds and scalars.
    pub fn write(&mut self, inputs: &RunInputs<'_>) {
        let _span = tracing::trace_span!("write", feeds = inputs.feeds.len()).entered();
        let context = &self.context;
        for (feed, value) in self.plan.feeds.iter().zip(inputs.feeds) {
            if let Value::Host(value) = value {
                context.write(&self.buffers[feed.buffer.0], 0, &value.device_bytes());
            }
        }
        if let Some((buffer, bytes)) = &mut self.scalars {
            for (scalar, value) in self.plan.scalars.iter().zip(inputs.scalars) {
                bytes[scalar.offset..scalar.offset + 4].copy_from_slice(&(*value as f32).to_ne_bytes());
            }
            context.queue.write_buffer(&self.buffers[*buffer], 0, bytes);
        }
    }

    /// An encoder of a run, before its dispatches; with what an app lends.
    pub fn encoder(&self, given: &[Option<&Region>]) -> wgpu::CommandEncoder {
        let descriptor = wgpu::CommandEncoderDescriptor { label: Some("run") };
        let mut encoder = self.context.device.create_command_encoder(&descriptor);
        for (feed, region) in self.plan.feeds.iter().zip(given) {
            if let Some(region) = region.filter(|r| r.bytes > 0) {
                let to = &self.buffers[feed.buffer.0];
                encoder.copy_buffer_to_buffer(&region.buffer, region.offset, to, 0, region.bytes);
            }
        }
        if let Some(status) = self.status {
            encoder.clear_buffer(&self.buffers[status], 0, None);
        }
        encoder
    }
}

/// The app's memory behind a lent tensor, or why it cannot be used so.
fn region<'a>(
    context: &Context,
    external: &'a External,
    usage: wgpu::BufferUsages,
) -> Result<&'a Region, String> {
    let region: &Region = external.memory().downcast_ref().ok_or("it is no memory of a GPU")?;
    if !std::ptr::eq(&*region.context, context) {
        return Err(format!("it was lent to another device than {}", context.info));
    }
    if !region.buffer.usage().contains(usage) {
        return Err(format!("its buffer was made without the usage {usage:?}"));
    }
    Ok(region)
}

/// For each feed, the app's memory that it is copied from, where it lies in some.
fn lent_inputs<'a>(
    context: &Context,
    plan: &Plan,
    inputs: &RunInputs<'a>,
) -> Result<Vec<Option<&'a Region>>> {
    let feeds = plan.feeds.iter().zip(inputs.feeds);
    feeds
        .map(|(feed, value)| match value {
            Value::Host(_) => Ok(None),
            Value::External(external) => {
                let found = region(context, external, wgpu::BufferUsages::COPY_SRC);
                Ok(Some(found.map_err(|reason| FeedError::Lent { name: feed.name.clone(), reason })?))
            }
        })
        .collect()
}

/// For each output, the app's memory that it is copied to, where it goes into some; empty where none does.
fn lent_outputs<'a>(context: &Context, inputs: &RunInputs<'a>) -> Result<Vec<Option<&'a Region>>> {
    let into = inputs.into.iter().enumerate();
    into.map(|(index, external)| {
        let Some(external) = *external else { return Ok(None) };
        let found = region(context, external, wgpu::BufferUsages::COPY_DST);
        let refuse = |reason| FeedError::Output { index, got: external.to_string(), reason };
        Ok(Some(found.map_err(refuse)?))
    })
    .collect()
}
