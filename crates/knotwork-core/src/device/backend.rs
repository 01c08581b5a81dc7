//! What a backend does: keep parameters, prepare plans, run them. Object-safe, so a `Device` is chosen at run time.

use std::{any::Any, fmt::Debug, future::Future, pin::Pin, sync::Arc, time::Duration};

use super::{DeviceInfo, External, Timeline, Value};
use crate::{
    Result,
    plan::{Capabilities, Plan},
    tensor::{DType, HostTensor},
};

/// How many device objects a backend has made so far, and what it holds. In the steady state of a training loop the first
/// four stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Buffers.
    pub buffers: u64,
    /// Bytes of the buffers that are there now: what was made less what was dropped.
    pub bytes: u64,
    /// Bind groups.
    pub bind_groups: u64,
    /// Pipelines.
    pub pipelines: u64,
    /// Submits of runs: one each.
    pub submits: u64,
    /// Readings of parameters: each waits, and on a GPU is a submit of its own.
    pub reads: u64,
    /// Dispatches; steps of plans, on the CPU.
    pub dispatches: u64,
}

/// Memory that persists from run to run.
pub trait Memory: Debug + Send + Sync {
    /// Writes a tensor's elements from byte `offset` on.
    ///
    /// # Errors
    /// Where the device fails.
    fn write(&self, offset: usize, value: &HostTensor) -> Result<()>;

    /// Reads a tensor from byte `offset` on; waits for what was submitted before.
    ///
    /// # Errors
    /// Where the device fails.
    fn read(&self, offset: usize, dtype: DType, shape: &[usize]) -> Result<HostTensor>;

    /// Copies everything from memory of the same device and size, after what was submitted before.
    ///
    /// # Errors
    /// Where the other memory is of another device, or the device fails.
    fn copy_from(&self, from: &dyn Memory) -> Result<()>;

    /// For the backend that made it.
    fn as_any(&self) -> &dyn Any;
}

/// A plan with its pipelines, buffers and bindings: ready to run again and again.
pub trait Prepared: Debug + Send {
    /// Starts one run. Feeds come in the plan's order, checked; scalars as well.
    ///
    /// # Errors
    /// Where the device fails, or data is outside an operation's definition. No state has changed then.
    fn run(&mut self, inputs: &RunInputs<'_>) -> Result<Box<dyn Pending>>;

    /// Records and submits the same list by the driver interface's bare calls, feeds and copies of the results included,
    /// and waits: the host time to record and submit. What a bench compares a run with; `None` where there is no such list.
    ///
    /// # Errors
    /// Where the device fails.
    #[doc(hidden)]
    fn replay_bare(&mut self, _inputs: &RunInputs<'_>) -> Result<Option<Duration>> {
        Ok(None)
    }

    /// A run that is waited for and of which every dispatch is timed; `None` where the backend does not do that, and
    /// nothing has run then.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    fn profile(&mut self, inputs: &RunInputs<'_>) -> Result<Option<Timeline>> {
        let _ = inputs;
        Ok(None)
    }
}

/// What one run is given.
#[derive(Clone, Copy, Debug)]
pub struct RunInputs<'a> {
    /// A value for each of the plan's feeds, in order.
    pub feeds: &'a [Value<'a>],
    /// A value for each of the plan's scalars, in order.
    pub scalars: &'a [f64],
    /// For each of the plan's outputs, in order, the memory that takes it, where an app lends some; these outputs are not
    /// sent back. Empty where none is lent.
    pub into: &'a [Option<&'a External>],
}

/// The outputs of a run that may still be under way.
pub trait Pending: Debug + Send {
    /// Waits for the outputs.
    ///
    /// # Errors
    /// Where the device failed, or indices had to be clamped.
    fn wait(self: Box<Self>) -> Result<Vec<HostTensor>>;

    /// The outputs, for an async caller.
    fn outputs(self: Box<Self>) -> Pin<Box<dyn Future<Output = Result<Vec<HostTensor>>> + Send>>;
}

/// A way to run plans.
pub trait Backend: Debug + Send + Sync {
    /// Name, kind and driver.
    fn info(&self) -> &DeviceInfo;

    /// What plans may rely on.
    fn capabilities(&self) -> &Capabilities;

    /// Persistent memory, zeroed.
    ///
    /// # Errors
    /// Where there is not enough.
    fn allocate(&self, bytes: usize) -> Result<Arc<dyn Memory>>;

    /// Compiles kernels and makes buffers and bindings for a plan over these chunks of persistent memory.
    ///
    /// # Errors
    /// Where a kernel is refused or memory runs out.
    fn prepare(&self, plan: Arc<Plan>, chunks: &[Arc<dyn Memory>]) -> Result<Box<dyn Prepared>>;

    /// Itself, for doors into one backend; `None` where there are none.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }

    /// How many device objects it has made.
    fn counters(&self) -> Counters;
}
