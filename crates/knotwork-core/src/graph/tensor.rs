//! The handle on a value of a graph. Its operations live in `ops`, one file each.

use std::fmt;

use super::{Graph, Meta, ValueId};
use crate::{DType, Result, Site, tensor::Shape};

/// A value of a graph: what a node will give when it runs.
#[derive(Clone)]
pub struct Tensor {
    graph: Graph,
    id: ValueId,
    meta: Meta,
}

impl Tensor {
    pub(super) fn new(graph: Graph, id: ValueId, meta: Meta) -> Self {
        Self { graph, id, meta }
    }

    /// The graph it belongs to.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Which value of the graph it is.
    #[must_use]
    pub fn id(&self) -> ValueId {
        self.id
    }

    /// Element type and shape.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.meta.dtype
    }

    /// The shape; its dimensions may be named.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.meta.shape
    }

    /// The number of dimensions.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.meta.shape.rank()
    }

    /// Gives the value a name, by which `Graph::get` finds it.
    ///
    /// # Errors
    /// Where the name is taken.
    #[track_caller]
    pub fn named(self, name: &str) -> Result<Self> {
        self.graph.name_value(name, self.id, Site::here())?;
        Ok(self)
    }

    /// The line of user code that made it.
    #[must_use]
    pub fn site(&self) -> Site {
        self.graph.node(self.id.node).site
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}.{}", self.meta, self.id.node, self.id.output)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for &super::Tensor {}
    impl Sealed for super::Tensor {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// What can stand on the right of an elementwise operation: a tensor, or a number of the left one's type.
pub trait Operand: sealed::Sealed {
    #[doc(hidden)]
    fn into_tensor(self, left: &Tensor) -> Result<Tensor>;
}

impl Operand for &Tensor {
    fn into_tensor(self, _: &Tensor) -> Result<Tensor> {
        Ok(self.clone())
    }
}

impl Operand for Tensor {
    fn into_tensor(self, _: &Tensor) -> Result<Tensor> {
        Ok(self)
    }
}

impl Operand for f32 {
    #[track_caller]
    fn into_tensor(self, left: &Tensor) -> Result<Tensor> {
        left.graph.constant(left.dtype(), self.into())
    }
}

impl Operand for f64 {
    #[track_caller]
    fn into_tensor(self, left: &Tensor) -> Result<Tensor> {
        left.graph.constant(left.dtype(), self)
    }
}
