//! The logarithm of a sum of exponentials.

#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Registered};
use crate::{Dim, Result, Site, error::OpError, graph::Tensor};

pub(super) const REGISTERED: Registered = Registered {
    name: "logsumexp",
    formula: "ln Σ eˣ over dims",
    inputs: "x […]",
    attributes: "dims, keepdim = false",
    types: "f32, f64",
    source: "",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize], dims: &'static [isize], keepdim: bool, high: f64| {
            Case::new(
                format!("{shape:?} over {dims:?}"),
                vec![CaseInput::between(shape, -high, high)],
                move |t| Ok(vec![t[0].logsumexp(dims, keepdim)?]),
            )
        };
        vec![
            case(&[1], &[0], false, 2.0),
            case(&[3, 65], &[-1], false, 4.0),
            case(&[65, 3], &[0], true, 4.0),
            case(&[4, 7, 5], &[0, 2], false, 30.0),
        ]
    }),
};

impl Tensor {
    /// ln Σ eˣ over `dims`, which stay as size 1 where `keepdim` is set. The largest x is taken out first, so that no
    /// exponential overflows; −∞ over nothing but −∞, +∞ where one is, NaN where one is. Its gradient is the softmax.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [2])?.logsumexp(&[0], false)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[1000.0f32, 1000.0], [2])?)])?.wait()?;
    /// assert_eq!(out[0].item::<f32>()?, 1000.0 + 2f32.ln());
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such dimension, a reduced dimension has size 0, or the elements are not floats.
    #[track_caller]
    pub fn logsumexp(&self, dims: &[isize], keepdim: bool) -> Result<Self> {
        let site = Site::here();
        let axes = self.axes(dims, "logsumexp", site)?;
        let refuse = |message: String| OpError {
            op: "logsumexp".into(),
            inputs: vec![self.meta().to_string()],
            message,
            site,
        };
        if !self.dtype().is_float() {
            return Err(refuse(format!("it takes floats, got {}", self.dtype())).into());
        }
        if let Some(d) = axes.iter().find(|&&d| self.shape().dims()[d].fixed() == Some(0)) {
            return Err(refuse(format!("dimension {d} has size 0: there is no largest element")).into());
        }
        // The result does not depend on what is taken out, so nothing flows back through it.
        let largest = self.max(dims, true)?.detach()?;
        let shift = largest.select(&largest.abs()?.lt(f64::INFINITY)?, 0.0)?;
        let sum = self.sub(&shift)?.exp()?.sum(dims, true)?;
        let all = sum.log()?.add(&shift)?;
        if keepdim {
            return Ok(all);
        }
        let kept = self.shape().dims().iter().enumerate().filter(|(d, _)| !axes.contains(d));
        all.reshape(kept.map(|(_, dim)| dim.clone()).collect::<Vec<Dim>>())
    }
}
