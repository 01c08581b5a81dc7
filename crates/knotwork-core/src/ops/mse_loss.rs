//! The mean of squared differences.

use super::{Case, CaseInput, Cases, Registered};
use crate::{Result, Site, error::OpError, graph::Tensor};

pub(super) const REGISTERED: Registered = Registered {
    name: "mse_loss",
    formula: "mean (x − target)²",
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
    /// # Errors
    /// Where the shapes or types differ: nothing is broadcast, because a loss that broadcasts hides a mistake.
    #[track_caller]
    pub fn mse_loss(&self, target: &Self) -> Result<Self> {
        if self.shape() != target.shape() {
            return Err(OpError {
                op: "mse_loss".into(),
                inputs: vec![self.meta().to_string(), target.meta().to_string()],
                message: "the shapes must be the same; a loss does not broadcast".into(),
                site: Site::here(),
            }
            .into());
        }
        let all: Vec<isize> = (0..self.rank() as isize).collect();
        self.sub(target)?.square()?.mean(&all, false)
    }
}
