//! A KAN solves Poisson's equation without having seen its solution.
//!
//! ∇²u = −2π² sin(πx) sin(πy) on [−1, 1]² with u = 0 on the border; the solution is sin(πx) sin(πy). What is learned from is
//! the equation alone, at 1,024 points: the second derivatives of splines are splines, and the graph gets them by going
//! backwards twice. u is the network times (1 − x²)(1 − y²), so that the border is right from the start. L-BFGS on ever finer
//! grids: each begins with the functions that the one before has learned (`Kan::refine`). The errors are those of u (L²) and
//! of u with its gradient (H¹) on points that training has not seen, relative to the solution's. `target/kan_pde/` gets
//! pictures.
//!
//!     cargo run --release --example kan_pde -- --device cpu --seed 1

mod picture;
pub mod poisson;

use std::{path::PathBuf, time::Instant};

use anyhow::Result;
use clap::Parser;
use knotwork::{
    nn::{Kan, Lbfgs},
    prelude::*,
};
use knotwork_examples::{Common, folder};
use poisson::Problem;
use serde_json::json;

/// Solves Poisson's equation.
#[derive(Debug, Parser)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The hidden width.
    #[arg(long, default_value_t = 4)]
    hidden: usize,
    /// The grids, one after another.
    #[arg(long, value_delimiter = ',', default_value = "5,10,20")]
    grids: Vec<usize>,
    /// The order of the splines; the equation takes two derivatives of them.
    #[arg(long, default_value_t = 4)]
    order: usize,
    /// Steps of L-BFGS on each grid, at most.
    #[arg(long, default_value_t = 300)]
    steps: usize,
    /// Learns the border too, with this weight in the loss; without it u is 0 there by construction.
    #[arg(long, value_name = "WEIGHT")]
    border: Option<f64>,
    /// The folder for pictures.
    #[arg(long, value_name = "DIR", default_value = "target/kan_pde")]
    out: PathBuf,
}

fn main() -> Result<()> {
    run(&Arguments::parse())
}

/// Everything that the example does.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.common.open()?;
    let seed = arguments.common.seed;
    let samples = poisson::Samples::new(seed)?;
    let mut before: Option<(Kan, Program)> = None;
    let mut rows = Vec::new();
    for &grid in &arguments.grids {
        let g = Graph::new();
        let model = match &before {
            None => Kan::new(&g, "kan", [2, arguments.hidden, 1])
                .grid(grid)
                .order(arguments.order)
                .layer_range(1, -2, 2)
                .seed(seed)
                .build()?,
            Some((coarser, program)) => coarser.refine(program.params(), &g, grid)?,
        };
        let problem = Problem::new(&g, &model, arguments.border)?;
        let mut fit = Lbfgs::new().compile(&device, &problem.loss)?;
        let mut evaluate = fit.program().sibling(&[&problem.u, &problem.gradient], &[])?;
        let feeds = samples.feeds(arguments.border.is_some());
        let (mut loss, start) = (f64::NAN, Instant::now());
        for _ in 0..arguments.steps {
            let step = fit.step(&feeds)?;
            loss = step.loss;
            if step.converged {
                break;
            }
        }
        let ms = 1e3 * start.elapsed().as_secs_f64() / fit.steps().max(1) as f64;
        let [l2, h1] = poisson::errors(&mut evaluate)?;
        println!(
            "grid {grid:>3}    error of u {l2:.1e}, with its gradient {h1:.1e}; loss {loss:.1e}; {} steps of {ms:.2} ms",
            fit.steps()
        );
        rows.push(json!({
            "grid": grid, "l2": l2, "h1": h1, "loss": loss, "steps": fit.steps(), "ms_per_step": ms,
        }));
        before = Some((model, evaluate));
    }
    folder(&arguments.out)?;
    if let Some((model, program)) = &mut before {
        picture::save(&arguments.out, model, program)?;
        println!("wrote       {}/ (solution.svg, layer-0.svg, layer-1.svg)", arguments.out.display());
    }
    let best = |key: &str| rows.iter().filter_map(|r| r[key].as_f64()).fold(f64::INFINITY, f64::min);
    let figures = json!({ "best_l2": best("l2"), "best_h1": best("h1"), "grids": rows });
    arguments.common.write(&device, &figures)
}
