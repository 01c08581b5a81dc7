//! `knotwork explain`: the plan of a reference network as text, DOT and SVG.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use knotwork::{
    plan::{Capabilities, Plan, PlanOptions, draw::Picture},
    prelude::*,
};

use crate::networks::{Name, Network};

/// Which plan to show, and where else to write it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The network.
    network: Name,
    /// The device to plan for: `cpu`, `gpu`, part of a GPU's name, or `portable` for what every GPU has (needs none).
    #[arg(long)]
    device: Option<String>,
    /// One kernel for each elementwise node.
    #[arg(long)]
    no_fuse: bool,
    /// No rule rewrites anything.
    #[arg(long)]
    no_rewrite: bool,
    /// No value reuses another's memory.
    #[arg(long)]
    no_alias: bool,
    /// Writes the plan in the DOT language.
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Writes the plan as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Writes the graph, before planning, in the DOT language.
    #[arg(long, value_name = "FILE")]
    graph_dot: Option<PathBuf>,
    /// Writes the graph, before planning, as a picture.
    #[arg(long, value_name = "FILE")]
    graph_svg: Option<PathBuf>,
    /// Writes the plan as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Prints the plan and writes the files that were asked for.
pub fn explain(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let capabilities = match arguments.device.as_deref() {
        Some("portable") => Capabilities::portable(),
        name => knotwork::open_device(name)?.capabilities().clone(),
    };
    let options = PlanOptions {
        no_fuse: arguments.no_fuse,
        no_rewrite: arguments.no_rewrite,
        no_alias: arguments.no_alias,
        ..PlanOptions::default()
    };
    let network = arguments.network.build()?;
    let plan = network.plan(&capabilities, options)?;
    let picture =
        || titled(plan.picture(), arguments.network, &format!("planned for {}", capabilities.device));
    let graph = || titled(network.picture(), arguments.network, "as it was built");
    if let Some(path) = &arguments.svg {
        write(path, &picture().svg())?;
    }
    if let Some(path) = &arguments.dot {
        write(path, &picture().dot())?;
    }
    if let Some(path) = &arguments.graph_svg {
        write(path, &graph().svg())?;
    }
    if let Some(path) = &arguments.graph_dot {
        write(path, &graph().dot())?;
    }
    if let Some(path) = &arguments.json {
        write(path, &plan.to_json())?;
    }
    write!(out, "planned for {}: {plan}", capabilities.device)?;
    Ok(())
}

fn titled(mut picture: Picture, name: Name, how: &str) -> Picture {
    picture.title = format!("{name}, {how}: {}", picture.title);
    picture
}

/// Writes a whole file, or says which one could not be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} could not be written", path.display()))
}

impl Network {
    /// Its plan for such a device.
    fn plan(&self, capabilities: &Capabilities, options: PlanOptions) -> Result<Plan> {
        let outputs: Vec<&Tensor> = self.outputs.iter().collect();
        let updates: Vec<_> = self.updates.iter().collect();
        Ok(self.graph.plan(&outputs, &updates, &[].into(), capabilities, options)?)
    }

    fn picture(&self) -> Picture {
        let outputs: Vec<&Tensor> = self.outputs.iter().collect();
        self.graph.picture(&outputs, &self.updates.iter().collect::<Vec<_>>())
    }
}
