//! A graph of pure operations. Every node remembers the line of user code that made it.

mod build;
mod checkpoint;
mod node;
mod provenance;
mod rebuild;
mod tensor;

pub(crate) use build::Snapshot;
pub use build::{Graph, Update};
pub(crate) use checkpoint::Recomputed;
pub use checkpoint::{Recompute, RegionId};
pub use node::{Constant, Kind, Leaf, Meta, Node, Phase, Slot, SlotGroup, SlotId, ValueId};
pub use provenance::{within as with_provenance, within_phase as with_phase};
pub use tensor::{Operand, Tensor};
