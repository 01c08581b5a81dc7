//! Where a run is split into submits: only where one would run so long that a driver may reset the device.

use std::ops::Range;

use super::{Capabilities, Plan};

/// What every dispatch takes at least, in seconds.
const DISPATCH_SECONDS: f64 = 2e-6;

/// Ranges of dispatches, each estimated to take at most `long` seconds where its dispatches allow; one by one where the
/// plan is serial.
pub(super) fn submits(plan: &Plan, capabilities: &Capabilities, long: f64) -> Vec<Range<usize>> {
    if plan.serial {
        return (0..plan.dispatches.len()).map(|k| k..k + 1).collect();
    }
    let mut dispatches_of = vec![0usize; plan.steps.len()];
    plan.dispatches.iter().for_each(|d| dispatches_of[d.step] += 1);
    let mut all = Vec::new();
    let (mut first, mut seconds) = (0, 0.0);
    for (k, dispatch) in plan.dispatches.iter().enumerate() {
        let next = plan.steps[dispatch.step].seconds(capabilities) / dispatches_of[dispatch.step] as f64;
        let next = next.max(DISPATCH_SECONDS);
        if k > first && seconds + next > long {
            all.push(first..k);
            (first, seconds) = (k, 0.0);
        }
        seconds += next;
    }
    if first < plan.dispatches.len() {
        all.push(first..plan.dispatches.len());
    }
    all
}

impl super::Step {
    /// An estimate of how long it takes, in seconds: by its operations or its bytes, whichever are slower on such a
    /// device.
    #[must_use]
    pub fn seconds(&self, capabilities: &Capabilities) -> f64 {
        let operands = |places: &[super::Place]| -> Vec<_> {
            places.iter().map(|p| (p.dtype, p.layout.clone())).collect()
        };
        let cost = self.op.cost(&operands(&self.inputs), &operands(&self.outputs));
        let speed = &capabilities.speed;
        (cost.flops / speed.flops_per_second).max(cost.bytes / speed.bytes_per_second)
    }
}
