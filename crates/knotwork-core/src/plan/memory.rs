//! Gives every root its memory, and writes the plan down.

use std::collections::HashMap;

use super::{
    BindTo, Buffer, BufferId, BufferKind, BufferRange, Capabilities, DeviceKind, Dispatch, Feed, FeedCheck,
    Flat, Grid, Place, Plan, PlanOptions, ScalarSlot, StatusWord, Step,
    build::SlotPlaces,
    lower::Lowered,
    work::{Draft, RootId, RootKind},
};
use crate::{Error, Result, tensor::DType};

/// A range of a buffer.
#[derive(Clone, Copy, Debug)]
struct Span {
    buffer: BufferId,
    offset: usize,
    bytes: usize,
}

/// Buffers that are reused whole: the smallest free one that fits, else the largest one grows.
#[derive(Default)]
struct Arena {
    free: Vec<BufferId>,
}

struct Memory<'a> {
    plan: Plan,
    arena: Arena,
    spans: HashMap<RootId, Span>,
    align: usize,
    reuse: bool,
    capabilities: &'a Capabilities,
    live: usize,
}

fn round_up(n: usize, to: usize) -> usize {
    n.div_ceil(to) * to
}

impl Memory<'_> {
    fn add(&mut self, kind: BufferKind, bytes: usize) -> BufferId {
        self.plan.buffers.push(Buffer { kind, bytes: round_up(bytes.max(4), 16) });
        BufferId(self.plan.buffers.len() - 1)
    }

    fn take(&mut self, bytes: usize) -> BufferId {
        self.live += bytes;
        self.plan.live_peak = self.plan.live_peak.max(self.live);
        let size = |m: &Self, b: &BufferId| m.plan.buffers[b.0].bytes;
        let fitting = (0..self.arena.free.len())
            .filter(|&i| size(self, &self.arena.free[i]) >= bytes)
            .min_by_key(|&i| (size(self, &self.arena.free[i]), self.arena.free[i]));
        let largest =
            (0..self.arena.free.len()).max_by_key(|&i| (size(self, &self.arena.free[i]), self.arena.free[i]));
        match fitting.or(largest) {
            Some(i) => {
                let id = self.arena.free.swap_remove(i);
                let buffer = &mut self.plan.buffers[id.0];
                buffer.bytes = buffer.bytes.max(round_up(bytes, 16));
                id
            }
            None => self.add(BufferKind::Arena, bytes),
        }
    }

    fn give(&mut self, buffer: BufferId, bytes: usize) {
        self.live -= bytes;
        if self.reuse {
            self.arena.free.push(buffer);
        }
    }
}

