//! Sparse products on a GPU: broken patterns stay inside and are counted, and long sums are whole.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Graph, HostTensor, Tensor, plan::PlanOptions};
use knotwork_gpu::{Options, Profile, open};

fn devices() -> Vec<Device> {
    let open = |profile| {
        open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
    };
    vec![open(Profile::Checked), open(Profile::Trusted)]
}

/// The three products of a pattern that the device computes, with three block rows and three block columns of 4 x 4 for
/// blocks, else of single elements.
fn products(g: &Graph, blocks: bool, dtype: DType) -> [(Tensor, [&'static str; 2]); 3] {
    let side = if blocks { 4 } else { 1 };
    let p = g.input("p", DType::F32, [4]).unwrap().cast(dtype).unwrap();
    let i = g.input("i", DType::F32, [5]).unwrap().cast(dtype).unwrap();
    let dense = |name: &str| g.input(name, DType::F32, [3 * side, 4]).unwrap();
    let (a, b) = (dense("a"), dense("b"));
    let bt = b.transpose(0, 1).unwrap();
    if blocks {
        let v = g.input("v", DType::F32, [5, 4, 4]).unwrap();
        [
            (v.spmm_bsr(&p, &i, &b).unwrap(), ["v", "b"]),
            (v.spmm_bsr_transposed(&p, &i, &a, 12).unwrap(), ["v", "a"]),
            (a.sddmm_bsr(&p, &i, &bt, 4).unwrap(), ["a", "b"]),
        ]
    } else {
        let v = g.input("v", DType::F32, [5]).unwrap();
        [
            (v.spmm_csr(&p, &i, &b).unwrap(), ["v", "b"]),
            (v.spmm_csr_transposed(&p, &i, &a, 3).unwrap(), ["v", "a"]),
            (a.sddmm_csr(&p, &i, &bt).unwrap(), ["a", "b"]),
        ]
    }
}

#[test]
fn broken_patterns_are_clamped_and_counted() {
    let patterns: [([f32; 4], [f32; 5], bool); 6] = [
        ([0.0, 2.0, 2.0, 5.0], [2.0, 0.0, 0.0, 1.0, 2.0], false),
        ([0.0, 2.0, 2.0, 5.0], [2.0, 3.0, 0.0, 1e6, 2.0], true),
        ([1.0, 2.0, 2.0, 5.0], [2.0, 0.0, 0.0, 1.0, 2.0], true),
        ([0.0, 4.0, 2.0, 5.0], [2.0, 0.0, 0.0, 1.0, 2.0], true),
        ([0.0, 2.0, 2.0, 4.0], [2.0, 0.0, 0.0, 1.0, 2.0], true),
        ([0.0, 2e6, 3e6, 1e9], [2.0, 0.0, 0.0, 1.0, 2.0], true),
    ];
    let devices = devices();
    for (blocks, dtype) in [(false, DType::I32), (true, DType::I32), (false, DType::U32)] {
        let g = Graph::new();
        let area = if blocks { 16 } else { 1 };
        for (y, used) in products(&g, blocks, dtype) {
            for (device, variant) in devices.iter().flat_map(|d| (0..4).map(move |variant| (d, variant))) {
                let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
                let mut program = device.compile(&g, &[&y], &[]).unwrap().with_options(options);
                for (indptr, indices, broken) in &patterns {
                    let side = if blocks { 4 } else { 1 };
                    let all = [
                        ("p", HostTensor::new(indptr, [4]).unwrap()),
                        ("i", HostTensor::new(indices, [5]).unwrap()),
                        (
                            "v",
                            HostTensor::zeros(
                                DType::F32,
                                if blocks { vec![5, 4, 4] } else { vec![area * 5] },
                            ),
                        ),
                        ("a", HostTensor::zeros(DType::F32, [3 * side, 4])),
                        ("b", HostTensor::zeros(DType::F32, [3 * side, 4])),
                    ];
                    let feeds = all.iter().filter(|(n, _)| "pi".contains(n) || used.contains(n));
                    let result = program.run(feeds.map(|(n, t)| (*n, t))).unwrap().wait();
                    assert_eq!(result.is_err(), *broken, "{indptr:?} {indices:?} {result:?}");
                    if indices[3] > 3.0 {
                        let error = result.unwrap_err().to_string();
                        assert!(error.contains("2 indices out of range 0..3"), "{error}");
                    }
                }
            }
        }
    }
}

#[test]
fn long_sums_are_whole() {
    // More turns than a driver grants one loop, were there one thread for a sum.
    let (nnz, rows, k, n) = (100_000usize, 3usize, 300usize, 4usize);
    let g = Graph::new();
    let p = g.input("p", DType::I32, [rows + 1]).unwrap();
    let i = g.input("i", DType::I32, [nnz]).unwrap();
    let v = g.input("v", DType::F32, [nnz]).unwrap();
    let a = g.input("a", DType::F32, [rows, n]).unwrap();
    let b = g.input("b", DType::F32, [k, n]).unwrap();
    let y = v.spmm_csr(&p, &i, &b).unwrap();
    let z = v.spmm_csr_transposed(&p, &i, &a, k).unwrap();
    let wave = |count: usize| (0..count).map(|j| 0.5 + (j % 97) as f32 / 97.0).collect::<Vec<_>>();
    let feeds = [
        ("p", HostTensor::new(&[0i32, 10, nnz as i32, nnz as i32], [4]).unwrap()),
        (
            "i",
            HostTensor::from_vec(
                (0..nnz).map(|j| if j % 9 == 0 { j % k } else { 7 } as i32).collect(),
                [nnz],
            )
            .unwrap(),
        ),
        ("v", HostTensor::from_vec(wave(nnz), [nnz]).unwrap()),
        ("a", HostTensor::from_vec(wave(rows * n), [rows, n]).unwrap()),
        ("b", HostTensor::from_vec(wave(k * n), [k, n]).unwrap()),
    ];
    let run = |device: &Device| {
        let mut program = device.compile(&g, &[&y, &z], &[]).unwrap();
        let out = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
        out.iter().flat_map(HostTensor::to_f64).collect::<Vec<_>>()
    };
    let want = run(&Device::cpu());
    for device in devices() {
        for (a, b) in run(&device).iter().zip(&want) {
            assert!((a - b).abs() <= 2e-6 * b.abs().max(1.0), "{a}, not {b} on {}", device.info());
        }
    }
}
