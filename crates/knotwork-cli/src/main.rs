//! The command `knotwork`.

use clap::{Parser, Subcommand};

mod bench;
mod devices;
mod explain;
mod networks;
mod plot;
mod predict;
mod profile;
mod train;
mod tune;
mod verify;
mod warnings;

/// GPU-first compute with hand-written WGSL kernels.
#[derive(Debug, Parser)]
#[command(name = "knotwork", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the devices that programs can run on: driver, limits, features, profile, kernel variants.
    Devices,
    /// Measures the kernels (or, as `bench schedule`, the planner and the replay); figures as a table and as JSON.
    Bench(bench::Bench),
    /// Shows the plan of a reference network: nodes, kernels, dispatches, memory; also as DOT and SVG.
    Explain(explain::Arguments),
    /// Measures a reference network dispatch by dispatch: times by kernel, rates, shares, a trace for Perfetto.
    Profile(profile::Arguments),
    /// Trains a network on a table: `knotwork train kan DATA.csv --target COLUMN`.
    #[command(subcommand)]
    Train(train::Train),
    /// Prints what a trained network predicts for the rows of a table.
    Predict(predict::Arguments),
    /// Draws a trained network, or the function on one of its edges.
    Plot(plot::Arguments),
    /// Measures which kernel variants are best on a GPU, within a given time, and writes a table that later runs follow.
    Tune(tune::Arguments),
    /// Runs a reference network on a device, node by node against the oracle, then as planned.
    Verify(verify::Arguments),
}

fn main() -> anyhow::Result<()> {
    warnings::show();
    let out = &mut std::io::stdout().lock();
    let done = match Arguments::parse().command {
        Command::Devices => devices::list(out),
        Command::Bench(what) => bench::bench(&what, out),
        Command::Explain(arguments) => explain::explain(&arguments, out),
        Command::Profile(arguments) => profile::profile(&arguments, out),
        Command::Train(what) => train::train(&what, out),
        Command::Predict(arguments) => predict::predict(&arguments, out),
        Command::Plot(arguments) => plot::plot(&arguments, out),
        Command::Tune(arguments) => tune::tune(&arguments, out),
        Command::Verify(arguments) => verify::verify(&arguments, out),
    };
    // Whoever reads may have seen enough (`| head`).
    let closed = |e: &anyhow::Error| {
        e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    };
    done.or_else(|e| if closed(&e) { Ok(()) } else { Err(e) })
}
