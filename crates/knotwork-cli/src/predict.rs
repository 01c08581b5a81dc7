//! `knotwork predict`: a saved network over a table.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use knotwork::{
    nn::{Csv, kan::Network, symbolic::Library},
    prelude::*,
};

/// Which model over which table.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A model that `knotwork train kan` wrote.
    model: PathBuf,
    /// A CSV file with a header that has the model's inputs; other columns do not matter.
    data: PathBuf,
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
    /// Writes the predictions there instead of printing them.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Rows of a table in the order that a network wants.
pub fn rows(network: &Network, path: &Path) -> Result<HostTensor> {
    let names: Vec<&str> = network.inputs().iter().map(String::as_str).collect();
    Ok(Csv::new(path).targets(&names).only_targets().read()?.whole()?.x)
}

/// Prints a line for every row.
pub fn predict(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let network = Network::load(&arguments.model, &Library::standard())?;
    let device = knotwork::open_device(arguments.device.as_deref())?;
    let x = rows(&network, &arguments.data)?;
    if x.shape()[0] == 0 {
        bail!("{} has no rows", arguments.data.display());
    }
    let y = network.predict(&device, &x)?.to_f64();
    let mut text = network.outputs().join(",");
    text.push('\n');
    for row in y.chunks(network.outputs().len()) {
        let values: Vec<String> = row.iter().map(|y| (*y as f32).to_string()).collect();
        text.push_str(&values.join(","));
        text.push('\n');
    }
    match &arguments.output {
        Some(path) => {
            crate::explain::write(path, &text).context("the predictions")?;
            writeln!(out, "{} rows in {}", x.shape()[0], path.display())?;
        }
        None => out.write_all(text.as_bytes())?,
    }
    Ok(())
}
