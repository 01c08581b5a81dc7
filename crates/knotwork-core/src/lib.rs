//! What a computation is, without any GPU: tensors, graphs, operations with their gradients, the planner, and the
//! CPU backend. Users depend on the facade crate `knotwork`; backends depend on this one.
//!
//! ```
//! use knotwork_core::{DType, Device, Dim, Graph, HostTensor};
//! let g = Graph::new();
//! let x = g.input("x", DType::F32, [Dim::named("batch"), 2.into()])?;
//! let loss = x.square()?.sum(&[0, 1], false)?;
//! let dx = loss.grad(&[&x])?.remove(0);
//! let mut program = Device::cpu().compile(&g, &[&loss, &dx], &[])?;
//! let out = program.run([("x", HostTensor::new(&[1.0f32, 2.0], [1, 2])?)])?.wait()?;
//! assert_eq!(out[0].item::<f32>()?, 5.0);
//! assert_eq!(out[1].as_slice::<f32>()?, &[2.0, 4.0]);
//! # Ok::<(), knotwork_core::Error>(())
//! ```

mod autodiff;
pub mod cpu;
pub mod device;
mod error;
pub mod graph;
pub mod ops;
pub mod plan;
mod table;
pub mod tensor;
pub mod units;

pub use autodiff::GradContext;
pub use device::{Counters, Device, DeviceInfo, Program, Run};
pub use error::{
    BudgetError, DeviceLost, Error, FeedError, LastDispatch, OpError, Result, Site, TenantError,
};
pub use graph::{Graph, Operand, Tensor, Update};
pub use tensor::{DType, Dim, HostTensor, Layout, Shape};
