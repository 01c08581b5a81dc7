//! `knotwork train`: networks from tables.

mod data;
mod kan;
mod report;

use std::io::Write;

use anyhow::Result;
use clap::Subcommand;

/// What to train.
#[derive(Debug, Subcommand)]
pub enum Train {
    /// A Kolmogorov–Arnold network: sparse, pruned, refined and turned into a formula where asked for.
    Kan(kan::Arguments),
}

/// Trains it.
pub fn train(what: &Train, out: &mut impl Write) -> Result<()> {
    match what {
        Train::Kan(arguments) => kan::train(arguments, out),
    }
}
