//! Plans of a device, kept by what they are plans of.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Result,
    graph::{Constant, Kind, Leaf},
    plan::{Plan, PlanOptions, SlotPlaces, Target},
    tensor::Binding,
};

/// Plans that a device keeps unless it is told otherwise.
const PLANS: usize = 64;

/// How a device's plans were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanCounters {
    /// Plans that were there already.
    pub hits: u64,
    /// Plans that had to be made.
    pub misses: u64,
    /// Plans that are kept now.
    pub kept: usize,
    /// How many are kept at most.
    pub bound: usize,
}

/// What a plan is a plan of, as two independent hashes of all of it.
type Signature = [u64; 2];

#[derive(Debug)]
struct Inner {
    /// The most recently used last.
    plans: Vec<(Signature, Arc<Plan>)>,
    counters: PlanCounters,
}

/// The plans that the programs of one device share, least recently used dropped first.
#[derive(Debug)]
pub(super) struct PlanCache(Mutex<Inner>);

impl Default for PlanCache {
    fn default() -> Self {
        let counters = PlanCounters { bound: PLANS, ..PlanCounters::default() };
        Self(Mutex::new(Inner { plans: Vec::new(), counters }))
    }
}

impl PlanCache {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn counters(&self) -> PlanCounters {
        let inner = self.lock();
        PlanCounters { kept: inner.plans.len(), ..inner.counters }
    }

    /// Keeps at most so many from now on.
    pub fn bound(&self, plans: usize) {
        let mut inner = self.lock();
        inner.counters.bound = plans;
        let over = inner.plans.len().saturating_sub(plans);
        inner.plans.drain(..over);
    }

    /// The plan of that signature, or a new one. Nobody waits while one is made: two that ask for the same at once may both
    /// make it.
    pub fn get(&self, signature: Signature, make: impl FnOnce() -> Result<Plan>) -> Result<Arc<Plan>> {
        {
            let mut inner = self.lock();
            if let Some(at) = inner.plans.iter().position(|(s, _)| *s == signature) {
                inner.counters.hits += 1;
                let entry = inner.plans.remove(at);
                let plan = entry.1.clone();
                inner.plans.push(entry);
                return Ok(plan);
            }
        }
        let plan = Arc::new(make()?);
        let mut inner = self.lock();
        inner.counters.misses += 1;
        if inner.plans.len() >= inner.counters.bound {
            let over = inner.plans.len() + 1 - inner.counters.bound.max(1);
            inner.plans.drain(..over);
        }
        if inner.counters.bound > 0 {
            inner.plans.push((signature, plan.clone()));
        }
        Ok(plan)
    }
}

/// Everything that a plan depends on besides the device: the live nodes with the lines that made them (messages name them),
/// constants by their elements, what is computed, where slots lie, sizes, knobs.
pub(super) fn signature(
    target: &Target,
    binding: &Binding,
    slots: &dyn SlotPlaces,
    options: PlanOptions,
) -> Signature {
    let mut hashers = [DefaultHasher::new(), DefaultHasher::new()];
    // Two hashes of the same that have nothing to do with each other.
    0x6b6e_6f74_u64.hash(&mut hashers[1]);
    hashers.map(|mut h| {
        write(target, binding, slots, options, &mut h);
        h.finish()
    })
}

fn write(
    target: &Target,
    binding: &Binding,
    slots: &dyn SlotPlaces,
    options: PlanOptions,
    h: &mut DefaultHasher,
) {
    (options, binding, &target.outputs, &target.updates, slots.chunks()).hash(h);
    let graph = &target.graph;
    let live = graph.live(&target.outputs, &target.updates);
    for (index, node) in graph.nodes.iter().enumerate().filter(|(i, _)| live[*i]) {
        (index, &node.inputs, &node.outputs, node.site, node.phase).hash(h);
        match &node.kind {
            Kind::Op(op) => (0, op.name(), op.attributes()).hash(h),
            Kind::Leaf(Leaf::Input(name)) => (1, name).hash(h),
            Kind::Leaf(Leaf::Scalar { name, default }) => (2, name, default.to_bits()).hash(h),
            Kind::Leaf(Leaf::Slot(id)) => {
                let slot = &graph.slots[id.0];
                (3, id, &slot.name, &slot.group, slots.place(*id)).hash(h);
            }
            Kind::Leaf(Leaf::Constant(Constant::Scalar(x))) => (4, x.to_bits()).hash(h),
            Kind::Leaf(Leaf::Constant(Constant::Size(dim))) => (5, dim).hash(h),
            Kind::Leaf(Leaf::Constant(Constant::Tensor(t))) => (6, t.device_bytes()).hash(h),
        }
    }
}
