//! The kernels of KAN layers on whatever GPU there is, against the reference in f64.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

use knotwork_core::{
    DType, Device, Graph, HostTensor, Tensor,
    cpu::evaluate,
    ops::{BSpline, Basis},
    plan::PlanOptions,
};
use knotwork_gpu::{Options, Profile, open};

/// More kernel variants than any operation has.
const VARIANTS: usize = 64;

/// Numbers in [−scale, scale) from a small generator.
fn numbers(shape: &[usize], scale: f32, seed: u64) -> HostTensor {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * scale
    };
    HostTensor::from_vec((0..shape.iter().product::<usize>()).map(next).collect(), shape).unwrap()
}

/// The largest error of each output, relative to the largest value of its tensor or 1, in the first so many kernel variants:
/// each with the variants' names.
fn errors(
    variants: usize,
    device: &Device,
    g: &Graph,
    outputs: &[&Tensor],
    feeds: &[(&str, HostTensor)],
) -> Vec<(String, Vec<f64>)> {
    let want = evaluate(g, outputs, &feeds.iter().cloned().collect()).unwrap();
    let mut all: Vec<(String, Vec<f64>)> = Vec::new();
    for variant in 0..variants {
        let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
        let mut program = device.compile(g, outputs, &[]).unwrap().with_options(options);
        let plan = program.plan(&[].into()).unwrap();
        let named: Vec<String> =
            plan.steps.iter().map(|s| format!("{} of {}", s.variant, s.op.name())).collect();
        let named = named.join(", ");
        if all.iter().any(|(n, _)| *n == named) {
            break;
        }
        let mut run = || program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
        let (got, again) = (run(), run());
        let found = got.iter().zip(&again).zip(&want).map(|((got, again), want)| {
            assert_eq!(got.device_bytes(), again.device_bytes(), "two runs differ: {named}");
            let want = want.to_f64();
            let size = want.iter().fold(1.0f64, |a, b| if b.is_nan() { a } else { a.max(b.abs()) });
            got.to_f64().iter().zip(&want).fold(0.0f64, |worst, (g, w)| match (g.is_nan(), w.is_nan()) {
                (true, true) => worst,
                (false, false) => worst.max((g - w).abs() / size),
                _ => f64::INFINITY,
            })
        });
        all.push((named.clone(), found.collect()));
    }
    all
}

fn devices() -> Vec<Device> {
    [Profile::Checked, Profile::Trusted]
        .map(|profile| {
            open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
        })
        .into()
}

#[test]
fn layers_and_their_gradients_agree_with_the_reference() {
    let shapes = [
        ([1, 1, 1], 5, 3, true),
        ([3, 3, 3], 5, 0, true),
        ([65, 64, 10], 3, 3, true),
        ([64, 64, 32], 3, 3, true),
        ([3, 65, 65], 5, 1, false),
        ([130, 5, 8], 64, 3, true),
        ([7, 9, 17], 6, 2, true),
        ([1, 130, 70], 5, 3, true),
        ([200, 2, 3], 200, 3, false),
        ([9, 4, 5], 2, 16, true),
        ([300, 3, 130], 4, 5, true),
        ([0, 3, 4], 5, 3, true),
        ([70, 9, 40], 600, 3, true),
    ];
    for device in devices() {
        for ([b, i, o], grid, order, base) in shapes {
            let g = Graph::new();
            let basis = BSpline::new(grid, order).unwrap();
            let feeds = [
                ("x", numbers(&[b, i], 2.0, 1)),
                ("dy", numbers(&[b, o], 1.0, 5)),
                ("v", numbers(&[b, i], 1.0, 6)),
            ];
            let [x, dy, v] = [0, 1, 2].map(|k| g.input(feeds[k].0, DType::F32, feeds[k].1.shape()).unwrap());
            let c = g.parameter("coef", numbers(&[o, i, basis.count()], 1.0, 2)).unwrap();
            let w = g.parameter("base", numbers(&[o, i], 1.0, 3)).unwrap();
            let bias = g.parameter("bias", numbers(&[o], 1.0, 4)).unwrap();
            let y = x.kan_layer(&c, base.then_some(&w), base.then_some(&bias), basis).unwrap();
            let mut all = g.vjp(&[(&y, &dy)], &[&x, &c, &w]).unwrap();
            // Gradients of gradients: the scaled sums.
            all.extend(g.vjp(&[(&all[0], &v)], &[&x, &c, &w, &dy]).unwrap());
            all.push(y);
            for (variants, errors) in errors(1, &device, &g, &all.iter().collect::<Vec<_>>(), &feeds) {
                assert!(
                    errors.iter().all(|&e| e < 2e-6),
                    "[{b}, {i}, {o}] {basis}: {errors:?} on {}: {variants}",
                    device.info()
                );
            }
        }
    }
}

#[test]
fn a_row_without_meaning_gives_nan_and_spoils_no_other() {
    for device in devices() {
        for (rows, outputs, grid) in [(4, 17, 70), (4, 16, 70), (40, 36, 4)] {
            let g = Graph::new();
            let basis = BSpline::new(grid, 3).unwrap();
            let mut x = numbers(&[rows, 3], 1.0, 1).as_slice::<f32>().unwrap().to_vec();
            (x[4], x[6], x[9]) = (f32::NAN, f32::NEG_INFINITY, 1e30);
            let x = g.parameter("x", HostTensor::new(&x, [rows, 3]).unwrap()).unwrap();
            let c = g.parameter("coef", numbers(&[3, basis.count(), outputs], 1.0, 2)).unwrap();
            let w = g.parameter("base", HostTensor::zeros(DType::F32, [3, outputs])).unwrap();
            let dy = g.parameter("dy", numbers(&[rows, outputs], 1.0, 5)).unwrap();
            let y = x.kan_layer_native(&c, Some(&w), None, basis).unwrap();
            let mut all = g.vjp(&[(&y, &dy)], &[&x, &c]).unwrap();
            all.push(y);
            for (variants, errors) in errors(VARIANTS, &device, &g, &all.iter().collect::<Vec<_>>(), &[]) {
                assert!(errors.iter().all(|&e| e < 2e-6), "{errors:?} on {}: {variants}", device.info());
            }
        }
    }
}

