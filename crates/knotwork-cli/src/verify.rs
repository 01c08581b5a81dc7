//! `knotwork verify`: a reference network on a device against the oracle, node by node.

use std::io::Write;

use anyhow::{Result, bail};
use knotwork::{Tensor, graph::Update};

use crate::networks::Name;

/// What to verify, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The network.
    network: Name,
    /// The device: `cpu`, `gpu` or part of a GPU's name; the one that programs take by default where none is given.
    #[arg(long)]
    device: Option<String>,
}

/// Writes one line a node and the verdict.
///
/// # Errors
/// Where there is no such device, the network does not run on it, or something differs.
pub fn verify(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let device = knotwork::open_device(arguments.device.as_deref())?;
    let network = arguments.network.build()?;
    let outputs: Vec<&Tensor> = network.outputs.iter().collect();
    let updates: Vec<&Update> = network.updates.iter().collect();
    let mut program = device.compile(&network.graph, &outputs, &updates)?;
    let feeds = network.feeds()?;
    let feeds = || feeds.iter().map(|(name, value)| (name.as_str(), value));
    let found = program.verify(feeds())?;
    writeln!(out, "on {}", device.info())?;
    writeln!(out, "{found}")?;
    match program.check_finite(feeds())? {
        Some(bad) => writeln!(out, "{bad}")?,
        None => writeln!(out, "every value is finite")?,
    }
    if !found.agrees() {
        bail!("{:?} differs from the oracle on {}", arguments.network, device.info());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(network: Name, device: &str) -> String {
        let mut out = Vec::new();
        verify(&Arguments { network, device: Some(device.into()) }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_network_agrees_on_the_cpu() {
        for name in Name::ALL {
            let text = text(name, "cpu");
            assert!(text.contains("nodes agree, and so does the plan\nevery value is finite\n"), "{text}");
            assert!(text.contains("networks.rs:"), "{text}");
        }
    }

    #[cfg(feature = "gpu")]
    #[test]
    fn every_network_agrees_on_a_gpu() {
        for name in Name::ALL {
            let text = text(name, "gpu");
            assert!(text.contains("nodes agree, and so does the plan"), "{text}");
        }
    }

    #[test]
    fn an_unknown_device_is_refused() {
        let arguments = Arguments { network: Name::Chain12, device: Some("no such thing".into()) };
        assert!(verify(&arguments, &mut Vec::new()).is_err());
    }
}
