//! Profiles on a GPU.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Error, Graph, HostTensor, device::Clock};
use knotwork_gpu::Options;

fn gpu() -> Device {
    knotwork_gpu::open(&Options::default()).expect("a GPU driver: `cargo xtask setup`")
}

fn ramp(shape: [usize; 2]) -> HostTensor {
    let n = shape[0] * shape[1];
    HostTensor::from_vec((0..n).map(|i| (i % 7) as f32 - 3.0).collect(), shape).unwrap()
}

#[test]
fn every_dispatch_is_timed_and_the_run_is_a_run() {
    let device = gpu();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [48, 48]).unwrap();
    let w = g.parameter("w", ramp([48, 48])).unwrap();
    let y = x.matmul(&w).unwrap().softmax(-1).unwrap();
    let update = g.assign(&w, &w.mul(0.5).unwrap()).unwrap();
    let mut program = device.compile(&g, &[&y], &[&update]).unwrap();
    let profile = program.profile([("x", ramp([48, 48]))], 3).unwrap();
    let plan = program.plan(&[].into()).unwrap();
    let kernels: Vec<&str> = plan.dispatches.iter().map(|d| d.kernel.name.as_str()).collect();
    assert_eq!(profile.entries.iter().map(|e| e.kernel.as_str()).collect::<Vec<_>>(), kernels);
    assert!(kernels.len() >= 3);
    // Every driver that the tests run on has timestamps.
    assert_eq!(profile.clock, Clock::Timestamps);
    assert!(profile.total_ns() > 0.0);
    let mut end = 0.0;
    for slice in &profile.timeline {
        assert!(
            slice.begin >= end && slice.ns >= 0.0,
            "dispatches follow each other: {:?}",
            profile.timeline
        );
        end = slice.begin + slice.ns;
    }
    // One to warm up and three to measure: each has halved the parameter.
    let want: Vec<f64> = ramp([48, 48]).to_f64().iter().map(|v| v / 16.0).collect();
    assert_eq!(program.params().get("w").unwrap().to_f64(), want);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&profile.trace()).unwrap()["displayTimeUnit"], "ns");
}

/// More dispatches than one query set has room for.
#[test]
fn long_plans_are_timed_as_well() {
    let device = gpu();
    let g = Graph::new();
    let mut x = g.input("x", DType::F32, [2, 2]).unwrap();
    for _ in 0..2100 {
        x = x.matmul(&x).unwrap();
    }
    let mut program = device.compile(&g, &[&x], &[]).unwrap();
    let profile = program.profile([("x", HostTensor::zeros(DType::F32, [2, 2]))], 1).unwrap();
    assert_eq!(profile.entries.len(), 2100);
    let begins: Vec<f64> = profile.timeline.iter().map(|s| s.begin).collect();
    assert!(begins.windows(2).all(|w| w[0] < w[1]), "each began after the one before");
}

#[test]
fn an_index_out_of_range_is_an_error_in_a_profile_too() {
    let device = gpu();
    let g = Graph::new();
    let rows = g.input("rows", DType::F32, [4, 3]).unwrap();
    let at = g.input("at", DType::I32, [2]).unwrap();
    // Indices that are computed are checked by the kernel.
    let y = rows.gather_rows(&at.add(&at).unwrap()).unwrap();
    let mut program = device.compile(&g, &[&y], &[]).unwrap();
    let at = HostTensor::new(&[1i32, 3], [2]).unwrap();
    let error =
        program.profile([("rows", &HostTensor::zeros(DType::F32, [4, 3])), ("at", &at)], 1).unwrap_err();
    assert!(matches!(error, Error::IndexOutOfRange { count: 1, bound: 4, .. }), "{error}");
}

#[test]
fn the_peak_is_measured_once_and_is_a_rate() {
    let device = gpu();
    let peak = device.peak().unwrap();
    assert!(peak.bytes_per_second > 1e6 && peak.bytes_per_second < 1e14, "{peak:?}");
    assert!(peak.flops_per_second > 1e6 && peak.flops_per_second < 1e16, "{peak:?}");
    let before = device.counters();
    assert_eq!(device.peak().unwrap(), peak);
    assert_eq!(device.counters(), before);
}

#[test]
fn a_plan_without_dispatches_has_a_profile() {
    let g = Graph::new();
    let y = g.input("x", DType::F32, [0, 3]).unwrap().exp().unwrap();
    let mut program = gpu().compile(&g, &[&y], &[]).unwrap();
    let profile = program.profile([("x", HostTensor::zeros(DType::F32, [0, 3]))], 2).unwrap();
    assert!(profile.entries.is_empty() && profile.total_ns() == 0.0);
    assert!(profile.to_string().contains("0 dispatches"), "{profile}");
    serde_json::from_str::<serde_json::Value>(&profile.trace()).unwrap();
}
