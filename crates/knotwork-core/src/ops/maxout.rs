//! Maxout: the largest of each few channels.

#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Registered, refuse::refuse};
use crate::{Dim, Result, Site, graph::Tensor};

pub(super) const REGISTERED: Registered = Registered {
    name: "maxout",
    formula: "the largest of each `pieces` consecutive channels",
    inputs: "x [..., C]",
    attributes: "pieces, a divisor of C",
    types: "f32, f64",
    source: "Goodfellow et al. 2013",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize], pieces: usize| {
            Case::new(format!("{pieces} pieces of {shape:?}"), vec![CaseInput::new(shape)], move |t| {
                Ok(vec![t[0].maxout(pieces)?])
            })
        };
        vec![
            case(&[6], 2),
            case(&[3, 65], 5),
            case(&[2, 3, 64], 1),
            case(&[257, 6], 3),
            case(&[2, 130], 65),
            case(&[0, 4], 2),
        ]
    }),
};

impl Tensor {
    /// The last dimension, C, splits into C / pieces groups of consecutive elements; of each the largest: `[..., C]` becomes
    /// `[..., C / pieces]` (Goodfellow et al. 2013). NaN where one is; ties share the gradient evenly.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [1, 4])?.maxout(2)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[1.0f32, 3.0, -2.0, -5.0], [1, 4])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[3.0, -2.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where `pieces` is 0 or does not divide the last dimension, or the elements are not floats.
    #[track_caller]
    pub fn maxout(&self, pieces: usize) -> Result<Self> {
        let site = Site::here();
        let no = |message: String| refuse("maxout", &[self], message, site);
        if !self.dtype().is_float() {
            return Err(no(format!("it takes floats, got {}", self.dtype())));
        }
        let mut dims: Vec<Dim> = self.shape().dims().to_vec();
        let Some(channels) = dims.pop() else {
            return Err(no("x has no dimension to split into pieces".into()));
        };
        if pieces == 0 {
            return Err(no("pieces is 0; it must be at least 1".into()));
        }
        let Some(groups) = channels.divide(&pieces.into()) else {
            return Err(no(format!("pieces is {pieces}; it must divide the last dimension, {channels}")));
        };
        dims.extend([groups, pieces.into()]);
        self.reshape(dims)?.max(&[-1], false)
    }
}
