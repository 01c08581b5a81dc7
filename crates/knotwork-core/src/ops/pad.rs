//! Zeros around a tensor, along one dimension.

#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Op, Reference, Registered, Role};
use crate::{
    Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Params},
};

pub(super) const REGISTERED: Registered = Registered {
    name: "pad",
    formula: "zeros before and after x along one dimension",
    inputs: "x […]",
    attributes: "dim, before, after",
    types: "any",
    source: "",
    cases: Cases::Listed(|| {
        let case = |name: &str, shape: &[usize], dim, before, after| {
            Case::new(name, vec![CaseInput::new(shape)], move |t| Ok(vec![t[0].pad(dim, before, after)?]))
        };
        vec![
            case("rows", &[3, 5], 0, 2, 1),
            case("columns", &[3, 5], 1, 0, 4),
            case("nothing", &[65], 0, 0, 0),
        ]
    }),
};

/// Zeros before and after one dimension.
#[derive(Clone, Debug)]
pub(crate) struct Pad {
    pub dim: usize,
    pub before: usize,
    pub after: usize,
}

impl Tensor {
    /// With `before` zeros in front of dimension `dim` and `after` behind it.
    ///
    /// # Errors
    /// Where there is no such dimension, it is named, or its size would overflow.
    #[track_caller]
    pub fn pad(&self, dim: isize, before: usize, after: usize) -> Result<Self> {
        let site = Site::here();
        let dim = self.axis(dim, "pad", site)?;
        self.graph().apply_one(Pad { dim, before, after }, &[self], site)
    }
}

impl Op for Pad {
    fn name(&self) -> &str {
        "pad"
    }

    fn attributes(&self) -> String {
        format!("dim={} before={} after={}", self.dim, self.before, self.after)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let mut dims = inputs[0].shape.dims().to_vec();
        let Some(n) = dims[self.dim].fixed() else {
            return Err(format!(
                "dimension {} is named `{}`; only fixed ones can be padded",
                self.dim, dims[self.dim]
            ));
        };
        let total = self.before.checked_add(n).and_then(|total| total.checked_add(self.after));
        let Some(total) = total.filter(|&total| isize::try_from(total).is_ok()) else {
            return Err(format!(
                "{} + {n} + {} elements are more than memory can hold",
                self.before, self.after
            ));
        };
        dims[self.dim] = total.into();
        Ok(vec![Meta::new(inputs[0].dtype, dims)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let shape = &inputs[0].shape;
        let inner: usize = shape[self.dim + 1..].iter().product();
        let n = shape[self.dim];
        let total = self.before + n + self.after;
        for (k, out) in outputs[0].data.iter_mut().enumerate() {
            let (outer, j, i) = (k / (inner * total), k / inner % total, k % inner);
            let inside = j >= self.before && j < self.before + n;
            *out = if inside { inputs[0].data[(outer * n + j - self.before) * inner + i] } else { 0.0 };
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (Some(x), shape) = (io.inputs[0].f32(), io.inputs[0].layout.shape()) else { return Ok(false) };
        let inner: usize = shape[self.dim + 1..].iter().product();
        let (row, total) = (shape[self.dim] * inner, (self.before + shape[self.dim] + self.after) * inner);
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        out.fill(0.0);
        if row > 0 {
            for (out, x) in out.chunks_exact_mut(total).zip(x.chunks_exact(row)) {
                out[self.before * inner..][..row].copy_from_slice(x);
            }
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let dtype = request.inputs[0].dtype;
        if dtype.bytes() != 4 {
            return Err(format!("{dtype} is padded on the CPU only; cast first"));
        }
        let shape = request.inputs[0].layout.shape();
        let inner: usize = shape[self.dim + 1..].iter().product();
        let count = request.outputs[0].layout.count();
        let params = Params::new().u32(count).u32(inner).u32(shape[self.dim]).u32(self.before);
        let params =
            params.u32(self.before + shape[self.dim] + self.after).u32(0usize).u32(0usize).u32(0usize);
        Ok(vec![Lowering::single(
            "element",
            DispatchSpec {
                kernel: Kernel::named("pad", Vec::new()),
                bindings: vec![BindTo::Input(0), BindTo::Output(0)],
                params,
                grid: Grid::Linear(count.div_ceil(256) as u64),
                flat: None,
            },
        )])
    }

    fn role(&self) -> Option<Role> {
        Some(Role::Pad { dim: self.dim, before: self.before })
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let n = context.inputs[0].shape().dims()[self.dim].fixed().unwrap_or(0);
        Ok(vec![Some(context.cotangent()?.slice(self.dim as isize, self.before, self.before + n)?)])
    }
}
