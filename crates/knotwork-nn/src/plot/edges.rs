//! A sheet of small curves: the learned functions on the edges of a KAN layer.

use std::path::Path;

use super::svg::{Anchor, GRID, INK, SOFT, Svg, write};
use crate::{Error, Result};

/// A function on an edge, sampled: from one input to one output.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The input's index.
    pub input: usize,
    /// The output's index.
    pub output: usize,
    /// (x, φ(x)), x ascending.
    pub points: Vec<(f64, f64)>,
}

impl Edge {
    /// How much the edge does: the standard deviation of φ over its samples.
    #[must_use]
    pub fn importance(&self) -> f64 {
        let n = self.points.len().max(1) as f64;
        let mean = self.points.iter().map(|p| p.1).sum::<f64>() / n;
        (self.points.iter().map(|p| (p.1 - mean).powi(2)).sum::<f64>() / n).sqrt()
    }
}

/// Inputs are rows, outputs are columns; the darker a curve, the more its edge does. All curves share one scale.
///
/// ```
/// use knotwork_nn::plot::{Edge, EdgeSheet};
/// let edge = |input, k: f64| Edge { input, output: 0, points: (0..9).map(|i| (i as f64, k * i as f64)).collect() };
/// let svg = EdgeSheet::new("Layer 0").edges([edge(0, 1.0), edge(1, 0.1)]).to_svg()?;
/// assert_eq!(svg.matches("<polyline").count(), 2);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EdgeSheet {
    title: String,
    edges: Vec<Edge>,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

const CELL: (f64, f64) = (64.0, 44.0);
const GAP: f64 = 6.0;

impl EdgeSheet {
    /// A sheet with that title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), edges: Vec::new(), inputs: Vec::new(), outputs: Vec::new() }
    }

    /// More edges.
    #[must_use]
    pub fn edges(mut self, edges: impl IntoIterator<Item = Edge>) -> Self {
        self.edges.extend(edges);
        self
    }

    /// Names of inputs and outputs, by index; numbers stand where there are none.
    #[must_use]
    pub fn names(mut self, inputs: &[&str], outputs: &[&str]) -> Self {
        self.inputs = inputs.iter().map(|s| (*s).into()).collect();
        self.outputs = outputs.iter().map(|s| (*s).into()).collect();
        self
    }

    /// The sheet as SVG.
    ///
    /// # Errors
    /// [`Error::Plot`] where no edge has two finite points.
    pub fn to_svg(&self) -> Result<String> {
        let mut rows: Vec<usize> = self.edges.iter().map(|e| e.input).collect();
        let mut columns: Vec<usize> = self.edges.iter().map(|e| e.output).collect();
        for indices in [&mut rows, &mut columns] {
            indices.sort_unstable();
            indices.dedup();
        }
        let finite = |p: &(f64, f64)| p.0.is_finite() && p.1.is_finite();
        let span = |f: fn(&(f64, f64)) -> f64| {
            let values = self.edges.iter().flat_map(|e| &e.points).filter(|p| finite(p)).map(f);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
        };
        let ((x0, x1), (y0, y1)) = (span(|p| p.0), span(|p| p.1));
        if x0 >= x1 {
            return Err(Error::Plot(format!("`{}` has no edge of two finite points", self.title)));
        }
        let (middle, half) = ((y0 + y1) / 2.0, ((y1 - y0) / 2.0).max(1e-12));
        let most = self.edges.iter().map(Edge::importance).filter(|i| i.is_finite()).fold(0.0, f64::max);
        let name = |names: &[String], k: usize| names.get(k).cloned().unwrap_or_else(|| k.to_string());
        let longest = rows.iter().map(|&r| name(&self.inputs, r).chars().count()).max().unwrap_or(1);
        let (left, top) = (38.0 + 6.6 * longest as f64, 66.0);
        let foot = format!(
            "inputs (rows) to outputs (columns); x from {} to {}, y from {} to {}",
            tidy(x0),
            tidy(x1),
            tidy(y0),
            tidy(y1)
        );
        // There are no font metrics here: 6.2 is a little more than a character of 11 pixels takes.
        let width = (left + columns.len() as f64 * (CELL.0 + GAP) + 18.0)
            .max(400.0)
            .max(32.0 + 6.2 * foot.chars().count() as f64);
        let height = top + rows.len() as f64 * (CELL.1 + GAP) + 30.0;
        let mut svg = Svg::new(width, height);
        svg.text((16.0, 26.0), Anchor::Start, 16.0, INK, &self.title);
        svg.text((16.0, height - 12.0), Anchor::Start, 11.0, SOFT, &foot);
        let corner = |r: usize, c: usize| (left + c as f64 * (CELL.0 + GAP), top + r as f64 * (CELL.1 + GAP));
        for (r, &input) in rows.iter().enumerate() {
            let (_, y) = corner(r, 0);
            svg.text(
                (left - 10.0, y + CELL.1 / 2.0 + 4.0),
                Anchor::End,
                12.0,
                SOFT,
                &name(&self.inputs, input),
            );
        }
        for (c, &output) in columns.iter().enumerate() {
            let (x, y) = corner(0, c);
            svg.text((x + CELL.0 / 2.0, y - 8.0), Anchor::Middle, 12.0, SOFT, &name(&self.outputs, output));
        }
        for edge in &self.edges {
            let (Ok(r), Ok(c)) = (rows.binary_search(&edge.input), columns.binary_search(&edge.output))
            else {
                continue;
            };
            let (x, y) = corner(r, c);
            svg.rect((x, y), CELL, "#fafbfc", GRID);
            let to = |p: &(f64, f64)| {
                let across = (p.0 - x0) / (x1 - x0);
                let up = (p.1 - middle) / half;
                (x + 3.0 + (CELL.0 - 6.0) * across, y + CELL.1 / 2.0 - (CELL.1 / 2.0 - 4.0) * up)
            };
            if y0 < 0.0 && y1 > 0.0 {
                let (_, zero) = to(&(x0, 0.0));
                svg.line((x + 3.0, zero), (x + CELL.0 - 3.0, zero), GRID, 1.0);
            }
            let share = if most > 0.0 { edge.importance() / most } else { 0.0 };
            // Even the least edge stays visible.
            let ink = 0.12 + 0.88 * share.clamp(0.0, 1.0);
            for run in edge.points.split(|p| !finite(p)).filter(|run| !run.is_empty()) {
                svg.polyline(&run.iter().map(to).collect::<Vec<_>>(), "#0b3c5d", 1.6, ink);
            }
        }
        Ok(svg.finish())
    }

    /// Writes the sheet to a file.
    ///
    /// # Errors
    /// [`Error::Plot`] where there is nothing to show or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), &self.to_svg()?)
    }
}

/// Three significant digits.
fn tidy(x: f64) -> String {
    if x == 0.0 {
        return "0".into();
    }
    let digits = (2.0 - x.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{x:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}
