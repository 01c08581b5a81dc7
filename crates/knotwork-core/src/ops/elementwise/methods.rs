//! The methods that users call: arithmetic, comparisons, elementary functions, activations.

use std::sync::Arc;

use super::{Function, Map, activations, row};
use crate::{
    DType, Error, Result, Site,
    error::OpError,
    graph::{Operand, Tensor},
};

impl Tensor {
    /// A row of the table applied to self and `others`, which broadcast to one shape.
    #[track_caller]
    pub(crate) fn map(&self, name: &str, attributes: &[f64], others: &[Self]) -> Result<Self> {
        let site = Site::here();
        let row = row(name)
            .ok_or_else(|| Error::Graph { message: format!("there is no elementwise `{name}`"), site })?;
        let all: Vec<&Self> = std::iter::once(self).chain(others).collect();
        let refuse = |message: String| OpError {
            op: name.into(),
            inputs: all.iter().map(|t| t.meta().to_string()).collect(),
            message,
            site,
        };
        for (&value, attribute) in attributes.iter().zip(row.attributes) {
            if !attribute.allows(value) {
                let (name, limits) = (attribute.name, attribute.limits());
                return Err(refuse(format!("attribute `{name}` is {value}; it must {limits}")).into());
            }
        }
        let mut shape = self.shape().clone();
        for t in others {
            shape = shape.broadcast(t.shape()).ok_or_else(|| {
                refuse("the shapes do not broadcast: aligned at the end, sizes must agree or be 1".into())
            })?;
        }
        let stretched = all.iter().map(|t| t.stretch(&shape, site)).collect::<Result<Vec<_>>>()?;
        let op = Map(Function { row, attributes: attributes.to_vec() });
        self.graph().apply_one(op, &stretched.iter().collect::<Vec<_>>(), site)
    }

    /// The same elements in another type: floats round to nearest even, floats to integers truncate and
    /// saturate, NaN becomes 0. The gradient passes between floating-point types and is zero otherwise.
    ///
    /// # Errors
    /// None today.
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Result<Self> {
        if dtype == self.dtype() {
            return Ok(self.clone());
        }
        let name = match dtype {
            DType::F32 => "to_f32",
            DType::F16 => "to_f16",
            DType::F64 => "to_f64",
            DType::I32 => "to_i32",
            DType::U32 => "to_u32",
            DType::Bool => "to_bool",
        };
        self.map(name, &[], &[])
    }

    /// self where true, else `otherwise`... chosen by `condition`, a tensor of truth values; all three broadcast.
    ///
    /// # Errors
    /// Where `condition` is not bool, or shapes do not broadcast.
    #[track_caller]
    pub fn select(&self, condition: &Self, otherwise: impl Operand) -> Result<Self> {
        let otherwise = otherwise.into_tensor(self)?;
        condition.map("select", &[], &[self.clone(), otherwise])
    }
}

