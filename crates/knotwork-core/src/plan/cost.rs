//! What a step costs: the operation's own count of arithmetic, and the least bytes that must move.

use super::{Place, Plan, Step};
use crate::ops::Cost;

/// Bytes of the elements that a view shows, each counted once: a broadcast dimension repeats the same ones.
fn distinct(place: &Place) -> f64 {
    let layout = &place.layout;
    let count: usize = layout
        .shape()
        .iter()
        .zip(layout.strides())
        .map(|(&n, &s)| if s == 0 { n.min(1) } else { n })
        .product();
    (place.dtype.bytes() * count) as f64
}

impl Step {
    /// Bytes that it must read at least: every element of its inputs once.
    #[must_use]
    pub fn bytes_read(&self) -> f64 {
        self.inputs.iter().map(distinct).sum()
    }

    /// Bytes that it must write.
    #[must_use]
    pub fn bytes_written(&self) -> f64 {
        self.outputs.iter().map(distinct).sum()
    }

    /// Floating-point operations, as the operation counts them, and the least bytes read and written.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let of = |places: &[Place]| places.iter().map(|p| (p.dtype, p.layout.clone())).collect::<Vec<_>>();
        let cost = self.op.cost(&of(&self.inputs), &of(&self.outputs));
        // An operation may know that it reads only some rows of an input; the plan knows of broadcasts.
        Cost { flops: cost.flops, bytes: cost.bytes.min(self.bytes_read() + self.bytes_written()) }
    }
}

impl Plan {
    /// The costs of all steps together.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.steps
            .iter()
            .map(Step::cost)
            .fold(Cost::default(), |a, b| Cost { flops: a.flops + b.flops, bytes: a.bytes + b.bytes })
    }
}
