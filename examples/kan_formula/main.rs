//! A KAN learns exp(sin(πx) + y²) from samples: first to the last digit of its floats, then as a formula.
//!
//! On ever finer grids: a [2, 1, 1] network of cubic splines, L-BFGS over 1,000 samples in [−1, 1]², grids of 3, 10, 20 and 50
//! intervals, each beginning with the functions that the one before has learned. Then without being told the shape: a
//! [2, 5, 1] network is trained with penalties, pruned, refined, and its edges become functions of a library.
//!
//!     cargo run --release --example kan_formula -- --device cpu --seed 1

use std::{f64::consts::PI, path::PathBuf, time::Instant};

use anyhow::Result;
use clap::Parser;
use knotwork::{
    nn::{
        Generator,
        kan::{Outcome, Stage},
        plot::Comparison,
    },
    prelude::*,
};
use knotwork_examples::{Common, folder};
use serde_json::json;

mod discover;
mod grids;

use discover::Found;
use grids::Row;

const SAMPLES: usize = 1000;

/// Learns exp(sin(πx) + y²).
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Steps of L-BFGS on each grid.
    #[arg(long, default_value_t = 1000)]
    steps: usize,
    /// Draws the samples to train on at random, as pykan does, instead of spreading them evenly.
    #[arg(long)]
    random: bool,
    /// The folder for the picture.
    #[arg(long, value_name = "DIR", default_value = "target/kan_formula")]
    out: PathBuf,
}

fn formula(x: f64, y: f64) -> f64 {
    ((PI * x).sin() + y * y).exp()
}

/// Points and the formula's values there.
pub struct Samples {
    /// [n, 2], in [−1, 1]².
    pub x: HostTensor,
    /// [n, 1].
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
    run(&Arguments::parse())
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.common.open()?;
    let seed = arguments.common.seed;
    let train =
        if arguments.random { Samples::random(2 * seed + 1)? } else { Samples::spread(2 * seed + 1)? };
    let test = Samples::random(2 * seed + 2)?;

    let start = Instant::now();
    let rows = grids::refine(&device, seed, arguments.steps, [&train, &test], |start, row| {
        println!("start {start}     grid {}: training {:.2e}", row.grid, row.train);
    })?;
    for Row { grid, train, test, steps, evaluations } in &rows {
        println!(
            "grid {grid:>3}    test {test:.2e}, training {train:.2e}; {steps} steps, {evaluations} evaluations"
        );
    }
    println!("            {:.2} s", start.elapsed().as_secs_f64());
    let errors: serde_json::Map<_, _> = rows.iter().map(|r| (r.grid.to_string(), r.test.into())).collect();

    let start = Instant::now();
    let found = discover::discover(&device, seed, [&train, &test], |tries, stage| {
        let Stage { name, network, test, .. } = stage;
        println!("try {tries}       {name}: test {test:.2e}, {} edges", network.edges());
    })?;
    let seconds = start.elapsed().as_secs_f64();
    // As short as is right to a thousandth.
    let readable = |f: &Found| f.formula.readable(&["x", "y"], &train.x.to_f64(), 1e-3);
    let formula = found.as_ref().map(readable).transpose()?;
    match &formula {
        Some(formula) => println!("formula     {formula}    ({seconds:.2} s)"),
        None => println!("formula     none was found    ({seconds:.2} s)"),
    }
    if let Some(found) = &found {
        folder(&arguments.out)?;
        let path = arguments.out.join("formula.svg");
        picture(&device, &train, &found.outcome)?.save(&path)?;
        println!("wrote       {}", path.display());
    }
    let figures = json!({
        "rmse_by_grid": errors,
        "formula": formula.as_ref().map(ToString::to_string),
        "formula_latex": formula.as_ref().map(|f| f.to_latex()),
        "formula_rmse": found.as_ref().map(|f| f.outcome.best().test),
        "tries": found.as_ref().map(|f| f.tries),
    });
    arguments.common.write(&device, &figures)
}

/// The network before and after pruning, and as a formula.
fn picture(device: &Device, train: &Samples, outcome: &Outcome) -> Result<Comparison> {
    let stages = [0, 1, outcome.stages.len() - 1].map(|k| &outcome.stages[k]);
    let mut all = Comparison::new("exp(sin(πx) + y²)");
    for Stage { name, network, test, .. } in stages {
        let diagram = network.diagram(name, device, &train.x)?;
        all = all.diagram(diagram.note(&format!("test RMSE {test:.1e}")));
    }
    Ok(all)
}
