//! Attention over a cache as an operation: inputs q, k, v, lengths, and the page table where there is one.

use super::{fast, kernels, reference};
use crate::{
    DType, Layout,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference, no_gradient, page_table},
    plan::{KernelRequest, Lowering},
};

/// The options, without tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Setting {
    pub scale: Option<f64>,
    pub softcap: Option<f64>,
    pub window: Option<usize>,
    pub alibi: bool,
    pub causal: bool,
    pub paged: bool,
}

#[derive(Clone, Debug)]
pub(super) struct DecodeOp {
    pub setting: Setting,
}

/// The sizes of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub batch: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub queries: usize,
    /// Keys that a sequence has room for.
    pub capacity: usize,
    /// Keys of a page, and pages of a sequence; one as long as the cache where it is not paged.
    pub page: usize,
    pub pages: usize,
    /// Of a query and a key; of a value.
    pub size: usize,
    pub value_size: usize,
}

impl Setting {
    pub fn scale_for(&self, size: usize) -> f64 {
        self.scale.unwrap_or(1.0 / (size as f64).sqrt())
    }

    /// The keys that a query sees, of a sequence of `length` keys: a range within 0..length.
    pub fn seen(&self, length: usize, queries: usize, query: usize) -> std::ops::Range<usize> {
        // One past the query's own position; 0 where it stands before all keys.
        let end = (length + query + 1).saturating_sub(queries);
        let first = self.window.map_or(0, |w| end.saturating_sub(w));
        first..if self.causal { end } else { length }
    }
}

/// 2^(−8(h+1)/H)
pub(super) fn alibi_rate(head: usize, heads: usize) -> f64 {
    libm::exp2(-8.0 * (head + 1) as f64 / heads as f64)
}

impl DecodeOp {
    /// From the shapes of the inputs.
    pub fn sizes(&self, shapes: &[&[usize]]) -> Sizes {
        let (q, k, v) = (shapes[0], shapes[1], shapes[2]);
        let pages = if self.setting.paged { shapes[4][1] } else { 1 };
        Sizes {
            batch: q[0],
            heads: q[1],
            kv_heads: k[1],
            queries: q[2],
            capacity: k[2] * pages,
            page: k[2],
            pages,
            size: q[3],
            value_size: v[3],
        }
    }

    fn check_options(&self) -> Result<(), String> {
        let s = &self.setting;
        if let Some(c) = s.softcap.filter(|c| !(c.is_finite() && *c > 0.0)) {
            return Err(format!("softcap is {c}; it must be above 0 and finite"));
        }
        if let Some(scale) = s.scale.filter(|v| !v.is_finite()) {
            return Err(format!("scale is {scale}; it must be finite"));
        }
        if s.window == Some(0) {
            return Err("the window is 0 keys; a query sees its own at least".into());
        }
        Ok(())
    }
}

impl Op for DecodeOp {
    fn name(&self) -> &str {
        "attention_decode"
    }

    fn attributes(&self) -> String {
        let s = &self.setting;
        format!(
            "scale={:?} softcap={:?} window={:?} alibi={} causal={} paged={}",
            s.scale, s.softcap, s.window, s.alibi, s.causal, s.paged
        )
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (q, k, v, lengths) = (&inputs[0], &inputs[1], &inputs[2], &inputs[3]);
        for (name, m) in [("q", q), ("k", k), ("v", v)] {
            if !matches!(m.dtype, DType::F32 | DType::F64) {
                return Err(format!("{name} is {m}; it takes f32 or f64"));
            }
            if m.dtype != q.dtype {
                return Err(format!("{name} is {m}, q is {q}: they must be of one type"));
            }
            if m.shape.rank() != 4 {
                return Err(format!("{name} is {m}; it must have 4 dimensions, [B, heads, length, size]"));
            }
        }
        let [qd, kd, vd] = [q, k, v].map(|m| m.shape.dims());
        let paged = self.setting.paged;
        for (name, at, dim, want, of) in [
            ("k", 0, &kd[0], if paged { &kd[0] } else { &qd[0] }, "q"),
            ("v", 0, &vd[0], &kd[0], "k"),
            ("k", 3, &kd[3], &qd[3], "q"),
            ("v", 1, &vd[1], &kd[1], "k"),
            ("v", 2, &vd[2], &kd[2], "k"),
        ] {
            if dim != want {
                return Err(format!("dimension {at} of {name} is {dim}, that of {of} is {want}"));
            }
        }
        let (Some(h), Some(hkv)) = (qd[1].fixed(), kd[1].fixed()) else {
            return Err(format!("the numbers of heads, {} and {}, must be fixed", qd[1], kd[1]));
        };
        if hkv == 0 || h == 0 || h % hkv != 0 {
            return Err(format!("q has {h} heads, k has {hkv}: the first must be a multiple of the second"));
        }
        if qd[3].fixed() == Some(0) {
            return Err("the queries have size 0: there is nothing to compare".into());
        }
        if !lengths.dtype.is_index() || lengths.shape.dims() != &qd[..1] {
            return Err(format!("the lengths are {lengths}; they must be i32 or u32 [B] = [{}]", qd[0]));
        }
        if paged && let Some(fault) = page_table::fault(&inputs[4], &qd[0]) {
            return Err(fault);
        }
        if paged && kd[2].fixed() == Some(0) {
            return Err(format!("k is {k}: its pages hold no key"));
        }
        self.check_options()?;
        Ok(vec![Meta::new(q.dtype, vec![qd[0].clone(), qd[1].clone(), qd[2].clone(), vd[3].clone()])])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        reference::run(self, inputs, outputs)
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        fast::run(self, io)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(self, request)
    }

    fn grad(&self, _: &GradContext<'_>) -> crate::Result<Vec<Option<Tensor>>> {
        Err(no_gradient("decoding is for inference; `attention` with `Mask::lengths` has gradients"))
    }

    /// Rows of q, k and v lie anywhere; the elements of a row lie side by side.
    fn accepts(&self, input: usize, layout: &Layout) -> bool {
        layout.is_contiguous() || (input < 3 && (layout.shape()[3] <= 1 || layout.strides()[3] == 1))
    }

    fn emits(&self) -> bool {
        true
    }

    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        let shapes: Vec<&[usize]> = inputs.iter().map(Vec::as_slice).collect();
        Some((3, self.sizes(&shapes).capacity + 1))
    }

    /// As if every cache were full.
    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let shapes: Vec<&[usize]> = inputs.iter().map(|(_, layout)| layout.shape()).collect();
        let s = self.sizes(&shapes);
        let keys = self.setting.window.map_or(s.capacity, |w| s.capacity.min(w + s.queries));
        let columns = s.size + s.value_size;
        let read = (s.batch * s.kv_heads * keys * columns * inputs[0].0.bytes()) as f64;
        let others = inputs[..1].iter().chain(&inputs[3..]).chain(outputs);
        Cost {
            flops: 2.0 * (s.batch * s.heads * s.queries * keys * columns) as f64,
            bytes: read + others.map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>(),
        }
    }
}
