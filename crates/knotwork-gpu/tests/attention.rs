//! Attention on a GPU over views that no kernel before it has made contiguous.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Device, Graph, HostTensor, Tensor,
    cpu::evaluate,
    ops::{Attention, Mask, Normalizer},
    plan::PlanOptions,
};
use knotwork_gpu::{Options, Profile, open};

const B: usize = 2;
const L: usize = 7;
const H: usize = 2;
const D: usize = 11;

fn devices() -> Vec<Device> {
    let open = |profile| {
        open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
    };
    vec![open(Profile::Checked), open(Profile::Trusted)]
}

fn input(g: &Graph, name: &str, shape: &[usize]) -> Tensor {
    g.input(name, DType::F32, shape).unwrap()
}

/// Elements of an input, without a pattern that a sum could cancel.
fn wave(shape: &[usize], phase: f32) -> HostTensor {
    let values = (0..shape.iter().product::<usize>()).map(|i| (phase + 1.7 * i as f32).sin()).collect();
    HostTensor::from_vec(values, shape).unwrap()
}

/// Outputs on each device against the oracle, in every variant of every kernel. All inputs feed all outputs.
fn check(g: &Graph, outputs: &[&Tensor], feeds: &[(&str, HostTensor)]) {
    let want = evaluate(g, outputs, &feeds.iter().cloned().collect()).unwrap();
    for device in devices() {
        for variant in 0..4 {
            let choice = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
            let mut program = device.compile(g, outputs, &[]).unwrap().with_options(choice);
            let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                for (a, b) in got.to_f64().iter().zip(want.to_f64()) {
                    assert!((a - b).abs() <= 2e-5, "output {i}: {a}, not {b} on {}", device.info());
                }
            }
        }
    }
}

/// The output and the gradients.
fn compare(g: &Graph, [q, k, v, dy]: [&Tensor; 4], inputs: &[(&str, &[usize])]) {
    let feeds: Vec<(&str, HostTensor)> =
        inputs.iter().enumerate().map(|(i, (name, shape))| (*name, wave(shape, i as f32))).collect();
    for options in [
        Attention::new().mask(Mask::causal()),
        Attention::new().normalizer(Normalizer::Entmax15).softcap(2.0).top_k(5),
    ] {
        let y = q.attention(k, v, &options).unwrap();
        let gradients = g.vjp(&[(&y, dy)], &[q, k, v]).unwrap();
        check(g, &[&y, &gradients[0], &gradients[1], &gradients[2]], &feeds);
    }
}

#[test]
fn slices_of_packed_rows() {
    let g = Graph::new();
    let (all, dy) = (input(&g, "packed", &[B, L, 3 * H * D]), input(&g, "dy", &[B, L, H * D]));
    let heads = |t: &Tensor| t.reshape([B, L, H, D]).unwrap().permute(&[0, 2, 1, 3]).unwrap();
    let [q, k, v] = [0, 1, 2].map(|i| heads(&all.slice(-1, i * H * D, (i + 1) * H * D).unwrap()));
    let inputs: [(&str, &[usize]); 2] = [("packed", &[B, L, 3 * H * D]), ("dy", &[B, L, H * D])];
    compare(&g, [&q, &k, &v, &heads(&dy)], &inputs);
}

#[test]
fn shared_heads_and_elements_apart() {
    let g = Graph::new();
    let q = input(&g, "q", &[B, H, 1, D]).broadcast_to([B, H, L, D]).unwrap();
    let k = input(&g, "k", &[B, H, D, L]).transpose(2, 3).unwrap();
    let v = input(&g, "v", &[B, 1, L, D]).broadcast_to([B, H, L, D]).unwrap();
    let dy = input(&g, "dy", &[D, B, L, H]).permute(&[1, 3, 2, 0]).unwrap();
    let inputs: [(&str, &[usize]); 4] =
        [("q", &[B, H, 1, D]), ("k", &[B, H, D, L]), ("v", &[B, 1, L, D]), ("dy", &[D, B, L, H])];
    compare(&g, [&q, &k, &v, &dy], &inputs);
}

