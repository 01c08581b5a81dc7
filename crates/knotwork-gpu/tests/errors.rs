//! What the driver or a compiler refuses becomes a typed error with the op, the user's line and the numbered WGSL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Error, Graph, HostTensor, Site,
    graph::Meta,
    ops::{Op, Reference},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};
use knotwork_gpu::{Options, open};

/// A custom operation that doubles, with whatever text it is given.
#[derive(Debug)]
struct Twice {
    text: &'static str,
    scratch: usize,
}

impl Op for Twice {
    fn name(&self) -> &str {
        "twice"
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        outputs[0].data.iter_mut().zip(&inputs[0].data).for_each(|(y, x)| *y = 2.0 * x);
        Ok(())
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let count = request.outputs[0].layout.count();
        let kernel = Kernel {
            name: "twice".into(),
            source: Source::Text(self.text.into()),
            flags: Vec::new(),
            constants: Vec::new(),
            needs: Needs::default(),
        };
        let dispatch = DispatchSpec {
            kernel,
            bindings: vec![BindTo::Input(0), BindTo::Output(0)],
            params: Params::new().u32(count),
            grid: Grid::Linear(count.div_ceil(64) as u64),
            flat: None,
        };
        let scratch = vec![knotwork_core::plan::Scratch { dtype: DType::F32, count: self.scratch }];
        Ok(vec![Lowering { variant: "only", scratch, dispatches: vec![dispatch] }])
    }
}

const GOOD: &str = "#import shared/grid
struct Params { count: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let i = linear_thread(wid, groups, local, 64u);
    if i >= params.count { return; }
    y[i] = 2.0 * x[i];
}
";

const BAD: &str = "@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main() {
    y[0] = nothing_of_that_name;
}
";

fn run(op: Twice) -> Result<Vec<HostTensor>, Error> {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [100])?;
    let y = g.apply(op, &[&x], Site::here())?.remove(0);
    let mut program =
        open(&Options::default()).expect("a GPU driver: `cargo xtask setup`").compile(&g, &[&y], &[])?;
    program.run([("x", HostTensor::from_vec(vec![1.5f32; 100], [100])?)])?.wait()
}

#[test]
fn a_custom_operation_runs() {
    assert_eq!(run(Twice { text: GOOD, scratch: 1 }).unwrap()[0].as_slice::<f32>().unwrap(), &[3.0; 100]);
}

#[test]
fn a_kernel_that_does_not_compile_is_shown_with_its_place() {
    let error = run(Twice { text: BAD, scratch: 1 }).unwrap_err();
    assert!(matches!(error, Error::Kernel { .. }), "{error}");
    let message = error.to_string();
    for part in ["`twice`", "errors.rs:", "nothing_of_that_name", "4 "] {
        assert!(message.contains(part), "`{part}` is missing in\n{message}");
    }
}

#[test]
fn memory_that_there_is_not_is_an_error_and_the_device_goes_on() {
    let error = run(Twice { text: GOOD, scratch: 1 << 44 }).unwrap_err();
    assert!(matches!(error, Error::Device { .. } | Error::Limit { .. }), "{error}");
    assert!(run(Twice { text: GOOD, scratch: 1 }).is_ok());
}
