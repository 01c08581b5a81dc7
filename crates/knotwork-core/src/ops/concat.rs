//! Tensors one behind the other, along one dimension.

mod fast;
mod kernels;
#[cfg(test)]
mod tests;

use super::{Case, CaseInput, Cases, Op, Reference, Registered, Role};
use crate::{
    DType, Error, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{KernelRequest, Lowering},
    tensor::Layout,
};

pub(super) const REGISTERED: Registered = Registered {
    name: "concat",
    formula: "x₀, x₁, … one behind the other along one dimension, each element as it is",
    inputs: "any number of x […], alike but for one dimension",
    attributes: "dim",
    types: "any",
    source: "",
    cases: Cases::Listed(cases),
};

fn cases() -> Vec<Case> {
    let case = |name: &str, dim: isize, shapes: &[&[usize]]| {
        Case::new(name, shapes.iter().map(|s| CaseInput::new(s)).collect(), move |t| {
            Ok(vec![Tensor::concat(&t.iter().collect::<Vec<_>>(), dim)?])
        })
    };
    let nine: Vec<[usize; 2]> = (0..9).map(|i| [3, 1 + i % 4]).collect();
    let nine: Vec<&[usize]> = nine.iter().map(|s| &s[..]).collect();
    vec![
        case("rows", 0, &[&[3, 5], &[1, 5]]),
        case("columns", -1, &[&[3, 5], &[3, 1], &[3, 70]]),
        case("between", 1, &[&[2, 3, 5], &[2, 4, 5]]),
        case("one", 0, &[&[65]]),
        case("nothing_between", 0, &[&[4, 3], &[0, 3], &[2, 3]]),
        case("nine", 1, &nine),
        Case::new("made_values", vec![CaseInput::new(&[5, 3]), CaseInput::new(&[5, 4])], |t| {
            Ok(vec![Tensor::concat(
                &[&t[0].tanh()?, &t[1], &t[0].transpose(0, 1)?.exp()?.transpose(0, 1)?],
                1,
            )?])
        })
        .tolerance(1e-5),
        Case::new("twice_the_same", vec![CaseInput::new(&[3, 7])], |t| {
            Ok(vec![Tensor::concat(&[&t[0], &t[0]], 0)?])
        }),
        Case::new("integers", vec![CaseInput::index(&[3, 5], 90), CaseInput::index(&[3, 2], 90)], |t| {
            Ok(vec![Tensor::concat(&[&t[0], &t[1]], 1)?])
        })
        .no_gradient(),
    ]
}

/// Values one behind the other along one dimension.
#[derive(Clone, Debug)]
pub(crate) struct Concat {
    pub dim: usize,
}

impl Tensor {
    /// The parts one behind the other along dimension `dim` (from the end where negative), each element as it is, NaN and
    /// −0 included. All have one type, one rank, and the same sizes in every other dimension. The gradient to a part is
    /// its slice of the gradient.
    ///
    /// ```
    /// use knotwork_core::{DType, Device, Graph, HostTensor, Tensor};
    /// let g = Graph::new();
    /// let (a, b) = (g.input("a", DType::F32, [2, 2])?, g.input("b", DType::F32, [2, 1])?);
    /// let y = Tensor::concat(&[&a, &b, &a], -1)?;
    /// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
    /// let (a, b) = (HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0], [2, 2])?, HostTensor::new(&[5.0f32, 6.0], [2, 1])?);
    /// let out = program.run([("a", a), ("b", b)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, [1.0, 2.0, 5.0, 1.0, 2.0, 3.0, 4.0, 6.0, 3.0, 4.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is no part or no such dimension, the parts do not fit each other (both are named), the dimension has a
    /// name in place of a size, or its size would overflow.
    #[track_caller]
    pub fn concat(parts: &[&Self], dim: isize) -> Result<Self> {
        let site = Site::here();
        let Some(first) = parts.first() else {
            return Err(Error::Graph {
                message: "concat of no parts; there must be at least one".into(),
                site,
            });
        };
        let dim = first.axis(dim, "concat", site)?;
        first.graph().apply_one(Concat { dim }, parts, site)
    }
}

impl Op for Concat {
    fn name(&self) -> &str {
        "concat"
    }

    fn attributes(&self) -> String {
        format!("dim={}", self.dim)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let first = &inputs[0];
        let mut total = 0usize;
        for (i, part) in inputs.iter().enumerate() {
            let (dims, want) = (part.shape.dims(), first.shape.dims());
            let elsewhere = |(d, (a, b)): (usize, (&crate::Dim, &crate::Dim))| d != self.dim && a != b;
            if part.dtype != first.dtype
                || dims.len() != want.len()
                || dims.iter().zip(want).enumerate().any(elsewhere)
            {
                return Err(format!(
                    "part {i} is {part}, part 0 is {first}; they may differ in dimension {} only",
                    self.dim
                ));
            }
            let Some(n) = dims[self.dim].fixed() else {
                return Err(format!(
                    "dimension {} of part {i} is named `{}`; only fixed ones can be joined",
                    self.dim, dims[self.dim]
                ));
            };
            total =
                total.checked_add(n).filter(|&total| isize::try_from(total).is_ok()).ok_or_else(|| {
                    format!("with part {i}, {total} + {n} elements are more than memory can hold")
                })?;
        }
        let mut dims = first.shape.dims().to_vec();
        dims[self.dim] = total.into();
        Ok(vec![Meta::new(first.dtype, dims)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let total = outputs[0].shape[self.dim];
        let inner: usize = outputs[0].shape[self.dim + 1..].iter().product();
        let mut begin = 0;
        for x in inputs {
            let size = x.shape[self.dim];
            for (k, &value) in x.data.iter().enumerate() {
                let (outer, j, i) = (k / (inner * size), k / inner % size, k % inner);
                outputs[0].data[(outer * total + begin + j) * inner + i] = value;
            }
            begin += size;
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        Ok(fast::run(self.dim, io).is_some())
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(self.dim, request)
    }

    fn role(&self) -> Option<Role> {
        Some(Role::Concat { dim: self.dim })
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> super::Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        super::Cost { flops: 0.0, bytes: bytes(inputs) + bytes(outputs) }
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let g = context.cotangent()?;
        let mut begin = 0;
        let mut found = Vec::with_capacity(context.inputs.len());
        for (x, &wanted) in context.inputs.iter().zip(context.wanted) {
            let end = begin + x.shape().dims()[self.dim].fixed().unwrap_or(0);
            found.push(wanted.then(|| g.slice(self.dim as isize, begin, end)).transpose()?);
            begin = end;
        }
        Ok(found)
    }
}
