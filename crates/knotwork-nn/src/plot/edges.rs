//! A sheet of small curves: the learned functions on the edges of a KAN layer.

use super::{
    PlotError,
    curve::{extent, placeable, runs, thinned},
    figure::{Draw, figure},
    legend::HAIR,
    names::Names,
    svg::{Anchor, GRID, INK, LEARNED, PAPER, SOFT, Stroke, Svg, ink},
    text::{shortened, text_width, tidy},
};

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
}

/// Longer names are cut.
const NAME: f64 = 200.0;

impl Draw for EdgeSheet {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<Svg, PlotError> {
        let mut rows: Vec<usize> = self.edges.iter().map(|e| e.input).collect();
        let mut columns: Vec<usize> = self.edges.iter().map(|e| e.output).collect();
        for indices in [&mut rows, &mut columns] {
            indices.sort_unstable();
            indices.dedup();
        }
        let span = |f: fn(&(f64, f64)) -> f64| {
            extent(self.edges.iter().flat_map(|e| &e.points).filter(|p| placeable(p)).map(f))
        };
        let (Some((x0, x1)), Some((y0, y1))) = (span(|p| p.0), span(|p| p.1)) else {
            return Err(self.nothing());
        };
        if x0 >= x1 {
            return Err(self.nothing());
        }
        let (middle, half) = ((y0 + y1) / 2.0, ((y1 - y0) / 2.0).max(1e-12));
        let most = self.edges.iter().map(Edge::importance).filter(|i| i.is_finite()).fold(0.0, f64::max);
        let name = |names: &[String], k: usize, room: f64| {
            names.get(k).map_or_else(|| k.to_string(), |name| shortened(name, 12.0, room))
        };
        let longest =
            rows.iter().map(|&r| text_width(&name(&self.inputs, r, NAME), 12.0)).fold(0.0, f64::max);
        let left = 38.0 + longest;
        let column = |c: usize| left + c as f64 * (CELL.0 + GAP) + CELL.0 / 2.0;
        let heads =
            columns.iter().enumerate().map(|(c, &o)| (column(c), name(&self.outputs, o, f64::INFINITY)));
        let heads = Names::new(heads, 12.0);
        let top = 54.0 + heads.height();
        let foot = format!(
            "inputs (rows) to outputs (columns); x from {} to {}, y from {} to {}",
            tidy(x0),
            tidy(x1),
            tidy(y0),
            tidy(y1)
        );
        let room = text_width(&foot, 11.0).max(text_width(&self.title, 16.0).min(900.0)) + 32.0;
        let width = (left + columns.len() as f64 * (CELL.0 + GAP) + heads.overhang() + 18.0).max(room);
        let height = top + rows.len() as f64 * (CELL.1 + GAP) + 30.0;
        let mut svg = Svg::new(width, height);
        svg.text((16.0, 26.0), Anchor::Start, 16.0, INK, &shortened(&self.title, 16.0, width - 32.0));
        svg.text((16.0, height - 12.0), Anchor::Start, 11.0, SOFT, &foot);
        let corner = |r: usize, c: usize| (left + c as f64 * (CELL.0 + GAP), top + r as f64 * (CELL.1 + GAP));
        for (r, &input) in rows.iter().enumerate() {
            let (_, y) = corner(r, 0);
            let at = (left - 10.0, y + CELL.1 / 2.0 + 4.0);
            svg.text(at, Anchor::End, 12.0, SOFT, &name(&self.inputs, input, NAME));
        }
        heads.above(&mut svg, top - 8.0, SOFT);
        for edge in &self.edges {
            let (Ok(r), Ok(c)) = (rows.binary_search(&edge.input), columns.binary_search(&edge.output))
            else {
                continue;
            };
            let (x, y) = corner(r, c);
            svg.rect((x, y), CELL, PAPER, GRID);
            let to = |p: &(f64, f64)| {
                let across = (p.0 - x0) / (x1 - x0);
                let up = (p.1 - middle) / half;
                (x + 3.0 + (CELL.0 - 6.0) * across, y + CELL.1 / 2.0 - (CELL.1 / 2.0 - 4.0) * up)
            };
            if y0 < 0.0 && y1 > 0.0 {
                let (_, zero) = to(&(x0, 0.0));
                svg.line((x + 3.0, zero), (x + CELL.0 - 3.0, zero), HAIR);
            }
            let share = if most > 0.0 { edge.importance() / most } else { 0.0 };
            for run in runs(&edge.points, placeable) {
                let stroke = Stroke::new(LEARNED, 1.6).opacity(ink(share));
                svg.polyline(&thinned(run.iter().map(to), 0.5), stroke);
            }
        }
        Ok(svg)
    }
}

impl EdgeSheet {
    fn nothing(&self) -> PlotError {
        PlotError::Nothing { title: self.title.clone(), what: "no edge of two finite points" }
    }
}

figure!(EdgeSheet);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_of_nothing_is_refused() {
        let edge = |points: &[(f64, f64)]| Edge { input: 0, output: 0, points: points.to_vec() };
        for points in [&[][..], &[(0.0, f64::NAN), (1.0, f64::NAN)], &[(1.0, 1.0)]] {
            let e = EdgeSheet::new("s").edges([edge(points)]).to_svg().unwrap_err().to_string();
            assert!(e.starts_with("plot: `s` has no edge of two finite points"), "{e}");
        }
        let far = edge(&[(0.0, 0.0), (1.0, f64::MAX), (2.0, 3.0), (3.0, 1.0)]);
        let svg = EdgeSheet::new("s").edges([far]).to_svg().unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.contains("y from 0 to 3"), "{svg}");
    }
}
