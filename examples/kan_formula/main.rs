//! A KAN learns exp(sin(πx) + y²) from samples, ever more exactly on ever finer grids.
//!
//! A [2, 1, 1] network of cubic splines, L-BFGS over 1,000 samples in [−1, 1]², grids of 3, 10, 20 and 50 intervals one after
//! another: each begins with the functions that the one before has learned (`Kan::refine`). For each the error on 1,000
//! other samples is printed; it falls until the samples or 32-bit floats end it, and a finer grid may do worse.
//!
//!     cargo run --release --example kan_formula -- --device cpu --seed 1

use std::{
    f64::consts::PI,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use clap::Parser;
use knotwork::{
    nn::{Generator, Kan, Lbfgs},
    prelude::*,
};
use knotwork_examples::device_name;
use serde_json::json;

const SAMPLES: usize = 1000;
const GRIDS: [usize; 4] = [3, 10, 20, 50];
/// The range of the grid of the layer behind the sum.
const HIDDEN: (f64, f64) = (-2.0, 2.0);

/// Learns exp(sin(πx) + y²).
#[derive(Debug, Parser)]
struct Arguments {
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
    /// The seed of the samples and of the initial values.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Steps of L-BFGS on each grid.
    #[arg(long, default_value_t = 1000)]
    steps: usize,
    /// Writes the figures of the run as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn formula(x: f64, y: f64) -> f64 {
    ((PI * x).sin() + y * y).exp()
}

/// Samples [n, 2] in [−1, 1]² and the formula's values [n, 1].
fn samples(seed: u64) -> Result<[HostTensor; 2]> {
    let x = Generator::new(seed).uniform(&[SAMPLES, 2], -1.0, 1.0)?;
    let y: Vec<f32> = x.to_f64().chunks_exact(2).map(|p| formula(p[0], p[1]) as f32).collect();
    Ok([x, HostTensor::from_vec(y, [SAMPLES, 1])?])
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let device = knotwork::open_device(arguments.device.as_deref())?;
    println!("device      {}", device_name(device.info()));
    let [x, y] = samples(2 * arguments.seed + 1)?;
    let [test_x, test_y] = samples(2 * arguments.seed + 2)?;
    let start = Instant::now();
    let mut errors = serde_json::Map::new();
    let mut before: Option<(Kan, Program)> = None;
    for grid in GRIDS {
        let g = Graph::new();
        let model = match &before {
            None => Kan::new(&g, "kan", [2, 1, 1])
                .grid(grid)
                .layer_range(1, HIDDEN.0, HIDDEN.1)
                .seed(arguments.seed)
                .build()?,
            Some((coarser, program)) => coarser.refine(program.params(), &g, grid)?,
        };
        let input = g.input("x", DType::F32, [SAMPLES, 2])?;
        let target = g.input("y", DType::F32, [SAMPLES, 1])?;
        let loss = model.forward(&input)?.mse_loss(&target)?;
        let mut fit = Lbfgs::new().compile(&device, &loss)?;
        let mut evaluate = fit.program().sibling(&[&loss], &[])?;
        let feeds = [("x", &x), ("y", &y)];
        let mut last = None;
        for _ in 0..arguments.steps {
            let step = fit.step(&feeds)?;
            last = Some(step.loss);
            if step.converged {
                break;
            }
        }
        let test = evaluate.run([("x", &test_x), ("y", &test_y)])?.wait()?[0].item::<f32>()?;
        let rmse = f64::from(test).sqrt();
        println!(
            "grid {grid:>3}    test {rmse:.2e}, training {:.2e}; {} steps, {} evaluations, {:.2} s",
            last.unwrap_or(f64::NAN).sqrt(),
            fit.steps(),
            fit.evaluations(),
            start.elapsed().as_secs_f64()
        );
        errors.insert(grid.to_string(), rmse.into());
        before = Some((model, evaluate));
    }
    if let Some(path) = &arguments.json {
        write(
            path,
            &json!({ "device": device_name(device.info()), "seed": arguments.seed, "rmse_by_grid": errors }),
        )?;
    }
    Ok(())
}

fn write(path: &Path, value: &serde_json::Value) -> Result<()> {
    std::fs::write(path, serde_json::to_string_pretty(value)?)
        .with_context(|| format!("cannot write {}", path.display()))
}
