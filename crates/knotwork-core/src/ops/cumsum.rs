//! Running sums along one dimension.

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::{Case, CaseInput, Cases, Op, Reference, Registered};
use crate::{
    DType, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};

pub(super) const REGISTERED: Registered = Registered {
    name: "cumsum",
    formula: "yᵢ = Σ_{j ≤ i} xⱼ along dim; reverse: Σ_{j ≥ i}",
    inputs: "x […]",
    attributes: "dim, reverse = false",
    types: "f32, f64",
    source: "",
    cases: Cases::Listed(|| {
        // Of one sign, so that the tolerance, which is relative to the sum, can be held.
        let case = |shape: &[usize], dim: isize, reverse: bool| {
            Case::new(
                format!("{shape:?} along {dim}, reverse {reverse}"),
                vec![CaseInput::between(shape, 0.25, 2.0)],
                move |t| Ok(vec![if reverse { t[0].cumsum_reverse(dim)? } else { t[0].cumsum(dim)? }]),
            )
        };
        vec![
            case(&[1], 0, false),
            case(&[3, 65], -1, true),
            case(&[65, 3], 0, false),
            case(&[4, 63, 5], 1, true),
            case(&[2, 257], 1, false),
            case(&[2, 0, 3], 1, false),
            case(&[2, 9000], 1, false).no_gradient(),
            case(&[5000, 2], 0, true).no_gradient(),
        ]
    }),
};

/// Rows up to this length are one thread's.
const SHORT: usize = 32;
/// Below so many elements a second thread costs more than it saves, on the CPU.
const PARALLEL: usize = 1 << 15;
/// A thread takes no longer ones: lavapipe ends all loops of an invocation after 65,535 turns together.
const LONGEST_SERIAL: usize = 4096;
/// Elements that a workgroup takes at a time: 256 threads, eight each.
const TILE: usize = 2048;
/// Elements of a part, at least, where rows are split; and parts at most, so that one thread can add their sums up.
const SPAN: usize = 2 * TILE;
const PARTS: usize = 1024;
/// Elements that are added up before the sum joins the running one.
const BLOCK: usize = 64;

/// One running sum.
#[derive(Clone, Debug)]
struct Cumsum {
    dim: usize,
    reverse: bool,
}

impl Tensor {
    /// The running sum of x along `dim`: yᵢ = x₀ + … + xᵢ. f32 sums are taken in blocks, so that errors stay small along
    /// long rows.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [4])?.cumsum(0)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[1.0f32, 2.0, -1.0, 4.0], [4])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[1.0, 3.0, 2.0, 6.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, or the elements are not f32 or f64.
    #[track_caller]
    pub fn cumsum(&self, dim: isize) -> Result<Self> {
        let site = Site::here();
        let dim = self.axis(dim, "cumsum", site)?;
        self.graph().apply_one(Cumsum { dim, reverse: false }, &[self], site)
    }

    /// The running sum from the end: yᵢ = xᵢ + … + xₙ₋₁. It is the gradient of [`cumsum`](Self::cumsum).
    ///
    /// # Errors
    /// As [`cumsum`](Self::cumsum).
    #[track_caller]
    pub fn cumsum_reverse(&self, dim: isize) -> Result<Self> {
        let site = Site::here();
        let dim = self.axis(dim, "cumsum", site)?;
        self.graph().apply_one(Cumsum { dim, reverse: true }, &[self], site)
    }
}

impl Cumsum {
    /// The length of rows, and the elements from one of theirs to the next.
    fn sizes(&self, shape: &[usize]) -> (usize, usize) {
        (shape[self.dim], shape[self.dim + 1..].iter().product())
    }

    /// Running sums of n rows of `inner` elements, in f64: exact enough for rows of any length.
    fn run(&self, x: &[f32], y: &mut [f32], n: usize, inner: usize) {
        if inner == 1 {
            let mut sum = 0.0f64;
            let mut add = |(y, x): (&mut f32, &f32)| {
                sum += f64::from(*x);
                *y = sum as f32;
            };
            if self.reverse {
                y.iter_mut().zip(x).rev().for_each(&mut add);
            } else {
                y.iter_mut().zip(x).for_each(&mut add);
            }
            return;
        }
        let mut sums = vec![0.0f64; inner];
        for k in 0..n {
            let at = self.place(k, n) * inner;
            for ((y, x), sum) in y[at..at + inner].iter_mut().zip(&x[at..at + inner]).zip(&mut sums) {
                *sum += f64::from(*x);
                *y = *sum as f32;
            }
        }
    }

