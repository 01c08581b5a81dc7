//! An operation from its parts on a GPU: several outputs, sizes that depend on shapes, workgroups by rows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Dim, Graph, HostTensor, graph::Meta, ops::Custom};
use knotwork_gpu::{Options, Profile, open};

const HAAR: &str = "#import shared/grid
struct Params { count: u32, rows: u32, n: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> low: array<f32>;
@group(0) @binding(3) var<storage, read_write> high: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let row = linear_group(wid, groups);
    if row >= params.rows { return; }
    let half = params.n / 2u;
    for (var i = local; i < half; i += 64u) {
        let a = x[row * params.n + 2u * i];
        let b = x[row * params.n + 2u * i + 1u];
        low[row * half + i] = params.scale * (a + b);
        high[row * half + i] = params.scale * (a - b);
    }
}
";

/// One step of the Haar wavelet: sums and differences of neighbours in each row.
fn haar() -> Custom {
    Custom::new("haar", |x, y| {
        for k in 0..y[0].data.len() {
            let (a, b) = (x[0].data[2 * k], x[0].data[2 * k + 1]);
            y[0].data[k] = f64::from(std::f32::consts::FRAC_1_SQRT_2) * (a + b);
            y[1].data[k] = f64::from(std::f32::consts::FRAC_1_SQRT_2) * (a - b);
        }
    })
    .shapes(|inputs| {
        let [rows, n] = inputs[0].shape.dims() else { return Err("x must be [rows, n]".into()) };
        let half = n.divide(&2.into()).ok_or_else(|| format!("n is {n}; it must be even"))?;
        Ok(vec![Meta::new(inputs[0].dtype, vec![rows.clone(), half]); 2])
    })
    .wgsl(HAAR)
    .number("scale", std::f32::consts::FRAC_1_SQRT_2)
    .sizes(|inputs, _| inputs[0].to_vec())
    .workgroups(|inputs, _| inputs[0][0])
}

#[test]
fn a_wavelet_step_agrees_with_its_definition() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("rows"), 150.into()]).unwrap();
    // A view that is not contiguous is copied before the kernel reads it.
    let y = haar().apply(&[&x.slice(1, 3, 147).unwrap()]).unwrap();
    let mut devices = vec![Device::cpu()];
    for profile in [Profile::Checked, Profile::Trusted] {
        devices.push(
            open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`"),
        );
    }
    for rows in [1, 70] {
        let values = (0..rows * 150).map(|i| (i as f32 * 0.37).sin()).collect();
        let x = HostTensor::from_vec(values, [rows, 150]).unwrap();
        let runs: Vec<Vec<HostTensor>> = devices
            .iter()
            .map(|d| d.compile(&g, &[&y[0], &y[1]], &[]).unwrap().run([("x", &x)]).unwrap().wait().unwrap())
            .collect();
        for (run, device) in runs.iter().zip(&devices) {
            for (got, want) in run.iter().zip(&runs[0]) {
                assert_eq!(got.shape(), [rows, 72]);
                let near = |(a, b): (f64, f64)| (a - b).abs() < 1e-6;
                assert!(got.to_f64().into_iter().zip(want.to_f64()).all(near), "{}", device.info());
            }
        }
    }
}
