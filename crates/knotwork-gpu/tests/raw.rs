//! Knotwork on an app's wgpu device: the app's buffers as inputs and outputs, in the queue's order; what the device lacks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests a panic is the report")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use knotwork_core::{
    DType, Device, Dim, Error, FeedError, Graph, HostTensor, device::External, plan::PlanOptions,
};
use knotwork_gpu::raw::{self, DeviceExt, Sharing, wgpu};

/// What an app has.
struct App {
    gpu: wgpu::Device,
    queue: wgpu::Queue,
    /// Errors that reached the app's own callback.
    errors: Arc<AtomicUsize>,
}

const SHARED: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

impl App {
    fn open(limits: impl FnOnce(wgpu::Limits) -> wgpu::Limits) -> Self {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12,
            ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
        });
        let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))
            .expect("a GPU driver: `cargo xtask setup`");
        let required_limits = limits(adapter.limits());
        let descriptor = wgpu::DeviceDescriptor { required_limits, ..wgpu::DeviceDescriptor::default() };
        let (gpu, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
        let errors: Arc<AtomicUsize> = Arc::default();
        let count = errors.clone();
        gpu.on_uncaptured_error(Arc::new(move |e| {
            eprintln!("the app was told: {e}");
            count.fetch_add(1, Ordering::SeqCst);
        }));
        Self { gpu, queue, errors }
    }

    fn knotwork(&self) -> Device {
        Device::from_wgpu(self.gpu.clone(), self.queue.clone(), Sharing::default()).unwrap()
    }

    fn buffer(&self, floats: usize, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.gpu.create_buffer(&wgpu::BufferDescriptor {
            label: Some("the app's"),
            size: floats as u64 * 4,
            usage,
            mapped_at_creation: false,
        })
    }

    /// A pass of the app's own: `b[i] = 10 a[i] + 1`.
    fn pass(&self, a: &wgpu::Buffer, b: &wgpu::Buffer) {
        let module = self.gpu.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(
                "@group(0) @binding(0) var<storage, read_write> a: array<f32>;
                @group(0) @binding(1) var<storage, read_write> b: array<f32>;
                @compute @workgroup_size(64)
                fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                    if id.x < arrayLength(&a) { b[id.x] = 10.0 * a[id.x] + 1.0; }
                }"
                .into(),
            ),
        });
        let pipeline = self.gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let group = self.gpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: a.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: b.as_entire_binding() },
            ],
        });
        let mut encoder = self.gpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups((a.size() / 256 + 1) as u32, 1, 1);
        }
        self.queue.submit([encoder.finish()]);
    }

    fn read(&self, buffer: &wgpu::Buffer) -> Vec<f32> {
        let staging = self
            .buffer(buffer.size() as usize / 4, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = self.gpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |r| r.unwrap());
        self.gpu.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        bytemuck::cast_slice(&staging.get_mapped_range(..).unwrap()).to_vec()
    }
}

fn squares() -> (Graph, knotwork_core::Tensor) {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("n"), 2.into()]).unwrap();
    let y = x.square().unwrap();
    (g, y)
}

#[test]
fn a_run_stands_between_the_apps_own_passes() {
    let app = App::open(|l| l);
    let device = app.knotwork();
    let (g, y) = squares();
    let mut program = device.compile(&g, &[&y.sum(&[0, 1], false).unwrap(), &y], &[]).unwrap();
    let [a, b, c] = [0; 3].map(|_| app.buffer(6, SHARED));
    // The elements lie from the third on, in both.
    let input = device.import(&b, 8, DType::F32, &[2, 2]).unwrap();
    let output = device.import(&c, 8, DType::F32, &[2, 2]).unwrap();
    for k in 0..5 {
        let values: Vec<f32> = (0..6).map(|i| (i + k) as f32).collect();
        app.queue.write_buffer(&a, 0, bytemuck::cast_slice(&values));
        app.pass(&a, &b); // b = 10 a + 1
        let run = program.run_with([("x", (&input).into())], &[(1, &output)]).unwrap();
        app.pass(&c, &a); // a = 10 c + 1
        let want: Vec<f32> = values[2..].iter().map(|v| (10.0 * v + 1.0).powi(2)).collect();
        let read = app.read(&a);
        assert_eq!(read[2..], want.iter().map(|v| 10.0 * v + 1.0).collect::<Vec<_>>());
        assert_eq!(read[..2], [1.0, 1.0], "the app's own elements were touched");
        // The other output comes to the host, as ever.
        let out = run.wait().unwrap();
        assert_eq!((out.len(), out[0].item::<f32>().unwrap()), (1, want.iter().sum()));
    }
    assert_eq!(app.errors.load(Ordering::SeqCst), 0);
}

