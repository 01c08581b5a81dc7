//! Every variant of a product, alone, between fused steps, and with sums beside it, against the definition.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};

use knotwork_core::{DType, Device, Graph, HostTensor, Tensor, cpu::evaluate, plan::PlanOptions};
use knotwork_gpu::{Options, Profile, open};

fn device() -> Device {
    open(&Options { profile: Profile::Trusted, poison: true, ..Options::default() })
        .expect("a GPU driver: `cargo xtask setup`")
}

fn wave(shape: &[usize], step: f64) -> HostTensor {
    let count: usize = shape.iter().product();
    HostTensor::new(&(0..count).map(|i| (step * i as f64 + 0.3).sin() as f32).collect::<Vec<_>>(), shape)
        .unwrap()
}

/// Runs every variant, and gives the names of those of steps whose operation has a name with this in it.
fn holds(
    device: &Device,
    g: &Graph,
    outputs: &[&Tensor],
    feeds: &[(&str, HostTensor)],
    op: &str,
) -> BTreeSet<&'static str> {
    let named: BTreeMap<&str, HostTensor> = feeds.iter().cloned().collect();
    let want = evaluate(g, outputs, &named).unwrap();
    let mut seen = BTreeSet::new();
    for n in 0.. {
        let options = PlanOptions { variant: Some(n), ..PlanOptions::default() };
        let mut program = device.compile(g, outputs, &[]).unwrap().with_options(options);
        let plan = program.plan(&[].into()).unwrap();
        let step = plan.steps.iter().find(|s| s.op.name().contains(op)).expect("a product");
        if !seen.insert(step.variant) {
            break;
        }
        let mut run = || program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
        let (got, again) = (run(), run());
        for (k, (got, want)) in got.iter().zip(&want).enumerate() {
            let (got, want) = (got.to_f64(), want.to_f64());
            for (i, (a, b)) in got.iter().zip(&want).enumerate() {
                assert!(
                    (a - b).abs() <= 2e-5 * b.abs().max(1.0),
                    "{}: output {k}, element {i}: {a}, not {b}",
                    step.variant
                );
            }
        }
        assert_eq!(got, again, "{}: twice the same", step.variant);
    }
    seen
}

const ALL: [&str; 7] = ["tile128", "tile128x64", "tile64", "tile128x32", "tile32", "tile16", "naive"];

#[test]
fn every_variant_takes_steps_before_and_behind_it() {
    let device = device();
    // Primes, and the second operand turned; then fours.
    for (m, k, n, turned) in [(37, 19, 67, true), (68, 20, 36, false)] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [m, k]).unwrap();
        let shape = if turned { [n, k] } else { [k, n] };
        let w = g.input("w", DType::F32, shape).unwrap();
        let b = g.input("b", DType::F32, [n]).unwrap();
        let seen_w = if turned { w.transpose(0, 1).unwrap() } else { w };
        let y = x.silu().unwrap().matmul(&seen_w).unwrap().add(&b).unwrap().relu().unwrap();
        let feeds = [("x", wave(&[m, k], 0.7)), ("w", wave(&shape, 0.3)), ("b", wave(&[n], 1.1))];
        let seen = holds(&device, &g, &[&y], &feeds, "matmul");
        assert_eq!(seen, ALL.into());
    }
}

#[test]
fn sums_leave_every_tiled_variant() {
    let device = device();
    for (rows, inputs, outputs) in [(35, 67, 21), (36, 68, 20)] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [rows, inputs]).unwrap();
        let w = g.input("w", DType::F32, [outputs, inputs]).unwrap();
        let b = g.input("b", DType::F32, [outputs]).unwrap();
        let y = x.linear(&w, Some(&b)).unwrap().square().unwrap().sum(&[0, 1], false).unwrap();
        let d = y.grad(&[&w, &b]).unwrap();
        let feeds = [
            ("x", wave(&[rows, inputs], 0.7)),
            ("w", wave(&[outputs, inputs], 0.3)),
            ("b", wave(&[outputs], 1.1)),
        ];
        let mut all: BTreeSet<&str> = ALL.into();
        all.remove("naive"); // It has no tile to sum from.
        assert_eq!(holds(&device, &g, &[&d[0], &d[1]], &feeds, "matmul_sums"), all);
    }
}

#[test]
fn long_sums_are_split_and_vectors_have_kernels_of_their_own() {
    let device = device();
    let product = |m: usize, k: usize, n: usize, turned: bool| {
        let g = Graph::new();
        let (a, b) = if turned { ([k, m], [n, k]) } else { ([m, k], [k, n]) };
        let x = g.input("x", DType::F32, a).unwrap();
        let w = g.input("w", DType::F32, b).unwrap();
        let turn = |t: &Tensor| if turned { t.transpose(0, 1).unwrap() } else { t.clone() };
        let y = turn(&x).matmul(&turn(&w)).unwrap().tanh().unwrap();
        let scaled = |shape: &[usize], step| {
            let wave = wave(shape, step);
            HostTensor::new(&wave.to_f64().iter().map(|v| v * 0.05).collect::<Vec<_>>(), shape)
                .unwrap()
                .cast(DType::F32)
        };
        let feeds = [("x", scaled(&a, 0.7)), ("w", scaled(&b, 0.3))];
        holds(&device, &g, &[&y], &feeds, "matmul")
    };
    let splits = ["tile128_split", "tile128x64_split", "tile64_split", "tile128x32_split", "tile32_split"];
    let seen = product(33, 1031, 18, false);
    assert_eq!(seen, ALL.into_iter().chain(splits).collect());
    let mut all = BTreeSet::new();
    for (m, n, turned) in [(1, 41, false), (36, 1, true), (4, 40, true), (40, 3, false), (1, 1, false)] {
        let seen = product(m, 1028, n, turned);
        assert!(seen.contains("vector"), "{m} x {n}: {seen:?}");
        all.extend(seen);
    }
    assert!(all.contains("vector_split"), "{all:?}");
    let subgroups = device.capabilities().subgroup_size.is_some();
    assert_eq!(all.contains("vector_subgroups"), subgroups, "{all:?}");
}

#[test]
fn batches_broadcast_and_sizes_of_nothing() {
    let device = device();
    for (a, b) in [
        (&[2, 1, 5, 8][..], &[3, 8, 12][..]),
        (&[3, 1, 16], &[16, 1]),
        (&[4, 0, 8], &[8, 4]),
        (&[2, 4, 0], &[0, 4]),
        (&[0, 4, 8], &[8, 4]),
    ] {
        let g = Graph::new();
        let x = g.input("a", DType::F32, a).unwrap();
        let y = x.matmul(&g.input("b", DType::F32, b).unwrap()).unwrap();
        let seen = holds(&device, &g, &[&y], &[("a", wave(a, 0.7)), ("b", wave(b, 0.3))], "matmul");
        assert!(y.shape().dims().contains(&0.into()) || seen.contains("naive"), "{seen:?}");
    }
}
