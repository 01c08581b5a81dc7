//! Products under a triangle, tril(q kᵀ) v, with a running sum of kᵀ v instead of the matrix.

mod fast;
mod kernels;
#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Cost, Op, Reference, Registered, refuse::refuse};
use crate::{
    DType, Dim, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{KernelRequest, Lowering},
};

/// What a run of positions is added up over before it joins the running sum.
const BLOCK: usize = 16;

pub(super) const REGISTERED: Registered = Registered {
    name: "causal_linear_product",
    formula: "yᵢ = Σ_{j ≤ i + Lk − Lq} (qᵢ · kⱼ) vⱼ; reverse: Σ_{j ≥ i + Lk − Lq}",
    inputs: "q […, Lq, D]; k […, Lk, D]; v […, Lk, Dv]",
    attributes: "reverse = false",
    types: "f32, f64",
    source: "Katharopoulos et al. 2020",
    cases: Cases::Listed(|| {
        // Of one sign, so that the tolerance, which is relative to the sum, can be held.
        let case = |lead: &[usize], [lq, lk, d, dv]: [usize; 4], reverse: bool| {
            let input = |l: usize, d: usize| CaseInput::between(&[lead, &[l, d]].concat(), 0.25, 1.5);
            Case::new(
                format!("{lead:?} {lq} of {lk}, {d} to {dv}, reverse {reverse}"),
                vec![input(lq, d), input(lk, d), input(lk, dv)],
                move |t| {
                    Ok(vec![if reverse {
                        t[0].causal_linear_product_reverse(&t[1], &t[2])?
                    } else {
                        t[0].causal_linear_product(&t[1], &t[2])?
                    }])
                },
            )
        };
        vec![
            case(&[2], [3, 3, 1, 2], false),
            case(&[], [2, 5, 2, 1], true),
            case(&[1, 2], [4, 2, 3, 2], false),
            case(&[], [5, 3, 2, 2], true),
            case(&[2], [0, 3, 2, 2], false),
            // Several blocks, tiles and slices; then several spans.
            case(&[2], [33, 65, 65, 17], true).no_gradient(),
            case(&[1], [530, 600, 3, 17], false).no_gradient(),
            case(&[2], [300, 257, 130, 1], true).no_gradient(),
        ]
    }),
};

/// yᵢ = Σ (aᵢ · bⱼ) cⱼ over j ≤ i + offset, or j ≥ i + offset where `reverse`.
#[derive(Clone, Debug)]
struct CausalProduct {
    offset: isize,
    reverse: bool,
}

/// The sizes of one use, and the times of its positions: key j at time j, query i at i + offset, counted from the ends
/// where reverse, so that a query always sees the keys up to its time.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    batches: usize,
    n: usize,
    m: usize,
    d: usize,
    e: usize,
    offset: isize,
    /// The first time at which something is; the last query ends it.
    begin: isize,
    positions: usize,
}

impl CausalProduct {
    fn sizes(&self, a: &[usize], c: &[usize]) -> Sizes {
        let r = a.len();
        let (n, m) = (a[r - 2], c[r - 2]);
        let offset = if self.reverse { m as isize - n as isize - self.offset } else { self.offset };
        let begin = offset.min(0);
        let positions = (n as isize + offset - begin).max(0) as usize;
        let batches = a[..r - 2].iter().product();
        Sizes { batches, n, m, d: a[r - 1], e: c[r - 1], offset, begin, positions }
    }

    fn sees(&self, i: usize, j: usize) -> bool {
        let (i, j) = (i as isize, j as isize);
        if self.reverse { j >= i + self.offset } else { j <= i + self.offset }
    }
}

impl Sizes {
    /// The row of the k-th of n, if there is one.
    fn row(k: isize, n: usize, reverse: bool) -> Option<usize> {
        let k = usize::try_from(k).ok().filter(|k| *k < n)?;
        Some(if reverse { n - 1 - k } else { k })
    }
}

impl Tensor {
    /// tril(q kᵀ) v for self = q `[.., Lq, D]`, k `[.., Lk, D]`, v `[.., Lk, Dv]`: yᵢ is the sum of (qᵢ · kⱼ) vⱼ over
    /// j ≤ i + Lk − Lq, so that the last query sees every key; one that sees none gives 0. The result is `[.., Lq, Dv]`.
    ///
    /// The matrix is never made: a running sum of kᵀ v, D × Dv, goes along, so time and memory grow with Lq + Lk
    /// (Katharopoulos et al. 2020). Gradients are products of the same kind.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let (q, k) = (g.input("q", DType::F32, [2, 1])?, g.input("k", DType::F32, [2, 1])?);
    /// let y = q.causal_linear_product(&k, &g.input("v", DType::F32, [2, 2])?)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([
    ///     ("q", HostTensor::new(&[1.0f32, 2.0], [2, 1])?),
    ///     ("k", HostTensor::new(&[3.0f32, 1.0], [2, 1])?),
    ///     ("v", HostTensor::new(&[1.0f32, 10.0, 5.0, 0.0], [2, 2])?),
    /// ])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[3.0, 30.0, 16.0, 60.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the shapes do not fit, Lq or Lk has a name, or the elements are not f32 or f64 alike.
    #[track_caller]
    pub fn causal_linear_product(&self, k: &Self, v: &Self) -> Result<Self> {
        causal_product(self, k, v, false, Site::here())
    }