#[test]
fn nothing_comes_back_where_all_is_lent_and_nothing_is_made() {
    let app = App::open(|l| l);
    let device = app.knotwork();
    let (g, y) = squares();
    let mut program = device.compile(&g, &[&y], &[]).unwrap();
    let [a, b] = [0; 2].map(|_| app.buffer(4, SHARED));
    let [input, output] = [&a, &b].map(|buffer| device.import(buffer, 0, DType::F32, &[2, 2]).unwrap());
    app.queue.write_buffer(&a, 0, bytemuck::cast_slice(&[1.0f32, 2.0, 3.0, 4.0]));
    let mut runs = Vec::new();
    let mut made = None;
    for k in 0..20 {
        let (from, to) = if k % 2 == 0 { (&input, &output) } else { (&output, &input) };
        let run = program.run_with([("x", from.into())], &[(0, to)]).unwrap();
        if k < 2 {
            runs.push(run);
        }
        let counters = device.counters();
        let now = (counters.buffers, counters.bind_groups, counters.pipelines);
        if k == 3 {
            made = Some(now);
        } else if k > 3 {
            assert_eq!(made, Some(now));
        }
        if k == 1 {
            // x := x⁴ so far.
            assert_eq!(app.read(&a), [1.0, 16.0, 81.0, 256.0]);
            app.queue.write_buffer(&a, 0, bytemuck::cast_slice(&[1.0f32; 4]));
        }
    }
    assert!(runs.into_iter().all(|r| r.wait().unwrap().is_empty()));
    assert_eq!(app.read(&b), [1.0; 4]);
}

#[test]
fn a_parameter_can_be_bound_by_the_app() {
    let app = App::open(|l| l);
    let device = app.knotwork();
    let g = Graph::new();
    let other = g.state("other", "offsets", HostTensor::new(&[9.0f32], [1]).unwrap()).unwrap();
    let w = g.parameter("w", HostTensor::new(&[1.0f32, 2.0, 3.0], [3]).unwrap()).unwrap();
    let step = g.assign(&w, &w.mul(2.0).unwrap().add(&other).unwrap()).unwrap();
    let mut program = device.compile(&g, &[], &[&step]).unwrap();
    let none: [(&str, HostTensor); 0] = [];
    program.run(none).unwrap();
    let region = raw::parameter(program.params(), "w").unwrap();
    assert_eq!(region.bytes, 12);
    let copy = app.buffer(3, SHARED);
    let mut encoder = app.gpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_buffer_to_buffer(&region.buffer, region.offset, &copy, 0, region.bytes);
    app.queue.submit([encoder.finish()]);
    assert_eq!(app.read(&copy), [11.0, 13.0, 15.0]);
    let error = raw::parameter(program.params(), "v").unwrap_err();
    assert!(matches!(error, Error::Params(_)));
    let cpu = Device::cpu().compile(&g, &[&w], &[]).unwrap();
    let error = raw::parameter(cpu.params(), "w").unwrap_err().to_string();
    assert!(error.contains("`w` does not lie on a GPU"), "{error}");
}

