//! Rewritten plans on the GPU: the same values as the graph as it was written, fused or not, rewritten or not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::collections::BTreeMap;

use knotwork_core::{DType, Device, Graph, HostTensor, Tensor, cpu::evaluate, plan::PlanOptions};
use knotwork_gpu::{Options, Profile, open};

fn device() -> Device {
    open(&Options { profile: Profile::Checked, ..Options::default() })
        .expect("a GPU driver: `cargo xtask setup`")
}

fn wave(shape: &[usize], scale: f64) -> HostTensor {
    let count: usize = shape.iter().product();
    HostTensor::new(&(0..count).map(|i| (scale * (i as f64 * 0.7).sin()) as f32).collect::<Vec<_>>(), shape)
        .unwrap()
}

fn check(g: &Graph, outputs: &[&Tensor], feeds: &[(&str, HostTensor)], rules: &[&str]) {
    let named: BTreeMap<&str, HostTensor> = feeds.iter().cloned().collect();
    let want = evaluate(g, outputs, &named).unwrap();
    let device = device();
    for (no_fuse, no_rewrite) in [(false, false), (true, false), (false, true), (true, true)] {
        let options = PlanOptions { no_fuse, no_rewrite, ..PlanOptions::default() };
        let mut program = device.compile(g, outputs, &[]).unwrap().with_options(options);
        let plan = program.plan(&[].into()).unwrap();
        let applied: Vec<&str> = plan.rewrites.iter().map(|(name, _)| *name).collect();
        assert!(no_rewrite || rules.iter().all(|r| applied.contains(r)), "{plan}");
        assert!(!no_rewrite || applied.is_empty());
        let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
        for (k, (got, want)) in got.iter().zip(&want).enumerate() {
            assert_eq!(got.shape(), want.shape());
            for (a, b) in got.to_f64().iter().zip(want.to_f64()) {
                assert!((a - b).abs() <= 2e-5 * b.abs().max(1.0), "output {k}: {a}, not {b}\n{plan}");
            }
        }
    }
}

fn total(t: &Tensor) -> Tensor {
    let dims: Vec<isize> = (0..t.rank() as isize).collect();
    t.square().unwrap().sum(&dims, false).unwrap()
}

#[test]
fn gradients_of_packed_heads_are_written_side_by_side() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 5, 6]).unwrap();
    let w = g.parameter("w", wave(&[12, 6], 0.4)).unwrap();
    let b = g.parameter("b", wave(&[12], 0.4)).unwrap();
    let packed = x.linear(&w, Some(&b)).unwrap();
    let part = |i: usize| {
        let part = packed.slice(-1, i * 4, i * 4 + 4).unwrap();
        part.reshape([2, 5, 2, 2]).unwrap().permute(&[0, 2, 1, 3]).unwrap()
    };
    let scores = part(0).matmul(&part(1).transpose(-2, -1).unwrap()).unwrap().softmax(-1).unwrap();
    let y = scores.matmul(&part(2)).unwrap();
    let d = total(&y).grad(&[&x, &w, &b]).unwrap();
    check(&g, &[&y, &d[0], &d[1], &d[2]], &[("x", wave(&[2, 5, 6], 1.0))], &["join", "transposed_product"]);
}

#[test]
fn parts_along_both_dimensions() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [5, 7]).unwrap();
    let y = x.exp().unwrap();
    let (top, bottom) = (y.slice(0, 0, 2).unwrap(), y.slice(0, 2, 5).unwrap());
    let (left, right) = (bottom.slice(1, 0, 3).unwrap(), bottom.slice(1, 3, 7).unwrap());
    let loss = total(&top).add(total(&left.tanh().unwrap())).unwrap();
    let loss = loss.add(total(&right.transpose(0, 1).unwrap().matmul(&left).unwrap())).unwrap();
    let dx = loss.grad(&[&x]).unwrap().remove(0);
    let dy = loss.grad(&[&y]).unwrap().remove(0);
    check(&g, &[&dx, &dy], &[("x", wave(&[5, 7], 0.5))], &["join"]);
}

#[test]
fn loss_and_gradient_of_small_and_large_batches() {
    for (rows, classes) in [(1, 1), (6, 4), (300, 3), (5, 600), (1700, 11)] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [rows, classes]).unwrap();
        let t = g.input("t", DType::U32, [rows]).unwrap();
        let loss = x.cross_entropy_with(&t, 0.1).unwrap();
        let dx = loss.mul(rows as f64).unwrap().grad(&[&x]).unwrap().remove(0);
        let target: Vec<u32> = (0..rows).map(|i| (i * 7 % classes) as u32).collect();
        let feeds = [("x", wave(&[rows, classes], 4.0)), ("t", HostTensor::new(&target, [rows]).unwrap())];
        check(&g, &[&loss, &dx], &feeds, &["loss_and_gradient"]);
    }
}