pub(super) fn assemble(
    draft: Draft,
    lowered: Vec<Lowered>,
    capabilities: &Capabilities,
    slots: &dyn SlotPlaces,
    options: PlanOptions,
) -> Result<Plan> {
    let mut memory = Memory {
        plan: Plan {
            buffers: Vec::new(),
            feeds: Vec::new(),
            checks: Vec::new(),
            scalars: Vec::new(),
            steps: Vec::new(),
            dispatches: Vec::new(),
            outputs: Vec::new(),
            status: Vec::new(),
            slots: Vec::new(),
            rewrites: draft.rewrites.clone(),
            live_peak: 0,
            serial: options.serial,
        },
        arena: Arena::default(),
        spans: HashMap::new(),
        align: capabilities.offset_alignment.max(16),
        reuse: !options.no_alias,
        capabilities,
        live: 0,
    };
    place_leaves(&mut memory, &draft, slots);
    let packs = packs(&draft);
    let last_use = last_uses(&draft, &packs);
    let status = lowered
        .iter()
        .flat_map(|l| l.0.iter().flat_map(|l| &l.dispatches))
        .any(|d| d.bindings.contains(&BindTo::Status))
        .then(|| memory.add(BufferKind::Status, 0));
    for (k, work) in draft.work.iter().enumerate() {
        for (o, root) in work.outputs.iter().map(|o| &o.root).enumerate() {
            if let Some(&(i, _)) = work.aliases.iter().find(|(_, b)| *b == o) {
                let span = memory.spans[&work.inputs[i].root];
                memory.spans.insert(*root, span);
            } else if !memory.spans.contains_key(root) {
                place(&mut memory, &draft, &packs, *root);
            }
        }
        let step = memory.plan.steps.len();
        let find = |m: &Memory<'_>, root: RootId, layout: crate::Layout| {
            let span = m.spans[&root];
            Place {
                buffer: span.buffer,
                offset: span.offset,
                bytes: span.bytes,
                dtype: draft.roots[root].dtype,
                layout,
            }
        };
        let inputs: Vec<Place> =
            work.inputs.iter().map(|o| find(&memory, o.root, o.layout.clone())).collect();
        let outputs: Vec<Place> =
            work.outputs.iter().map(|o| find(&memory, o.root, o.layout.clone())).collect();
        let shapes: Vec<Vec<usize>> = work.inputs.iter().map(|o| o.layout.shape().to_vec()).collect();
        let bound = work.op.indices(&shapes);
        if let Some((input, bound)) = bound
            && let RootKind::Feed(feed) = draft.roots[work.inputs[input].root].kind
        {
            let layout = work.inputs[input].layout.clone();
            let op = work.op.name().into();
            memory.plan.checks.push(FeedCheck { feed, layout, bound, op, site: work.site });
        }
        let mut variant = "";
        if let Some(lowering) = &lowered[k].0 {
            variant = lowering.variant;
            let scratch: Vec<(BufferId, usize)> = lowering
                .scratch
                .iter()
                .map(|s| {
                    let bytes = s.dtype.bytes() * s.count;
                    (memory.take(bytes), bytes)
                })
                .collect();
            for spec in &lowering.dispatches {
                let range = |p: &Place, writes| BufferRange {
                    buffer: p.buffer,
                    offset: p.offset,
                    bytes: p.bytes,
                    writes,
                };
                let bindings = spec
                    .bindings
                    .iter()
                    .map(|b| match *b {
                        BindTo::Input(i) => range(&inputs[i], false),
                        BindTo::Output(o) => range(&outputs[o], true),
                        BindTo::Scratch(s) | BindTo::ScratchRead(s) => {
                            let (buffer, bytes) = scratch[s];
                            BufferRange { buffer, offset: 0, bytes, writes: b.writes() }
                        }
                        BindTo::Status => {
                            let word = memory.plan.status.len();
                            memory.plan.status.push(StatusWord { step, bound: bound.map_or(0, |(_, b)| b) });
                            let buffer = status.unwrap_or(BufferId(0));
                            BufferRange { buffer, offset: word * memory.align, bytes: 4, writes: true }
                        }
                    })
                    .collect();
                let limit = |need: String, limit: String| Error::Limit {
                    node: work.op.name().into(),
                    site: work.site,
                    need,
                    limit,
                    device: memory.capabilities.device.clone(),
                };
                let grid = spec.grid.fold(memory.capabilities.max_groups).ok_or_else(|| {
                    limit(
                        format!("a grid of {:?}", spec.grid),
                        format!("{} groups a dimension", memory.capabilities.max_groups),
                    )
                })?;
                let dispatch = Dispatch {
                    kernel: spec.kernel.clone(),
                    bindings,
                    params: spec.params.clone(),
                    grid,
                    step,
                };
                check_bindings(&dispatch, memory.capabilities, limit)?;
                push_or_merge(
                    &mut memory.plan.dispatches,
                    dispatch,
                    spec.flat,
                    memory.align,
                    memory.capabilities,
                );
            }
            for (buffer, bytes) in scratch {
                memory.give(buffer, bytes);
            }
        }
        memory.plan.steps.push(Step {
            op: work.op.clone(),
            site: work.site,
            inputs,
            outputs,
            aliases: work.aliases.clone(),
            variant,
        });
        release(&mut memory, &draft, &packs, &last_use, k);
    }
    for operand in &draft.outputs {
        let span = memory.spans[&operand.root];
        memory.plan.outputs.push(Place {
            buffer: span.buffer,
            offset: span.offset,
            bytes: span.bytes,
            dtype: draft.roots[operand.root].dtype,
            layout: operand.layout.clone(),
        });
    }
    if let Some(status) = status {
        memory.plan.buffers[status.0].bytes = memory.plan.status.len() * memory.align;
    }
    Ok(memory.plan)
}

