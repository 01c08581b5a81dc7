//! The dispatches of attention over a cache.

use super::op::{DecodeOp, Sizes};
use crate::{
    DType, Layout,
    ops::gather_rows::index_flags,
    plan::{
        BindTo, ConstantValue, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch,
        Source,
    },
};

/// Keys of a tile, and threads of a workgroup.
const TILE: usize = 64;
/// Columns of the values that a workgroup sums.
const COLUMNS: usize = 256;
/// Rows that a workgroup takes at most.
const ROWS: usize = 8;
/// Workgroups that fill a large device.
const GROUPS: usize = 512;
/// A shorter part costs more to put together than it saves.
const LEAST_KEYS: usize = 256;
const MOST_SPLITS: usize = 64;
/// Turns of loops, of which no invocation may take more than 65,535 on some drivers.
const TURNS: usize = 60_000;

pub(super) fn lower(op: &DecodeOp, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
    }
    let shapes: Vec<&[usize]> = request.inputs.iter().map(|i| i.layout.shape()).collect();
    let call = Call { op, request, s: op.sizes(&shapes) };
    let (keys, owners) = (call.keys(), call.owners().max(1));
    let wanted = GROUPS.div_ceil(owners).min(MOST_SPLITS).min(keys.div_ceil(LEAST_KEYS));
    let needed = keys.div_ceil(call.most_tiles() * TILE);
    let split = call.split(wanted.max(needed).max(2));
    Ok(match (needed > 1, wanted > 1, keys > TILE) {
        (true, ..) => vec![split],
        (_, true, _) => vec![split, call.whole()],
        (.., true) => vec![call.whole(), split],
        _ => vec![call.whole()],
    })
}

struct Call<'a> {
    op: &'a DecodeOp,
    request: &'a KernelRequest<'a>,
    s: Sizes,
}

impl Call<'_> {
    /// Query rows that share a key head, and how many of them a workgroup takes.
    fn rows(&self) -> (usize, usize) {
        let rows = self.s.heads / self.s.kv_heads * self.s.queries;
        (rows, rows.next_power_of_two().clamp(1, ROWS))
    }

    /// The most keys that the rows of a workgroup look at.
    fn keys(&self) -> usize {
        let window = self.op.setting.window.unwrap_or(usize::MAX);
        self.s.capacity.min(window.saturating_add(self.s.queries))
    }

    fn column_blocks(&self) -> usize {
        self.s.value_size.div_ceil(COLUMNS).max(1)
    }

    /// Workgroups that see all keys of their rows.
    fn owners(&self) -> usize {
        let (rows, each) = self.rows();
        self.s.batch * self.s.kv_heads * rows.div_ceil(each) * self.column_blocks()
    }

    /// Threads that stand side by side on the columns of the values, four each.
    fn lanes(&self) -> usize {
        self.s.value_size.div_ceil(4).next_power_of_two().min(TILE)
    }

    /// Tiles of keys that a workgroup can take within its turns.
    fn most_tiles(&self) -> usize {
        let each = self.rows().1;
        let turns = self.s.size.div_ceil(32) * (each.div_ceil(8) + 8 + 8 * (1 + each)) + 8 + 2 * each;
        (TURNS / (turns + self.lanes() * (1 + each))).max(1)
    }

    fn steps(layout: &Layout) -> [usize; 4] {
        let steps = layout.strides();
        [layout.offset(), steps[0], steps[1], steps[2]]
    }

    fn dispatch(&self, out: BindTo, splits: usize, own: Option<&'static str>) -> DispatchSpec {
        let (s, set) = (&self.s, &self.op.setting);
        let at = |i: usize| Self::steps(&self.request.inputs[i].layout);
        let in_fours =
            |i: usize, width: usize| width.is_multiple_of(4) && at(i).iter().all(|n| n.is_multiple_of(4));
        let vectors = in_fours(1, s.size) && in_fours(2, s.value_size);
        let (rows, each) = self.rows();
        let groups = self.owners() * splits;
        let flags = [
            (set.causal, "causal"),
            (set.softcap.is_some(), "softcap"),
            (set.alibi, "alibi"),
            (set.paged, "paged"),
            (vectors, "vectors"),
        ];
        let flags = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).chain(own);
        // No position comes near a window of that many keys.
        let window = set.window.unwrap_or(usize::MAX).min(1 << 30);
        let mut params = [groups, s.heads, s.kv_heads, s.queries, s.capacity, s.size, s.value_size, window]
            .into_iter()
            .fold(Params::new(), Params::u32)
            .f32(set.scale_for(s.size) as f32)
            .f32(set.softcap.unwrap_or(0.0) as f32);
        params = [splits, rows.div_ceil(each), self.column_blocks(), self.lanes(), s.page, s.pages]
            .into_iter()
            .fold(params, Params::u32);
        params = [0, 1, 2].iter().flat_map(|&i| at(i)).fold(params, Params::u32);
        DispatchSpec {
            kernel: Kernel {
                name: if splits > 1 { "attention_decode_split" } else { "attention_decode" }.into(),
                source: Source::Named("attention/decode"),
                flags: flags.chain(index_flags(self.request.inputs[3].dtype)).collect(),
                constants: vec![("ROWS", ConstantValue::U32(each as u32))],
                needs: Needs::default(),
            },
            bindings: (0..4)
                .map(BindTo::Input)
                .chain([out, BindTo::Status])
                .chain(set.paged.then_some(BindTo::Input(4)))
                .collect(),
            params,
            grid: Grid::Linear(groups as u64),
            flat: None,
        }
    }

    /// A workgroup takes all keys of its rows.
    fn whole(&self) -> Lowering {
        Lowering::single("whole", self.dispatch(BindTo::Output(0), 1, None))
    }

    /// Each row's keys in so many parts, and a second dispatch that puts the parts together in their order.
    fn split(&self, splits: usize) -> Lowering {
        let s = &self.s;
        let outputs = self.request.outputs[0].layout.count();
        let rows = s.batch * s.heads * s.queries;
        let join = DispatchSpec {
            kernel: Kernel {
                name: "attention_decode_join".into(),
                ..Kernel::named("attention/decode_join", Vec::new())
            },
            bindings: vec![BindTo::ScratchRead(0), BindTo::Output(0)],
            params: Params::new().u32(outputs).u32(s.value_size).u32(splits).u32(0usize),
            grid: Grid::Linear(outputs.div_ceil(256) as u64),
            flat: None,
        };
        Lowering {
            variant: "split",
            scratch: vec![Scratch { dtype: DType::F32, count: rows * splits * (s.value_size + 2) }],
            dispatches: vec![self.dispatch(BindTo::Scratch(0), splits, Some("split")), join],
        }
    }
}
