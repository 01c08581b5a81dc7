//! What is drawn: boxes and arrows.

use super::Family;
use crate::graph::Phase;

/// A picture of a graph or a plan: boxes, and arrows from earlier boxes to later ones.
///
/// ```
/// use knotwork_core::{DType, Graph, plan::{Capabilities, PlanOptions}};
/// let g = Graph::new();
/// let y = g.input("x", DType::F32, [64])?.exp()?.sum(&[0], false)?;
/// let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default())?;
/// assert!(plan.picture().svg().starts_with("<svg"));
/// assert!(g.picture(&[&y], &[]).dot().contains("exp"));
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// What it shows, in one line.
    pub title: String,
    /// The boxes.
    pub nodes: Vec<Node>,
    /// The arrows, each from a box to a later one.
    pub arrows: Vec<Arrow>,
}

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What arrows that are cut call it: its number, or its name.
    pub id: String,
    /// Its heading.
    pub name: String,
    /// Lines below the heading.
    pub lines: Vec<String>,
    /// What kind of work it is: the colour.
    pub family: Family,
    /// Which part of the computation it belongs to: the border.
    pub phase: Phase,
    /// All that is known of it, with the user's line: the tooltip.
    pub details: String,
}

/// An arrow.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrow {
    /// The index of the box where it begins.
    pub from: usize,
    /// The index of the box where it ends; larger than `from`.
    pub to: usize,
    /// What it carries: a type and a shape.
    pub label: String,
}
