//! Knobs and searches that bisect a wrong result, on every backend that this build has.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork::{
    Error,
    device::Counters,
    graph::Meta,
    nn::{AdamW, Sgd},
    ops::{Custom, Op, Reference},
    plan::{KernelRequest, Lowering, PlanOptions},
    prelude::*,
};

fn devices() -> Vec<Device> {
    #[allow(unused_mut, reason = "without the feature `gpu` there is only one")]
    let mut all = vec![Device::cpu()];
    #[cfg(feature = "gpu")]
    all.push(
        knotwork::gpu::open(&knotwork::gpu::Options::default()).expect("a GPU driver: `cargo xtask setup`"),
    );
    all
}

fn wave(n: usize, shape: &[usize]) -> HostTensor {
    HostTensor::from_vec((0..n).map(|i| (i as f32 * 0.7).sin() * 1.5).collect(), shape).unwrap()
}

/// 1 / (1 + x²), whose kernel and CPU form lose the last element's 1 where `wrong`.
fn bump(wrong: bool) -> Custom {
    let lost = if wrong { "params.count - 1u" } else { "params.count" };
    Custom::new("bump", |x, y| {
        y[0].data.iter_mut().zip(&x[0].data).for_each(|(y, x)| *y = 1.0 / (1.0 + x * x));
    })
    .cpu(move |x, y| {
        let last = x[0].len() - 1;
        for (i, (y, x)) in y[0].iter_mut().zip(x[0]).enumerate() {
            *y = 1.0 / (if wrong && i == last { 0.5 } else { 1.0 } + x * x);
        }
    })
    .wgsl(&format!(
        "#import shared/grid
        struct Params {{ count: u32, pad0: u32, pad1: u32, pad2: u32 }}
        @group(0) @binding(0) var<uniform> params: Params;
        @group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(256)
        fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) local: u32) {{
            let i = linear_thread(wid, groups, local, 256u);
            if i < params.count {{ y[i] = 1.0 / (select(1.0, 0.5, i == {lost}) + x[i] * x[i]); }}
        }}"
    ))
    .gradient(|c| Ok(vec![Some(c.inputs[0].mul(-2.0)?.mul(c.outputs[0].square()?)?.mul(c.cotangent()?)?)]))
}

/// A small network with a custom operation in its middle: graph, loss, the line of the operation.
fn network(op: &Custom) -> (Graph, Tensor, u32) {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("n"), 6.into()]).unwrap();
    let w = g.parameter("w", wave(24, &[6, 4])).unwrap();
    let h = x.matmul(&w).unwrap().tanh().unwrap();
    let line = line!() + 1;
    let b = op.apply_one(&[&h]).unwrap();
    let loss = b.softmax(-1).unwrap().mul(&h).unwrap().square().unwrap().mean(&[0, 1], false).unwrap();
    (g, loss, line)
}

fn state(program: &Program) -> Vec<(String, HostTensor)> {
    program.params().snapshot().unwrap().into_iter().map(|(info, value)| (info.name, value)).collect()
}

#[test]
fn a_wrong_kernel_is_named_with_its_line_and_the_state_stays() {
    for device in devices() {
        let (g, loss, line) = network(&bump(true));
        let step = AdamW::new(1e-2).minimize(&loss).unwrap();
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
        let feeds = || [("x", wave(30, &[5, 6]))];
        program.run(feeds()).unwrap().wait().unwrap();
        let before = state(&program);
        let found = program.verify(feeds()).unwrap();
        assert_eq!(state(&program), before, "on {}", device.info());
        let first = found.first.as_ref().unwrap_or_else(|| panic!("on {}: {found}", device.info()));
        assert_eq!((first.op.as_str(), first.site.line()), ("bump", line), "on {}: {found}", device.info());
        assert!(first.site.file().ends_with("bisect.rs"));
        assert_eq!(first.element, [4, 3]);
        let h = first.inputs[0].clone();
        assert!(h.what.starts_with("`tanh`") && h.shape == [5, 4] && h.is_finite(), "{h}");
        // Both values, from the element's input.
        let input = 1.0 / first.oracle - 1.0;
        assert!((first.device - 1.0 / (0.5 + input)).abs() < 1e-5, "{first}");
        // Only it differs, although everything after it has another value than the oracle's.
        assert_eq!(found.nodes.iter().filter(|n| !n.agrees()).count(), 1, "{found}");
        assert!(!found.agrees() && found.planned.is_none());
        assert!(found.to_string().contains("1 of "), "{found}");
    }
}

