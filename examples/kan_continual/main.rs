//! Five peaks, one after another, and none of them forgotten.
//!
//! A network that learns a second task tends to lose the first: every weight matters everywhere. A spline's coefficient
//! matters only within a few intervals of its grid. Here a KAN of one edge [1, 1] with 200 intervals learns the sum of five
//! Gaussian peaks exp(−300 (x − c)²), c = −0.8, −0.4, 0, 0.4, 0.8 (the example of Liu et al. 2024, section 3.4), from samples
//! near one peak after another, never seeing an earlier one again; an MLP with as many parameters does the same. After each
//! phase the error on every peak seen so far is printed; `target/kan_continual/` gets a picture of what both know then.
//!
//!     cargo run --release --example kan_continual -- --device cpu --seed 1

pub mod peaks;
mod picture;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use knotwork::{
    nn::{Generator, Kan, Lbfgs},
    prelude::*,
};
use knotwork_examples::{Common, folder, mlp};
use peaks::{CENTRES, SAMPLES, error, samples};
use serde_json::json;

/// Intervals of the grid.
const GRID: usize = 200;
/// The MLP's widths, with tanh between: 193 parameters, where the KAN has 203.
const MLP: [usize; 4] = [1, 12, 12, 1];
/// Larger initial weights than usual: its tanh must bend within a tenth of [−1, 1].
const GAIN: f64 = 3.0;

/// Learns five peaks one after another.
#[derive(Debug, Parser)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Steps of L-BFGS on each peak, at most.
    #[arg(long, default_value_t = 300)]
    steps: usize,
    /// The folder for the picture.
    #[arg(long, value_name = "DIR", default_value = "target/kan_continual")]
    out: PathBuf,
}

fn main() -> Result<()> {
    run(&Arguments::parse())
}

/// Everything that the example does.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.common.open()?;
    let g = Graph::new();
    let x = g.input("x", DType::F32, [SAMPLES, 1])?;
    let seed = arguments.common.seed;
    let kan = kan(&g, seed)?;
    let kan = learn(arguments, &device, "KAN", &x, &kan.forward(&x)?)?;
    let mlp = mlp(&x, "mlp", &MLP, seed, GAIN, Tensor::tanh)?;
    let mlp = learn(arguments, &device, "MLP", &x, &mlp)?;

    let largest = |errors: &[f64]| errors.iter().copied().fold(0.0, f64::max);
    println!(
        "at the end  largest error on any peak: KAN {:.1e}, MLP {:.1e}",
        largest(&kan.errors),
        largest(&mlp.errors)
    );
    folder(&arguments.out)?;
    picture::draw(&kan, &mlp).save(arguments.out.join("peaks.svg"))?;
    println!("wrote       {}/peaks.svg", arguments.out.display());
    arguments.common.write(
        &device,
        &json!({
            "steps": arguments.steps,
            "max_rmse": largest(&kan.errors),
            "rmse_by_peak": kan.errors,
            "mlp_max_rmse": largest(&mlp.errors),
            "mlp_rmse_by_peak": mlp.errors,
        }),
    )
}

/// One edge over many intervals. It begins at 0, as the function is between its peaks: random splines would have to be taken
/// back exactly where they reach from one phase into the next.
pub fn kan(g: &Graph, seed: u64) -> Result<Kan> {
    Ok(Kan::new(g, "kan", [1, 1]).grid(GRID).base(false).spline_scale(0.0).seed(seed).build()?)
}

/// What became of a network.
pub struct Learned {
    /// The root mean square error on each peak at the end.
    pub errors: Vec<f64>,
    /// What it said over [−1, 1] after each phase.
    pub curves: Vec<Vec<(f64, f64)>>,
}

/// Learns the peaks in turn.
pub fn learn(arguments: &Arguments, device: &Device, who: &str, x: &Tensor, y: &Tensor) -> Result<Learned> {
    let g = x.graph();
    let target = g.input(&format!("{who} y"), DType::F32, [SAMPLES, 1])?;
    let loss = y.mse_loss(&target)?;
    let mut fit = Lbfgs::new().named(who).compile(device, &loss)?;
    let mut predict = fit.program().sibling(&[y], &[])?;
    let mut generator = Generator::named(arguments.common.seed, who);
    let (mut errors, mut curves) = (Vec::new(), Vec::new());
    for phase in 0..CENTRES.len() {
        let (x, y) = samples(phase, &mut generator)?;
        // What the optimizer remembers of an earlier peak would move coefficients that this one says nothing about.
        fit.restart();
        let name = format!("{who} y");
        let before = fit.steps();
        for _ in 0..arguments.steps {
            if fit.step(&[("x", &x), (name.as_str(), &y)])?.converged {
                break;
            }
        }
        errors = (0..=phase).map(|peak| error(&mut predict, peak)).collect::<Result<_>>()?;
        let shown: Vec<String> = errors.iter().map(|e| format!("{e:.1e}")).collect();
        println!(
            "{who} phase {}  rmse by peak: {}; {} steps",
            phase + 1,
            shown.join("  "),
            fit.steps() - before
        );
        curves.push(peaks::learned(&mut predict)?);
    }
    Ok(Learned { errors, curves })
}
