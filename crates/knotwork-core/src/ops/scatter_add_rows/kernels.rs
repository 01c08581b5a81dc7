//! The dispatches of a scattered sum: each output looks for its indices, or the indices are sorted first.

use crate::{
    DType,
    ops::gather_rows::index_flags,
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};

/// Up to so many indices a thread may look through all of them.
const DIRECT: usize = 1 << 14;
/// Looks in all up to which that is faster than sorting.
const LOOKS: usize = 1 << 25;
/// Values of a digit of the sort, as bits.
const DIGIT: usize = 8;
/// Indices that one workgroup sorts.
const BLOCK: usize = 1024;
/// Sorted indices whose rows are summed by themselves where all of them name one row.
const CHUNK: usize = 512;
/// No invocation may take more turns than 65,535; the sums over blocks and chunks stay below with so many indices.
const MOST: usize = 1 << 24;

const KEYS: [usize; 2] = [0, 2];
const POSITIONS: [usize; 2] = [1, 3];
const COUNTS: usize = 4;
const TOTALS: usize = 5;

pub(super) fn lower(request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
    }
    let count = request.inputs[1].layout.count();
    let sizes = Sizes {
        count,
        each: count,
        tables: 1,
        rows: request.outputs[0].layout.shape()[0],
        columns: request.outputs[0].layout.shape()[1],
        index: request.inputs[1].dtype,
    };
    sizes.check()?;
    let looks = sizes.count.saturating_mul(sizes.rows).saturating_mul(sizes.columns);
    Ok(if sizes.count > DIRECT {
        vec![sizes.sorted()]
    } else if looks > LOOKS {
        vec![sizes.sorted(), sizes.direct()]
    } else if sizes.count > 0 {
        vec![sizes.direct(), sizes.sorted()]
    } else {
        vec![sizes.direct()]
    })
}

/// The variant that sorts, for elements scattered along rows: `tables` rows of `each` indices into rows of `length`. Every
/// element of the result is a row of its own.
pub(in crate::ops) fn sorted_along(
    tables: usize,
    each: usize,
    length: usize,
    index: DType,
) -> Result<Lowering, String> {
    let sizes = Sizes { count: tables * each, each, tables, rows: length, columns: 1, index };
    sizes.check()?;
    Ok(sizes.sorted())
}

struct Sizes {
    count: usize,
    /// Indices of a table, and the number of tables, each of `rows` rows.
    each: usize,
    tables: usize,
    rows: usize,
    columns: usize,
    index: DType,
}

impl Sizes {
    fn check(&self) -> Result<(), String> {
        if self.count > MOST {
            return Err(format!("{} indices; the kernels add up to {MOST} rows", self.count));
        }
        Ok(())
    }

    fn dispatch(
        &self,
        source: &'static str,
        flags: Vec<&'static str>,
        bindings: Vec<BindTo>,
        extra: [usize; 1],
        groups: usize,
    ) -> DispatchSpec {
        let params = Params::new().u32(self.count).u32(self.rows).u32(self.columns).u32(extra[0]);
        DispatchSpec {
            kernel: Kernel {
                name: source.replace('/', "_"),
                source: Source::Named(source),
                flags,
                constants: Vec::new(),
                needs: Needs::default(),
            },
            bindings,
            params,
            grid: Grid::Linear(groups as u64),
            flat: None,
        }
    }

    fn direct(&self) -> Lowering {
        let mut flags = index_flags(self.index);
        let mut bindings = vec![BindTo::Output(0)];
        if self.count > 0 {
            flags.push("some");
            bindings.extend([BindTo::Input(0), BindTo::Input(1), BindTo::Status]);
        }
        let groups = (self.rows * self.columns).div_ceil(256);
        Lowering::single("direct", self.dispatch("scatter_add_rows/direct", flags, bindings, [0], groups))
    }

    fn sorted(&self) -> Lowering {
        use BindTo::{Input, Output, Scratch as Write, ScratchRead as Read};
        let all_rows = self.tables * self.rows;
        let (blocks, chunks) = (self.count.div_ceil(BLOCK), self.count.div_ceil(CHUNK));
        let bits = (usize::BITS - all_rows.saturating_sub(1).leading_zeros()) as usize;
        let none = Vec::new;
        let mut all = vec![self.dispatch(
            "sort/keys",
            index_flags(self.index),
            vec![Input(1), Write(KEYS[0]), Write(POSITIONS[0]), BindTo::Status],
            [self.each.max(1)],
            self.count.div_ceil(256),
        )];
        let mut at = 0;
        for pass in 0..bits.div_ceil(DIGIT) {
            let (from, to, shift) = (at, 1 - at, [pass * DIGIT]);
            let count = vec![Read(KEYS[from]), Write(COUNTS)];
            all.push(self.dispatch("sort/count", none(), count, shift, blocks));
            all.push(self.dispatch("sort/offsets", none(), vec![Write(COUNTS)], shift, 1));
            let place = vec![
                Read(KEYS[from]),
                Read(POSITIONS[from]),
                Read(COUNTS),
                Write(KEYS[to]),
                Write(POSITIONS[to]),
            ];
            all.push(self.dispatch("sort/place", none(), place, shift, blocks));
            at = to;
        }
        let sorted = [Read(KEYS[at]), Read(POSITIONS[at]), Input(0)];
        let bindings = sorted.iter().copied().chain([Write(TOTALS)]).collect();
        let groups = (chunks * self.columns).div_ceil(256);
        all.push(self.dispatch("scatter_add_rows/chunks", none(), bindings, [0], groups));
        let bindings = sorted.iter().copied().chain([Read(TOTALS), Output(0)]).collect();
        let groups = (all_rows * self.columns).div_ceil(256);
        let whole = Self { rows: all_rows, ..*self };
        all.push(whole.dispatch("scatter_add_rows/finish", none(), bindings, [0], groups));
        let scratch = |dtype, count: usize| Scratch { dtype, count: count.max(1) };
        let list = scratch(DType::U32, self.count);
        Lowering {
            variant: "sorted",
            scratch: vec![
                list,
                list,
                list,
                list,
                scratch(DType::U32, blocks << DIGIT),
                scratch(DType::F32, chunks * self.columns),
            ],
            dispatches: all,
        }
    }
}
