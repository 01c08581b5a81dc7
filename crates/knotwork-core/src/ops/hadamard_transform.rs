//! The Walsh-Hadamard transform over the last dimension.

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::{
    Case, CaseInput, Cases, Cost, Op, Reference, Registered, elementwise::vectorised, refuse::refuse,
};
use crate::{
    DType, Dim, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Params},
};

/// The longest row that one workgroup holds: 16 KiB of f32.
const ONE_PASS: usize = 4096;
/// The longest row: two passes of the longest that one workgroup holds.
const LONGEST: usize = ONE_PASS * ONE_PASS;
/// Elements that a workgroup takes at least: short rows share one.
const BLOCK: usize = 1024;
/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 15;

pub(super) const REGISTERED: Registered = Registered {
    name: "hadamard_transform",
    formula: "x Hₙ / √n, Hₙ the Sylvester Hadamard matrix",
    inputs: "x [..., n], n a power of two up to 2²⁴",
    attributes: "",
    types: "f32, f64",
    source: "Fino and Algazi 1976",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize]| {
            Case::new(format!("{shape:?}"), vec![CaseInput::new(shape)], |t| {
                Ok(vec![t[0].hadamard_transform()?])
            })
        };
        vec![
            case(&[3, 1]),
            case(&[65, 2]),
            case(&[2, 3, 64]),
            case(&[257, 16]),
            // The definition takes n² operations: long rows are checked once, their gradients are the same kernel.
            case(&[2, 2048]).no_gradient(),
            case(&[1, 8192]).no_gradient(),
            case(&[0, 8]),
        ]
    }),
};

/// The transform of contiguous rows of at most `ONE_PASS` elements.
#[derive(Clone, Debug)]
struct Hadamard;

impl Tensor {
    /// x Hₙ / √n over the last dimension n, a power of two: Hₙ is the Sylvester Hadamard matrix, (−1) to the number of bits
    /// that row and column have in common. The scaled matrix is its own inverse and its own gradient. n ln n operations
    /// instead of n² (Fino and Algazi 1976); rows up to 4096 take one kernel, longer ones two and a transposition.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [4])?.hadamard_transform()?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0], [4])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[5.0, -1.0, -2.0, 0.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the last dimension is no power of two, is above 2²⁴ or named, or the elements are not f32 or f64.
    #[track_caller]
    pub fn hadamard_transform(&self) -> Result<Self> {
        let site = Site::here();
        let no = |message: String| refuse("hadamard_transform", &[self], message, site);
        let Some(last) = self.shape().dims().last() else {
            return Err(no("x has no dimension; it takes [..., n]".into()));
        };
        let Some(n) = last.fixed() else {
            return Err(no(format!("the last dimension is named `{last}`; it must be a fixed power of two")));
        };
        if !n.is_power_of_two() {
            return Err(no(format!("the last dimension is {n}; it must be a power of two")));
        }
        if n > LONGEST {
            return Err(no(format!("the last dimension is {n}; it must be at most {LONGEST}")));
        }
        if n <= ONE_PASS {
            return self.graph().apply_one(Hadamard, &[self], site);
        }
        // H of a·b elements is H of a over H of b.
        let mut dims: Vec<Dim> = self.shape().dims().to_vec();
        dims.truncate(dims.len() - 1);
        dims.extend([Dim::from(n / ONE_PASS), ONE_PASS.into()]);
        let rows = self.graph().apply_one(Hadamard, &[&self.reshape(dims)?], site)?;
        let columns = self.graph().apply_one(Hadamard, &[&rows.transpose(-1, -2)?], site)?;
        columns.transpose(-1, -2)?.reshape(self.shape().clone())
    }
}

/// The rounds of sums and differences over rows of n, in place: pairs h apart, for h = 1, 2, 4 and so on.
#[inline(always)]
fn butterflies<T: Copy + std::ops::Add<Output = T> + std::ops::Sub<Output = T>>(row: &mut [T]) {
    let mut h = 1;
    while h < row.len() {
        for block in row.chunks_exact_mut(2 * h) {
            let (low, high) = block.split_at_mut(h);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        h *= 2;
    }
}

impl Op for Hadamard {
    fn name(&self) -> &str {
        "hadamard_transform"
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        match inputs[0].dtype {
            DType::F32 | DType::F64 => Ok(vec![inputs[0].clone()]),
            other => Err(format!("it takes f32 or f64, got {other}; cast first")),
        }
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let n = inputs[0].shape.last().copied().unwrap_or(1).max(1);
        let scale = (n as f64).sqrt();
        for (x, y) in inputs[0].data.chunks(n).zip(outputs[0].data.chunks_mut(n)) {
            for (column, y) in y.iter_mut().enumerate() {
                let sign =
                    |row: usize| if (row & column).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
                *y = x.iter().enumerate().map(|(row, x)| sign(row) * x).sum::<f64>() / scale;
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let n = io.outputs[0].shape.last().copied().unwrap_or(1).max(1);
        let Some(x) = io.inputs[0].f32() else { return Ok(false) };
        let Some(y) = io.outputs[0].f32() else { return Ok(false) };
        let scale = (1.0 / (n as f64).sqrt()) as f32;
        let row = |(x, y): (&[f32], &mut [f32])| {
            vectorised(
                #[inline(always)]
                || {
                    y.iter_mut().zip(x).for_each(|(y, x)| *y = x * scale);
                    butterflies(y);
                },
            );
        };
        if y.len() < PARALLEL {
            x.chunks(n).zip(y.chunks_mut(n)).for_each(row);
        } else {
            x.par_chunks(n).zip(y.par_chunks_mut(n)).for_each(row);
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let layout = &request.outputs[0].layout;
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
        }
        let (count, n) = (layout.count(), layout.shape().last().copied().unwrap_or(1));
        let block = n.max(BLOCK);
        Ok(vec![Lowering::single(
            "rows_in_a_group",
            DispatchSpec {
                kernel: Kernel::named("hadamard_transform", vec![("LEN", (block as u32).into())]),
                bindings: vec![BindTo::Input(0), BindTo::Output(0)],
                params: Params::new().u32(count).u32(n).f32((1.0 / (n as f64).sqrt()) as f32).u32(0usize),
                grid: Grid::Linear(count.div_ceil(block) as u64),
                flat: None,
            },
        )])
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        // The matrix is symmetric.
        Ok(vec![Some(context.cotangent()?.hadamard_transform()?)])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let count = outputs[0].1.count() as f64;
        let n = outputs[0].1.shape().last().copied().unwrap_or(1).max(1);
        let bytes = count * (inputs[0].0.bytes() + outputs[0].0.bytes()) as f64;
        Cost { flops: count * (1.0 + f64::from(n.ilog2())), bytes }
    }
}
