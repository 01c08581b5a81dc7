//! A device that is really lost: every call on it gives the same typed error, and another device carries on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests a panic is the report")]

use std::sync::Arc;

use knotwork_core::{
    DType, Device, DeviceLost, Dim, Error, Graph, HostTensor, Site, Tensor, Update,
    graph::Meta,
    ops::{Op, Reference},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};
use knotwork_gpu::{
    Options, open,
    raw::{self, DeviceExt, Sharing},
};

struct Net {
    g: Graph,
    loss: Tensor,
    step: Update,
}

/// w := w - 0.1 d/dw sum((x w)²), over a batch of any size.
fn net() -> Net {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("batch"), 3.into()]).unwrap();
    let w = g.parameter("w", HostTensor::new(&[1.0f32, 2.0, 3.0], [3, 1]).unwrap()).unwrap();
    let loss = x.matmul(&w).unwrap().square().unwrap().mean(&[0, 1], false).unwrap();
    let dw = loss.grad(&[&w]).unwrap().remove(0);
    let step = g.assign(&w, &w.sub(&dw.mul(0.1).unwrap()).unwrap()).unwrap();
    Net { g, loss, step }
}

fn batch(n: usize) -> HostTensor {
    HostTensor::from_vec((0..3 * n).map(|i| (i as f32 * 0.7).sin()).collect(), [n, 3]).unwrap()
}

fn device() -> Device {
    open(&Options::default()).expect("a GPU driver: `cargo xtask setup`")
}

