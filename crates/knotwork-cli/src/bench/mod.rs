//! `knotwork bench`.

mod kernels;
mod planning;
mod replay;
mod schedule;

use std::io::Write;

/// What is measured: the kernels, where nothing else is named.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    kernels: kernels::Arguments,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Every family of kernels over named shapes: checked against the oracle, then timed.
    Kernels(kernels::Arguments),
    /// Dispatches and memory of the reference networks' plans; the time to plan; the host's time to replay.
    Schedule(schedule::Arguments),
}

/// Measures.
///
/// # Errors
/// As what is measured.
pub fn bench(bench: &Bench, out: &mut impl Write) -> anyhow::Result<()> {
    match &bench.what {
        None => kernels::kernels(&bench.kernels, out),
        Some(What::Kernels(arguments)) => kernels::kernels(arguments, out),
        Some(What::Schedule(arguments)) => schedule::schedule(arguments, out),
    }
}
