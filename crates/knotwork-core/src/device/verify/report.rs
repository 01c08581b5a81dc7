//! What a verification found.

use std::fmt;

use crate::{
    Site,
    device::summary::{Summary, short},
    tensor::{DType, format_shape},
};

/// Every node's result on the device beside its reference, and the plan's results beside the oracle's.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    /// The operations, in the graph's order.
    pub nodes: Vec<NodeCheck>,
    /// The first node that differs.
    pub first: Option<Difference>,
    /// The first output or new slot value that the plan gives wrong though every node agrees. Looked for only where
    /// every node agrees.
    pub planned: Option<PlannedDifference>,
}

/// One operation, in one line.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeCheck {
    /// Its index in the graph.
    pub node: usize,
    /// Its name.
    pub op: String,
    /// The element type and shape of its first output.
    pub dtype: DType,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// The line of user code that made it.
    pub site: Site,
    /// The largest difference over what is allowed there: up to 1 it agrees.
    pub worst: f64,
}

impl NodeCheck {
    /// Whether the device agrees with the reference.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.worst <= 1.0
    }
}

/// A node whose result differs from its reference over the inputs that the device had.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Its index in the graph.
    pub node: usize,
    /// Its name.
    pub op: String,
    /// The line of user code that made it.
    pub site: Site,
    /// Which of its outputs.
    pub output: usize,
    /// The indices of the element that differs most.
    pub element: Vec<usize>,
    /// The element on the device.
    pub device: f64,
    /// The element by the reference.
    pub oracle: f64,
    /// What the difference may be there.
    pub allowed: f64,
    /// The output on the device.
    pub device_output: Summary,
    /// The output by the reference.
    pub oracle_output: Summary,
    /// What the node read.
    pub inputs: Vec<Summary>,
}

/// A result that the plan gives wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedDifference {
    /// Which output, by its number, or which slot, by its name; with the operation that computes it and its line.
    pub what: String,
    /// The indices of the element that differs most.
    pub element: Vec<usize>,
    /// The element as planned.
    pub device: f64,
    /// The element by the oracle.
    pub oracle: f64,
    /// What the difference may be.
    pub allowed: f64,
    /// The knobs of [`PlanOptions`](crate::plan::PlanOptions) each of which alone makes it agree.
    pub cured_by: Vec<&'static str>,
}

impl Verification {
    /// Whether everything agrees.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.first.is_none() && self.planned.is_none()
    }
}

fn element(index: &[usize]) -> String {
    if index.is_empty() { "its value".into() } else { format!("element {}", format_shape(index)) }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, site, output, device, oracle, allowed, .. } = self;
        let off = (device - oracle).abs();
        writeln!(
            f,
            "`{op}` (node {}, made at {site}), output {output}, {}: {device:e} on the device, {oracle:e} by its reference; \
             they differ by {off:.1e}, and may by {allowed:.1e}",
            self.node,
            element(&self.element),
        )?;
        writeln!(f, "  device     {}", self.device_output)?;
        write!(f, "  reference  {}", self.oracle_output)?;
        self.inputs.iter().enumerate().try_for_each(|(k, input)| write!(f, "\n  input {k}    {input}"))
    }
}

impl fmt::Display for PlannedDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, device, oracle, allowed, .. } = self;
        let cure = match &self.cured_by[..] {
            [] => "no knob alone cures it".to_owned(),
            knobs => format!("cured by {}", knobs.join(", or by ")),
        };
        write!(
            f,
            "every node agrees, but the plan gives {what} wrong, {}: {device:e}, not {oracle:e} (off by {:.1e}, allowed \
             {allowed:.1e}); {cure}",
            element(&self.element),
            (device - oracle).abs(),
        )
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |n: &NodeCheck| format!("{}{}", n.dtype, format_shape(&n.shape));
        let width = |of: fn(&NodeCheck) -> usize| self.nodes.iter().map(of).max().unwrap_or(0);
        let ops = width(|n| n.op.len());
        let shapes = self.nodes.iter().map(|n| shape(n).len()).max().unwrap_or(0);
        for n in &self.nodes {
            let verdict = if n.agrees() { "" } else { "  DIFFERS" };
            writeln!(
                f,
                "{:>5}  {:ops$}  {:shapes$}  {:>9} of the tolerance  {}{verdict}",
                n.node,
                n.op,
                shape(n),
                short((n.worst * 1e3).round() / 1e3),
                n.site,
            )?;
        }
        match (&self.first, &self.planned) {
            (Some(d), _) => {
                let differ = self.nodes.iter().filter(|n| !n.agrees()).count();
                write!(f, "{differ} of {} nodes differ; the first: {d}", self.nodes.len())
            }
            (None, Some(p)) => write!(f, "{p}"),
            (None, None) => write!(f, "all {} nodes agree, and so does the plan", self.nodes.len()),
        }
    }
}
