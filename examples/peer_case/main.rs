//! Times one case of `benches/peers/cases.json` on a device and prints the figures as one line of JSON, for
//! `benches/peers/run.py` to set beside PyTorch's.
//!
//!     cargo run --release --example peer_case -- kan_64_g5 --device cpu
//!
//! Everything that the case works on lies on the device beforehand, and stays there.

mod case;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use knotwork::prelude::*;
use knotwork_examples::device_name;
use serde_json::{Value, json};

/// Times one case of the comparison with PyTorch.
#[derive(Debug, Parser)]
struct Arguments {
    /// A name in the file of cases.
    case: String,
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
    /// The file of cases.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/peers/cases.json"))]
    cases: PathBuf,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Steps between two waits: 1 times each by itself, more let a device's queue fill.
    #[arg(long, default_value_t = 1)]
    per: u32,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.seconds > 0.0 && arguments.seconds <= 3600.0, "--seconds must lie in 0..3600");
    ensure!((1..=10_000).contains(&arguments.per), "--per must lie in 1..10000");
    let text = std::fs::read_to_string(&arguments.cases)
        .with_context(|| format!("the cases cannot be read from {}", arguments.cases.display()))?;
    let cases: serde_json::Map<String, Value> = serde_json::from_str(&text)
        .with_context(|| format!("{} holds no object of cases", arguments.cases.display()))?;
    let case = cases.get(&arguments.case).with_context(|| {
        let names: Vec<&str> = cases.keys().map(String::as_str).collect();
        format!("there is no case `{}`; there are {}", arguments.case, names.join(", "))
    })?;

    let device = knotwork::open_device(arguments.device.as_deref())?;
    let mut program = case::program(&device, case).with_context(|| format!("case `{}`", arguments.case))?;
    let samples = samples(&mut program, arguments.per, Duration::from_secs_f64(arguments.seconds))?;
    let quantile = |q: f64| samples[((samples.len() - 1) as f64 * q).round() as usize];
    let figures = json!({
        "case": arguments.case,
        "device": device_name(device.info()),
        "median_ms": quantile(0.5),
        "quartiles_ms": [quantile(0.25), quantile(0.75)],
        "samples": samples.len(),
        "steps_per_sample": arguments.per,
    });
    println!("{figures}");
    Ok(())
}

/// Milliseconds of a step, sorted: after a third of the time to warm up, samples of `per` steps until the time is over.
fn samples(program: &mut Program, per: u32, time: Duration) -> Result<Vec<f64>> {
    let mut sample = || -> Result<f64> {
        let start = Instant::now();
        for _ in 1..per {
            program.run::<HostTensor>([])?;
        }
        program.run::<HostTensor>([])?.wait()?;
        Ok(start.elapsed().as_secs_f64() * 1e3 / f64::from(per))
    };
    let start = Instant::now();
    for warm in 0.. {
        sample()?;
        if warm >= 2 && start.elapsed() > time / 3 {
            break;
        }
    }
    let (start, mut all) = (Instant::now(), Vec::new());
    while all.len() < 5 || start.elapsed() < time {
        all.push(sample()?);
    }
    all.sort_by(f64::total_cmp);
    Ok(all)
}
