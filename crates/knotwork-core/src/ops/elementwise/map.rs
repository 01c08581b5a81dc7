//! A row of the table as an operation.

use std::sync::Arc;

use super::rows::{Derivative, Output, Row};
use crate::{
    DType, Result,
    autodiff::GradContext,
    graph::{Meta, Tensor},
    ops::{Op, Reference, no_gradient},
    plan::{KernelRequest, Lowering},
};

/// A row applied with its attributes.
#[derive(Clone, Debug)]
pub struct Function {
    /// The row.
    pub row: &'static Row,
    /// Its attributes, in the row's order.
    pub attributes: Vec<f64>,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.row.name == other.row.name
            && self.attributes.iter().map(|a| a.to_bits()).eq(other.attributes.iter().map(|a| a.to_bits()))
    }
}

impl Function {
    /// Its definition for one element, of operands of that type. Integer sums, differences and products wrap around
    /// modulo 2³², as on a GPU.
    pub(super) fn value(&self, operands: DType, arguments: &[f64]) -> f64 {
        match (self.row.integers, operands) {
            (Some(f), DType::I32) => f64::from(f(arguments[0] as i64, arguments[1] as i64) as i32),
            (Some(f), DType::U32) => f64::from(f(arguments[0] as i64, arguments[1] as i64) as u32),
            _ => (self.row.reference)(arguments, &self.attributes),
        }
    }

    /// The type of its result for inputs of one type.
    #[must_use]
    pub fn output(&self, inputs: &[DType]) -> DType {
        match self.row.output {
            Output::Bool => DType::Bool,
            Output::LikeLast => inputs.last().copied().unwrap_or(DType::F32),
            Output::Cast(dtype) => dtype,
        }
    }
}

/// One elementwise operation over inputs of one shape.
#[derive(Clone, Debug)]
pub struct Map(pub Function);

impl Op for Map {
    fn name(&self) -> &str {
        self.0.row.name
    }

    fn attributes(&self) -> String {
        self.0
            .row
            .attributes
            .iter()
            .zip(&self.0.attributes)
            .map(|(a, v)| format!("{}={v:?} ", a.name))
            .collect()
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let row = self.0.row;
        if inputs.len() != row.arity {
            return Err(format!("takes {} inputs, got {}", row.arity, inputs.len()));
        }
        for (i, m) in inputs.iter().enumerate() {
            if m.shape != inputs[0].shape {
                return Err(format!("input {i} has shape {}, input 0 has {}", m.shape, inputs[0].shape));
            }
            row.takes.check(i, inputs)?;
        }
        let dtypes: Vec<DType> = inputs.iter().map(|m| m.dtype).collect();
        Ok(vec![Meta::new(self.0.output(&dtypes), &inputs[0].shape)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let mut arguments = vec![0.0; inputs.len()];
        for (k, out) in outputs[0].data.iter_mut().enumerate() {
            for (a, x) in arguments.iter_mut().zip(inputs) {
                *a = x.data[k];
            }
            *out = self.0.value(inputs[0].dtype, &arguments);
        }
        Ok(())
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        super::Body::of(self.0.clone()).lower(request)
    }

    fn accepts(&self, _: usize, _: &crate::Layout) -> bool {
        true
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let g = context.cotangent()?;
        let row = self.0.row;
        (0..row.arity)
            .map(|i| {
                if !context.wanted[i] {
                    return Ok(None);
                }
                match row.derivatives.get(i) {
                    Some(Derivative::Zero) => Ok(None),
                    Some(Derivative::One) => Ok(Some(g.clone())),
                    Some(Derivative::Row(name)) => {
                        let local = context.inputs[0].map(name, &self.0.attributes, &context.inputs[1..])?;
                        Ok(Some(g.mul(&local)?))
                    }
                    Some(Derivative::Compose(f)) => {
                        f(g, context.inputs, &context.outputs[0], &self.0.attributes).map(Some)
                    }
                    None => Err(no_gradient("the table has no derivative for it")),
                }
            })
            .collect()
    }

    fn elementwise(&self) -> Option<Function> {
        Some(self.0.clone())
    }

    /// A cast to a smaller float becomes one to f64; everything else follows its inputs.
    fn to_f64(&self) -> Option<Arc<dyn Op>> {
        let widens = matches!(self.0.row.output, Output::Cast(to) if to.is_float());
        let row = super::row("to_f64").filter(|_| widens)?;
        Some(Arc::new(Self(Function { row, attributes: Vec::new() })))
    }
}
