//! Linear attention: a feature map instead of the softmax, so that no [Lq, Lk] matrix is made.

#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Registered, refuse::refuse};
use crate::{Dim, HostTensor, Result, Site, graph::Tensor};

pub(super) const REGISTERED: Registered = Registered {
    name: "linear_attention",
    formula: "φ(q) (φ(k)ᵀ v) / (φ(q) · Σ φ(k) + 1e-6); causal: sums up to key i + Lk − Lq",
    inputs: "q […, Lq, D]; k […, Lk, D]; v […, Lk, Dv]",
    attributes: "feature = elu1 | relu | identity, causal = false, normalize = true",
    types: "f32, f64",
    source: "Katharopoulos et al. 2020",
    cases: Cases::Listed(|| {
        // q, k and v share their sign where a feature or the missing division lets sums cancel.
        let case = |lead: &[usize], [lq, lk, d, dv]: [usize; 4], feature, causal, normalize| {
            let low = if feature == Feature::Elu1 && normalize { -2.0 } else { 0.25 };
            let input = |l: usize, d: usize| CaseInput::between(&[lead, &[l, d]].concat(), low, 2.0);
            let name = format!("{lead:?} {lq} of {lk}, {d} to {dv}, {feature:?}, {causal}, {normalize}");
            Case::new(name, vec![input(lq, d), input(lk, d), input(lk, dv)], move |t| {
                Ok(vec![t[0].linear_attention(&t[1], &t[2], feature, causal, normalize)?])
            })
            .kinks(&[0.0])
        };
        vec![
            case(&[2], [3, 3, 1, 2], Feature::Elu1, true, true),
            case(&[], [5, 3, 3, 1], Feature::Relu, true, true),
            case(&[2, 1], [2, 4, 2, 3], Feature::Identity, true, false),
            case(&[2], [3, 5, 4, 3], Feature::Elu1, false, true),
            case(&[], [4, 2, 3, 5], Feature::Relu, false, false),
            case(&[2], [65, 130, 17, 9], Feature::Elu1, true, true).no_gradient(),
            case(&[1], [64, 63, 3, 33], Feature::Elu1, false, true).no_gradient(),
        ]
    }),
};

/// What [`Tensor::linear_attention`] applies to queries and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feature {
    /// elu(x) + 1.
    #[default]
    Elu1,
    /// max(0, x).
    Relu,
    /// x.
    Identity,
}

impl Feature {
    fn of(self, x: &Tensor) -> Result<Tensor> {
        match self {
            // The exponential never sees a positive x, whose overflow would spoil the gradient.
            Self::Elu1 => x.add(1.0)?.select(&x.gt(0.0)?, x.select(&x.le(0.0)?, 0.0)?.exp()?),
            Self::Relu => x.relu(),
            Self::Identity => Ok(x.clone()),
        }
    }
}

impl Tensor {
    /// φ(q) (φ(k)ᵀ v) for self = q `[.., Lq, D]`, k `[.., Lk, D]`, v `[.., Lk, Dv]` (Katharopoulos et al. 2020): attention
    /// whose time and memory grow with Lq + Lk, not with their product. The result is `[.., Lq, Dv]`.
    ///
    /// With `causal`, the sums of query i run up to key i + Lk − Lq, so that the last query sees every key. With
    /// `normalize`, divided by φ(q) · Σ φ(k) + 1e-6; a query that sees no key gives 0.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor, ops::Feature};
    /// let g = Graph::new();
    /// let (q, k) = (g.input("q", DType::F32, [2, 1])?, g.input("k", DType::F32, [2, 1])?);
    /// let v = g.input("v", DType::F32, [2, 2])?;
    /// let y = q.linear_attention(&k, &v, Feature::Relu, true, false)?;
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
    /// Where the shapes do not fit, v's last dimension has a name, or `causal` meets a length with a name.
    #[track_caller]
    pub fn linear_attention(
        &self,
        k: &Self,
        v: &Self,
        feature: Feature,
        causal: bool,
        normalize: bool,
    ) -> Result<Self> {
        let site = Site::here();
        let no = |message: String| refuse("linear_attention", &[self, k, v], message, site);
        let r = self.rank();
        if r < 2 {
            return Err(no(format!("q has rank {r}; it takes [.., Lq, D]")));
        }
        let same = |what: &str, a: &Dim, b: &Dim| {
            if a == b { Ok(()) } else { Err(no(format!("{what} must be equal, got {a} and {b}"))) }
        };
        let (a, b, c) = (self.shape().dims(), k.shape().dims(), v.shape().dims());
        for (name, dims) in [("k", b), ("v", c)] {
            if dims.len() != r {
                return Err(no(format!("{name} has rank {}, q has {r}; they must be equal", dims.len())));
            }
            for i in 0..r - 2 {
                same(&format!("dimension {i} of q and {name}"), &a[i], &dims[i])?;
            }
        }
        same("the last dimensions of q and k", &a[r - 1], &b[r - 1])?;
        same("the lengths of k and v (their last dimension but one)", &b[r - 2], &c[r - 2])?;
        let fixed = |what: &str, dim: &Dim| {
            dim.fixed().ok_or_else(|| no(format!("{what} is named `{dim}`; it must be fixed")))
        };
        let dv = fixed("the last dimension of v", &c[r - 1])?;
        let (q, k) = (feature.of(self)?, feature.of(k)?);
        // A column of ones behind v: its product is the normalizer.
        let v = if normalize {
            let mut last = vec![0.0; dv + 1];
            last[dv] = 1.0;
            let last = self.graph().tensor(HostTensor::from_f64(v.dtype(), &last, &[dv + 1]))?;
            v.pad(-1, 0, 1)?.add(&last)?
        } else {
            v.clone()
        };
        let y = if causal {
            fixed("the length of q, as causal sums need it,", &a[r - 2])?;
            fixed("the length of k, as causal sums need it,", &b[r - 2])?;
            q.causal_linear_product(&k, &v)?
        } else {
            q.matmul(&k.transpose(-2, -1)?.matmul(&v)?)?
        };
        if normalize { y.slice(-1, 0, dv)?.div(&y.slice(-1, dv, dv + 1)?.add(1e-6)?) } else { Ok(y) }
    }
}
