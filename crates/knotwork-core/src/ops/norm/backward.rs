//! The gradients of a normalisation, and theirs.

use super::{
    fast,
    geometry::{Geometry, Norm},
    op::attributes,
    row_variants,
};
use crate::{
    DType, Layout, Result,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference, reduce},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};

/// The gradient to x from x, the result's gradient g, the rows' statistics, and perhaps weight:
/// (h − mean(h) − n mean(h n)) / √(var + eps) with h = g weight and n the normalised x; without mean(h) where no mean
/// was taken out.
#[derive(Clone, Debug)]
pub(super) struct InputGradient {
    pub(super) norm: Norm,
    pub(super) weight: bool,
}

/// A node of its own with the same value, so that a walk back over nodes made from it ends there.
pub(in crate::ops) fn leaf(t: &Tensor) -> Result<Tensor> {
    t.mul(1.0)
}

/// `[C]` to `[C, 1]`, which broadcasts over `[O, C, S]`.
fn column(weight: &Tensor) -> Result<Tensor> {
    weight.unsqueeze(1)
}

impl Op for InputGradient {
    fn name(&self) -> &str {
        "norm_input_gradient"
    }

    fn attributes(&self) -> String {
        format!("{} centred={} weight={}", attributes(&self.norm), self.norm.centred, self.weight)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let geometry = Geometry::new(self.norm.over, &inputs[0].shape);
        let (x, g, count) = (&inputs[0].data, &inputs[1].data, geometry.n as f64);
        for row in 0..geometry.rows {
            let [high, low, scale] = [0, 1, 2].map(|k| inputs[2].data[3 * row + k]);
            let at = |i: usize| {
                let (at, channel) = (geometry.at(row, i), geometry.channel(row, i));
                let weight = if self.weight { inputs[3].data[channel] } else { 1.0 };
                (at, g[at] * weight, ((x[at] - high) - low) * scale)
            };
            let sums = (0..geometry.n).map(at).fold((0.0, 0.0), |s, (_, h, n)| (s.0 + h, s.1 + h * n));
            let mean = if self.norm.centred { sums.0 / count } else { 0.0 };
            for i in 0..geometry.n {
                let (at, h, n) = at(i);
                outputs[0].data[at] = (h - mean - n * (sums.1 / count)) * scale;
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let geometry = Geometry::new(self.norm.over, io.outputs[0].shape);
        let inputs = [0, 1, 2].map(|k| io.inputs[k].f32());
        let [Some(x), Some(g), Some(rows)] = inputs else { return Ok(false) };
        let weight = if self.weight { io.inputs[3].f32() } else { None };
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        fast::input_gradient(&geometry, self.norm.centred, [x, g, rows], weight, out);
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let mut flags = Vec::new();
        let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), BindTo::Input(2)];
        if self.weight {
            flags.push("weight");
            bindings.push(BindTo::Input(3));
        }
        bindings.push(BindTo::Output(0));
        row_variants("norm/input", &self.norm, &flags, &bindings, request)
    }

    fn emits(&self) -> bool {
        true
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        // The statistics are functions of x: what flows through them is in the gradient to x.
        let (x, g) = (leaf(&context.inputs[0])?, leaf(&context.inputs[1])?);
        let y = self.norm.composed(&x)?;
        let weight = if self.weight { Some(leaf(&context.inputs[3])?) } else { None };
        let y = match &weight {
            Some(weight) => y.mul(&column(weight)?)?,
            None => y,
        };
        let dx = x.graph().vjp(&[(&y, &g)], &[&x])?.remove(0);
        let targets: Vec<&Tensor> = [&x, &g].into_iter().chain(&weight).collect();
        let mut found = x.graph().vjp(&[(&dx, context.cotangent()?)], &targets)?.into_iter().map(Some);
        let mut all = vec![found.next().flatten(), found.next().flatten(), None];
        all.extend(found);
        Ok(all)
    }

    fn cost(&self, _: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let n = outputs[0].1.count() as f64;
        Cost { flops: 12.0 * n, bytes: 12.0 * n }
    }
}

/// The gradient to weight `[C]` from x, the result's gradient g and the rows' statistics: Σ g n over all but the
/// channel, n the normalised x.
#[derive(Clone, Debug)]
pub(super) struct WeightGradient {
    pub(super) norm: Norm,
}

