//! Splines on knots of each input on whatever GPU there is: knots that come with a run, special values, and knots that are none.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

use knotwork_core::{
    DType, Device, Graph, HostTensor, Tensor,
    cpu::evaluate,
    ops::{OnKnots, Outside},
    plan::PlanOptions,
};
use knotwork_gpu::{Options, Profile, open};

/// More kernel variants than any operation has.
const VARIANTS: usize = 64;

fn devices() -> Vec<Device> {
    [Profile::Checked, Profile::Trusted]
        .map(|profile| {
            open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
        })
        .into()
}

/// Numbers in [−scale, scale).
fn numbers(shape: &[usize], scale: f32, seed: u64) -> HostTensor {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * scale
    };
    HostTensor::from_vec((0..shape.iter().product::<usize>()).map(next).collect(), shape).unwrap()
}

/// A layer over knots that are fed, its gradients to x, the coefficients and the base's weights.
fn layer(
    g: &Graph,
    [rows, inputs, outputs]: [usize; 3],
    grid: usize,
    order: usize,
    outside: Outside,
) -> Vec<Tensor> {
    let x = g.input("x", DType::F32, [rows, inputs]).unwrap();
    let c = g.input("c", DType::F32, [inputs, grid + order, outputs]).unwrap();
    let w = g.input("w", DType::F32, [inputs, outputs]).unwrap();
    let t = g.input("t", DType::F32, [inputs, grid + 2 * order + 1]).unwrap();
    let on = OnKnots::new(&t, order).unwrap().outside(outside);
    let y = x.kan_layer_on_knots_native(&c, Some(&w), None, &on).unwrap();
    let dy = g.input("dy", DType::F32, [rows, outputs]).unwrap();
    let mut all = g.vjp(&[(&y, &dy)], &[&x, &c, &w]).unwrap();
    all.insert(0, y);
    all
}

/// Rows of knots at distances from 0.1 on; every third pair of the inner ones coincides.
fn knots(inputs: usize, wide: usize, order: usize) -> HostTensor {
    let steps = numbers(&[inputs * wide], 0.2, 3);
    let mut all = Vec::new();
    for row in steps.as_slice::<f32>().unwrap().chunks_exact(wide) {
        let mut at = -1.5;
        for (j, step) in row.iter().enumerate() {
            all.push(at);
            at += if j % 3 == 2 && j != order { 0.0 } else { step + 0.3 };
        }
    }
    HostTensor::from_vec(all, [inputs, wide]).unwrap()
}

#[test]
fn every_variant_agrees_on_knots_that_are_fed() {
    for device in devices() {
        for ([rows, inputs, outputs], grid, order, outside) in [
            ([5, 3, 4], 4, 3, Outside::Zero),
            ([5, 3, 4], 4, 3, Outside::Linear),
            ([33, 2, 3], 9, 2, Outside::Zero),
            ([3, 5, 6], 1, 0, Outside::Clamp),
        ] {
            let g = Graph::new();
            let outputs_of = layer(&g, [rows, inputs, outputs], grid, order, outside);
            let outs: Vec<&Tensor> = outputs_of.iter().collect();
            let t = knots(inputs, grid + 2 * order + 1, order);
            // Points on knots, at the outermost ones, and far away.
            let mut x = numbers(&[rows, inputs], 3.0, 1).as_slice::<f32>().unwrap().to_vec();
            let wide = t.shape()[1];
            for (p, x) in x.iter_mut().enumerate().step_by(2) {
                *x = t.as_slice::<f32>().unwrap()[p % inputs * wide + p / 2 % wide];
            }
            x[1] = 1e30;
            let feeds = [
                ("x", HostTensor::from_vec(x, [rows, inputs]).unwrap()),
                ("c", numbers(&[inputs, grid + order, outputs], 1.0, 2)),
                ("w", numbers(&[inputs, outputs], 1.0, 4)),
                ("dy", numbers(&[rows, outputs], 1.0, 5)),
                ("t", t),
            ];
            let want = evaluate(&g, &outs, &feeds.iter().cloned().collect()).unwrap();
            let mut seen = Vec::new();
            for variant in 0..VARIANTS {
                let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
                let mut program = device.compile(&g, &outs, &[]).unwrap().with_options(options);
                let plan = program.plan(&[].into()).unwrap();
                let names: Vec<_> = plan.steps.iter().map(|s| (s.op.name().to_owned(), s.variant)).collect();
                if seen.contains(&names) {
                    break;
                }
                let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
                for (n, (got, want)) in got.iter().zip(&want).enumerate() {
                    // What is far away is large where it goes on in a line: each element by itself.
                    for (got, want) in got.to_f64().iter().zip(want.to_f64()) {
                        let near = (got - want).abs() <= 1e-5 * want.abs().max(20.0);
                        assert!(
                            near || want.abs() > 1e20,
                            "{outside}, output {n}, {names:?}: {got}, not {want}"
                        );
                    }
                }
                seen.push(names);
            }
            // Outputs in fours have kernels of their own beside the others.
            assert!(seen.len() > usize::from(outputs.is_multiple_of(4)), "{seen:?}");
        }
    }
}

#[test]
fn what_is_no_number_stays_in_its_place() {
    for device in devices() {
        let g = Graph::new();
        let outs = layer(&g, [4, 2, 4], 3, 3, Outside::Zero);
        let mut program = device.compile(&g, &[&outs[0], &outs[1]], &[]).unwrap();
        let mut run = |x: [f32; 8], second: Option<[f32; 10]>| {
            let even: Vec<f32> = (0..10).map(|j| j as f32 - 4.0).collect();
            let rows: Vec<f32> =
                even.iter().copied().chain(second.map_or(even.clone(), |s| s.to_vec())).collect();
            let feeds = [
                ("x", HostTensor::new(&x, [4, 2]).unwrap()),
                ("c", HostTensor::new(&[1.0f32; 48], [2, 6, 4]).unwrap()),
                ("w", HostTensor::new(&[0.0f32; 8], [2, 4]).unwrap()),
                ("dy", HostTensor::new(&[1.0f32; 16], [4, 4]).unwrap()),
                ("t", HostTensor::new(&rows, [2, 10]).unwrap()),
            ];
            let out = program.run(feeds).unwrap().wait().unwrap();
            (out[0].to_f64(), out[1].to_f64())
        };
        // Splines sum to 1 within the grid, from −1 to 2.
        let (y, dx) = run([f32::NAN, 0.0, 0.5, 1.5, 99.0, 0.25, -1.0, -99.0], None);
        assert!(y[..4].iter().all(|y| y.is_nan()) && dx[0].is_nan());
        for (row, want) in y[4..].chunks_exact(4).zip([2.0, 1.0, 1.0]) {
            assert!(row.iter().all(|y| (y - want).abs() < 1e-5), "{y:?}");
        }
        assert!(dx[1..].iter().all(|d| d.abs() < 1e-4), "{dx:?}");
        // Knots of no number, which only the device sees, make its input's results NaN, and nobody else's.
        let (y, dx) = run([0.5; 8], Some([f32::NAN; 10]));
        assert!(y.iter().all(|y| y.is_nan()), "{y:?}");
        assert!(dx.iter().step_by(2).all(|d| d.abs() < 1e-4), "{dx:?}");
        // Whatever comes, it comes without a fault, and the next run is what it was.
        run([0.5; 8], Some([5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0, -4.0]));
        run([0.5; 8], Some([0.5; 10]));
        let (y, _) = run([0.5; 8], None);
        assert!(y.iter().all(|y| (y - 2.0).abs() < 1e-5), "{y:?}");
    }
}