/// Feeds, slots, scalars and constants have memory before the first step.
fn place_leaves(memory: &mut Memory<'_>, draft: &Draft, slots: &dyn SlotPlaces) {
    for (name, dtype, shape) in &draft.feeds {
        let bytes = dtype.bytes() * shape.iter().product::<usize>();
        let buffer = memory.add(BufferKind::Feed(memory.plan.feeds.len()), bytes);
        memory.plan.feeds.push(Feed { name: name.clone(), dtype: *dtype, shape: shape.clone(), buffer });
    }
    let chunks: Vec<BufferId> = slots
        .chunks()
        .into_iter()
        .enumerate()
        .map(|(c, bytes)| memory.add(BufferKind::Chunk(c), bytes))
        .collect();
    let scalars = (!draft.scalars.is_empty())
        .then(|| memory.add(BufferKind::Scalars, draft.scalars.len() * memory.align));
    for (name, dtype, default) in &draft.scalars {
        let offset = memory.plan.scalars.len() * memory.align;
        memory.plan.scalars.push(ScalarSlot { name: name.clone(), dtype: *dtype, default: *default, offset });
    }
    for (id, root) in draft.roots.iter().enumerate() {
        let bytes = root.bytes();
        let span = match &root.kind {
            RootKind::Feed(f) => Span { buffer: memory.plan.feeds[*f].buffer, offset: 0, bytes },
            RootKind::Slot(slot) => {
                let (chunk, offset) = slots.place(*slot);
                memory.plan.slots.push((*slot, chunk, offset));
                Span { buffer: chunks[chunk], offset, bytes }
            }
            RootKind::Scalar(s) => {
                let Some(buffer) = scalars else { continue };
                Span { buffer, offset: memory.plan.scalars[*s].offset, bytes }
            }
            RootKind::Constant(tensor) => {
                Span { buffer: memory.add(BufferKind::Constant(tensor.clone()), bytes), offset: 0, bytes }
            }
            RootKind::Number(_) | RootKind::Computed => continue,
        };
        memory.spans.insert(id, span);
    }
    for (root, slot) in &draft.into_slot {
        let (chunk, offset) = slots.place(*slot);
        let span = Span { buffer: chunks[chunk], offset, bytes: draft.roots[*root].bytes() };
        memory.spans.insert(*root, span);
    }
}

/// The packs that can be had: computed roots, each in one pack, of which no step reads one and writes another.
fn packs(draft: &Draft) -> Vec<Vec<RootId>> {
    let mut seen = std::collections::HashSet::new();
    let mut out: Vec<Vec<RootId>> = Vec::new();
    for pack in &draft.packs {
        let computed = pack.iter().all(|r| {
            matches!(draft.roots[*r].kind, RootKind::Computed) && !draft.into_slot.iter().any(|(s, _)| s == r)
        });
        let clash =
            draft.work.iter().any(|w| pack.iter().any(|r| w.reads(*r)) && pack.iter().any(|r| w.writes(*r)));
        let held = pack.iter().any(|r| draft.outputs.iter().any(|o| o.root == *r));
        if pack.len() > 1 && computed && !clash && !held && pack.iter().all(|r| seen.insert(*r)) {
            out.push(pack.clone());
        }
    }
    out
}

/// The last work that reads each root, through its aliases; outputs live to the end.
fn last_uses(draft: &Draft, packs: &[Vec<RootId>]) -> HashMap<RootId, usize> {
    let mut last: HashMap<RootId, usize> = HashMap::new();
    for (k, work) in draft.work.iter().enumerate() {
        for root in work.inputs.iter().chain(&work.outputs).map(|o| o.root) {
            last.insert(root, k);
        }
    }
    for operand in &draft.outputs {
        last.insert(operand.root, usize::MAX);
    }
    // A root whose memory passes on to an output of its last reader dies with that output.
    for work in draft.work.iter().rev() {
        for &(i, o) in &work.aliases {
            let until = last[&work.outputs[o].root];
            last.insert(work.inputs[i].root, until);
        }
    }
    for pack in packs {
        let until = pack.iter().map(|r| last[r]).max().unwrap_or(0);
        for root in pack {
            last.insert(*root, until);
        }
    }
    last
}

