//! `knotwork tune`: which kernel variants are best on this device, as a table in the user's cache.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use knotwork::{
    HostTensor,
    ops::{Tunable, tunable},
    plan::{DeviceKind, PlanOptions, Tuned},
    prelude::*,
};

/// Rounds in which the variants of a class take turns; medians count.
const ROUNDS: usize = 7;
/// A variant that took so many times as long as the best in the first round has no part in the others.
const HOPELESS: f64 = 2.0;
/// A variant is chosen in place of the one that is taken without a table where it takes at most this share of its time.
const GAIN: f64 = 0.95;

/// Where, and for how long.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The device: `gpu`, or part of a GPU's name.
    #[arg(long)]
    device: Option<String>,
    /// Stops after so many seconds; classes of shapes that were not reached keep the choices that they had.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Writes the table there instead of the user's cache, where it is not read.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only classes whose name, or whose operation's, has this in it, such as `wide/`, `long` or `kan_forward`.
    #[arg(long, value_name = "TEXT")]
    class: Option<String>,
    /// Takes variants that are hopelessly slow through all rounds too, for their medians.
    #[arg(long)]
    all: bool,
    /// The commit that the table says it was measured with; this version of Knotwork where none is given.
    #[arg(long, default_value = concat!("v", env!("CARGO_PKG_VERSION")))]
    commit: String,
}

/// A variant under measurement.
struct Candidate {
    program: Program,
    variant: &'static str,
    ns: Vec<f64>,
}

impl Candidate {
    fn median(&self) -> f64 {
        let mut ns = self.ns.clone();
        ns.sort_by(f64::total_cmp);
        ns.get(ns.len() / 2).copied().unwrap_or(f64::INFINITY)
    }
}

