//! `knotwork bench kernels`: every family of kernels over named shapes, checked and timed.

mod case;
mod cases;
mod compare;
mod measure;
mod random;
mod record;
mod select;
mod table;

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use knotwork::{
    Device,
    plan::{DeviceKind, Speed},
};

use case::{Case, Size};
use compare::Comparison;
use measure::{Outcome, Settings, measure};
use record::{DeviceRecord, File, VERSION};
use table::Lines;

/// What to measure, where, how long, and where the figures go.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Arguments {
    /// Parts of the names of cases (`softmax`, `matmul/1024`); all cases without one
    names: Vec<String>,
    /// The device: `cpu`, `gpu`, or part of a GPU's name
    #[arg(long)]
    device: Option<String>,
    /// How large the shapes are: by default large on a discrete GPU, else small
    #[arg(long)]
    size: Option<Size>,
    /// Seconds of timed runs for each case, and for each variant
    #[arg(long, value_parser = seconds, conflicts_with = "runs")]
    seconds: Option<f64>,
    /// So many runs of each case, however long they take
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// The seed of the inputs; another one each time by default
    #[arg(long)]
    seed: Option<u64>,
    /// Every kernel variant that the device can run, not only the one that the planner takes
    #[arg(long)]
    variants: bool,
    /// Does not measure what the device can do at most
    #[arg(long)]
    no_peak: bool,
    /// Writes the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Shows each time beside that of an earlier run's file
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Lists the cases and measures nothing
    #[arg(long)]
    list: bool,
}

/// Seconds for each case where nothing else is asked for.
const SECONDS: f64 = 0.5;

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if s > 0.0 && s <= 3600.0 => Ok(s),
        Ok(s) => Err(format!("{s} seconds; it must be above 0 and at most 3600")),
        Err(e) => Err(e.to_string()),
    }
}

/// The shapes for a device: large ones would take a software driver hours.
fn size_for(device: &Device) -> Size {
    let capabilities = device.capabilities();
    if capabilities.kind == DeviceKind::Gpu && capabilities.speed == Speed::DISCRETE {
        Size::Large
    } else {
        Size::Small
    }
}

/// A seed that no run before has had.
fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() ^ u64::from(since.subsec_nanos()) << 20
}

/// Measures, prints and writes the figures.
///
/// # Errors
/// Where a name is not known, a file is no bench's, the device cannot be opened, or a result is wrong; figures of the
/// others are written before.
pub fn kernels(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    if arguments.list {
        let all = cases::all(arguments.size.unwrap_or(Size::Small));
        for i in select::select(&all, &arguments.names)? {
            writeln!(out, "{}", all[i].name)?;
        }
        return Ok(());
    }
    // What is wrong with the file and the names is told before anything takes time.
    let old = arguments.compare.as_deref().map(record::read).transpose()?;
    if let Some(path) = &arguments.json {
        writable(path)?;
    }
    let device = knotwork::open_device(arguments.device.as_deref())?;
    let size = arguments.size.unwrap_or_else(|| size_for(&device));
    let (all, twins) = (cases::all(size), cases::all(Size::Tiny));
    let taken = select::select(&all, &arguments.names)?;
    let pairs: Vec<(&Case, &Case)> = taken.iter().map(|&i| (&all[i], &twins[i])).collect();
    run(arguments, &device, size, &pairs, old.as_ref(), out)
}

/// That a file can be written: a run may take long. Nothing of the file changes.
fn writable(path: &Path) -> Result<()> {
    let there = path.exists();
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
    opened.with_context(|| format!("cannot write {}", path.display()))?;
    if !there {
        std::fs::remove_file(path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Measures cases, each with its smallest form beside it.
fn run(
    arguments: &Arguments,
    device: &Device,
    size: Size,
    cases: &[(&Case, &Case)],
    old: Option<&File>,
    out: &mut impl Write,
) -> Result<()> {
    let mut file = File {
        version: VERSION,
        knotwork: env!("CARGO_PKG_VERSION").into(),
        commit: env!("KNOTWORK_COMMIT").into(),
        build: if cfg!(debug_assertions) { "debug" } else { "release" }.into(),
        device: DeviceRecord::from(device.info()),
        peak: None,
        size: size.name().into(),
        seed: arguments.seed.unwrap_or_else(fresh_seed),
        cases: Vec::new(),
        skipped: Vec::new(),
        wrong: Vec::new(),
    };
    if !arguments.no_peak {
        // The times are worth showing without it.
        match device.peak() {
            Ok(peak) => file.peak = Some(peak.into()),
            Err(e) => eprintln!("the device's peak could not be measured: {e}"),
        }
    }
    let settings = Settings {
        seconds: arguments.seconds.unwrap_or(SECONDS),
        runs: arguments.runs.map(|n| n as usize),
        seed: file.seed,
        variants: arguments.variants,
        peak: file.peak,
        oracle: measure::ORACLE,
    };
    let lines = Lines::new(cases.iter().map(|(case, _)| case.name.as_str()), old.is_some());
    lines.header(device, &file, out)?;
    if let Some(old) = old {
        for warning in compare::warnings(old, &file) {
            writeln!(out, "warning: {warning}: ratios say little")?;
        }
    }
    for (case, twin) in cases {
        measure(device, case, twin, &settings, |outcome| {
            match outcome {
                Outcome::Measured(record) => {
                    let before = old.and_then(|old| compare::before(old, &record));
                    lines.measured(&record, before, out)?;
                    file.cases.push(*record);
                }
                Outcome::Skipped(note) => {
                    lines.note("skipped", &note, out)?;
                    file.skipped.push(note);
                }
                Outcome::Wrong(note) => {
                    lines.note("WRONG", &note, out)?;
                    file.wrong.push(note);
                }
            }
            out.flush()?;
            Ok(())
        })?;
    }
    if let Some(old) = old {
        let asked =
            |name: &str| cases.iter().any(|(case, _)| case.name == name) || arguments.names.is_empty();
        write!(out, "\n{}", Comparison::of(old, &file, asked))?;
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&file)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    match file.wrong.as_slice() {
        [] => Ok(()),
        [first, ..] => bail!(
            "{} of {} cases went wrong on {} (seed {}); the first: {} {}: {}",
            file.wrong.len(),
            file.wrong.len() + file.cases.len(),
            device.info(),
            file.seed,
            first.name,
            first.variant,
            first.message
        ),
    }
}

#[cfg(test)]
mod tests;