fn loss_of<T>(result: Result<T, Error>) -> Arc<DeviceLost> {
    match result {
        Err(Error::DeviceLost(lost)) => lost,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn a_destroyed_device_gives_one_typed_error_to_every_call() {
    let device = device();
    let net = net();
    let mut train = device.compile(&net.g, &[&net.loss], &[&net.step]).unwrap();
    let mut predict = train.sibling(&[&net.loss], &[]).unwrap();
    train.run([("x", batch(4))]).unwrap().wait().unwrap();
    predict.run([("x", batch(4))]).unwrap().wait().unwrap();
    let pending = train.run([("x", batch(4))]).unwrap();
    device.wgpu().unwrap().0.destroy();

    // A run that was sent before may still come back, as WebGPU has it; after it nothing does.
    if let Err(error) = pending.wait() {
        assert!(matches!(error, Error::DeviceLost(_)), "{error}");
    }
    let first = loss_of(train.run([("x", batch(4))]));
    assert!(first.reason.contains("destroyed"), "{first}");
    let named =
        first.dispatches.iter().any(|d| d.node.contains("matmul") && d.site.file().ends_with("lost.rs"));
    assert!(named && first.dispatches.iter().all(|d| d.run >= 3), "{first:?}");
    let message = first.to_string();
    assert!(message.contains("lost.rs:") && message.contains("load the last checkpoint"), "{message}");

    // Sticky: the very same error, whatever is asked.
    let one = HostTensor::new(&[0.0f32; 3], [3, 1]).unwrap();
    let later = [
        loss_of(train.run([("x", batch(4))])),
        loss_of(predict.run([("x", batch(4))])),
        loss_of(predict.run([("x", batch(7))])),
        loss_of(train.params().get("w")),
        loss_of(train.params().set("w", &one)),
        loss_of(train.params().set_all([("w", &one)])),
        loss_of(train.params().snapshot()),
        loss_of(device.compile(&net.g, &[&net.loss], &[])),
    ];
    assert!(later.iter().all(|l| Arc::ptr_eq(l, &first)), "{later:?}");
    // What only the host needs still answers; bad feeds are still told first.
    assert_eq!(train.params().list().len(), 1);
    let none: [(&str, HostTensor); 0] = [];
    assert!(matches!(train.run(none), Err(Error::Feed(_))));
}

#[test]
fn a_run_under_way_and_several_threads_end_with_the_error() {
    let device = device();
    let net = net();
    let mut train = device.compile(&net.g, &[&net.loss], &[&net.step]).unwrap();
    train.run([("x", batch(2))]).unwrap().wait().unwrap();
    let params = train.params().clone();
    let ends: Vec<Arc<DeviceLost>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let mut program = train.sibling(&[&net.loss], &[&net.step]).unwrap();
                scope.spawn(move || {
                    loop {
                        let end = program.run([("x", batch(2))]).and_then(|r| r.wait());
                        if end.is_err() {
                            return loss_of(end);
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(200));
        device.wgpu().unwrap().0.destroy();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let known = loss_of(params.get("w"));
    assert!(ends.iter().all(|e| Arc::ptr_eq(e, &known)), "{ends:?}");
    let pending = train.run([("x", batch(2))]);
    assert!(Arc::ptr_eq(&loss_of(pending), &known));
}

#[test]
fn an_async_caller_gets_it_too() {
    let device = device();
    let net = net();
    let mut train = device.compile(&net.g, &[&net.loss], &[&net.step]).unwrap();
    let run = train.run([("x", batch(2))]).unwrap();
    raw::report_loss(&device, "the app's own callback says: reset");
    let lost = loss_of(pollster::block_on(run.outputs()));
    assert!(lost.reason.contains("callback says: reset"), "{lost}");
    // The run that had not come back is the one that is named.
    assert!(!lost.dispatches.is_empty() && lost.dispatches.iter().all(|d| d.run == 1));
}

#[test]
fn a_loss_is_noticed_where_the_callbacks_are_the_apps() {
    let own = device();
    let (gpu, queue) = own.wgpu().unwrap();
    let device = Device::from_wgpu(gpu.clone(), queue.clone(), Sharing::default()).unwrap();
    let net = net();
    let mut program = device.compile(&net.g, &[&net.loss], &[]).unwrap();
    program.run([("x", batch(2))]).unwrap().wait().unwrap();
    gpu.destroy();
    let one = HostTensor::new(&[0.0f32; 3], [3, 1]).unwrap();
    let lost = loss_of(program.params().set("w", &one));
    assert!(Arc::ptr_eq(&loss_of(program.run([("x", batch(2))])), &lost));
    // Knotwork's other handle on the same device learns of it by itself.
    loss_of(own.compile(&net.g, &[&net.loss], &[]));
}

#[test]
fn another_device_carries_on_from_what_was_saved() {
    let net = net();
    let train_on = |device: &Device, from: Option<&HostTensor>, steps: usize| {
        let program = device.compile(&net.g, &[&net.loss], &[&net.step]).unwrap();
        if let Some(from) = from {
            program.params().set("w", from).unwrap();
        }
        let mut program = program;
        (0..steps).for_each(|_| drop(program.run([("x", batch(4))]).unwrap().wait().unwrap()));
        program.params().get("w").unwrap()
    };
    let first = device();
    let saved = train_on(&first, None, 3);
    first.wgpu().unwrap().0.destroy();
    loss_of(first.compile(&net.g, &[&net.loss], &[]));
    let carried = train_on(&device(), Some(&saved), 3);
    let through = train_on(&device(), None, 6);
    assert_eq!(carried.as_slice::<f32>().unwrap(), through.as_slice::<f32>().unwrap());
}

#[test]
fn memory_that_runs_out_leaves_all_as_it_was() {
    let device = device();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("n"), 16.into()]).unwrap();
    let w = g.parameter("w", HostTensor::new(&[0.5f32; 16], [16]).unwrap()).unwrap();
    let y = x.mul(&w).unwrap().sum(&[0], false).unwrap();
    let step = g.assign(&w, &w.add(&y).unwrap()).unwrap();
    let mut program = device.compile(&g, &[&y], &[&step]).unwrap();
    let small = HostTensor::from_vec(vec![1.0f32; 32], [2, 16]).unwrap();
    let before = program.run([("x", &small)]).unwrap().wait().unwrap();
    assert_eq!(before[0].as_slice::<f32>().unwrap(), &[1.0; 16]);

    // More than the device binds at once or holds in a buffer.
    let most = device.capabilities().max_binding_bytes.min(device.capabilities().max_buffer_bytes);
    let n = most / 64 + 1;
    let large = HostTensor::from_vec(vec![1.0f32; n * 16], [n, 16]).unwrap();
    let error = program.run([("x", &large)]).unwrap_err();
    assert!(matches!(error, Error::Limit { .. } | Error::OutOfMemory { .. }), "{error}");
    assert!(error.to_string().contains("bytes"), "{error}");

    // A parameter that is too large, in a sibling: what the others share is as it was.
    let huge = g.parameter("huge", HostTensor::from_vec(vec![0.0f32; most / 4 + 1], [most / 4 + 1]).unwrap());
    let huge = huge.unwrap().sum(&[0], false).unwrap();
    let error = device.compile(&g, &[&huge, &y], &[]).unwrap_err();
    assert!(matches!(error, Error::Params(_)) && error.to_string().contains("`huge`"), "{error}");

    assert_eq!(program.params().get("w").unwrap().as_slice::<f32>().unwrap(), &[1.5; 16]);
    let after = program.run([("x", &small)]).unwrap().wait().unwrap();
    assert_eq!(after[0].as_slice::<f32>().unwrap(), &[3.0; 16]);
}

/// Gives its input, and asks for scratch memory that it does not use.
#[derive(Debug)]
struct Greedy {
    scratch: usize,
}

impl Op for Greedy {
    fn name(&self) -> &str {
        "greedy"
    }

    fn attributes(&self) -> String {
        format!("scratch={}", self.scratch)
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
        let dispatch = DispatchSpec {
            kernel: Kernel {
                name: "greedy".into(),
                source: Source::Text(COPY.into()),
                flags: Vec::new(),
                constants: Vec::new(),
                needs: Needs::default(),
            },
            bindings: vec![BindTo::Input(0), BindTo::Output(0)],
            params: Params::new().u32(count),
            grid: Grid::Linear(1),
            flat: None,
        };
        let scratch = vec![Scratch { dtype: DType::F32, count: self.scratch }];
        Ok(vec![Lowering { variant: "only", scratch, dispatches: vec![dispatch] }])
    }
}

const COPY: &str = "struct Params { count: u32, pad0: u32, pad1: u32, pad2: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.count { y[id.x] = x[id.x]; }
}
";

#[test]
fn a_buffer_above_the_limit_is_refused_at_planning_with_the_limit() {
    let device = device();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [16]).unwrap();
    let most = device.capabilities().max_buffer_bytes;
    let y = g.apply(Greedy { scratch: most / 4 + 1 }, &[&x], Site::here()).unwrap().remove(0);
    let before = device.counters();
    let mut program = device.compile(&g, &[&y], &[]).unwrap();
    for _ in 0..2 {
        let error = program.run([("x", HostTensor::new(&[2.0f32; 16], [16]).unwrap())]).unwrap_err();
        assert!(matches!(&error, Error::Limit { node, .. } if node == "greedy"), "{error}");
        assert!(error.to_string().contains(&format!("at most {most} bytes")), "{error}");
    }
    let after = device.counters();
    assert_eq!((after.submits, after.buffers), (before.submits, before.buffers));
}

/// What the test below runs in a process whose address space is limited: a software driver's memory then really ends.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn in_little_memory() {
    if std::env::var_os("KNOTWORK_TEST_LITTLE_MEMORY").is_none() {
        return;
    }
    let device = device();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [16]).unwrap();
    let w = g.parameter("w", HostTensor::new(&[0.5f32; 16], [16]).unwrap()).unwrap();
    let y = x.mul(&w).unwrap();
    let step = g.assign(&w, &y).unwrap();
    let feed = HostTensor::new(&[2.0f32; 16], [16]).unwrap();
    let mut program = device.compile(&g, &[&y], &[&step]).unwrap();
    program.run([("x", &feed)]).unwrap().wait().unwrap();

    let mut held = Vec::new();
    let error = (0..64).find_map(|k| {
        let scratch = (1 << 28) - 64 - k;
        let greedy = g.apply(Greedy { scratch }, &[&x], Site::here()).unwrap().remove(0);
        let mut sibling = program.sibling(&[&greedy], &[&step]).unwrap();
        let failed = sibling.plan(&[].into()).err();
        held.push(sibling);
        failed
    });
    let error = error.expect("the memory never ended");
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("no memory for activations and gradients, 1073"), "{message}");

    // The sibling that failed has done nothing, fails again, and the first goes on.
    let again = held.last_mut().unwrap().run([("x", &feed)]).unwrap_err();
    assert!(matches!(again, Error::OutOfMemory { .. }), "{again}");
    assert_eq!(program.params().get("w").unwrap().as_slice::<f32>().unwrap(), &[1.0; 16]);
    let out = program.run([("x", &feed)]).unwrap().wait().unwrap();
    assert_eq!(out[0].as_slice::<f32>().unwrap(), &[2.0; 16]);
    // Once others let go of theirs, it has its memory.
    let mut waited = held.pop().unwrap();
    drop(held);
    waited.plan(&[].into()).unwrap();
    println!("memory ended and came back");
}

#[cfg(target_os = "linux")]
#[test]
fn a_driver_that_has_no_more_memory_is_out_of_memory_and_goes_on() {
    if !knotwork_gpu::adapters().first().is_some_and(|a| a.is_software()) {
        eprintln!("left out: the memory of a hardware GPU is not this process's");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -v 12000000 && exec \"$0\" --ignored --exact in_little_memory --nocapture"]);
    let out = shell.arg(this).env("KNOTWORK_TEST_LITTLE_MEMORY", "1").output().unwrap();
    let text = [out.stdout, out.stderr].map(|t| String::from_utf8_lossy(&t).into_owned()).concat();
    assert!(out.status.success() && text.contains("memory ended and came back"), "{text}");
}