/// Measures, prints each class, and writes the table.
///
/// # Errors
/// Where the device is none with variants, or fails, or the table cannot be written.
pub fn tune(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let device = knotwork::open_device(Some(arguments.device.as_deref().unwrap_or("gpu")))?;
    if device.info().kind == DeviceKind::Cpu {
        bail!("the CPU has no kernel variants to choose from; `--device gpu` or part of a GPU's name");
    }
    let path = match &arguments.output {
        Some(path) => path.clone(),
        None => place(&device)?,
    };
    let info = device.info().clone();
    let until = Instant::now() + Duration::from_secs(arguments.seconds);
    let has = |t: &Tunable, text: &str| t.class.contains(text) || t.operation.contains(text);
    let wanted = |t: &Tunable| arguments.class.as_ref().is_none_or(|text| has(t, text));
    let all: Vec<Tunable> = tunable().into_iter().filter(wanted).collect();
    if all.is_empty() {
        bail!("no class or operation has `{}` in its name", arguments.class.as_deref().unwrap_or_default());
    }
    let mut table = Tuned::new(&info.name, &info.driver, &arguments.commit);
    // What an earlier run of this command found for this driver, where that can be read.
    let earlier = fs::read_to_string(&path).ok().and_then(|text| Tuned::parse(&text, &info.driver).ok());
    for (operation, class, variant) in earlier.iter().flat_map(Tuned::choices) {
        table.choose(operation, class, variant);
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?;
    let bar = ProgressBar::new(all.len() as u64).with_style(style);
    writeln!(out, "{info}, at most {} s", arguments.seconds)?;
    let mut done = 0;
    // Seconds that the kernels took in all rounds, for each operation of the last class.
    let mut pace = 0.0;
    for work in &all {
        let begin = Instant::now();
        let left = until.saturating_duration_since(begin).as_secs_f64();
        if left <= 0.0 || pace * work.flops > left {
            break;
        }
        bar.set_message(format!("{} {}", work.operation, work.class));
        if bar.is_hidden() {
            eprintln!("{}/{} {} {} {}", done + 1, all.len(), work.operation, work.class, work.case.name);
        }
        let hopeless = if arguments.all { f64::INFINITY } else { HOPELESS };
        let mut found = measure(&device, work, until, hopeless)?;
        let Some(usual) = found.first().map(Candidate::median) else { break };
        let name = found[0].variant;
        found.sort_by(|a, b| a.median().total_cmp(&b.median()));
        let best = if found[0].median() <= GAIN * usual { found[0].variant } else { name };
        table.choose(work.operation, &work.class, best);
        let times: Vec<String> =
            found.iter().map(|c| format!("{} {:.3}", c.variant, c.median() / 1e6)).collect();
        let line = format!(
            "{} {} {}: {best} (was {name}); ms: {}",
            work.operation,
            work.class,
            work.case.name,
            times.join(", ")
        );
        bar.suspend(|| writeln!(out, "{line}"))?;
        pace = found.iter().flat_map(|c| &c.ns).sum::<f64>() / 1e9 / work.flops;
        done += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    if done == 0 {
        bail!("{} s were not enough to measure a single class", arguments.seconds);
    }
    save(&path, &table)?;
    writeln!(out, "{done} of {} classes measured; the table is {}", all.len(), path.display())?;
    Ok(())
}

#[cfg(feature = "gpu")]
fn place(device: &Device) -> Result<PathBuf> {
    knotwork::gpu::tuned_path(device.info()).context(
        "there is no cache folder (KNOTWORK_CACHE=off, or no home); `--output FILE` writes elsewhere",
    )
}

#[cfg(not(feature = "gpu"))]
fn place(_: &Device) -> Result<PathBuf> {
    bail!("this build of Knotwork is without the feature `gpu`")
}

/// Times every variant, the usual one first; nothing where the time was up before each was measured once.
fn measure(device: &Device, work: &Tunable, until: Instant, hopeless: f64) -> Result<Vec<Candidate>> {
    let graph = Graph::new();
    let mut inputs = Vec::new();
    let mut feeds = Vec::new();
    for (i, input) in work.case.inputs.iter().enumerate() {
        let name = format!("x{i}");
        inputs.push(graph.input(&name, input.dtype, input.shape.as_slice())?);
        let count: usize = input.shape.iter().product();
        let values: Vec<f32> = (0..count).map(|j| ((j * 7919 + i) % 4093) as f32 / 2047.0 - 1.0).collect();
        feeds.push((name, HostTensor::new(&values, &input.shape)?));
    }
    let outputs = (work.case.build)(&inputs)?;
    let outputs: Vec<&Tensor> = outputs.iter().collect();
    let lent = || feeds.iter().map(|(name, value)| (name.as_str(), value));
    let mut all: Vec<Candidate> = Vec::new();
    for n in 0.. {
        let options = PlanOptions { variant: Some(n), ..PlanOptions::default() };
        let mut program = device.compile(&graph, &outputs, &[])?.with_options(options);
        let plan = program.plan(&[].into())?;
        let variant = plan.steps.iter().find(|s| s.op.name() == work.operation).map(|s| s.variant);
        let variant = variant.with_context(|| format!("the plan has no `{}`", work.operation))?;
        // Beyond the last variant the first comes again.
        if all.iter().any(|c| c.variant == variant) {
            break;
        }
        let profile = program.profile(lent(), 1)?;
        all.push(Candidate { program, variant, ns: vec![profile.total_ns()] });
        if Instant::now() > until {
            return Ok(Vec::new());
        }
    }
    let best = all.iter().map(Candidate::median).fold(f64::INFINITY, f64::min);
    let mut first = true;
    all.retain(|c| std::mem::take(&mut first) || c.median() <= hopeless * best);
    for _ in 1..ROUNDS {
        if Instant::now() > until {
            break;
        }
        for c in &mut all {
            c.ns.push(c.program.profile(lent(), 1)?.total_ns());
        }
    }
    Ok(all)
}

/// Writes the table whole or not at all.
fn save(path: &Path, table: &Tuned) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&temporary, table.to_json())?;
        fs::rename(temporary, path)
    };
    write().with_context(|| format!("{} could not be written", path.display()))
}
