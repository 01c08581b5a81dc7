//! A run of which every dispatch is timed: by timestamps around a pass of its own, or, where the device has none, by
//! the host's clock around a submit of its own.

use std::{sync::atomic::Ordering, time::Instant};

use knotwork_core::{
    Result,
    device::{Clock, Interval, Pending, RunInputs, Timeline},
};

use crate::{
    buffer::Buffer,
    context::{Context, TIMEOUT},
    mapping::Mapping,
    prepared::GpuPrepared,
    readback::read_mapped,
};

/// Dispatches that one query set can time: two timestamps each.
const PER_SET: usize = (wgpu::QUERY_SET_MAX_QUERIES / 2) as usize;

/// Timestamps of some dispatches on their way back.
struct Queries {
    sets: Vec<wgpu::QuerySet>,
    resolved: Buffer,
    staging: Buffer,
    count: usize,
}

impl Queries {
    fn new(context: &Context, dispatches: usize) -> Result<Self> {
        let set = |first: usize| {
            let count = (dispatches - first).min(PER_SET) * 2;
            let descriptor = wgpu::QuerySetDescriptor {
                label: Some("profile"),
                ty: wgpu::QueryType::Timestamp,
                count: count as u32,
            };
            context
                .guarded(|| context.device.create_query_set(&descriptor))
                .map_err(|e| context.fail(format!("no {count} timestamps: {e}")))
        };
        let sets = (0..dispatches).step_by(PER_SET).map(set).collect::<Result<_>>()?;
        let bytes = (dispatches * 16).max(16);
        let resolve = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let read = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        Ok(Self {
            sets,
            resolved: context.buffer("timestamps", bytes, resolve)?,
            staging: context.buffer("timestamps to read", bytes, read)?,
            count: dispatches,
        })
    }

    fn writes(&self, dispatch: usize) -> wgpu::ComputePassTimestampWrites<'_> {
        let first = (dispatch % PER_SET * 2) as u32;
        wgpu::ComputePassTimestampWrites {
            query_set: &self.sets[dispatch / PER_SET],
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        }
    }

    fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        for (k, set) in self.sets.iter().enumerate() {
            let count = (self.count - k * PER_SET).min(PER_SET) * 2;
            encoder.resolve_query_set(set, 0..count as u32, &self.resolved, (k * PER_SET * 16) as u64);
        }
        if self.count > 0 {
            encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, (self.count * 16) as u64);
        }
    }

    /// The times, in nanoseconds; the submission that wrote them must be over.
    fn read(&self, context: &Context, period: f64) -> Result<Vec<Interval>> {
        read_mapped(context, &self.staging, |data| {
            let ticks: Vec<u64> = data
                .chunks_exact(8)
                .map(|b| b.try_into().map_or(0, u64::from_ne_bytes))
                .take(self.count * 2)
                .collect();
            let first = ticks.iter().copied().min().unwrap_or(0);
            // Some drivers give an end before its begin where a pass did nearly nothing.
            let slice = |pair: &[u64]| Interval {
                begin: (pair[0] - first) as f64 * period,
                ns: pair[1].saturating_sub(pair[0]) as f64 * period,
            };
            Ok(ticks.chunks_exact(2).map(slice).collect())
        })
    }
}

