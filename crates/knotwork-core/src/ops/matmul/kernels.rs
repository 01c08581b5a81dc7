//! The dispatches of a matrix product.

use super::sizes;
use crate::{
    DType, Result,
    ops::reduce,
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};

/// Rows and columns of the largest tile.
pub(super) const LARGE_TILE: usize = 64;
/// Leading dimensions that a kernel can walk with strides; more are an error on a GPU.
pub(super) const BATCH_DIMS: usize = 4;
/// Indices of K that one workgroup sums at most. Longer sums take several dispatches: lavapipe ends all loops of an
/// invocation after 65,535 turns together, without a word, and 16 indices take up to about 25 turns.
const RANGE: usize = 8192;
/// Fewer workgroups than this leave a GPU idle where K is long: K is then split among more of them.
const FEW: usize = 128;
/// Indices of K that are worth a workgroup.
const SPAN: usize = 256;

/// Sums up to this length need no second dispatch where smaller tiles fill the device.
const SHORT: usize = 2048;

/// How a variant walks K.
#[derive(Clone, Copy)]
enum Walk {
    /// Range after range, each dispatch adding to the one before.
    Ranges,
    /// In so many parts at once, which are then added in their order.
    Parts(usize),
}

/// `sums`: the operand of which sums over K are output 1.
pub(super) fn lower(sums: Option<usize>, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    let (la, lb) = (&request.inputs[0].layout, &request.inputs[1].layout);
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} products run on the CPU only", request.outputs[0].dtype));
    }
    let s = sizes(la, lb);
    if s.batch.len() > BATCH_DIMS {
        return Err(format!("{} strided leading dimensions; the kernel walks {BATCH_DIMS}", s.batch.len()));
    }
    let batches: usize = s.batch.iter().map(|b| b.0).product();
    let padded = |f: fn(&(usize, usize, usize)) -> usize, or: usize| {
        let gap = BATCH_DIMS - s.batch.len();
        std::iter::repeat_n(or, gap).chain(s.batch.iter().map(f)).collect::<Vec<_>>()
    };
    let words = [padded(|b| b.0, 1), padded(|b| b.1, 0), padded(|b| b.2, 0)].concat();
    let groups = |each: usize| s.m.div_ceil(16 * each) * s.n.div_ceil(16 * each) * batches;
    let dispatch = |name: &str, each: u32, range: (usize, usize), parts: usize, to: fn(usize) -> BindTo| {
        let mut flags = Vec::new();
        // Neighbouring threads read neighbouring elements of both operands.
        if s.a.1 > s.a.0 {
            flags.push("a_by_columns");
        }
        if s.b.0 < s.b.1 {
            flags.push("b_by_columns");
        }
        if range.0 > 0 {
            flags.push("accumulate");
        }
        let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), to(0)];
        if let Some(operand) = sums {
            flags.extend(["sums", ["sums_a", "sums_b"][operand]]);
            bindings.push(to(1));
        }
        let mut params = Params::new().u32(s.m).u32(s.n).u32(s.k).u32(batches);
        params = params.u32(la.offset()).u32(s.a.0).u32(s.a.1).u32(0usize);
        params = params.u32(lb.offset()).u32(s.b.0).u32(s.b.1).u32(0usize);
        params = words.iter().fold(params, |p, &w| p.u32(w));
        let span = (range.1 - range.0).div_ceil(parts);
        params = params.u32(range.0).u32(range.1).u32(span).u32(parts);
        DispatchSpec {
            kernel: Kernel {
                name: format!("matmul_{name}"),
                source: Source::Named("matmul"),
                flags,
                constants: vec![("EACH", each.into())],
                needs: Needs::default(),
            },
            bindings,
            params,
            grid: Grid::Linear((groups(each as usize) * parts) as u64),
            flat: None,
        }
    };
    let variant = |name: &'static str, each: u32, walk: Walk| match walk {
        Walk::Ranges => Lowering {
            variant: name,
            scratch: Vec::new(),
            // A product over nothing is one range of nothing: it writes the zeros.
            dispatches: (0..s.k.max(1))
                .step_by(RANGE)
                .map(|k| dispatch(name, each, (k, (k + RANGE).min(s.k)), 1, BindTo::Output))
                .collect(),
        },
        Walk::Parts(parts) => {
            let counts: Vec<usize> = request.outputs.iter().map(|o| o.layout.count()).collect();
            let mut dispatches = vec![dispatch(name, each, (0, s.k), parts, BindTo::Scratch)];
            dispatches.extend(counts.iter().enumerate().map(|(i, &count)| {
                reduce::sum_of_parts(count, parts, BindTo::ScratchRead(i), BindTo::Output(i))
            }));
            let scratch = counts.iter().map(|c| Scratch { dtype: DType::F32, count: c * parts }).collect();
            Lowering { variant: name, scratch, dispatches }
        }
    };
    // A large tile pays where it is mostly filled.
    let large = s.m.min(s.n) > 32;
    let mut all = vec![
        variant("tile64", 4, Walk::Ranges),
        variant("tile32", 2, Walk::Ranges),
        variant("tile16", 1, Walk::Ranges),
    ];
    if !large {
        all.reverse();
    }
    let tiles = groups(if large { 4 } else { 1 });
    let parts = (2 * FEW / tiles.max(1)).min(s.k / SPAN);
    if tiles < FEW && parts > 1 && s.k.div_ceil(parts) <= RANGE {
        let split = if large { ("tile64_split", 4) } else { ("tile16_split", 1) };
        all.insert(0, variant(split.0, split.1, Walk::Parts(parts)));
        // Tiles of half the side fill the device as well, without a second dispatch.
        if large && groups(2) >= FEW / 2 && s.k <= SHORT {
            let half = all.iter().position(|l| l.variant == "tile32").unwrap_or(0);
            all[..=half].rotate_right(1);
        }
    }
    Ok(all)
}
