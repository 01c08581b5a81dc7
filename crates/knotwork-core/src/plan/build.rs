//! The planner's passes in order.

use super::{
    Capabilities, DeviceKind, Plan,
    bind::{bind, is_whole},
    fuse::fuse,
    lower::{Lowered, lower},
    memory::assemble,
    rewrite::rewrite,
    work::{Draft, Operand, RootId, RootKind},
};
use crate::{
    Result,
    graph::{SlotId, Snapshot, ValueId},
    tensor::Binding,
};

/// Knobs that bisect a wrong result, given to a program by [`with_options`](crate::Program::with_options).
///
/// Where a result is wrong, in this order:
///
/// 1. [`Program::verify`](crate::Program::verify) holds every node's value against its reference, and then what the plan
///    gives against the oracle. It names the first node that differs, with the line that made it (a kernel is wrong), or
///    the output that differs though all nodes agree, with the knobs below that cure it (the planner is wrong).
/// 2. [`Program::check_finite`](crate::Program::check_finite) names the first node that makes a NaN or an infinity; with
///    the knob `check_finite` every run looks for itself.
/// 3. By hand: `no_fuse` and `no_rewrite` take away what changes operations, `no_alias` what shares memory, `serial` what
///    runs at the same time (and a device that is lost is lost in a dispatch that the error names), `variant` takes
///    another kernel.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor, plan::PlanOptions};
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [2])?;
/// let y = x.log()?.add(1.0)?;
/// let options = PlanOptions { no_fuse: true, serial: true, check_finite: true, ..PlanOptions::default() };
/// let mut program = Device::cpu().compile(&g, &[&y], &[])?.with_options(options);
/// let error = program.run([("x", HostTensor::new(&[1.0f32, -1.0], [2])?)]).unwrap_err().to_string();
/// assert!(error.starts_with("`log`"), "{error}"); // and the line that made it, the element, its inputs
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PlanOptions {
    /// One kernel for each elementwise node.
    pub no_fuse: bool,
    /// No rule rewrites anything: each operation of the graph is an operation of the plan.
    pub no_rewrite: bool,
    /// No value reuses another's memory.
    pub no_alias: bool,
    /// The n-th kernel variant that the device can run, counted from 0, of every operation that has more than n;
    /// the others take their best. So each variant can be tested.
    pub variant: Option<usize>,
    /// Each dispatch is a submit of its own and is waited for; on the CPU, one thread does everything.
    pub serial: bool,
    /// Every run waits for its outputs and checks them and the new values of slots. Where one is not finite, the run
    /// fails with [`Error::NotFinite`](crate::Error::NotFinite), which names the first node in graph order that made a NaN
    /// or an infinity, and parameters and states are as before the run.
    pub check_finite: bool,
}

/// What a program computes: values of a graph, and new values for slots.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) graph: Snapshot,
    pub(crate) outputs: Vec<ValueId>,
    pub(crate) updates: Vec<(SlotId, ValueId)>,
}

/// Where slots lie.
pub(crate) trait SlotPlaces {
    /// (chunk, first byte) of a slot.
    fn place(&self, slot: SlotId) -> (usize, usize);
    /// The sizes of all chunks.
    fn chunks(&self) -> Vec<usize>;
}

/// Plans a target for one binding of its named dimensions.
///
/// # Errors
/// Where shapes do not fit under this binding, or the device cannot take them.
pub(crate) fn plan_for(
    target: &Target,
    binding: &Binding,
    capabilities: &Capabilities,
    slots: &dyn SlotPlaces,
    options: PlanOptions,
) -> Result<Plan> {
    let _span = tracing::debug_span!("plan", nodes = target.graph.nodes.len()).entered();
    let mut draft = bind(&target.graph, &target.outputs, &target.updates, binding)?;
    rewrite(&mut draft, capabilities, &options);
    give_outputs_memory(&mut draft);
    route_updates(&mut draft);
    if !options.no_fuse {
        fuse(&mut draft, capabilities);
    }
    order(&mut draft);
    if !options.no_alias {
        share_in_place(&mut draft);
    }
    let lowered = match capabilities.kind {
        DeviceKind::Cpu => draft.work.iter().map(|_| Lowered::default()).collect(),
        DeviceKind::Gpu => lower(&draft, capabilities, options.variant)?,
    };
    assemble(draft, lowered, capabilities, slots, options)
}

/// Outputs of a run are contiguous, and hold what slots held before the run's updates.
fn give_outputs_memory(draft: &mut Draft) {
    for i in 0..draft.outputs.len() {
        let operand = draft.outputs[i].clone();
        let root = &draft.roots[operand.root];
        let changes = draft.updates.iter().any(|(_, slot, _)| *slot == operand.root);
        let in_memory = matches!(
            root.kind,
            RootKind::Computed | RootKind::Constant(_) | RootKind::Feed(_) | RootKind::Slot(_)
        );
        if in_memory && !changes && is_whole(&operand.layout, root.count) {
            continue;
        }
        draft.outputs[i] = copy(draft, &operand);
    }
}

