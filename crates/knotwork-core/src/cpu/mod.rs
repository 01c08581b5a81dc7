//! The CPU backend. Fallback: the plan, through each operation's fast path. Oracle: the unplanned graph, node by
//! node, through the references; nothing of the planner, so that a planner's error cannot hide.

mod buffer;
mod fallback;
mod io;
mod lanes;
mod oracle;
mod product;

pub use fallback::CpuBackend;
pub use io::{CpuInput, CpuIo, CpuOutput, Slice, SliceMut};
pub(crate) use lanes::{arch, lanes, widest_arch};
pub use oracle::{Oracle, evaluate};
pub(crate) use oracle::{bound, evaluate_values, leaf_value, reference};
pub(crate) use product::{Matrix, product};