macro_rules! unary {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {
        impl Tensor {$(
            $(#[doc = $doc])+
            ///
            /// # Errors
            /// Where the element type is not a float.
            #[track_caller]
            pub fn $name(&self) -> Result<Self> {
                self.map(stringify!($name), &[], &[])
            }
        )*}
    };
}

unary! {
    /// −x, elementwise.
    neg;
    /// |x|, elementwise; the gradient at 0 is 0.
    abs;
    /// −1, 0 or 1 by the sign of x; its gradient is 0.
    sign;
    /// eˣ, elementwise.
    exp;
    /// The natural logarithm, elementwise: −∞ at 0, NaN below.
    log;
    /// √x, elementwise: NaN below 0; the gradient at 0 is ∞.
    sqrt;
    /// 1/√x, elementwise.
    rsqrt;
    /// 1/x, elementwise.
    recip;
    /// x², elementwise.
    square;
    /// max(0, x), elementwise; the gradient at 0 is 0.
    ///
    /// ```
    /// # use knotwork_core::{Device, Graph, HostTensor, DType};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [3])?;
    /// let y = x.relu()?;
    /// let mut f = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = f.run([("x", HostTensor::new(&[-1.0f32, 0.0, 2.0], [3])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[0.0, 0.0, 2.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    relu;
    /// σ(x) = 1 / (1 + e⁻ˣ), elementwise.
    sigmoid;
    /// tanh x, elementwise.
    tanh;
    /// x σ(x), elementwise (Elfwing, Uchibe and Doya 2017); also swish with β = 1.
    silu;
    /// x Φ(x) = x/2 (1 + erf(x/√2)), elementwise, exact (Hendrycks and Gimpel 2016).
    gelu;
}

macro_rules! parametric {
    ($($(#[doc = $doc:literal])+ $name:ident($($attribute:ident),+);)*) => {
        impl Tensor {$(
            $(#[doc = $doc])+
            ///
            /// # Errors
            /// Where the element type is not a float, or an attribute is not finite or out of its range.
            #[track_caller]
            pub fn $name(&self, $($attribute: f64),+) -> Result<Self> {
                self.map(stringify!($name), &[$($attribute),+], &[])
            }
        )*}
    };
}

parametric! {}

impl Tensor {
    /// The activation of that name, for configurations that name one; attributes that are left out have their
    /// defaults. [`activations`](crate::ops::elementwise::activations) lists them all.
    ///
    /// ```
    /// # use knotwork_core::{Device, Graph, HostTensor, DType};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [2])?;
    /// let y = x.activation("relu", &[])?;
    /// let mut f = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = f.run([("x", HostTensor::new(&[-1.0f32, 2.0], [2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[0.0, 2.0]);
    /// assert!(x.activation("frobnicate", &[]).unwrap_err().to_string().contains("no activation `frobnicate`"));
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no such activation or attribute, a value is not finite or out of its range, or the element type
    /// is not a float.
    #[track_caller]
    pub fn activation(&self, name: &str, attributes: &[(&str, f64)]) -> Result<Self> {
        let refuse = |message: String| {
            let inputs = vec![self.meta().to_string()];
            Error::from(OpError { op: "activation".into(), inputs, message, site: Site::here() })
        };
        let row = activations()
            .find(|row| row.name == name)
            .ok_or_else(|| refuse(format!("there is no activation `{name}`")))?;
        let mut values: Vec<f64> = row.attributes.iter().map(|a| a.default).collect();
        for (attribute, value) in attributes {
            let known =
                || row.attributes.iter().map(|a| format!("`{}`", a.name)).collect::<Vec<_>>().join(", ");
            let at = row.attributes.iter().position(|a| a.name == *attribute).ok_or_else(|| {
                refuse(if row.attributes.is_empty() {
                    format!("`{name}` has no attribute `{attribute}`; it takes none")
                } else {
                    format!("`{name}` has no attribute `{attribute}`; it takes {}", known())
                })
            })?;
            values[at] = *value;
        }
        self.map(row.name, &values, &[])
    }
}

macro_rules! binary {
    ($($(#[doc = $doc:literal])+ $name:ident;)*) => {
        impl Tensor {$(
            $(#[doc = $doc])+
            ///
            /// # Errors
            /// Where the element types differ or the shapes do not broadcast.
            #[track_caller]
            pub fn $name(&self, other: impl Operand) -> Result<Self> {
                let other = other.into_tensor(self)?;
                self.map(stringify!($name), &[], &[other])
            }
        )*}
    };
}

binary! {
    /// self + other, elementwise, broadcasting.
    add;
    /// self − other, elementwise, broadcasting.
    sub;
    /// self · other, elementwise, broadcasting.
    mul;
    /// self / other, elementwise, broadcasting.
    div;
    /// self to the power of other, elementwise, broadcasting. NaN where self < 0 and other is no integer.
    pow;
    /// The larger of both, elementwise; NaN where one is; a tie splits the gradient evenly.
    maximum;
    /// The smaller of both, elementwise; NaN where one is; a tie splits the gradient evenly.
    minimum;
    /// Whether self > other, elementwise: truth values.
    gt;
    /// Whether self ≥ other, elementwise: truth values.
    ge;
    /// Whether self < other, elementwise: truth values.
    lt;
    /// Whether self ≤ other, elementwise: truth values.
    le;
    /// Whether both are equal, elementwise: truth values.
    eq;
    /// Whether both differ, elementwise: truth values.
    ne;
}

impl Tensor {
    /// Stretched to `shape`, as a view; self where it has that shape already.
    pub(super) fn stretch(&self, shape: &crate::Shape, site: Site) -> Result<Self> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        let op: Arc<dyn crate::ops::Op> = Arc::new(crate::ops::views::Expand(shape.clone()));
        Ok(self.graph().apply_arc(op, &[self], site)?.remove(0))
    }
}
