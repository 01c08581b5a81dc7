//! The dispatches of sparse products: a result is summed by one thread or by several of a workgroup, whatever the rows.

use super::op::{Kind, Sizes, Sparse};
use crate::{
    DType,
    ops::gather_rows::index_flags,
    plan::{
        BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source, Speed,
    },
};

const THREADS: usize = 256;
/// Terms of a result, on average, from which several threads share it.
const LONG: usize = 32;
/// Results from which a device is full with a thread for each.
const FILLED: usize = 1 << 16;
/// Turns that all loops of an invocation may take on software drivers: lavapipe ends them at 65,535 without a word.
const TURNS: usize = 60_000;
/// Values of a digit of the sort, as bits.
const DIGIT: usize = 8;
/// Indices that one workgroup sorts.
const SORTED: usize = 1024;

/// The kernels that go in fours.
const FOURS: [&str; 3] = ["sparse/fours/product", "sparse/fours/transposed", "sparse/fours/sampled"];

const ROWS: usize = 0;
const KEYS: [usize; 2] = [1, 3];
const POSITIONS: [usize; 2] = [2, 4];
const COUNTS: usize = 5;

pub(super) fn lower(op: &Sparse, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    let dtype = request.outputs[0].dtype;
    if dtype != DType::F32 {
        return Err(format!("{dtype} runs on the CPU only"));
    }
    let sizes = op.sizes(|i| request.inputs[i].layout.shape().to_vec(), request.outputs[0].layout.shape());
    let at = op.pattern_at();
    let make = Make {
        sizes,
        at,
        count: request.outputs[0].layout.count(),
        some: request.inputs.iter().all(|i| i.layout.count() > 0),
        indptr: request.inputs[at].dtype,
        indices: request.inputs[at + 1].dtype,
    };
    // One row may hold all entries: no invocation may take more turns than there are.
    let software = request.capabilities.speed == Speed::SOFTWARE;
    let turns = if software { TURNS } else { usize::MAX };
    let (terms, worst, fours_worst) = match op.kind {
        Kind::Sampled => (sizes.columns, sizes.columns, 3 * sizes.columns),
        _ => {
            let rows = if matches!(op.kind, Kind::Product) { sizes.rows } else { sizes.bound };
            let turns = |each: usize| sizes.entries.saturating_mul(each);
            // Blocks of four rows take five turns for four terms, and now and then some to add up.
            let fours = if sizes.side.is_multiple_of(4) { 2 * sizes.side + 3 } else { sizes.side + 2 };
            (average(sizes, rows), turns(sizes.side + 1), turns(fours))
        }
    };
    let least = |worst: usize| worst.div_ceil(turns).max(1).next_power_of_two();
    if least(worst) > THREADS {
        return Err(format!(
            "a sum of up to {worst} turns; the kernels take up to {}",
            turns.saturating_mul(THREADS)
        ));
    }
    let variant = |name, parts, fours| match op.kind {
        Kind::Sampled => make.sampled(name, parts, fours),
        Kind::Product => make.product(name, parts, fours),
        Kind::Transposed { .. } => make.transposed(name, parts, fours),
    };
    if !make.some {
        return Ok(vec![variant("thread", 1, false)]);
    }
    // Few results need several threads each to fill a device; a software driver is filled by anything.
    let long = terms >= LONG && !software;
    let mut all = Vec::new();
    let mut pair = |names: [&'static str; 2], worst: usize, many: usize, together: bool, fours: bool| {
        let least = least(worst);
        if least <= THREADS {
            let group = variant(names[1], many.max(least), fours);
            let thread = (least == 1).then(|| variant(names[0], 1, fours));
            let both = if together { [Some(group), thread] } else { [thread, Some(group)] };
            all.extend(both.into_iter().flatten());
        }
    };
    let fours = sizes.columns.is_multiple_of(4);
    if fours && matches!(op.kind, Kind::Sampled) {
        // Neighbours that share a sum read neighbours.
        let many = (sizes.columns / 4).next_power_of_two().clamp(2, 32);
        pair(["fours", "fours_group"], fours_worst, many, sizes.columns > 16 && !software, true);
    } else if fours {
        let many = (terms / 4).next_power_of_two().clamp(8, 64);
        let few = make.count / make.results() < FILLED;
        pair(["fours", "fours_group"], fours_worst, many, long && few, true);
    }
    let many = (terms / 4).next_power_of_two().clamp(8, 64);
    pair(["thread", "group"], worst, many, terms >= LONG, false);
    Ok(all)
}

fn average(sizes: Sizes, rows: usize) -> usize {
    (sizes.entries * sizes.side).div_ceil(rows.max(1))
}

struct Make {
    sizes: Sizes,
    at: usize,
    count: usize,
    some: bool,
    indptr: DType,
    indices: DType,
}

impl Make {
    fn dispatch(
        &self,
        source: &'static str,
        mut flags: Vec<&'static str>,
        parts: usize,
        bindings: Vec<BindTo>,
        groups: usize,
    ) -> DispatchSpec {
        let s = self.sizes;
        if self.some {
            flags.push("some");
        }
        let constants = if parts > 0 { vec![("PARTS", (parts as u32).into())] } else { Vec::new() };
        DispatchSpec {
            kernel: Kernel {
                name: source.replace('/', "_"),
                source: Source::Named(source),
                flags,
                constants,
                needs: Needs::default(),
            },
            bindings,
            params: Params::new()
                .u32(self.count)
                .u32(s.rows)
                .u32(s.entries)
                .u32(s.bound)
                .u32(s.columns)
                .u32(s.side)
                .u32(0usize)
                .u32(0usize),
            grid: Grid::Linear(groups as u64),
            flat: None,
        }
    }

