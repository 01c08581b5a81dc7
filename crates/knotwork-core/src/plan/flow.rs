//! Which step reads what which step wrote, and how long each value lives: read off a finished plan, so that it shows
//! what will happen and not what the planner meant.

use super::{BufferId, BufferKind, Place, Plan};
use crate::graph::Phase;

/// A value in memory: from its first write to its last read.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// Where it lies.
    pub place: Place,
    /// The outputs that write it: (step, output). Several where steps write parts of it.
    pub writers: Vec<(usize, usize)>,
    /// The inputs that read it: (step, input).
    pub readers: Vec<(usize, usize)>,
    /// Whether the run gives it to its caller.
    pub output: bool,
    /// How many of its bytes were written.
    written: usize,
}

impl Value {
    fn first(&self) -> usize {
        self.writers.first().map_or(0, |w| w.0)
    }

    fn last(&self, end: usize) -> usize {
        if self.output {
            return end;
        }
        let last = |v: &[(usize, usize)]| v.last().map_or(0, |w| w.0);
        last(&self.writers).max(last(&self.readers))
    }
}

/// The values that the steps of a plan write, in the order of their first write.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub values: Vec<Value>,
}

fn overlap(a: &Place, b: &Place) -> bool {
    a.buffer == b.buffer && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes
}

fn same(a: &Place, b: &Place) -> bool {
    (a.buffer, a.offset, a.bytes) == (b.buffer, b.offset, b.bytes)
}

/// Bytes of the elements that a place shows.
fn shown(p: &Place) -> usize {
    p.dtype.bytes() * p.layout.count()
}

impl Flow {
    pub fn of(plan: &Plan) -> Self {
        let mut values: Vec<Value> = Vec::new();
        // The values of each buffer that are there now.
        let mut now: Vec<Vec<usize>> = vec![Vec::new(); plan.buffers.len()];
        for (k, step) in plan.steps.iter().enumerate() {
            for (i, place) in step.inputs.iter().enumerate() {
                for &v in &now[place.buffer.0] {
                    if overlap(&values[v].place, place) {
                        values[v].readers.push((k, i));
                    }
                }
            }
            for (o, place) in step.outputs.iter().enumerate() {
                let there = &mut now[place.buffer.0];
                // A part joins the parts that were written before, until together they are the whole.
                let room = |v: &Value| v.written + shown(place) <= place.bytes;
                if let Some(v) =
                    there.iter().copied().find(|&v| same(&values[v].place, place) && room(&values[v]))
                {
                    values[v].writers.push((k, o));
                    values[v].written += shown(place);
                    continue;
                }
                there.retain(|&v| !overlap(&values[v].place, place));
                there.push(values.len());
                values.push(Value {
                    place: place.clone(),
                    writers: vec![(k, o)],
                    readers: Vec::new(),
                    output: false,
                    written: shown(place),
                });
            }
        }
        for place in &plan.outputs {
            for &v in &now[place.buffer.0] {
                values[v].output |= overlap(&values[v].place, place);
            }
        }
        Self { values }
    }

    /// The part of the computation that each step belongs to: that of most of its nodes, of equally many the later; of a
    /// copy that the planner made, that of what it copies, or the update where it writes a parameter or state.
    pub fn phases(&self, plan: &Plan) -> Vec<Phase> {
        let mut phases: Vec<Phase> = Vec::with_capacity(plan.steps.len());
        for (k, step) in plan.steps.iter().enumerate() {
            let count = |phase: Phase| step.nodes.iter().filter(|n| n.phase == phase).count();
            let own = step.nodes.iter().map(|n| n.phase).max_by_key(|&phase| (count(phase), phase));
            let slot = |p: &Place| matches!(plan.buffers[p.buffer.0].kind, BufferKind::Chunk(_));
            phases.push(match own {
                Some(phase) => phase,
                None if step.outputs.iter().any(slot) => Phase::Update,
                None => {
                    let read = self.values.iter().filter(|v| v.readers.iter().any(|r| r.0 == k));
                    read.filter_map(|v| phases.get(v.writers.first()?.0).copied()).max().unwrap_or_default()
                }
            });
        }
        phases
    }

    /// Bytes of the arena that hold a value while each step runs, scratch memory included.
    pub fn live(&self, plan: &Plan) -> Vec<usize> {
        let steps = plan.steps.len();
        let arena = |b: BufferId| matches!(plan.buffers[b.0].kind, BufferKind::Arena);
        let mut ranges: Vec<Vec<(usize, usize, usize)>> = vec![Vec::new(); steps];
        for value in self.values.iter().filter(|v| arena(v.place.buffer)) {
            let p = &value.place;
            for step in &mut ranges[value.first()..=value.last(steps.saturating_sub(1))] {
                step.push((p.buffer.0, p.offset, p.offset + p.bytes));
            }
        }
        for d in &plan.dispatches {
            let bound = d.bindings.iter().filter(|b| arena(b.buffer));
            ranges[d.step].extend(bound.map(|b| (b.buffer.0, b.offset, b.offset + b.bytes)));
        }
        ranges.iter_mut().map(|r| union(r)).collect()
    }
}

/// The bytes that ranges (buffer, begin, end) cover together.
fn union(ranges: &mut [(usize, usize, usize)]) -> usize {
    ranges.sort_unstable();
    let (mut total, mut covered) = (0, (usize::MAX, 0));
    for &mut (buffer, begin, end) in ranges {
        if covered.0 != buffer {
            covered = (buffer, 0);
        }
        total += end.saturating_sub(begin.max(covered.1));
        covered.1 = covered.1.max(end);
    }
    total
}

impl Plan {
    /// The part of the computation that each step belongs to, for those who look at it.
    #[must_use]
    pub fn phases(&self) -> Vec<Phase> {
        Flow::of(self).phases(self)
    }

    /// Bytes of the arena that hold a value while each step runs: the memory curve of a run.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph, plan::{Capabilities, PlanOptions}};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [64, 4])?;
    /// let y = x.exp()?.sum(&[1], true)?.square()?;
    /// let options = PlanOptions { no_fuse: true, ..PlanOptions::default() };
    /// let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::cpu(), options)?;
    /// assert_eq!(plan.live_bytes(), [1024, 1024 + 256, 256]); // exp; exp and sum; square in place of sum
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    #[must_use]
    pub fn live_bytes(&self) -> Vec<usize> {
        Flow::of(self).live(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_ranges_count_once() {
        let mut ranges = [(1, 0, 8), (0, 4, 10), (0, 0, 6), (0, 20, 24), (1, 2, 4)];
        assert_eq!(union(&mut ranges), 10 + 4 + 8);
        assert_eq!(union(&mut []), 0);
    }
}