    /// triu(q kᵀ) v: the sum over j ≥ i + Lk − Lq, the other side of
    /// [`causal_linear_product`](Self::causal_linear_product) and the diagonal.
    ///
    /// # Errors
    /// As [`causal_linear_product`](Self::causal_linear_product).
    #[track_caller]
    pub fn causal_linear_product_reverse(&self, k: &Self, v: &Self) -> Result<Self> {
        causal_product(self, k, v, true, Site::here())
    }
}

fn causal_product(q: &Tensor, k: &Tensor, v: &Tensor, reverse: bool, site: Site) -> Result<Tensor> {
    let no = |message: String| refuse("causal_linear_product", &[q, k, v], message, site);
    let length = |name: &str, t: &Tensor| {
        let dims = t.shape().dims();
        let Some(at) = dims.len().checked_sub(2) else {
            return Err(no(format!("{name} has rank {}; it takes [.., L, D]", dims.len())));
        };
        dims[at]
            .fixed()
            .ok_or_else(|| no(format!("the length of {name} is named `{}`; it must be fixed", dims[at])))
    };
    let offset = length("k", k)? as isize - length("q", q)? as isize;
    q.graph().apply_one(CausalProduct { offset, reverse }, &[q, k, v], site)
}

impl Op for CausalProduct {
    fn name(&self) -> &str {
        "causal_linear_product"
    }

    fn attributes(&self) -> String {
        format!("offset={} reverse={}", self.offset, self.reverse)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        for (name, meta) in ["q", "k", "v"].iter().zip(inputs) {
            if !matches!(meta.dtype, DType::F32 | DType::F64) {
                return Err(format!("it takes f32 or f64, {name} is {}; cast first", meta.dtype));
            }
            if meta.dtype != inputs[0].dtype {
                return Err(format!(
                    "{name} is {}, q is {}; they must be equal",
                    meta.dtype, inputs[0].dtype
                ));
            }
        }
        let [a, b, c] = [0, 1, 2].map(|i| inputs[i].shape.dims());
        let r = a.len();
        if r < 2 {
            return Err(format!("q has rank {r}; it takes [.., Lq, D]"));
        }
        let same = |what: &str, a: &Dim, b: &Dim| {
            if a == b { Ok(()) } else { Err(format!("{what} must be equal, got {a} and {b}")) }
        };
        for (name, dims) in [("k", b), ("v", c)] {
            if dims.len() != r {
                return Err(format!("{name} has rank {}, q has {r}; they must be equal", dims.len()));
            }
            for i in 0..r - 2 {
                same(&format!("dimension {i} of q and {name}"), &a[i], &dims[i])?;
            }
        }
        same("the last dimensions of q and k", &a[r - 1], &b[r - 1])?;
        same("the lengths of k and v (their last dimension but one)", &b[r - 2], &c[r - 2])?;
        let shape = [&a[..r - 1], &c[r - 1..]].concat();
        Ok(vec![Meta { dtype: inputs[0].dtype, shape: shape.into() }])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let [a, b, c] = [0, 1, 2].map(|i| &inputs[i].data);
        let Sizes { batches, n, m, d, e, .. } = self.sizes(&inputs[0].shape, &inputs[2].shape);
        let y = &mut outputs[0].data;
        y.fill(0.0);
        for batch in 0..batches {
            for i in 0..n {
                let i_row = batch * n + i;
                for j in (0..m).filter(|j| self.sees(i, *j)) {
                    let j_row = batch * m + j;
                    let score: f64 = (0..d).map(|f| a[i_row * d + f] * b[j_row * d + f]).sum();
                    for column in 0..e {
                        y[i_row * e + column] += score * c[j_row * e + column];
                    }
                }
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let sizes = self.sizes(io.inputs[0].layout.shape(), io.inputs[2].layout.shape());
        let [Some(a), Some(b), Some(c)] = [0, 1, 2].map(|i| io.inputs[i].f32()) else { return Ok(false) };
        let Some(y) = io.outputs[0].f32() else { return Ok(false) };
        fast::run(sizes, self.reverse, [a, b, c], y);
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} runs on the CPU only; cast first", request.outputs[0].dtype));
        }
        let shape = |i: usize| request.inputs[i].layout.shape();
        kernels::lower(self.sizes(shape(0), shape(2)), self.reverse)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let dy = context.cotangent()?;
        let [a, b, c] = [0, 1, 2].map(|i| &context.inputs[i]);
        // Query i sees key j where j lies on one side of i + offset, so j is seen where i lies on the other of j − offset.
        let turned = Self { offset: -self.offset, reverse: !self.reverse };
        let product = |op: &Self, x: [&Tensor; 3]| dy.graph().apply_one(op.clone(), &x, Site::here());
        let wanted =
            |i: usize, op: &Self, x: [&Tensor; 3]| context.wanted[i].then(|| product(op, x)).transpose();
        Ok(vec![
            wanted(0, self, [dy, c, b])?,
            wanted(1, &turned, [c, dy, a])?,
            wanted(2, &turned, [b, a, dy])?,
        ])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let s = self.sizes(inputs[0].1.shape(), inputs[2].1.shape());
        let bytes = inputs.iter().chain(outputs).map(|(d, l)| (d.bytes() * l.count()) as f64).sum();
        // The state is read and added to; within blocks, scores and their sums.
        let each = 4 * s.d * s.e + BLOCK * (s.d + s.e);
        Cost { flops: s.batches as f64 * s.positions as f64 * each as f64, bytes }
    }
}
