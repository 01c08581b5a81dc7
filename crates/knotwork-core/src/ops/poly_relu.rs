//! PolyReLU: a learned polynomial of the rectified input.

#[cfg(test)]
mod tests;

use super::{
    Case, CaseInput, Cases, Registered,
    polynomial::{MAX_TERMS, Polynomial},
    refuse::refuse,
};
use crate::{Dim, Result, Site, graph::Tensor};

pub(super) const REGISTERED: Registered = Registered {
    name: "poly_relu",
    formula: "Σ wᵢ max(0, x)ⁱ, i from 0 to r",
    inputs: "x […]; weight [r + 1], r + 1 from 1 to 32",
    attributes: "",
    types: "f32, f64",
    source: "Zhuo et al. 2024 (PolyCom)",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize], terms: usize| {
            let inputs = vec![CaseInput::new(shape), CaseInput::new(&[terms])];
            Case::new(format!("{terms} terms over {shape:?}"), inputs, |t| Ok(vec![t[0].poly_relu(&t[1])?]))
                .kinks(&[0.0])
        };
        vec![
            case(&[257], 4),
            case(&[3, 65], 1),
            case(&[2, 5, 7], 2),
            case(&[63], 6),
            // Two stages of sums.
            case(&[90, 64], 4),
            case(&[0, 3], 3),
        ]
    }),
};

impl Tensor {
    /// Σ weight_i max(0, x)ⁱ for i from 0 to r, by Horner's rule, for a weight of `[r + 1]` (Zhuo et al. 2024, PolyReLU). It
    /// has gradients of any order; the one to x is 0 at 0.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let w = g.parameter("w", HostTensor::new(&[1.0f32, 0.5, 0.25], [3])?)?;
    /// let y = g.input("x", DType::F32, [2])?.poly_relu(&w)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[-3.0f32, 2.0], [2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[1.0, 3.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the weight is not `[r + 1]` with 1 to 32 elements, or the types are not both f32 or both f64.
    #[track_caller]
    pub fn poly_relu(&self, weight: &Self) -> Result<Self> {
        let site = Site::here();
        let no = |message: String| refuse("poly_relu", &[self, weight], message, site);
        let terms = match weight.shape().dims() {
            [terms] => terms.fixed(),
            _ => None,
        };
        let Some(terms) = terms.filter(|n| (1..=MAX_TERMS).contains(n)) else {
            return Err(no(format!(
                "the weight is {}; it must be [r + 1] with 1 to {MAX_TERMS} elements",
                weight.shape()
            )));
        };
        if !self.dtype().is_float() || weight.dtype() != self.dtype() {
            return Err(no("x and the weight must be floats of one type".into()));
        }
        Polynomial::of(true, self, &weight.reshape([Dim::from(1), terms.into()])?)
    }
}
