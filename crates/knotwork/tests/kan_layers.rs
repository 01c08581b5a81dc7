//! Layers of learned functions on every backend that this build has: values and gradients alike, and a way to a file and back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod common;

use knotwork::{
    nn::{
        Generator,
        layers::{GrKan, KanAttention, KanConv1d, KanConv2d, KanQkvAttention},
    },
    ops::{Attention, Basis, RationalForm},
    prelude::*,
};

use common::devices;

/// y and the gradients to x and all parameters, on every device, near those of the CPU.
fn check(shape: &[usize], build: impl Fn(&Graph, &Tensor) -> Result<Tensor, knotwork::nn::Error>) {
    let g = Graph::new();
    let given = Generator::new(2).uniform(shape, -1.2, 1.2).unwrap();
    let x = g.parameter("x", given).unwrap();
    let y = build(&g, &x).unwrap();
    let weights = Generator::new(3).normal(&y.shape().fixed().unwrap(), 0.0, 1.0).unwrap();
    let all: Vec<isize> = (0..y.rank() as isize).collect();
    let loss = y.mul(g.tensor(weights).unwrap()).unwrap().sum(&all, false).unwrap();
    let parameters = g.parameters();
    let d = loss.grad(&parameters.iter().collect::<Vec<_>>()).unwrap();
    let outputs: Vec<&Tensor> = std::iter::once(&y).chain(&d).collect();
    let mut want: Option<Vec<Vec<f64>>> = None;
    for device in devices() {
        let mut program = device.compile(&g, &outputs, &[]).unwrap();
        let feeds: [(&str, HostTensor); 0] = [];
        let got: Vec<Vec<f64>> =
            program.run(feeds).unwrap().wait().unwrap().iter().map(HostTensor::to_f64).collect();
        let want = want.get_or_insert_with(|| got.clone());
        for (k, (got, want)) in got.iter().zip(&*want).enumerate() {
            let largest = want.iter().fold(1.0f64, |m, v| m.max(v.abs()));
            assert!(want.iter().any(|v| *v != 0.0), "output {k} is 0 throughout");
            for (a, b) in got.iter().zip(want) {
                assert!((a - b).abs() <= 3e-5 * largest, "output {k}: {a}, not {b}, on {}", device.info());
            }
        }
    }
}

#[test]
fn convolutions() {
    check(&[2, 4, 5, 6], |g, x| {
        let conv = KanConv2d::new(g, "c", 4, 6, [2, 3]).stride([2, 1]).padding(1).groups(2).bias(true);
        conv.spline_scale(0.7).build()?.forward(x)
    });
    check(&[2, 3, 9], |g, x| {
        let conv = KanConv1d::new(g, "c", 3, 4, 3).stride(2).padding(2).dilation(2);
        conv.basis(Basis::chebyshev(4)?).spline_scale(0.7).build()?.forward(x)
    });
}

#[test]
fn rational_layers() {
    for form in [RationalForm::A, RationalForm::B] {
        check(&[5, 16], |g, x| {
            let up = GrKan::new(g, "up", 16, 8).rational(|r| r.form(form).like("tanh")).build()?;
            let down =
                GrKan::new(g, "down", 8, 4).rational(|r| r.form(form).groups(2).like("gelu")).build()?;
            down.forward(&up.forward(x)?)
        });
    }
}

#[test]
fn attention() {
    for shared in [false, true] {
        check(&[2, 5, 6], |g, x| {
            KanAttention::new(g, "a", 5, 6, 2).rank(3).shared_heads(shared).build()?.forward(x)
        });
    }
    check(&[2, 5, 8], |g, x| {
        let layer = KanQkvAttention::new(g, "a", 8, 2).kan(|k| k.spline_scale(0.7));
        layer.build()?.forward(x, &Attention::new())
    });
}
