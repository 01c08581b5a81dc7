//! The backend on whatever GPU there is: results, parameters in place, several runs under way, steady counters.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Dim, Error, Graph, HostTensor};
use knotwork_gpu::{Options, Profile, open};

fn devices() -> Vec<Device> {
    let open = |profile| {
        open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
    };
    vec![open(Profile::Checked), open(Profile::Trusted)]
}

#[test]
fn a_fused_chain_gives_what_the_cpu_gives() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("n"), 5.into()]).unwrap();
    let b = g.parameter("b", HostTensor::new(&[0.1f32, 0.2, 0.3, 0.4, 0.5], [5]).unwrap()).unwrap();
    let y = x.add(&b).unwrap().silu().unwrap().mul(2.0).unwrap().transpose(0, 1).unwrap().exp().unwrap();
    let feed = HostTensor::from_vec((0..35).map(|i| i as f32 / 20.0 - 1.0).collect(), [7, 5]).unwrap();
    let want = Device::cpu().compile(&g, &[&y], &[]).unwrap().run([("x", &feed)]).unwrap().wait().unwrap();
    for device in devices() {
        let mut program = device.compile(&g, &[&y], &[]).unwrap();
        let got = program.run([("x", &feed)]).unwrap().wait().unwrap();
        for (a, b) in got[0].to_f64().iter().zip(want[0].to_f64()) {
            assert!((a - b).abs() < 2e-6 * b.abs().max(1.0), "{a} {b} on {}", device.info());
        }
        assert_eq!(got[0].shape(), &[5, 7]);
    }
}

#[test]
fn updates_stay_on_the_device_and_nothing_is_made_after_the_third_step() {
    for device in devices() {
        let g = Graph::new();
        let w = g.parameter("w", HostTensor::new(&[1.0f32; 3], [3]).unwrap()).unwrap();
        let x = g.input("x", DType::F32, [3]).unwrap();
        let step = g.assign(&w, &w.add(&x).unwrap()).unwrap();
        let mut program = device.compile(&g, &[&w], &[&step]).unwrap();
        let feed = HostTensor::new(&[1.0f32, 2.0, 3.0], [3]).unwrap();
        let mut after_three = None;
        for i in 0..10 {
            let run = program.run([("x", &feed)]).unwrap();
            if i % 2 == 1 {
                // The value read is the one before this run's update.
                let old = run.wait().unwrap();
                assert_eq!(old[0].as_slice::<f32>().unwrap()[0], 1.0 + i as f32);
            }
            let counters = device.counters();
            let made = (counters.buffers, counters.bind_groups, counters.pipelines);
            if i == 2 {
                after_three = Some(made);
            }
            if i > 2 {
                assert_eq!(after_three, Some(made));
            }
        }
        assert_eq!(program.params().get("w").unwrap().as_slice::<f32>().unwrap(), &[11.0, 21.0, 31.0]);
        let before = device.counters().submits;
        drop(program.run([("x", &feed)]).unwrap());
        assert_eq!(device.counters().submits, before + 1);
    }
}

#[test]
fn an_async_caller_gets_the_same() {
    let device = devices().remove(0);
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2]).unwrap();
    let y = x.sqrt().unwrap();
    let mut program = device.compile(&g, &[&y], &[]).unwrap();
    let run = program.run([("x", HostTensor::new(&[4.0f32, 9.0], [2]).unwrap())]).unwrap();
    let out = pollster::block_on(run.outputs()).unwrap();
    assert_eq!(out[0].as_slice::<f32>().unwrap(), &[2.0, 3.0]);
}

#[test]
fn an_unknown_name_lists_what_there_is() {
    let options = Options { selector: Some("Voodoo 2".into()), ..Options::default() };
    let message = open(&options).unwrap_err().to_string();
    assert!(message.contains("no GPU is called `Voodoo 2`") && message.contains("there are:"), "{message}");
}

#[test]
fn f64_is_refused_with_the_line_that_asked_for_it() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [2]).unwrap();
    let y = x.exp().unwrap();
    let mut program = devices().remove(0).compile(&g, &[&y], &[]).unwrap();
    let error = program.run([("x", HostTensor::new(&[1.0f64, 2.0], [2]).unwrap())]).unwrap_err();
    assert!(matches!(error, Error::Limit { .. }));
    let message = error.to_string();
    assert!(message.contains("exp") && message.contains("smoke.rs") && message.contains("f64"), "{message}");
}
