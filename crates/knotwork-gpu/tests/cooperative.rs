//! Products by cooperative matrices, with what is fused into them, against the oracle. Only where a driver has such matrices:
//! `cargo xtask test --full` runs these on one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Graph, HostTensor, Tensor, cpu::evaluate, plan::PlanOptions};
use knotwork_gpu::{Options, Profile, open};

fn wave(shape: &[usize], phase: f64) -> HostTensor {
    let n = shape.iter().product::<usize>();
    let values: Vec<f64> = (0..n).map(|i| (phase + 1.7 * i as f64).sin()).collect();
    HostTensor::new(&values, shape).unwrap().cast(DType::F16)
}

fn devices() -> Vec<Device> {
    [Profile::Checked, Profile::Trusted]
        .map(|profile| {
            let device = open(&Options { profile, ..Options::default() }).unwrap();
            let has = &device.capabilities().cooperative;
            assert!(!has.is_empty(), "{} has no cooperative matrices", device.info());
            assert!(has.iter().any(|m| m.operands == DType::F16 && m.sums == DType::F32), "{has:?}");
            device
        })
        .into()
}

/// Runs every variant; the usual one must be one step, by cooperative matrices. What is off, relative to the largest value.
fn check(g: &Graph, y: &Tensor, feeds: &[(&str, HostTensor)], tolerance: f64) {
    let want = evaluate(g, &[y], &feeds.iter().cloned().collect()).unwrap()[0].to_f64();
    let largest = want.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    for device in devices() {
        let mut seen = Vec::new();
        for variant in std::iter::once(None).chain((1..16).map(Some)) {
            let options = PlanOptions { variant, ..PlanOptions::default() };
            let mut program = device.compile(g, &[y], &[]).unwrap().with_options(options);
            let plan = program.plan(&[].into()).unwrap();
            let names: Vec<&str> = plan.steps.iter().map(|s| s.variant).filter(|v| !v.is_empty()).collect();
            if variant.is_none() {
                assert_eq!(names.len(), 1, "{plan}");
                assert!(names[0].starts_with("cooperative"), "{plan}");
            } else if seen.contains(&names.join(" ")) {
                break;
            }
            seen.push(names.join(" "));
            let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
            for (i, (got, want)) in got[0].to_f64().into_iter().zip(&want).enumerate() {
                assert!((got - want).abs() <= tolerance * largest, "{names:?} [{i}]: {got}, oracle {want}");
            }
        }
        let matrices = seen.iter().filter(|s| s.contains("cooperative")).count();
        assert!(matrices >= 2 && seen.len() > matrices, "{seen:?}");
    }
}

#[test]
#[ignore = "needs a driver with cooperative matrices"]
fn a_dense_layer_is_one_dispatch() {
    let g = Graph::new();
    let x = g.input("x", DType::F16, [37, 40]).unwrap();
    let w = g.input("w", DType::F16, [29, 40]).unwrap();
    let b = g.input("b", DType::F32, [29]).unwrap();
    let y = x.matmul_wide(&w.transpose(0, 1).unwrap()).unwrap().add(&b).unwrap().relu().unwrap();
    let feeds =
        [("x", wave(&[37, 40], 0.0)), ("w", wave(&[29, 40], 1.0)), ("b", wave(&[29], 2.0).cast(DType::F32))];
    check(&g, &y, &feeds, 1e-5);
}

#[test]
#[ignore = "needs a driver with cooperative matrices"]
fn a_product_in_f16_is_rounded_where_it_is_stored() {
    let g = Graph::new();
    let a = g.input("a", DType::F16, [3, 24, 33]).unwrap();
    let b = g.input("b", DType::F16, [33, 20]).unwrap();
    let y = a.matmul(&b).unwrap();
    assert_eq!(y.dtype(), DType::F16);
    check(&g, &y, &[("a", wave(&[3, 24, 33], 0.0)), ("b", wave(&[33, 20], 1.0))], 1e-3);
}
