//! `knotwork bench schedule`: what the planner makes of the reference networks, and what replaying a plan costs the host.

use std::{collections::BTreeMap, io::Write, path::PathBuf};

use anyhow::{Context, Result};
use knotwork::{
    Device,
    plan::{Capabilities, Plan, PlanOptions},
};

use super::{planning::planning, replay::replay};
use crate::networks::{Name, Network};

/// What to measure where, and where the figures go.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Writes the figures to this file, as one flat JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The device that replays: a GPU, or part of a GPU's name.
    #[arg(long, default_value = "gpu")]
    device: String,
    /// How many runs are timed; medians count.
    #[arg(long, default_value_t = 30)]
    runs: usize,
}

/// The network whose replay is timed: long enough that what a run costs once is spread out.
const REPLAYED: Name = Name::Transformer;

fn plan(name: Name, options: PlanOptions) -> Result<Plan> {
    let Network { graph, outputs, updates } = name.build()?;
    let (outputs, updates): (Vec<_>, Vec<_>) = (outputs.iter().collect(), updates.iter().collect());
    Ok(graph.plan(&outputs, &updates, &[].into(), &Capabilities::portable(), options)?)
}

/// Counts of dispatches, fused and one kernel a node, and peaks of memory over the bound; no device is needed.
///
/// # Errors
/// Where a network cannot be planned: the fault would be the library's.
pub fn plans() -> Result<BTreeMap<String, f64>> {
    let mut figures = BTreeMap::new();
    let mut put = |key: String, value: f64| figures.insert(key, value);
    for (name, key) in [
        (Name::Chain12, "chain12"),
        (Name::GeluLinearResidual, "gelu_linear_residual"),
        (Name::Mlp, "mlp_step"),
        (Name::Transformer, "transformer_block"),
        (Name::Kan, "kan_step"),
    ] {
        let each = PlanOptions { no_fuse: true, no_rewrite: true, ..PlanOptions::default() };
        put(format!("{key}_dispatches"), plan(name, PlanOptions::default())?.dispatches.len() as f64);
        put(format!("{key}_dispatches_unfused"), plan(name, each)?.dispatches.len() as f64);
    }
    for (name, key) in
        [(Name::Mlp, "mlp"), (Name::Kan, "kan"), (Name::Conv, "conv"), (Name::Transformer, "transformer")]
    {
        let (shared, own) =
            (PlanOptions::default(), PlanOptions { no_alias: true, ..PlanOptions::default() });
        let shared = plan(name, shared)?;
        let bound = shared.live_peak as f64;
        put(format!("peak_over_bound_{key}"), shared.arena_bytes() as f64 / bound);
        put(format!("peak_over_bound_{key}_no_reuse"), plan(name, own)?.arena_bytes() as f64 / bound);
    }
    Ok(figures)
}

/// Measures, prints and writes the figures.
///
/// # Errors
/// Where the device cannot be opened or has no dispatch list, or the file cannot be written.
pub fn schedule(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let mut figures = plans()?;
    figures.insert("plan_5000_nodes_ms".into(), planning(5000)?);
    let device: Device = knotwork::open_device(Some(&arguments.device))?;
    let replayed = replay(&device, REPLAYED, arguments.runs)?;
    figures.insert("replay_us_per_dispatch".into(), replayed.ours_us_per_dispatch);
    figures.insert("bare_wgpu_us_per_dispatch".into(), replayed.bare_us_per_dispatch);
    figures.insert("steady_state_allocations".into(), replayed.steady_state_allocations as f64);
    writeln!(
        out,
        "plans for a portable GPU; replay of {} dispatches on {}",
        replayed.dispatches,
        device.info()
    )?;
    let width = figures.keys().map(String::len).max().unwrap_or(0);
    for (key, value) in &figures {
        writeln!(out, "  {key:width$}  {}", shown(*value))?;
    }
    if let Some(path) = &arguments.json {
        let lines: Vec<String> = figures.iter().map(|(k, v)| format!("  \"{k}\": {}", shown(*v))).collect();
        std::fs::write(path, format!("{{\n{}\n}}\n", lines.join(",\n")))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A number that JSON takes too: counts whole, everything else to four digits after the point.
fn shown(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_keep_to_their_bounds() {
        let figures = plans().unwrap();
        for (key, most) in [
            ("chain12_dispatches", 1.0),
            ("gelu_linear_residual_dispatches", 1.0),
            ("mlp_step_dispatches", 9.0),
            ("kan_step_dispatches", 10.0),
            ("transformer_block_dispatches", 24.0),
            ("peak_over_bound_mlp", 1.15),
            ("peak_over_bound_kan", 1.15),
            ("peak_over_bound_transformer", 1.15),
            ("peak_over_bound_conv", 1.3),
        ] {
            assert!(figures[key] <= most, "{key}: {figures:#?}");
            // The bound is a bound, and nothing would do as well without the planner.
            let plain = key
                .strip_suffix("_dispatches")
                .map_or(format!("{key}_no_reuse"), |_| format!("{key}_unfused"));
            assert!(figures[key] >= 1.0 && figures[&plain] > figures[key], "{key}: {figures:#?}");
        }
    }
}
