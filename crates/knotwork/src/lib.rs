//! Knotwork: a GPU-first compute framework with hand-written WGSL kernels (matrix products, activations, spline KAN
//! layers), each with its gradient, each tested against a reference in double precision.
//!
//! A graph of operations is planned into a short list of dispatches. The same graph runs on any Vulkan, Metal or DX12
//! GPU and, without one, on the CPU.
//!
//! ```
//! use knotwork::prelude::*;
//!
//! let device = knotwork::best_device()?; // a GPU where there is one, else the CPU
//! let g = Graph::new();
//! let x = g.input("x", DType::F32, [Dim::named("batch"), 2.into()])?;
//! let w = g.parameter("w", HostTensor::new(&[0.5f32, -0.5], [2])?)?;
//! let loss = x.mul(&w)?.sum(&[-1], false)?.square()?.mean(&[0], false)?;
//! let dw = loss.grad(&[&w])?.remove(0);
//! let mut program = device.compile(&g, &[&loss, &dw], &[])?;
//! let out = program.run([("x", HostTensor::new(&[1.0f32, 3.0], [1, 2])?)])?.wait()?;
//! assert_eq!(out[0].item::<f32>()?, 1.0);
//! assert_eq!(out[1].as_slice::<f32>()?, &[-2.0, -6.0]);
//! # Ok::<(), knotwork::Error>(())
//! ```
//!
//! Which device: [`best_device`] takes a hardware GPU, else the CPU; [`open_device`] takes what it is told; the
//! environment variable `KNOTWORK_DEVICE` (`cpu`, `gpu` or part of a GPU's name) overrides both defaults.

mod select;

pub use knotwork_core::*;
#[cfg(feature = "gpu")]
pub use knotwork_gpu as gpu;
pub use knotwork_nn as nn;
pub use select::{best_device, open_device};

/// What most programs need.
pub mod prelude {
    pub use knotwork_core::{DType, Device, Dim, Graph, HostTensor, Program, Shape, Tensor};
}