fn copy(draft: &mut Draft, from: &Operand) -> Operand {
    let site = draft
        .work
        .iter()
        .find(|w| w.writes(from.root))
        .or(draft.work.last())
        .map_or_else(crate::Site::here, |w| w.site);
    draft.materialise(from.root);
    let (work, to) = draft.copy_work(from, site);
    draft.work.push(work);
    to
}

/// Every update ends in a root that is written straight into its slot: the operation's own output where it
/// works in place on the slot, else a copy (which fusion may merge with what it copies).
fn route_updates(draft: &mut Draft) {
    for (slot, slot_root, operand) in draft.updates.clone() {
        if operand.root == slot_root && is_whole(&operand.layout, draft.roots[slot_root].count) {
            continue;
        }
        let own = draft.work.iter().any(|w| {
            w.op.body().is_none()
                && w.op.in_place().iter().any(|&(i, o)| {
                    w.outputs[o].root == operand.root
                        && w.inputs[i].root == slot_root
                        && is_whole(&w.inputs[i].layout, draft.roots[slot_root].count)
                })
        });
        let taken = draft.into_slot.iter().any(|(r, _)| *r == operand.root);
        let root = if own && !taken { operand.root } else { copy(draft, &operand).root };
        draft.into_slot.push((root, slot));
    }
}

/// Work that writes slots goes last, and never before work that reads the old value.
fn order(draft: &mut Draft) {
    let written: Vec<(RootId, RootId)> = draft
        .into_slot
        .iter()
        .filter_map(|(root, slot)| {
            draft.updates.iter().find(|(s, _, _)| s == slot).map(|(_, slot_root, _)| (*root, *slot_root))
        })
        .collect();
    let mut late = vec![false; draft.work.len()];
    for k in 0..draft.work.len() {
        let work = &draft.work[k];
        late[k] = work.outputs.iter().any(|o| written.iter().any(|(w, _)| *w == o.root))
            || (0..k).any(|j| late[j] && draft.work[j].outputs.iter().any(|o| work.reads(o.root)));
    }
    let (mut last, first): (Vec<_>, Vec<_>) =
        std::mem::take(&mut draft.work).into_iter().zip(late).partition(|(_, late)| *late);
    draft.work = first.into_iter().chain(last.drain(..)).map(|(w, _)| w).collect();
    for (root, slot_root) in written {
        let Some(writer) = draft.work.iter().position(|w| w.writes(root)) else { continue };
        let read_later = draft.work[writer + 1..].iter().any(|w| w.reads(slot_root));
        let work = &mut draft.work[writer];
        let alias = work.op.in_place().into_iter().find(|&(i, o)| {
            work.outputs[o].root == root
                && work.inputs[i].root == slot_root
                && is_whole(&work.inputs[i].layout, draft.roots[slot_root].count)
        });
        let reads = work.inputs.iter().filter(|o| o.root == slot_root).count();
        match alias {
            Some(pair) if !read_later && reads == 1 => work.aliases.push(pair),
            _ if !read_later && reads == 0 => {}
            _ => through_temporary(draft, root),
        }
    }
}

/// The writer keeps a root of its own; a copy at the very end brings it into the slot.
fn through_temporary(draft: &mut Draft, root: RootId) {
    let Some(entry) = draft.into_slot.iter().position(|(r, _)| *r == root) else { return };
    let shape = vec![draft.roots[root].count];
    let from = draft.whole(root, &shape);
    let site = draft.work.iter().find(|w| w.writes(root)).map_or_else(crate::Site::here, |w| w.site);
    let (work, to) = draft.copy_work(&from, site);
    draft.work.push(work);
    draft.into_slot[entry].0 = to.root;
}

/// Lets an output take the memory of an input that nothing reads afterwards.
fn share_in_place(draft: &mut Draft) {
    for k in 0..draft.work.len() {
        for (i, o) in draft.work[k].op.in_place() {
            let work = &draft.work[k];
            if work.aliases.iter().any(|&(a, b)| a == i || b == o) || i >= work.inputs.len() {
                continue;
            }
            let (input, output) = (&work.inputs[i], work.outputs[o].root);
            let (from, to) = (&draft.roots[input.root], &draft.roots[output]);
            let held = |r: RootId| {
                draft.outputs.iter().any(|o| o.root == r)
                    || draft.into_slot.iter().any(|(s, _)| *s == r)
                    || draft.packs.iter().flatten().any(|p| *p == r)
            };
            let fits = matches!(from.kind, RootKind::Computed)
                && is_whole(&input.layout, from.count)
                && is_whole(&work.outputs[o].layout, to.count)
                && from.dtype == to.dtype
                && from.count == to.count
                && !held(input.root)
                && !draft.into_slot.iter().any(|(s, _)| *s == output)
                && !draft.packs.iter().flatten().any(|p| *p == output)
                && work.inputs.iter().filter(|o| o.root == input.root).count() == 1
                && draft.work[k + 1..].iter().all(|w| !w.reads(input.root));
            if fits {
                draft.work[k].aliases.push((i, o));
            }
        }
    }
}
