//! Reductions over dimensions: sum, mean, max, min.

#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Cost, Load, Op, Reference, Registered, Role};
use crate::{
    DType, Dim, Layout, Result, Site,
    autodiff::GradContext,
    cpu::{CpuIo, Slice, SliceMut},
    graph::{Meta, Tensor},
    plan::{KernelRequest, Lowering},
};

pub(super) const REGISTERED: [Registered; 4] = [
    Registered {
        name: "sum",
        formula: "Σ x over dims",
        inputs: "x […]",
        attributes: "dims, keepdim = false",
        types: "f32, f64",
        source: "",
        cases: Cases::Listed(|| cases(Kind::Sum)),
    },
    Registered {
        name: "mean",
        formula: "Σ x / n over dims",
        inputs: "x […]",
        attributes: "dims, keepdim = false",
        types: "f32, f64",
        source: "",
        cases: Cases::Listed(|| cases(Kind::Mean)),
    },
    Registered {
        name: "max",
        formula: "the largest x over dims; NaN where one is",
        inputs: "x […]",
        attributes: "dims, keepdim = false",
        types: "f32, f64",
        source: "",
        cases: Cases::Listed(|| cases(Kind::Max)),
    },
    Registered {
        name: "min",
        formula: "the smallest x over dims; NaN where one is",
        inputs: "x […]",
        attributes: "dims, keepdim = false",
        types: "f32, f64",
        source: "",
        cases: Cases::Listed(|| cases(Kind::Min)),
    },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sum,
    Mean,
    Max,
    Min,
}

impl Kind {
    /// The result over nothing.
    fn start(self) -> f64 {
        match self {
            Self::Sum | Self::Mean => 0.0,
            Self::Max => f64::NEG_INFINITY,
            Self::Min => f64::INFINITY,
        }
    }

    /// Whether the result is one of the elements.
    fn picks(self) -> bool {
        matches!(self, Self::Max | Self::Min)
    }
}

fn cases(kind: Kind) -> Vec<Case> {
    let filled = |input: CaseInput, dims: &'static [isize], keepdim: bool| {
        Case::new(format!("{:?} over {dims:?}", input.shape), vec![input], move |t| {
            Ok(vec![match kind {
                Kind::Sum => t[0].sum(dims, keepdim)?,
                Kind::Mean => t[0].mean(dims, keepdim)?,
                Kind::Max => t[0].max(dims, keepdim)?,
                Kind::Min => t[0].min(dims, keepdim)?,
            }])
        })
    };
    let case = |shape: &[usize], dims, keepdim| filled(CaseInput::new(shape), dims, keepdim);
    // Long sums of one sign: nothing cancels, so the tolerance, which is relative to the sum, can be held. Differences
    // of sums so large lose the digits that a gradient check needs; the shorter cases check the same rule.
    let long = |shape: &[usize], dims, keepdim| {
        filled(CaseInput::between(shape, 0.5, 2.0), dims, keepdim).no_gradient()
    };
    vec![
        case(&[1], &[0], false),
        case(&[3, 65], &[-1], false),
        case(&[257, 3], &[0], true),
        case(&[4, 63, 5], &[1], false),
        case(&[4, 7, 5], &[0, 2], false),
        case(&[64, 65], &[0, 1], false),
        // Among so many elements two lie closer than a difference's step: no check of an extreme's gradient.
        if kind.picks() { long(&[2, 70_000], &[1], false) } else { case(&[2, 70_000], &[1], false) },
        case(&[3, 4, 5, 6], &[1, 3], false),
        long(&[300, 33], &[0], false),
        long(&[2, 9000, 16], &[1], true),
    ]
}

mod fast;
mod kernels;

pub(super) use kernels::{sum_of_parts, walk};

/// `x` as outer × n × inner, summed over n: integers wrap as on a GPU.
fn sums<T: Copy>(x: &[T], out: &mut [T], n: usize, inner: usize, zero: T, add: impl Fn(T, T) -> T) {
    out.fill(zero);
    for (out, rows) in out.chunks_exact_mut(inner.max(1)).zip(x.chunks_exact((n * inner).max(1))) {
        for row in rows.chunks_exact(inner.max(1)) {
            out.iter_mut().zip(row).for_each(|(sum, &v)| *sum = add(*sum, v));
        }
    }
}