#[test]
fn a_table_and_a_bias_with_steps_behind_the_gradient_to_the_queries() {
    let g = Graph::new();
    let shape = [B, H, L, D];
    let [q, k, v, dy] = ["q", "k", "v", "dy"].map(|name| input(&g, name, &shape));
    let bias = input(&g, "bias", &[H, L, L]);
    let documents = g.input("documents", DType::I32, [B, L]).unwrap();
    let options = Attention::new().mask(Mask::document(&documents)).bias(&bias);
    let y = q.attention(&k, &v, &options).unwrap();
    let mut gradients = g.vjp(&[(&y, &dy)], &[&q, &k, &v, &bias]).unwrap();
    gradients[0] = gradients[0].permute(&[0, 2, 1, 3]).unwrap().tanh().unwrap();
    let outputs: Vec<&Tensor> = gradients.iter().collect();
    let mut feeds: Vec<(&str, HostTensor)> = vec![("bias", wave(&[H, L, L], 5.0))];
    feeds.extend(["q", "k", "v", "dy"].iter().zip(0u8..).map(|(n, i)| (*n, wave(&shape, f32::from(i)))));
    let documents: Vec<i32> = (0..B * L).map(|i| i as i32 / 4).collect();
    feeds.push(("documents", HostTensor::new(&documents, [B, L]).unwrap()));
    check(&g, &outputs, &feeds);
}

/// What a mask hides is read into no sum, though its tile is; a row whose scores are all −∞ is NaN, its neighbours are not.
#[test]
fn numbers_that_are_none_stay_where_they_are() {
    let (lq, lk, d) = (40, 70, 3);
    let of = |n: usize, phase: f32, set: &[(usize, f32)]| {
        let mut values: Vec<f32> = (0..n * d).map(|i| (phase + 1.7 * i as f32).sin()).collect();
        set.iter().for_each(|&(row, x)| values[row * d..(row + 1) * d].fill(x));
        HostTensor::from_vec(values, [1, 1, n, d]).unwrap()
    };
    let g = Graph::new();
    let [q, k, v] = [("q", lq), ("k", lk), ("v", lk)].map(|(name, n)| input(&g, name, &[1, 1, n, d]));
    // Query i stands at key i + 30 and looks at it and the five before.
    let y = q.attention(&k, &v, &Attention::new().mask(Mask::window(5, 0))).unwrap();
    let grads = y.sum(&[0, 1, 2, 3], false).unwrap().grad(&[&q, &k, &v]).unwrap();
    let feeds = [
        ("q", of(lq, 0.0, &[(35, f32::NAN)])),
        ("k", of(lk, 1.0, &[(3, f32::NAN), (20, f32::INFINITY)])),
        ("v", of(lk, 2.0, &[(3, f32::NAN), (24, f32::INFINITY), (33, f32::NAN)])),
    ];
    let outputs = [&y, &grads[0], &grads[1], &grads[2]];
    let want = evaluate(&g, &outputs, &feeds.iter().cloned().collect()).unwrap();
    for device in devices() {
        for variant in 0..4 {
            let choice = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
            let mut program = device.compile(&g, &outputs, &[]).unwrap().with_options(choice);
            let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                let (got, want) = (got.to_f64(), want.to_f64());
                assert!(want.iter().any(|x| x.is_nan()) && want.iter().any(|x| x.is_finite()), "output {i}");
                for (at, (a, b)) in got.iter().zip(&want).enumerate() {
                    let same = if b.is_finite() { (a - b).abs() <= 2e-5 } else { a.is_nan() == b.is_nan() };
                    assert!(same, "variant {variant}, output {i}, element {at}: {a}, not {b}");
                }
            }
        }
    }
}

