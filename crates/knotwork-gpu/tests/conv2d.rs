//! Convolutions on a GPU whose sums are long: every variant of all three products against the CPU.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::collections::BTreeSet;

use knotwork_core::{DType, Device, Graph, HostTensor, Tensor, ops::Conv2d, plan::PlanOptions};
use knotwork_gpu::{Options, open};

/// y, dx and dw of a convolution, by their names.
fn products(g: &Graph, x: [usize; 4], w: [usize; 4], options: &Conv2d) -> Vec<Tensor> {
    let (x, w) = (g.input("x", DType::F32, x).unwrap(), g.input("w", DType::F32, w).unwrap());
    let y = x.conv2d(&w, None, options).unwrap();
    let dy = g.input("dy", DType::F32, y.shape().fixed().unwrap()).unwrap();
    let mut all = g.vjp(&[(&y, &dy)], &[&x, &w]).unwrap();
    all.push(y);
    all
}

fn hold(x: [usize; 4], w: [usize; 4], options: Conv2d) -> BTreeSet<String> {
    let g = Graph::new();
    let outputs = products(&g, x, w, &options);
    let wave = |shape: &[usize], by: f64| {
        let count = shape.iter().product::<usize>();
        HostTensor::from_vec((0..count).map(|i| (i as f64 * by).sin() as f32).collect(), shape).unwrap()
    };
    let dy = outputs[2].shape().fixed().unwrap();
    let feeds = [("x", wave(&x, 0.7)), ("w", wave(&w, 1.3)), ("dy", wave(&dy, 0.3))];
    let run = |device: &Device, variant: Option<usize>| {
        let options = PlanOptions { variant, ..PlanOptions::default() };
        let all: Vec<&Tensor> = outputs.iter().collect();
        let mut program = device.compile(&g, &all, &[]).unwrap().with_options(options);
        let out = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
        let plan = program.plan(&[].into()).unwrap();
        let names: Vec<String> = plan.dispatches.iter().map(|d| d.kernel.name.clone()).collect();
        (out.iter().map(HostTensor::to_f64).collect::<Vec<_>>(), names)
    };
    let (want, _) = run(&Device::cpu(), None);
    let device = open(&Options::default()).expect("a GPU driver: `cargo xtask setup`");
    let mut seen = BTreeSet::new();
    for variant in 0..16 {
        let (got, names) = run(&device, Some(variant));
        for (got, want) in got.iter().zip(&want) {
            let most = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
            for (at, (got, want)) in got.iter().zip(want).enumerate() {
                assert!((got - want).abs() <= 1e-5 * most, "{names:?} at {at}: {got}, not {want}");
            }
        }
        seen.extend(names);
    }
    seen
}

#[test]
fn sums_of_many_places_are_whole_in_every_variant() {
    let seen = hold([2, 1, 66, 65], [2, 1, 1, 2], Conv2d::new());
    for name in ["to_weight_dots_split", "to_weight_tile32_split", "to_input_direct", "conv2d_tile64"] {
        assert!(seen.contains(name), "{name} of {seen:?}");
    }
}

#[test]
fn sums_of_many_channels_are_whole_in_every_variant() {
    let strided = Conv2d::new().stride([1, 2]);
    let seen = hold([1, 200, 3, 4], [40, 200, 2, 2], strided);
    for name in ["conv2d_tile16x128_split", "conv2d_tile128x64_split", "conv2d_direct"] {
        assert!(seen.contains(name), "{name} of {seen:?}");
    }
    // Two phases of two taps each.
    let seen = hold([1, 40, 3, 4], [300, 40, 2, 2], strided);
    for name in ["to_input_tile64_split", "to_input_tile32", "to_weight_dots", "to_weight_tile128x64"] {
        assert!(seen.contains(name), "{name} of {seen:?}");
    }
}
