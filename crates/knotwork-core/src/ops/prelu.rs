//! PReLU: a rectifier whose slope below zero is learned.

#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Registered, refuse::refuse};
use crate::{Dim, Result, Site, graph::Tensor};

pub(super) const REGISTERED: Registered = Registered {
    name: "prelu",
    formula: "max(0, x) + w min(0, x), w one number or one for each index of axis",
    inputs: "x […]; weight [C] or [1]",
    attributes: "axis = −1",
    types: "f32, f64",
    source: "He et al. 2015",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize], weight: usize, axis: isize| {
            let inputs = vec![CaseInput::new(shape), CaseInput::new(&[weight])];
            Case::new(format!("{shape:?}, {weight} slopes along {axis}"), inputs, move |t| {
                Ok(vec![t[0].prelu(&t[1], axis)?])
            })
            .kinks(&[0.0])
        };
        vec![
            case(&[257], 1, -1),
            case(&[3, 65], 65, -1),
            case(&[2, 5, 7], 5, 1),
            case(&[63, 4], 63, 0),
            case(&[0, 3], 3, -1),
        ]
    }),
};

impl Tensor {
    /// max(0, x) + w min(0, x): `weight` `[C]` has a slope for each index of dimension `axis` (−1 is the last), or `[1]`
    /// one for all (He et al. 2015, who begin with 0.25). At 0 the gradients are 0; NaN stays NaN.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let w = g.parameter("w", HostTensor::new(&[0.25f32, 0.5], [2])?)?;
    /// let y = g.input("x", DType::F32, [2, 2])?.prelu(&w, -1)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[1.0f32, -2.0, -4.0, 3.0], [2, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[1.0, -1.0, -1.0, 3.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the weight is neither `[1]` nor as long as dimension `axis`, there is no such dimension, or the types are not
    /// one float type.
    #[track_caller]
    pub fn prelu(&self, weight: &Self, axis: isize) -> Result<Self> {
        let site = Site::here();
        let no = |message: String| refuse("prelu", &[self, weight], message, site);
        if !self.dtype().is_float() || weight.dtype() != self.dtype() {
            return Err(no("x and the weight must be floats of one type".into()));
        }
        let [slopes] = weight.shape().dims() else {
            return Err(no(format!("the weight is {}; it must be [C] or [1]", weight.shape())));
        };
        let slope = if slopes.fixed() == Some(1) {
            weight.reshape(crate::Shape::scalar())?
        } else {
            let axis = self.axis(axis, "prelu", site)?;
            let size = &self.shape().dims()[axis];
            if slopes != size {
                return Err(no(format!(
                    "the weight has {slopes} slopes; dimension {axis} of x is {size}, so it must be [{size}] or [1]"
                )));
            }
            let mut dims = vec![Dim::from(1); self.rank()];
            dims[axis] = slopes.clone();
            weight.reshape(dims)?
        };
        // Chosen by comparisons that a NaN fails, so that it passes both ways; one kernel after fusion.
        let zero = self.graph().constant(self.dtype(), 0.0)?;
        let above = zero.select(&self.le(0.0)?, self)?;
        let below = zero.select(&self.ge(0.0)?, self)?;
        above.add(&below.mul(&slope)?)
    }
}
