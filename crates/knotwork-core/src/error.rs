//! Every way in which the library can say no, each with the thing, the place and the limit.

mod lost;

use std::{fmt, panic::Location, sync::Arc};

pub use lost::{DeviceLost, LastDispatch};

use crate::tensor::DType;

/// The result of a fallible Knotwork call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place in the user's source: the line that made a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site(&'static Location<'static>);

impl Site {
    /// The place of the caller.
    ///
    /// ```
    /// let site = knotwork_core::Site::here();
    /// assert!(site.line() > 0);
    /// ```
    #[track_caller]
    #[must_use]
    pub fn here() -> Self {
        Self(Location::caller())
    }

    /// The file, as the compiler was given it.
    #[must_use]
    pub fn file(self) -> &'static str {
        self.0.file()
    }

    /// The line, counted from one.
    #[must_use]
    pub fn line(self) -> u32 {
        self.0.line()
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.file(), self.0.line())
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What went wrong. Every message names the thing, the place and, where there is one, the limit.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation refused its inputs or attributes.
    #[error(transparent)]
    Op(Box<OpError>),
    /// A run was given the wrong feeds. Nothing has run.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Host data does not fit the shape or type that it was given.
    #[error("host tensor: {0}")]
    Host(String),
    /// A name was used twice, or a value that belongs to another graph.
    #[error("graph: {message} (at {site})")]
    Graph {
        /// What is wrong.
        message: String,
        /// The call that asked for it.
        site: Site,
    },
    /// A gradient was asked of something that has none.
    #[error("no gradient through `{op}` (made at {site}): {reason}")]
    Gradient {
        /// The operation.
        op: String,
        /// Where the operation was made.
        site: Site,
        /// Why there is none.
        reason: String,
    },
    /// The plan does not fit the device.
    #[error("plan: `{node}` (made at {site}) needs {need}, but {device} has {limit}")]
    Limit {
        /// The node.
        node: String,
        /// Where it was made.
        site: Site,
        /// What it needs.
        need: String,
        /// The device's value of the limit.
        limit: String,
        /// The device.
        device: String,
    },
    /// The plan needs more memory than its budget.
    #[error(transparent)]
    Budget(Box<BudgetError>),
    /// Indices that were computed on the device lay outside their range; they were clamped.
    #[error("`{op}` (made at {site}): {count} indices out of range 0..{bound}; they were clamped")]
    IndexOutOfRange {
        /// The operation that read them.
        op: String,
        /// Where it was made.
        site: Site,
        /// How many were outside.
        count: u32,
        /// One past the largest valid index.
        bound: usize,
    },
    /// A run with the knob `check_finite` made a NaN or an infinity. Parameters and states are as before the run.
    #[error("{0}")]
    NotFinite(Box<crate::device::NonFinite>),
    /// A parameter, a state or a scalar of that name does not exist or has another type or shape.
    #[error("parameters: {0}")]
    Params(String),
    /// The device could not be had.
    #[error("device: {0}")]
    NoDevice(String),
    /// The device or its driver refused or failed.
    #[error("{device}: {message}")]
    Device {
        /// The device.
        device: String,
        /// What it said.
        message: String,
    },
    /// The device was lost, and everything on it. Every later call on its programs and parameters gives this error.
    ///
    /// To carry on: open a device again (the same one may be there), compile the program on it from the same graph, and
    /// load the last checkpoint. Graphs, host tensors and other devices are as they were.
    #[error(transparent)]
    DeviceLost(Arc<DeviceLost>),
    /// There was not enough memory. What was there before is as it was; the device goes on.
    #[error("{device}: no memory for {what}{}: {message}", sized(*bytes))]
    OutOfMemory {
        /// What the memory was for.
        what: String,
        /// How many bytes it was to have; 0 where that is not known.
        bytes: usize,
        /// The device.
        device: String,
        /// The limit, or what the driver said.
        message: String,
    },
    /// The driver or a compiler refused a kernel.
    #[error("kernel `{kernel}` of `{node}` (made at {site}): {message}")]
    Kernel {
        /// The kernel.
        kernel: String,
        /// The node that asked for it.
        node: String,
        /// Where the node was made.
        site: Site,
        /// What the compiler said, with the numbered WGSL around the place.
        message: String,
    },
}

