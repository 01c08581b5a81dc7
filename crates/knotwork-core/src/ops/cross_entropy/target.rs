//! Class indices as the smoothed distributions that they stand for.

use std::sync::Arc;

use super::class;
use crate::{
    DType, Dim, Result,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Op, Reference},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
    tensor::Binding,
};

/// q[b, c] = (1 − ε) [c = target_b] + ε / C
#[derive(Clone, Debug)]
pub(super) struct SmoothTarget {
    pub classes: Dim,
    pub smoothing: f64,
    pub dtype: DType,
}

impl SmoothTarget {
    /// The value at the class and elsewhere.
    fn levels(&self, classes: usize) -> (f64, f64) {
        let low = self.smoothing / classes as f64;
        (1.0 - self.smoothing + low, low)
    }
}

impl Op for SmoothTarget {
    fn name(&self) -> &str {
        "smooth_target"
    }

    fn attributes(&self) -> String {
        format!("classes={} label_smoothing={:?} {}", self.classes, self.smoothing, self.dtype)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        Ok(vec![Meta::new(self.dtype, vec![inputs[0].shape.count(), self.classes.clone()])])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let classes = outputs[0].shape[1];
        let (high, low) = self.levels(classes);
        outputs[0].data.fill(low);
        for (b, &t) in inputs[0].data.iter().enumerate() {
            outputs[0].data[b * classes + class(t as i64, b, classes)?] = high;
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let classes = io.outputs[0].shape[1];
        let (high, low) = self.levels(classes);
        let Some(target) = io.inputs[0].indices() else { return Ok(false) };
        let Some(out) = io.outputs[0].f32() else { return Ok(false) };
        out.fill(low as f32);
        for (b, &t) in target.iter().enumerate() {
            out[b * classes + class(t, b, classes)?] = high as f32;
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if request.outputs[0].dtype != DType::F32 {
            return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
        }
        let shape = request.outputs[0].layout.shape();
        let (rows, classes) = (shape[0], shape[1]);
        let (high, low) = self.levels(classes);
        let flags = if request.inputs[0].dtype == DType::U32 { vec!["unsigned"] } else { Vec::new() };
        let kernel = Kernel {
            name: "smooth_target".into(),
            source: Source::Named("smooth_target"),
            flags,
            constants: Vec::new(),
            needs: Needs::default(),
        };
        Ok(vec![Lowering::single(
            "element",
            DispatchSpec {
                kernel,
                bindings: vec![BindTo::Input(0), BindTo::Output(0), BindTo::Status],
                params: Params::new().u32(rows).u32(classes).f32(high as f32).f32(low as f32),
                grid: Grid::Linear((rows * classes).div_ceil(256) as u64),
                flat: None,
            },
        )])
    }

    fn indices(&self, _: &[Vec<usize>]) -> Option<(usize, usize)> {
        self.classes.fixed().map(|classes| (0, classes))
    }

    fn grad(&self, _: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![None])
    }

    fn bind(&self, binding: &Binding) -> Result<Option<Arc<dyn Op>>, Arc<str>> {
        Ok(Some(Arc::new(Self { classes: self.classes.bind(binding)?.into(), ..self.clone() })))
    }

    fn to_f64(&self) -> Option<Arc<dyn Op>> {
        Some(Arc::new(Self { dtype: DType::F64, ..self.clone() }))
    }
}
