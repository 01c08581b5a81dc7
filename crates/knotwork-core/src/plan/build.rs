//! The planner's passes in order.

use super::{
    Capabilities, DeviceKind, Plan,
    bind::{bind, is_whole},
    fuse::fuse,
    in_place::{keep_apart, loosen},
    lower::{Lowered, lower},
    memory::assemble,
    order::order,
    rewrite::rewrite,
    split::split,
    uses::Uses,
    work::{Draft, Operand, RootKind},
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
    /// Bytes that a plan may take in all: what its steps share, parameters and states, inputs, constants. Planning
    /// fails where it needs more, and names the largest values at the peak.
    pub budget: Option<usize>,
    /// Microseconds that a submit may take by estimate before it is split; what `Speed::longest_submit` says where it is
    /// not set.
    pub submit_micros: Option<u64>,
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
    use tracing::field::Empty;
    let nodes = target.graph.nodes.len();
    let span = tracing::debug_span!(
        "plan",
        device = capabilities.device,
        nodes,
        steps = Empty,
        dispatches = Empty,
        arena_bytes = Empty
    )
    .entered();
    let mut draft = pass("bind", || bind(&target.graph, &target.outputs, &target.updates, binding))?;
    pass("rewrite", || rewrite(&mut draft, capabilities, &options));
    give_outputs_memory(&mut draft);
    route_updates(&mut draft);
    if !options.no_fuse {
        pass("fuse", || fuse(&mut draft, capabilities));
    }
    pass("order", || order(&mut draft, slots));
    if options.no_alias {
        keep_apart(&mut draft);
    } else if capabilities.kind == DeviceKind::Gpu {
        pass("loosen", || loosen(&mut draft, capabilities));
    }
    if capabilities.kind == DeviceKind::Gpu {
        pass("split", || split(&mut draft, capabilities));
    }
    let lowered = pass("lower", || match capabilities.kind {
        DeviceKind::Cpu => Ok(draft.work.iter().map(|_| Lowered::default()).collect()),
        DeviceKind::Gpu => lower(&draft, capabilities, options.variant),
    })?;
    let plan = pass("assign_memory", || assemble(draft, lowered, capabilities, slots, options))?;
    span.record("steps", plan.steps.len()).record("dispatches", plan.dispatches.len());
    span.record("arena_bytes", plan.arena_bytes());
    Ok(plan)
}

/// A pass of the planner, as a span of its own.
fn pass<R>(name: &'static str, f: impl FnOnce() -> R) -> R {
    tracing::debug_span!("pass", name).in_scope(f)
}

/// Outputs of a run are contiguous, and hold what slots held before the run's updates.
fn give_outputs_memory(draft: &mut Draft) {
    let uses = Uses::of(draft);
    let mut changes = vec![false; draft.roots.len()];
    draft.updates.iter().for_each(|(_, slot, _)| changes[*slot] = true);
    for i in 0..draft.outputs.len() {
        let operand = draft.outputs[i].clone();
        let root = &draft.roots[operand.root];
        let in_memory = matches!(
            root.kind,
            RootKind::Computed | RootKind::Constant(_) | RootKind::Feed(_) | RootKind::Slot(_)
        );
        if in_memory && !changes[operand.root] && is_whole(&operand.layout, root.count) {
            continue;
        }
        draft.outputs[i] = copy(draft, &operand, &uses);
    }
}

fn copy(draft: &mut Draft, from: &Operand, uses: &Uses) -> Operand {
    let writer = uses.writers[from.root].first().map(|&k| &draft.work[k]);
    let site = writer.or(draft.work.last()).map_or_else(crate::Site::here, |w| w.site);
    draft.materialise(from.root);
    let (work, to) = draft.copy_work(from, site);
    draft.work.push(work);
    to
}

/// Every update ends in a root that is written straight into its slot: the operation's own output where it
/// works in place on the slot, else a copy (which fusion may merge with what it copies).
fn route_updates(draft: &mut Draft) {
    let uses = Uses::of(draft);
    let mut taken = vec![false; draft.roots.len()];
    for (slot, slot_root, operand) in draft.updates.clone() {
        let count = draft.roots[slot_root].count;
        if operand.root == slot_root && is_whole(&operand.layout, count) {
            continue;
        }
        let own = uses.writers[operand.root].iter().map(|&k| &draft.work[k]).any(|w| {
            w.op.body().is_none()
                && w.op.in_place().iter().any(|&(i, o)| {
                    w.outputs[o].root == operand.root
                        && w.inputs[i].root == slot_root
                        && is_whole(&w.inputs[i].layout, count)
                })
        });
        let own = own && !std::mem::replace(&mut taken[operand.root], true);
        let root = if own { operand.root } else { copy(draft, &operand, &uses).root };
        draft.into_slot.push((root, slot));
    }
}
