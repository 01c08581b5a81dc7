//! One case: checked, then timed, in one kernel variant or in each.

use std::time::Instant;

use anyhow::{Result, bail};
use knotwork::{
    Device, Error, HostTensor,
    graph::Update,
    ops::Cost,
    plan::{DeviceKind, Plan, PlanOptions},
    prelude::*,
};

use super::{
    case::{Case, Made},
    record::{Note, PeakRecord, Record},
};

/// How long and what.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Seconds of timed runs for each case and variant.
    pub seconds: f64,
    /// So many runs, however long they take.
    pub runs: Option<usize>,
    /// The seed of the inputs.
    pub seed: u64,
    /// Each kernel variant, not only the one that the planner takes.
    pub variants: bool,
    /// What per cents are of.
    pub peak: Option<PeakRecord>,
    /// The most work that the oracle checks.
    pub oracle: Cost,
}

/// The oracle's plain loops take some seconds for so many operations, on copies in double precision.
pub const ORACLE: Cost = Cost { flops: 3e9, bytes: 4e8 };

/// What came of a case in one variant.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is right, and took so long.
    Measured(Box<Record>),
    /// The device cannot run it.
    Skipped(Note),
    /// It is wrong, or failed.
    Wrong(Note),
}

/// Runs that are timed at least and at most, where their number is not given.
const RUNS: (usize, usize) = (5, 2000);
/// More kernel variants than any operation has.
const VARIANTS: usize = 64;

/// Checks and times a case; `each` gets what came of each variant. `twin` is the same case at its smallest, which the
/// oracle checks where the case is too large for it.
pub fn measure(
    device: &Device,
    case: &Case,
    twin: &Case,
    settings: &Settings,
    mut each: impl FnMut(Outcome) -> Result<()>,
) -> Result<()> {
    let note =
        |variant: &str, message: String| Note { name: case.name.clone(), variant: variant.into(), message };
    let made = match case.make(settings.seed) {
        Ok(made) => made,
        Err(error) => return each(Outcome::Wrong(note("", format!("{error:#}")))),
    };
    let many = settings.variants && device.info().kind == DeviceKind::Gpu;
    let mut seen: Vec<String> = Vec::new();
    for n in 0..if many { VARIANTS } else { 1 } {
        let options = PlanOptions { variant: (n > 0).then_some(n), ..PlanOptions::default() };
        let planned = made.program(device, options).and_then(|mut program| {
            let plan = program.plan(&[].into())?;
            Ok((program, plan))
        });
        let (mut program, plan) = match planned {
            Ok(planned) => planned,
            Err(error @ Error::Limit { .. }) => return each(Outcome::Skipped(note("", error.to_string()))),
            Err(error) => return each(Outcome::Wrong(note("", error.to_string()))),
        };
        let variant = variants(&plan);
        if seen.contains(&variant) {
            break;
        }
        let found = check(device, &mut program, &made, &plan, twin, settings)
            .and_then(|checked| time(&mut program, &made, &plan, settings).map(|t| (checked, t)));
        each(match found {
            Ok((checked, times)) => {
                let record = times.record(&case.name, &variant, &plan, checked, settings.peak);
                Outcome::Measured(Box::new(Record { chosen: n == 0, ..record }))
            }
            Err(error) => Outcome::Wrong(note(&variant, format!("{error:#}"))),
        })?;
        seen.push(variant);
    }
    Ok(())
}

/// The variants of a plan's steps, each named once with its operation where there are several.
fn variants(plan: &Plan) -> String {
    let mut named: Vec<String> = Vec::new();
    for step in plan.steps.iter().filter(|s| !s.variant.is_empty()) {
        let name = format!("{}:{}", step.op.name(), step.variant);
        if named.last() != Some(&name) {
            named.push(name);
        }
    }
    named.join(" ")
}

impl Made {
    fn program(&self, device: &Device, options: PlanOptions) -> knotwork::Result<Program> {
        let outputs: Vec<&Tensor> = self.outputs.iter().collect();
        let updates: Vec<&Update> = self.updates.iter().collect();
        Ok(device.compile(&self.graph, &outputs, &updates)?.with_options(options))
    }

    /// The values of those inputs that a plan reads: gradients need not read all of them.
    fn read_by<'a>(&'a self, plan: &Plan) -> Vec<(&'a str, &'a HostTensor)> {
        let read = |name: &str| plan.feeds.iter().any(|f| f.name == name);
        self.feeds.iter().map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| read(name)).collect()
    }
}

/// Holds the results against the oracle; what exactly they were held against.
fn check(
    device: &Device,
    program: &mut Program,
    made: &Made,
    plan: &Plan,
    twin: &Case,
    settings: &Settings,
) -> Result<String> {
    let cost = plan.cost();
    if cost.flops <= settings.oracle.flops && cost.bytes <= settings.oracle.bytes {
        verify(program, made, plan)?;
        return Ok("oracle".into());
    }
    if device.info().kind == DeviceKind::Gpu {
        against_cpu(program, made, plan)?;
        return Ok("cpu".into());
    }
    let small = twin.make(settings.seed)?;
    let mut program = small.program(device, PlanOptions::default())?;
    let plan = program.plan(&[].into())?;
    verify(&mut program, &small, &plan)?;
    Ok(format!("oracle, as {}", twin.name))
}