    /// The row of each entry; indptr is checked on the way.
    fn rows(&self) -> DispatchSpec {
        let bindings = vec![BindTo::Input(self.at), BindTo::Scratch(ROWS), BindTo::Status];
        let groups = self.sizes.entries.max(self.sizes.rows).max(1).div_ceil(THREADS);
        self.dispatch("sparse/rows", index_flags(self.indptr), 0, bindings, groups)
    }

    fn groups(&self, parts: usize) -> usize {
        self.count.div_ceil(THREADS / parts)
    }

    fn scratch(count: usize) -> Scratch {
        Scratch { dtype: DType::U32, count: count.max(1) }
    }

    /// Zeros, where there is no entry or nothing to sum; the pattern is checked all the same.
    fn zeros(&self, variant: &'static str, source: &'static str) -> Lowering {
        Lowering {
            variant,
            scratch: vec![Self::scratch(self.sizes.entries)],
            dispatches: vec![
                self.rows(),
                self.dispatch(source, Vec::new(), 1, vec![BindTo::Output(0)], self.groups(1)),
            ],
        }
    }

    /// Elements of the result that a thread of the kernels in fours makes.
    fn results(&self) -> usize {
        if self.sizes.side.is_multiple_of(4) { 16 } else { 4 }
    }

    /// A dispatch of a product's kernel, or of that which goes in fours.
    fn main(
        &self,
        [plain, fours]: [&'static str; 2],
        in_fours: bool,
        mut flags: Vec<&'static str>,
        parts: usize,
        bindings: Vec<BindTo>,
    ) -> DispatchSpec {
        if !in_fours {
            return self.dispatch(plain, flags, parts, bindings, self.groups(parts));
        }
        let blocks = self.sizes.side.is_multiple_of(4);
        flags.extend(blocks.then_some("blocks"));
        // One vector of columns is a result of the sums; a sampled product has one element, or a block of 4 x 4.
        let sampled = fours == FOURS[2];
        let results = self.count / if sampled && !blocks { 1 } else { self.results() };
        let mut one = self.dispatch(fours, flags, parts, bindings, results.div_ceil(THREADS / parts));
        one.kernel.flags.retain(|flag| *flag != "some");
        if !sampled {
            one.kernel.constants.push(("ROWS", (if blocks { 4u32 } else { 1 }).into()));
        }
        one
    }

    fn product(&self, variant: &'static str, parts: usize, fours: bool) -> Lowering {
        use BindTo::{Input, Output, Status};
        if !self.some {
            return self.zeros(variant, "sparse/product");
        }
        let mut flags = index_flags(self.indices);
        if self.indptr == DType::U32 {
            flags.push("unsigned_indptr");
        }
        let bindings = vec![Output(0), Input(1), Input(2), Input(0), Input(3), Status];
        Lowering::single(variant, self.main(["sparse/product", FOURS[0]], fours, flags, parts, bindings))
    }

    fn sampled(&self, variant: &'static str, parts: usize, fours: bool) -> Lowering {
        use BindTo::{Input, Output, ScratchRead, Status};
        if !self.some {
            return self.zeros(variant, "sparse/sampled");
        }
        let bindings = vec![Output(0), ScratchRead(ROWS), Input(1), Input(2), Input(3), Status];
        let flags = index_flags(self.indices);
        Lowering {
            variant,
            scratch: vec![Self::scratch(self.sizes.entries)],
            dispatches: vec![
                self.rows(),
                self.main(["sparse/sampled", FOURS[2]], fours, flags, parts, bindings),
            ],
        }
    }

    fn transposed(&self, variant: &'static str, parts: usize, fours: bool) -> Lowering {
        use BindTo::{Input, Output, Scratch as Write, ScratchRead as Read};
        if !self.some {
            return self.zeros(variant, "sparse/transposed");
        }
        let s = self.sizes;
        let blocks = s.entries.div_ceil(SORTED);
        let bits = (usize::BITS - s.bound.saturating_sub(1).leading_zeros()) as usize;
        let sort = |source: &'static str, flags, bindings, shift: usize, groups| {
            let mut one = self.dispatch(source, flags, 0, bindings, groups);
            one.kernel.flags.retain(|flag| *flag != "some");
            one.params = Params::new().u32(s.entries).u32(s.bound).u32(s.columns).u32(shift);
            one
        };
        let keys = vec![Input(2), Write(KEYS[0]), Write(POSITIONS[0]), BindTo::Status];
        let mut all = vec![
            self.rows(),
            // One table of all entries.
            sort("sort/keys", index_flags(self.indices), keys, s.entries.max(1), s.entries.div_ceil(THREADS)),
        ];
        let mut at = 0;
        for pass in 0..bits.div_ceil(DIGIT) {
            let (from, to, shift) = (at, 1 - at, pass * DIGIT);
            all.push(sort("sort/count", vec![], vec![Read(KEYS[from]), Write(COUNTS)], shift, blocks));
            all.push(sort("sort/offsets", vec![], vec![Write(COUNTS)], shift, 1));
            let place = vec![
                Read(KEYS[from]),
                Read(POSITIONS[from]),
                Read(COUNTS),
                Write(KEYS[to]),
                Write(POSITIONS[to]),
            ];
            all.push(sort("sort/place", vec![], place, shift, blocks));
            at = to;
        }
        let bindings = vec![Output(0), Read(ROWS), Read(KEYS[at]), Read(POSITIONS[at]), Input(0), Input(3)];
        all.push(self.main(["sparse/transposed", FOURS[1]], fours, vec![], parts, bindings));
        let list = Self::scratch(s.entries);
        Lowering {
            variant,
            scratch: vec![list, list, list, list, list, Self::scratch(blocks << DIGIT)],
            dispatches: all,
        }
    }
}
