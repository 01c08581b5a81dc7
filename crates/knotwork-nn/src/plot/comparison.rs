//! Networks beside each other: before and after pruning.

use super::{
    Diagram, PlotError,
    diagram::{MARGIN, Signs},
    figure::{Draw, figure},
    legend::HAIR,
    svg::{Anchor, INK, Svg},
    text::{shortened, text_width},
};

/// Diagrams side by side under one legend, the inputs of all at one height. The title of a diagram is its caption; below it
/// stand its widths, the number of its edges and its notes, as its error. Where they are too wide together, they stand below
/// each other.
///
/// ```
/// use knotwork_nn::plot::{Comparison, Diagram, DiagramLayer, Edge};
/// let line = |input, k: f64| Edge { input, output: 0, points: vec![(-1.0, -k), (1.0, k)] };
/// let before = DiagramLayer::learned(2, 1, [line(0, 1.0), line(1, 1e-3)]);
/// let after = DiagramLayer::learned(2, 1, [line(0, 1.0)]);
/// let svg = Comparison::new("Pruning")
///     .diagram(Diagram::new("before").layers([before]).note("test RMSE 0.0013"))
///     .diagram(Diagram::new("after").layers([after]).note("test RMSE 0.0011"))
///     .to_svg()?;
/// assert!(svg.contains(">[2, 1]: 2 edges; test RMSE 0.0013<"));
/// assert!(svg.contains(">[2, 1]: 1 edge; test RMSE 0.0011<"));
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Comparison {
    title: String,
    diagrams: Vec<Diagram>,
}

/// Between two diagrams.
const GAP: f64 = 24.0;
/// Diagrams that are wider together stand below each other.
const WIDE: f64 = 2000.0;

impl Comparison {
    /// A comparison with that title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), diagrams: Vec::new() }
    }

    /// One more diagram, right of the others.
    #[must_use]
    pub fn diagram(mut self, diagram: Diagram) -> Self {
        self.diagrams.push(diagram);
        self
    }
}

impl Draw for Comparison {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<Svg, PlotError> {
        let panels: Vec<_> = self.diagrams.iter().map(|d| d.panel(false, 0.0)).collect::<Result<_, _>>()?;
        if panels.is_empty() {
            return Err(PlotError::Nothing { title: self.title.clone(), what: "no diagram" });
        }
        let signs = panels.iter().fold(Signs::default(), |all, panel| all.and(panel.1));
        let sizes: Vec<(f64, f64)> = panels.iter().map(|panel| panel.0.size()).collect();
        let gaps = GAP * (sizes.len() - 1) as f64;
        let sum = |f: fn(&(f64, f64)) -> f64| sizes.iter().map(f).sum::<f64>() + gaps;
        let most = |f: fn(&(f64, f64)) -> f64| sizes.iter().map(f).fold(0.0, f64::max);
        let beside = sum(|s| s.0) <= WIDE;
        let (wide, high) = if beside { (sum(|s| s.0), most(|s| s.1)) } else { (most(|s| s.0), sum(|s| s.1)) };
        let width = wide.max(text_width(&self.title, 18.0).min(900.0) + 2.0 * MARGIN);
        let room = width - 2.0 * MARGIN;
        let legend = signs.legend();
        let head = 44.0 + legend.height(room) + 8.0;
        let mut svg = Svg::new(width, head + high);
        svg.text((MARGIN, 28.0), Anchor::Start, 18.0, INK, &shortened(&self.title, 18.0, room));
        legend.draw(&mut svg, (MARGIN, 42.0), room);
        let mut at = (0.0, head);
        for (k, (diagram, (w, h))) in self.diagrams.iter().zip(sizes).enumerate() {
            if k > 0 && beside {
                svg.line((at.0 - GAP / 2.0, head + 10.0), (at.0 - GAP / 2.0, head + high - 10.0), HAIR);
            } else if k > 0 {
                svg.line((MARGIN, at.1 - GAP / 2.0), (width - MARGIN, at.1 - GAP / 2.0), HAIR);
            }
            // The captions stand at one height as well as the inputs: what is spare lies between.
            let (panel, _) = diagram.panel(false, if beside { high - h } else { 0.0 })?;
            svg.place(at, panel);
            at = if beside { (at.0 + w + GAP, at.1) } else { (at.0, at.1 + h + GAP) };
        }
        Ok(svg)
    }
}

figure!(Comparison);
