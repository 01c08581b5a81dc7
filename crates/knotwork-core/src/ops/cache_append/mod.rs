//! New rows into a cache, each sequence's at its own position: in place where the cache is a slot that the run updates.

#[cfg(test)]
mod tests;

use super::{
    Case, CaseInput, Cases, Cost, Op, Reference, Registered, gather_rows::index_flags, no_gradient,
    page_table,
};
use crate::{
    DType, Layout, Result, Site,
    autodiff::GradContext,
    cpu::{CpuIo, Slice},
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};

pub(super) const REGISTERED: Registered = Registered {
    name: "cache_append",
    formula: "the cache with rows positions[b] to positions[b] + L − 1 of sequence b replaced",
    inputs: "cache [B, H, C, D]; rows [B, H, L, D]; positions [B] (i32 or u32)",
    attributes: "pages",
    types: "any; no gradient",
    source: "TensorScatter of ONNX 1.20",
    cases: Cases::Listed(|| {
        let case = |name: &str, [b, h, c, l, d]: [usize; 5]| {
            let inputs = vec![
                CaseInput::new(&[b, h, c, d]),
                CaseInput::new(&[b, h, l, d]),
                CaseInput::index(&[b], c - l + 1),
            ];
            Case::new(name, inputs, |t| Ok(vec![t[0].cache_append(&t[1], &t[2])?])).no_gradient()
        };
        vec![
            case("a row each", [3, 2, 9, 1, 5]),
            case("three rows each", [4, 3, 33, 3, 8]),
            case("as many as there is room for", [2, 1, 4, 4, 3]),
            case("no row", [2, 2, 3, 0, 4]),
            // One sequence: two could have a page in common.
            {
                let mut one = case("over pages", [1, 2, 12, 5, 3]);
                one.inputs[0] = CaseInput::new(&[7, 2, 4, 3]);
                one.build = std::sync::Arc::new(|t| {
                    let table = t[0].graph().tensor(crate::HostTensor::new(&[4i32, 0, 6], [1, 3])?)?;
                    Ok(vec![t[0].cache_append_paged(&t[1], &t[2], &table)?])
                });
                one
            },
        ]
    }),
};

/// (cache, rows, positions, and the page table where there is one) → cache.
#[derive(Clone, Debug)]
struct CacheAppend {
    paged: bool,
}

/// The sizes of a call.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    batch: usize,
    heads: usize,
    /// Rows of a page, and pages of a sequence; one as long as the cache where it is not paged.
    page: usize,
    pages: usize,
    count: usize,
    size: usize,
}

impl Tensor {
    /// The cache `[B, H, C, D]` (self) with the `rows` `[B, H, L, D]` in place of those from `positions[b]` on in sequence b;
    /// `positions` is `[B]` of i32 or u32. Assigned to the state that it is made of, it is done in place, and costs the new
    /// rows only: so a cache of keys grows from step to step, with [`attention_decode`](Self::attention_decode) behind it.
    ///
    /// ```
    /// # use knotwork_core::{DType, Device, Graph, HostTensor, ops::Decode};
    /// let g = Graph::new();
    /// let zeros = |n: usize| HostTensor::new(&vec![0.0f32; n], [1, 1, n, 1]);
    /// let (keys, values) = (g.state("keys", "cache", zeros(4)?)?, g.state("values", "cache", zeros(4)?)?);
    /// let length = g.state("length", "cache", HostTensor::new(&[0i32], [1])?)?;
    /// let [q, k, v] = ["q", "k", "v"].map(|name| g.input(name, DType::F32, [1, 1, 1, 1]));
    /// let (q, k, v) = (q?, k?, v?);
    /// // The new values of the states; the attention reads those.
    /// let (new_keys, new_values) = (keys.cache_append(&k, &length)?, values.cache_append(&v, &length)?);
    /// let new_length = length.add(1.0)?;
    /// let y = q.attention_decode(&new_keys, &new_values, &new_length, &Decode::new())?;
    /// let step = g.assign(&keys, &new_keys)?.and(g.assign(&values, &new_values)?)?.and(g.assign(&length, &new_length)?)?;
    /// let mut program = Device::cpu().compile(&g, &[&y], &[&step])?;
    /// for (value, want) in [(4.0f32, 4.0f32), (8.0, 6.0)] {
    ///     let one = |x: f32| HostTensor::new(&[x], [1, 1, 1, 1]);
    ///     let out = program.run([("q", one(1.0)?), ("k", one(0.5)?), ("v", one(value)?)])?.wait()?;
    ///     assert_eq!(out[0].as_slice::<f32>()?, &[want]);
    /// }
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where shapes or types do not fit. A position outside 0..=C − L is refused before the run where it is an input of the
    /// program, else clamped, counted and reported with the results.
    #[track_caller]
    pub fn cache_append(&self, rows: &Self, positions: &Self) -> Result<Self> {
        self.graph().apply_one(CacheAppend { paged: false }, &[self, rows, positions], Site::here())
    }

