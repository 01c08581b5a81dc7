//! The wgpu backend of Knotwork: it compiles the kernels of a plan, makes its buffers and bindings once, and replays
//! it as one encoder, one pass, one submit. It names no operation, and nothing else names wgpu; its own API shows wgpu's types
//! only behind the [`raw`] door.
//!
//! ```no_run
//! let device = knotwork_gpu::open(&knotwork_gpu::Options::default())?;
//! println!("running on {}", device.info());
//! # Ok::<(), knotwork_core::Error>(())
//! ```

mod adapter;
mod background;
mod buffer;
mod cache;
mod context;
mod failure;
mod mapping;
mod memory;
mod pipeline;
mod poison;
mod prepared;
mod profile;
pub mod raw;
mod readback;
mod recent;

use std::sync::Arc;

pub use adapter::{AdapterSummary, Options, Profile, adapters};
pub use cache::tuned_path;
use knotwork_core::{Device, Result};

/// Opens a GPU, waiting for it.
///
/// # Errors
/// Where there is none that fits the options; the message lists those there are.
pub fn open(options: &Options) -> Result<Device> {
    pollster::block_on(open_async(options))
}

/// Opens a GPU.
///
/// # Errors
/// Where there is none that fits the options; the message lists those there are.
pub async fn open_async(options: &Options) -> Result<Device> {
    let adapter = adapter::choose(options).await?;
    let manner = context::Manner { profile: options.profile, poison: options.poison, callbacks: true };
    let context = context::Context::open(&adapter, manner).await?;
    Ok(Device::from_backend(Arc::new(context::GpuBackend(Arc::new(context)))))
}
