//! Knotwork's project tasks: `cargo xtask setup` finds or installs what the tests need, `cargo xtask test` runs
//! every check there is. Both do the same on a desk and in CI.

mod full;
mod mesa;
mod setup;
mod test;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about = "Knotwork's project tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find a Vulkan loader and driver, and install Mesa's software driver where there is none
    Setup {
        /// Only say what is there; fail where something is missing
        #[arg(long)]
        check: bool,
        /// Also what `test --full` needs: two more software drivers, spirv-val, and Tint (Chrome's compiler) under node
        #[arg(long)]
        full: bool,
    },
    /// Run every check: format, lints, a build without GPU, tests, the kernel harness and the conformance cases
    Test {
        /// Install what is missing first
        #[arg(long)]
        setup: bool,
        /// Also on a second software driver (SwiftShader), products by cooperative matrices on a third (a newer lavapipe), and
        /// every kernel through spirv-val and Tint
        #[arg(long)]
        full: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Setup { check, full } => prepare(!check, full).map(drop),
        Task::Test { setup, full } => prepare(setup, full).and_then(|tools| test::run(tools.as_ref())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // the message alone: where in this program it arose helps nobody
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Finds what tests need, and installs what is missing where asked to.
fn prepare(install: bool, full: bool) -> Result<Option<full::Tools>> {
    if install { setup::install() } else { setup::check() }?;
    full.then(|| full::Tools::prepare(install)).transpose()
}

/// The target folder, where what tasks make and fetch lies.
fn target() -> Result<PathBuf> {
    let root = root()?;
    Ok(env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir)))
}

/// The root of the repository: tasks do the same from whichever folder they are started.
fn root() -> Result<PathBuf> {
    // at run time from cargo, so that checkouts that share a target folder do not mix
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Ok(Path::new(&here).ancestors().nth(2).context("crates/xtask has lost its repository")?.to_path_buf())
}
