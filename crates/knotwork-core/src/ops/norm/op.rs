//! The normalisation itself: statistics and result in one pass of the kernel.

use super::{
    backward::{InputGradient, WeightGradient},
    fast,
    geometry::{Geometry, Norm},
    row_variants,
};
use crate::{
    DType, Dim, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference},
    plan::{BindTo, KernelRequest, Lowering},
};

/// y of x `[O, C, S]` and perhaps weight `[C]` and bias `[C]`; and the statistics of each row, `[rows, 3]`: the mean as
/// the sum of two numbers, and 1/√(var + eps).
#[derive(Clone, Debug)]
pub(super) struct Normalise {
    pub(super) norm: Norm,
    pub(super) weight: bool,
    pub(super) bias: bool,
}

impl Normalise {
    fn bias_at(&self) -> usize {
        1 + usize::from(self.weight)
    }
}

pub(super) fn attributes(norm: &Norm) -> String {
    format!("over={:?} eps={:?}", norm.over, norm.eps)
}

/// The shape of the statistics of x.
pub(super) fn statistics(norm: &Norm, x: &Meta) -> Vec<Dim> {
    let dims = x.shape.dims();
    let rows = match norm.over {
        super::geometry::Over::Batch => dims[1].clone(),
        super::geometry::Over::Groups(groups) => dims[0].clone() * Dim::from(groups),
    };
    vec![rows, 3.into()]
}

impl Op for Normalise {
    fn name(&self) -> &str {
        self.norm.name
    }

    fn attributes(&self) -> String {
        format!("{} weight={} bias={}", attributes(&self.norm), self.weight, self.bias)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        Ok(vec![inputs[0].clone(), Meta::new(inputs[0].dtype, statistics(&self.norm, &inputs[0]))])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let geometry = Geometry::new(self.norm.over, &inputs[0].shape);
        let (x, n) = (&inputs[0].data, geometry.n as f64);
        for row in 0..geometry.rows {
            let values = || (0..geometry.n).map(|i| x[geometry.at(row, i)]);
            let mean = if self.norm.centred { values().sum::<f64>() / n } else { 0.0 };
            let variance = values().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
            let scale = 1.0 / (variance + self.norm.eps).sqrt();
            let high = f64::from(mean as f32);
            outputs[1].data[3 * row..3 * row + 3].copy_from_slice(&[high, mean - high, scale]);
            for i in 0..geometry.n {
                let (at, channel) = (geometry.at(row, i), geometry.channel(row, i));
                let weight = if self.weight { inputs[1].data[channel] } else { 1.0 };
                let bias = if self.bias { inputs[self.bias_at()].data[channel] } else { 0.0 };
                outputs[0].data[at] = (x[at] - mean) * scale * weight + bias;
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let geometry = Geometry::new(self.norm.over, io.outputs[0].shape);
        let Some(x) = io.inputs[0].f32() else { return Ok(false) };
        let vector = |present: bool, at: usize| if present { io.inputs[at].f32() } else { None };
        let (weight, bias) = (vector(self.weight, 1), vector(self.bias, self.bias_at()));
        let [y, statistics] = &mut io.outputs[..] else { return Ok(false) };
        let (Some(y), Some(statistics)) = (y.f32(), statistics.f32()) else { return Ok(false) };
        fast::statistics(&geometry, &self.norm, x, statistics);
        fast::normalise(&geometry, x, statistics, weight, bias, y);
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let mut flags = Vec::new();
        let mut bindings = vec![BindTo::Input(0)];
        if self.weight {
            flags.push("weight");
            bindings.push(BindTo::Input(1));
        }
        if self.bias {
            flags.push("bias");
            bindings.push(BindTo::Input(self.bias_at()));
        }
        bindings.extend([BindTo::Output(0), BindTo::Output(1)]);
        row_variants("norm/forward", &self.norm, &flags, &bindings, request)
    }

    fn emits(&self) -> bool {
        true
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, g) = (&context.inputs[0], context.cotangent()?);
        let (graph, rows) = (x.graph(), &context.outputs[1]);
        let (norm, here) = (self.norm, Site::here());
        let mut all = Vec::new();
        all.push(if context.wanted[0] {
            let op = InputGradient { norm, weight: self.weight };
            let mut inputs = vec![x, g, rows];
            inputs.extend(self.weight.then(|| &context.inputs[1]));
            Some(graph.apply_one(op, &inputs, here)?)
        } else {
            None
        });
        if self.weight {
            let op = WeightGradient { norm };
            all.push(if context.wanted[1] { Some(graph.apply_one(op, &[x, g, rows], here)?) } else { None });
        }
        if self.bias {
            all.push(if context.wanted[self.bias_at()] { Some(g.sum(&[0, 2], false)?) } else { None });
        }
        Ok(all)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let n = outputs[0].1.count() as f64;
        Cost { flops: 8.0 * n, bytes: n * (inputs[0].0.bytes() + outputs[0].0.bytes()) as f64 }
    }
}