/// Elements of a channel that one workgroup takes, at least.
const SPAN: usize = 1024;
/// Channels side by side that a workgroup takes where each has one element in a row.
const COLUMNS: usize = 32;

impl Op for WeightGradient {
    fn name(&self) -> &str {
        "norm_weight_gradient"
    }

    fn attributes(&self) -> String {
        attributes(&self.norm)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        Ok(vec![Meta::new(inputs[0].dtype, vec![inputs[0].shape.dims()[1].clone()])])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let geometry = Geometry::new(self.norm.over, &inputs[0].shape);
        outputs[0].data.fill(0.0);
        for outer in 0..geometry.outer {
            for channel in 0..geometry.channels {
                let row = geometry.row(outer, channel);
                let [high, low, scale] = [0, 1, 2].map(|k| inputs[2].data[3 * row + k]);
                for s in 0..geometry.inner {
                    let at = (outer * geometry.channels + channel) * geometry.inner + s;
                    outputs[0].data[channel] +=
                        inputs[1].data[at] * ((inputs[0].data[at] - high) - low) * scale;
                }
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let geometry = Geometry::new(self.norm.over, io.inputs[0].layout.shape());
        let inputs = [0, 1, 2].map(|k| io.inputs[k].f32());
        let [Some(x), Some(g), Some(rows)] = inputs else { return Ok(false) };
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        fast::weight_gradient(&geometry, [x, g, rows], out);
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
        }
        let geometry = Geometry::new(self.norm.over, request.inputs[0].layout.shape());
        let n = geometry.outer * geometry.inner;
        let lowering = |variant: &'static str, columns: usize| {
            let blocks = geometry.channels.div_ceil(columns);
            // As many parts as fill a device, none so long that its sum loses digits.
            let parts = (256 / blocks.max(1)).clamp(1, n.div_ceil(SPAN).max(1)).max(n.div_ceil(1 << 17));
            let row_step = if geometry.batch { 0 } else { geometry.groups() };
            let params = Params::new()
                .u32(geometry.channels)
                .u32(geometry.inner)
                .u32(n)
                .u32(parts)
                .u32(n.div_ceil(parts))
                .u32(row_step)
                .u32(geometry.per.max(1))
                .u32(0usize);
            let first = |to: BindTo| DispatchSpec {
                kernel: Kernel {
                    name: format!("norm_weight_{variant}"),
                    source: Source::Named("norm/weight"),
                    flags: Vec::new(),
                    constants: vec![("COLUMNS", (columns as u32).into())],
                    needs: Needs::default(),
                },
                bindings: vec![BindTo::Input(0), BindTo::Input(1), BindTo::Input(2), to],
                params: params.clone(),
                grid: Grid::Linear((blocks * parts) as u64),
                flat: None,
            };
            if parts == 1 {
                return Lowering::single(variant, first(BindTo::Output(0)));
            }
            let join =
                reduce::sum_of_parts(geometry.channels, parts, BindTo::ScratchRead(0), BindTo::Output(0));
            Lowering {
                variant,
                scratch: vec![Scratch { dtype: DType::F32, count: geometry.channels * parts }],
                dispatches: vec![first(BindTo::Scratch(0)), join],
            }
        };
        let (columns, channel) = (lowering("columns", COLUMNS), lowering("channel", 1));
        Ok(if geometry.inner < 8 && geometry.channels > 1 { vec![columns, channel] } else { vec![channel] })
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (x, g) = (leaf(&context.inputs[0])?, leaf(&context.inputs[1])?);
        let sums = self.norm.composed(&x)?.mul(&g)?.sum(&[0, 2], false)?;
        let mut found = x.graph().vjp(&[(&sums, context.cotangent()?)], &[&x, &g])?.into_iter().map(Some);
        Ok(vec![found.next().flatten(), found.next().flatten(), None])
    }

    fn cost(&self, inputs: &[(DType, Layout)], _: &[(DType, Layout)]) -> Cost {
        let n = inputs[0].1.count() as f64;
        Cost { flops: 4.0 * n, bytes: 8.0 * n }
    }
}
