//! The mean of squared differences.

#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Registered};
use crate::{Result, Site, error::OpError, graph::Tensor};

pub(super) const REGISTERED: Registered = Registered {
    name: "mse_loss",
    formula: "mean (x − target)²",
    inputs: "x […]; target […]",
    attributes: "",
    types: "f32, f64",
    source: "",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize]| {
            Case::new(format!("{shape:?}"), vec![CaseInput::new(shape), CaseInput::new(shape)], |t| {
                Ok(vec![t[0].mse_loss(&t[1])?])
            })
        };
        vec![case(&[1]), case(&[64, 3]), case(&[5, 65]), case(&[257])]
    }),
};

impl Tensor {
    /// The mean over all elements of (self − target)².
    ///
    /// NaN over no elements.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let (x, t) = (g.input("x", DType::F32, [2])?, g.input("t", DType::F32, [2])?);
    /// let mut p = Device::cpu().compile(&g, &[&x.mse_loss(&t)?], &[])?;
    /// let feeds = [("x", HostTensor::new(&[1.0f32, 5.0], [2])?), ("t", HostTensor::new(&[1.0f32, 2.0], [2])?)];
    /// assert_eq!(p.run(feeds)?.wait()?[0].item::<f32>()?, 4.5);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the shapes or types differ: nothing is broadcast, because a loss that broadcasts hides a mistake.
    #[track_caller]
    pub fn mse_loss(&self, target: &Self) -> Result<Self> {
        let message = if self.shape() != target.shape() {
            "the shapes must be the same; a loss does not broadcast"
        } else if self.dtype() != target.dtype() {
            "the element types must be the same; cast one of them"
        } else if !self.dtype().is_float() {
            "it takes floats"
        } else {
            let all: Vec<isize> = (0..self.rank() as isize).collect();
            return self.sub(target)?.square()?.mean(&all, false);
        };
        Err(OpError {
            op: "mse_loss".into(),
            inputs: vec![self.meta().to_string(), target.meta().to_string()],
            message: message.into(),
            site: Site::here(),
        }
        .into())
    }
}