#[test]
fn a_right_training_step_agrees_and_its_state_stays() {
    for device in devices() {
        let (g, loss, _) = network(&bump(false));
        let step = AdamW::new(1e-2).clip_norm(0.1).minimize(&loss).unwrap();
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
        program.set_scalar("adamw.lr", 0.5).unwrap();
        let before = state(&program);
        let found = program.verify([("x", wave(30, &[5, 6]))]).unwrap();
        assert!(found.agrees(), "on {}: {found}", device.info());
        assert!(found.nodes.iter().any(|n| n.op == "bump") && found.nodes.iter().any(|n| n.op == "matmul"));
        assert!(found.to_string().ends_with("agree, and so does the plan"), "{found}");
        assert_eq!(state(&program), before);
        // A run afterwards is the run that would have been without it.
        let mut fresh = device.compile(&g, &[&loss], &[&step]).unwrap();
        fresh.set_scalar("adamw.lr", 0.5).unwrap();
        for p in [&mut program, &mut fresh] {
            p.run([("x", wave(30, &[5, 6]))]).unwrap().wait().unwrap();
        }
        assert_eq!(state(&program), state(&fresh));
    }
}

/// y[i] = x[i] + x[0], said to work in place, which it does not: x[0] is gone when the others are computed.
#[derive(Debug)]
struct FalselyInPlace;

impl Op for FalselyInPlace {
    fn name(&self) -> &str {
        "falsely_in_place"
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        Ok(inputs.to_vec())
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let x = &inputs[0].data;
        outputs[0].data.iter_mut().zip(x).for_each(|(y, v)| *y = v + x[0]);
        Ok(())
    }

    fn cpu(&self, io: &mut knotwork::cpu::CpuIo<'_>) -> Result<bool, String> {
        let from = io.inputs[0].f32().map(<[f32]>::to_vec);
        let y = io.outputs[0].f32().ok_or("f32 only")?;
        for i in 0..y.len() {
            y[i] = from.as_ref().map_or_else(|| y[i] + y[0], |x| x[i] + x[0]);
        }
        Ok(true)
    }

    fn kernels(&self, _: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        Err("it runs on the CPU only".into())
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 0)]
    }
}

#[test]
fn a_plan_that_is_wrong_though_all_nodes_agree_is_told_with_its_cure() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [8]).unwrap();
    let h = x.cumsum(0).unwrap();
    let y = g.apply(FalselyInPlace, &[&h], knotwork::Site::here()).unwrap().remove(0).cumsum(0).unwrap();
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let found = program.verify([("x", wave(8, &[8]).cast(DType::F32))]).unwrap();
    // x[0] = 0 would hide it.
    assert!(found.agrees(), "{found}");
    let ones = HostTensor::new(&[1.0f32; 8], [8]).unwrap();
    let found = program.verify([("x", &ones)]).unwrap();
    assert!(found.nodes.iter().all(|n| n.agrees()), "{found}");
    let planned = found.planned.as_ref().unwrap();
    assert!(planned.what.starts_with("output 0, of `cumsum`"), "{planned}");
    assert_eq!(planned.cured_by, ["no_alias"], "{planned}");
    let cured = PlanOptions { no_alias: true, ..PlanOptions::default() };
    assert!(program.with_options(cured).verify([("x", &ones)]).unwrap().agrees());
}

#[test]
fn the_log_of_a_negative_number_in_the_middle_is_named() {
    for device in devices() {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [3, 4]).unwrap();
        let h = x.mul(2.0).unwrap().sub(1.0).unwrap();
        let line = line!() + 1;
        let l = h.log().unwrap();
        let y = l.sigmoid().unwrap().sum(&[-1], false).unwrap();
        let mut program = device.compile(&g, &[&y], &[]).unwrap();
        let mut values = [2.0f32; 12];
        assert_eq!(program.check_finite([("x", HostTensor::new(&values, [3, 4]).unwrap())]).unwrap(), None);
        values[6] = 0.25;
        let x = HostTensor::new(&values, [3, 4]).unwrap();
        let found = program.check_finite([("x", &x)]).unwrap().unwrap();
        assert_eq!(
            (found.what.as_str(), found.site.line()),
            ("`log`", line),
            "on {}: {found}",
            device.info()
        );
        assert_eq!((&found.element[..], found.nans, found.infinities), (&[1, 2][..], 1, 0));
        assert!(found.inputs_finite() && found.inputs[0].min == -0.5, "{found}");
        // Without the knob a run lets it pass; with it, the run fails.
        assert!(program.run([("x", &x)]).unwrap().wait().unwrap()[0].to_f64()[1].is_nan());
        let options = PlanOptions { check_finite: true, ..PlanOptions::default() };
        let mut program = program.with_options(options);
        let Err(Error::NotFinite(error)) = program.run([("x", &x)]) else { panic!("on {}", device.info()) };
        assert_eq!(error.to_string(), found.to_string()); // a NaN is not equal to itself
        let good = program.run([("x", HostTensor::new(&[2.0f32; 12], [3, 4]).unwrap())]).unwrap();
        assert_eq!(good.wait().unwrap().len(), 1);
    }
}

