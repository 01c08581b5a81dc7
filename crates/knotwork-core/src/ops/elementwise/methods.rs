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
            if let Some(objection) = attribute.objection(value) {
                return Err(refuse(objection).into());
            }
        }
        (row.valid)(attributes).map_err(|message| Error::from(refuse(message)))?;
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
    /// min(max(x, 0), 6), elementwise (Krizhevsky 2010); the slope at both limits is 0, as in PyTorch.
    relu6;
    /// min(max(x/6 + ½, 0), 1), elementwise (Howard et al. 2019); the slope at ±3 is 0.
    hard_sigmoid;
    /// x min(max(x/6 + ½, 0), 1), elementwise (Howard et al. 2019): 0 at −∞, ∞ at ∞; the slope is 0 at −3, 1 at 3.
    hard_swish;
    /// x/2 min(max(x + 2, 0), 2), elementwise: 0 at −∞, ∞ at ∞; the slope is 0 at −2, 1 at 0.
    hard_mish;
    /// x / (1 + |x|), elementwise (Bergstra, Desjardins, Lamblin and Bengio 2009): ∓1 at ∓∞; the second derivative at 0,
    /// where it jumps, is 0.
    softsign;
    /// 1.7159 tanh(2x/3), elementwise (LeCun, Bottou, Orr and Müller 1998): ∓1.7159 at ∓∞.
    lecun_tanh;
    /// (√(x² + 1) − 1) / 2 + x, elementwise: ∓∞ at ∓∞ with slopes ½ and 3/2.
    bent_identity;
    /// x − tanh x, elementwise, without cancellation near 0: ∓∞ at ∓∞.
    tanh_shrink;
    /// arctan x, elementwise: ∓π/2 at ∓∞.
    arctan;
    /// The inverse hyperbolic sine ln(x + √(x² + 1)), elementwise, without cancellation or overflow: ∓∞ at ∓∞.
    asinh;
    /// max(0, x)², elementwise (So et al. 2021): 0 at −∞, ∞ at ∞; the second derivative at 0 is 0.
    relu_squared;
    /// λ x where x > 0, else λ α (eˣ − 1), elementwise, with α = 1.6733 and λ = 1.0507 (Klambauer, Unterthiner, Mayr and
    /// Hochreiter 2017): −λ α at −∞, ∞ at ∞; the slope at 0 is λ α.
    selu;
    /// x σ(x), elementwise (Elfwing, Uchibe and Doya 2017); also swish with β = 1.
    silu;
    /// x Φ(x) = x/2 (1 + erf(x/√2)), elementwise, exact (Hendrycks and Gimpel 2016).
    gelu;
    /// cos x, elementwise, to f32's precision for every finite x: NaN at ±∞.
    cos;
    /// sin x, elementwise, to f32's precision for every finite x: NaN at ±∞. As an activation: Sitzmann, Martel,
    /// Bergman, Lindell and Wetzstein 2020.
    sin;
    /// The error function 2/√π ∫₀ˣ e^(−t²) dt, elementwise: ∓1 at ∓∞.
    erf;
    /// x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))), elementwise, the common approximation of [`gelu`](Self::gelu)
    /// (Hendrycks and Gimpel 2016): 0 at −∞, ∞ at ∞.
    gelu_tanh;
    /// x σ(1.702 x), elementwise, another approximation of [`gelu`](Self::gelu) (Hendrycks and Gimpel 2016): 0 at −∞,
    /// ∞ at ∞.
    quick_gelu;
    /// x tanh(ln(1 + eˣ)), elementwise (Misra 2019): 0 at −∞, ∞ at ∞.
    mish;
    /// ln σ(x) = −ln(1 + e⁻ˣ), elementwise, without overflow: −∞ at −∞, 0 at ∞.
    log_sigmoid;
    /// x cos x, elementwise, the growing cosine unit (Noel, Trivedi and Dutta 2021): NaN at ±∞.
    gcu;
    /// e^(−x²), elementwise (Ramasinghe and Lucey 2021): 0 at ±∞.
    gaussian;
    /// x tanh x, elementwise (Roy, Manna, Dubey and Chaudhuri 2019): ∞ at ±∞.
    lisht;
    /// x tanh(eˣ), elementwise (Liu and Di 2020), also called TeLU (Fernandez and Mali 2024): 0 at −∞, ∞ at ∞.
    tanhexp;
    /// x ln(1 + σ(x)), elementwise (Zhu, Zeng, Liu and Zhang 2021): 0 at −∞, ∞ at ∞ with slope ln 2.
    logish;
    /// x tanh(ln(1 + σ(x))), elementwise (Wang, Ren and Wang 2022): 0 at −∞, ∞ at ∞ with slope 3/5.
    smish;
    /// x tanh(gelu(x)), elementwise (Naveen 2022): 0 at −∞, ∞ at ∞.
    phish;
    /// x erf(ln(1 + eˣ)), elementwise (Nag, Bhattacharyya, Mukherjee and Kundu 2021): 0 at −∞, ∞ at ∞.
    serf;
    /// x σ(x) where x ≥ 0, else (eˣ − 1) σ(x), elementwise (Basirat and Roth 2018): 0 at −∞, ∞ at ∞. The slope is
    /// continuous; the second derivative jumps at 0 from 1 to ½, which is its value there.
    elish;
    /// x exp(−e⁻ˣ), elementwise, the Gompertz linear unit (Das, Safari, Adriaensen and Hutter 2025): 0 at −∞, ∞ at ∞.
    golu;
    /// sin x √|x|, elementwise (Shah and Sitawarin 2023): NaN at ±∞. The derivative at 0 is 0; the second derivative
    /// at ±0 is ±∞.
    spder;
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