    /// Where the k-th element to add lies.
    fn place(&self, k: usize, n: usize) -> usize {
        if self.reverse { n - 1 - k } else { k }
    }
}

impl Op for Cumsum {
    fn name(&self) -> &str {
        "cumsum"
    }

    fn attributes(&self) -> String {
        format!("dim={} reverse={}", self.dim, self.reverse)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        match inputs[0].dtype {
            DType::F32 | DType::F64 => Ok(vec![inputs[0].clone()]),
            other => Err(format!("it takes f32 or f64, got {other}; cast first")),
        }
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (n, inner) = self.sizes(&inputs[0].shape);
        let (x, y) = (&inputs[0].data, &mut outputs[0].data);
        for row in 0..x.len() / n.max(1) {
            let base = row / inner * n * inner + row % inner;
            let mut sum = 0.0;
            for k in 0..n {
                let at = base + self.place(k, n) * inner;
                sum += x[at];
                y[at] = sum;
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (n, inner) = self.sizes(io.outputs[0].shape);
        let (Some(x), Some(y)) = (io.inputs[0].f32(), io.outputs[0].f32()) else { return Ok(false) };
        let rows = (n * inner).max(1);
        let each = |(x, y): (&[f32], &mut [f32])| self.run(x, y, n, inner);
        if y.len() < PARALLEL || y.len() / rows < 2 {
            x.chunks_exact(rows).zip(y.chunks_exact_mut(rows)).for_each(each);
        } else {
            x.par_chunks_exact(rows).zip(y.par_chunks_exact_mut(rows)).for_each(each);
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} running sums run on the CPU only; cast first", request.outputs[0].dtype));
        }
        let shape = request.outputs[0].layout.shape();
        let (n, inner) = self.sizes(shape);
        let rows = request.outputs[0].layout.count() / n.max(1);
        let dispatch = |mode: Option<&'static str>, parts: usize, bindings: Vec<BindTo>, groups: usize| {
            let mut flags = Vec::from_iter(mode);
            flags.extend(self.reverse.then_some("reverse"));
            DispatchSpec {
                kernel: Kernel {
                    name: format!("cumsum_{}", mode.unwrap_or("group")),
                    source: Source::Named("cumsum"),
                    flags,
                    constants: vec![("BLOCK", (BLOCK as u32).into())],
                    needs: Needs::default(),
                },
                bindings,
                params: Params::new()
                    .u32(rows)
                    .u32(n)
                    .u32(inner)
                    .u32(parts)
                    .u32(n.div_ceil(parts).next_multiple_of(TILE))
                    .u32(0usize)
                    .u32(0usize)
                    .u32(0usize),
                grid: Grid::Linear(groups as u64),
                flat: None,
            }
        };
        let whole = || vec![BindTo::Input(0), BindTo::Output(0)];
        let serial = Lowering::single("serial", dispatch(Some("serial"), 1, whole(), rows.div_ceil(256)));
        let group = Lowering::single("row_a_group", dispatch(None, 1, whole(), rows));
        // Sums of parts, the running sums of those, and the running sums within each part.
        let parts = n.div_ceil(SPAN).clamp(1, PARTS);
        let stages = Lowering {
            variant: "parts",
            scratch: vec![Scratch { dtype: DType::F32, count: rows * parts }; 2],
            dispatches: vec![
                dispatch(Some("sums"), parts, vec![BindTo::Input(0), BindTo::Scratch(0)], rows * parts),
                dispatch(
                    Some("starts"),
                    parts,
                    vec![BindTo::ScratchRead(0), BindTo::Scratch(1)],
                    rows.div_ceil(256),
                ),
                dispatch(
                    Some("started"),
                    parts,
                    vec![BindTo::Input(0), BindTo::Output(0), BindTo::ScratchRead(1)],
                    rows * parts,
                ),
            ],
        };
        Ok(if n <= SHORT || (n <= LONGEST_SERIAL && rows >= 1024 && inner > 1) {
            vec![serial, group]
        } else if n <= LONGEST_SERIAL {
            vec![group, serial]
        } else if n <= TILE * TILE && rows >= 64 {
            vec![group, stages]
        } else if n <= TILE * TILE {
            vec![stages, group]
        } else {
            vec![stages]
        })
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let op = Self { dim: self.dim, reverse: !self.reverse };
        let g = context.cotangent()?;
        Ok(vec![Some(g.graph().apply_one(op, &[g], Site::here())?)])
    }
}
