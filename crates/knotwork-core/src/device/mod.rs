//! Devices and programs: running a graph, on whatever backend there is.

mod backend;
mod external;
mod feeds;
mod handle;
mod params;
mod profile;
mod program;

pub use backend::{Backend, Counters, Memory, Pending, Prepared, RunInputs};
pub use external::{External, Lent, Value};
pub use handle::{Device, DeviceInfo};
pub use params::{ParamInfo, Params};
pub use profile::{Clock, Entry, Interval, KernelTime, Peak, Profile, Timeline};
pub use program::{Program, Run};
