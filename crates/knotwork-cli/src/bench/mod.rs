//! `knotwork bench`.

mod planning;
mod replay;
mod schedule;

use std::io::Write;

/// What is measured.
#[derive(Debug, clap::Subcommand)]
pub enum Bench {
    /// Dispatches and memory of the reference networks' plans; the time to plan; the host's time to replay.
    Schedule(schedule::Arguments),
}

/// Measures.
///
/// # Errors
/// As what is measured.
pub fn bench(what: &Bench, out: &mut impl Write) -> anyhow::Result<()> {
    match what {
        Bench::Schedule(arguments) => schedule::schedule(arguments, out),
    }
}
