//! A device buffer that is counted for as long as anything holds it.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

#[derive(Debug)]
struct Held {
    buffer: wgpu::Buffer,
    /// The bytes of all buffers of the device.
    total: Arc<AtomicU64>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.total.fetch_sub(self.buffer.size(), Ordering::Relaxed);
    }
}

/// A handle on a buffer. Clones are of one buffer.
#[derive(Clone, Debug)]
pub(crate) struct Buffer(Arc<Held>);

impl Buffer {
    pub fn new(buffer: wgpu::Buffer, total: &Arc<AtomicU64>) -> Self {
        total.fetch_add(buffer.size(), Ordering::Relaxed);
        Self(Arc::new(Held { buffer, total: total.clone() }))
    }
}

impl Deref for Buffer {
    type Target = wgpu::Buffer;

    fn deref(&self) -> &wgpu::Buffer {
        &self.0.buffer
    }
}
