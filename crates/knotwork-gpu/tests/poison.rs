//! Recycled memory on the device holds NaN until it is written, where that is asked for: what a kernel leaves out shows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Device, Graph, HostTensor, Tensor,
    graph::Meta,
    ops::{Custom, Op, Reference},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};
use knotwork_gpu::{Options, Profile, open};

fn device(poison: bool, profile: Profile) -> Device {
    open(&Options { poison, profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
}

const FORGETFUL: &str = "#import shared/grid
struct Params { count: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let i = linear_thread(wid, groups, local, 256u);
    if i + 1u < params.count { y[i] = x[i] * x[i]; }
}
";

/// Squares, but its kernel forgets the last element.
fn forgetful(x: &Tensor) -> Tensor {
    let definition = |x: &[Reference], y: &mut [Reference]| {
        y[0].data.iter_mut().zip(&x[0].data).for_each(|(y, x)| *y = x * x);
    };
    Custom::new("forgetful", definition).wgsl(FORGETFUL).apply_one(&[x]).unwrap()
}

#[test]
fn an_element_that_a_kernel_leaves_out_is_nan() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [300]).unwrap();
    let y = forgetful(&forgetful(&x).cumsum(0).unwrap());
    let feed = HostTensor::from_vec(vec![1.0f32; 300], [300]).unwrap();
    for (poison, profile) in [(true, Profile::Checked), (true, Profile::Trusted), (false, Profile::Checked)] {
        let device = device(poison, profile);
        let mut program = device.compile(&g, &[&y], &[]).unwrap();
        for _ in 0..2 {
            let before = device.counters().dispatches;
            let out = program.run([("x", &feed)]).unwrap().wait().unwrap().remove(0);
            let values = out.as_slice::<f32>().unwrap();
            assert_eq!(values[..3], [1.0, 4.0, 9.0]);
            // Without it there is what the memory held before: a number that looks right.
            assert_eq!(values[299].is_nan(), poison, "{}", values[299]);
            // The fills are no dispatches of the plan.
            assert_eq!(device.counters().dispatches - before, 3);
        }
    }
    let by_default = Options::default().poison;
    assert_eq!(by_default, cfg!(debug_assertions));
}

/// Copies through scratch memory that it writes only half of.
#[derive(Debug)]
struct ThroughScratch;

const HALF: &str = "#import shared/grid
struct Params { count: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let i = linear_thread(wid, groups, local, 64u);
    if i < params.count { y[i] = x[i]; }
}
";

impl Op for ThroughScratch {
    fn name(&self) -> &str {
        "through_scratch"
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        outputs[0].data.clone_from(&inputs[0].data);
        Ok(())
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let count = request.outputs[0].layout.count();
        let dispatch = |bindings, count: usize| DispatchSpec {
            kernel: Kernel {
                name: "copy".into(),
                source: Source::Text(HALF.into()),
                flags: Vec::new(),
                constants: Vec::new(),
                needs: Needs::default(),
            },
            bindings,
            params: Params::new().u32(count),
            grid: Grid::Linear(count.div_ceil(64) as u64),
            flat: None,
        };
        let first = dispatch(vec![BindTo::Input(0), BindTo::Scratch(0)], count / 2);
        let second = dispatch(vec![BindTo::ScratchRead(0), BindTo::Output(0)], count);
        let scratch = vec![Scratch { dtype: DType::F32, count }];
        Ok(vec![Lowering { variant: "only", scratch, dispatches: vec![first, second] }])
    }
}

#[test]
fn stale_scratch_memory_is_nan() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [256]).unwrap();
    let y = g.apply(ThroughScratch, &[&x], knotwork_core::Site::here()).unwrap().remove(0);
    let feed = HostTensor::from_vec(vec![2.0f32; 256], [256]).unwrap();
    for poison in [true, false] {
        let mut program = device(poison, Profile::Checked).compile(&g, &[&y], &[]).unwrap();
        for _ in 0..2 {
            let out = program.run([("x", &feed)]).unwrap().wait().unwrap().remove(0);
            let values = out.as_slice::<f32>().unwrap();
            assert!(values[..128].iter().all(|v| *v == 2.0));
            assert!(values[128..].iter().all(|v| v.is_nan() == poison), "{:?}", &values[128..]);
        }
    }
}

#[test]
fn what_is_still_to_be_read_is_left_alone() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [3, 5]).unwrap();
    let w = g.parameter("w", HostTensor::from_vec(vec![0.5f32; 25], [5, 5]).unwrap()).unwrap();
    // Values that live long beside values that come and go, in place and not; halves whose memory ends within a word;
    // an output in parts.
    let a = x.matmul(&w).unwrap().softmax(-1).unwrap();
    let b = a.cumsum(1).unwrap().cast(DType::F16).unwrap().cast(DType::F32).unwrap();
    let y = b.matmul(&w).unwrap().exp().unwrap().add(&a).unwrap();
    let both = y.pad(1, 0, 5).unwrap().add(a.pad(1, 5, 0).unwrap()).unwrap();
    let loss = both.square().unwrap().mean(&[0, 1], false).unwrap();
    let dw = loss.grad(&[&w]).unwrap().remove(0);
    let step = g.assign(&w, &w.sub(&dw).unwrap()).unwrap();
    let feed = HostTensor::from_vec((0..15).map(|i| i as f32 / 10.0).collect(), [3, 5]).unwrap();
    let run = |device: &Device| {
        let mut program = device.compile(&g, &[&both, &loss, &a], &[&step]).unwrap();
        let outs: Vec<_> =
            (0..3).flat_map(|_| program.run([("x", &feed)]).unwrap().wait().unwrap()).collect();
        (outs, program.params().get("w").unwrap())
    };
    let plain = run(&device(false, Profile::Checked));
    let poisoned = run(&device(true, Profile::Checked));
    assert_eq!(plain.1.to_f64(), poisoned.1.to_f64());
    assert!(plain.0.iter().zip(&poisoned.0).all(|(a, b)| a.to_f64() == b.to_f64()));
    assert!(plain.1.to_f64().iter().all(|v| v.is_finite()));
}
