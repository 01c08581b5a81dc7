//! Zeros around a tensor, along one dimension.

use super::{Case, CaseInput, Cases, Op, Reference, Registered};
use crate::{
    Result, Site,
    autodiff::GradContext,
    graph::{Meta, Tensor},
    plan::{KernelRequest, Lowering},
};

pub(super) const REGISTERED: Registered = Registered {
    name: "pad",
    formula: "zeros before and after x along one dimension",
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
    /// Where there is no such dimension, or it is named.
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
        dims[self.dim] = (self.before + n + self.after).into();
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

    fn kernels(&self, _: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        Err("not yet".into())
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let n = context.inputs[0].shape().dims()[self.dim].fixed().unwrap_or(0);
        Ok(vec![Some(context.cotangent()?.slice(self.dim as isize, self.before, self.before + n)?)])
    }
}
