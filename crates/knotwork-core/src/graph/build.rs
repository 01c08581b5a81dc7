//! Making graphs: inputs, parameters, constants, and the nodes that operations add.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{
    Constant, Kind, Leaf, Meta, Node, Slot, SlotGroup, SlotId, Tensor, ValueId,
    checkpoint::Region,
    provenance::{phase, resolve},
};
use crate::{
    Error, Result, Site,
    error::OpError,
    ops::Op,
    tensor::{DType, HostTensor, Shape},
};

/// A graph of operations. Cloning it gives another handle on the same graph.
///
/// ```
/// use knotwork_core::{DType, Dim, Graph};
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [Dim::named("batch"), 3.into()])?;
/// let y = x.mul(2.0)?.sum(&[-1], false)?;
/// assert_eq!(y.shape().to_string(), "[batch]");
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Graph {
    inner: Arc<RwLock<Inner>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inner {
    pub nodes: Vec<Arc<Node>>,
    pub slots: Vec<Slot>,
    pub names: HashMap<String, ValueId>,
    pub regions: Vec<Region>,
}

/// A graph as it was at one moment, for the planner and the oracle.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub nodes: Vec<Arc<Node>>,
    pub slots: Vec<Slot>,
}

impl Snapshot {
    /// For each node, whether these values or slot updates need it. A slot that is written counts even where nothing
    /// reads it.
    pub fn live(&self, values: &[ValueId], updates: &[(SlotId, ValueId)]) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        values.iter().for_each(|v| live[v.node] = true);
        for (slot, value) in updates {
            live[value.node] = true;
            live[self.slots[slot.0].value.node] = true;
        }
        for index in (0..live.len()).rev() {
            if live[index] {
                self.nodes[index].inputs.iter().for_each(|v| live[v.node] = true);
            }
        }
        live
    }
}

/// New values for slots, written when a run that lists the update ends.
#[derive(Clone, Debug)]
pub struct Update {
    graph: Graph,
    assignments: Vec<(SlotId, ValueId)>,
}

impl Update {
    /// Both updates as one.
    ///
    /// # Errors
    /// Where they belong to different graphs or assign one slot twice.
    #[track_caller]
    pub fn and(mut self, other: Self) -> Result<Self> {
        let site = Site::here();
        if !self.graph.same(&other.graph) {
            return Err(Error::Graph { message: "updates of two graphs cannot be joined".into(), site });
        }
        for (slot, value) in other.assignments {
            if self.assignments.iter().any(|(s, _)| *s == slot) {
                let name = self.graph.read().slots[slot.0].name.clone();
                return Err(Error::Graph { message: format!("slot `{name}` would be assigned twice"), site });
            }
            self.assignments.push((slot, value));
        }
        Ok(self)
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Which slot gets which value.
    #[must_use]
    pub fn assignments(&self) -> &[(SlotId, ValueId)] {
        &self.assignments
    }
}

impl Graph {
    /// A graph without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A value that each run gives. A named dimension gets its size from the run.
    ///
    /// # Errors
    /// Where the name is taken.
    #[track_caller]
    pub fn input(&self, name: &str, dtype: DType, shape: impl Into<Shape>) -> Result<Tensor> {
        self.named_leaf(name, Leaf::Input(name.into()), Meta::new(dtype, shape), Site::here())
    }

    /// A number that a program keeps and that may be set between runs (`Program::set_scalar`).
    ///
    /// # Errors
    /// Where the name is taken.
    #[track_caller]
    pub fn scalar(&self, name: &str, default: f64) -> Result<Tensor> {
        let leaf = Leaf::Scalar { name: name.into(), default };
        self.named_leaf(name, leaf, Meta::new(DType::F32, Shape::scalar()), Site::here())
    }

    /// A value found by training, with its value before the first step.
    ///
    /// # Errors
    /// Where the name is taken.
    #[track_caller]
    pub fn parameter(&self, name: &str, init: HostTensor) -> Result<Tensor> {
        self.slot(name, init, SlotGroup::Parameter, true, Site::here())
    }

    /// A value that persists from run to run but that optimizers leave alone; `group` says whose it is.
    ///
    /// # Errors
    /// Where the name is taken.
    #[track_caller]
    pub fn state(&self, name: &str, group: &str, init: HostTensor) -> Result<Tensor> {
        self.slot(name, init, SlotGroup::State(group.into()), false, Site::here())
    }

    fn slot(
        &self,
        name: &str,
        init: HostTensor,
        group: SlotGroup,
        trainable: bool,
        site: Site,
    ) -> Result<Tensor> {
        let meta = Meta::new(init.dtype(), init.shape());
        let id = SlotId(self.read().slots.len());
        let tensor = self.named_leaf(name, Leaf::Slot(id), meta, site)?;
        let init = Arc::new(init);
        self.write().slots.push(Slot { name: name.into(), group, init, trainable, value: tensor.id() });
        Ok(tensor)
    }

