//! What a row of the table of elementwise operations says.
//!
//! For each: the name, what it takes and gives, its WGSL function (in `shaders/`), its f64 definition, its f32
//! form for the CPU, and its derivatives. None of the three forms is derived from another.

use std::ops::RangeInclusive;

use super::{activation, table};
use crate::{
    DType, Result,
    graph::{Meta, Tensor},
};

/// What a row's inputs may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Floats of one type.
    Floats,
    /// Numbers of one type.
    Numbers,
    /// A truth value, then two values of one type.
    Select,
    /// Anything.
    Any,
}

impl Takes {
    pub(super) fn check(self, i: usize, inputs: &[Meta]) -> Result<(), String> {
        let of = inputs[i].dtype;
        let like = |j: usize| {
            if of == inputs[j].dtype {
                return Ok(());
            }
            Err(format!("input {i} is {of}, input {j} is {}; cast one of them", inputs[j].dtype))
        };
        match self {
            Self::Any => Ok(()),
            Self::Floats if !of.is_float() => Err(format!("input {i} is {of}; it takes floats")),
            Self::Numbers if of == DType::Bool => Err(format!("input {i} is bool; it takes numbers")),
            Self::Floats | Self::Numbers => like(0),
            Self::Select if i == 0 && of != DType::Bool => {
                Err(format!("the condition is {of}; it must be bool"))
            }
            Self::Select => {
                if i == 2 {
                    like(1)
                } else {
                    Ok(())
                }
            }
        }
    }
}

/// The type of a row's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// That of the last input.
    LikeLast,
    /// A truth value.
    Bool,
    /// This one.
    Cast(DType),
}

/// How WGSL says a row. `{0}`, `{1}` stand for arguments; after them come the attributes.
#[derive(Clone, Copy, Debug)]
pub struct Wgsl {
    /// The shader file that has to be imported, where there is one.
    pub import: Option<&'static str>,
    /// The expression over floats.
    pub floats: &'static str,
    /// The expression over integers, where the row takes them.
    pub integers: Option<&'static str>,
}

type ComposeFn = fn(&Tensor, &[Tensor], &Tensor, &[f64]) -> Result<Tensor>;

/// The derivative of a row to one of its inputs.
#[derive(Clone, Copy)]
pub enum Derivative {
    /// Zero everywhere.
    Zero,
    /// One everywhere.
    One,
    /// Another row of the same inputs and attributes, times the cotangent.
    Row(&'static str),
    /// Nodes made of (cotangent, inputs, output, attributes).
    Compose(ComposeFn),
}

type FastFn = fn(&[&[f32]], &[f64], &mut [f32]);
type WideFn = fn(&[&[f64]], &mut [f64]);

/// One elementwise operation.
pub struct Row {
    /// Its name: the method on `Tensor`.
    pub name: &'static str,
    /// What it computes.
    pub formula: &'static str,
    /// The paper that defined it; empty for what everybody knows.
    pub source: &'static str,
    /// The number of inputs.
    pub arity: usize,
    /// What they may be.
    pub takes: Takes,
    /// The type of the result.
    pub output: Output,
    /// Its attributes, in the order in which its functions take them.
    pub attributes: &'static [Attribute],
    /// What its attributes must satisfy together, beyond the range of each.
    pub valid: fn(&[f64]) -> Result<(), String>,
    /// How WGSL says it.
    pub wgsl: Wgsl,
    /// Its definition in f64: (inputs, attributes).
    pub reference: fn(&[f64], &[f64]) -> f64,
    /// Its definition over two 32-bit integers where f64 would not do: the result's low 32 bits count.
    pub integers: Option<fn(i64, i64) -> i64>,
    /// Its definition over slices in f64, where loops over it become vectors and give the same: arithmetic.
    pub wide: Option<WideFn>,
    /// Its f32 form over slices: (inputs, attributes, output). Truth values are 0 and 1.
    pub fast: FastFn,
    /// Its derivative to each input; empty where it is not differentiable.
    pub derivatives: &'static [Derivative],
    /// Inputs where a derivative jumps, given the attributes; checks stay 1e-3 away.
    pub kinks: fn(&[f64]) -> Vec<f64>,
    /// The interval from which the harness draws inputs.
    pub range: (f64, f64),
    /// The tolerance of f32 kernels against f64, relative to max(1, |value|).
    pub tolerance: f64,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({})", self.name)
    }
}

