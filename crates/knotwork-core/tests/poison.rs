//! Memory that is recycled holds NaN until it is written, where that is asked for: what an operation leaves out shows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::sync::Arc;

use knotwork_core::{
    DType, Device, Graph, HostTensor, Tensor,
    cpu::CpuBackend,
    ops::{Custom, Reference},
};

/// Squares, but its fast form forgets the last element.
fn forgetful(x: &Tensor) -> Tensor {
    let definition = |x: &[Reference], y: &mut [Reference]| {
        y[0].data.iter_mut().zip(&x[0].data).for_each(|(y, x)| *y = x * x);
    };
    Custom::new("forgetful", definition)
        .cpu(|x, y| {
            let n = y[0].len() - 1;
            y[0][..n].iter_mut().zip(x[0]).for_each(|(y, x)| *y = x * x);
        })
        .apply_one(&[x])
        .unwrap()
}

/// What the last element of two forgetful steps is in the first and in the second run.
fn last_elements(device: &Device) -> [f32; 2] {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [100]).unwrap();
    let y = forgetful(&forgetful(&x).cumsum(0).unwrap());
    let mut program = device.compile(&g, &[&y], &[]).unwrap();
    let feed = HostTensor::from_vec(vec![1.0f32; 100], [100]).unwrap();
    [0, 1].map(|_| {
        let out = program.run([("x", &feed)]).unwrap().wait().unwrap().remove(0);
        let values = out.as_slice::<f32>().unwrap();
        assert_eq!(values[..3], [1.0, 4.0, 9.0]);
        values[99]
    })
}

#[test]
fn an_element_that_is_left_out_is_nan() {
    let device = Device::from_backend(Arc::new(CpuBackend::new().poison(true)));
    assert!(last_elements(&device).iter().all(|v| v.is_nan()));
    // Without it there is what the memory held before: a number that looks right.
    let device = Device::from_backend(Arc::new(CpuBackend::new().poison(false)));
    assert!(last_elements(&device).iter().all(|v| v.is_finite()));
    // Debug builds ask for it by themselves, release builds do not.
    assert_eq!(last_elements(&Device::cpu())[1].is_nan(), cfg!(debug_assertions));
}

#[test]
fn what_is_still_to_be_read_is_left_alone() {
    let device = Device::from_backend(Arc::new(CpuBackend::new().poison(true)));
    let g = Graph::new();
    let x = g.input("x", DType::F32, [3, 5]).unwrap();
    let w = g.parameter("w", HostTensor::from_vec(vec![0.5f32; 25], [5, 5]).unwrap()).unwrap();
    // Values that live long beside values that come and go, in place and not; halves whose memory ends within a word.
    let a = x.matmul(&w).unwrap().softmax(-1).unwrap();
    let b = a
        .cumsum(1)
        .unwrap()
        .cast(DType::F16)
        .unwrap()
        .pad(1, 1, 0)
        .unwrap()
        .slice(1, 1, 6)
        .unwrap()
        .cast(DType::F32)
        .unwrap();
    let y = b.matmul(&w).unwrap().exp().unwrap().add(&a).unwrap();
    let loss = y.square().unwrap().mean(&[0, 1], false).unwrap();
    let dw = loss.grad(&[&w]).unwrap().remove(0);
    let step = g.assign(&w, &w.sub(&dw).unwrap()).unwrap();
    let feed = HostTensor::from_vec((0..15).map(|i| i as f32 / 10.0).collect(), [3, 5]).unwrap();
    let run = |device: &Device| {
        let mut program = device.compile(&g, &[&y, &loss, &a], &[&step]).unwrap();
        let outs: Vec<_> =
            (0..3).flat_map(|_| program.run([("x", &feed)]).unwrap().wait().unwrap()).collect();
        (outs, program.params().get("w").unwrap())
    };
    let plain = run(&Device::from_backend(Arc::new(CpuBackend::new().poison(false))));
    let poisoned = run(&device);
    assert_eq!(plain.1.to_f64(), poisoned.1.to_f64());
    assert!(plain.0.iter().zip(&poisoned.0).all(|(a, b)| a.to_f64() == b.to_f64()));
    assert!(plain.1.to_f64().iter().all(|v| v.is_finite()));
}