parametric! {
    /// max(0, x) + ε x e^(−x²/2), elementwise, the correction regularised rectifier (Sun et al. 2024), usually with ε = 0.01:
    /// 0 at −∞, ∞ at ∞; the slope at 0 is ε.
    crrelu(epsilon);
    /// (x + √(x² + b)) / 2, elementwise, without cancellation or overflow (Barron 2021), usually with b = 4: 0 at −∞, ∞ at
    /// ∞. b lies in 0..=1e30; where it is 0 this is max(0, x), with slope ½ at 0.
    squareplus(b);
    /// (λ₁ x + λ₂) / (x² + d²), elementwise, without overflow (Li, Xia and Zhang 2024), usually with λ₁ = λ₂ = d = 1: 0
    /// at ±∞. d lies in 1e-6..=1e15, λ₁ and λ₂ in −1e8..=1e8.
    cauchy(lambda1, lambda2, d);
    /// 1 / (1 + |x/a|^d), elementwise (Lan and Mahmood 2023), usually with a = 1 and d = 4: 0 at ±∞, 1 at 0 with slope 0.
    /// a lies in 1e-6..=1e15, d in 1..=1e4.
    elephant(a, d);
    /// s σ(T x) − o with scale s, temperature T and offset o, elementwise (Papernot, Thakurta, Song, Chien and Erlingsson
    /// 2020), usually 2, 2 and 1, where it is tanh x: for T > 0, −o at −∞ and s − o at ∞.
    tempered_sigmoid(scale, temperature, offset);
    /// x (β (arctan(x)/π + ½) − α) with β = 1 + 2α, elementwise: the arctangent's gate expanded from (0, 1) to
    /// (−α, 1 + α) (Huang 2024), usually with α = 0, where it is −1/π at −∞ and ∞ at ∞.
    xatlu(alpha);
    /// min(max(x, min), max), elementwise (Collobert 2004), usually between −1 and 1; the slope at both limits is 0.
    hard_tanh(min, max);
    /// x where |x| > λ, else 0, elementwise (Donoho and Johnstone 1994), usually with λ = ½; the slope at ±λ is 0.
    hard_shrink(lambda);
    /// tanh x where x > 0, else α tanh x, elementwise (Xu, Huang and Li 2016), usually with α = ¼: −α at −∞, 1 at ∞; the
    /// slope at 0 is α.
    penalized_tanh(alpha);
    /// x / √(1 + α x²), elementwise (Carlile, Delamarter, Kinney, Marti and Whitney 2017), usually with α = 1: ∓1/√α at
    /// ∓∞; x where α = 0.
    isru(alpha);
    /// x where x ≥ 0, else x / √(1 + α x²), elementwise (Carlile, Delamarter, Kinney, Marti and Whitney 2017), usually
    /// with α = 1: −1/√α at −∞, ∞ at ∞; slope and second derivative are continuous.
    isrlu(alpha);
    /// x − λ above λ, x + λ below −λ, else 0, elementwise (Donoho and Johnstone 1994), usually with λ = ½; the slope at
    /// ±λ is 0.
    soft_shrink(lambda);
    /// x where x > `threshold`, else `value`, elementwise; the slope at the threshold is 0.
    threshold(threshold, value);
    /// x where x > 0, else `negative_slope` x, elementwise (Maas, Hannun and Ng 2013), usually with 0.01; the slope at 0
    /// is `negative_slope`.
    leaky_relu(negative_slope);
    /// `scale` max(0, x)² + `bias`, elementwise (Yu et al. 2022), usually with 0.8944 and −0.4472: `bias` at −∞; the
    /// second derivative at 0 is 0.
    star_relu(scale, bias);
    /// x where x > 0, else α (eˣ − 1), elementwise (Clevert, Unterthiner and Hochreiter 2015), usually with α = 1: −α at
    /// −∞, ∞ at ∞; the slope at 0 is α.
    elu(alpha);
    /// x where x > 0, else α (e^(x/α) − 1), elementwise (Barron 2017), usually with α = 1: −α at −∞, ∞ at ∞; the slope
    /// is continuous. α is at least 1e-6.
    celu(alpha);
    /// x σ(β x), elementwise (Ramachandran, Zoph and Le 2017), usually with β = 1: x/2 where β = 0; for β > 0, 0 at −∞
    /// and ∞ at ∞.
    swish(beta);
    /// ln(1 + e^(β x)) / β, elementwise, usually with β = 1 (Dugas, Bengio, Bélisle, Nadeau and Garcia 2000), without
    /// overflow: 0 at −∞, ∞ at ∞. β lies in 1e-8..=1e8.
    softplus(beta);
    /// x + sin²(a x) / a, elementwise (Ziyin, Hartwig and Ueda 2020), usually with a = 1: x where a = 0, NaN at ±∞.
    ///
    /// ```
    /// # use knotwork_core::{Device, Graph, HostTensor, DType};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [1])?;
    /// let y = x.snake(5.0)?;
    /// let mut f = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = f.run([("x", HostTensor::new(&[0.5f32], [1])?)])?.wait()?;
    /// assert!((out[0].as_slice::<f32>()?[0] - 0.571_633_8).abs() < 1e-6);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    snake(a);
    /// x (Φ(x) (1 + 2α) − α), elementwise: [`gelu`](Self::gelu) with its gate expanded from (0, 1) to (−α, 1 + α)
    /// (Huang 2024), usually with α = 0.
    xgelu(alpha);
    /// x (σ(x) (1 + 2α) − α), elementwise: [`silu`](Self::silu) with its gate expanded from (0, 1) to (−α, 1 + α)
    /// (Huang 2024), usually with α = 0.
    xsilu(alpha);
    /// (λ e^(−κ x) + 1)^(−1/λ), elementwise, the adaptive parametric activation (Alexandridis, Deng, Nguyen and Luo
    /// 2024), usually with λ = κ = 1, where it is σ(x): for κ > 0, 0 at −∞ and 1 at ∞. λ lies in 1e-6..=1e8.
    apa(lambda, kappa);
    /// x (λ e^(−κ x) + 1)^(−1/λ), elementwise, the adaptive gated linear unit (Alexandridis, Deng, Nguyen and Luo
    /// 2024), usually with λ = κ = 1, where it is x σ(x): for κ > 0, 0 at −∞ and ∞ at ∞. λ lies in 1e-6..=1e8.
    aglu(lambda, kappa);
}

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
        let site = Site::here();
        let refuse = |message: String| {
            let inputs = vec![self.meta().to_string()];
            Error::from(OpError { op: "activation".into(), inputs, message, site })
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
