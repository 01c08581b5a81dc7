//! What the operations' own tests share. The harness of `kernels-test` goes further; these are literals to read.

use crate::{DType, Device, Graph, HostTensor, Tensor, cpu::evaluate};

/// Feeds by name.
pub(super) type Feeds<'a> = [(&'a str, HostTensor)];

/// f32 elements.
pub(super) fn host(values: &[f64], shape: &[usize]) -> HostTensor {
    HostTensor::from_f64(DType::F32, values, shape)
}

/// f64 elements without a pattern that a sum could cancel.
pub(super) fn wave(shape: &[usize], phase: f64) -> HostTensor {
    let n = shape.iter().product::<usize>();
    let values: Vec<f64> = (0..n).map(|i| (phase + 1.7 * i as f64).sin()).collect();
    HostTensor::from_f64(DType::F64, &values, shape)
}

/// What the CPU backend gives, after a check that the oracle gives it too.
pub(super) fn both(g: &Graph, outputs: &[&Tensor], feeds: &Feeds<'_>) -> Vec<Vec<f64>> {
    let want = evaluate(g, outputs, &feeds.iter().cloned().collect()).unwrap();
    let mut program = Device::cpu().compile(g, outputs, &[]).unwrap();
    let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
    for (got, want) in got.iter().zip(&want) {
        assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()));
        let room = if got.dtype() == DType::F64 { 1e-13 } else { 2e-6 };
        for (a, b) in got.to_f64().into_iter().zip(want.to_f64()) {
            assert!(
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= room * b.abs().max(1.0),
                "{a}, oracle {b}"
            );
        }
    }
    got.iter().map(HostTensor::to_f64).collect()
}

/// Central differences in f64 against the gradient of the scalar `y` to each input.
pub(super) fn check_gradients(g: &Graph, y: &Tensor, inputs: &[(&Tensor, &str)], feeds: &Feeds<'_>) {
    const STEP: f64 = 1e-5;
    let tensors: Vec<&Tensor> = inputs.iter().map(|(t, _)| *t).collect();
    let gradients = y.grad(&tensors).unwrap();
    let analytic =
        evaluate(g, &gradients.iter().collect::<Vec<_>>(), &feeds.iter().cloned().collect()).unwrap();
    for ((_, name), gradient) in inputs.iter().zip(analytic) {
        let gradient = gradient.to_f64();
        let largest = gradient.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        for (i, slope) in gradient.iter().enumerate() {
            let at = |step: f64| {
                let moved = feeds.iter().map(|(n, t)| {
                    let mut values = t.to_f64();
                    if n == name {
                        values[i] += step;
                    }
                    (*n, HostTensor::from_f64(t.dtype(), &values, t.shape()))
                });
                evaluate(g, &[y], &moved.collect()).unwrap()[0].to_f64()[0]
            };
            let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            assert!(
                (slope - difference).abs() <= 1e-6 * largest,
                "{name}[{i}]: {slope}, differences {difference}"
            );
        }
    }
}
