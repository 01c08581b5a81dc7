//! `knotwork plot`: a picture of a saved network.

use std::{io::Write, path::PathBuf};

use anyhow::{Result, bail};
use knotwork::{
    nn::{Generator, kan::Network, symbolic::Library},
    prelude::*,
};

use crate::predict::rows;

/// Which model to draw.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A model that `knotwork train kan` wrote.
    model: PathBuf,
    /// A table whose rows say what edges are given and how much they do; without it points spread over the inputs' grids.
    #[arg(long, value_name = "CSV")]
    data: Option<PathBuf>,
    /// Draws one edge instead: layer, input, output.
    #[arg(long, value_delimiter = ',', value_name = "L,I,O")]
    edge: Vec<usize>,
    /// The picture, .svg or .png: MODEL with the ending `.svg` unless given.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
}

/// Points where there are no data: they are drawn over the grids.
const SPREAD: usize = 1000;

/// Draws the network or one of its edges.
pub fn plot(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let network = Network::load(&arguments.model, &Library::standard())?;
    let device = knotwork::open_device(arguments.device.as_deref())?;
    let x = match &arguments.data {
        Some(path) => rows(&network, path)?,
        None => spread(&network)?,
    };
    let path = arguments.output.clone().unwrap_or_else(|| arguments.model.with_extension("svg"));
    match arguments.edge[..] {
        [] => {
            let name =
                arguments.model.file_stem().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            network.diagram(&name, &device, &x)?.save(&path)?;
        }
        [layer, input, output] => network.edge_plot(&device, &x, layer, input, output)?.save(&path)?,
        ref other => bail!("--edge has {} numbers; it must have 3: layer, input, output", other.len()),
    }
    writeln!(out, "{}", path.display())?;
    Ok(())
}

/// Points all over the inputs' grids, in the data's units.
fn spread(network: &Network) -> Result<HostTensor> {
    let Some(layer) = network.layers().first() else { bail!("the network has no layers") };
    let inputs = layer.inputs();
    let unit = Generator::new(0).uniform(&[SPREAD, inputs], 0.0, 1.0)?.to_f64();
    let points: Vec<f32> = unit
        .iter()
        .enumerate()
        .map(|(k, part)| {
            let (low, high) = layer.range(k % inputs);
            let x = low + part * (high - low);
            network.input_units().get(k % inputs).map_or(x, |u| u.outwards(x)) as f32
        })
        .collect();
    Ok(HostTensor::new(&points, [SPREAD, inputs])?)
}
