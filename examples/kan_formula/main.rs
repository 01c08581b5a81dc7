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
    nn::{self, Generator, Kan, Lbfgs, kan::{Fit, GridUpdate}},
    prelude::*,
    ops::Outside,
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
    let env = |k: &str, d: f64| std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let update = GridUpdate::new().shared(env("SHARED", 1.0) > 0.0).uniform(env("UNIFORM", 1.0)).margin(env("MARGIN", 0.0));
    let lbfgs = Lbfgs::new().history(env("HIST", 10.0) as usize);
    let mut best: Option<(f64, nn::kan::Network)> = None;
    for start in 0..env("STARTS", 1.0) as u64 {
        let outside = if env("LINEAR", 1.0) > 0.0 { Outside::Linear } else { Outside::Zero };
        let network = Kan::new(&Graph::new(), "kan", [2, 1, 1]).grid(GRIDS[0]).outside(outside).layer_range(1, HIDDEN.0, HIDDEN.1).seed(100 * arguments.seed + start).network()?;
        let fitted = Fit::new().steps(env("TRY", 100.0) as usize).lbfgs(lbfgs.clone()).update_grids(update.clone().margin(env("M3", 0.02)), 10, 50).run(&network, &device, &x, &y)?;
        let loss = fitted.network.rmse(&device, &x, &y)?;
        if best.as_ref().is_none_or(|b| loss < b.0) { best = Some((loss, fitted.network)); }
    }
    let mut network = best.unwrap().1;
    for grid in GRIDS {
        if grid != 3 { network = network.refine(grid)?; }
        let mut fit = Fit::new().steps(arguments.steps).lbfgs(lbfgs.clone()).sparsity(nn::kan::Sparsity { smoothness: env("SMOOTH", 0.0), ..Default::default() });
        let times = env("TIMES", 5.0) as usize;
        if times > 0 { fit = fit.update_grids(update.clone().margin(env(&format!("M{grid}"), 0.0)), times, env("UNTIL", 200.0) as usize); }
        let fitted = fit.run(&network, &device, &x, &y)?;
        network = fitted.network;
        let rmse = network.rmse(&device, &test_x, &test_y)?;
        println!("grid {grid:>3}    test {rmse:.2e}, training {:.2e}; {} steps, {} evaluations, {:.2} s  {:?}",
            fitted.steps.last().map_or(0.0, |s| s.loss.sqrt()), fitted.steps.len(), fitted.evaluations, start.elapsed().as_secs_f64(), network.layers()[1].range(0));
        errors.insert(grid.to_string(), rmse.into());
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
