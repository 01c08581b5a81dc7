//! Attention on a GPU over views that no kernel before it has made contiguous.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Device, Graph, HostTensor, Tensor,
    cpu::evaluate,
    ops::{Attention, Mask, Normalizer},
    plan::PlanOptions,
};
use knotwork_gpu::{Options, Profile, open};

const B: usize = 2;
const L: usize = 7;
const H: usize = 2;
const D: usize = 11;

fn devices() -> Vec<Device> {
    let open = |profile| {
        open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
    };
    vec![open(Profile::Checked), open(Profile::Trusted)]
}

fn input(g: &Graph, name: &str, shape: &[usize]) -> Tensor {
    g.input(name, DType::F32, shape.to_vec()).unwrap()
}

/// Elements of an input, without a pattern that a sum could cancel.
fn wave(shape: &[usize], phase: f32) -> HostTensor {
    let values = (0..shape.iter().product::<usize>()).map(|i| (phase + 1.7 * i as f32).sin()).collect();
    HostTensor::from_vec(values, shape.to_vec()).unwrap()
}

/// The output and the gradients on each device, fused and not, against the oracle. All inputs feed all outputs.
fn compare(g: &Graph, [q, k, v, dy]: [&Tensor; 4], inputs: &[(&str, &[usize])]) {
    let feeds: Vec<(&str, HostTensor)> =
        inputs.iter().enumerate().map(|(i, (name, shape))| (*name, wave(shape, i as f32))).collect();
    for options in [
        Attention::new().mask(Mask::causal()),
        Attention::new().normalizer(Normalizer::Entmax15).softcap(2.0).top_k(5),
    ] {
        let y = q.attention(k, v, &options).unwrap();
        let gradients = g.vjp(&[(&y, dy)], &[q, k, v]).unwrap();
        let outputs = [&y, &gradients[0], &gradients[1], &gradients[2]];
        let want = evaluate(g, &outputs, &feeds.iter().cloned().collect()).unwrap();
        for device in devices() {
            // Both variants of the forward kernel.
            for variant in 0..2 {
                let choice = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
                let mut program = device.compile(g, &outputs, &[]).unwrap().with_options(choice);
                let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
                for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                    for (a, b) in got.to_f64().iter().zip(want.to_f64()) {
                        assert!((a - b).abs() <= 2e-5, "output {i}: {a}, not {b} on {}", device.info());
                    }
                }
            }
        }
    }
}

#[test]
fn slices_of_packed_rows() {
    let g = Graph::new();
    let (all, dy) = (input(&g, "packed", &[B, L, 3 * H * D]), input(&g, "dy", &[B, L, H * D]));
    let heads = |t: &Tensor| t.reshape([B, L, H, D]).unwrap().permute(&[0, 2, 1, 3]).unwrap();
    let [q, k, v] = [0, 1, 2].map(|i| heads(&all.slice(-1, i * H * D, (i + 1) * H * D).unwrap()));
    let inputs: [(&str, &[usize]); 2] = [("packed", &[B, L, 3 * H * D]), ("dy", &[B, L, H * D])];
    compare(&g, [&q, &k, &v, &heads(&dy)], &inputs);
}

#[test]
fn shared_heads_and_elements_apart() {
    let g = Graph::new();
    let q = input(&g, "q", &[B, H, 1, D]).broadcast_to([B, H, L, D]).unwrap();
    let k = input(&g, "k", &[B, H, D, L]).transpose(2, 3).unwrap();
    let v = input(&g, "v", &[B, 1, L, D]).broadcast_to([B, H, L, D]).unwrap();
    let dy = input(&g, "dy", &[D, B, L, H]).permute(&[1, 3, 2, 0]).unwrap();
    let inputs: [(&str, &[usize]); 4] =
        [("q", &[B, H, 1, D]), ("k", &[B, H, D, L]), ("v", &[B, 1, L, D]), ("dy", &[D, B, L, H])];
    compare(&g, [&q, &k, &v, &dy], &inputs);
}
