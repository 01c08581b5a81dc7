//! The command `knotwork`.

use clap::{Parser, Subcommand};

mod bench;
mod devices;
mod networks;

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
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Devices => devices::list(&mut std::io::stdout().lock()),
    }
}