impl GpuPrepared {
    /// Times a run in the best way that the device has.
    pub fn timed(&mut self, inputs: &RunInputs<'_>) -> Result<Timeline> {
        self.context.failure.check()?;
        if self.context.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            self.by_timestamps(inputs)
        } else {
            self.by_submits(inputs)
        }
    }

    fn by_timestamps(&mut self, inputs: &RunInputs<'_>) -> Result<Timeline> {
        let context = self.context.clone();
        let queries = Queries::new(&context, self.calls.len())?;
        let slot = self.ring.take()?;
        let run = context.failure.sends(&self.names);
        let send = || {
            self.write(inputs);
            let mut encoder = self.encoder(&[]);
            for (k, call) in self.calls.iter().enumerate() {
                if call.poisons() {
                    call.poison(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
                }
                call.dispatch(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: None,
                    timestamp_writes: Some(queries.writes(k)),
                }));
            }
            queries.resolve(&mut encoder);
            slot.copy(&mut encoder, &self.buffers, &[]);
            context.queue.submit([encoder.finish()])
        };
        let submission = context.guarded(send).map_err(|e| context.refused("a profiled run", 0, &e))?;
        context.alive()?;
        self.count(1);
        let mapping = Mapping::default();
        mapping.ask(&queries.staging);
        // The results are waited for, so that clamped indices are an error here too.
        Box::new(slot.sent(submission, run, Vec::new())).wait()?;
        if !mapping.take(TIMEOUT) {
            return Err(context.gone("the timestamps of a run could not be mapped"));
        }
        let period = f64::from(context.queue.get_timestamp_period());
        Ok(Timeline { clock: Clock::Timestamps, slices: queries.read(&context, period)? })
    }

    pub(crate) fn by_submits(&mut self, inputs: &RunInputs<'_>) -> Result<Timeline> {
        let context = self.context.clone();
        let slot = self.ring.take()?;
        let run = context.failure.sends(&self.names);
        let submit = |commands: wgpu::CommandBuffer| -> Result<wgpu::SubmissionIndex> {
            let submission = context
                .guarded(|| context.queue.submit([commands]))
                .map_err(|e| context.refused("a profiled run", 0, &e))?;
            context.alive()?;
            Ok(submission)
        };
        let encoder = || context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.write(inputs);
        // What was written and cleared before is no part of the first dispatch.
        context.wait_for(&submit(self.encoder(&[]).finish())?)?;
        let start = Instant::now();
        let mut slices = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            if call.poisons() {
                let mut own = encoder();
                call.poison(&mut own.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
                context.wait_for(&submit(own.finish())?)?;
            }
            let mut own = encoder();
            call.dispatch(&mut own.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
            let commands = own.finish();
            let begin = start.elapsed();
            context.wait_for(&submit(commands)?)?;
            let ns = (start.elapsed() - begin).as_nanos() as f64;
            slices.push(Interval { begin: begin.as_nanos() as f64, ns });
        }
        let mut last = encoder();
        slot.copy(&mut last, &self.buffers, &[]);
        let submission = submit(last.finish())?;
        self.count(self.calls.len() as u64 + 2);
        Box::new(slot.sent(submission, run, Vec::new())).wait()?;
        Ok(Timeline { clock: Clock::Submits, slices })
    }

    fn count(&self, submits: u64) {
        self.context.count.submits.fetch_add(submits, Ordering::Relaxed);
        self.context.count.dispatches.fetch_add(self.calls.len() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use knotwork_core::{
        DType, Graph, HostTensor,
        device::Value,
        plan::{Capabilities, PlanOptions},
    };

    use super::*;
    use crate::{
        adapter::{Options, Profile, choose},
        context::Manner,
    };

    /// What a device without timestamps does; every driver at hand has them.
    #[test]
    fn without_timestamps_a_submit_is_timed() {
        let adapter = pollster::block_on(choose(&Options::default())).unwrap();
        let manner = Manner { profile: Profile::Checked, poison: false, callbacks: true };
        let context = Arc::new(pollster::block_on(Context::open(&adapter, manner)).unwrap());
        let g = Graph::new();
        let x = g.input("x", DType::F32, [32, 32]).unwrap();
        let y = x.matmul(&x).unwrap().softmax(-1).unwrap();
        let capabilities: Capabilities = context.capabilities.clone();
        let plan = g.plan(&[&y], &[], &[].into(), &capabilities, PlanOptions::default()).unwrap();
        let dispatches = plan.dispatches.len();
        let mut prepared = GpuPrepared::new(&context, Arc::new(plan), &[]).unwrap();
        let x = HostTensor::zeros(DType::F32, [32, 32]);
        let before = context.count.submits.load(Ordering::Relaxed);
        let timeline =
            prepared.by_submits(&RunInputs { feeds: &[Value::Host(&x)], scalars: &[], into: &[] }).unwrap();
        assert_eq!(timeline.clock, Clock::Submits);
        assert_eq!(timeline.slices.len(), dispatches);
        assert!(timeline.slices.iter().all(|s| s.ns > 0.0), "{timeline:?}");
        assert!(timeline.slices.windows(2).all(|w| w[1].begin >= w[0].begin + w[0].ns), "{timeline:?}");
        assert_eq!(context.count.submits.load(Ordering::Relaxed) - before, dispatches as u64 + 2);
    }
}
