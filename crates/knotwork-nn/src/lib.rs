//! Layers, initialisers, optimizers, data, checkpoints, the training loop and plots.
//!
//! ```
//! use knotwork_core::{DType, Device, Dim, Graph, HostTensor};
//! use knotwork_nn::optim::AdamW;
//! let g = Graph::new();
//! let x = g.input("x", DType::F32, [Dim::named("batch"), 2.into()])?;
//! let w = g.parameter("w", HostTensor::new(&[0.5f32, -0.5], [2])?)?;
//! let loss = x.mul(&w)?.square()?.mean(&[0, 1], false)?;
//! let step = AdamW::new(1e-2).clip_norm(1.0).minimize(&loss)?;
//! let mut train = Device::cpu().compile(&g, &[&loss], &[&step])?;
//! let batch = HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0], [2, 2])?;
//! let first = train.run([("x", &batch)])?.wait()?[0].item::<f32>()?;
//! let second = train.run([("x", &batch)])?.wait()?[0].item::<f32>()?;
//! assert!(second < first);
//! # Ok::<(), knotwork_nn::Error>(())
//! ```

pub mod checkpoint;
pub mod data;
mod error;
pub mod init;
pub mod kan;
pub mod layers;
pub mod optim;
pub mod plot;
pub mod schedule;
mod sum;
pub mod symbolic;
pub mod train;

pub use checkpoint::{Checkpoint, CheckpointError, Metadata};
pub use data::{Csv, DataError, Dataset, Labels};
pub use error::{Error, Result};
pub use init::Generator;
pub use kan::Kan;
pub use layers::Linear;
pub use optim::{Adam, AdamW, Lbfgs, Sgd};
pub use schedule::Schedule;
pub use train::{TrainError, Trainer};
