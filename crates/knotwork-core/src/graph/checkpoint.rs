//! Checkpoint regions: values made inside one are not kept for the backward pass, but computed again.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Graph, Kind, Node, Tensor, ValueId};
use crate::{Error, Result, Site};

/// A checkpoint region's index in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionId(pub usize);

/// A checkpoint region.
#[derive(Clone, Debug)]
pub(super) struct Region {
    /// The region inside which it lies.
    parent: Option<RegionId>,
    /// The nodes that were made directly inside it, ascending.
    pub nodes: Vec<usize>,
}

/// What a node is that computes a value once more.
#[derive(Clone, Debug)]
pub struct Recompute {
    /// The node whose values it computes again.
    pub of: usize,
    /// What should be there before: the gradients for which the values are needed. Sooner would keep them longer.
    pub after: Arc<[ValueId]>,
}

thread_local! {
    /// The regions that are open on this thread: (graph, region), the innermost last.
    static OPEN: RefCell<Vec<(usize, RegionId)>> = const { RefCell::new(Vec::new()) };
}

impl Graph {
    /// Runs `f`; what it computes is not kept for the backward pass. Where a gradient needs a value that was made
    /// inside, the region is computed once more from what it read, just before. That trades time for memory: about
    /// one more forward pass. Values and gradients are the same. Regions may lie inside each other.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph, HostTensor, plan::{Capabilities, PlanOptions}};
    /// let peak = |checkpoint: bool| {
    ///     let g = Graph::new();
    ///     let x = g.input("x", DType::F32, [256, 64])?;
    ///     let w = g.parameter("w", HostTensor::zeros(DType::F32, [64, 64]))?;
    ///     let mut y = x.clone();
    ///     for _ in 0..3 {
    ///         let block = || (0..4).try_fold(y.clone(), |y, _| y.matmul(&w)?.tanh());
    ///         y = if checkpoint { g.checkpoint(block)? } else { block()? };
    ///     }
    ///     let dw = y.mean(&[0, 1], false)?.grad(&[&w])?;
    ///     let plan = g.plan(&[&dw[0]], &[], &[].into(), &Capabilities::cpu(), PlanOptions::default())?;
    ///     Ok::<usize, knotwork_core::Error>(plan.live_peak)
    /// };
    /// assert!(3 * peak(true)? < 2 * peak(false)?);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `f`.
    pub fn checkpoint<R>(&self, f: impl FnOnce() -> Result<R>) -> Result<R> {
        struct Close;
        impl Drop for Close {
            fn drop(&mut self) {
                OPEN.with_borrow_mut(|open| open.pop());
            }
        }
        let region = self.new_region(self.open_region());
        OPEN.with_borrow_mut(|open| open.push((self.address(), region)));
        let _close = Close;
        f()
    }

    fn new_region(&self, parent: Option<RegionId>) -> RegionId {
        let mut inner = self.write();
        inner.regions.push(Region { parent, nodes: Vec::new() });
        RegionId(inner.regions.len() - 1)
    }

    /// The innermost region of this graph that is open on this thread.
    pub(super) fn open_region(&self) -> Option<RegionId> {
        let here = self.address();
        OPEN.with_borrow(|open| {
            open.iter().rev().find(|(graph, _)| *graph == here).map(|(_, region)| *region)
        })
    }

    fn is_open(&self, region: RegionId) -> bool {
        let here = self.address();
        OPEN.with_borrow(|open| open.contains(&(here, region)))
    }

    /// The regions around a region, itself first, up to one that is still open: inside that, values are at hand.
    fn closed_around(&self, region: Option<RegionId>) -> Vec<RegionId> {
        let mut found = Vec::new();
        let mut next = region;
        while let Some(region) = next.filter(|r| !self.is_open(*r)) {
            found.push(region);
            next = self.read().regions[region.0].parent;
        }
        found
    }
}