#[test]
fn what_cannot_be_lent_is_refused_and_nothing_has_run() {
    let app = App::open(|l| l);
    let device = app.knotwork();
    let (g, y) = squares();
    let mut program = device.compile(&g, &[&y], &[]).unwrap();
    let good = app.buffer(4, SHARED);
    let lend = |b: &wgpu::Buffer, shape: &[usize]| device.import(b, 0, DType::F32, shape).unwrap();
    let input = lend(&good, &[2, 2]);
    let output = lend(&app.buffer(4, SHARED), &[2, 2]);

    // What import itself refuses.
    let refused =
        |offset, dtype, shape: &[usize]| device.import(&good, offset, dtype, shape).unwrap_err().to_string();
    for (message, part) in [
        (refused(2, DType::F32, &[1]), "no multiple of 4"),
        (refused(4, DType::F32, &[4]), "needs 20 bytes; it has 16"),
        (refused(0, DType::F64, &[1]), "no f64"),
        (refused(0, DType::F32, &[usize::MAX, 8]), "more bytes than there are"),
        (refused(12, DType::F16, &[3]), "needs 20 bytes"),
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(Device::cpu().import(&good, 0, DType::F32, &[4]).is_err());
    assert!(Device::cpu().wgpu().is_none());

    // What a run refuses.
    let unreadable = lend(&app.buffer(4, wgpu::BufferUsages::STORAGE), &[2, 2]);
    let elsewhere = App::open(|l| l);
    let foreign = elsewhere.buffer(4, SHARED);
    let foreign = elsewhere.knotwork().import(&foreign, 0, DType::F32, &[2, 2]).unwrap();
    let integers = device.import(&good, 0, DType::I32, &[2, 2]).unwrap();
    let line = lend(&good, &[4]);
    let before = device.counters();
    let mut says = |feed: &External, into: &[(usize, &External)], part: &str| {
        let error = program.run_with([("x", feed.into())], into).unwrap_err();
        assert!(matches!(error, Error::Feed(_)) && error.to_string().contains(part), "{error}");
        error
    };
    let lent = says(&unreadable, &[], "without the usage BufferUsages(COPY_SRC)");
    assert!(matches!(lent, Error::Feed(FeedError::Lent { name, .. }) if name == "x"));
    says(&foreign, &[], "another device");
    says(&integers, &[], "takes f32, was given i32");
    says(&line, &[], "1 dimensions, not 2");
    let into = says(&input, &[(0, &unreadable)], "without the usage BufferUsages(COPY_DST)");
    assert!(matches!(into, Error::Feed(FeedError::Output { index: 0, .. })));
    says(&input, &[(0, &foreign)], "another device");
    says(&input, &[(0, &line)], "it is f32[2, 2]");
    says(&input, &[(1, &output)], "the program has 1 outputs");
    says(&input, &[(0, &output), (0, &output)], "twice");
    assert_eq!(device.counters().submits, before.submits);
    let cpu =
        Device::cpu().compile(&g, &[&y], &[]).unwrap().run_with([("x", (&input).into())], &[]).unwrap_err();
    assert!(cpu.to_string().contains("lent to the CPU"), "{cpu}");

    // One that the app destroyed: refused by the driver, in a typed error, and not to the app's callback.
    let gone = app.buffer(4, SHARED);
    let lost = lend(&gone, &[2, 2]);
    gone.destroy();
    let error = program.run_with([("x", (&lost).into())], &[]).unwrap_err();
    assert!(matches!(error, Error::Device { .. }) && error.to_string().contains("estroyed"), "{error}");
    assert_eq!(app.errors.load(Ordering::SeqCst), 0);
    assert!(program.run_with([("x", (&input).into())], &[(0, &output)]).unwrap().wait().is_ok());
}

#[test]
fn a_run_in_several_submits_is_refused_before_the_first() {
    let app = App::open(|l| l);
    let device = app.knotwork();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4, 4]).unwrap();
    let w = g.parameter("w", HostTensor::from_vec(vec![0.5f32; 16], [4, 4]).unwrap()).unwrap();
    let y = x.matmul(&w).unwrap().matmul(&w).unwrap().cumsum(0).unwrap();
    let step = g.assign(&w, &w.add(&y).unwrap()).unwrap();
    let options = PlanOptions { submit_micros: Some(0), ..PlanOptions::default() };
    let mut program = device.compile(&g, &[&y], &[&step]).unwrap().with_options(options);
    assert!(program.plan(&[].into()).unwrap().submits.len() > 2);
    let [good, to, gone] = [0; 3].map(|_| app.buffer(16, SHARED));
    let [input, output, lost] =
        [&good, &to, &gone].map(|b| device.import(b, 0, DType::F32, &[4, 4]).unwrap());
    gone.destroy();
    for (from, into) in [(&lost, &output), (&input, &lost)] {
        let error = program.run_with([("x", from.into())], &[(0, into)]).unwrap_err();
        assert!(matches!(error, Error::Device { .. }), "{error}");
        assert_eq!(program.params().get("w").unwrap().as_slice::<f32>().unwrap(), &[0.5; 16]);
    }
    app.queue.write_buffer(&good, 0, bytemuck::cast_slice(&[1.0f32; 16]));
    // The same memory for the input and the output.
    program.run_with([("x", (&input).into())], &[(0, &input)]).unwrap().wait().unwrap();
    // Rows of 4 (4 × 0.5 twice), summed down.
    assert_eq!(app.read(&good), [4.0, 8.0, 12.0, 16.0].map(|v| [v; 4]).concat());
    let want = [4.5f32, 8.5, 12.5, 16.5].map(|v| [v; 4]).concat();
    assert_eq!(program.params().get("w").unwrap().as_slice::<f32>().unwrap(), want);
}

