//! Gated linear units: one half gates the other.

#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Registered, refuse::refuse};
use crate::{Result, Site, graph::Tensor};

/// What the gate of a [`Tensor::glu`] goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GluActivation {
    /// Nothing: the bilinear layer.
    Identity,
    /// The logistic function: GLU (Dauphin et al. 2017).
    Sigmoid,
    /// ReGLU.
    Relu,
    /// GeGLU, with the exact gelu.
    Gelu,
    /// SwiGLU, with β = 1.
    Silu,
    /// The gate of van den Oord et al. 2016.
    Tanh,
}

impl GluActivation {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Identity, Self::Sigmoid, Self::Relu, Self::Gelu, Self::Silu, Self::Tanh];

    /// Its name in configurations.
    ///
    /// ```
    /// use knotwork_core::ops::GluActivation;
    /// assert_eq!(GluActivation::from_name("silu"), Some(GluActivation::Silu));
    /// assert!(GluActivation::ALL.iter().all(|a| GluActivation::from_name(a.name()) == Some(*a)));
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Sigmoid => "sigmoid",
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Tanh => "tanh",
        }
    }

    /// The activation of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}

pub(super) const REGISTERED: Registered = Registered {
    name: "glu",
    formula: "act(gate) ⊙ value",
    inputs: "gate […]; value […]",
    attributes: "act: identity, sigmoid, relu, gelu, silu or tanh",
    types: "f32, f64",
    source: "Dauphin et al. 2017; Shazeer 2020",
    cases: Cases::Listed(|| {
        let case = |shape: &[usize], act: GluActivation| {
            let inputs = vec![CaseInput::new(shape), CaseInput::new(shape)];
            let kinks: &[f64] = if act == GluActivation::Relu { &[0.0] } else { &[] };
            Case::new(format!("{} of {shape:?}", act.name()), inputs, move |t| {
                Ok(vec![t[0].glu(&t[1], act)?])
            })
            .kinks(kinks)
        };
        let mut all: Vec<Case> = GluActivation::ALL.into_iter().map(|act| case(&[3, 65], act)).collect();
        all.push(case(&[257], GluActivation::Silu));
        all.push(case(&[0, 2], GluActivation::Gelu));
        all
    }),
};

impl Tensor {
    /// act(self) ⊙ value, for a gate and a value of one shape, most often two projections of one input (Shazeer 2020):
    /// SwiGLU with [`Silu`](GluActivation::Silu), GeGLU with [`Gelu`](GluActivation::Gelu), ReGLU with
    /// [`Relu`](GluActivation::Relu), the bilinear layer with [`Identity`](GluActivation::Identity), and the first GLU with
    /// [`Sigmoid`](GluActivation::Sigmoid). The planner makes it one kernel.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor, ops::GluActivation};
    /// let g = Graph::new();
    /// let (gate, value) = (g.input("gate", DType::F32, [2])?, g.input("value", DType::F32, [2])?);
    /// let mut p = Device::cpu().compile(&g, &[&gate.glu(&value, GluActivation::Relu)?], &[])?;
    /// let feeds =
    ///     [("gate", HostTensor::new(&[2.0f32, -1.0], [2])?), ("value", HostTensor::new(&[3.0f32, 5.0], [2])?)];
    /// assert_eq!(p.run(feeds)?.wait()?[0].as_slice::<f32>()?, &[6.0, 0.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the shapes or types differ (nothing is broadcast), or the elements are not floats.
    #[track_caller]
    pub fn glu(&self, value: &Self, act: GluActivation) -> Result<Self> {
        let message = if self.shape() != value.shape() {
            "the gate and the value must have one shape; they do not broadcast"
        } else if self.dtype() != value.dtype() || !self.dtype().is_float() {
            "the gate and the value must be floats of one type"
        } else {
            let gate = match act {
                GluActivation::Identity => self.clone(),
                GluActivation::Sigmoid => self.sigmoid()?,
                GluActivation::Relu => self.relu()?,
                GluActivation::Gelu => self.gelu()?,
                GluActivation::Silu => self.silu()?,
                GluActivation::Tanh => self.tanh()?,
            };
            return gate.mul(value);
        };
        Err(refuse("glu", &[self, value], message, Site::here()))
    }
}
