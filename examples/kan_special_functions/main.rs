//! Eight special functions of two variables, learned by a KAN and by an MLP with no fewer parameters.
//!
//! Elliptic integrals, Bessel functions and the like have no short formula, but they are smooth: a [2, 5, 1] KAN of cubic
//! splines fits them from 2,000 samples each, on ever finer grids (`Kan::refine`). The MLP [2, 17, 17, 1] with tanh gets the
//! same samples, the same optimizer (L-BFGS) and as many steps. Of the grids that counts which is best on samples held back
//! for that; the errors in the table are on 2,000 samples that decided nothing.
//!
//!     cargo run --release --example kan_special_functions -- --device cpu --seed 1

mod fit;
pub mod functions;

use anyhow::{Result, ensure};
use clap::Parser;
use functions::FUNCTIONS;
use knotwork_examples::Common;
use serde_json::json;

/// Learns special functions.
#[derive(Debug, Parser)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Steps of L-BFGS on each grid, at most; the MLP makes as many as all grids together.
    #[arg(long, default_value_t = 300)]
    steps: usize,
    /// The grids, one after another.
    #[arg(long, value_delimiter = ',', default_value = "3,5,10,20")]
    grids: Vec<usize>,
    /// Only functions whose name begins so: `J`, `sn`.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> Result<()> {
    run(&Arguments::parse())
}

/// Everything that the example does.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.common.open()?;
    let chosen: Vec<_> = FUNCTIONS.iter().filter(|f| f.name.starts_with(&arguments.only)).collect();
    let names = FUNCTIONS.map(|f| f.name).join(", ");
    ensure!(!chosen.is_empty(), "no function begins with `{}`; there are {names}", arguments.only);
    println!("test error  KAN [2, 5, 1]      MLP [2, 17, 17, 1]");
    let mut rows = Vec::new();
    for function in chosen {
        let samples = fit::Samples::new(function, arguments.common.seed)?;
        let kan = fit::kan(&device, &samples, &arguments.grids, arguments.steps, arguments.common.seed)?;
        let steps = arguments.steps * arguments.grids.len();
        let mlp = fit::mlp(&device, &samples, steps, arguments.common.seed)?;
        println!(
            "{:<10}  {:.1e} (grid {:>2})  {:.1e}    {:>5.1} times    {}",
            function.name,
            kan.test,
            kan.grid,
            mlp.test,
            mlp.test / kan.test,
            function.about
        );
        rows.push(json!({
            "name": function.name,
            "kan_rmse": kan.test, "kan_grid": kan.grid, "kan_parameters": kan.parameters,
            "mlp_rmse": mlp.test, "mlp_parameters": mlp.parameters,
        }));
    }
    arguments.common.write(&device, &json!({ "steps": arguments.steps, "functions": rows }))
}