/// `x` as outer × n × inner, summed over n in f64.
fn wide(x: &[f64], out: &mut [f64], n: usize, inner: usize) {
    if inner != 1 {
        return sums(x, out, n, inner, 0.0, |a, b| a + b);
    }
    for (out, row) in out.iter_mut().zip(x.chunks_exact(n.max(1))) {
        // Several sums at a time: each waits for its last addition.
        let (runs, rest) = row.as_chunks::<8>();
        let mut sums = [0.0; 8];
        runs.iter().for_each(|run| sums.iter_mut().zip(run).for_each(|(sum, v)| *sum += v));
        *out = sums.iter().sum::<f64>() + rest.iter().sum::<f64>();
    }
}

/// A sum of integers, modulo 2³².
fn wrapped(dtype: DType, sum: f64) -> f64 {
    match dtype {
        DType::I32 => f64::from(sum as i64 as i32),
        DType::U32 => f64::from(sum as i64 as u32),
        _ => sum,
    }
}

/// One reduction; `dims` ascending.
#[derive(Clone, Debug)]
struct Reduce {
    kind: Kind,
    dims: Vec<usize>,
    keepdim: bool,
}

impl Tensor {
    #[track_caller]
    fn reduce(&self, kind: Kind, name: &str, dims: &[isize], keepdim: bool) -> Result<Self> {
        let site = Site::here();
        let axes = self.axes(dims, name, site)?;
        self.graph().apply_one(Reduce { kind, dims: axes, keepdim }, &[self], site)
    }

    /// Σ x over `dims` (all of them named; none leaves x as it is), which stay as size 1 where `keepdim` is set.
    /// f32 sums are accumulated pairwise or better; integers wrap around modulo 2³²; a sum over nothing is 0.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [2, 2])?.sum(&[0], false)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0], [2, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[4.0, 6.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, or the elements are truth values.
    #[track_caller]
    pub fn sum(&self, dims: &[isize], keepdim: bool) -> Result<Self> {
        self.reduce(Kind::Sum, "sum", dims, keepdim)
    }

    /// The mean of x over `dims`; NaN over nothing.
    ///
    /// # Errors
    /// Where there is no such dimension, or the elements are not floats.
    #[track_caller]
    pub fn mean(&self, dims: &[isize], keepdim: bool) -> Result<Self> {
        self.reduce(Kind::Mean, "mean", dims, keepdim)
    }

    /// The largest x over `dims`; NaN where one is. Ties share the gradient evenly.
    ///
    /// # Errors
    /// Where there is no such dimension, a reduced dimension has size 0, or the elements are not floats.
    #[track_caller]
    pub fn max(&self, dims: &[isize], keepdim: bool) -> Result<Self> {
        self.reduce(Kind::Max, "max", dims, keepdim)
    }

    /// The smallest x over `dims`; NaN where one is. Ties share the gradient evenly.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [2, 2])?.min(&[1], false)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[1.0f32, -2.0, 3.0, 4.0], [2, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[-2.0, 3.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, a reduced dimension has size 0, or the elements are not floats.
    #[track_caller]
    pub fn min(&self, dims: &[isize], keepdim: bool) -> Result<Self> {
        self.reduce(Kind::Min, "min", dims, keepdim)
    }
}

