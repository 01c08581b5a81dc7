//! Attention on a GPU, medians of interleaved runs: what a mask saves, and what each kernel variant takes.
//!
//!     cargo run --release -p knotwork --example masked_attention -- [L] [D] [rounds] [softmax | sparsemax | entmax15]

use std::time::Instant;

use knotwork::{
    Result,
    ops::{Attention, Mask, Normalizer},
    plan::PlanOptions,
    prelude::*,
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

/// A program of attention, or of its gradients too, in the n-th variant; and that variant's name.
fn program(
    device: &Device,
    [l, d]: [usize; 2],
    normalizer: Normalizer,
    mask: Mask,
    back: bool,
    n: usize,
) -> Result<(String, Program)> {
    let g = Graph::new();
    let t = |name, seed| g.state(name, "bench", numbers(&[1, 1, l, d], seed)?);
    let (q, k, v) = (t("q", 1)?, t("k", 2)?, t("v", 3)?);
    let y = q.attention(&k, &v, &Attention::new().normalizer(normalizer).mask(mask))?;
    // Sums keep what is read back small.
    let small = |t: &Tensor| t.sum(&[0, 1, 2, 3], false);
    let mut outputs = vec![small(&y)?];
    if back {
        for gradient in outputs[0].grad(&[&q, &k, &v])? {
            outputs.push(small(&gradient)?);
        }
    }
    let options = PlanOptions { variant: Some(n), ..PlanOptions::default() };
    let mut program = device.compile(&g, &outputs.iter().collect::<Vec<_>>(), &[])?.with_options(options);
    let plan = program.plan(&[].into())?;
    let step = plan.steps.iter().find(|s| s.op.name().starts_with("attention"));
    Ok((step.map_or_else(String::new, |s| s.variant.to_owned()), program))
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter_map(|a| a.parse::<usize>().ok());
    let l = arguments.next().unwrap_or(4096);
    let d = arguments.next().unwrap_or(16);
    let rounds = arguments.next().unwrap_or(5);
    let normalizer = match std::env::args().nth(4).as_deref() {
        Some("sparsemax") => Normalizer::Sparsemax,
        Some("entmax15") => Normalizer::Entmax15,
        _ => Normalizer::Softmax,
    };
    let device = knotwork::open_device(Some("gpu"))?;
    println!(
        "{}: {normalizer:?}, one head, L = {l}, D = {d}, medians of {rounds} rounds in turn",
        device.info()
    );
    let masks = [
        ("no mask", Mask::full()),
        ("causal", Mask::causal()),
        ("window 256", Mask::window(255, 0)),
        ("sink and window", (Mask::window(255, 0) | Mask::prefix(4)) & Mask::causal()),
    ];
    for back in [false, true] {
        let mut all: Vec<(String, Program, Vec<f64>)> = Vec::new();
        for (name, mask) in &masks {
            // Long rows one by one take a driver in software minutes.
            for n in 0..if l > 2048 { 1 } else { 3 } {
                let (variant, program) = program(&device, [l, d], normalizer, mask.clone(), back, n)?;
                let name = format!("{name}, {variant}");
                if all.iter().all(|(known, ..)| *known != name) {
                    all.push((name, program, Vec::new()));
                }
            }
        }
        for round in 0..=rounds {
            for (_, program, times) in &mut all {
                let start = Instant::now();
                program.run::<HostTensor>([])?.wait()?;
                // The first run compiles.
                if round > 0 {
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
        println!("{}", if back { "forward and backward, ms" } else { "forward, ms" });
        for (name, _, times) in &mut all {
            times.sort_by(f64::total_cmp);
            let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
            println!("  {name:<34} {median:9.1}");
        }
    }
    Ok(())
}
