//! Every value of a graph as the device computes it, node by node: chunks of the graph run as plans of their own, each
//! from the values that the chunks before it gave, so memory stays bounded and nothing of the program's state is touched.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc};

use super::{Device, RunInputs};
use crate::{
    Result,
    cpu::{Oracle, bound, leaf_value},
    graph::{Constant, Kind, Leaf, Meta, Node, SlotId, Snapshot, ValueId},
    ops::Op,
    plan::{PlanOptions, SlotPlaces, Target, plan_for},
    tensor::{Binding, HostTensor},
};

/// Bytes of results after which a chunk ends.
const CHUNK_BYTES: usize = 64 << 20;
/// Nodes after which a chunk ends.
const CHUNK_NODES: usize = 256;

/// A graph to look at, with what it is given.
#[derive(Debug)]
pub(super) struct Observer<'a> {
    pub device: &'a Device,
    pub graph: &'a Snapshot,
    pub live: Vec<bool>,
    pub binding: &'a Binding,
    /// The kernel variant to take, and whether dispatches run one by one.
    pub options: PlanOptions,
    /// Values of inputs, slots and scalars, by name.
    pub given: &'a Oracle<'a>,
    /// Values to hand over at the end.
    pub keep: Vec<ValueId>,
}

/// One node with what the device read and gave; for a leaf, what it was given.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub index: usize,
    pub node: &'a Node,
    /// The operation with numbers for named dimensions; none for a leaf.
    pub op: Option<Arc<dyn Op>>,
    pub inputs: Vec<&'a HostTensor>,
    pub outputs: Vec<&'a HostTensor>,
}

/// A chunk reads no slot: all its leaves are constants.
struct NoSlots;

impl SlotPlaces for NoSlots {
    fn place(&self, _: SlotId) -> (usize, usize) {
        (0, 0)
    }

    fn chunks(&self) -> Vec<usize> {
        Vec::new()
    }
}