#[test]
fn an_infinity_in_a_backward_pass_is_found_and_the_run_undone() {
    for device in devices() {
        // The slope of sqrt at 0 is infinite, while every forward value and the loss are finite.
        let g = Graph::new();
        let x = g.input("x", DType::F32, [4]).unwrap();
        let w = g.parameter("w", HostTensor::new(&[1.0f32; 4], [4]).unwrap()).unwrap();
        let line = line!() + 1;
        let loss = w.mul(&x).unwrap().sqrt().unwrap().sum(&[0], false).unwrap();
        let step = Sgd::new(0.1).minimize(&loss).unwrap();
        let options = PlanOptions { check_finite: true, ..PlanOptions::default() };
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap().with_options(options);
        let feed = |v: [f32; 4]| [("x", HostTensor::new(&v, [4]).unwrap())];
        program.run(feed([1.0, 4.0, 9.0, 1.0])).unwrap();
        let before = state(&program);
        let Err(Error::NotFinite(found)) = program.run(feed([1.0, 0.0, 9.0, 1.0])) else {
            panic!("on {}", device.info())
        };
        assert!(!found.planned_only && found.inputs_finite(), "on {}: {found}", device.info());
        assert_eq!((&found.element[..], found.infinities, found.nans), (&[1][..], 1, 0), "{found}");
        assert!(found.site.line() >= line && found.site.line() <= line + 1, "{found}");
        assert_eq!(state(&program), before, "on {}", device.info());
        program.run(feed([1.0, 4.0, 9.0, 1.0])).unwrap();
        assert_ne!(state(&program), before);
        // What a run is given may be it, too.
        let Err(Error::NotFinite(found)) = program.run(feed([1.0, f32::NAN, 9.0, 1.0])) else {
            panic!("on {}", device.info())
        };
        assert_eq!(found.what, "input `x`");
    }
}

#[test]
fn one_by_one_gives_the_same_bits() {
    for device in devices() {
        let (g, loss, _) = network(&bump(false));
        let step = AdamW::new(1e-2).minimize(&loss).unwrap();
        let run = |options| {
            let mut program = device.compile(&g, &[&loss], &[&step]).unwrap().with_options(options);
            let start: Counters = device.counters();
            let out = program.run([("x", wave(30, &[5, 6]))]).unwrap().wait().unwrap();
            let end = device.counters();
            (out, state(&program), end.submits - start.submits, end.dispatches - start.dispatches)
        };
        let together = run(PlanOptions::default());
        let serial = run(PlanOptions { serial: true, ..PlanOptions::default() });
        assert_eq!((&together.0, &together.1), (&serial.0, &serial.1), "on {}", device.info());
        assert_eq!(together.2, 1);
        if device.info().name != "cpu" {
            // The last of them copies the results too.
            assert_eq!(serial.2, serial.3, "on {}", device.info());
        }
    }
}

#[test]
fn bad_feeds_are_refused_as_by_a_run() {
    for device in devices() {
        let (g, loss, _) = network(&bump(false));
        let mut program = device.compile(&g, &[&loss], &[]).unwrap();
        let none: [(&str, HostTensor); 0] = [];
        assert!(matches!(program.verify(none.clone()), Err(Error::Feed(_))));
        assert!(matches!(program.check_finite(none), Err(Error::Feed(_))));
        let twice = [("x", wave(6, &[1, 6])), ("x", wave(6, &[1, 6]))];
        assert!(matches!(program.verify(twice), Err(Error::Feed(_))));
    }
}
