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
use knotwork::{nn::Generator, prelude::*};
use knotwork_examples::device_name;
use serde_json::json;

mod discover;
mod grids;

const SAMPLES: usize = 1000;

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

/// Points [n, 2] in [−1, 1]² and the formula's values [n, 1].
pub struct Samples {
    pub x: HostTensor,
    pub y: HostTensor,
}

impl Samples {
    fn of(x: HostTensor) -> Result<Self> {
        let y: Vec<f32> = x.to_f64().chunks_exact(2).map(|p| formula(p[0], p[1]) as f32).collect();
        let y = HostTensor::from_vec(y, [x.shape()[0], 1])?;
        Ok(Self { x, y })
    }

    /// Drawn at random.
    fn random(seed: u64) -> Result<Self> {
        Self::of(Generator::new(seed).uniform(&[SAMPLES, 2], -1.0, 1.0)?)
    }

    /// Spread evenly, from a random first point on: the additive sequence of 1/g and 1/g² (Roberts 2018), g³ = g + 1. Training
    /// may choose where it looks, and by chance 1,000 random points can leave a corner of the square out.
    fn spread(seed: u64) -> Result<Self> {
        const G: f64 = 1.324_717_957_244_746;
        let first = Generator::new(seed).uniform(&[2], 0.0, 1.0)?.to_f64();
        let at = |k: usize, d: usize| (first[d] + k as f64 / G.powi(d as i32 + 1)).fract() * 2.0 - 1.0;
        let x: Vec<f32> = (0..2 * SAMPLES).map(|k| at(k / 2, k % 2) as f32).collect();
        Self::of(HostTensor::from_vec(x, [SAMPLES, 2])?)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let device = knotwork::open_device(arguments.device.as_deref())?;
    println!("device      {}", device_name(device.info()));
    let train = if std::env::var("RANDOM").is_ok() { Samples::random } else { Samples::spread }(
        2 * arguments.seed + 1,
    )?;
    let test = Samples::random(2 * arguments.seed + 2)?;
    let start = Instant::now();
    let rows = grids::refine(&device, arguments.seed, arguments.steps, [&train, &test], |row| {
        println!(
            "grid {:>3}    test {:.2e}, training {:.2e}; {} steps, {} evaluations, {:.2} s",
            row.grid,
            row.test,
            row.train,
            row.steps,
            row.evaluations,
            start.elapsed().as_secs_f64()
        );
    })?;
    let errors: serde_json::Map<_, _> = rows.iter().map(|r| (r.grid.to_string(), r.test.into())).collect();
    if std::env::var("ONLY").is_ok() {
        return Ok(());
    }
    let found = discover::discover(&device, arguments.seed, [&train, &test])?;
    println!("formula {:?}", found.formula.as_ref().map(|f| f.rounded(4).with_pi(1e-3).to_string()));
    println!(
        "raw {:?} {:.2} s",
        found.formula.as_ref().map(|f| f.to_string()),
        start.elapsed().as_secs_f64()
    );
    if let Some(path) = &arguments.json {
        let figures =
            json!({ "device": device_name(device.info()), "seed": arguments.seed, "rmse_by_grid": errors });
        write(path, &figures)?;
    }
    Ok(())
}

fn write(path: &Path, figures: &serde_json::Value) -> Result<()> {
    std::fs::write(path, format!("{figures:#}\n"))
        .with_context(|| format!("{} cannot be written", path.display()))
}
