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
        plot::{Comparison, Diagram, DiagramLayer, Edge, EdgePlot, LineChart},
        symbolic::{Expression, Fit, Library, Samples, Suggestions, suggest},
    },
    prelude::*,
};
use knotwork_examples::device_name;
use serde_json::json;

const SAMPLES: usize = 1000;
const GRIDS: [usize; 2] = [3, 10];
/// The range of the grid of the layer behind the sum.
const HIDDEN: (f64, f64) = (-2.0, 2.0);
/// Points of a curve.
const POINTS: usize = 201;

/// Draws what a network learned.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
    /// The seed of the samples and of the initial values.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Steps of L-BFGS on each grid.
    #[arg(long, default_value_t = 150)]
    steps: usize,
    /// The folder of the pictures.
    #[arg(long, value_name = "FOLDER", default_value = "target/kan_pictures")]
    out: PathBuf,
    /// Writes the figures of the run as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
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
    model: Kan,
    program: Program,
    training: Vec<(f64, f64)>,
    test: Vec<(f64, f64)>,
    /// The steps at which the grids became finer.
    refined: Vec<(f64, usize)>,
}

fn train(device: &Device, arguments: &Arguments, x: &HostTensor, y: &HostTensor) -> Result<Trained> {
    let [test_x, test_y] = samples(2 * arguments.seed + 2)?;
    let (mut training, mut test, mut refined) = (Vec::new(), Vec::new(), Vec::new());
    let mut before: Option<(Kan, Program)> = None;
    let mut steps = 0.0;
    for grid in GRIDS {
        let g = Graph::new();
        let model = match &before {
            None => Kan::new(&g, "kan", [2, 1, 1])
                .grid(grid)
                .layer_range(1, HIDDEN.0, HIDDEN.1)
                .seed(arguments.seed)
                .build()?,
            Some((coarser, program)) => {
                refined.push((steps, grid));
                coarser.refine(program.params(), &g, grid)?
            }
        };
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
        before = Some((model, evaluate));
    }
    let (model, program) = before.context("there is a grid")?;
    Ok(Trained { model, program, training, test, refined })
}

/// φ(x) between the points of an edge.
fn value(edge: &Edge, x: f64) -> f64 {
    let after = edge.points.partition_point(|p| p.0 < x).clamp(1, edge.points.len() - 1);
    let ((x0, y0), (x1, y1)) = (edge.points[after - 1], edge.points[after]);
    y0 + (y1 - y0) * (x - x0) / (x1 - x0)
}

/// The formula that an edge is on the data that arrive there.
fn formula(edge: &Edge, data: &[f64]) -> Result<Fit> {
    let y: Vec<f64> = data.iter().map(|x| value(edge, *x)).collect();
    let found = suggest(&Samples::new(data, &y)?, &Library::standard(), Suggestions::WEIGHT)?;
    Ok(found.best().context("a function that fits")?.fit.clone())
}

/// A formula in the name of its input, to three digits.
fn spelled(fit: &Fit, name: &str) -> String {
    fit.edge.of(&Expression::variable(name)).rounded_significant(3).to_string()
}

/// The points of a curve between the least and the largest of the data.
fn within(points: &[(f64, f64)], data: &[f64]) -> Vec<(f64, f64)> {
    let (low, high) = data.iter().fold((f64::MAX, f64::MIN), |(a, b), &x| (a.min(x), b.max(x)));
    points.iter().filter(|p| (low..=high).contains(&p.0)).copied().collect()
}

/// The points of the last grid behind the sum.
fn knots() -> Vec<f64> {
    let intervals = GRIDS[GRIDS.len() - 1];
    let step = (HIDDEN.1 - HIDDEN.0) / intervals as f64;
    (0..=intervals).map(|i| HIDDEN.0 + step * i as f64).collect()
}

