//! Devices and programs: running a graph, on whatever backend there is.

mod backend;
mod external;
mod feeds;
mod finite;
mod handle;
mod observe;
mod params;
mod plans;
mod profile;
mod program;
mod summary;
mod verify;

pub use backend::{Backend, Counters, Memory, Pending, Prepared, RunInputs};
pub use external::{External, Lent, Value};
pub use finite::NonFinite;
pub use handle::{Device, DeviceInfo};
pub use params::{ParamInfo, Params};
pub use plans::PlanCounters;
pub use profile::{Clock, Entry, Interval, KernelTime, Peak, Profile, Timeline};
pub use program::{Program, Run};
pub use summary::Summary;
pub use verify::{Difference, NodeCheck, PlannedDifference, Verification};
