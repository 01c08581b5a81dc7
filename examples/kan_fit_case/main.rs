//! Fits a KAN of a file to samples by L-BFGS and prints how long it took as one line of JSON, for `benches/peers/kan_fit.py`
//! to set beside pykan's `fit`.
//!
//!     cargo run --release --example kan_fit_case -- NETWORK.safetensors SAMPLES.csv --steps 1000 --device cpu
//!
//! The time holds all that a caller waits for: compilation of the programs, every step, and updates of the grids.

use std::{ops::ControlFlow, path::PathBuf, time::Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use knotwork::{
    nn::{
        Lbfgs,
        data::{Csv, Labels},
        kan::{Fit, GridUpdate, Network},
        symbolic::Library,
    },
    prelude::*,
};
use knotwork_examples::device_name;
use serde_json::json;

/// Times one fit of a KAN.
#[derive(Debug, Parser)]
struct Arguments {
    /// The network to begin with, as `Network::save` or `tools/export_kan.py` writes it.
    network: PathBuf,
    /// Samples with a header; the target is the column `y`.
    samples: PathBuf,
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
    /// The most steps of L-BFGS.
    #[arg(long, default_value_t = 1000)]
    steps: usize,
    /// Grids are updated so many times, evenly within `--updates-until` steps.
    #[arg(long, default_value_t = 0)]
    updates: usize,
    #[arg(long, value_name = "STEPS", default_value_t = 50)]
    updates_until: usize,
    /// Pairs that L-BFGS remembers; `Fit`'s own unless given.
    #[arg(long)]
    history: Option<usize>,
    /// Ends where the error is no larger than this.
    #[arg(long, value_name = "RMSE")]
    until: Option<f64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let device = knotwork::open_device(arguments.device.as_deref())?;
    let data = Csv::new(&arguments.samples).targets(&["y"]).read()?;
    let Labels::Values { values, .. } = data.labels() else { bail!("the samples have no targets") };
    let x = HostTensor::new(data.features(), [data.len(), data.width()])?;
    let y = HostTensor::new(&values[..], [data.len(), 1])?;
    let network = Network::load(&arguments.network, &Library::standard())
        .with_context(|| format!("no network in {}", arguments.network.display()))?;

    let mut fit = Fit::new().steps(arguments.steps);
    if let Some(pairs) = arguments.history {
        fit = fit.lbfgs(Lbfgs::new().history(pairs));
    }
    if arguments.updates > 0 {
        fit = fit.update_grids(GridUpdate::new(), arguments.updates, arguments.updates_until);
    }
    let (start, mut reached) = (Instant::now(), arguments.until.is_none());
    let fitted = fit.run_with(&network, &device, &x, &y, |step| match arguments.until {
        Some(rmse) if step.loss.sqrt() <= rmse => {
            reached = true;
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({
            "device": device_name(device.info()),
            "seconds": seconds,
            "steps": fitted.steps.len(),
            "evaluations": fitted.evaluations,
            "converged": fitted.converged,
            "train_rmse": fitted.network.rmse(&device, &x, &y)?,
            "reached": reached,
        })
    );
    Ok(())
}
