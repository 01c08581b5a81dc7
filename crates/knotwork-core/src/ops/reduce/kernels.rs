//! The dispatches of a reduction.

use super::{Kind, Reduce};
use crate::{
    DType, Layout, Result,
    plan::{
        BindTo, ConstantValue, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch,
        Source,
    },
};

/// Dimensions that a kernel can walk, kept and reduced each; the layouts are collapsed first.
const DIMS: usize = 4;
/// Up to this many elements one thread takes an output; above, a workgroup does.
const SERIAL: usize = 32;
/// One thread is never given more: it would be slow, and lavapipe ends a loop after 65,535 turns without a word.
const SERIAL_AT_MOST: usize = 4096;
/// Fewer outputs than this leave a GPU idle where each is long: the reduction is then split in two stages.
const FEW: usize = 64;
/// Elements a workgroup takes in the first of two stages, at least.
const SPAN: usize = 4096;

/// Outputs side by side that a workgroup takes where they lie side by side in memory, and threads for each of them.
const COLUMNS: usize = 32;
/// Elements of a column that one workgroup sums at most.
const COLUMN_SPAN: usize = 8192;

/// Who makes an output.
#[derive(Clone, Copy, PartialEq)]
enum By {
    /// A thread.
    Serial,
    /// A workgroup.
    Tree,
    /// Eight threads; a workgroup takes `COLUMNS` neighbours.
    Columns,
}

impl By {
    fn flag(self) -> Option<&'static str> {
        match self {
            Self::Serial => Some("serial"),
            Self::Tree => None,
            Self::Columns => Some("columns"),
        }
    }

    fn groups(self, outputs: usize, parts: usize) -> usize {
        match self {
            Self::Serial => (outputs * parts).div_ceil(256),
            Self::Tree => outputs * parts,
            Self::Columns => outputs.div_ceil(COLUMNS) * parts,
        }
    }
}

/// Sizes and strides of some dimensions, padded at the front.
pub(in crate::ops) fn walk(layout: &Layout, dims: &[usize]) -> Result<Vec<(usize, usize)>, String> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    for &d in dims {
        let (n, stride) = (layout.shape()[d], layout.strides()[d]);
        match out.last_mut() {
            _ if n == 1 => {}
            Some(last) if last.1 == stride * n => *last = (last.0 * n, stride),
            _ => out.push((n, stride)),
        }
    }
    if out.len() > DIMS {
        return Err(format!("{} strided dimensions; the kernel walks {DIMS}", out.len()));
    }
    let gap = DIMS - out.len();
    Ok(std::iter::repeat_n((1, 0), gap).chain(out).collect())
}

/// Whether a walk is one of equal steps.
fn is_line(walk: &[(usize, usize)]) -> bool {
    walk[..DIMS - 1].iter().all(|&(n, _)| n == 1)
}