impl Op for Reduce {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Sum => "sum",
            Kind::Mean => "mean",
            Kind::Max => "max",
            Kind::Min => "min",
        }
    }

    fn attributes(&self) -> String {
        format!("dims={:?} keepdim={}", self.dims, self.keepdim)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let Meta { dtype, shape } = &inputs[0];
        if *dtype == DType::Bool || (self.kind != Kind::Sum && !dtype.is_float()) {
            let takes = if self.kind == Kind::Sum { "numbers" } else { "floats" };
            return Err(format!("it takes {takes}, got {dtype}"));
        }
        if let Some(d) = self.dims.iter().find(|&&d| shape.dims()[d].fixed() == Some(0))
            && self.kind.picks()
        {
            let what = if self.kind == Kind::Max { "largest" } else { "smallest" };
            return Err(format!("dimension {d} has size 0: there is no {what} element"));
        }
        let dims: Vec<Dim> = (0..shape.rank())
            .filter_map(|d| match (self.dims.contains(&d), self.keepdim) {
                (false, _) => Some(shape.dims()[d].clone()),
                (true, true) => Some(1.into()),
                (true, false) => None,
            })
            .collect();
        Ok(vec![Meta::new(*dtype, dims)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let shape = &inputs[0].shape;
        let count: usize = self.dims.iter().map(|&d| shape[d]).product();
        outputs[0].data.fill(self.kind.start());
        for (k, &x) in inputs[0].data.iter().enumerate() {
            // The output's row-major index: the input's, without the reduced dimensions.
            let (mut rest, mut at, mut stride) = (k, 0, 1);
            for d in (0..shape.len()).rev() {
                if !self.dims.contains(&d) {
                    at += rest % shape[d] * stride;
                    stride *= shape[d];
                }
                rest /= shape[d];
            }
            let out = &mut outputs[0].data[at];
            match self.kind {
                Kind::Max => *out = if x.is_nan() || x > *out { x } else { *out },
                Kind::Min => *out = if x.is_nan() || x < *out { x } else { *out },
                _ => *out = wrapped(inputs[0].dtype, *out + x),
            }
        }
        if self.kind == Kind::Mean {
            outputs[0].data.iter_mut().for_each(|x| *x /= count as f64);
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (input, layout) = (io.inputs[0], io.inputs[0].layout);
        let range = layout.offset()..layout.offset() + layout.count();
        if let (Slice::F32(x), SliceMut::F32(out)) = (input.data, &mut io.outputs[0].data) {
            return Ok(x.get(range).is_some_and(|x| fast::reduce(self.kind, x, layout, &self.dims, out)));
        }
        // Dimensions that are reduced together: outer × reduced × inner.
        let (Some(&first), Some(&last)) = (self.dims.first(), self.dims.last()) else { return Ok(false) };
        if last - first + 1 != self.dims.len() || !layout.is_dense() {
            return Ok(false);
        }
        let inner: usize = layout.shape()[last + 1..].iter().product();
        let n: usize = layout.shape()[first..=last].iter().product();
        match (input.data, &mut io.outputs[0].data) {
            (Slice::I32(x), SliceMut::I32(out)) => match x.get(range) {
                Some(x) => sums(x, out, n, inner, 0, i32::wrapping_add),
                None => return Ok(false),
            },
            (Slice::U32(x), SliceMut::U32(out)) => match x.get(range) {
                Some(x) => sums(x, out, n, inner, 0, u32::wrapping_add),
                None => return Ok(false),
            },
            (Slice::F64(x), SliceMut::F64(out)) if matches!(self.kind, Kind::Sum | Kind::Mean) => {
                let Some(x) = x.get(range).filter(|x| !x.is_empty()) else { return Ok(false) };
                wide(x, out, n, inner);
                if self.kind == Kind::Mean {
                    out.iter_mut().for_each(|x| *x /= n as f64);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(self, request)
    }

    /// One operation an element that is read.
    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        Cost {
            flops: inputs.iter().map(|(_, l)| l.count() as f64).sum(),
            bytes: bytes(inputs) + bytes(outputs),
        }
    }

    fn accepts(&self, _: usize, _: &Layout) -> bool {
        true
    }

    fn emits(&self) -> bool {
        true
    }

    fn role(&self) -> Option<Role> {
        let small = self.dims.iter().all(|&d| d < 64);
        (self.kind == Kind::Sum && small).then(|| Role::Sum(self.dims.iter().fold(0, |m, d| m | 1 << d)))
    }

    fn loads(&self, _: usize, _: &[Vec<usize>]) -> Option<Load> {
        Some(Load { name: "load", times: 1 })
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, g) = (&context.inputs[0], context.cotangent()?);
        let mut kept: Vec<Dim> = x.shape().dims().to_vec();
        self.dims.iter().for_each(|&d| kept[d] = 1.into());
        let spread = |t: &Tensor| t.reshape(kept.clone())?.broadcast_to(x.shape().clone());
        let dims: Vec<isize> = self.dims.iter().map(|&d| d as isize).collect();
        Ok(vec![Some(match self.kind {
            Kind::Sum => spread(g)?,
            Kind::Mean => {
                let count = self.dims.iter().fold(Dim::from(1), |n, &d| n * x.shape().dims()[d].clone());
                spread(&g.div(&x.graph().size_of(x.dtype(), count)?)?)?
            }
            Kind::Max | Kind::Min => {
                let ties = x.eq(&spread(&context.outputs[0])?)?.cast(x.dtype())?;
                let share = g.div(&ties.sum(&dims, self.keepdim)?)?;
                ties.mul(&spread(&share)?)?
            }
        })])
    }
}
