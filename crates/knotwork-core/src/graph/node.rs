//! What a graph is made of: nodes, the values they give, the slots that persist.

use std::{fmt, sync::Arc};

use super::{Recompute, RegionId};
use crate::{
    Site,
    ops::Op,
    tensor::{DType, Dim, HostTensor, Shape},
};

/// One output of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId {
    /// The node's index in its graph.
    pub node: usize,
    /// Which of the node's outputs.
    pub output: usize,
}

/// A slot's index in its graph: a value that persists from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub usize);

/// Element type and shape of a value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Meta {
    /// The element type.
    pub dtype: DType,
    /// The shape; its dimensions may be named.
    pub shape: Shape,
}

impl Meta {
    /// Element type and shape.
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Self {
        Self { dtype, shape: shape.into() }
    }
}

impl fmt::Display for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value known before any run.
#[derive(Clone, Debug)]
pub enum Constant {
    /// A number of no dimension.
    Scalar(f64),
    /// The size of a dimension, once it is bound.
    Size(Dim),
    /// Anything larger.
    Tensor(Arc<HostTensor>),
}

/// A node without inputs.
#[derive(Clone, Debug)]
pub enum Leaf {
    /// Given by each run.
    Input(String),
    /// A number that each run may set and that keeps its value otherwise (a learning rate).
    Scalar {
        /// The name by which it is set.
        name: String,
        /// The value until it is set.
        default: f64,
    },
    /// What a slot holds when the run begins.
    Slot(SlotId),
    /// Known before any run.
    Constant(Constant),
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum Kind {
    /// It is given.
    Leaf(Leaf),
    /// It is computed.
    Op(Arc<dyn Op>),
}

/// Which part of a computation a node belongs to, for people who look at plans. Nothing is computed from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// What the user wrote.
    #[default]
    Forward,
    /// Made by a gradient.
    Backward,
    /// Made by an optimizer.
    Update,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::Update => "update",
        })
    }
}

/// One node: what it does, of what, giving what, and the user's line that made it.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub kind: Kind,
    /// The values it reads.
    pub inputs: Vec<ValueId>,
    /// Type and shape of each output.
    pub outputs: Vec<Meta>,
    /// The line of user code that made it.
    pub site: Site,
    /// Which part of the computation it belongs to.
    pub phase: Phase,
    /// The checkpoint region inside which it was made, the innermost.
    pub region: Option<RegionId>,
    /// Where it computes a value once more that a checkpoint region did not keep: of what.
    pub recompute: Option<Recompute>,
}

impl Node {
    /// The operation's name, or what kind of leaf it is.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.kind {
            Kind::Leaf(Leaf::Input(_)) => "input",
            Kind::Leaf(Leaf::Scalar { .. }) => "scalar",
            Kind::Leaf(Leaf::Slot(_)) => "slot",
            Kind::Leaf(Leaf::Constant(_)) => "constant",
            Kind::Op(op) => op.name(),
        }
    }
}

/// What a slot is for. Slots of one group and type are packed side by side, so one dispatch can update them all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SlotGroup {
    /// Found by training.
    Parameter,
    /// Kept by something else (an optimizer's moments), under that name.
    State(String),
}

/// A value that persists from run to run, on the device.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its name, unique in the graph; also its key in checkpoints.
    pub name: String,
    /// What it is for.
    pub group: SlotGroup,
    /// Its value before the first run; also its type and shape.
    pub init: Arc<HostTensor>,
    /// Whether optimizers may change it.
    pub trainable: bool,
    /// The value that reads it.
    pub value: ValueId,
}