#[test]
fn indices_in_lent_memory_are_clamped_and_counted() {
    let app = App::open(|l| l);
    let device = app.knotwork();
    let g = Graph::new();
    let table = g.parameter("table", HostTensor::new(&[1.0f32, 2.0, 3.0], [3, 1]).unwrap()).unwrap();
    let i = g.input("i", DType::U32, [2]).unwrap();
    let mut program = device.compile(&g, &[&table.gather_rows(&i).unwrap()], &[]).unwrap();
    let buffer = app.buffer(2, SHARED);
    let lent = device.import(&buffer, 0, DType::U32, &[2]).unwrap();
    app.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&[2u32, 0]));
    let out = program.run_with([("i", (&lent).into())], &[]).unwrap().wait().unwrap();
    assert_eq!(out[0].as_slice::<f32>().unwrap(), &[3.0, 1.0]);
    app.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&[7u32, 0]));
    let error = program.run_with([("i", (&lent).into())], &[]).unwrap().wait().unwrap_err();
    assert!(matches!(error, Error::IndexOutOfRange { count: 1, bound: 3, .. }), "{error}");
}

#[test]
fn plans_keep_to_what_the_device_was_opened_with() {
    // WebGPU's guaranteed limits and 4 storage buffers: fewer than the adapter has, and no feature at all.
    let app =
        App::open(|_| wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..wgpu::Limits::defaults() });
    let device = app.knotwork();
    let capabilities = device.capabilities();
    assert_eq!((capabilities.max_storage_buffers, capabilities.max_threads), (4, 256));
    assert!(!capabilities.f16 && capabilities.subgroup_size.is_none());

    // A network that fits: a step of training, with more tensors than a kernel may bind at once.
    let g = Graph::new();
    let x = g.input("x", DType::F32, [5, 3]).unwrap();
    let inputs: Vec<_> = (0..6).map(|i| g.input(&format!("x{i}"), DType::F32, [5, 4]).unwrap()).collect();
    let w = g.parameter("w", HostTensor::from_vec(vec![0.25f32; 12], [3, 4]).unwrap()).unwrap();
    let mut y = x.matmul(&w).unwrap().gelu().unwrap();
    for input in &inputs {
        y = y.add(input).unwrap().tanh().unwrap();
    }
    let loss = y.square().unwrap().mean(&[0, 1], false).unwrap();
    let step = g.assign(&w, &w.sub(&loss.grad(&[&w]).unwrap()[0]).unwrap()).unwrap();
    let values =
        |n: usize| HostTensor::from_vec((0..n).map(|i| (i as f32).sin()).collect(), [5, n / 5]).unwrap();
    let names: Vec<String> = (0..6).map(|i| format!("x{i}")).collect();
    let run = |device: &Device| {
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
        let feeds = names.iter().map(|n| (n.as_str(), values(20))).chain([("x", values(15))]);
        let loss = program.run(feeds).unwrap().wait().unwrap()[0].item::<f32>().unwrap();
        (loss, program.params().get("w").unwrap().to_f64())
    };
    let (got, want) = (run(&device), run(&Device::cpu()));
    assert!((got.0 - want.0).abs() < 1e-6, "{} {}", got.0, want.0);
    assert!(got.1.iter().zip(&want.1).all(|(a, b)| (a - b).abs() < 1e-6));

    // What does not: 16-bit storage, with the line that asked for it.
    let h = g.input("h", DType::F16, [4]).unwrap().exp().unwrap();
    let feed = HostTensor::new(&[0.0f32; 4], [4]).unwrap().cast(DType::F16);
    let error = device.compile(&g, &[&h], &[]).and_then(|mut p| p.run([("h", feed)])).unwrap_err();
    assert!(matches!(&error, Error::Limit { site, .. } if site.file().ends_with("raw.rs")), "{error}");
    assert!(error.to_string().contains("16-bit"), "{error}");
}

#[test]
fn below_the_floor_the_device_is_refused_with_the_limit() {
    let app = App::open(|_| wgpu::Limits {
        max_compute_invocations_per_workgroup: 128,
        max_compute_workgroup_size_x: 128,
        ..wgpu::Limits::defaults()
    });
    let error = Device::from_wgpu(app.gpu.clone(), app.queue.clone(), Sharing::default()).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::NoDevice(_)), "{message}");
    for part in ["max_compute_invocations_per_workgroup = 128", "need 256"] {
        assert!(message.contains(part), "{message}");
    }
}
