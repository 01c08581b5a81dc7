//! The two operations that a device's peaks are measured with: a copy, and chains of fused multiplications with
//! additions. They run like any other, so every backend can be measured.

use rayon::prelude::*;

use crate::{
    DType, Layout,
    cpu::{CpuIo, SliceMut},
    graph::Meta,
    ops::{Cost, Op, Reference, elementwise::vectorised},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Params},
};

/// Elements that a task of the CPU takes at once.
const TASK: usize = 1 << 16;
/// Elements that a task takes through all turns: they stay in registers.
const LANES: usize = 64;
pub(super) const FACTOR: f32 = 0.999;
pub(super) const SUMMAND: f32 = 0.001;

/// One dispatch of 256 threads a workgroup over `count` groups of four numbers, `per_group` of them a workgroup.
fn lowering(
    shader: &'static str,
    bindings: Vec<BindTo>,
    params: Params,
    count: usize,
    per_group: usize,
) -> Lowering {
    Lowering::single(
        "vec4",
        DispatchSpec {
            kernel: Kernel::named(shader, Vec::new()),
            bindings,
            params,
            grid: Grid::Linear(count.div_ceil(per_group) as u64),
            flat: None,
        },
    )
}

fn bytes(places: &[(DType, Layout)]) -> f64 {
    places.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum()
}

fn alike(inputs: &[Meta]) -> Result<Vec<Meta>, String> {
    match inputs {
        [first, rest @ ..] if rest.iter().all(|m| m == first) => Ok(vec![first.clone()]),
        _ => Err("its operands must be alike".into()),
    }
}

/// b = a, into the memory of b.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copy;

impl Op for Copy {
    fn name(&self) -> &str {
        "peak_copy"
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        alike(inputs)
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        outputs[0].data.copy_from_slice(&inputs[0].data);
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let Some(a) = io.inputs[0].f32() else { return Ok(false) };
        let SliceMut::F32(b) = &mut io.outputs[0].data else { return Ok(false) };
        b.par_chunks_mut(TASK).zip(a.par_chunks(TASK)).for_each(|(b, a)| b.copy_from_slice(a));
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let count = request.outputs[0].layout.count() / 4;
        let params = Params::new().u32(count).u32(0u32).u32(0u32).u32(0u32);
        Ok(vec![lowering("peak/copy", vec![BindTo::Input(0), BindTo::Output(0)], params, count, 1024)])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        Cost { flops: 0.0, bytes: bytes(&inputs[..1]) + bytes(outputs) }
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(1, 0)]
    }
}

/// x = x * factor + summand, `turns` times, in place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fma {
    /// A multiple of four.
    pub turns: u32,
}

impl Op for Fma {
    fn name(&self) -> &str {
        "peak_fma"
    }

    fn attributes(&self) -> String {
        self.turns.to_string()
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        alike(inputs)
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        for (y, &x) in outputs[0].data.iter_mut().zip(&inputs[0].data) {
            *y = (0..self.turns).fold(x, |x, _| x.mul_add(FACTOR.into(), SUMMAND.into()));
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let turns = self.turns;
        if let Some(from) = io.inputs[0].f32()
            && let SliceMut::F32(to) = &mut io.outputs[0].data
        {
            to.copy_from_slice(from);
        }
        let SliceMut::F32(x) = &mut io.outputs[0].data else { return Ok(false) };
        x.par_chunks_mut(TASK).for_each(|task| {
            vectorised(
                #[inline(always)]
                move || {
                    for lanes in task.chunks_mut(LANES) {
                        let mut own = [0.0f32; LANES];
                        own[..lanes.len()].copy_from_slice(lanes);
                        for _ in 0..turns {
                            for v in &mut own {
                                *v = v.mul_add(FACTOR, SUMMAND);
                            }
                        }
                        lanes.copy_from_slice(&own[..lanes.len()]);
                    }
                },
            );
        });
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let count = request.outputs[0].layout.count() / 4;
        let params = Params::new().u32(count).u32(self.turns).f32(FACTOR).f32(SUMMAND);
        Ok(vec![lowering("peak/fma", vec![BindTo::Output(0)], params, count, 1024)])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let elements = outputs[0].1.count() as f64;
        Cost { flops: 2.0 * f64::from(self.turns) * elements, bytes: bytes(inputs) + bytes(outputs) }
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 0)]
    }
}