impl Observer<'_> {
    /// Shows every live node, in the graph's order, until the visitor has seen enough; gives the values to keep, unless
    /// it stopped.
    pub fn walk(
        &self,
        mut visit: impl FnMut(&Seen<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<Option<Vec<HostTensor>>> {
        let nodes = &self.graph.nodes;
        let mut last_use = vec![0; nodes.len()];
        for index in (0..nodes.len()).filter(|&i| self.live[i]) {
            nodes[index].inputs.iter().for_each(|v| last_use[v.node] = index);
        }
        self.keep.iter().for_each(|v| last_use[v.node] = usize::MAX);
        let mut known: HashMap<ValueId, HostTensor> = HashMap::new();
        let mut at = 0;
        while at < nodes.len() {
            let chunk = self.chunk(at)?;
            at = chunk.last().map_or(nodes.len(), |last| last + 1);
            for &index in &chunk {
                if let Kind::Leaf(leaf) = &nodes[index].kind {
                    let slots = &self.graph.slots;
                    let r = leaf_value(leaf, &nodes[index].outputs[0], self.given, slots, self.binding)?;
                    let value = HostTensor::from_f64(r.dtype, &r.data, &r.shape);
                    known.insert(ValueId { node: index, output: 0 }, value);
                }
            }
            let wanted = self.run(&chunk, &mut known)?;
            known.extend(wanted);
            for index in chunk {
                let node = &*nodes[index];
                let op = match &node.kind {
                    Kind::Leaf(_) => None,
                    Kind::Op(op) => Some(bound(op, self.binding)?),
                };
                let outputs = (0..node.outputs.len()).map(|output| &known[&ValueId { node: index, output }]);
                let inputs = node.inputs.iter().map(|v| &known[v]).collect();
                let seen = Seen { index, node, op, inputs, outputs: outputs.collect() };
                if visit(&seen)?.is_break() {
                    return Ok(None);
                }
            }
            known.retain(|v, _| last_use[v.node] >= at);
        }
        Ok(Some(self.keep.iter().filter_map(|v| known.get(v).cloned()).collect()))
    }

    /// Live nodes from `from` on whose results are not too large together; at least one.
    fn chunk(&self, from: usize) -> Result<Vec<usize>> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        for index in (from..self.graph.nodes.len()).filter(|&i| self.live[i]) {
            for meta in &self.graph.nodes[index].outputs {
                let shape = meta.shape.bind(self.binding).unwrap_or_default();
                bytes += shape.iter().product::<usize>() * meta.dtype.bytes();
            }
            if !chunk.is_empty() && (bytes > CHUNK_BYTES || chunk.len() == CHUNK_NODES) {
                break;
            }
            chunk.push(index);
        }
        Ok(chunk)
    }

    /// What the device gives for every operation of a chunk.
    fn run(
        &self,
        chunk: &[usize],
        known: &mut HashMap<ValueId, HostTensor>,
    ) -> Result<Vec<(ValueId, HostTensor)>> {
        let mut nodes: Vec<Arc<Node>> = Vec::new();
        let mut places: HashMap<ValueId, ValueId> = HashMap::new();
        let mut wanted = Vec::new();
        for &index in chunk {
            let node = &self.graph.nodes[index];
            let Kind::Op(_) = &node.kind else { continue };
            for v in &node.inputs {
                if !places.contains_key(v) {
                    places.insert(*v, ValueId { node: nodes.len(), output: 0 });
                    nodes.push(Arc::new(self.leaf(*v, &known[v])));
                }
            }
            let inputs = node.inputs.iter().map(|v| places[v]).collect();
            for output in 0..node.outputs.len() {
                let v = ValueId { node: index, output };
                places.insert(v, ValueId { node: nodes.len(), output });
                wanted.push(v);
            }
            nodes.push(Arc::new(Node { inputs, ..Node::clone(node) }));
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let target = Target {
            graph: Snapshot { nodes, slots: Vec::new() },
            outputs: wanted.iter().map(|v| places[v]).collect(),
            updates: Vec::new(),
        };
        let options = PlanOptions {
            no_fuse: true,
            no_rewrite: true,
            no_alias: true,
            check_finite: false,
            ..self.options
        };
        let plan = Arc::new(plan_for(&target, self.binding, self.device.capabilities(), &NoSlots, options)?);
        let values = self
            .device
            .backend()
            .prepare(plan, &[])?
            .run(&RunInputs { feeds: &[], scalars: &[], into: &[] })?
            .wait()?;
        Ok(wanted.into_iter().zip(values).collect())
    }

    /// A value from an earlier chunk as a constant; numbers stay numbers, so that operations see them as in the program.
    fn leaf(&self, v: ValueId, value: &HostTensor) -> Node {
        let made = &self.graph.nodes[v.node];
        let constant = match &made.kind {
            Kind::Leaf(Leaf::Constant(c)) => c.clone(),
            _ => Constant::Tensor(Arc::new(value.clone())),
        };
        Node {
            kind: Kind::Leaf(Leaf::Constant(constant)),
            inputs: Vec::new(),
            outputs: vec![Meta::new(value.dtype(), value.shape())],
            ..Node::clone(made)
        }
    }
}

/// What a value is called in messages.
pub(super) fn describe(graph: &Snapshot, v: ValueId) -> String {
    let node = &graph.nodes[v.node];
    match &node.kind {
        Kind::Leaf(Leaf::Input(name)) => format!("input `{name}`"),
        Kind::Leaf(Leaf::Scalar { name, .. }) => format!("scalar `{name}`"),
        Kind::Leaf(Leaf::Slot(id)) => format!("slot `{}`", graph.slots[id.0].name),
        Kind::Leaf(Leaf::Constant(_)) => format!("constant (made at {})", node.site),
        Kind::Op(op) if node.outputs.len() > 1 => {
            format!("output {} of `{}` (made at {})", v.output, op.name(), node.site)
        }
        Kind::Op(op) => format!("`{}` (made at {})", op.name(), node.site),
    }
}
