//! The operations of the conformance cases, through the library's public methods. Names, inputs, attributes and
//! defaults are those of `cases/reference.py`.

mod attention;
mod kan;

use std::collections::BTreeMap;

use knotwork::{
    Error, Tensor,
    ops::{Conv2d, Feature, GluActivation, RationalForm, elementwise::activations},
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
    ("min", |c| y(c.input("x")?.min(&c.dims()?, c.flag("keepdim")?)?)),
    ("var", |c| y(c.input("x")?.var(&c.dims()?, c.number("correction", 0.0)?, c.flag("keepdim")?)?)),
    ("cumsum", |c| y(c.input("x")?.cumsum(c.dim()?)?)),
    ("poly_norm", |c| {
        y(c.input("x")?.poly_norm(c.input("weight")?, c.input("bias")?, c.number("eps", 1e-6)?)?)
    }),
    ("layer_norm", |c| {
        y(c.input("x")?.layer_norm(c.optional("weight"), c.optional("bias"), c.number("eps", 1e-5)?)?)
    }),
    ("rms_norm", |c| y(c.input("x")?.rms_norm(c.optional("weight"), c.number("eps", 1e-6)?)?)),
    ("group_norm", |c| {
        let groups = c.attribute("groups", None, |v| usize::try_from(v.as_u64()?).ok())?;
        y(c.input("x")?.group_norm(
            groups,
            c.optional("weight"),
            c.optional("bias"),
            c.number("eps", 1e-5)?,
        )?)
    }),
    ("batch_norm", |c| {
        y(c.input("x")?.batch_norm(c.optional("weight"), c.optional("bias"), c.number("eps", 1e-5)?)?)
    }),
    ("matmul", matmul),
    ("linear", |c| y(c.input("x")?.linear(c.input("weight")?, c.optional("bias"))?)),
    ("softmax", |c| y(c.input("x")?.softmax(c.dim()?)?)),
    ("log_softmax", |c| y(c.input("x")?.log_softmax(c.dim()?)?)),
    ("sparsemax", |c| y(c.input("x")?.sparsemax(c.dim()?)?)),
    ("entmax15", |c| y(c.input("x")?.entmax15(c.dim()?)?)),
    ("linear_attention", linear_attention),
    ("logsumexp", |c| y(c.input("x")?.logsumexp(&c.dims()?, c.flag("keepdim")?)?)),
    ("prelu", |c| {
        let axis = c.attribute("axis", Some(-1), whole)?;
        y(c.input("x")?.prelu(c.input("weight")?, axis)?)
    }),
    ("poly_relu", |c| y(c.input("x")?.poly_relu(c.input("weight")?)?)),
    ("rational", rational),
    ("sort", |c| pair_of(c.input("x")?.sort(c.dim()?, c.flag("descending")?)?)),
    ("argsort", |c| one("indices", c.input("x")?.argsort(c.dim()?, c.flag("descending")?)?)),
    ("topk", |c| {
        let largest = c.attribute("largest", Some(true), Value::as_bool)?;
        pair_of(c.input("x")?.topk(c.count("k")?, c.dim()?, largest)?)
    }),
    ("gather", |c| y(c.input("x")?.gather(c.dim()?, c.input("index")?)?)),
    ("scatter_add", |c| y(c.input("x")?.scatter_add(c.dim()?, c.input("index")?, c.count("length")?)?)),
    ("gather_rows", |c| y(c.input("table")?.gather_rows(c.input("index")?)?)),
    ("glu", glu),
    ("spmm_csr", |c| {
        y(c.input("values")?.spmm_csr(c.input("indptr")?, c.input("indices")?, c.input("b")?)?)
    }),
    ("sddmm_csr", |c| {
        let (indptr, indices) = (c.input("indptr")?, c.input("indices")?);
        one("values", c.input("a")?.sddmm_csr(indptr, indices, c.input("b")?)?)
    }),
    ("hadamard_transform", |c| y(c.input("x")?.hadamard_transform()?)),
    ("maxout", |c| y(c.input("x")?.maxout(c.count("pieces")?)?)),
    ("basis", kan::basis),
    ("kan_layer", kan::kan_layer),
    ("wavelet_kan_layer", kan::wavelet_kan_layer),
    ("conv2d", conv2d),
    ("attention", attention::attention),
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

fn glu(c: &Call<'_>) -> Built {
    let act = c.attribute("act", None, |v| GluActivation::from_name(v.as_str()?))?;
    y(c.input("gate")?.glu(c.input("value")?, act)?)
}

fn rational(c: &Call<'_>) -> Built {
    let form = c.attribute("form", Some(RationalForm::B), |v| match v.as_str()? {
        "A" => Some(RationalForm::A),
        "B" => Some(RationalForm::B),
        _ => None,
    })?;
    y(c.input("x")?.rational(c.input("numerator")?, c.input("denominator")?, form)?)
}

fn linear_attention(c: &Call<'_>) -> Built {
    let feature = c.attribute("feature", Some(Feature::Elu1), |v| match v.as_str()? {
        "elu1" => Some(Feature::Elu1),
        "relu" => Some(Feature::Relu),
        "identity" => Some(Feature::Identity),
        _ => None,
    })?;
    let normalize = c.attribute("normalize", Some(true), Value::as_bool)?;
    let (k, v) = (c.input("k")?, c.input("v")?);
    y(c.input("q")?.linear_attention(k, v, feature, c.flag("causal")?, normalize)?)
}

fn conv2d(c: &Call<'_>) -> Built {
    let both = |name: &str, default: usize| c.attribute(name, Some([default; 2]), pair);
    let groups = c.attribute("groups", Some(1), |v| usize::try_from(v.as_u64()?).ok())?;
    let options = Conv2d::new().stride(both("stride", 1)?).padding(both("padding", 0)?);
    let options = options.dilation(both("dilation", 1)?).groups(groups);
    y(c.input("x")?.conv2d(c.input("weight")?, c.optional("bias"), &options)?)
}

/// One number for both directions, or one each.
fn pair(value: &Value) -> Option<[usize; 2]> {
    let one = |v: &Value| usize::try_from(v.as_u64()?).ok();
    match value {
        Value::Array(both) if both.len() == 2 => Some([one(&both[0])?, one(&both[1])?]),
        both => one(both).map(|n| [n, n]),
    }
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

    fn count(&self, name: &str) -> Result<usize, Refusal> {
        self.attribute(name, None, |v| usize::try_from(v.as_u64()?).ok())
    }

    fn number(&self, name: &str, default: f64) -> Result<f64, Refusal> {
        self.attribute(name, Some(default), Value::as_f64)
    }

    fn dim(&self) -> Result<isize, Refusal> {
        self.attribute("dim", None, whole)
    }

    /// The dimensions to reduce. None named means all, as in PyTorch.
    fn dims(&self) -> Result<Vec<isize>, Refusal> {
        let dims: Vec<isize> = self.attribute("dims", None, |v| match v {
            Value::Array(all) => all.iter().map(whole).collect(),
            one => Some(vec![whole(one)?]),
        })?;
        if dims.is_empty() { Ok((0..self.input("x")?.rank() as isize).collect()) } else { Ok(dims) }
    }
}

fn whole(value: &Value) -> Option<isize> {
    isize::try_from(value.as_i64()?).ok()
}

fn one(name: &str, value: Tensor) -> Built {
    Ok(Named::from([(name.to_owned(), value)]))
}

fn pair_of((values, indices): (Tensor, Tensor)) -> Built {
    Ok(Named::from([("values".to_owned(), values), ("indices".to_owned(), indices)]))
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
