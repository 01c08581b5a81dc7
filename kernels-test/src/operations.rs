//! The operations of the conformance cases, through the library's public methods. Names, inputs, attributes and
//! defaults are those of `cases/reference.py`.

use std::collections::BTreeMap;

mod attention;

use knotwork::{
    Error, Tensor,
    ops::{BSpline, elementwise::activations},
};
use serde_json::Value;

/// Values by name.
pub type Named = BTreeMap<String, Tensor>;

/// Why an operation could not be built.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The runner does not know it; the text says what.
    Unknown(String),
    /// It is known, but refused.
    Failed(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

type Built = Result<Named, Refusal>;
type Adapter = fn(&Call<'_>) -> Built;

/// Builds the operation `op` over `inputs`.
///
/// ```
/// use kernels_test::operations::build;
/// use knotwork::{DType, Graph};
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [3])?;
/// let out = build("silu", &[("x".into(), x)].into(), &serde_json::json!({})).unwrap();
/// assert_eq!(out["y"].shape().to_string(), "[3]");
/// # Ok::<(), knotwork::Error>(())
/// ```
///
/// # Errors
/// Where the runner does not know the operation, an input or attribute is missing, or the library refuses them.
pub fn build(op: &str, inputs: &Named, attrs: &Value) -> Built {
    let call = Call { inputs, attrs };
    if let Some((_, adapter)) = ADAPTERS.iter().find(|(name, _)| *name == op) {
        return adapter(&call);
    }
    if activations().any(|row| row.name == op) {
        let attributes = call.numbers()?;
        let attributes: Vec<(&str, f64)> = attributes.iter().map(|(name, v)| (name.as_str(), *v)).collect();
        return y(call.input("x")?.activation(op, &attributes)?);
    }
    Err(Refusal::Unknown(format!("operation `{op}`")))
}

/// Every operation that the runner knows, beside the activations, which it takes by name.
const ADAPTERS: &[(&str, Adapter)] = &[
    ("sum", |c| y(c.input("x")?.sum(&c.dims()?, c.flag("keepdim")?)?)),
    ("mean", |c| y(c.input("x")?.mean(&c.dims()?, c.flag("keepdim")?)?)),
    ("max", |c| y(c.input("x")?.max(&c.dims()?, c.flag("keepdim")?)?)),
    ("matmul", matmul),
    ("linear", |c| y(c.input("x")?.linear(c.input("weight")?, c.optional("bias"))?)),
    ("softmax", |c| y(c.input("x")?.softmax(c.dim()?)?)),
    ("log_softmax", |c| y(c.input("x")?.log_softmax(c.dim()?)?)),
    ("logsumexp", |c| y(c.input("x")?.logsumexp(&c.dims()?, c.flag("keepdim")?)?)),
    ("attention", attention::attention),
    ("kan_layer", kan_layer),
    ("mse_loss", |c| one("loss", c.input("x")?.mse_loss(c.input("target")?)?)),
    ("cross_entropy", |c| {
        let smoothing = c.number("label_smoothing", 0.0)?;
        one("loss", c.input("logits")?.cross_entropy_with(c.input("target")?, smoothing)?)
    }),
];

fn matmul(c: &Call<'_>) -> Built {
    let operand = |name: &str, flag: &str| -> Result<Tensor, Refusal> {
        let t = c.input(name)?;
        Ok(if c.flag(flag)? { t.transpose(-2, -1)? } else { t.clone() })
    };
    y(operand("a", "transpose_a")?.matmul(&operand("b", "transpose_b")?)?)
}

fn kan_layer(c: &Call<'_>) -> Built {
    let basis = c.attribute("basis", None, |v| v.as_str().map(ToOwned::to_owned))?;
    if basis != "bspline" {
        return Err(Refusal::Unknown(format!("basis `{basis}` of `kan_layer`")));
    }
    let count = |name: &str, default| c.attribute(name, default, |v| usize::try_from(v.as_u64()?).ok());
    let range = c.attribute("range", Some([-1.0, 1.0]), |v| Some([v[0].as_f64()?, v[1].as_f64()?]))?;
    let spline = BSpline::new(count("grid", None)?, count("order", Some(3))?)?.range(range[0], range[1])?;
    y(c.input("x")?.kan_layer(c.input("coef")?, c.optional("base_weight"), c.optional("bias"), &spline)?)
}

/// One use of an operation: what a case gives it.
struct Call<'a> {
    inputs: &'a Named,
    attrs: &'a Value,
}

impl Call<'_> {
    fn input(&self, name: &str) -> Result<&Tensor, Refusal> {
        self.optional(name).ok_or_else(|| Refusal::Failed(format!("the case has no `in/{name}`")))
    }

    fn optional(&self, name: &str) -> Option<&Tensor> {
        self.inputs.get(name)
    }

    /// All attributes, each a number.
    fn numbers(&self) -> Result<Vec<(String, f64)>, Refusal> {
        let Value::Object(all) = self.attrs else { return Ok(Vec::new()) };
        all.iter()
            .map(|(name, value)| match value.as_f64() {
                Some(number) => Ok((name.clone(), number)),
                None => Err(Refusal::Failed(format!("attribute `{name}` is {value}: not a number"))),
            })
            .collect()
    }

    fn attribute<T>(
        &self,
        name: &str,
        default: Option<T>,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, Refusal> {
        match (&self.attrs[name], default) {
            (Value::Null, Some(default)) => Ok(default),
            (Value::Null, None) => Err(Refusal::Failed(format!("the case has no attribute `{name}`"))),
            (value, _) => read(value)
                .ok_or_else(|| Refusal::Failed(format!("attribute `{name}` is {value}: not of its type"))),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, Refusal> {
        self.attribute(name, Some(false), Value::as_bool)
    }

    fn number(&self, name: &str, default: f64) -> Result<f64, Refusal> {
        self.attribute(name, Some(default), Value::as_f64)
    }

    fn dim(&self) -> Result<isize, Refusal> {
        self.attribute("dim", None, whole)
    }

    fn dims(&self) -> Result<Vec<isize>, Refusal> {
        self.attribute("dims", None, |v| match v {
            Value::Array(all) => all.iter().map(whole).collect(),
            one => Some(vec![whole(one)?]),
        })
    }
}

fn whole(value: &Value) -> Option<isize> {
    isize::try_from(value.as_i64()?).ok()
}

fn one(name: &str, value: Tensor) -> Built {
    Ok(Named::from([(name.to_owned(), value)]))
}

fn y(value: Tensor) -> Built {
    one("y", value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use knotwork::{DType, Graph};

    #[test]
    fn what_is_not_there_is_said() {
        let g = Graph::new();
        let x: Named = [("x".to_owned(), g.input("x", DType::F32, [3]).unwrap())].into();
        let attempt =
            |op: &str, attrs: &str| build(op, &x, &serde_json::from_str(attrs).unwrap()).unwrap_err();
        assert_eq!(attempt("frobnicate", "{}"), Refusal::Unknown("operation `frobnicate`".into()));
        assert_eq!(attempt("sum", "{}"), Refusal::Failed("the case has no attribute `dims`".into()));
        let Refusal::Failed(text) = attempt("sum", r#"{"dims": "all"}"#) else { panic!() };
        assert!(text.contains("not of its type"), "{text}");
    }

    #[test]
    fn each_operation_is_there_once() {
        for (i, (name, _)) in ADAPTERS.iter().enumerate() {
            assert!(ADAPTERS[..i].iter().all(|(before, _)| before != name), "{name} is there twice");
        }
    }
}
