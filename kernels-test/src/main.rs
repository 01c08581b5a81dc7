//! `kernels-test cases DIR...` and `kernels-test harness`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use kernels_test::{
    backends::{self, Selection},
    cases, catalogue,
    harness::{self, List},
    random,
};
use knotwork::plan::DeviceKind;

#[derive(Parser)]
#[command(about = "Holds every kernel against references", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run conformance cases: DIR/OPERATION/CASE.safetensors
    Cases {
        /// Folders of operations, or folders of one operation's cases
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        #[command(flatten)]
        selection: Selection,
        /// Write the results to this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Hold every registered operation against its definition in f64
    Harness {
        #[command(flatten)]
        selection: Selection,
        /// On GPUs, only what shows a kernel that nothing before has shown: every kernel, by
        /// name, at least once
        #[arg(long)]
        short: bool,
        /// Fail where a GPU has no cooperative matrices, so that a run that is for them cannot pass without
        #[arg(long)]
        cooperative: bool,
    },
    /// Write the catalogue of operations
    Operations {
        /// Where to
        #[arg(long, default_value = "docs/operations.md", value_name = "FILE")]
        to: PathBuf,
    },
    /// Make random graphs and hold their plans against the oracle
    Random {
        #[command(flatten)]
        selection: Selection,
        /// How many graphs
        #[arg(long, default_value_t = 100)]
        count: usize,
    },
}

fn main() -> Result<ExitCode> {
    let passed = match Arguments::parse().command {
        Command::Cases { folders, selection, json } => {
            let backends = opened(&selection)?;
            let report = cases::run(&folders, &selection, &backends, |verdict| {
                for (tensor, message) in &verdict.failures {
                    println!(
                        "FAILED {}: {} {} {tensor} {message}",
                        verdict.backend, verdict.op, verdict.case
                    );
                }
            })?;
            if let Some(path) = json {
                let text = serde_json::to_string_pretty(&report.json())?;
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
            print!("{report}");
            report.passed()
        }
        Command::Harness { selection, short, cooperative } => {
            // A misspelt name must not look like success.
            let registered = knotwork::ops::registry();
            if let Some(name) =
                selection.ops.iter().find(|name| registered.iter().all(|op| op.name != **name))
            {
                bail!("no operation `{name}` is registered");
            }
            let backends = opened(&selection)?;
            let lacks = |b: &&backends::Backend| b.device.capabilities().cooperative.is_empty();
            let gpu = |b: &&backends::Backend| b.device.info().kind == DeviceKind::Gpu;
            if let Some(backend) = backends.iter().filter(gpu).find(lacks).filter(|_| cooperative) {
                bail!("{} ({}) has no cooperative matrices", backend.name, backend.device.info());
            }
            let report = harness::run(
                &selection,
                if short { List::Short } else { List::Full },
                &backends,
                |failure| println!("FAILED {failure}"),
            );
            print!("{report}");
            report.passed()
        }
        Command::Operations { to } => {
            let text = catalogue::document().map_err(anyhow::Error::msg)?;
            std::fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))?;
            println!("wrote {}", to.display());
            true
        }
        Command::Random { selection, count } => {
            let backends = opened(&selection)?;
            let wrong = random::run(count, &backends, |failure| println!("FAILED {failure}"));
            println!("random graphs: {} passed, {wrong} failed", count - wrong);
            wrong == 0
        }
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn opened(selection: &Selection) -> Result<Vec<backends::Backend>> {
    let all = backends::open(selection)?;
    for backend in &all {
        println!("{}: {}", backend.name, backend.device.info());
    }
    Ok(all)
}
