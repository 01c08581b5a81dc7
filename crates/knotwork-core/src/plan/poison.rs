//! Which memory holds nothing alive when a step is about to write it: what a backend fills with NaN before the step runs,
//! so that an element that the step leaves out, or a stale one that a later step reads, shows.
//!
//! This is worked out from what the finished plan's steps read and write, not from the planner's own liveness.

use std::collections::{BTreeMap, HashMap};

use super::{BufferId, BufferKind, BufferRange, Dispatch, Place, Plan};

/// The word that memory is filled with: NaN as one f32, as two f16, and, twice, as f64; no small number as an integer.
pub const POISON: u32 = 0x7fff_7fff;

/// A range to fill before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The step.
    pub step: usize,
    /// The buffer, always of the arena.
    pub buffer: BufferId,
    /// The first byte: a multiple of 4.
    pub offset: usize,
    /// The number of bytes: a multiple of 4.
    pub bytes: usize,
}

/// Byte ranges of buffers that do not touch: by buffer and first byte, where each ends.
#[derive(Clone, Debug, Default)]
struct Ranges(BTreeMap<(BufferId, usize), usize>);

impl Ranges {
    fn remove(&mut self, buffer: BufferId, from: usize, to: usize) {
        let hit: Vec<(usize, usize)> = self.overlapping(buffer, from, to).collect();
        for (a, b) in hit {
            self.0.remove(&(buffer, a));
            if a < from {
                self.0.insert((buffer, a), from);
            }
            if b > to {
                self.0.insert((buffer, to), b);
            }
        }
    }

    fn add(&mut self, buffer: BufferId, from: usize, to: usize) {
        if from < to {
            self.remove(buffer, from, to);
            self.0.insert((buffer, from), to);
        }
    }

    fn overlapping(
        &self,
        buffer: BufferId,
        from: usize,
        to: usize,
    ) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.0
            .range((buffer, 0)..(buffer, to))
            .map(|(&(_, a), &b)| (a, b))
            .filter(move |&(a, b)| b > from && a < to && from < to)
    }

    /// The parts of a range that it does not hold.
    fn gaps(&self, buffer: BufferId, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut at = from;
        let mut out = Vec::new();
        for (a, b) in self.overlapping(buffer, from, to) {
            if a > at {
                out.push((at, a));
            }
            at = at.max(b);
        }
        if at < to {
            out.push((at, to));
        }
        out
    }
}

/// The bytes of elements that lie side by side, with the padding to a whole word at the end of their memory.
fn dense(place: &Place) -> Option<(usize, usize)> {
    let from = place.offset + place.layout.offset() * place.dtype.bytes();
    let to = from + place.layout.count() * place.dtype.bytes();
    let to = if to == place.offset + place.bytes { to.div_ceil(4) * 4 } else { to };
    place.layout.is_dense().then_some((from, to))
}

fn whole(place: &Place) -> (usize, usize) {
    (place.offset, place.offset + place.bytes.div_ceil(4) * 4)
}

/// The bytes that an output fills without gaps, in whatever order.
fn filled_by(place: &Place) -> Option<(usize, usize)> {
    let all = place.layout.count() * place.dtype.bytes() == place.bytes;
    dense(place).or_else(|| all.then(|| whole(place)))
}

/// The bytes that a reader may touch.
fn touched(place: &Place) -> (usize, usize) {
    dense(place).unwrap_or_else(|| whole(place))
}

