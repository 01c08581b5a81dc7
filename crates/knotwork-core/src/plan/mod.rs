//! From a graph to a short list of dispatches: clean, fold views, fuse, choose kernels, order, assign memory.
//! Nothing here needs a GPU; a plan can be read and tested as text.

mod arena;
mod bind;
mod budget;
mod build;
mod capabilities;
mod cost;
pub mod draw;
mod explain;
mod flow;
mod fuse;
mod in_place;
mod json;
mod kernel;
mod lifetimes;
mod lower;
mod memory;
mod names;
mod order;
mod poison;
mod preview;
mod rewrite;
mod rooms;
mod split;
mod submits;
mod tuned;
mod uses;
mod work;

use std::sync::Arc;

pub use build::PlanOptions;
pub(crate) use build::{SlotPlaces, Target, plan_for};
pub use capabilities::{Capabilities, CooperativeMatrix, DeviceKind, Speed};
pub use kernel::{
    BindTo, ConstantValue, DispatchSpec, FUSED_BINDING, Flat, Grid, Kernel, KernelOperand, KernelRequest,
    Lowering, Needs, Params, Scratch, Source,
};
pub use poison::{Fill, POISON};
pub use tuned::Tuned;

use crate::{
    Site,
    graph::{Phase, SlotGroup, SlotId},
    ops::Op,
    tensor::{DType, HostTensor, Layout},
};

/// A buffer's index in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// What a buffer of a plan is.
#[derive(Clone, Debug)]
pub enum BufferKind {
    /// The value of an input: its index in `Plan::feeds`.
    Feed(usize),
    /// A chunk of the program's parameters and states, shared with its siblings.
    Chunk(usize),
    /// The scalars that a run may set, one an aligned slice.
    Scalars,
    /// Known before any run.
    Constant(Arc<HostTensor>),
    /// Reused by values that are not alive at the same time.
    Arena,
    /// One `u32` a step that clamps indices: how many it clamped.
    Status,
}

/// A buffer of a plan.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// What it is.
    pub kind: BufferKind,
    /// Its size.
    pub bytes: usize,
}

/// Where a value lies: a range of a buffer, and how its elements lie in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The buffer.
    pub buffer: BufferId,
    /// Where the value's memory begins, in bytes.
    pub offset: usize,
    /// How many bytes it has.
    pub bytes: usize,
    /// The element type.
    pub dtype: DType,
    /// Shape, strides and offset in elements, from `offset` on.
    pub layout: Layout,
}

/// One storage binding of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferRange {
    /// The buffer.
    pub buffer: BufferId,
    /// The first byte.
    pub offset: usize,
    /// The number of bytes.
    pub bytes: usize,
    /// Whether the kernel writes it.
    pub writes: bool,
}

/// One dispatch of a plan.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The kernel.
    pub kernel: Kernel,
    /// Storage bindings 1, 2, ... of group 0.
    pub bindings: Vec<BufferRange>,
    /// The words of the uniform `params`.
    pub params: Params,
    /// Workgroups in x, y and z.
    pub grid: [u32; 3],
    /// The index of its step.
    pub step: usize,
}

/// A node of the graph that a step of a plan computes.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRef {
    /// Its index in the graph.
    pub node: usize,
    /// The name of its operation.
    pub op: String,
    /// The line of user code that made it.
    pub site: Site,
    /// Which part of the computation it belongs to.
    pub phase: Phase,
    /// Element type and shape of each output.
    pub outputs: Vec<(DType, Vec<usize>)>,
}

/// One operation of a plan, with its memory.
#[derive(Clone, Debug)]
pub struct Step {
    /// The operation.
    pub op: Arc<dyn Op>,
    /// The line of user code that it comes from.
    pub site: Site,
    /// The nodes of the graph that it computes: several where work was fused, none where the planner added a copy.
    pub nodes: Vec<NodeRef>,
    /// Its inputs.
    pub inputs: Vec<Place>,
    /// Its outputs.
    pub outputs: Vec<Place>,
    /// Pairs (input, output) that share memory.
    pub aliases: Vec<(usize, usize)>,
    /// The name of the chosen kernel variant; empty on the CPU.
    pub variant: &'static str,
    /// Why it was chosen, where its operation says so.
    pub note: Option<String>,
}

/// An input of the program.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its buffer.
    pub buffer: BufferId,
}

/// Values of a feed must lie in 0..bound, because a step indexes with them.
#[derive(Clone, Debug)]
pub struct FeedCheck {
    /// The feed.
    pub feed: usize,
    /// Which of its elements the step reads.
    pub layout: Layout,
    /// One past the largest valid index.
    pub bound: usize,
    /// The operation that indexes.
    pub op: String,
    /// Where it was made.
    pub site: Site,
}

/// A scalar that a run may set.
#[derive(Clone, Debug)]
pub struct ScalarSlot {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its value until it is set.
    pub default: f64,
    /// Its first byte in the scalars' buffer.
    pub offset: usize,
}

/// A parameter or state of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotPlace {
    /// The slot in the graph.
    pub slot: SlotId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub group: SlotGroup,
    /// Its element type.
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The chunk that it lies in.
    pub chunk: usize,
    /// Its first byte there.
    pub offset: usize,
}

impl SlotPlace {
    /// How many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.dtype.bytes() * self.shape.iter().product::<usize>()
    }
}

/// A step that counts clamped indices.
#[derive(Clone, Debug)]
pub struct StatusWord {
    /// The step.
    pub step: usize,
    /// One past the largest valid index.
    pub bound: usize,
}

/// Everything that a backend needs to run a graph for one set of shapes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// All buffers.
    pub buffers: Vec<Buffer>,
    /// The inputs.
    pub feeds: Vec<Feed>,
    /// Checks on the inputs' values, before anything runs.
    pub checks: Vec<FeedCheck>,
    /// The scalars.
    pub scalars: Vec<ScalarSlot>,
    /// The operations, in order.
    pub steps: Vec<Step>,
    /// The dispatches, in order; empty on the CPU.
    pub dispatches: Vec<Dispatch>,
    /// What a run gives: contiguous.
    pub outputs: Vec<Place>,
    /// Which steps count clamped indices.
    pub status: Vec<StatusWord>,
    /// The slots that it reads or writes, and where they lie.
    pub slots: Vec<SlotPlace>,
    /// The rewriting rules that applied, in their order, and how often.
    pub rewrites: Vec<(&'static str, usize)>,
    /// The largest sum, over the steps, of the bytes of values that are alive at once: what a step reads and what
    /// later ones still need, what it writes, its scratch memory; in place counts once. No assignment of buffers
    /// needs less.
    pub live_peak: usize,
    /// Whether each dispatch is a submit of its own, waited for; on the CPU, one thread does everything.
    pub serial: bool,
    /// Ranges of dispatches, one a submit: more than one only where a run is estimated to take long.
    pub submits: Vec<std::ops::Range<usize>>,
}

impl Plan {
    /// Bytes of the buffers that activations and gradients share.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        self.buffers.iter().filter(|b| matches!(b.kind, BufferKind::Arena)).map(|b| b.bytes).sum()
    }
}