    /// The same for a cache in pages, `[P, H, S, D]` (self): row n of sequence b lies in page `table[b, n / S]`. The table is
    /// `[B, N]` of i32 or u32, its entries in 0..P; a sequence has room for NS rows. Pages that are written must belong to one
    /// sequence each, else it is not said which row stays. See [`Decode::pages`](crate::ops::Decode::pages).
    ///
    /// ```
    /// # use knotwork_core::{DType, Device, Graph, HostTensor};
    /// let g = Graph::new();
    /// let cache = g.tensor(HostTensor::new(&[0.0f32; 6], [3, 1, 2, 1])?)?;
    /// let rows = g.tensor(HostTensor::new(&[7.0f32], [1, 1, 1, 1])?)?;
    /// let position = g.tensor(HostTensor::new(&[3i32], [1])?)?;
    /// let table = g.tensor(HostTensor::new(&[2i32, 1], [1, 2])?)?;
    /// let y = cache.cache_append_paged(&rows, &position, &table)?;
    /// let out = Device::cpu().compile(&g, &[&y], &[])?.run::<HostTensor>([])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[0.0, 0.0, 0.0, 7.0, 0.0, 0.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`cache_append`](Self::cache_append), and likewise where a page lies outside the cache.
    #[track_caller]
    pub fn cache_append_paged(&self, rows: &Self, positions: &Self, table: &Self) -> Result<Self> {
        let site = Site::here();
        let table = page_table::checked(table, self, site)?;
        self.graph().apply_one(CacheAppend { paged: true }, &[self, rows, positions, &table], site)
    }
}

/// A position as an index, or the message that its rows would lie outside.
fn place(value: i64, at: usize, room: usize) -> Result<usize, String> {
    usize::try_from(value)
        .ok()
        .filter(|&n| n <= room)
        .ok_or_else(|| format!("position {value} at {at} lies outside 0..={room}"))
}

impl CacheAppend {
    /// From the shapes of the inputs.
    fn sizes(&self, shapes: &[&[usize]]) -> Sizes {
        let (cache, rows) = (shapes[0], shapes[1]);
        let pages = if self.paged { shapes[3][1] } else { 1 };
        Sizes { batch: rows[0], heads: cache[1], page: cache[2], pages, count: rows[2], size: cache[3] }
    }
}

impl Sizes {
    /// The last place where the rows fit.
    fn room(&self) -> usize {
        (self.page * self.pages).saturating_sub(self.count)
    }

    /// Where a row of the cache begins.
    fn start(&self, table: &[i64], batch: usize, head: usize, row: usize) -> usize {
        let page = match table {
            [] => batch,
            table => table[batch * self.pages + row / self.page] as usize,
        };
        ((page * self.heads + head) * self.page + row % self.page) * self.size
    }

    /// Batch, head and row of all new rows.
    fn rows(self) -> impl Iterator<Item = [usize; 3]> {
        let Self { batch, heads, count, .. } = self;
        (0..batch * heads * count).map(move |n| [n / (heads * count), n / count % heads, n % count])
    }
}

impl Op for CacheAppend {
    fn name(&self) -> &str {
        "cache_append"
    }