impl Plan {
    /// What to fill with [`POISON`] before which step: the memory of its outputs and its scratch memory, except where that
    /// holds something still to be read. Memory that is only written piece by piece is filled before the first step.
    /// Where several steps became one dispatch, the first of them is named.
    #[must_use]
    pub fn fills(&self) -> Vec<Fill> {
        let arena = |b: BufferId| matches!(self.buffers[b.0].kind, BufferKind::Arena);
        let mut kernels: HashMap<usize, Vec<&Dispatch>> = HashMap::new();
        self.dispatches.iter().for_each(|d| kernels.entry(d.step).or_default().push(d));
        let mut alive = Ranges::default();
        for place in &self.outputs {
            let (from, to) = touched(place);
            alive.add(place.buffer, from, to);
        }
        let (mut fills, mut fresh, mut end) = (Vec::new(), Vec::new(), self.steps.len());
        for (k, step) in self.steps.iter().enumerate().rev() {
            for place in step.outputs.iter().filter(|p| arena(p.buffer) && p.layout.count() > 0) {
                if let Some((from, to)) = filled_by(place) {
                    alive.remove(place.buffer, from, to);
                    fresh.push((place.buffer, from, to));
                }
            }
            for place in step.inputs.iter().filter(|p| arena(p.buffer) && p.layout.count() > 0) {
                let (from, to) = touched(place);
                alive.add(place.buffer, from, to);
            }
            // A step without a dispatch of its own runs in an earlier one's, or does nothing.
            if !self.dispatches.is_empty() && k > 0 && !kernels.contains_key(&k) {
                continue;
            }
            let writes = kernels.get(&k).into_iter().flatten().flat_map(|d| &d.bindings);
            let scratch = writes.filter(|r| r.writes && arena(r.buffer) && !self.holds_output(k..end, r));
            fresh.extend(scratch.map(|r| (r.buffer, r.offset, r.offset + r.bytes.div_ceil(4) * 4)));
            let mut filled = Ranges::default();
            for (buffer, from, to) in fresh.drain(..) {
                alive.gaps(buffer, from, to).into_iter().for_each(|(a, b)| filled.add(buffer, a, b));
            }
            fills.extend(whole_words(k, &filled));
            end = k;
        }
        // What no step fills as a whole was never taken off.
        alive.0.retain(|(buffer, _), _| arena(*buffer));
        fills.extend(whole_words(0, &alive));
        fills.sort_by_key(|f| (f.step, f.buffer, f.offset));
        fills
    }

    /// Whether one of the steps has an output in a range.
    fn holds_output(&self, steps: std::ops::Range<usize>, range: &BufferRange) -> bool {
        self.steps[steps].iter().flat_map(|s| &s.outputs).any(|p| {
            p.buffer == range.buffer
                && p.offset < range.offset + range.bytes
                && range.offset < p.offset + p.bytes
        })
    }
}

fn whole_words(step: usize, ranges: &Ranges) -> impl Iterator<Item = Fill> + '_ {
    ranges.0.iter().filter_map(move |(&(buffer, from), &to)| {
        let (from, to) = (from.div_ceil(4) * 4, to / 4 * 4);
        (from < to).then(|| Fill { step, buffer, offset: from, bytes: to - from })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DType, Graph,
        plan::{Capabilities, PlanOptions},
    };

    #[test]
    fn the_word_is_a_nan_in_every_float() {
        assert!(f32::from_bits(POISON).is_nan());
        assert!(half::f16::from_bits(POISON as u16).is_nan());
        assert!(f64::from_bits(u64::from(POISON) << 32 | u64::from(POISON)).is_nan());
    }

    #[test]
    fn ranges_keep_apart_what_they_hold() {
        let mut r = Ranges::default();
        let b = BufferId(3);
        r.add(b, 16, 64);
        r.remove(b, 32, 48);
        assert_eq!(r.gaps(b, 0, 80), [(0, 16), (32, 48), (64, 80)]);
        assert_eq!(r.gaps(BufferId(2), 0, 8), [(0, 8)]);
        r.add(b, 0, 100);
        assert_eq!(r.gaps(b, 4, 90), []);
    }

    #[test]
    fn recycled_memory_is_filled_but_for_what_is_read() {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [8]).unwrap();
        // Sums of rows: nothing fuses, and the third may take the first's memory.
        let mut y = x.clone();
        for _ in 0..3 {
            y = y.cumsum(0).unwrap();
        }
        let z = y.cumsum(0).unwrap();
        for capabilities in [Capabilities::portable(), Capabilities::cpu()] {
            let plan = g.plan(&[&z], &[], &[].into(), &capabilities, PlanOptions::default()).unwrap();
            let fills = plan.fills();
            assert!(plan.arena_bytes() < 4 * 32, "nothing is recycled in {plan}");
            for (k, step) in plan.steps.iter().enumerate() {
                let out = &step.outputs[0];
                let found = fills.iter().any(|f| f.step == k && f.buffer == out.buffer && f.bytes >= 32);
                assert_eq!(found, step.aliases.is_empty(), "step {k} of {plan}");
                assert!(!fills.iter().any(|f| f.step == k
                    && step.inputs.iter().any(|p| f.buffer == p.buffer
                        && f.offset < p.offset + p.bytes
                        && p.offset < f.offset + f.bytes)));
            }
        }
    }
}