    /// A constant of no dimension.
    ///
    /// # Errors
    /// None today; the signature leaves room for types that cannot hold the number.
    #[track_caller]
    pub fn constant(&self, dtype: DType, value: f64) -> Result<Tensor> {
        self.leaf(
            Leaf::Constant(Constant::Scalar(dtype.round(value))),
            Meta::new(dtype, Shape::scalar()),
            Site::here(),
        )
    }

    /// The size of a shape as a number, once a run has bound its names.
    pub(crate) fn size_of(&self, dtype: DType, count: crate::Dim) -> Result<Tensor> {
        let constant = match count.fixed() {
            Some(n) => Constant::Scalar(n as f64),
            None => Constant::Size(count),
        };
        self.leaf(Leaf::Constant(constant), Meta::new(dtype, Shape::scalar()), Site::here())
    }

    /// A constant tensor.
    ///
    /// # Errors
    /// None today.
    #[track_caller]
    pub fn tensor(&self, value: HostTensor) -> Result<Tensor> {
        let meta = Meta::new(value.dtype(), value.shape());
        self.leaf(Leaf::Constant(Constant::Tensor(Arc::new(value))), meta, Site::here())
    }

    /// The value of that name: an input, a slot, a scalar, or one that `Tensor::named` has named.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Tensor> {
        let id = *self.read().names.get(name)?;
        Some(self.handle(id))
    }

    /// The handle on a value of this graph.
    ///
    /// # Errors
    /// Where the graph has no such value.
    #[track_caller]
    pub fn value(&self, id: ValueId) -> Result<Tensor> {
        let known = self.read().nodes.get(id.node).is_some_and(|n| id.output < n.outputs.len());
        if known {
            return Ok(self.handle(id));
        }
        Err(Error::Graph { message: format!("there is no value {id:?}"), site: Site::here() })
    }

    /// All values that training may change, in the order in which they were made.
    #[must_use]
    pub fn parameters(&self) -> Vec<Tensor> {
        let ids: Vec<ValueId> = self.read().slots.iter().filter(|s| s.trainable).map(|s| s.value).collect();
        ids.into_iter().map(|id| self.handle(id)).collect()
    }

