//! Plans without a device: to read, to test, to compare.

use super::{
    Capabilities, Plan, PlanOptions,
    build::{SlotPlaces, Target, plan_for},
};
use crate::{
    Result,
    graph::{Graph, SlotId, Tensor, Update},
    tensor::Binding,
};

/// Every slot in one chunk of its own group, as a device would pack them if no other program came before.
struct Packed {
    offsets: Vec<(usize, usize)>,
    chunks: Vec<usize>,
}

impl SlotPlaces for Packed {
    fn place(&self, slot: SlotId) -> (usize, usize) {
        self.offsets[slot.0]
    }

    fn chunks(&self) -> Vec<usize> {
        self.chunks.clone()
    }
}

impl Graph {
    /// The plan that a device with these capabilities would run.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph, plan::{Capabilities, PlanOptions}};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [64])?;
    /// let y = x.mul(2.0)?.add(1.0)?.relu()?;
    /// let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default())?;
    /// assert_eq!(plan.dispatches.len(), 1); // three operations, one kernel
    /// println!("{plan}");
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where a named dimension is not bound, shapes do not fit, or such a device cannot take them.
    pub fn plan(
        &self,
        outputs: &[&Tensor],
        updates: &[&Update],
        binding: &Binding,
        capabilities: &Capabilities,
        options: PlanOptions,
    ) -> Result<Plan> {
        let target = Target {
            graph: self.snapshot(),
            outputs: outputs.iter().map(|t| t.id()).collect(),
            updates: updates.iter().flat_map(|u| u.assignments().to_vec()).collect(),
        };
        let align = capabilities.offset_alignment.max(16);
        let mut groups = Vec::new();
        let mut packed = Packed { offsets: Vec::new(), chunks: Vec::new() };
        for slot in &target.graph.slots {
            let key = (slot.group.clone(), slot.init.dtype());
            let chunk = groups.iter().position(|g| *g == key).unwrap_or_else(|| {
                groups.push(key);
                packed.chunks.push(0);
                groups.len() - 1
            });
            packed.offsets.push((chunk, packed.chunks[chunk]));
            let bytes = slot.init.count() * slot.init.dtype().bytes();
            packed.chunks[chunk] += bytes.div_ceil(align).max(1) * align;
        }
        plan_for(&target, binding, capabilities, &packed, options)
    }
}
