//! Clean and fold: only what the outputs need, with numbers for names, equal work done once, views as layouts.

use std::{collections::HashMap, sync::Arc};

use super::{
    NodeRef,
    work::{Draft, Operand, RootKind, Work},
};
use crate::{
    Error, Result,
    error::{FeedError, OpError},
    graph::{Constant, Kind, Leaf, Meta, Node, RegionId, SlotId, Snapshot, ValueId},
    ops::{
        Op,
        elementwise::{Argument, Body, Fused, Step},
    },
    tensor::{Binding, Layout},
};

/// Replays the graph's shape rules under a binding, and collects the work that the outputs need.
pub(super) fn bind(
    graph: &Snapshot,
    outputs: &[ValueId],
    updates: &[(SlotId, ValueId)],
    binding: &Binding,
) -> Result<Draft> {
    let live = graph.live(outputs, updates);
    let mut binder = Binder {
        draft: Draft { slots: graph.slots.clone(), ..Draft::default() },
        values: HashMap::new(),
        seen: HashMap::new(),
        region: None,
    };
    for index in (0..graph.nodes.len()).filter(|&i| live[i]) {
        binder.node(graph, index, binding)?;
    }
    let Binder { mut draft, values, .. } = binder;
    draft.outputs = outputs.iter().map(|v| values[v].1.clone()).collect();
    draft.updates = updates
        .iter()
        .map(|(slot, v)| (*slot, values[&graph.slots[slot.0].value].1.root, values[v].1.clone()))
        .collect();
    Ok(draft)
}

/// The types and places of an operation's outputs.
type Results = Vec<(Meta, Operand)>;

struct Binder {
    draft: Draft,
    /// Every value so far: its type and shape in numbers, and where it is.
    values: HashMap<ValueId, (Meta, Operand)>,
    /// Work that was done already, by what it does.
    seen: HashMap<(Option<RegionId>, String), Results>,
    /// The checkpoint region of the node at hand: equal work is done once only within it.
    region: Option<RegionId>,
}

impl Binder {
    fn node(&mut self, graph: &Snapshot, index: usize, binding: &Binding) -> Result<()> {
        let node = &graph.nodes[index];
        self.region = node.region;
        let first = self.draft.work.len();
        let results = match &node.kind {
            Kind::Leaf(leaf) => vec![self.leaf(leaf, &node.outputs[0], binding)?],
            Kind::Op(op) => {
                let bound = op.bind(binding).map_err(|name| unbound(&name))?;
                let op = bound.unwrap_or_else(|| op.clone());
                let inputs: Vec<(Meta, Operand)> =
                    node.inputs.iter().map(|v| self.values[v].clone()).collect();
                self.operation(index, node, &op, &inputs)?
            }
        };
        for work in self.draft.work[first..].iter().flat_map(|w| &w.outputs) {
            self.draft.regions.extend(node.region.map(|r| (work.root, r)));
            let before =
                node.recompute.iter().flat_map(|r| r.after.iter()).filter_map(|v| self.values.get(v));
            self.draft.after.extend(before.map(|(_, o)| (work.root, o.root)));
        }
        for (output, result) in results.into_iter().enumerate() {
            self.values.insert(ValueId { node: index, output }, result);
        }
        Ok(())
    }

    fn leaf(&mut self, leaf: &Leaf, meta: &Meta, binding: &Binding) -> Result<(Meta, Operand)> {
        let shape = meta.shape.bind(binding).map_err(|name| unbound(&name))?;
        let draft = &mut self.draft;
        let (kind, key) = match leaf {
            Leaf::Input(name) => {
                draft.feeds.push((name.clone(), meta.dtype, shape.clone()));
                (RootKind::Feed(draft.feeds.len() - 1), None)
            }
            Leaf::Scalar { name, default } => {
                draft.scalars.push((name.clone(), meta.dtype, *default));
                (RootKind::Scalar(draft.scalars.len() - 1), None)
            }
            Leaf::Slot(id) => (RootKind::Slot(*id), None),
            Leaf::Constant(Constant::Tensor(t)) => (RootKind::Constant(t.clone()), None),
            Leaf::Constant(Constant::Scalar(x)) => {
                (RootKind::Number(*x), Some((None, format!("{:?} {}", x.to_bits(), meta.dtype))))
            }
            Leaf::Constant(Constant::Size(dim)) => {
                let n = dim.bind(binding).map_err(|name| unbound(&name))? as f64;
                (RootKind::Number(n), Some((None, format!("{:?} {}", n.to_bits(), meta.dtype))))
            }
        };
        if let Some(found) = key.as_ref().and_then(|k| self.seen.get(k)) {
            return Ok(found[0].clone());
        }
        let root = self.draft.add_root(kind, meta.dtype, shape.iter().product());
        let value = (Meta::new(meta.dtype, shape.as_slice()), self.draft.whole(root, &shape));
        if let Some(key) = key {
            self.seen.insert(key, vec![value.clone()]);
        }
        Ok(value)
    }