pub(super) fn lower(op: &Reduce, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    let layout = &request.inputs[0].layout;
    let element = match request.inputs[0].dtype {
        DType::F32 => "f32",
        DType::I32 => "i32",
        DType::U32 => "u32",
        other => return Err(format!("{other} reductions run on the CPU only; cast first")),
    };
    let kept: Vec<usize> = (0..layout.shape().len()).filter(|d| !op.dims.contains(d)).collect();
    let (outer, inner) = (walk(layout, &kept)?, walk(layout, &op.dims)?);
    let product = |w: &[(usize, usize)]| w.iter().map(|(n, _)| n).product::<usize>();
    let (outputs, total) = (product(&outer), product(&inner));
    let n = total;
    let stage = |parts: usize, first: bool, from: BindTo, to: BindTo, by: By| {
        let (outer, inner, offset, n) = if first {
            (outer.clone(), inner.clone(), layout.offset(), n)
        } else {
            let flat = |n, stride| vec![(1, 0), (1, 0), (1, 0), (n, stride)];
            (flat(outputs, parts), flat(parts, 1), 0, parts)
        };
        let blocks = if first { parts } else { 1 };
        let last = !first || parts == 1;
        let scale = if op.kind == Kind::Mean && last { 1.0 } else { 0.0 };
        let mut params = Params::new().u32(outputs).u32(n).u32(blocks).u32(n.div_ceil(blocks)).u32(offset);
        params = params.f32(scale).f32(total as f32).u32(0usize);
        for list in [&outer, &inner] {
            params = list.iter().fold(params, |p, &(n, _)| p.u32(n));
            params = list.iter().fold(params, |p, &(_, s)| p.u32(s));
        }
        let mut flags = Vec::new();
        if op.kind == Kind::Max {
            flags.push("max");
        }
        if op.kind == Kind::Min {
            flags.push("min");
        }
        flags.extend(by.flag());
        flags.extend(is_line(&inner).then_some("line"));
        if element == "f32" {
            flags.push("floats");
        }
        DispatchSpec {
            kernel: Kernel {
                name: format!("reduce_{}", by.flag().unwrap_or("tree")),
                source: Source::Named("reduce"),
                flags,
                constants: vec![("elem", ConstantValue::Type(element.into()))],
                needs: Needs::default(),
            },
            bindings: vec![from, to],
            params,
            grid: Grid::Linear(by.groups(outputs, blocks) as u64),
            flat: None,
        }
    };
    let (input, output) = (BindTo::Input(0), BindTo::Output(0));
    let serial = Lowering::single("serial", stage(1, true, input, output, By::Serial));
    let tree = Lowering::single("tree", stage(1, true, input, output, By::Tree));
    let staged = |variant: &'static str, parts: usize, by: By| Lowering {
        variant,
        scratch: vec![Scratch { dtype: request.inputs[0].dtype, count: outputs * parts }],
        dispatches: vec![
            stage(parts, true, input, BindTo::Scratch(0), by),
            stage(
                parts,
                false,
                BindTo::ScratchRead(0),
                output,
                if parts <= SERIAL { By::Serial } else { By::Tree },
            ),
        ],
    };
    let two_stages = staged("two_stages", n.div_ceil(SPAN).clamp(2, 256), By::Tree);
    let mut all = if n > 2 * SPAN && outputs < FEW {
        vec![two_stages, tree]
    } else if n <= SERIAL || (outputs >= 4096 && n <= 256) {
        vec![serial, tree, two_stages]
    } else if n <= SERIAL_AT_MOST {
        vec![tree, serial, two_stages]
    } else {
        vec![tree, two_stages]
    };
    // Neighbouring outputs whose elements lie side by side are read together: one memory transaction serves them all.
    let side_by_side = outer[DIMS - 1].1 == 1 && outer[DIMS - 1].0 >= COLUMNS / 2 && inner[DIMS - 1].1 != 1;
    if side_by_side && n > SERIAL && !(outputs >= 4096 && n <= 256) {
        // As many parts as fill a device, none longer than its error allows.
        let fill = (4 * FEW / outputs.div_ceil(COLUMNS)).min(n / 256).max(1);
        let parts = fill.max(n.div_ceil(COLUMN_SPAN));
        all.insert(
            0,
            if parts == 1 {
                Lowering::single("columns", stage(1, true, input, output, By::Columns))
            } else {
                staged("columns", parts, By::Columns)
            },
        );
    }
    Ok(all)
}

/// The sum of `parts` arrays of `outputs` f32 elements that lie one behind the other, in their order: the second stage
/// of an operation that was split.
pub(in crate::ops) fn sum_of_parts(outputs: usize, parts: usize, from: BindTo, to: BindTo) -> DispatchSpec {
    let mut params = Params::new().u32(outputs).u32(parts).u32(1usize).u32(parts).u32(0usize);
    params = params.f32(0.0).f32(1.0).u32(0usize);
    for (n, stride) in [(outputs, 1), (parts, outputs)] {
        params = [1, 1, 1, n, 0, 0, 0, stride].into_iter().fold(params, Params::u32);
    }
    DispatchSpec {
        kernel: Kernel {
            name: "reduce_serial".into(),
            source: Source::Named("reduce"),
            flags: vec!["serial", "line", "floats"],
            constants: vec![("elem", ConstantValue::Type("f32".into()))],
            needs: Needs::default(),
        },
        bindings: vec![from, to],
        params,
        grid: Grid::Linear(outputs.div_ceil(256) as u64),
        flat: None,
    }
}
