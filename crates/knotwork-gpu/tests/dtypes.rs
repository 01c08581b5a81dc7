//! Every element type through kernels: storage, casts, integer arithmetic, truth values, views with offsets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::slice::from_ref;

use knotwork_core::{DType, Device, Graph, HostTensor, Result, Tensor, cpu::evaluate};
use knotwork_gpu::{Options, Profile, open};

fn check(inputs: &[HostTensor], build: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let g = Graph::new();
    let names = ["a", "b", "c"];
    let tensors: Vec<Tensor> =
        inputs.iter().zip(names).map(|(t, n)| g.input(n, t.dtype(), t.shape()).unwrap()).collect();
    let y = build(&tensors).unwrap();
    let feeds = || names.iter().copied().zip(inputs.iter().cloned());
    let want = evaluate(&g, &[&y], &feeds().collect()).unwrap().remove(0);
    let gpu = |profile| {
        open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
    };
    for device in [Device::cpu(), gpu(Profile::Checked), gpu(Profile::Trusted)] {
        let got = device.compile(&g, &[&y], &[]).unwrap().run(feeds()).unwrap().wait().unwrap().remove(0);
        assert_eq!(got.dtype(), want.dtype());
        for (k, (a, b)) in got.to_f64().iter().zip(want.to_f64()).enumerate() {
            let same = (a - b).abs() <= 2e-6 * b.abs().max(1.0) || a == &b || (a.is_nan() && b.is_nan());
            assert!(same, "element {k}: {a}, not {b}, on {}", device.info());
        }
    }
}

fn floats() -> HostTensor {
    let values = vec![-3.7f32, -0.0, 0.5, 2.5, 1e10, -1e10, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let n = values.len();
    HostTensor::from_vec(values, [n]).unwrap()
}

#[test]
fn floats_become_integers_and_back() {
    check(&[floats()], |t| t[0].cast(DType::I32));
    check(&[floats()], |t| t[0].cast(DType::U32));
    check(&[floats()], |t| t[0].cast(DType::Bool));
    check(&[floats()], |t| t[0].cast(DType::I32)?.cast(DType::F32)?.add(0.5));
}

#[test]
fn halves_are_stored_and_computed_in_f32() {
    let x = HostTensor::from_vec((0..65).map(|i| i as f32 * 0.37 - 11.0).collect(), [65]).unwrap();
    check(from_ref(&x), |t| t[0].cast(DType::F16));
    check(from_ref(&x), |t| t[0].cast(DType::F16)?.cast(DType::F32));
    check(&[x.cast(DType::F16)], |t| t[0].cast(DType::F32)?.mul(3.0));
    check(&[x.cast(DType::F16)], |t| t[0].add(&t[0]));
    // An odd count of 2-byte elements, sliced at an odd offset.
    check(&[x.cast(DType::F16)], |t| t[0].slice(0, 3, 34)?.cast(DType::F32));
}

#[test]
fn integers_have_arithmetic_and_comparisons() {
    let a = HostTensor::new(&[-7i32, 0, 3, i32::MAX / 2], [4]).unwrap();
    let b = HostTensor::new(&[2i32, -5, 3, 11], [4]).unwrap();
    let both = [a, b];
    check(&both, |t| t[0].add(&t[1]));
    check(&both, |t| t[0].sub(&t[1])?.mul(2.0));
    check(&both, |t| t[0].maximum(&t[1])?.minimum(5.0));
    check(&both, |t| t[0].gt(&t[1]));
    check(&both, |t| t[0].select(&t[0].eq(&t[1])?, -1.0));
    let u = HostTensor::new(&[7u32, 0, 4_000_000_000], [3]).unwrap();
    check(from_ref(&u), |t| t[0].maximum(&t[0]));
    check(&[u], |t| t[0].gt(3.0)?.cast(DType::F32));
}

#[test]
fn integers_wrap_around_everywhere() {
    let a = HostTensor::new(&[i32::MAX, i32::MIN, 123_456_789, -7], [4]).unwrap();
    let b = HostTensor::new(&[1i32, 1, 987_654_321, i32::MAX], [4]).unwrap();
    let both = [a, b];
    check(&both, |t| t[0].add(&t[1]));
    check(&both, |t| t[0].sub(&t[1]));
    check(&both, |t| t[0].mul(&t[1]));
    let u = [
        HostTensor::new(&[u32::MAX, 0, 4_000_000_000], [3]).unwrap(),
        HostTensor::new(&[2u32, 1, 3], [3]).unwrap(),
    ];
    check(&u, |t| t[0].add(&t[1]));
    check(&u, |t| t[0].sub(&t[1]));
    check(&u, |t| t[0].mul(&t[1])?.add(&t[1]));
}

#[test]
fn comparisons_treat_nan_as_unequal_to_all() {
    let both = [floats(), floats()];
    check(&both, |t| t[0].eq(&t[1]));
    check(&both, |t| t[0].ne(&t[1]));
    check(&both, |t| t[0].le(&t[1]));
    check(&[floats()], |t| t[0].maximum(0.25));
    check(&[floats()], |t| t[0].minimum(0.25));
}

#[test]
fn views_with_offsets_and_broadcasts_read_the_right_elements() {
    let x = HostTensor::from_vec((0..60).map(|i| i as f32 / 8.0 - 3.0).collect(), [3, 4, 5]).unwrap();
    let row = HostTensor::from_vec(vec![0.5f32, 1.0, -1.0, 2.0], [4, 1]).unwrap();
    let both = [x.clone(), row.clone()];
    check(from_ref(&x), |t| t[0].slice(1, 1, 4)?.slice(2, 2, 5)?.permute(&[2, 0, 1])?.tanh());
    check(&both, |t| t[0].mul(&t[1])?.permute(&[1, 2, 0])?.add(1.0));
    check(&[row], |t| t[0].broadcast_to([3, 4, 5])?.reshape([12, 5])?.neg());
    check(&[x], |t| t[0].slice(0, 1, 1)?.exp());
}

#[test]
fn quantised_products_on_the_device() {
    // Whole numbers, so that no quotient lies near where two roundings part.
    let whole = |shape: [usize; 2], step: usize| {
        let n = shape[0] * shape[1];
        let values = (0..n).map(|i| if i % shape[1] == 0 { 127.0 } else { (i * step % 255) as f32 - 127.0 });
        HostTensor::from_vec(values.collect(), shape).unwrap()
    };
    check(&[whole([5, 30], 37), whole([33, 30], 101)], |t| {
        t[0].quantize_int8()?.matmul_transposed(&t[1].quantize_int8()?)?.relu()
    });
}

#[test]
fn every_type_is_joined() {
    let x = HostTensor::from_vec((0..35).map(|i| i as f32 * 0.37 - 6.0).collect(), [5, 7]).unwrap();
    for dtype in [DType::F32, DType::F16, DType::I32, DType::U32, DType::Bool] {
        let parts = [x.cast(dtype), x.cast(dtype)];
        // Parts at odd offsets, one as it was given, one that is computed and stored where it belongs.
        check(&parts, |t| Tensor::concat(&[&t[0].slice(1, 1, 4)?, &t[1], &t[0]], 1));
        check(&parts, |t| Tensor::concat(&[&t[0].cast(DType::I32)?.cast(dtype)?, &t[1].slice(0, 1, 2)?], 0));
    }
}