fn verify(program: &mut Program, made: &Made, plan: &Plan) -> Result<()> {
    let found = program.verify(made.read_by(plan))?;
    if let Some(first) = &found.first {
        bail!(
            "`{}` (made at {}): element {:?} of output {} is {:e}; the oracle says {:e} (may differ by {:e})",
            first.op,
            first.site,
            first.element,
            first.output,
            first.device,
            first.oracle,
            first.allowed
        );
    }
    if let Some(planned) = &found.planned {
        bail!(
            "{}: element {:?} is {:e} as planned; the oracle says {:e}",
            planned.what,
            planned.element,
            planned.device,
            planned.oracle
        );
    }
    Ok(())
}

/// What a large result may miss the CPU backend's by, relative to its largest element (at least 1): both round, in
/// different orders.
fn allowed(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => 1e-5,
        DType::F16 => 4e-3,
        DType::F64 => 1e-12,
        DType::I32 | DType::U32 | DType::Bool => 0.0,
    }
}

/// Outputs and new values of slots against those of the CPU backend, which is itself held against the oracle.
fn against_cpu(program: &mut Program, made: &Made, plan: &Plan) -> Result<()> {
    let mut own = made.program(&Device::cpu(), PlanOptions::default())?;
    agree(&results(program, made, plan)?, &results(&mut own, made, plan)?)
}

/// Holds values against others of the same names.
pub(super) fn agree(got: &[(String, HostTensor)], want: &[(String, HostTensor)]) -> Result<()> {
    for ((what, got), (_, want)) in got.iter().zip(want) {
        let wanted = want.to_f64();
        let most = wanted.iter().filter(|w| w.is_finite()).fold(1.0, |m: f64, w| m.max(w.abs()));
        let limit = allowed(want.dtype()) * most;
        for (at, (g, w)) in got.to_f64().into_iter().zip(wanted).enumerate() {
            let same = if g.is_finite() && w.is_finite() {
                (g - w).abs() <= limit
            } else {
                g.is_nan() == w.is_nan()
            };
            if !same {
                bail!("{what}: element {at} of {got} is {g:e}; the CPU says {w:e} (may differ by {limit:e})");
            }
        }
    }
    Ok(())
}

/// What one run gives and writes, by name.
fn results(program: &mut Program, made: &Made, plan: &Plan) -> Result<Vec<(String, HostTensor)>> {
    let outputs = program.run(made.read_by(plan))?.wait()?;
    let mut all: Vec<(String, HostTensor)> =
        outputs.into_iter().enumerate().map(|(k, v)| (format!("output {k}"), v)).collect();
    for slot in plan.slots.iter() {
        all.push((format!("slot `{}`", slot.name), program.params().get(&slot.name)?));
    }
    Ok(all)
}

/// Times of runs, in nanoseconds, sorted.
struct Times {
    ns: Vec<f64>,
    clock: &'static str,
}

/// Times runs until there are enough of them.
fn time(program: &mut Program, made: &Made, plan: &Plan, settings: &Settings) -> Result<Times> {
    let feeds = made.read_by(plan);
    let runs = match settings.runs {
        Some(runs) => runs,
        None => {
            // The first call also compiles and warms up; each runs once more than it is asked for.
            program.profile(feeds.iter().copied(), 1)?;
            let before = Instant::now();
            program.profile(feeds.iter().copied(), 1)?;
            let one = before.elapsed().as_secs_f64() / 2.0;
            ((settings.seconds / one.max(1e-7)) as usize).clamp(RUNS.0, RUNS.1)
        }
    };
    let profile = program.profile(feeds.iter().copied(), runs)?;
    let mut ns = profile.run_ns;
    ns.sort_by(f64::total_cmp);
    if ns.last().is_none_or(|&slowest| slowest <= 0.0) {
        bail!("no time was measured by {}", profile.clock);
    }
    Ok(Times { ns, clock: profile.clock.name() })
}

impl Times {
    /// The value below which that part of the runs lies.
    fn at(&self, part: f64) -> f64 {
        let last = self.ns.len().saturating_sub(1);
        self.ns.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
    }

    fn record(
        &self,
        name: &str,
        variant: &str,
        plan: &Plan,
        checked: String,
        peak: Option<PeakRecord>,
    ) -> Record {
        // A clock may be too coarse for the shortest work; a rate by its finest tick is a bound from above.
        let median = self.at(0.5).max(1.0);
        let cost = plan.cost();
        let rate = |count: f64| count / median * 1e9;
        let part = |rate: f64, peak: f64| (peak > 0.0).then_some(rate / peak);
        Record {
            name: name.into(),
            variant: variant.into(),
            chosen: true,
            clock: self.clock.into(),
            runs: self.ns.len(),
            min_ns: self.at(0.0).max(1.0),
            median_ns: median,
            max_ns: self.at(1.0),
            spread: (self.at(0.75) - self.at(0.25)) / median,
            dispatches: if plan.dispatches.is_empty() { plan.steps.len() } else { plan.dispatches.len() },
            flops: cost.flops,
            bytes: cost.bytes,
            flops_per_second: rate(cost.flops),
            bytes_per_second: rate(cost.bytes),
            of_peak_flops: peak.and_then(|p| part(rate(cost.flops), p.flops_per_second)),
            of_peak_bytes: peak.and_then(|p| part(rate(cost.bytes), p.bytes_per_second)),
            checked,
        }
    }
}
