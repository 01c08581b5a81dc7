//! Parameters and states on the device.

use std::{
    any::Any,
    sync::{Arc, atomic::Ordering},
};

use knotwork_core::{DType, Error, HostTensor, Result, device::Memory};

use crate::{
    buffer::Buffer,
    context::{Context, TIMEOUT},
    mapping::Mapping,
    readback::read_mapped,
};

/// What a storage buffer of ours is used for.
pub(crate) const STORAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

/// One chunk of persistent memory.
#[derive(Debug)]
pub(crate) struct GpuMemory {
    pub context: Arc<Context>,
    pub buffer: Buffer,
}

impl GpuMemory {
    pub fn new(context: &Arc<Context>, bytes: usize) -> Result<Self> {
        // wgpu hands out zeroed buffers.
        let buffer = context.buffer("parameters", bytes.div_ceil(16) * 16, STORAGE)?;
        Ok(Self { context: context.clone(), buffer })
    }
}

impl Memory for GpuMemory {
    fn write(&self, offset: usize, value: &HostTensor) -> Result<()> {
        self.context.alive()?;
        // Sent at once: a device that is lost refuses what is sent, while it takes a write without a word.
        let bytes = value.device_bytes();
        let send = || {
            self.context.write(&self.buffer, offset, &bytes);
            self.context.queue.submit([])
        };
        let sent = self.context.guarded(send);
        let sent = sent.map_err(|e| self.context.refused("writing a parameter", bytes.len(), &e))?;
        self.context.taken(&sent)
    }

    fn read(&self, offset: usize, dtype: DType, shape: &[usize]) -> Result<HostTensor> {
        self.context.alive()?;
        let bytes = (dtype.bytes() * shape.iter().product::<usize>()).div_ceil(4) * 4;
        if bytes == 0 {
            return HostTensor::from_device_bytes(dtype, shape, &[]);
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let mapping = Mapping::default();
        let staging = self.context.buffer("reading a parameter", bytes, usage)?;
        let send = || {
            let mut encoder =
                self.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(&self.buffer, offset as u64, &staging, 0, bytes as u64);
            let submission = self.context.queue.submit([encoder.finish()]);
            mapping.ask(&staging);
            submission
        };
        let submission = self.context.guarded(send);
        let submission = submission.map_err(|e| self.context.refused("reading a parameter", bytes, &e))?;
        self.context.count.reads.fetch_add(1, Ordering::Relaxed);
        self.context.wait_for(&submission)?;
        if !mapping.take(TIMEOUT) {
            return Err(self.context.gone("a parameter could not be mapped"));
        }
        read_mapped(&self.context, &staging, |data| HostTensor::from_device_bytes(dtype, shape, data))
    }

    fn copy_from(&self, from: &dyn Memory) -> Result<()> {
        self.context.alive()?;
        let from = from.as_any().downcast_ref::<Self>().filter(|m| Arc::ptr_eq(&m.context, &self.context));
        let from = from.ok_or_else(|| Error::Params("memory of another device cannot be copied".into()))?;
        let bytes = from.buffer.size().min(self.buffer.size());
        let send = || {
            let mut encoder =
                self.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(&from.buffer, 0, &self.buffer, 0, bytes);
            self.context.queue.submit([encoder.finish()])
        };
        let sent = self.context.guarded(send);
        let sent = sent.map_err(|e| self.context.refused("a copy of parameters", bytes as usize, &e))?;
        self.context.taken(&sent)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