/// Tiles without weights are left out, forward and backward: the rows say which, and everything is what it is without.
#[test]
fn tiles_below_the_thresholds_are_left_out() {
    let (h, hkv, lq, lk, d) = (2, 1, 70, 200, 6);
    let g = Graph::new();
    let q = input(&g, "q", &[1, h, lq, d]);
    let [k, v] = ["k", "v"].map(|name| input(&g, name, &[1, hkv, lk, d]));
    let feeds = [
        ("q", wave(&[1, h, lq, d], 0.0)),
        ("k", wave(&[1, hkv, lk, d], 1.0)),
        ("v", wave(&[1, hkv, lk, d], 2.0)),
    ];
    for (normalizer, half) in [(Normalizer::Sparsemax, 1.0), (Normalizer::Entmax15, 0.5)] {
        // Scores fall with the distance, so that far tiles hold no weight; and a mask hides the last keys from the first queries.
        let options = Attention::new().normalizer(normalizer).alibi(true).mask(Mask::window(lk, 40));
        let y = q.attention(&k, &v, &options).unwrap();
        let mut second = y.id();
        second.output = 1;
        let rows = g.value(second).unwrap();
        let grads = y.square().unwrap().sum(&[0, 1, 2, 3], false).unwrap().grad(&[&q, &k, &v]).unwrap();
        let outputs = [&y, &grads[0], &grads[1], &grads[2]];
        check(&g, &outputs, &feeds);
        let want = evaluate(&g, &[&y, &rows], &feeds.iter().cloned().collect()).unwrap();
        let device = &devices()[0];
        let mut seen = false;
        for variant in 0..4 {
            let choice = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
            let mut program = device.compile(&g, &[&rows], &[]).unwrap().with_options(choice);
            let skips = program.plan(&[].into()).unwrap().steps.iter().any(|s| s.variant == "tiles_skipped");
            let found = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
            let (found, want) = (found[0].to_f64(), want[1].to_f64());
            for (got, want) in found.chunks(4).zip(want.chunks(4)) {
                assert!(
                    (got[0] - want[0]).abs() < 2e-5 && (got[1] - want[1]).abs() < 2e-5,
                    "{got:?}, {want:?}"
                );
                assert_eq!(got[3], 0.0);
            }
            let empty = |head: usize, tile: usize, keys: usize| {
                let row = head * lq + tile * 32 + keys / 24;
                found[row * 4 + 2] as u32 >> (keys % 24) & 1 == 1
            };
            if !skips {
                assert!(found.chunks(4).all(|row| row[2] == 0.0));
                continue;
            }
            seen = true;
            // Each weight above 0 by the definition, and how many tiles have none.
            let dot = |i: usize, j: usize| -> f64 {
                let (a, b) = (feeds[0].1.to_f64(), feeds[1].1.to_f64());
                (0..d).map(|c| a[i * d + c] * b[j * d + c]).sum()
            };
            let mut left_out = 0;
            for (head, tile, keys) in
                (0..h).flat_map(|h| (0..3).flat_map(move |t| (0..7).map(move |k| (h, t, k))))
            {
                let pairs = (tile * 32..(tile * 32 + 32).min(lq))
                    .flat_map(|i| (keys * 32..(keys * 32 + 32).min(lk)).map(move |j| (i, j)));
                let most =
                    pairs.filter(|&(i, j)| j <= i + lk - lq + 40).fold(f64::NEG_INFINITY, |most, (i, j)| {
                        let slope = (-8.0 * (head + 1) as f64 / h as f64).exp2();
                        let score = dot(head * lq + i, j) / (d as f64).sqrt()
                            + slope * (j as f64 - (i + lk - lq) as f64);
                        let row = &want[(head * lq + i) * 4..];
                        most.max(half * (score - row[0]) - row[1])
                    });
                assert!(most <= 0.0 || !empty(head, tile, keys), "head {head}, tiles {tile}, {keys}: {most}");
                assert!(most > -1e-3 || empty(head, tile, keys), "head {head}, tiles {tile}, {keys}: {most}");
                left_out += usize::from(empty(head, tile, keys));
            }
            assert!(left_out > 4, "{left_out} tiles");
        }
        assert!(seen, "no variant leaves tiles out");
    }
}