    fn attributes(&self) -> String {
        format!("paged={}", self.paged)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (cache, rows, positions) = (&inputs[0], &inputs[1], &inputs[2]);
        if rows.dtype != cache.dtype {
            return Err(format!("the rows are {rows}, the cache is {cache}: they must be of one type"));
        }
        let ([cb, h, c, d], [b, rh, l, rd]) = (cache.shape.dims(), rows.shape.dims()) else {
            return Err(format!("the cache is {cache}, the rows are {rows}; both must have 4 dimensions"));
        };
        if !self.paged && cb != b || h != rh || d != rd {
            let batch = if self.paged { "B".into() } else { cb.to_string() };
            return Err(format!(
                "the rows are {rows}; into a cache {cache} they must be [{batch}, {h}, L, {d}]"
            ));
        }
        if !positions.dtype.is_index() || positions.shape.dims() != &rows.shape.dims()[..1] {
            return Err(format!("the positions are {positions}; they must be i32 or u32 [B] = [{b}]"));
        }
        let mut pages = Some(1);
        if self.paged {
            if let Some(fault) = page_table::fault(&inputs[3], b) {
                return Err(fault);
            }
            if c.fixed() == Some(0) {
                return Err(format!("the cache is {cache}: its pages hold no row"));
            }
            pages = inputs[3].shape.dims()[1].fixed();
        }
        if let (Some(l), Some(c), Some(pages)) = (l.fixed(), c.fixed(), pages)
            && l > c * pages
        {
            return Err(format!("{l} rows at a time into a cache that has room for {}", c * pages));
        }
        Ok(vec![cache.clone()])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|i| i.shape.as_slice()).collect();
        let s = self.sizes(&shapes);
        let table: Vec<i64> =
            inputs.get(3).map_or_else(Vec::new, |t| t.data.iter().map(|&x| x as i64).collect());
        outputs[0].data.clone_from(&inputs[0].data);
        for (n, [b, h, i]) in s.rows().enumerate() {
            let first = place(inputs[2].data[b] as i64, b, s.room())?;
            let to = s.start(&table, b, h, first + i);
            outputs[0].data[to..to + s.size].copy_from_slice(&inputs[1].data[n * s.size..][..s.size]);
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let shapes: Vec<&[usize]> = io.inputs.iter().map(|i| i.layout.shape()).collect();
        let (s, cache, rows) = (self.sizes(&shapes), &io.inputs[0], &io.inputs[1]);
        let (Some(new), Some(positions)) = (rows.f32_strided(), io.inputs[2].indices()) else {
            return Ok(false);
        };
        let table = match io.inputs.get(3).map(|t| t.indices()) {
            None => Vec::new(),
            Some(Some(table)) => table,
            Some(None) => return Ok(false),
        };
        let positions = positions.iter().enumerate().map(|(at, &p)| place(p, at, s.room()));
        let positions = positions.collect::<Result<Vec<usize>, _>>()?;
        let held = match cache.data {
            Slice::InOutput(_) => None,
            _ => match cache.f32() {
                Some(held) => Some(held),
                None => return Ok(false),
            },
        };
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        if let Some(held) = held {
            out.copy_from_slice(held);
        }
        let steps = rows.layout.strides();
        for [b, h, i] in s.rows() {
            let at = rows.layout.offset() + b * steps[0] + h * steps[1] + i * steps[2];
            let to = s.start(&table, b, h, positions[b] + i);
            out[to..to + s.size].copy_from_slice(&new[at..at + s.size]);
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let dtype = request.inputs[0].dtype;
        if dtype.bytes() != 4 {
            return Err(format!("a cache of {dtype} is on the CPU only; cast first"));
        }
        let shapes: Vec<&[usize]> = request.inputs.iter().map(|i| i.layout.shape()).collect();
        let (s, rows) = (self.sizes(&shapes), &request.inputs[1].layout);
        let dispatch = |count: usize, flags: Vec<&'static str>, bindings: Vec<BindTo>| {
            let steps = rows.strides();
            let params = [count, s.heads, s.page, s.pages, s.count, s.size, s.room(), 0]
                .into_iter()
                .chain([rows.offset(), steps[0], steps[1], steps[2]])
                .fold(Params::new(), Params::u32);
            DispatchSpec {
                kernel: Kernel {
                    name: if flags.contains(&"copy") { "cache_append_copy" } else { "cache_append" }.into(),
                    source: Source::Named("cache_append"),
                    flags,
                    constants: Vec::new(),
                    needs: Needs::default(),
                },
                bindings,
                params,
                grid: Grid::Linear(count.div_ceil(256) as u64),
                flat: None,
            }
        };
        let mut flags = index_flags(request.inputs[2].dtype);
        flags.extend(self.paged.then_some("paged"));
        let bindings = [BindTo::Input(1), BindTo::Input(2), BindTo::Output(0), BindTo::Status];
        let bindings = bindings.into_iter().chain(self.paged.then_some(BindTo::Input(3))).collect();
        let append = dispatch(rows.count(), flags, bindings);
        if request.alias_of(0).is_some() {
            return Ok(vec![Lowering::single("in_place", append)]);
        }
        let count = request.inputs[0].layout.count();
        let copy = dispatch(count, vec!["copy"], vec![BindTo::Input(0), BindTo::Output(0)]);
        Ok(vec![Lowering { variant: "copied", scratch: Vec::new(), dispatches: vec![copy, append] }])
    }

    fn grad(&self, _: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient("a cache is for inference; `attention` over whole sequences has gradients"))
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 0)]
    }

    /// The new rows lie anywhere; the elements of a row lie side by side.
    fn accepts(&self, input: usize, layout: &Layout) -> bool {
        layout.is_contiguous() || (input == 1 && (layout.shape()[3] <= 1 || layout.strides()[3] == 1))
    }

    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        let shapes: Vec<&[usize]> = inputs.iter().map(Vec::as_slice).collect();
        Some((2, self.sizes(&shapes).room() + 1))
    }

    /// In place.
    fn cost(&self, inputs: &[(DType, Layout)], _: &[(DType, Layout)]) -> Cost {
        let bytes = |(dtype, layout): &(DType, Layout)| (dtype.bytes() * layout.count()) as f64;
        Cost { flops: 0.0, bytes: 2.0 * bytes(&inputs[1]) + bytes(&inputs[2]) }
    }
}
