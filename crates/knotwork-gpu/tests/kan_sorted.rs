//! The coefficient gradients of KAN layers over sorted rows, where data are as they should not be.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

use knotwork_core::{DType, Device, Graph, HostTensor, cpu::evaluate, ops::BSpline, plan::PlanOptions};
use knotwork_gpu::{Options, Profile, open};

/// Numbers in [−scale, scale) from a small generator.
fn numbers(count: usize, scale: f32, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * scale
    };
    (0..count).map(next).collect()
}

fn devices() -> Vec<Device> {
    [Profile::Checked, Profile::Trusted]
        .map(|profile| {
            open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
        })
        .into()
}

/// A layer's rows, inputs and outputs, grid and order, and whether it has a base branch.
struct Layer {
    shape: [usize; 3],
    grid: usize,
    order: usize,
    base: bool,
    x: Vec<f32>,
}

/// Runs the coefficient gradient, or with `scaled` the gradients of the gradient to x, in each kernel over sorted rows:
/// twice, and against the reference. Gives the names of the kernels.
fn check(device: &Device, layer: &Layer, scaled: bool) -> Vec<String> {
    let Layer { shape: [b, i, o], grid, order, base, .. } = *layer;
    let g = Graph::new();
    let basis = BSpline::new(grid, order).unwrap();
    let tensor = |values: Vec<f32>, shape: &[usize]| HostTensor::from_vec(values, shape).unwrap();
    let x = g.parameter("x", tensor(layer.x.clone(), &[b, i])).unwrap();
    let n = basis.count();
    let c = g.parameter("coef", tensor(numbers(i * n * o, 1.0, 2), &[i, n, o])).unwrap();
    let w = g.parameter("base", HostTensor::zeros(DType::F32, [i, o])).unwrap();
    let dy = g.parameter("dy", tensor(numbers(b * o, 1.0, 5), &[b, o])).unwrap();
    let y = x.kan_layer_native(&c, base.then_some(&w), None, basis).unwrap();
    let parameters = if base { vec![&c, &w] } else { vec![&c] };
    let all = if scaled {
        let v = g.parameter("v", tensor(numbers(b * i, 1.0, 6), &[b, i])).unwrap();
        let to_x = g.vjp(&[(&y, &dy)], &[&x]).unwrap();
        g.vjp(&[(&to_x[0], &v)], &parameters).unwrap()
    } else {
        g.vjp(&[(&y, &dy)], &parameters).unwrap()
    };
    let outputs: Vec<_> = all.iter().collect();
    let want = evaluate(&g, &outputs, &[].into()).unwrap();
    let mut seen: Vec<String> = Vec::new();
    for variant in 0..16 {
        let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
        let mut program = device.compile(&g, &outputs, &[]).unwrap().with_options(options);
        let plan = program.plan(&[].into()).unwrap();
        let Some(name) = plan.steps.iter().map(|s| s.variant).find(|v| v.starts_with("sorted")) else {
            continue;
        };
        if seen.iter().any(|s| s == name) {
            continue;
        }
        seen.push(name.into());
        let mut run = || program.run::<HostTensor>([]).unwrap().wait().unwrap();
        let (got, again) = (run(), run());
        for ((got, again), want) in got.iter().zip(&again).zip(&want) {
            let at = format!("{name} of {b} x {i} to {o}, {basis}, scaled {scaled}, on {}", device.info());
            assert_eq!(got.device_bytes(), again.device_bytes(), "two runs differ: {at}");
            let want = want.to_f64();
            let size = want.iter().fold(1.0f64, |a, b| if b.is_nan() { a } else { a.max(b.abs()) });
            for (k, (g, w)) in got.to_f64().iter().zip(&want).enumerate() {
                let holds = if w.is_nan() { g.is_nan() } else { (g - w).abs() <= 2e-6 * size };
                assert!(holds, "element {k} is {g}, not {w}: {at}");
            }
        }
    }
    seen
}

#[test]
fn every_order_derivative_and_shape_agrees_with_the_reference() {
    for device in devices() {
        for (order, [b, i, o]) in [
            (0, [70, 3, 4]),
            (1, [65, 1, 12]),
            (2, [300, 2, 8]),
            (3, [257, 5, 68]),
            (4, [33, 17, 132]),
            (5, [300, 1, 4]),
            (6, [7, 9, 20]),
            (7, [290, 2, 36]),
        ] {
            let (base, x) = (order % 2 == 1, numbers(b * i, 1.8, 1));
            let layer = Layer { shape: [b, i, o], grid: 6, order, base, x };
            assert!(!check(&device, &layer, false).is_empty(), "order {order}");
            // Scaled, at the next derivative; where that is above the order there is nothing to sort by.
            if order > 0 {
                assert!(!check(&device, &layer, true).is_empty(), "order {order}");
            }
        }
    }
}

#[test]
fn skewed_data_are_as_right_as_others() {
    for device in devices() {
        // All points in one interval, on a knot, beyond all knots, at both ends; two far apart; 1030 rows make two blocks.
        let patterns: [&[f32]; 6] =
            [&[0.3], &[0.0], &[9.0], &[-1.0, 1.0], &[0.999, -0.999, 0.999], &[-1.05, -1.0, 1.0, 1.04]];
        for (rows, grid) in [(260, 7), (1030, 254)] {
            for pattern in patterns {
                let x = (0..rows).map(|k| pattern[k % pattern.len()]).collect();
                let layer = Layer { shape: [rows, 1, 4], grid, order: 3, base: true, x };
                let names = check(&device, &layer, false);
                assert!(names.iter().any(|n| n == "sorted_split"), "{names:?}");
            }
        }
    }
}

#[test]
fn a_nan_spoils_its_input_and_no_other() {
    for device in devices() {
        for (rows, outputs, grid) in [(40, 36, 4), (260, 4, 5), (2500, 4, 254), (2500, 8, 5)] {
            for nans in [&[1][..], &[0, 3, 6, 9, 12, 15, 18, 21]] {
                let mut x = numbers(3 * rows, 1.1, 1);
                for &k in nans {
                    // All in input 0, or one in input 1.
                    x[k] = f32::NAN;
                }
                x[3 * rows - 1] = f32::NEG_INFINITY;
                let layer = Layer { shape: [rows, 3, outputs], grid, order: 3, base: false, x };
                assert!(!check(&device, &layer, false).is_empty());
            }
        }
    }
}