/// A plan needs more memory than `PlanOptions::budget`. Nothing was allocated.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "plan for {device}: {needed} bytes are needed (values {arena}, parameters and states {parameters}, inputs {inputs}, \
     constants {constants}), the budget is {budget}; most is alive at `{peak_op}` (made at {peak_site}): {}",
    tenants.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
)]
pub struct BudgetError {
    /// The budget in bytes.
    pub budget: usize,
    /// What the plan needs in bytes: the sum of the four below.
    pub needed: usize,
    /// Bytes that activations, gradients and other values share.
    pub arena: usize,
    /// Bytes of parameters and states.
    pub parameters: usize,
    /// Bytes of inputs and scalars.
    pub inputs: usize,
    /// Bytes of constants.
    pub constants: usize,
    /// The operation at which most is alive.
    pub peak_op: String,
    /// Where that operation was made.
    pub peak_site: Site,
    /// The largest values that are alive then, the largest first.
    pub tenants: Vec<TenantError>,
    /// The device.
    pub device: String,
}

/// A value that takes memory where there is too little.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{op}` {what}, {bytes} bytes (made at {site})")]
pub struct TenantError {
    /// The operation that made it.
    pub op: String,
    /// Its type and shape, or that it is scratch memory.
    pub what: String,
    /// Its bytes.
    pub bytes: usize,
    /// Where the operation was made.
    pub site: Site,
}

fn sized(bytes: usize) -> String {
    if bytes > 0 { format!(", {bytes} bytes") } else { String::new() }
}

/// An operation refused its inputs: op, all shapes, the reason, the user's line.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{op}` of ({}): {message} (at {site})", inputs.join(", "))]
pub struct OpError {
    /// The operation.
    pub op: String,
    /// Its inputs, as `f32[4, 5]`.
    pub inputs: Vec<String>,
    /// What is wrong with which input.
    pub message: String,
    /// The call that made it.
    pub site: Site,
}

impl From<OpError> for Error {
    fn from(e: OpError) -> Self {
        Self::Op(Box::new(e))
    }
}

/// A run was given feeds that the program does not take. Nothing has run and no state has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// An input got no value.
    #[error("input `{name}` is missing (it takes {expected})")]
    Missing {
        /// The input.
        name: String,
        /// Its type and shape.
        expected: String,
    },
    /// A value was given for something that the program does not read.
    #[error("`{name}` is no input of this program; its inputs are: {known}")]
    Extra {
        /// The name that was given.
        name: String,
        /// The inputs there are.
        known: String,
    },
    /// The same input was given twice.
    #[error("input `{name}` was given twice")]
    Twice {
        /// The input.
        name: String,
    },
    /// The value has another element type.
    #[error("input `{name}` takes {expected}, was given {got}")]
    DType {
        /// The input.
        name: String,
        /// The type it takes.
        expected: DType,
        /// The type it was given.
        got: DType,
    },
    /// The value has another shape.
    #[error("input `{name}` takes shape {expected}, was given {got}: {reason}")]
    Shape {
        /// The input.
        name: String,
        /// The shape it takes.
        expected: String,
        /// The shape it was given.
        got: String,
        /// Which dimension disagrees.
        reason: String,
    },
    /// The memory that an app lends for an input cannot be read.
    #[error("input `{name}` cannot be read from the memory lent for it: {reason}")]
    Lent {
        /// The input.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The memory that an app lends for an output does not fit it.
    #[error("output {index} cannot go into the memory lent for it, {got}: {reason}")]
    Output {
        /// The output, counted from 0.
        index: usize,
        /// What was lent.
        got: String,
        /// What is wrong.
        reason: String,
    },
    /// An index lies outside the range of what it selects from.
    #[error("input `{name}` holds index {value} at {at}, outside 0..{bound} of `{op}` (made at {site})")]
    Index {
        /// The input.
        name: String,
        /// The flat position.
        at: usize,
        /// The index.
        value: i64,
        /// One past the largest valid index.
        bound: usize,
        /// The operation that reads it.
        op: String,
        /// Where that operation was made.
        site: Site,
    },
}