#[test]
fn every_variant_of_large_tiles_agrees_with_the_reference() {
    let device = &devices()[1];
    for ([b, i, o], grid, order) in [([140, 9, 132], 4, 3), ([70, 6, 64], 9, 5)] {
        let g = Graph::new();
        let basis = BSpline::new(grid, order).unwrap();
        let x = g.parameter("x", numbers(&[b, i], 1.5, 1)).unwrap();
        let c = g.parameter("coef", numbers(&[i, basis.count(), o], 1.0, 2)).unwrap();
        let w = g.parameter("base", numbers(&[i, o], 1.0, 3)).unwrap();
        let dy = g.parameter("dy", numbers(&[b, o], 1.0, 5)).unwrap();
        let y = x.kan_layer_native(&c, Some(&w), None, basis).unwrap();
        let mut all = g.vjp(&[(&y, &dy)], &[&x, &c, &w]).unwrap();
        all.push(y);
        for (variants, errors) in errors(VARIANTS, device, &g, &all.iter().collect::<Vec<_>>(), &[]) {
            assert!(errors.iter().all(|&e| e < 2e-6), "[{b}, {i}, {o}] {basis}: {errors:?}: {variants}");
        }
    }
}

#[test]
fn every_variant_over_other_bases_agrees_with_the_reference() {
    type Make = fn() -> knotwork_core::Result<Basis>;
    let device = &devices()[1];
    let wide = || Basis::rbf(2100, (-1.0, 1.0), Some(0.7));
    let rbf = || Basis::rbf(100, (-1.0, 1.0), Some(0.1));
    let cases: [(Make, [usize; 3]); 9] = [
        (|| Basis::rbf(5, (-1.0, 1.0), None), [1, 130, 64]),
        (|| Basis::chebyshev(6), [3, 700, 10]),
        (|| Basis::fourier(4), [16, 9, 68]),
        (|| Basis::relu_kan(5, 3), [70, 9, 40]),
        (|| Basis::bernstein(5), [64, 20, 9]),
        (|| Basis::hermite(4), [130, 7, 33]),
        (|| Basis::legendre(20), [33, 5, 65]),
        (rbf, [66, 3, 12]),
        // More functions than the kernel for few rows holds at once.
        (wide, [2, 3, 8]),
    ];
    for (make, [b, i, o]) in cases {
        let g = Graph::new();
        let basis = make().unwrap();
        let x = g.parameter("x", numbers(&[b, i], 1.0, 1)).unwrap();
        let c = g.parameter("coef", numbers(&[i, basis.count(), o], 1.0, 2)).unwrap();
        let w = g.parameter("base", numbers(&[i, o], 1.0, 3)).unwrap();
        let dy = g.parameter("dy", numbers(&[b, o], 1.0, 5)).unwrap();
        let y = x.kan_layer_native(&c, Some(&w), None, basis).unwrap();
        let mut all = g.vjp(&[(&y, &dy)], &[&x, &c, &w]).unwrap();
        all.push(y);
        let found = errors(VARIANTS, device, &g, &all.iter().collect::<Vec<_>>(), &[]);
        let has =
            |variant: &str, op: &str| found.iter().any(|(n, _)| n.contains(&format!("{variant} of {op}")));
        assert_eq!(
            has("row", "kan_forward") || has("row_split", "kan_forward"),
            b <= 16,
            "{basis}: {found:?}"
        );
        let tile = b > 32 && i.min(64 / (basis.count() + 1).min(64)) * (basis.count() + 1) > 32;
        assert_eq!(has("dense64", "kan_input_gradient"), tile, "{basis}: {found:?}");
        for (variants, errors) in found {
            assert!(errors.iter().all(|&e| e < 4e-6), "[{b}, {i}, {o}] {basis}: {errors:?}: {variants}");
        }
    }
}

/// Some drivers end all loops of an invocation together after 65,535 turns, without a word.
#[test]
fn long_sums_are_whole() {
    let device = &devices()[1];
    for [b, i, o] in [[2, 50_000, 8], [20, 20_000, 4], [40, 20_000, 36], [2, 20_000, 3], [100_000, 1, 8]] {
        let g = Graph::new();
        let basis = BSpline::new(1, 1).unwrap();
        let x = g.parameter("x", numbers(&[b, i], 1.2, 1)).unwrap();
        let c = g.parameter("coef", numbers(&[i, basis.count(), o], 1.0, 2)).unwrap();
        let w = g.parameter("base", numbers(&[i, o], 1.0, 3)).unwrap();
        let dy = g.parameter("dy", numbers(&[b, o], 1.0, 5)).unwrap();
        let y = x.kan_layer_native(&c, Some(&w), None, basis).unwrap();
        let mut all = g.vjp(&[(&y, &dy)], &[&c, &w]).unwrap();
        all.push(y);
        for (variants, errors) in errors(VARIANTS, device, &g, &all.iter().collect::<Vec<_>>(), &[]) {
            assert!(errors.iter().all(|&e| e < 2e-5), "[{b}, {i}, {o}]: {errors:?}: {variants}");
        }
    }
}
