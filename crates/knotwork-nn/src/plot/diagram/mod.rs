//! A whole network with the functions on its edges.

mod check;
mod draw;
mod layout;
#[cfg(test)]
mod tests;

use super::{
    Edge, PlotError,
    figure::{Draw, figure},
    legend::{Legend, Sign},
    svg::{Anchor, FORMULA, INK, LEARNED, SOFT, Stroke, Svg},
    text::{counted, shortened, text_width},
};
use layout::Layout;

/// An edge of a [`DiagramLayer`] with its function.
#[derive(Clone, Debug, PartialEq)]
pub struct DiagramEdge {
    /// The input's index, below [`DiagramLayer::inputs`].
    pub input: usize,
    /// The index of the sum where it ends, below [`DiagramLayer::sums`].
    pub output: usize,
    /// (x, φ(x)), x ascending; points that are not finite leave gaps.
    pub points: Vec<(f64, f64)>,
    /// From 0 to 1: how dark the edge is drawn. NaN is an importance that nobody knows, drawn with dashes.
    pub importance: f64,
    /// The formula or the name of a symbolic edge; none on a learned one.
    pub label: Option<String>,
}

impl From<Edge> for DiagramEdge {
    /// A learned edge of importance 1.
    fn from(edge: Edge) -> Self {
        Self { input: edge.input, output: edge.output, points: edge.points, importance: 1.0, label: None }
    }
}

/// A layer of a [`Diagram`]. Edges that are not listed are pruned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiagramLayer {
    /// The number of nodes below it.
    pub inputs: usize,
    /// The number of sums that edges lead to.
    pub sums: usize,
    /// For each node above it that multiplies, the number of its factors, which are the last sums in turn; these nodes come
    /// after those that are sums alone.
    pub multiply: Vec<usize>,
    /// The edges, in any order.
    pub edges: Vec<DiagramEdge>,
}

impl DiagramLayer {
    /// A layer of learned functions into sums, each as important as its standard deviation over its samples is beside the
    /// layer's largest.
    #[must_use]
    pub fn learned(inputs: usize, sums: usize, edges: impl IntoIterator<Item = Edge>) -> Self {
        let edge = |e: Edge| DiagramEdge { importance: e.importance(), ..e.into() };
        Self { inputs, sums, multiply: Vec::new(), edges: edges.into_iter().map(edge).collect() }.relative()
    }

    /// The layer with its importances divided by the largest of them, so that scores of any size become 0 to 1. Those that are
    /// not finite become NaN.
    #[must_use]
    pub fn relative(mut self) -> Self {
        let most = self.edges.iter().map(|e| e.importance).filter(|i| i.is_finite()).fold(0.0, f64::max);
        for edge in &mut self.edges {
            edge.importance = match edge.importance {
                score if !score.is_finite() => f64::NAN,
                score if most > 0.0 => score / most,
                score => score,
            };
        }
        self
    }

    /// The number of nodes above it: sums alone and products.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.plain().saturating_add(self.multiply.len())
    }

    /// The number of sums that are nodes as they are.
    fn plain(&self) -> usize {
        self.sums.saturating_sub(self.factors())
    }

    fn factors(&self) -> usize {
        self.multiply.iter().fold(0, |sum, arity| sum.saturating_add(*arity))
    }
}

/// A network as Liu et al. (2024, figure 2.1) draw it: inputs at the bottom, outputs on top, a box with its function on
/// every edge. The more important an edge, the darker; formulas have another colour and stand below their boxes. Each box
/// has its own scale, with a line at 0.
///
/// A layer of more than [`most`](Self::most) edges shows the most important ones only and says so, and where a row has more
/// than 24 nodes, those without a drawn edge are left out.
///
/// ```
/// use knotwork_nn::plot::{Diagram, DiagramEdge, DiagramLayer};
/// let edge = |input, output, f: fn(f64) -> f64, label: Option<&str>| DiagramEdge {
///     input,
///     output,
///     points: (-20..=20).map(|i| f64::from(i) / 20.0).map(|x| (x, f(x))).collect(),
///     importance: 1.0,
///     label: label.map(str::to_owned),
/// };
/// let first = DiagramLayer {
///     inputs: 2,
///     sums: 1,
///     edges: vec![edge(0, 0, |x| (3.14 * x).sin(), Some("sin(π x)")), edge(1, 0, |x| x * x, Some("y²"))],
///     ..DiagramLayer::default()
/// };
/// let second = DiagramLayer { inputs: 1, sums: 1, edges: vec![edge(0, 0, f64::exp, None)], ..Default::default() };
/// let diagram = Diagram::new("exp(sin(π x) + y²)").layers([first, second]).names(&["x", "y"], &["f"]);
/// let svg = diagram.note("test RMSE 1.3e-5").to_svg()?;
/// assert!(svg.contains(">[2, 1, 1]: 3 edges; test RMSE 1.3e-5<"));
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Diagram {
    title: String,
    notes: Vec<String>,
    layers: Vec<DiagramLayer>,
    inputs: Vec<String>,
    outputs: Vec<String>,
    most: Option<usize>,
}