/// Trains, draws, and says what was found.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = knotwork::open_device(arguments.device.as_deref())?;
    println!("device      {}", device_name(device.info()));
    let [x, y] = samples(2 * arguments.seed + 1)?;
    let trained = train(&device, arguments, &x, &y)?;
    let rmse = trained.test.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    println!("trained     {} steps, test RMSE {rmse:.2e}", trained.training.len());

    let edges = |layer| trained.model.edges(trained.program.params(), layer, POINTS);
    let (first, second) = (edges(0)?, edges(1)?);
    let values = x.to_f64();
    let column = |k: usize| values.iter().skip(k).step_by(2).copied().collect::<Vec<f64>>();
    let hidden: Vec<f64> =
        values.chunks_exact(2).map(|p| value(&first[0], p[0]) + value(&first[1], p[1])).collect();
    let fits =
        [formula(&first[0], &column(0))?, formula(&first[1], &column(1))?, formula(&second[0], &hidden)?];
    let labels: Vec<String> =
        fits.iter().zip(["x", "y", "h"]).map(|(fit, name)| spelled(fit, name)).collect();
    fits.iter().zip(&labels).for_each(|(fit, label)| println!("edge        {label}, r² {:.7}", fit.r2));

    fs::create_dir_all(&arguments.out)?;
    // The boxes show the functions where there are data: beyond them nothing was learned.
    let data = [column(0), column(1), hidden.clone()];
    let seen = |edge: &Edge, data: &[f64]| Edge { points: within(&edge.points, data), ..*edge };
    let layers = [
        DiagramLayer::learned(2, 1, [seen(&first[0], &data[0]), seen(&first[1], &data[1])]),
        DiagramLayer::learned(1, 1, [seen(&second[0], &data[2])]),
    ];
    let names = |diagram: Diagram| diagram.names(&["x", "y"], &["f"]);
    let error = format!("test RMSE {rmse:.1e}");
    let learned = |title: &str| names(Diagram::new(title)).layers(layers.clone()).note(&error);
    let network = learned("What the network learned");
    let edge = EdgePlot::new("The edge behind the sum")
        .axes("h", "φ(h)")
        .curve(&second[0].points)
        .knots(&knots())
        .samples(&hidden)
        .fit(
            &labels[2],
            &second[0].points.iter().map(|p| (p.0, fits[2].edge.value(p.0))).collect::<Vec<_>>(),
            fits[2].r2,
        );
    let mut training = LineChart::new("Training")
        .axes("step of L-BFGS", "root mean square error")
        .log_y(true)
        .line("training", &trained.training)
        .line("test", &trained.test)
        .best("test");
    for (step, grid) in &trained.refined {
        training = training.mark(*step, &format!("grid {grid}"));
    }
    let mut symbolic = layers.clone();
    for (edge, (fit, label)) in symbolic.iter_mut().flat_map(|l| &mut l.edges).zip(fits.iter().zip(&labels)) {
        edge.label = Some(label.clone());
        edge.points.iter_mut().for_each(|p| p.1 = fit.edge.value(p.0));
    }
    let least = fits.iter().map(|f| f.r2).fold(1.0, f64::min);
    let formulas = names(Diagram::new("formulas")).layers(symbolic).note(&format!("r² at least {least:.6}"));
    let comparison = Comparison::new("exp(sin(πx) + y²)").diagram(learned("learned")).diagram(formulas);
    for ending in if cfg!(feature = "png") { &["svg", "png"][..] } else { &["svg"] } {
        let file = |name: &str| arguments.out.join(name).with_extension(ending);
        network.save(file("network"))?;
        edge.save(file("edge"))?;
        training.save(file("training"))?;
        comparison.save(file("comparison"))?;
    }
    println!("wrote       {}/ (network, edge, training, comparison)", arguments.out.display());
    if let Some(path) = &arguments.json {
        let figures = json!({
            "device": device_name(device.info()),
            "seed": arguments.seed,
            "test_rmse": rmse,
            "formulas": labels,
            "r2": fits.iter().map(|f| f.r2).collect::<Vec<_>>(),
        });
        fs::write(path, format!("{figures:#}\n"))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn main() -> Result<()> {
    run(&Arguments::parse())
}
