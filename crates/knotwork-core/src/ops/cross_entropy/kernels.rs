//! The dispatches of cross-entropy.

use super::{CrossEntropy, Gives};
use crate::{
    DType, Result,
    ops::softmax::LONGEST_SERIAL,
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};

/// Threads of a workgroup.
const THREADS: usize = 256;
/// Rows up to this length are one thread's; longer ones a workgroup's.
const SHORT: usize = 32;
/// Logits that one workgroup takes, so that loss and mean are one dispatch.
const WHOLE: usize = 16_384;

pub(super) fn lower(op: &CrossEntropy, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    let shape = request.inputs[0].layout.shape();
    let (rows, classes) = (shape[0], shape[1]);
    if request.inputs[0].dtype != DType::F32 {
        return Err(format!("{} runs on the CPU only", request.inputs[0].dtype));
    }
    let (high, low) = op.levels(classes);
    let params = |per: usize| {
        let params = Params::new().u32(rows).u32(classes).f32(op.smoothing as f32).f32(rows as f32);
        params.f32(high as f32).f32(low as f32).u32(per).u32(0usize)
    };
    let kernel = |variant: &str, flags: Vec<&'static str>| Kernel {
        name: format!("{}_{variant}", crate::ops::Op::name(op)),
        source: Source::Named("cross_entropy"),
        flags,
        constants: Vec::new(),
        needs: Needs::default(),
    };
    let mean = DispatchSpec {
        kernel: Kernel { name: "cross_entropy_mean".into(), ..kernel("", vec!["mean"]) },
        bindings: vec![BindTo::ScratchRead(0), BindTo::Output(0)],
        params: params(1),
        grid: Grid::Exact([1, 1, 1]),
        flat: None,
    };
    let scratch =
        || if op.gives.loss() { vec![Scratch { dtype: DType::F32, count: rows }] } else { Vec::new() };
    let variant = |variant: &'static str, per: usize, whole: bool| {
        let mut flags = Vec::new();
        if request.inputs[1].dtype == DType::U32 {
            flags.push("unsigned");
        }
        let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), BindTo::Status];
        if op.gives.gradient() {
            flags.push("gradient");
            bindings.extend([BindTo::Input(2), BindTo::Output(usize::from(op.gives == Gives::Both))]);
        }
        if op.gives.loss() {
            flags.push("loss");
            bindings.push(if whole { BindTo::Output(0) } else { BindTo::Scratch(0) });
        }
        if whole {
            flags.push("whole");
        }
        let groups = if whole { 1 } else { rows.div_ceil(THREADS / per) };
        let first = DispatchSpec {
            kernel: kernel(variant, flags),
            bindings,
            params: params(per),
            grid: Grid::Linear(groups as u64),
            flat: None,
        };
        let parts = op.gives.loss() && !whole;
        let dispatches = if parts { vec![first, mean.clone()] } else { vec![first] };
        Lowering { variant, scratch: if parts { scratch() } else { Vec::new() }, dispatches }
    };
    if rows == 0 {
        // The mean of nothing is no number.
        return Ok(vec![Lowering { variant: "empty", scratch: scratch(), dispatches: vec![mean] }]);
    }
    let (serial, tree) = (|| variant("row_a_thread", 1, false), || variant("row_a_group", THREADS, false));
    let mut all = if classes <= SHORT {
        vec![serial(), tree()]
    } else if classes <= LONGEST_SERIAL {
        vec![tree(), serial()]
    } else {
        vec![tree()]
    };
    if op.gives.loss() && rows * classes <= WHOLE {
        // As many threads a row as keep all busy at once, where rows are long enough for them.
        let per = (THREADS / rows.next_power_of_two().min(THREADS)).min(classes.next_power_of_two());
        all.insert(0, variant("one_group", per, true));
    }
    Ok(all)
}
