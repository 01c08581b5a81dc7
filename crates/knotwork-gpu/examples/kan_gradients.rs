//! Each kernel variant of the gradients of a KAN layer, in turn: medians and least times of one run.
//!
//! `cargo run --release -p knotwork-gpu --example kan_gradients -- weights 2048x16x64 50 9`: the gradient (`weights`, `input`
//! or the layer itself, `forward`), rows x inputs x outputs, intervals, rounds; then any of `one` (every point in one
//! interval), `rbf` (so many Gaussians instead of cubic splines) and `checked` (kernels that check their bounds).

use std::time::Instant;

use knotwork_core::{
    Graph, HostTensor, Program, Result,
    ops::{BSpline, Basis},
    plan::PlanOptions,
};
use knotwork_gpu::{Options, Profile, open};

/// More kernel variants than any operation has.
const VARIANTS: usize = 64;

/// Numbers in [−1, 1) from a small generator.
fn numbers(shape: &[usize], seed: u64) -> Result<HostTensor> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    HostTensor::from_vec((0..shape.iter().product::<usize>()).map(next).collect(), shape)
}

/// A variant and the times of its runs in milliseconds.
struct Timed {
    name: String,
    program: Program,
    times: Vec<f64>,
}

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let word = |k: usize, default: &str| given.get(k).map_or(default, String::as_str).to_owned();
    let number = |text: &str| text.parse::<usize>().unwrap_or(1);
    let shape: Vec<usize> = word(1, "256x64x64").split('x').map(number).collect();
    let [b, i, o] = shape.as_slice() else {
        eprintln!("rows x inputs x outputs are three numbers: {}", word(1, ""));
        return Ok(());
    };
    let (b, i, o) = (*b, *i, *o);
    let has = |flag: &str| given.iter().any(|w| w == flag);
    let profile = if has("checked") { Profile::Checked } else { Profile::Trusted };
    let device = open(&Options { profile, ..Options::default() })?;
    let g = Graph::new();
    let count = number(&word(2, "50"));
    let basis =
        if has("rbf") { Basis::rbf(count, (-1.0, 1.0), None)? } else { BSpline::new(count, 3)?.into() };
    let points =
        if has("one") { HostTensor::from_vec(vec![0.3f32; b * i], [b, i])? } else { numbers(&[b, i], 1)? };
    let x = g.state("x", "bench", points)?;
    let c = g.state("coef", "bench", numbers(&[i, basis.count(), o], 2)?)?;
    let w = g.state("base", "bench", numbers(&[i, o], 3)?)?;
    let dy = g.state("dy", "bench", numbers(&[b, o], 4)?)?;
    let y = x.kan_layer_native(&c, Some(&w), None, basis)?;
    let outputs = match word(0, "weights").as_str() {
        "forward" => vec![y],
        "input" => g.vjp(&[(&y, &dy)], &[&x])?,
        _ => g.vjp(&[(&y, &dy)], &[&c, &w])?,
    };
    let mut all: Vec<Timed> = Vec::new();
    for variant in 0..VARIANTS {
        let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
        let outputs: Vec<_> = outputs.iter().collect();
        let mut program = device.compile(&g, &outputs, &[])?.with_options(options);
        let plan = program.plan(&[].into())?;
        let names: Vec<&str> = plan.steps.iter().map(|s| s.variant).collect();
        let name = names.join(", ");
        if all.iter().any(|t| t.name == name) {
            break;
        }
        program.run::<HostTensor>([])?.wait()?;
        all.push(Timed { name, program, times: Vec::new() });
    }
    for _ in 0..number(&word(3, "9")) {
        for timed in &mut all {
            let start = Instant::now();
            timed.program.run::<HostTensor>([])?.wait()?;
            timed.times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!("{}: {} {b} x {i} to {o}, {basis}", device.info(), word(0, "weights"));
    for Timed { name, mut times, .. } in all {
        times.sort_by(f64::total_cmp);
        println!("{name:>24} {:>9.2} ms ({:.2})", times[times.len() / 2], times[0]);
    }
    Ok(())
}
