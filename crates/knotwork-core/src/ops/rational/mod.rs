//! Rational activations with learned coefficients: safe Padé units.

mod coefficients;
mod compose;
mod exact;
mod kernels;
#[cfg(test)]
mod tests;
mod value;

use super::{
    Case, CaseInput, Cases, Registered,
    polynomial::{Groups, MAX_TERMS},
    refuse::refuse,
};
use crate::{Result, Site, graph::Tensor};
use coefficients::RationalCoefficients;
use value::Rational;

/// How a [`Tensor::rational`] keeps its denominator positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RationalForm {
    /// Q = 1 + Σ |q_j xʲ|. The gradients of the absolute values are 0 at 0.
    A,
    /// Q = 1 + |Σ q_j xʲ|. The gradient of the absolute value is 0 where the sum is.
    #[default]
    B,
}

pub(super) const REGISTERED: Registered = Registered {
    name: "rational",
    formula: "P / Q, P = Σ pᵢ xⁱ; Q = 1 + Σ |q_j xʲ| (A) or 1 + |Σ q_j xʲ| (B), j from 1",
    inputs: "x [..., C]; numerator [g, m + 1]; denominator [g, n]; C splits into g groups; up to 32 terms each",
    attributes: "form = B",
    types: "f32, f64",
    source: "Molina, Schramowski and Kersting 2020; Yang and Wang 2025 (groups)",
    cases: Cases::Listed(cases),
};

fn cases() -> Vec<Case> {
    use RationalForm::{A, B};
    let over = |x: CaseInput, form: RationalForm, groups: usize, m: usize, n: usize| {
        let name = format!("form {form:?}, degrees {m} and {n}, {groups} groups of {:?}", x.shape);
        let coefficients = |terms| CaseInput::between(&[groups, terms], -1.0, 1.0);
        let inputs = vec![x, coefficients(m + 1), coefficients(n)];
        Case::new(name, inputs, move |t| Ok(vec![t[0].rational(&t[1], &t[2], form)?]))
            .kinks(&[0.0])
            // Powers of up to the sixth order grow rounding errors, most of all where a sum of terms cancels.
            .tolerance(5e-6)
    };
    let case = |form, shape: &[usize], groups, m, n| over(CaseInput::new(shape), form, groups, m, n);
    // Powers that f32 cannot hold; a step of a difference is lost beside them.
    let large = |form| over(CaseInput::between(&[65], 1e6, 1e9), form, 1, 5, 4).no_gradient();
    vec![
        case(B, &[3, 65], 5, 5, 4),
        case(A, &[3, 65], 5, 5, 4),
        case(B, &[257], 1, 2, 1),
        case(A, &[2, 3, 8], 8, 0, 3),
        // Two stages of sums.
        case(A, &[90, 64], 1, 3, 2),
        case(B, &[0, 4], 2, 2, 2),
        large(A),
        large(B),
    ]
}

impl Tensor {
    /// P(x) / Q(x) for x `[..., C]`: P(x) = Σ pᵢ xⁱ with the numerator's coefficients `[g, m + 1]`, Q as the form says with
    /// the denominator's `[g, n]`, which begin with the factor of x. C splits into g groups of consecutive channels
    /// (Molina et al. 2020; groups as in Yang and Wang 2025). Q is at least 1, and where powers of a large |x| would
    /// overflow both are divided by them first.
    ///
    /// Gradients of gradients are composed of polynomials without that division: they overflow where xᵐ or xⁿ does.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor, ops::RationalForm};
    /// let g = Graph::new();
    /// let p = g.parameter("p", HostTensor::new(&[0.0f32, 1.0, 0.5], [1, 3])?)?;
    /// let q = g.parameter("q", HostTensor::new(&[0.5f32, -0.5], [1, 2])?)?;
    /// let y = g.input("x", DType::F32, [2])?.rational(&p, &q, RationalForm::B)?;
    /// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = program.run([("x", HostTensor::new(&[2.0f32, 0.0], [2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[2.0, 0.0]); // 4 / (1 + |1 − 2|)
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the coefficients are not `[g, 1 to 32]` for one g that divides C, or the types are not all f32 or all f64.
    #[track_caller]
    pub fn rational(&self, numerator: &Self, denominator: &Self, form: RationalForm) -> Result<Self> {
        let site = Site::here();
        let no = |message: String| refuse("rational", &[self, numerator, denominator], message, site);
        let sizes = |name: &str, t: &Self| match t.shape().fixed().as_deref() {
            Some(&[groups, terms]) if groups > 0 && (1..=MAX_TERMS).contains(&terms) => Ok(groups),
            _ => Err(no(format!(
                "the {name} is {}; it must be [groups, terms] with 1 to {MAX_TERMS} terms",
                t.shape()
            ))),
        };
        let (groups, others) = (sizes("numerator", numerator)?, sizes("denominator", denominator)?);
        if groups != others {
            return Err(no(format!("the numerator has {groups} groups, the denominator {others}")));
        }
        Groups::check(self.meta(), groups).map_err(&no)?;
        self.graph().apply_one(Rational { form, slope: false }, &[self, numerator, denominator], site)
    }
}
