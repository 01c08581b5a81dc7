//! The command `knotwork`.

use clap::{Parser, Subcommand};

mod bench;
mod devices;
mod networks;
mod verify;

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
    /// Runs a reference network on a device, node by node against the oracle, then as planned.
    Verify(verify::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Devices => devices::list(&mut std::io::stdout().lock()),
        Command::Verify(arguments) => verify::verify(&arguments, &mut std::io::stdout().lock()),
    }
}
