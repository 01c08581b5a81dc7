//! Rows by index on a GPU: indices that the device computes, and sums of many rows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Graph, HostTensor, Tensor, plan::PlanOptions};
use knotwork_gpu::{Options, Profile, open};

fn devices() -> Vec<Device> {
    let open = |profile| {
        open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
    };
    vec![open(Profile::Checked), open(Profile::Trusted)]
}

#[test]
fn indices_outside_are_clamped_and_counted_once() {
    for unsigned in [false, true] {
        let g = Graph::new();
        let dtype = if unsigned { DType::U32 } else { DType::I32 };
        let index = g.input("i", DType::F32, [4]).unwrap().cast(dtype).unwrap();
        let x = g.input("x", DType::F32, [4, 70]).unwrap();
        let (gathered, added) = (x.gather_rows(&index).unwrap(), x.scatter_add_rows(&index, 4).unwrap());
        let xs = HostTensor::zeros(DType::F32, [4, 70]);
        let is = HostTensor::new(&[0.0f32, if unsigned { 4.0 } else { -1.0 }, 3.0, 1e6], [4]).unwrap();
        for device in devices() {
            for y in [&gathered, &added] {
                for variant in 0..2 {
                    let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
                    let mut program = device.compile(&g, &[y], &[]).unwrap().with_options(options);
                    let error =
                        program.run([("x", &xs), ("i", &is)]).unwrap().wait().unwrap_err().to_string();
                    assert!(error.contains("2 indices out of range 0..4"), "{error}");
                }
            }
        }
    }
}

/// The sums of [n, columns] by index on each device against the CPU.
fn compare(n: usize, columns: usize, rows: usize, index: impl Fn(usize) -> usize) {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [n, columns]).unwrap();
    let i = g.input("i", DType::I32, [n]).unwrap();
    let y: Tensor = x.scatter_add_rows(&i, rows).unwrap();
    let values = (0..n * columns).map(|k| 0.5 + (k % 97) as f32 / 97.0).collect();
    let xs = HostTensor::from_vec(values, [n, columns]).unwrap();
    let is = HostTensor::from_vec((0..n).map(|k| index(k) as i32).collect(), [n]).unwrap();
    let run = |device: &Device| {
        let mut program = device.compile(&g, &[&y], &[]).unwrap();
        program.run([("x", &xs), ("i", &is)]).unwrap().wait().unwrap().remove(0).to_f64()
    };
    let want = run(&Device::cpu());
    for device in devices() {
        for (a, b) in run(&device).iter().zip(&want) {
            assert!(
                (a - b).abs() <= 2e-6 * b.abs().max(1.0),
                "{a}, not {b}, {n} to {rows} on {}",
                device.info()
            );
        }
    }
}

#[test]
fn long_sums_by_index_are_whole() {
    // One row that nearly all share, beside others; more turns than a driver grants one loop.
    compare(100_000, 2, 500, |k| if k % 50 == 7 { k * 31 % 500 } else { 3 });
    // Three digits, most rows empty.
    compare(20_000, 1, 100_000, |k| k * 7919 % 100_000);
    // In descending order already.
    compare(40_000, 3, 40_000, |k| 39_999 - k);
}
