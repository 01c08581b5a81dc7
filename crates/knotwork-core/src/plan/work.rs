//! What the planner moves around: roots (pieces of memory), operands (views on them), and work.

use std::{collections::BTreeMap, sync::Arc};

use super::NodeRef;
use crate::{
    Site,
    graph::{RegionId, Slot, SlotId},
    ops::Op,
    tensor::{DType, HostTensor, Layout},
};

pub(super) type RootId = usize;

/// Where a root's memory comes from.
#[derive(Clone, Debug)]
pub(super) enum RootKind {
    Feed(usize),
    Slot(SlotId),
    Scalar(usize),
    /// A number, not yet in memory: elementwise work takes it as an argument.
    Number(f64),
    Constant(Arc<HostTensor>),
    /// Written by some work.
    Computed,
}

/// A value with memory of its own.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub kind: RootKind,
    pub dtype: DType,
    pub count: usize,
}

impl Root {
    pub fn bytes(&self) -> usize {
        self.dtype.bytes() * self.count
    }
}

/// A root seen through a layout.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operand {
    pub root: RootId,
    pub layout: Layout,
}

/// One operation with its operands. Its outputs are roots of their own, row-major, except that fused work may store
/// an output in another order, or into a part of a root.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub op: Arc<dyn Op>,
    pub inputs: Vec<Operand>,
    pub outputs: Vec<Operand>,
    pub aliases: Vec<(usize, usize)>,
    pub site: Site,
    /// The nodes that it computes; where works merge, the lists are joined.
    pub nodes: Vec<NodeRef>,
}

impl Work {
    pub fn reads(&self, root: RootId) -> bool {
        self.inputs.iter().any(|o| o.root == root)
    }

    pub fn writes(&self, root: RootId) -> bool {
        self.outputs.iter().any(|o| o.root == root)
    }
}

/// The whole computation on its way to a plan.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The graph's slots, by their ids.
    pub slots: Vec<Slot>,
    pub roots: Vec<Root>,
    pub work: Vec<Work>,
    pub feeds: Vec<(String, DType, Vec<usize>)>,
    pub scalars: Vec<(String, DType, f64)>,
    pub outputs: Vec<Operand>,
    /// (slot, its root, the operand that becomes its value).
    pub updates: Vec<(SlotId, RootId, Operand)>,
    /// Roots that should lie side by side, in this order.
    pub packs: Vec<Vec<RootId>>,
    /// The rewriting rules that applied, and how often.
    pub rewrites: Vec<(&'static str, usize)>,
    /// Computed roots that are written straight into a slot: (root, slot).
    pub into_slot: Vec<(RootId, SlotId)>,
    /// The checkpoint region of each root that was made inside one. Equal work of two regions is done twice: to do it
    /// once would keep its values.
    pub regions: BTreeMap<RootId, RegionId>,
    /// (a root that is computed once more, a root that should be there before).
    pub after: Vec<(RootId, RootId)>,
}

impl Draft {
    pub fn add_root(&mut self, kind: RootKind, dtype: DType, count: usize) -> RootId {
        self.roots.push(Root { kind, dtype, count });
        self.roots.len() - 1
    }

    pub fn whole(&self, root: RootId, shape: &[usize]) -> Operand {
        Operand { root, layout: Layout::contiguous(shape) }
    }

    /// The work that copies an operand into a contiguous root of its own.
    pub fn copy_work(&mut self, from: &Operand, site: Site) -> (Work, Operand) {
        let dtype = self.roots[from.root].dtype;
        let shape = from.layout.shape().to_vec();
        let root = self.add_root(RootKind::Computed, dtype, from.layout.count());
        let to = self.whole(root, &shape);
        let work = Work {
            op: Arc::new(crate::ops::elementwise::copy(dtype)),
            inputs: vec![from.clone()],
            outputs: vec![to.clone()],
            aliases: Vec::new(),
            site,
            nodes: Vec::new(),
        };
        (work, to)
    }

    /// Numbers that reach work which cannot take them as arguments get memory.
    pub fn materialise(&mut self, root: RootId) {
        if let RootKind::Number(value) = self.roots[root].kind {
            let tensor = HostTensor::from_f64(self.roots[root].dtype, &[value], &[]);
            self.roots[root].kind = RootKind::Constant(Arc::new(tensor));
        }
    }
}