fn place(memory: &mut Memory<'_>, draft: &Draft, packs: &[Vec<RootId>], root: RootId) {
    if let Some(pack) = packs.iter().find(|p| p.contains(&root)) {
        let total = pack.iter().map(|r| round_up(draft.roots[*r].bytes(), memory.align)).sum();
        let buffer = memory.take(total);
        let mut offset = 0;
        for r in pack {
            let bytes = draft.roots[*r].bytes();
            memory.spans.insert(*r, Span { buffer, offset, bytes });
            offset += round_up(bytes, memory.align);
        }
        return;
    }
    let bytes = draft.roots[root].bytes();
    let buffer = memory.take(bytes);
    memory.spans.insert(root, Span { buffer, offset: 0, bytes });
}

/// Gives back the memory of roots that die with work `k`.
fn release(
    memory: &mut Memory<'_>,
    draft: &Draft,
    packs: &[Vec<RootId>],
    last_use: &HashMap<RootId, usize>,
    k: usize,
) {
    let work = &draft.work[k];
    let mut done: Vec<BufferId> = Vec::new();
    let touched = work.inputs.iter().chain(&work.outputs).map(|o| o.root);
    for root in touched {
        let dies = last_use.get(&root) == Some(&k);
        let Some(span) = memory.spans.get(&root).copied() else { continue };
        let arena = matches!(memory.plan.buffers[span.buffer.0].kind, BufferKind::Arena);
        if !dies || !arena || done.contains(&span.buffer) {
            continue;
        }
        done.push(span.buffer);
        let bytes = match packs.iter().find(|p| p.contains(&root)) {
            Some(pack) => pack.iter().map(|r| round_up(draft.roots[*r].bytes(), memory.align)).sum(),
            None => span.bytes,
        };
        memory.give(span.buffer, bytes);
    }
}

fn check_bindings(
    dispatch: &Dispatch,
    capabilities: &Capabilities,
    limit: impl Fn(String, String) -> Error,
) -> Result<()> {
    for (i, a) in dispatch.bindings.iter().enumerate() {
        if a.bytes > capabilities.max_binding_bytes {
            return Err(limit(
                format!("a binding of {} bytes", a.bytes),
                format!("a limit of {} bytes", capabilities.max_binding_bytes),
            ));
        }
        for b in &dispatch.bindings[i + 1..] {
            if a.buffer == b.buffer && a.writes != b.writes && capabilities.kind == DeviceKind::Gpu {
                return Err(limit(
                    format!("buffer {} both read and written in `{}`", a.buffer.0, dispatch.kernel.name),
                    "one use of a buffer in a dispatch".into(),
                ));
            }
        }
    }
    Ok(())
}

/// A flat dispatch whose bindings follow those of the one before, in the same buffers, joins it.
/// It stays on its own where together they would exceed a limit of the device.
fn push_or_merge(
    dispatches: &mut Vec<Dispatch>,
    mut next: Dispatch,
    flat: Option<Flat>,
    align: usize,
    capabilities: &Capabilities,
) {
    let (Some(flat), Some(before)) = (flat, dispatches.last_mut()) else {
        dispatches.push(next);
        return;
    };
    let same_words = |a: &[u32], b: &[u32]| {
        a.len() == b.len() && a.iter().zip(b).enumerate().all(|(w, (x, y))| w == flat.word || x == y)
    };
    let mut gap = None;
    let follows = before.step == next.step
        && before.kernel == next.kernel
        && before.bindings.len() == next.bindings.len()
        && same_words(before.params.words(), next.params.words())
        && before.bindings.iter().zip(&next.bindings).all(|(a, b)| {
            if a == b {
                return true;
            }
            let distance = b.offset.wrapping_sub(a.offset);
            let adjacent =
                a.buffer == b.buffer && a.writes == b.writes && distance == round_up(a.bytes, align);
            adjacent && *gap.get_or_insert(distance) == distance
        });
    let (true, Some(gap)) = (follows, gap) else {
        dispatches.push(next);
        return;
    };
    let count = gap / DType::F32.bytes() + flat.count;
    let grid = Grid::Linear(count.div_ceil(flat.per_group) as u64).fold(capabilities.max_groups);
    let fits = next.bindings.iter().all(|b| gap + b.bytes <= capabilities.max_binding_bytes);
    let (Some(grid), true) = (grid, fits) else {
        dispatches.push(next);
        return;
    };
    for (a, b) in before.bindings.iter_mut().zip(&next.bindings) {
        if a != b {
            a.bytes = gap + b.bytes;
        }
    }
    next.params.set(flat.word, count as u32);
    before.params = next.params;
    before.grid = grid;
}
