//! What the harness tests of an operation: shapes, attributes, kinks and tolerances.

use std::{fmt, sync::Arc};

use crate::{DType, Result, graph::Tensor};

/// How the harness fills an input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// Evenly between both.
    Uniform(f64, f64),
    /// Whole numbers in 0..bound.
    Index(usize),
    /// 0 or 1.
    Coin,
}

/// An input of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseInput {
    /// The element type.
    pub dtype: DType,
    /// The shape.
    pub shape: Vec<usize>,
    /// The values.
    pub fill: Fill,
}

impl CaseInput {
    /// f32 between −2 and 2.
    #[must_use]
    pub fn new(shape: &[usize]) -> Self {
        Self { dtype: DType::F32, shape: shape.to_vec(), fill: Fill::Uniform(-2.0, 2.0) }
    }

    /// f32 between other limits.
    #[must_use]
    pub fn between(shape: &[usize], low: f64, high: f64) -> Self {
        Self { fill: Fill::Uniform(low, high), ..Self::new(shape) }
    }

    /// i32 indices below `bound`.
    #[must_use]
    pub fn index(shape: &[usize], bound: usize) -> Self {
        Self { dtype: DType::I32, shape: shape.to_vec(), fill: Fill::Index(bound) }
    }
}

type Build = Arc<dyn Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + Sync>;

/// One case: inputs, and the outputs made of them through the public methods.
#[derive(Clone)]
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// The inputs.
    pub inputs: Vec<CaseInput>,
    /// Makes the outputs.
    pub build: Build,
    /// Points of the floating-point inputs that gradient checks stay 1e-3 away from.
    pub kinks: Vec<f64>,
    /// The tolerance of f32 against f64, relative to max(1, |value|).
    pub tolerance: f64,
    /// Whether gradients are checked.
    pub differentiable: bool,
    /// Whether gradients of gradients are checked.
    pub twice: bool,
}

impl Case {
    /// A differentiable case with the usual tolerance, 2e-6.
    pub fn new(
        name: impl Into<String>,
        inputs: Vec<CaseInput>,
        build: impl Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            inputs,
            build: Arc::new(build),
            kinks: Vec::new(),
            tolerance: 2e-6,
            differentiable: true,
            twice: true,
        }
    }

    /// With points to stay away from.
    #[must_use]
    pub fn kinks(mut self, kinks: &[f64]) -> Self {
        self.kinks = kinks.to_vec();
        self
    }

    /// With another tolerance.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Without gradients.
    #[must_use]
    pub fn no_gradient(mut self) -> Self {
        self.differentiable = false;
        self.twice = false;
        self
    }

    /// With first-order gradients only.
    #[must_use]
    pub fn first_order(mut self) -> Self {
        self.twice = false;
        self
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({}, {:?})", self.name, self.inputs)
    }
}
