//! New rows into a cache, each sequence's at its own position: in place where the cache is a slot that the run updates.

#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Cost, Op, Reference, Registered, gather_rows::index_flags, no_gradient};
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
    attributes: "",
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
        ]
    }),
};

/// (cache, rows, positions) → cache.
#[derive(Clone, Debug)]
struct CacheAppend;

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
        self.graph().apply_one(CacheAppend, &[self, rows, positions], Site::here())
    }
}

/// A position as an index, or the message that its rows would lie outside.
fn place(value: i64, at: usize, room: usize) -> Result<usize, String> {
    usize::try_from(value)
        .ok()
        .filter(|&n| n <= room)
        .ok_or_else(|| format!("position {value} at {at} lies outside 0..={room}"))
}

impl Op for CacheAppend {
    fn name(&self) -> &str {
        "cache_append"
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (cache, rows, positions) = (&inputs[0], &inputs[1], &inputs[2]);
        if rows.dtype != cache.dtype {
            return Err(format!("the rows are {rows}, the cache is {cache}: they must be of one type"));
        }
        let ([b, h, c, d], [rb, rh, l, rd]) = (cache.shape.dims(), rows.shape.dims()) else {
            return Err(format!("the cache is {cache}, the rows are {rows}; both must have 4 dimensions"));
        };
        if [b, h, d] != [rb, rh, rd] {
            return Err(format!("the rows are {rows}; into a cache {cache} they must be [{b}, {h}, L, {d}]"));
        }
        if let (Some(l), Some(c)) = (l.fixed(), c.fixed())
            && l > c
        {
            return Err(format!("{l} rows at a time into a cache that has room for {c}"));
        }
        if !positions.dtype.is_index() || positions.shape.dims() != &cache.shape.dims()[..1] {
            return Err(format!("the positions are {positions}; they must be i32 or u32 [B] = [{b}]"));
        }
        Ok(vec![cache.clone()])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (cache, rows, positions) = (&inputs[0], &inputs[1], &inputs[2]);
        let [b, h, c, d] = [0, 1, 2, 3].map(|i| cache.shape[i]);
        let l = rows.shape[2];
        outputs[0].data.clone_from(&cache.data);
        for (b, h) in (0..b).flat_map(|b| (0..h).map(move |h| (b, h))) {
            let first = place(positions.data[b] as i64, b, c - l)?;
            let head = b * cache.shape[1] + h;
            let to = &mut outputs[0].data[(head * c + first) * d..][..l * d];
            to.copy_from_slice(&rows.data[head * l * d..][..l * d]);
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (cache, rows) = (&io.inputs[0], &io.inputs[1]);
        let (Some(new), Some(positions)) = (rows.f32_strided(), io.inputs[2].indices()) else {
            return Ok(false);
        };
        let [b, h, c, d] = [0, 1, 2, 3].map(|i| cache.layout.shape()[i]);
        let (l, from, steps) = (rows.layout.shape()[2], rows.layout.offset(), rows.layout.strides());
        let positions = positions.iter().enumerate().map(|(at, &p)| place(p, at, c - l));
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
        if l * d == 0 {
            return Ok(true);
        }
        for (b, h) in (0..b).flat_map(|b| (0..h).map(move |h| (b, h))) {
            let head = b * io.inputs[0].layout.shape()[1] + h;
            let to = out[(head * c + positions[b]) * d..][..l * d].chunks_exact_mut(d);
            for (i, to) in to.enumerate() {
                to.copy_from_slice(&new[from + b * steps[0] + h * steps[1] + i * steps[2]..][..d]);
            }
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let dtype = request.inputs[0].dtype;
        if dtype.bytes() != 4 {
            return Err(format!("a cache of {dtype} is on the CPU only; cast first"));
        }
        let (cache, rows) = (&request.inputs[0].layout, &request.inputs[1].layout);
        let [h, c, d] = [1, 2, 3].map(|i| cache.shape()[i]);
        let l = rows.shape()[2];
        let alone = request.alias_of(0).is_some();
        let count = if alone { rows.count() } else { cache.count() };
        let mut flags = index_flags(request.inputs[2].dtype);
        flags.extend(alone.then_some("in_place"));
        let mut bindings = vec![BindTo::Input(1), BindTo::Input(2), BindTo::Output(0), BindTo::Status];
        bindings.extend((!alone).then_some(BindTo::Input(0)));
        let steps = rows.strides();
        let params = [count, h, c, l, d, 0, 0, 0, rows.offset(), steps[0], steps[1], steps[2]]
            .into_iter()
            .fold(Params::new(), Params::u32);
        Ok(vec![Lowering::single(
            if alone { "in_place" } else { "copied" },
            DispatchSpec {
                kernel: Kernel {
                    name: "cache_append".into(),
                    source: Source::Named("cache_append"),
                    flags,
                    constants: Vec::new(),
                    needs: Needs::default(),
                },
                bindings,
                params,
                grid: Grid::Linear(count.div_ceil(256) as u64),
                flat: None,
            },
        )])
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
        Some((2, inputs[0][2].saturating_sub(inputs[1][2]) + 1))
    }

    /// In place.
    fn cost(&self, inputs: &[(DType, Layout)], _: &[(DType, Layout)]) -> Cost {
        let bytes = |(dtype, layout): &(DType, Layout)| (dtype.bytes() * layout.count()) as f64;
        Cost { flops: 0.0, bytes: 2.0 * bytes(&inputs[1]) + bytes(&inputs[2]) }
    }
}