/// The best blocks are found on the device, where lists of tiles are made of them.
#[test]
fn blocks_of_the_largest_scores_are_found_on_the_device() {
    let (h, hkv, l, d) = (2, 1, 136, 8);
    let g = Graph::new();
    let q = input(&g, "q", &[1, h, l, d]);
    let k = input(&g, "k", &[1, hkv, l, d]);
    let mask = Mask::top_blocks(&q, &k, 32, 2, true).unwrap();
    let y = q.attention(&k, &k, &Attention::new().mask(mask)).unwrap();
    let grads = y.square().unwrap().sum(&[0, 1, 2, 3], false).unwrap().grad(&[&q, &k]).unwrap();
    let feeds = [("q", wave(&[1, h, l, d], 0.5)), ("k", wave(&[1, hkv, l, d], 1.5))];
    check(&g, &[&y, &grads[0], &grads[1]], &feeds);
}

/// 0 times a number that is none is none: such values, keys and cotangents show though their weights are 0.
#[test]
fn what_is_no_number_shows_through_a_weight_of_0() {
    let (lq, lk, d) = (40, 100, 3);
    let of = |n: usize, phase: f32, set: &[(usize, f32)]| {
        let mut values: Vec<f32> = (0..n * d).map(|i| (phase + 1.7 * i as f32).sin()).collect();
        set.iter().for_each(|&(row, x)| values[row * d] = x);
        HostTensor::from_vec(values, [1, 1, n, d]).unwrap()
    };
    for normalizer in [Normalizer::Sparsemax, Normalizer::Entmax15] {
        let g = Graph::new();
        let [q, k, v, dy] =
            [("q", lq), ("k", lk), ("v", lk), ("dy", lq)].map(|(name, n)| input(&g, name, &[1, 1, n, d]));
        // Query i stands at key i + 60; the first keys are far below every threshold.
        let options =
            Attention::new().normalizer(normalizer).alibi(true).mask(Mask::window(70, 0)).scale(4.0);
        let y = q.attention(&k, &v, &options).unwrap();
        let grads = g.vjp(&[(&y, &dy)], &[&q, &k, &v]).unwrap();
        let outputs = [&y, &grads[0], &grads[1], &grads[2]];
        let (none, infinite) = (f32::NAN, f32::INFINITY);
        for feeds in [
            [of(lq, 0.0, &[]), of(lk, 1.0, &[]), of(lk, 2.0, &[(3, none)]), of(lq, 3.0, &[])],
            [of(lq, 0.0, &[]), of(lk, 1.0, &[]), of(lk, 2.0, &[]), of(lq, 3.0, &[(35, none)])],
            [of(lq, 0.0, &[]), of(lk, 1.0, &[(2, -infinite)]), of(lk, 2.0, &[]), of(lq, 3.0, &[])],
            [of(lq, 0.0, &[(38, none)]), of(lk, 1.0, &[]), of(lk, 2.0, &[(4, infinite)]), of(lq, 3.0, &[])],
        ] {
            let feeds: Vec<(&str, HostTensor)> = ["q", "k", "v", "dy"].into_iter().zip(feeds).collect();
            let want = evaluate(&g, &outputs, &feeds.iter().cloned().collect()).unwrap();
            assert!(want.iter().any(|t| t.to_f64().iter().any(|x| x.is_nan())));
            let device = &devices()[0];
            for variant in 0..4 {
                let choice = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
                let mut program = device.compile(&g, &outputs, &[]).unwrap().with_options(choice);
                let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
                for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                    for (at, (a, b)) in got.to_f64().iter().zip(want.to_f64()).enumerate() {
                        let same = if b.is_finite() { (a - b).abs() <= 2e-5 } else { !a.is_finite() };
                        assert!(
                            same,
                            "{normalizer:?}, variant {variant}, output {i}, element {at}: {a}, not {b}"
                        );
                    }
                }
            }
        }
    }
}
