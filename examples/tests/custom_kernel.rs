//! The example's own operation on the CPU, and on a GPU where there is one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../custom_kernel/main.rs"]
#[allow(dead_code, reason = "the program around the operation")]
mod example;

use knotwork::{DType, Device, Graph, HostTensor};

#[test]
fn the_operation_is_right_on_the_cpu() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [3]).unwrap();
    let y = example::softcap(&x, 2.0).unwrap();
    let dx = y.sum(&[0], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let mut program = Device::cpu().compile(&g, &[&y, &dx], &[]).unwrap();
    let feed = HostTensor::new(&[0.0f32, 2.0, -1e6], [3]).unwrap();
    let out = program.run([("x", feed)]).unwrap().wait().unwrap();
    let near = |got: &HostTensor, want: [f64; 3]| {
        got.to_f64().iter().zip(want).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{a}, not {b}"));
    };
    near(&out[0], [0.0, 2.0 * 1f64.tanh(), -2.0]);
    near(&out[1], [1.0, 1.0 - 1f64.tanh().powi(2), 0.0]);
    let (apart, slope) = example::check(&Device::cpu(), 2, 30.0).unwrap();
    assert!(apart == 0.0 && slope < 1e-6, "{apart} {slope}");
}

#[test]
fn a_gpu_agrees() {
    match knotwork::open_device(Some("gpu")) {
        Ok(device) => {
            let (apart, slope) = example::check(&device, 2, 30.0).unwrap();
            assert!(apart < 1e-4 && slope < 1e-6, "{apart} {slope} on {}", device.info());
        }
        Err(why) => eprintln!("there is no GPU: {why}"),
    }
}