    fn operation(
        &mut self,
        index: usize,
        node: &Node,
        op: &Arc<dyn Op>,
        inputs: &[(Meta, Operand)],
    ) -> Result<Vec<(Meta, Operand)>> {
        let site = node.site;
        let metas: Vec<Meta> = inputs.iter().map(|(m, _)| m.clone()).collect();
        let refuse = |message: String| OpError {
            op: op.name().into(),
            inputs: metas.iter().map(ToString::to_string).collect(),
            message,
            site,
        };
        let outputs = op.infer(&metas).map_err(&refuse)?;
        let shapes: Vec<Vec<usize>> = outputs
            .iter()
            .map(|m| {
                m.shape.fixed().ok_or_else(|| refuse(format!("its output {m} has an unbound dimension")))
            })
            .collect::<Result<_, OpError>>()?;
        let operands: Vec<&Operand> = inputs.iter().map(|(_, o)| o).collect();
        if let (Some(from), Some(shape)) = (operands.first(), shapes.first())
            && let Some(view) = op.view(&from.layout, shape)
        {
            let operand = match view {
                Some(layout) => Operand { root: from.root, layout },
                None => {
                    let copied = self.copy(from, site);
                    let layout = op
                        .view(&copied.layout, shape)
                        .flatten()
                        .ok_or_else(|| refuse("a contiguous value has no such view".into()))?;
                    Operand { root: copied.root, layout }
                }
            };
            return Ok(vec![(outputs[0].clone(), operand)]);
        }
        let key = format!(
            "{} {} {:?}",
            op.name(),
            op.attributes(),
            operands.iter().zip(&metas).map(|(o, m)| (o.root, &o.layout, m.dtype)).collect::<Vec<_>>()
        );
        let key = (self.region, key);
        if let Some(found) = self.seen.get(&key) {
            return Ok(found.clone());
        }
        let (op, taken) = match op.elementwise() {
            Some(function) => self.elementwise(function, inputs),
            None => {
                let mut taken = Vec::with_capacity(inputs.len());
                for (i, operand) in operands.into_iter().enumerate() {
                    self.draft.materialise(operand.root);
                    taken.push(if op.accepts(i, &operand.layout) {
                        operand.clone()
                    } else {
                        self.copy(operand, site)
                    });
                }
                (op.clone(), taken)
            }
        };
        for range in op.packed() {
            self.draft.packs.push(taken[range].iter().map(|o| o.root).collect());
        }
        let nodes = vec![NodeRef {
            node: index,
            op: node.name().into(),
            site,
            phase: node.phase,
            outputs: outputs.iter().zip(&shapes).map(|(m, s)| (m.dtype, s.clone())).collect(),
        }];
        let mut work = Work { op, inputs: taken, outputs: Vec::new(), aliases: Vec::new(), site, nodes };
        let mut results = Vec::with_capacity(outputs.len());
        for (meta, shape) in outputs.into_iter().zip(shapes) {
            let root = self.draft.add_root(RootKind::Computed, meta.dtype, shape.iter().product());
            let whole = self.draft.whole(root, &shape);
            results.push((meta, whole.clone()));
            work.outputs.push(whole);
        }
        self.draft.work.push(work);
        self.seen.insert(key, results.clone());
        Ok(results)
    }

    /// One elementwise function as a body of one step; numbers become arguments.
    fn elementwise(
        &self,
        function: crate::ops::elementwise::Function,
        inputs: &[(Meta, Operand)],
    ) -> (Arc<dyn Op>, Vec<Operand>) {
        let mut taken = Vec::new();
        let arguments = inputs
            .iter()
            .map(|(_, o)| {
                if let RootKind::Number(value) = self.draft.roots[o.root].kind {
                    return Argument::Constant(value);
                }
                let at = taken.iter().position(|t| t == o).unwrap_or_else(|| {
                    taken.push(o.clone());
                    taken.len() - 1
                });
                Argument::Input(at)
            })
            .collect();
        let dtypes: Vec<_> = inputs.iter().map(|(m, _)| m.dtype).collect();
        let dtype = function.output(&dtypes);
        let operands = dtypes.last().copied().unwrap_or(dtype);
        let body = Body { steps: vec![Step { function, arguments, dtype, operands }], outputs: vec![0] };
        (Arc::new(Fused::new(body)), taken)
    }

    fn copy(&mut self, from: &Operand, site: crate::Site) -> Operand {
        let key = (self.region, format!("copy {from:?}"));
        if let Some(found) = self.seen.get(&key) {
            return found[0].1.clone();
        }
        self.draft.materialise(from.root);
        let (work, to) = self.draft.copy_work(from, site);
        self.draft.work.push(work);
        let meta = Meta::new(self.draft.roots[to.root].dtype, to.layout.shape());
        self.seen.insert(key, vec![(meta, to.clone())]);
        to
    }
}

fn unbound(name: &str) -> Error {
    FeedError::Missing {
        name: name.into(),
        expected: "a dimension that an input of this program binds".into(),
    }
    .into()
}

/// Whether a layout shows all of its root, row-major.
pub(super) fn is_whole(layout: &Layout, count: usize) -> bool {
    layout.is_contiguous() && layout.count() == count
}