#[test]
fn an_index_outside_is_counted_once_a_row() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [3, 4]).unwrap();
    let t = g.input("t", DType::F32, [3]).unwrap();
    let loss = x.cross_entropy(&t.cast(DType::I32).unwrap()).unwrap();
    let dx = loss.grad(&[&x]).unwrap().remove(0);
    let mut program = device().compile(&g, &[&loss, &dx], &[]).unwrap();
    let feeds = [("x", wave(&[3, 4], 1.0)), ("t", HostTensor::new(&[0.0f32, 9.0, -1.0], [3]).unwrap())];
    let error = program.run(feeds).and_then(knotwork_core::Run::wait).unwrap_err();
    let knotwork_core::Error::IndexOutOfRange { .. } = &error else { panic!("{error}") };
    assert!(error.to_string().contains('2'), "{error}");
}

#[test]
fn constants_and_identities() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let roots = g.tensor(HostTensor::new(&[1.0f32, 4.0, 9.0], [3]).unwrap()).unwrap().sqrt().unwrap();
    let two = g.constant(DType::F32, 0.5).unwrap().add(1.5).unwrap();
    let y = x.mul(1.0).unwrap().mul(&roots).unwrap().neg().unwrap().neg().unwrap().add(&two).unwrap();
    let z = y.transpose(0, 1).unwrap().div(1.0).unwrap();
    let n = x.gt(0.0).unwrap().cast(DType::I32).unwrap().cast(DType::F32).unwrap();
    check(&g, &[&y, &z, &n, &roots, &two], &[("x", wave(&[2, 3], 3.0))], &["constants", "identities"]);
}

#[test]
fn attention_from_its_parts() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 5, 12]).unwrap();
    let part = |i: usize| {
        let part = x.slice(-1, i * 4, i * 4 + 4).unwrap();
        part.reshape([2, 5, 2, 2]).unwrap().permute(&[0, 2, 1, 3]).unwrap()
    };
    let mask: Vec<f32> = (0..25).map(|at| if at % 5 <= at / 5 && at != 6 { 0.0 } else { -1e38 }).collect();
    let mask = g.tensor(HostTensor::new(&mask, [5, 5]).unwrap()).unwrap();
    let bias = g.tensor(wave(&[2, 1, 5], 1.0)).unwrap();
    let scores = part(0).matmul(&part(1).transpose(-2, -1).unwrap()).unwrap().mul(0.7).unwrap();
    let scores = scores.add(&bias).unwrap().add(&mask).unwrap();
    let y = scores.softmax(-1).unwrap().matmul(&part(2)).unwrap();
    check(&g, &[&y], &[("x", wave(&[2, 5, 12], 1.0))], &["attention_from_parts"]);
}

#[test]
fn sums_that_wait_for_each_others_products_do_not_both_join_them() {
    let g = Graph::new();
    let a = g.input("a", DType::F32, [6, 3]).unwrap();
    let b = g.input("b", DType::F32, [6, 3]).unwrap();
    let sum = |t: &Tensor| t.sum(&[0], true).unwrap().broadcast_to([6, 3]).unwrap();
    let (a, b) = (a.exp().unwrap(), b.exp().unwrap());
    let product = |g: &Tensor, x: &Tensor| g.transpose(0, 1).unwrap().matmul(&x.tanh().unwrap()).unwrap();
    let (p, q) = (product(&a, &sum(&b)), product(&b, &sum(&a)));
    check(&g, &[&p, &q], &[("a", wave(&[6, 3], 0.5)), ("b", wave(&[6, 3], 0.3))], &["sum_beside_product"]);
}

#[test]
fn parts_of_a_concat_are_stored_where_they_belong() {
    for made in [false, true] {
        for dim in [0, 1] {
            for first in [0, 2] {
                let g = Graph::new();
                let x = g.input("x", DType::F32, [3, 4]).unwrap();
                let a = if made { x.sigmoid().unwrap() } else { x.clone() };
                let parts = [&a.tanh().unwrap(), &a, &a.neg().unwrap()];
                let joined = Tensor::concat(&parts, dim).unwrap();
                let y = joined
                    .slice(dim, first, first + 4)
                    .unwrap()
                    .mul(x.mean(&[0, 1], false).unwrap())
                    .unwrap();
                let d = total(&y).grad(&[&x]).unwrap();
                check(&g, &[&y, &d[0]], &[("x", wave(&[3, 4], 1.0))], &["join"]);
                check(&g, &[&y, &joined], &[("x", wave(&[3, 4], 1.0))], &["join"]);
            }
        }
    }
}
