//! The dispatches of a convolution and its gradients.

use super::op::{Convolution, Part};
use crate::{
    DType, Result,
    ops::reduce,
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};

/// Longer sums are never one thread's.
const DIRECT: usize = 4096;
/// Indices of the sum that one workgroup takes at most: a limit of lavapipe's loops, as in `matmul`.
const RANGE: usize = 8192;
/// With fewer workgroups than this, long sums are split among more of them.
const FEW: usize = 128;
/// Indices of the sum that are worth a workgroup.
const SPAN: usize = 256;
/// Sums up to this length need no second dispatch where smaller tiles fill the device.
const SHORT: usize = 2048;
/// Multiplications up to which the direct kernel is the faster one.
const SMALL: usize = 1 << 16;

pub(super) fn lower(op: &Convolution, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} convolutions run on the CPU only", request.outputs[0].dtype));
    }
    let output = &request.outputs[0].layout;
    let s = op.sizes(request.inputs[0].layout.shape(), request.inputs[1].layout.shape(), output.shape());
    let (window, places) = (s.kernel[0] * s.kernel[1], s.out[0] * s.out[1]);
    let (m, n, k, flag) = match op.part {
        Part::Forward => (s.o, s.images * places, s.c * window, None),
        Part::Input(_) => (s.c, s.images * s.image[0] * s.image[1], s.o * window, Some("to_input")),
        Part::Weight(_) => (s.o, s.c * window, s.images * places, Some("to_weight")),
    };
    let o = &op.options;
    let dispatch = |name: &str, each: u32, parts: usize, direct: bool, to: BindTo| {
        let mut flags: Vec<&'static str> = flag.into_iter().collect();
        if direct {
            flags.push("direct");
        }
        let span = k.div_ceil(parts);
        let words = [
            [s.images, s.c, s.o, s.groups],
            [s.image[0], s.image[1], s.out[0], s.out[1]],
            [s.kernel[0], s.kernel[1], o.stride[0], o.stride[1]],
            [o.padding[0], o.padding[1], o.dilation[0], o.dilation[1]],
            [m, n, k, 0],
            [span, parts, 0, 0],
        ];
        let tile = 16 * each as usize;
        let groups = if direct {
            output.count().div_ceil(256)
        } else {
            m.div_ceil(tile) * n.div_ceil(tile) * s.groups * parts
        };
        DispatchSpec {
            kernel: Kernel {
                name: format!("{}_{name}", flag.unwrap_or("conv2d")),
                source: Source::Named("conv2d"),
                flags,
                constants: if direct { Vec::new() } else { vec![("EACH", each.into())] },
                needs: Needs::default(),
            },
            bindings: vec![BindTo::Input(0), BindTo::Input(1), to],
            params: words.concat().into_iter().fold(Params::new(), Params::u32),
            grid: Grid::Linear(groups as u64),
            flat: None,
        }
    };
    let groups = |each: u32| {
        let tile = 16 * each as usize;
        (m.div_ceil(tile) * n.div_ceil(tile) * s.groups).max(1)
    };
    let tiled = |name: &'static str, split: &'static str, each: u32| {
        let groups = groups(each);
        let wanted = if groups < FEW { (2 * FEW / groups).min(k / SPAN) } else { 1 };
        let parts = wanted.max(k.div_ceil(RANGE)).max(1);
        if parts == 1 {
            return Lowering::single(name, dispatch(name, each, 1, false, BindTo::Output(0)));
        }
        let count = output.count();
        Lowering {
            variant: split,
            scratch: vec![Scratch { dtype: DType::F32, count: count * parts }],
            dispatches: vec![
                dispatch(split, each, parts, false, BindTo::Scratch(0)),
                reduce::sum_of_parts(count, parts, BindTo::ScratchRead(0), BindTo::Output(0)),
            ],
        }
    };
    let mut all = vec![
        tiled("tile64", "tile64_split", 4),
        tiled("tile32", "tile32_split", 2),
        tiled("tile16", "tile16_split", 1),
    ];
    if m.min(n) <= 32 {
        all.reverse();
    } else if all[0].dispatches.len() > 1 && groups(2) >= FEW / 2 && k <= SHORT {
        // Tiles of half the side fill the device as well, without a second dispatch.
        all[1] = Lowering::single("tile32", dispatch("tile32", 2, 1, false, BindTo::Output(0)));
        all.swap(0, 1);
    }
    if k <= DIRECT {
        let direct = Lowering::single("direct", dispatch("direct", 1, 1, true, BindTo::Output(0)));
        let small = output.count() * k <= SMALL || m == 1;
        all.insert(if small { 0 } else { all.len() }, direct);
    }
    Ok(all)
}