    /// All slots.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        self.read().slots.clone()
    }

    /// Leaves a parameter as it is: optimizers made after this call pass it by.
    ///
    /// # Errors
    /// Where the tensor is no parameter of this graph.
    #[track_caller]
    pub fn freeze(&self, parameter: &Tensor) -> Result<()> {
        let slot = self.slot_of(parameter, Site::here())?;
        self.write().slots[slot.0].trainable = false;
        Ok(())
    }

    /// Gives a slot a new value at the end of each run that lists the update.
    ///
    /// All updates of a run read the values from before it, so they may depend on each other: `a := f(b), b := g(a)` is
    /// simultaneous, in whatever order the updates are listed. What is assigned is a node like any other; an update that
    /// wants another's *new* value uses that node.
    ///
    /// ```
    /// # use knotwork_core::{Device, Graph, HostTensor};
    /// let g = Graph::new();
    /// let a = g.parameter("a", HostTensor::new(&[1.0f32], [1])?)?;
    /// let b = g.parameter("b", HostTensor::new(&[2.0f32], [1])?)?;
    /// let swap = [g.assign(&a, &b)?, g.assign(&b, &a)?];
    /// let mut p = Device::cpu().compile(&g, &[], &[&swap[0], &swap[1]])?;
    /// p.run::<HostTensor>([])?.wait()?;
    /// assert_eq!(p.params().get("a")?.item::<f32>()?, 2.0);
    /// assert_eq!(p.params().get("b")?.item::<f32>()?, 1.0);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where `slot` is no parameter or state, or the value has another type or shape.
    #[track_caller]
    pub fn assign(&self, slot: &Tensor, value: &Tensor) -> Result<Update> {
        let site = Site::here();
        let id = self.slot_of(slot, site)?;
        self.check_same(&[value], site)?;
        if slot.meta() != value.meta() {
            return Err(OpError {
                op: "assign".into(),
                inputs: vec![slot.meta().to_string(), value.meta().to_string()],
                message: "a slot keeps its type and shape".into(),
                site,
            }
            .into());
        }
        Ok(Update { graph: self.clone(), assignments: vec![(id, value.id())] })
    }

    /// An update of nothing, to join others to.
    #[must_use]
    pub fn no_update(&self) -> Update {
        Update { graph: self.clone(), assignments: Vec::new() }
    }

    /// Whether both handles are on one graph.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().nodes.len()
    }

    /// Whether the graph has no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a node that applies an operation, and gives its outputs.
    ///
    /// # Errors
    /// Where the operation refuses the inputs, or they belong to another graph.
    pub fn apply(&self, op: impl Op, inputs: &[&Tensor], site: Site) -> Result<Vec<Tensor>> {
        self.apply_arc(Arc::new(op), inputs, site)
    }

    pub(crate) fn apply_arc(&self, op: Arc<dyn Op>, inputs: &[&Tensor], site: Site) -> Result<Vec<Tensor>> {
        let site = resolve(site);
        self.check_same(inputs, site)?;
        let metas: Vec<Meta> = inputs.iter().map(|t| t.meta().clone()).collect();
        let outputs = op.infer(&metas).map_err(|message| OpError {
            op: op.name().into(),
            inputs: metas.iter().map(ToString::to_string).collect(),
            message,
            site,
        })?;
        let inputs = inputs.iter().map(|t| t.id()).collect();
        Ok(self.push(Node {
            kind: Kind::Op(op),
            inputs,
            outputs,
            site,
            phase: phase(),
            region: None,
            recompute: None,
        }))
    }

    /// Like [`apply`](Self::apply), for an operation of one output.
    pub(crate) fn apply_one(&self, op: impl Op, inputs: &[&Tensor], site: Site) -> Result<Tensor> {
        let name = op.name().to_owned();
        let mut out = self.apply(op, inputs, site)?;
        match (out.pop(), out.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(Error::Graph { message: format!("`{name}` does not have exactly one output"), site }),
        }
    }

    pub(super) fn name_value(&self, name: &str, id: ValueId, site: Site) -> Result<()> {
        let mut inner = self.write();
        if inner.names.contains_key(name) {
            return Err(Error::Graph { message: format!("the name `{name}` is taken"), site });
        }
        inner.names.insert(name.into(), id);
        Ok(())
    }

    pub(crate) fn node(&self, index: usize) -> Arc<Node> {
        self.read().nodes[index].clone()
    }

    pub(crate) fn handle(&self, id: ValueId) -> Tensor {
        let meta = self.read().nodes[id.node].outputs[id.output].clone();
        Tensor::new(self.clone(), id, meta)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let inner = self.read();
        Snapshot { nodes: inner.nodes.clone(), slots: inner.slots.clone() }
    }

    /// The slot that a tensor reads.
    ///
    /// # Errors
    /// Where the tensor is no parameter or state of this graph.
    pub fn slot_of(&self, tensor: &Tensor, site: Site) -> Result<SlotId> {
        self.check_same(&[tensor], site)?;
        match self.node(tensor.id().node).kind {
            Kind::Leaf(Leaf::Slot(id)) => Ok(id),
            _ => Err(Error::Graph {
                message: format!(
                    "the result of `{}` is no parameter or state",
                    self.node(tensor.id().node).name()
                ),
                site,
            }),
        }
    }

    fn check_same(&self, tensors: &[&Tensor], site: Site) -> Result<()> {
        if tensors.iter().all(|t| self.same(t.graph())) {
            return Ok(());
        }
        Err(Error::Graph { message: "a tensor belongs to another graph".into(), site })
    }

    fn named_leaf(&self, name: &str, leaf: Leaf, meta: Meta, site: Site) -> Result<Tensor> {
        if self.read().names.contains_key(name) {
            return Err(Error::Graph { message: format!("the name `{name}` is taken"), site });
        }
        let tensor = self.leaf(leaf, meta, site)?;
        self.name_value(name, tensor.id(), site)?;
        Ok(tensor)
    }

    fn leaf(&self, leaf: Leaf, meta: Meta, site: Site) -> Result<Tensor> {
        let site = resolve(site);
        let node = Node {
            kind: Kind::Leaf(leaf),
            inputs: Vec::new(),
            outputs: vec![meta],
            site,
            phase: phase(),
            region: None,
            recompute: None,
        };
        let id = self.push(node)[0].id();
        Ok(self.handle(id))
    }

    fn push(&self, mut node: Node) -> Vec<Tensor> {
        let outputs = node.outputs.clone();
        node.region = self.open_region();
        let index = self.push_copy(node);
        outputs
            .into_iter()
            .enumerate()
            .map(|(output, meta)| Tensor::new(self.clone(), ValueId { node: index, output }, meta))
            .collect()
    }

    /// A graph of its own that begins with the nodes of this one, with the same ids.
    pub(crate) fn from_snapshot(snapshot: &Snapshot) -> Self {
        let (nodes, slots) = (snapshot.nodes.clone(), snapshot.slots.clone());
        Self::from_inner(Inner { nodes, slots, ..Inner::default() })
    }

    /// Adds a node to the region that it names.
    pub(super) fn push_copy(&self, node: Node) -> usize {
        let mut inner = self.write();
        let (index, region) = (inner.nodes.len(), node.region);
        inner.nodes.push(Arc::new(node));
        if let Some(region) = region.and_then(|r| inner.regions.get_mut(r.0)) {
            region.nodes.push(index);
        }
        index
    }

    /// What tells graphs apart while they are there.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }

    pub(super) fn from_inner(inner: Inner) -> Self {
        Self { inner: Arc::new(RwLock::new(inner)) }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Inner> {
        // A panic while the lock is held can only come from allocation; the data stays consistent.
        self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