impl Tensor {
    /// `f` of this value, as a [checkpoint region](Graph::checkpoint).
    ///
    /// ```
    /// use knotwork_core::{DType, Graph};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [8, 8])?;
    /// let y = x.checkpoint(|x| x.matmul(x)?.tanh()?.exp())?;
    /// let dx = y.mean(&[0, 1], false)?.grad(&[&x])?;
    /// assert_eq!(dx[0].shape(), x.shape());
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `f`, and where it gives a value of another graph.
    #[track_caller]
    pub fn checkpoint(&self, f: impl FnOnce(&Self) -> Result<Self>) -> Result<Self> {
        let site = Site::here();
        let result = self.graph().checkpoint(|| f(self))?;
        if result.graph().same(self.graph()) {
            return Ok(result);
        }
        Err(Error::Graph { message: "a checkpoint region gave a tensor of another graph".into(), site })
    }
}

/// The copies of checkpoint regions that one backward pass makes.
#[derive(Debug)]
pub(crate) struct Recomputed<'a> {
    graph: &'a Graph,
    /// By region: the copy of each node inside it, also of those in regions inside.
    copies: BTreeMap<RegionId, BTreeMap<usize, usize>>,
}

impl<'a> Recomputed<'a> {
    pub fn new(graph: &'a Graph) -> Self {
        Self { graph, copies: BTreeMap::new() }
    }

    /// Makes the copies of the regions around a node, to be computed after `gradients`.
    pub fn enter(&mut self, node: &Node, gradients: &[ValueId]) {
        for region in self.graph.closed_around(node.region).into_iter().rev() {
            if !self.copies.contains_key(&region) {
                self.copy(region, gradients);
            }
        }
    }

    /// Where a gradient of a node in `region` finds a value: in the copy that was made for it, where there is one.
    pub fn view(&self, value: ValueId, region: Option<RegionId>) -> ValueId {
        let around = self.graph.closed_around(region);
        let copy = around.iter().find_map(|r| self.copies.get(r)?.get(&value.node));
        copy.map_or(value, |&node| ValueId { node, ..value })
    }

    fn copy(&mut self, region: RegionId, gradients: &[ValueId]) {
        let graph = self.graph;
        let mut inside: BTreeSet<RegionId> = BTreeSet::from([region]);
        let mut nodes: Vec<usize> = Vec::new();
        {
            // A region comes after the one around it.
            let inner = graph.read();
            for (id, r) in inner.regions.iter().enumerate().skip(region.0) {
                if id == region.0 || r.parent.is_some_and(|p| inside.contains(&p)) {
                    inside.insert(RegionId(id));
                    nodes.extend(&r.nodes);
                }
            }
        }
        nodes.sort_unstable();
        // The copies are regions themselves, so that gradients of gradients do not keep them either.
        let mut fresh: BTreeMap<RegionId, RegionId> = BTreeMap::new();
        for &old in &inside {
            let parent = graph.read().regions[old.0].parent;
            let parent = parent.and_then(|p| fresh.get(&p).copied()).or(graph.open_region());
            fresh.insert(old, graph.new_region(parent));
        }
        let around = graph.read().regions[region.0].parent;
        let after: Arc<[ValueId]> = gradients.into();
        let mut copies: BTreeMap<usize, usize> = BTreeMap::new();
        for index in nodes {
            let node = graph.node(index);
            if matches!(node.kind, Kind::Leaf(_)) {
                continue;
            }
            let input = |v: &ValueId| match copies.get(&v.node) {
                Some(&node) => ValueId { node, ..*v },
                None => self.view(*v, around),
            };
            let of = node.recompute.as_ref().map_or(index, |r| r.of);
            let copy = Node {
                kind: node.kind.clone(),
                inputs: node.inputs.iter().map(input).collect(),
                outputs: node.outputs.clone(),
                site: node.site,
                phase: super::provenance::phase(),
                region: node.region.and_then(|r| fresh.get(&r).copied()),
                recompute: Some(Recompute { of, after: after.clone() }),
            };
            copies.insert(index, graph.push_copy(copy));
        }
        self.copies.insert(region, copies);
    }
}
