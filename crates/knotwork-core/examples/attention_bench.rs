//! Medians of products and attention on the CPU, in milliseconds, as one line of JSON:
//! `cargo run --release -p knotwork-core --example attention_bench [repetitions]`.

use std::time::Instant;

use knotwork_core::{
    Device, Graph, HostTensor, Result, Tensor,
    ops::{Attention, Mask},
};

/// Numbers in [−1, 1) from a small generator.
fn numbers(shape: &[usize], seed: u64) -> Result<HostTensor> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    HostTensor::from_vec((0..shape.iter().product::<usize>()).map(next).collect(), shape)
}

/// The median time of one run in milliseconds, after one that does not count. What a run costs with nothing to do, and
/// copying results out, is part of it.
fn median(g: &Graph, outputs: &[&Tensor], repetitions: usize) -> Result<f64> {
    let mut program = Device::cpu().compile(g, outputs, &[])?;
    program.run::<HostTensor>([])?.wait()?;
    let mut times = Vec::new();
    for _ in 0..repetitions {
        let start = Instant::now();
        program.run::<HostTensor>([])?.wait()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// A name, the shapes of both operands, and which are stored turned.
type Product<'a> = (&'a str, &'a [usize], &'a [usize], [bool; 2]);

/// A product, either operand perhaps stored with its last dimensions exchanged.
fn matmul(a: &[usize], b: &[usize], turned: [bool; 2], repetitions: usize) -> Result<f64> {
    let g = Graph::new();
    let operand = |name: &str, shape: &[usize], turned: bool| {
        let mut stored = shape.to_vec();
        if turned {
            let n = stored.len();
            stored.swap(n - 2, n - 1);
        }
        let t = g.state(name, "bench", numbers(&stored, 1)?)?;
        if turned { t.transpose(-2, -1) } else { Ok(t) }
    };
    let y = operand("a", a, turned[0])?.matmul(&operand("b", b, turned[1])?)?;
    median(&g, &[&y], repetitions)
}

/// Forward alone, and forward with the gradients to queries, keys and values.
fn attention([b, h, l, d]: [usize; 4], mask: &Mask, repetitions: usize) -> Result<[f64; 2]> {
    let g = Graph::new();
    let make = |name: &str, seed| g.state(name, "bench", numbers(&[b, h, l, d], seed)?);
    let (q, k, v, dy) = (make("q", 1)?, make("k", 2)?, make("v", 3)?, make("dy", 4)?);
    let y = q.attention(&k, &v, &Attention::new().mask(mask.clone()))?;
    let gradients = g.vjp(&[(&y, &dy)], &[&q, &k, &v])?;
    let mut all = vec![&y];
    all.extend(&gradients);
    Ok([median(&g, &[&y], repetitions)?, median(&g, &all, repetitions)?])
}

fn main() -> Result<()> {
    let repetitions = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(7usize).max(1);
    let mut found: Vec<(String, f64)> = Vec::new();
    let products: [Product<'_>; 8] = [
        ("matmul_1024", &[1024, 1024], &[1024, 1024], [false, false]),
        ("matmul_1024_tn", &[1024, 1024], &[1024, 1024], [true, false]),
        ("matmul_1024_nt", &[1024, 1024], &[1024, 1024], [false, true]),
        ("matmul_1024_tt", &[1024, 1024], &[1024, 1024], [true, true]),
        ("matmul_1x1024x1024", &[1, 1024], &[1024, 1024], [false, false]),
        ("matmul_1x1024x1024_nt", &[1, 1024], &[1024, 1024], [false, true]),
        ("matmul_32x1024x1024", &[32, 1024], &[1024, 1024], [false, false]),
        ("matmul_64x128x64x128", &[64, 128, 64], &[64, 64, 128], [false, false]),
    ];
    for (name, a, b, turned) in products {
        found.push((name.into(), matmul(a, b, turned, 3 * repetitions)?));
    }
    let masks = [
        ("causal_window_256", Mask::causal() & Mask::window(256, 0)),
        ("causal", Mask::causal()),
        ("full", Mask::full()),
    ];
    for (name, mask) in masks {
        let [forward, both] = attention([1, 8, 2048, 64], &mask, repetitions)?;
        found.push((format!("attention_{name}_forward"), forward));
        found.push((format!("attention_{name}_forward_backward"), both));
    }
    let all: Vec<String> = found.iter().map(|(name, ms)| format!("\"{name}\": {ms:.3}")).collect();
    println!("{{{}}}", all.join(", "));
    Ok(())
}