/// A number that a row takes beside its inputs.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its value where none is given.
    pub default: f64,
    /// What it may be. Infinities stand for "any finite number".
    pub range: RangeInclusive<f64>,
    /// Values that the harness tests beside the default.
    pub trials: &'static [f64],
}

impl Attribute {
    /// What is wrong with that value, if anything is: NaN, infinities and numbers beyond f32, in which kernels take it, are.
    pub(super) fn objection(&self, value: f64) -> Option<String> {
        if !(value.is_finite() && self.range.contains(&value)) {
            return Some(format!("attribute `{}` is {value}; it must {}", self.name, self.limits()));
        }
        (!(value as f32).is_finite()).then(|| {
            let most = f32::MAX;
            format!("attribute `{}` is {value:e}; it must fit f32: lie in -{most:e}..={most:e}", self.name)
        })
    }

    /// The range, as messages and documents say it.
    #[must_use]
    pub fn limits(&self) -> String {
        match (*self.range.start(), *self.range.end()) {
            (low, high) if low.is_infinite() && high.is_infinite() => "be finite".into(),
            (low, high) if high.is_infinite() => format!("be at least {low}"),
            (low, high) if low.is_infinite() => format!("be at most {high}"),
            (low, high) => format!("lie in {low}..={high}"),
        }
    }
}

impl Row {
    /// Whether it is an activation, or the derivative of one.
    pub(super) fn activation(&self) -> bool {
        activation::FAMILIES.iter().copied().flatten().any(|row| row.name == self.name)
    }

    /// Whether it is the derivative of another row: `NAME_d1` or `NAME_d2`.
    #[must_use]
    pub fn is_derivative(&self) -> bool {
        self.name.ends_with("_d1") || self.name.ends_with("_d2")
    }
}

/// What most rows have.
pub(super) const UNARY: Row = Row {
    name: "",
    formula: "",
    source: "",
    arity: 1,
    takes: Takes::Floats,
    output: Output::LikeLast,
    attributes: &[],
    valid: |_| Ok(()),
    wgsl: both(""),
    reference: |x, _| x[0],
    integers: None,
    wide: None,
    fast: |x, _, y| y.copy_from_slice(x[0]),
    derivatives: &[],
    kinks: |_| Vec::new(),
    range: (-4.0, 4.0),
    tolerance: 2e-6,
};

/// What most rows of two inputs have.
pub(super) const BINARY: Row = Row { arity: 2, takes: Takes::Numbers, ..UNARY };

/// What comparisons have.
pub(super) const COMPARE: Row =
    Row { output: Output::Bool, derivatives: &[Derivative::Zero, Derivative::Zero], ..BINARY };

/// A function of a shader file.
pub(super) const fn call(import: &'static str, floats: &'static str) -> Wgsl {
    Wgsl { import: Some(import), floats, integers: None }
}

/// One expression for floats and integers.
pub(super) const fn both(expression: &'static str) -> Wgsl {
    Wgsl { import: None, floats: expression, integers: Some(expression) }
}

/// All rows: arithmetic, comparisons, casts, activations.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    table::FAMILIES.iter().chain(activation::FAMILIES).copied().flatten()
}

/// The activations, without the rows of their derivatives.
pub fn activations() -> impl Iterator<Item = &'static Row> {
    activation::FAMILIES.iter().copied().flatten().filter(|row| !row.is_derivative())
}

/// The row of that name.
pub(crate) fn row(name: &str) -> Option<&'static Row> {
    rows().find(|r| r.name == name)
}
