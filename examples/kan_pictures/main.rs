//! Looks inside a small network: what it learned, where its data lie, which formulas its edges are.
//!
//! A [2, 1, 1] network learns exp(sin(πx) + y²) from 1,000 samples on a grid of 3 intervals, then of 10. The pictures that it
//! leaves in `target/kan_pictures/`, each as SVG and PNG: the network (`network`), the edge behind the sum with the data that
//! arrive there (`edge`), the training (`training`), and the network beside itself with a formula for every edge
//! (`comparison`).
//!
//!     cargo run --release --example kan_pictures -- --device cpu

use std::{f64::consts::PI, fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use knotwork::{
    nn::{
        Generator, Kan, Lbfgs,
        kan::{AutoSymbolic, Network},
        plot::{Comparison, LineChart},
        symbolic::{Expression, Library},
    },
    prelude::*,
};
use knotwork_examples::Common;
use serde_json::json;

const SAMPLES: usize = 1000;
const GRIDS: [usize; 2] = [3, 10];
/// The range of the grid of the layer behind the sum.
const HIDDEN: (f64, f64) = (-2.0, 2.0);

/// Draws what a network learned.
#[derive(Debug, Parser)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Steps of L-BFGS on each grid.
    #[arg(long, default_value_t = 150)]
    steps: usize,
    /// The folder of the pictures.
    #[arg(long, value_name = "FOLDER", default_value = "target/kan_pictures")]
    out: PathBuf,
}

/// Samples [n, 2] in [−1, 1]² and the formula's values [n, 1].
fn samples(seed: u64) -> Result<[HostTensor; 2]> {
    let x = Generator::new(seed).uniform(&[SAMPLES, 2], -1.0, 1.0)?;
    let f = |p: &[f64]| ((PI * p[0]).sin() + p[1] * p[1]).exp() as f32;
    let y: Vec<f32> = x.to_f64().chunks_exact(2).map(f).collect();
    Ok([x, HostTensor::from_vec(y, [SAMPLES, 1])?])
}

/// A network that has learned, with its root mean square errors by steps.
struct Trained {
    network: Network,
    training: Vec<(f64, f64)>,
    test: Vec<(f64, f64)>,
    /// The steps at which the grids became finer.
    refined: Vec<(f64, usize)>,
}

fn train(device: &Device, arguments: &Arguments, x: &HostTensor, y: &HostTensor) -> Result<Trained> {
    let seed = arguments.common.seed;
    let [test_x, test_y] = samples(2 * seed + 2)?;
    let (mut training, mut test, mut refined) = (Vec::new(), Vec::new(), Vec::new());
    let kan = Kan::new(&Graph::new(), "kan", [2, 1, 1]).grid(GRIDS[0]).seed(seed);
    let mut network = kan.layer_range(1, HIDDEN.0, HIDDEN.1).network()?.named(&["x", "y"], &["f"])?;
    let mut steps = 0.0;
    for grid in GRIDS {
        if grid != GRIDS[0] {
            refined.push((steps, grid));
            network = network.refine(grid)?;
        }
        let g = Graph::new();
        let model = network.build(&g, "kan")?;
        let input = g.input("x", DType::F32, [SAMPLES, 2])?;
        let target = g.input("y", DType::F32, [SAMPLES, 1])?;
        let loss = model.forward(&input)?.mse_loss(&target)?;
        let mut fit = Lbfgs::new().compile(device, &loss)?;
        let mut evaluate = fit.program().sibling(&[&loss], &[])?;
        for _ in 0..arguments.steps {
            let step = fit.step(&[("x", x), ("y", y)])?;
            let error = evaluate.run([("x", &test_x), ("y", &test_y)])?.wait()?[0].item::<f32>()?;
            steps += 1.0;
            training.push((steps, step.loss.sqrt()));
            test.push((steps, f64::from(error).sqrt()));
            if step.converged {
                break;
            }
        }
        network = model.network(fit.params())?;
    }
    Ok(Trained { network, training, test, refined })
}

/// Trains, draws, and says what was found.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.common.open()?;
    let [x, y] = samples(2 * arguments.common.seed + 1)?;
    let Trained { network, training, test, refined } = train(&device, arguments, &x, &y)?;
    let rmse = test.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    println!("trained     {} steps, test RMSE {rmse:.2e}", training.len());

    // Near a formula is near enough here: what the pictures show is how near.
    let how = AutoSymbolic { threshold: 0.0, ..AutoSymbolic::default() };
    let (fixed, edges) = network.auto_symbolic(&device, &x, &Library::standard(), &how)?;
    let (mut formulas, mut functions) = (Vec::new(), Vec::new());
    for (edge, name) in edges.iter().zip(["x", "y", "h"]) {
        let formula = edge.formula.as_ref().context("a function that fits")?;
        functions.push(formula.function.name());
        let formula = formula.of(&Expression::variable(name)).rounded_significant(3).to_string();
        println!("edge        {formula}, r² {:.7}", edge.r2);
        formulas.push(formula);
    }

    fs::create_dir_all(&arguments.out)?;
    let error = format!("test RMSE {rmse:.1e}");
    let learned = network.diagram("What the network learned", &device, &x)?.note(&error);
    let edge = fixed.edge_plot(&device, &x, 1, 0, 0)?;
    let mut chart = LineChart::new("Training")
        .axes("step of L-BFGS", "root mean square error")
        .log_y(true)
        .line("training", &training)
        .line("test", &test)
        .best("test");
    for (step, grid) in &refined {
        chart = chart.mark(*step, &format!("grid {grid}"));
    }
    let least = edges.iter().map(|e| e.r2).fold(1.0, f64::min);
    let named = fixed.diagram("formulas", &device, &x)?.note(&format!("r² at least {least:.6}"));
    let before = network.diagram("learned", &device, &x)?.note(&error);
    let comparison = Comparison::new("exp(sin(πx) + y²)").diagram(before).diagram(named);
    for ending in if cfg!(feature = "png") { &["svg", "png"][..] } else { &["svg"] } {
        let file = |name: &str| arguments.out.join(name).with_extension(ending);
        learned.save(file("network"))?;
        edge.save(file("edge"))?;
        chart.save(file("training"))?;
        comparison.save(file("comparison"))?;
    }
    println!("wrote       {}/ (network, edge, training, comparison)", arguments.out.display());
    let figures = json!({
        "test_rmse": rmse,
        "formulas": formulas,
        "functions": functions,
        "r2": edges.iter().map(|e| e.r2).collect::<Vec<_>>(),
    });
    arguments.common.write(&device, &figures)
}

fn main() -> Result<()> {
    run(&Arguments::parse())
}
