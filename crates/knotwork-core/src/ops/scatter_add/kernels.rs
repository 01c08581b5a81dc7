//! The dispatches of a sum scattered along a dimension: elements put where they belong where no index comes twice; else
//! each output looks for its indices, or the indices of all rows are sorted together, as those of `scatter_add_rows` are.

use crate::{
    DType,
    ops::{gather::rows_of, gather_rows::index_flags, scatter_add_rows::kernels as by_rows},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};

/// Up to so many indices a thread may look through all of a row.
const DIRECT: usize = 1 << 14;
/// Looks in all up to which that is faster than sorting.
const LOOKS: usize = 1 << 25;

pub(super) fn lower(request: &KernelRequest<'_>, unique: bool) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
    }
    let (n, rows) = rows_of(request.inputs[1].layout.shape());
    let (length, _) = rows_of(request.outputs[0].layout.shape());
    let sizes = Sizes { n, rows, length, index: request.inputs[1].dtype };
    if n == 0 {
        return Ok(vec![sizes.direct()]);
    }
    if unique {
        return Ok(vec![sizes.unique()]);
    }
    let sorted = by_rows::sorted_along(rows, n, length, sizes.index);
    let looks = n.saturating_mul(rows).saturating_mul(length);
    match sorted {
        Ok(sorted) if n > DIRECT => Ok(vec![sorted]),
        Ok(sorted) if looks > LOOKS => Ok(vec![sorted, sizes.direct()]),
        Ok(sorted) => Ok(vec![sizes.direct(), sorted]),
        Err(_) if n <= DIRECT => Ok(vec![sizes.direct()]),
        Err(limit) => Err(limit),
    }
}

struct Sizes {
    n: usize,
    rows: usize,
    length: usize,
    index: DType,
}

impl Sizes {
    fn dispatch(
        &self,
        source: &'static str,
        flags: Vec<&'static str>,
        bindings: Vec<BindTo>,
        count: usize,
    ) -> DispatchSpec {
        DispatchSpec {
            kernel: Kernel {
                name: source.replace('/', "_"),
                source: Source::Named(source),
                flags,
                constants: Vec::new(),
                needs: Needs::default(),
            },
            bindings,
            params: Params::new().u32(count).u32(self.length).u32(self.n).u32(0usize),
            grid: Grid::Linear(count.div_ceil(256) as u64),
            flat: None,
        }
    }

    /// What a kernel reads and writes where there are indices.
    fn all(&self) -> Vec<BindTo> {
        vec![BindTo::Output(0), BindTo::Input(0), BindTo::Input(1), BindTo::Status]
    }

    fn direct(&self) -> Lowering {
        let mut flags = index_flags(self.index);
        let mut bindings = vec![BindTo::Output(0)];
        if self.n > 0 {
            flags.push("some");
            bindings = self.all();
        }
        let count = self.rows * self.length;
        Lowering::single("direct", self.dispatch("scatter_add/direct", flags, bindings, count))
    }

    fn unique(&self) -> Lowering {
        let put =
            self.dispatch("scatter_add/unique", index_flags(self.index), self.all(), self.rows * self.n);
        if self.n == self.length {
            // Every element is written.
            return Lowering::single("put", put);
        }
        let count = self.rows * self.length;
        let zeros = self.dispatch("scatter_add/zeros", Vec::new(), vec![BindTo::Output(0)], count);
        Lowering { variant: "put", scratch: Vec::new(), dispatches: vec![zeros, put] }
    }
}
