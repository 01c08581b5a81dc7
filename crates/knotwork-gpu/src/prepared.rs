//! A plan with everything bound once: replayed as one encoder, one pass, one submit (more where a run is long).

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use knotwork_core::{
    Error, Result,
    device::{Memory, Pending, Prepared, RunInputs},
    plan::{BufferKind, Dispatch, FUSED_BINDING, Plan},
};

use crate::{
    buffer::Buffer,
    context::Context,
    memory::{GpuMemory, STORAGE},
    pipeline::{Pipeline, Wanted},
    readback::{Contents, Ring},
};

#[derive(Debug)]
struct Call {
    pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    /// Where its uniforms lie: `params`, and `fused` where it has one.
    offsets: Vec<u32>,
    grid: [u32; 3],
}

/// A prepared plan on a GPU.
#[derive(Debug)]
pub(crate) struct GpuPrepared {
    context: Arc<Context>,
    plan: Arc<Plan>,
    buffers: Vec<Buffer>,
    calls: Vec<Call>,
    ring: Ring,
    scalars: Option<(usize, Vec<u8>)>,
    status: Option<usize>,
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
        let calls = calls(context, &plan, &buffers, pipelines)?;
        let find = |kind: fn(&BufferKind) -> bool| plan.buffers.iter().position(|b| kind(&b.kind));
        let scalars = find(|k| matches!(k, BufferKind::Scalars)).map(|b| (b, vec![0; plan.buffers[b].bytes]));
        let status = find(|k| matches!(k, BufferKind::Status));
        let contents = Arc::new(Contents::new(&plan, status));
        let ring = Ring::new(context, contents)?;
        Ok(Self { context: context.clone(), buffers, calls, ring, scalars, status, plan })
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
                _ => "arena",
            };
            let made = context.buffer(label, buffer.bytes, STORAGE)?;
            if let BufferKind::Constant(value) = &buffer.kind {
                context.write(&made, 0, &value.device_bytes());
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
    context.write(&uniforms, 0, &bytes);
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
        let bind_group =
            context.guarded(|| context.device.create_bind_group(&descriptor)).map_err(|e| Error::Kernel {
                kernel: dispatch.kernel.name.clone(),
                node: step.op.name().into(),
                site: step.site,
                message: e.to_string(),
            })?;
        calls.push(Call { pipeline, bind_group, offsets, grid: dispatch.grid });
    }
    Ok(calls)
}

/// Dispatches in one pass.
fn record(encoder: &mut wgpu::CommandEncoder, calls: &[Call]) {
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    for call in calls {
        pass.set_pipeline(&call.pipeline.pipeline);
        pass.set_bind_group(0, &call.bind_group, &call.offsets);
        pass.dispatch_workgroups(call.grid[0], call.grid[1], call.grid[2]);
    }
}

impl GpuPrepared {
    fn encoder(&self) -> wgpu::CommandEncoder {
        let descriptor = wgpu::CommandEncoderDescriptor { label: Some("run") };
        self.context.device.create_command_encoder(&descriptor)
    }

    /// Waits for a submit of one dispatch; where it fails, that dispatch is known.
    fn await_dispatch(&self, submission: &wgpu::SubmissionIndex, index: usize) -> Result<()> {
        let Some(dispatch) = self.plan.dispatches.get(index) else { return Ok(()) };
        self.context.wait_for(submission).map_err(|e| {
            let step = &self.plan.steps[dispatch.step];
            let (kernel, op, site) = (&dispatch.kernel.name, step.op.name(), step.site);
            self.context.fail(format!("in kernel `{kernel}` of `{op}` (made at {site}): {e}"))
        })
    }
}

impl Prepared for GpuPrepared {
    fn replay_bare(&mut self) -> Result<Option<Duration>> {
        self.context.check()?;
        let list: Vec<(wgpu::ComputePipeline, wgpu::BindGroup, Vec<u32>, [u32; 3])> = self
            .calls
            .iter()
            .map(|c| (c.pipeline.pipeline.clone(), c.bind_group.clone(), c.offsets.clone(), c.grid))
            .collect();
        let (device, queue) = (&self.context.device, &self.context.queue);
        let start = Instant::now();
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for (pipeline, bind_group, offsets, grid) in &list {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, bind_group, offsets);
            pass.dispatch_workgroups(grid[0], grid[1], grid[2]);
        }
        drop(pass);
        let submission = queue.submit([encoder.finish()]);
        let time = start.elapsed();
        self.context.wait_for(&submission)?;
        Ok(Some(time))
    }

    fn run(&mut self, inputs: &RunInputs<'_>) -> Result<Box<dyn Pending>> {
        let context = &self.context;
        context.check()?;
        let slot = self.ring.take()?;
        for (feed, value) in self.plan.feeds.iter().zip(inputs.feeds) {
            context.write(&self.buffers[feed.buffer.0], 0, &value.device_bytes());
        }
        if let Some((buffer, bytes)) = &mut self.scalars {
            for (scalar, value) in self.plan.scalars.iter().zip(inputs.scalars) {
                bytes[scalar.offset..scalar.offset + 4].copy_from_slice(&(*value as f32).to_ne_bytes());
            }
            context.queue.write_buffer(&self.buffers[*buffer], 0, bytes);
        }
        let mut encoder = self.encoder();
        if let Some(status) = self.status {
            encoder.clear_buffer(&self.buffers[status], 0, None);
        }
        let submits = &self.plan.submits;
        for (k, range) in submits.iter().enumerate() {
            record(&mut encoder, &self.calls[range.clone()]);
            if k + 1 < submits.len() || self.plan.serial {
                let full = std::mem::replace(&mut encoder, self.encoder());
                let submission = context.queue.submit([full.finish()]);
                context.count.submits.fetch_add(1, Ordering::Relaxed);
                if self.plan.serial {
                    self.await_dispatch(&submission, range.start)?;
                }
            }
        }
        slot.copy(&mut encoder, &self.buffers);
        let submission = context.queue.submit([encoder.finish()]);
        context.count.submits.fetch_add(1, Ordering::Relaxed);
        context.count.dispatches.fetch_add(self.calls.len() as u64, Ordering::Relaxed);
        Ok(Box::new(slot.sent(submission)))
    }
}
