//! Products, reductions and losses where a driver or a counter could end a sum early.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Graph, HostTensor, Tensor, plan::PlanOptions};
use knotwork_gpu::{Options, Profile, open};

fn devices() -> Vec<Device> {
    let open = |profile| {
        open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
    };
    vec![open(Profile::Checked), open(Profile::Trusted)]
}

/// Values between −1 and 1, the same in each run.
fn values(n: usize, mut seed: u32) -> Vec<f32> {
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// The output of every variant in both profiles, with a text that says which.
fn each_variant(g: &Graph, y: &Tensor, feeds: &[(&str, &HostTensor)], check: impl Fn(&[f64], &str)) {
    for device in devices() {
        for variant in 0..3 {
            let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
            let mut program = device.compile(g, &[y], &[]).unwrap().with_options(options);
            let got = program.run(feeds.iter().copied()).unwrap().wait().unwrap().remove(0);
            check(&got.to_f64(), &format!("variant {variant} on {}", device.info()));
        }
    }
}

#[test]
fn long_products_are_whole() {
    for (m, k, n) in [(2, 50_000, 3), (40, 20_000, 40), (3, 300_000, 2), (34, 100_000, 35)] {
        let g = Graph::new();
        let a = g.input("a", DType::F32, [m, k]).unwrap();
        let b = g.input("b", DType::F32, [k, n]).unwrap();
        let y = a.matmul(&b).unwrap();
        let (x, w) = (values(m * k, 1), values(k * n, 2));
        let feeds =
            [("a", &HostTensor::new(&x, [m, k]).unwrap()), ("b", &HostTensor::new(&w, [k, n]).unwrap())];
        let pairs = |i: usize, j: usize| (0..k).map(move |q| (i * k + q, q * n + j));
        each_variant(&g, &y, &feeds, |got, name| {
            for (at, &got) in got.iter().enumerate() {
                let (mut want, mut size) = (0.0, 0.0);
                for (p, q) in pairs(at / n, at % n) {
                    let product = f64::from(x[p]) * f64::from(w[q]);
                    want += product;
                    size += product.abs();
                }
                // Rounding alone stays far below this; 16 products left out are above it.
                let bound = f64::from(f32::EPSILON) * size * 16.0;
                assert!((got - want).abs() <= bound, "[{m}, {k}, {n}] {at}: {got}, not {want}: {name}");
            }
        });
    }
}

#[test]
fn wide_rows_of_softmax_and_cross_entropy_are_whole() {
    for classes in [33, 4096, 40_000, 70_000] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [2, classes]).unwrap();
        let t = g.input("t", DType::I32, [2]).unwrap();
        let loss = x.cross_entropy_with(&t, 0.1).unwrap();
        let soft = x.softmax(1).unwrap();
        let logits: Vec<f32> = values(2 * classes, 3).iter().map(|v| 4.0 * v).collect();
        let target = [1, classes as i32 - 1];
        let (xs, ts) =
            (HostTensor::new(&logits, [2, classes]).unwrap(), HostTensor::new(&target, [2]).unwrap());
        let mut want = 0.0;
        let mut shares = Vec::new();
        for (row, &class) in logits.chunks(classes).zip(&target) {
            let log_sum = row.iter().map(|&v| f64::from(v).exp()).sum::<f64>().ln();
            let mean = row.iter().map(|&v| log_sum - f64::from(v)).sum::<f64>() / classes as f64;
            want += (0.9 * (log_sum - f64::from(row[class as usize])) + 0.1 * mean) / 2.0;
            shares.extend(row.iter().map(|&v| (f64::from(v) - log_sum).exp()));
        }
        each_variant(&g, &loss, &[("x", &xs), ("t", &ts)], |got, name| {
            assert!((got[0] - want).abs() < 5e-6 * want, "{classes}: {} not {want}: {name}", got[0]);
        });
        each_variant(&g, &soft, &[("x", &xs)], |got, name| {
            for (at, (a, b)) in got.iter().zip(&shares).enumerate() {
                assert!((a - b).abs() <= 5e-6 * b, "{classes} {at}: {a} not {b}: {name}");
            }
        });
    }
}

#[test]
fn computed_classes_outside_are_clamped_and_counted_once() {
    for classes in [3, 100] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [3, classes]).unwrap();
        let t = g.input("t", DType::F32, [3]).unwrap();
        let loss = x.cross_entropy(&t.cast(DType::I32).unwrap()).unwrap();
        let xs = HostTensor::zeros(DType::F32, [3, classes]);
        let ts = HostTensor::new(&[0.0f32, -1.0, 1e6], [3]).unwrap();
        for device in devices() {
            for variant in 0..2 {
                let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
                let mut program = device.compile(&g, &[&loss], &[]).unwrap().with_options(options);
                let error = program.run([("x", &xs), ("t", &ts)]).unwrap().wait().unwrap_err().to_string();
                assert!(error.contains(&format!("2 indices out of range 0..{classes}")), "{error}");
            }
        }
    }
}

#[test]
fn sums_of_columns_and_of_integers_are_whole() {
    for (outer, n, columns) in [(1, 33, 16), (1, 10_000, 33), (3, 257, 40), (1, 100_000, 17), (2, 4097, 64)] {
        let g = Graph::new();
        let shape = [outer, n, columns];
        let x = g.input("x", DType::F32, shape).unwrap();
        let i = g.input("i", DType::I32, shape).unwrap();
        let (sum, max) = (x.sum(&[1], false).unwrap(), x.max(&[1], false).unwrap());
        let (mean, whole) = (x.mean(&[1], false).unwrap(), i.sum(&[1], false).unwrap());
        let floats = values(outer * n * columns, 4);
        let integers: Vec<i32> = floats.iter().map(|v| (v * 2e9) as i32).collect();
        let (fs, is) = (HostTensor::new(&floats, shape).unwrap(), HostTensor::new(&integers, shape).unwrap());
        let column = |at: usize| {
            let base = at / columns * n * columns + at % columns;
            (0..n).map(move |k| base + k * columns)
        };
        let near = |got: f64, want: f64, size: f64, name: &str| {
            let bound = f64::from(f32::EPSILON) * size * 4.0;
            assert!((got - want).abs() <= bound, "{shape:?}: {got}, not {want}: {name}");
        };
        each_variant(&g, &sum, &[("x", &fs)], |got, name| {
            for (at, &got) in got.iter().enumerate() {
                let size: f64 = column(at).map(|k| f64::from(floats[k]).abs()).sum();
                near(got, column(at).map(|k| f64::from(floats[k])).sum(), size, name);
            }
        });
        each_variant(&g, &mean, &[("x", &fs)], |got, name| {
            for (at, &got) in got.iter().enumerate() {
                near(got, column(at).map(|k| f64::from(floats[k])).sum::<f64>() / n as f64, 1.0, name);
            }
        });
        each_variant(&g, &max, &[("x", &fs)], |got, name| {
            for (at, &got) in got.iter().enumerate() {
                let want = column(at).fold(f32::NEG_INFINITY, |m, k| m.max(floats[k]));
                assert_eq!(got, f64::from(want), "{shape:?}: {name}");
            }
        });
        each_variant(&g, &whole, &[("i", &is)], |got, name| {
            for (at, &got) in got.iter().enumerate() {
                let want = column(at).fold(0i32, |s, k| s.wrapping_add(integers[k]));
                assert_eq!(got, f64::from(want), "{shape:?}: {name}");
            }
        });
    }
}
