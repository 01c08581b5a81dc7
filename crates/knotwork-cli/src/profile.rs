//! `knotwork profile`: where the time of a reference network's run goes.

use std::{io::Write, path::PathBuf};

use anyhow::Result;
use knotwork::{HostTensor, graph::Update, plan::PlanOptions, prelude::*};

use crate::{explain::write, networks::Name};

/// What to measure, where, and where else to write it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The network.
    network: Name,
    /// The device: `cpu`, `gpu`, or part of a GPU's name.
    #[arg(long)]
    device: Option<String>,
    /// Runs to measure, after one to warm up; medians are shown.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// One kernel for each elementwise node.
    #[arg(long)]
    no_fuse: bool,
    /// Does not measure what the device can do at most.
    #[arg(long)]
    no_peak: bool,
    /// Writes one run as a trace that Perfetto and Chrome open, with the arena's live bytes.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Writes all times as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Prints times by kernel and writes the files that were asked for.
pub fn profile(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let device = knotwork::open_device(arguments.device.as_deref())?;
    let network = arguments.network.build()?;
    let outputs: Vec<&Tensor> = network.outputs.iter().collect();
    let updates: Vec<&Update> = network.updates.iter().collect();
    let options = PlanOptions { no_fuse: arguments.no_fuse, ..PlanOptions::default() };
    let mut program = device.compile(&network.graph, &outputs, &updates)?.with_options(options);
    let feeds: Vec<(String, HostTensor)> = program
        .plan(&[].into())?
        .feeds
        .iter()
        .enumerate()
        .map(|(k, feed)| Ok((feed.name.clone(), value(feed.dtype, &feed.shape, k)?)))
        .collect::<Result<_>>()?;
    let lent = feeds.iter().map(|(name, value)| (name.as_str(), value));
    let mut profile = program.profile(lent, arguments.runs as usize)?;
    if !arguments.no_peak {
        // The times are worth showing without it.
        match device.peak() {
            Ok(peak) => profile = profile.with_peak(peak),
            Err(e) => eprintln!("the device's peak could not be measured: {e}"),
        }
    }
    if let Some(path) = &arguments.trace {
        write(path, &profile.trace())?;
    }
    if let Some(path) = &arguments.json {
        write(path, &profile.to_json())?;
    }
    write!(out, "{}: {profile}", arguments.network)?;
    Ok(())
}

/// Something to compute with: numbers between -1 and 1, labels from 0 to 9.
fn value(dtype: DType, shape: &[usize], seed: usize) -> Result<HostTensor> {
    let count: usize = shape.iter().product();
    let label = |i: usize| ((i * 7 + seed) % 10) as f64;
    let number = |i: usize| ((i * 7919 + seed * 104_729) as f64 * 0.618_033_988_749_895).sin();
    let values: Vec<f32> =
        (0..count).map(|i| if dtype.is_float() { number(i) } else { label(i) } as f32).collect();
    Ok(HostTensor::new(&values, shape)?.cast(dtype))
}
