//! Gives every root its memory, and writes the plan down.

use super::{
    BindTo, Buffer, BufferId, BufferKind, BufferRange, Capabilities, DeviceKind, Dispatch, Feed, FeedCheck,
    Flat, Grid, Place, Plan, PlanOptions, ScalarSlot, SlotPlace, StatusWord, Step,
    budget::{check_budget, check_sizes},
    build::SlotPlaces,
    lifetimes::Lifetimes,
    lower::Lowered,
    rooms::{Room, rooms},
    split::Window,
    submits::submits,
    work::{Draft, RootId, RootKind},
};
use crate::{
    Error, Layout, Result,
    graph::{Slot, SlotId},
    tensor::DType,
};

/// A range of a buffer.
#[derive(Clone, Copy, Debug)]
struct Span {
    buffer: BufferId,
    offset: usize,
    bytes: usize,
}

struct Memory<'a> {
    plan: Plan,
    /// By root.
    spans: Vec<Option<Span>>,
    align: usize,
    capabilities: &'a Capabilities,
}

pub(super) fn round_up(n: usize, to: usize) -> usize {
    n.div_ceil(to) * to
}

impl Memory<'_> {
    fn add(&mut self, kind: BufferKind, bytes: usize) -> BufferId {
        self.plan.buffers.push(Buffer { kind, bytes: round_up(bytes.max(4), 16) });
        BufferId(self.plan.buffers.len() - 1)
    }

    /// Where an operand of work lies.
    fn place(&self, draft: &Draft, root: RootId, layout: &Layout, site: crate::Site) -> Result<Place> {
        let span = self.spans[root].ok_or_else(|| Error::Graph {
            message: format!("the planner gave value {root} no memory; this is a mistake of the planner"),
            site,
        })?;
        Ok(Place {
            buffer: span.buffer,
            offset: span.offset,
            bytes: span.bytes,
            dtype: draft.roots[root].dtype,
            layout: layout.clone(),
        })
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
            submits: Vec::new(),
        },
        spans: vec![None; draft.roots.len()],
        align: capabilities.offset_alignment.max(16),
        capabilities,
    };
    place_leaves(&mut memory, &draft, slots);
    let status = lowered
        .iter()
        .flat_map(|l| l.lowering.iter().flat_map(|l| &l.dispatches))
        .any(|d| d.bindings.contains(&BindTo::Status))
        .then(|| memory.add(BufferKind::Status, 0));
    let lives = Lifetimes::of(&draft).with_scratch(&lowered);
    memory.plan.live_peak = lives.peak().0;
    check_sizes(&draft, &lives, capabilities)?;
    let rooms = rooms(&draft, &lowered, &lives, capabilities, !options.no_alias);
    let first = memory.plan.buffers.len();
    for &bytes in &rooms.buffers {
        memory.add(BufferKind::Arena, bytes);
    }
    let arena_span = |tenant: usize, bytes| {
        let Room { buffer, offset } = rooms.of_tenant[tenant];
        Span { buffer: BufferId(first + buffer), offset, bytes }
    };
    for (root, tenant) in lives.of_root.iter().enumerate() {
        if let Some(tenant) = *tenant {
            memory.spans[root] = Some(arena_span(tenant, draft.roots[root].bytes()));
        }
    }
    check_budget(&draft, &lives, &memory.plan, options.budget, capabilities)?;
    for (k, work) in draft.work.iter().enumerate() {
        // An update that is written in place lies where the slot lies.
        let step = memory.plan.steps.len();
        let find = |o: &super::work::Operand| memory.place(&draft, o.root, &o.layout, work.site);
        let inputs: Vec<Place> = work.inputs.iter().map(find).collect::<Result<_>>()?;
        let outputs: Vec<Place> = work.outputs.iter().map(find).collect::<Result<_>>()?;
        let shapes: Vec<Vec<usize>> = work.inputs.iter().map(|o| o.layout.shape().to_vec()).collect();
        let bound = work.op.indices(&shapes);
        if let Some((input, bound)) = bound
            && let RootKind::Feed(feed) = draft.roots[work.inputs[input].root].kind
        {
            let layout = work.inputs[input].layout.clone();
            let op = indexing(work.op.name(), &work.nodes).to_owned();
            memory.plan.checks.push(FeedCheck { feed, layout, bound, op, site: work.site });
        }
        let mut variant = "";
        if let Some(lowering) = &lowered[k].lowering {
            variant = lowering.variant;
            let scratch: Vec<Span> =
                lives.scratch[k].iter().map(|&t| arena_span(t, lives.tenants[t].bytes)).collect();
            for spec in &lowering.dispatches {
                let range = |p: &Place, window: &Option<Window>, writes| BufferRange {
                    buffer: p.buffer,
                    offset: p.offset + window.map_or(0, |w| w.first),
                    bytes: window.map_or(p.bytes, |w| w.bytes),
                    writes,
                };
                let bindings = spec
                    .bindings
                    .iter()
                    .map(|b| match *b {
                        BindTo::Input(i) => range(&inputs[i], &lowered[k].inputs[i], false),
                        BindTo::Output(o) => range(&outputs[o], &lowered[k].outputs[o], true),
                        BindTo::Scratch(s) | BindTo::ScratchRead(s) => {
                            let Span { buffer, offset, bytes } = scratch[s];
                            BufferRange { buffer, offset, bytes, writes: b.writes() }
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
        }
        memory.plan.steps.push(Step {
            op: work.op.clone(),
            site: work.site,
            nodes: work.nodes.clone(),
            inputs,
            outputs,
            aliases: work.aliases.clone(),
            variant,
            note: lowered[k].note.clone(),
        });
    }
    for operand in &draft.outputs {
        let place = memory.place(&draft, operand.root, &operand.layout, crate::Site::here())?;
        memory.plan.outputs.push(place);
    }
    if let Some(status) = status {
        memory.plan.buffers[status.0].bytes = memory.plan.status.len() * memory.align;
    }
    let long = options.submit_micros.map_or(capabilities.speed.longest_submit, |us| us as f64 * 1e-6);
    memory.plan.submits = submits(&memory.plan, capabilities, long);
    Ok(memory.plan)
}

fn slot_place(draft: &Draft, slot: SlotId, chunk: usize, offset: usize) -> SlotPlace {
    let Slot { name, group, init, .. } = &draft.slots[slot.0];
    let (dtype, shape) = (init.dtype(), init.shape().to_vec());
    SlotPlace { slot, name: name.clone(), group: group.clone(), dtype, shape, chunk, offset }
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
                memory.plan.slots.push(slot_place(draft, *slot, chunk, offset));
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
        memory.spans[id] = Some(span);
    }
    for (root, slot) in &draft.into_slot {
        let (chunk, offset) = slots.place(*slot);
        let span = Span { buffer: chunks[chunk], offset, bytes: draft.roots[*root].bytes() };
        memory.spans[*root] = Some(span);
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

/// The name of the graph's operation that reads indices in an operation of the plan, which may be fused or rewritten.
fn indexing<'a>(op: &'a str, nodes: &'a [super::NodeRef]) -> &'a str {
    let named = nodes.iter().map(|n| n.op.as_str());
    named
        .filter(|name| op.contains(name) && crate::ops::elementwise::row(name).is_none())
        .max_by_key(|name| name.len())
        .unwrap_or(op)
}

impl Step {
    /// The name of the graph's operation that reads indices in it, where one does.
    #[must_use]
    pub fn indexing(&self) -> &str {
        indexing(self.op.name(), &self.nodes)
    }
}