/// The signs that a legend has to explain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    symbolic: bool,
    unknown: bool,
    product: bool,
    idle: bool,
}

impl Signs {
    pub fn and(self, other: Self) -> Self {
        Self {
            symbolic: self.symbolic || other.symbolic,
            unknown: self.unknown || other.unknown,
            product: self.product || other.product,
            idle: self.idle || other.idle,
        }
    }

    pub fn legend(self) -> Legend {
        let mut legend = Legend::default();
        legend.add(Sign::Line(Stroke::new(LEARNED, 2.5)), "learned");
        if self.symbolic {
            legend.add(Sign::Line(Stroke::new(FORMULA, 2.5)), "formula, below its box");
        }
        legend.add(Sign::Importance(Stroke::new(LEARNED, 1.6)), "importance 0 to 1");
        if self.unknown {
            legend.add(Sign::Line(Stroke::new(SOFT, 1.6).dashes(draw::DASHES)), "importance unknown");
        }
        legend.add(Sign::Sum, "sum");
        if self.product {
            legend.add(Sign::Product, "product");
        }
        if self.idle {
            legend.add(Sign::Idle, "node that nothing reaches or uses");
        }
        legend.add(Sign::None, "Each box has its own scale.");
        legend
    }
}

/// The edge of the picture.
pub(super) const MARGIN: f64 = 16.0;

impl Diagram {
    /// A diagram with that title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        let (layers, inputs, outputs) = (Vec::new(), Vec::new(), Vec::new());
        Self { title: title.into(), notes: Vec::new(), layers, inputs, outputs, most: None }
    }

    /// More layers, from the inputs to the outputs.
    #[must_use]
    pub fn layers(mut self, layers: impl IntoIterator<Item = DiagramLayer>) -> Self {
        self.layers.extend(layers);
        self
    }

    /// The names of all inputs and outputs; none where either is empty, which makes them x0, x1, … and y0, y1, …
    #[must_use]
    pub fn names(mut self, inputs: &[&str], outputs: &[&str]) -> Self {
        self.inputs = inputs.iter().map(|s| (*s).into()).collect();
        self.outputs = outputs.iter().map(|s| (*s).into()).collect();
        self
    }

    /// What stands below the title beside the widths and the number of edges, as "test RMSE 1.3e-5".
    #[must_use]
    pub fn note(mut self, text: &str) -> Self {
        self.notes.push(text.into());
        self
    }

    /// The most edges that are drawn of a layer, at least 1. Where nothing is said they are 96, or fewer where those would
    /// make the picture too wide to read.
    #[must_use]
    pub fn most(mut self, edges: usize) -> Self {
        self.most = Some(edges.max(1));
        self
    }

    /// Its widths, the number of its edges, the notes.
    fn subtitle(&self) -> String {
        let width = |layer: &DiagramLayer| match layer.multiply.len() {
            0 => layer.sums.to_string(),
            products => format!("[{}, {products}]", layer.plain()),
        };
        let inputs = self.layers.first().map_or(0, |l| l.inputs).to_string();
        let widths: Vec<String> = std::iter::once(inputs).chain(self.layers.iter().map(width)).collect();
        let edges: usize = self.layers.iter().map(|l| l.edges.len()).sum();
        let text = format!("[{}]: {}", widths.join(", "), counted(edges, "edge"));
        std::iter::once(text).chain(self.notes.iter().cloned()).collect::<Vec<_>>().join("; ")
    }

    /// The diagram with its title, with a legend or without one, and what a legend has to explain. `spare` is left free
    /// between title and network.
    pub(super) fn panel(&self, legend: bool, spare: f64) -> Result<(Svg, Signs), PlotError> {
        check::check(self)?;
        let layout = Layout::new(self);
        let subtitle = self.subtitle();
        let words = text_width(&self.title, 16.0).max(text_width(&subtitle, 12.0)).min(900.0);
        let width = layout.width.max(words + 2.0 * MARGIN);
        let room = width - 2.0 * MARGIN;
        let signs = draw::signs(self, &layout);
        let legend = if legend { signs.legend() } else { Legend::default() };
        let head = 64.0 + legend.height(room) + spare;
        let mut svg = Svg::new(width, head + layout.height);
        svg.text((MARGIN, 26.0), Anchor::Start, 16.0, INK, &shortened(&self.title, 16.0, room));
        svg.text((MARGIN, 45.0), Anchor::Start, 12.0, SOFT, &shortened(&subtitle, 12.0, room));
        legend.draw(&mut svg, (MARGIN, 54.0), room);
        svg.place(((width - layout.width) / 2.0, head), draw::draw(self, &layout));
        Ok((svg, signs))
    }
}

impl Draw for Diagram {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<Svg, PlotError> {
        self.panel(true, 0.0).map(|(svg, _)| svg)
    }
}

figure!(Diagram);
