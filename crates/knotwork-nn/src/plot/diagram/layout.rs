//! Where everything of a diagram lies.
//!
//! A layer is a band of boxes between two rows of nodes. The boxes of a node stand together above it, in columns of one or
//! more tiers, so that the lines from a node to its boxes never cross those of another; the node stands below their middle.

use super::{Diagram, DiagramEdge, DiagramLayer, MARGIN};
use crate::plot::{names::Names, text::text_width};

/// Captions stand left of the network, this wide.
const CAPTIONS: f64 = 112.0;
/// Boxes that a picture may have, from the best to read to the smallest, each with the most tiers.
const BOXES: [((f64, f64), usize); 3] = [((72.0, 54.0), 1), ((56.0, 42.0), 3), ((46.0, 35.0), 6)];
/// The width that a network should keep within, and the one beyond which edges are left out.
const WIDE: f64 = 1300.0;
const WIDEST: f64 = 1700.0;
/// The most edges drawn of a layer and the fewest, where no number is asked for.
const EDGES: usize = 96;
const FEWEST: usize = 8;
/// Between the boxes of a node and those of the next.
const GROUP_GAP: f64 = 16.0;
const CROWDED_GAP: f64 = 4.0;
/// A row of more groups is crowded.
const CROWD: usize = 12;
/// Between two tiers.
const TIER_GAP: f64 = 9.0;
/// How far apart lines run beside each other.
pub(super) const TRACK: f64 = 3.0;
/// The least width for a node, and for a factor of a product.
const NODE: f64 = 26.0;
/// How far a product stands above its factors.
pub(super) const FACTOR_DROP: f64 = 36.0;
/// A row of more nodes shows only those with an edge that is drawn.
const NODES: usize = 24;
/// Names of inputs and outputs.
const NAME_SIZE: f64 = 13.0;
/// How far they stand from their nodes.
pub(super) const NAME_GAP: f64 = 16.0;
/// Labels of edges.
pub(super) const LABEL_SIZE: f64 = 10.5;
pub(super) const LABEL_LINE: f64 = 12.0;
const LABEL_MOST: f64 = 150.0;

/// A box on an edge.
pub(super) struct Placed<'a> {
    pub edge: &'a DiagramEdge,
    /// Its upper left corner.
    pub at: (f64, f64),
    /// Its tier, from below, and whether others lie above it in its column.
    pub tier: usize,
    pub covered: bool,
}

/// A layer's boxes.
pub(super) struct Band<'a> {
    pub boxes: Vec<Placed<'a>>,
    /// The top and the bottom of the area of its boxes.
    pub top: f64,
    pub bottom: f64,
    /// The room for a label.
    pub slot: f64,
    /// How many edges there are, drawn or not.
    pub edges: usize,
    /// How many there are or were, pruned ones with them.
    pub possible: usize,
}

/// A node that is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub index: usize,
    pub x: f64,
}

/// A row of nodes.
pub(super) struct Row {
    pub nodes: Vec<Node>,
    pub y: f64,
    /// How many there are, drawn or not.
    pub count: usize,
}

pub(super) struct Layout<'a> {
    pub width: f64,
    pub height: f64,
    pub cell: (f64, f64),
    pub bands: Vec<Band<'a>>,
    pub rows: Vec<Row>,
    pub inputs: Names,
    pub outputs: Names,
}

/// How a layer's boxes stand.
#[derive(Clone, Copy, Debug)]
struct Shape {
    tiers: usize,
    slot: f64,
}

impl Shape {
    /// The width of a column: the box or its label, and room for the lines to and from other tiers.
    fn column(self) -> f64 {
        self.slot + if self.tiers == 1 { 14.0 } else { 16.0 + TRACK * (self.tiers - 1) as f64 }
    }
}

impl<'a> Layout<'a> {
    pub fn new(diagram: &'a Diagram) -> Self {
        let Fitted { shown, nodes, groups, cell, shapes } = fit(diagram);
        let natural = |row: usize| wide(&groups[row], shapes.get(row).copied());
        let inner = (0..nodes.len()).map(natural).fold(200.0, f64::max);
        // Narrower rows spread out.
        let left = MARGIN + CAPTIONS;
        let centres: Vec<Vec<f64>> = (0..nodes.len())
            .map(|row| {
                let spare = gap(&groups[row]) + (inner - natural(row)) / groups[row].len().max(1) as f64;
                let mut x = left;
                let place = |g: &Group| {
                    let wide = g.width(shapes.get(row).copied()) + spare;
                    x += wide;
                    x - wide / 2.0
                };
                groups[row].iter().map(place).collect()
            })
            .collect();
        let inputs = names(&diagram.inputs, "x", &nodes[0], &centres[0]);
        let top = nodes.len() - 1;
        let outputs = names(&diagram.outputs, "y", &nodes[top], &centres[top]);
        let mut y = outputs.height() + NAME_GAP;
        let mut ys = vec![0.0; nodes.len()];
        ys[top] = y;
        let mut bands: Vec<Band> = Vec::new();
        for (k, layer) in diagram.layers.iter().enumerate().rev() {
            let shape = shapes[k];
            let labels = shown[k].iter().any(|e| e.label.is_some());
            let label = if labels { 2.0 * LABEL_LINE + 4.0 } else { 0.0 };
            let step = cell.1 + label + TIER_GAP;
            let tiers = shape.tiers as f64;
            let drop = if layer.multiply.is_empty() { 0.0 } else { FACTOR_DROP };
            let [below, above] = fans(&groups[k], shape, shown[k].len(), inner);
            let band_top = y + drop + above;
            let bottom = band_top + tiers * step - TIER_GAP;
            let corner =
                |x: f64, tier: usize| (x - cell.0 / 2.0, bottom - label - cell.1 - tier as f64 * step);
            let mut boxes = Vec::new();
            for (group, centre) in groups[k].iter().zip(&centres[k]) {
                let edges = shown[k].iter().filter(|e| e.input == group.node).collect::<Vec<_>>();
                let (columns, column) = group.columns(shape.tiers);
                for (n, edge) in edges.iter().enumerate() {
                    let x = centre + shape.column() * ((n / column) as f64 - (columns as f64 - 1.0) / 2.0);
                    let (tier, covered) = (n % column, n % column + 1 < column && n + 1 < edges.len());
                    boxes.push(Placed { edge, at: corner(x, tier), tier, covered });
                }
            }
            let possible = layer.inputs.saturating_mul(layer.sums);
            let edges = layer.edges.len();
            bands.push(Band { boxes, top: band_top, bottom, slot: shape.slot, edges, possible });
            y = bottom + below;
            ys[k] = y;
        }
        bands.reverse();
        let counts = std::iter::once(diagram.layers.first().map_or(0, |l| l.inputs))
            .chain(diagram.layers.iter().map(DiagramLayer::nodes));
        let rows =
            nodes.iter().zip(&centres).zip(counts).zip(&ys).map(|(((nodes, centres), count), y)| Row {
                nodes: nodes.iter().zip(centres).map(|(&index, &x)| Node { index, x }).collect(),
                y: *y,
                count,
            });
        let rows = rows.collect();
        let overhang = outputs.overhang().max(8.0);
        let (width, height) = (left + inner + overhang + MARGIN, y + NAME_GAP + inputs.height() + 10.0);
        Self { width, height, cell, bands, rows, inputs, outputs }
    }

    /// Where an edge of that layer that ends there arrives, where that is drawn.
    pub fn end(&self, layer: &DiagramLayer, row: usize, end: usize) -> Option<(f64, f64)> {
        let row = &self.rows[row];
        let (node, factor) = end_of(layer, end);
        let node = row.nodes.iter().find(|n| n.index == node)?;
        Some(match factor {
            None => (node.x, row.y),
            Some((factor, of)) => {
                (node.x + NODE * (factor as f64 - (of as f64 - 1.0) / 2.0), row.y + FACTOR_DROP)
            }
        })
    }
}

/// The heights of the lines below and above a layer's boxes: the more of them and the farther they go, the more.
fn fans(groups: &[Group], shape: Shape, edges: usize, inner: f64) -> [f64; 2] {
    let group = groups.iter().map(|g| g.width(Some(shape))).fold(0.0, f64::max);
    [(0.16 * group).clamp(36.0, 64.0), (0.055 * inner).max(1.3 * edges as f64).clamp(42.0, 130.0)]
}

/// What is drawn, and how large.
struct Fitted<'a> {
    shown: Vec<Vec<&'a DiagramEdge>>,
    nodes: Vec<Vec<usize>>,
    groups: Vec<Vec<Group>>,
    cell: (f64, f64),
    shapes: Vec<Shape>,
}

/// As many edges of each layer as were asked for; where nothing was, as many as keep the picture from getting too wide.
fn fit(diagram: &Diagram) -> Fitted<'_> {
    let mut limits = vec![diagram.most.unwrap_or(EDGES); diagram.layers.len()];
    loop {
        let shown: Vec<_> =
            diagram.layers.iter().zip(&limits).map(|(l, limit)| strongest(l, *limit)).collect();
        let nodes: Vec<_> = (0..=diagram.layers.len()).map(|row| row_nodes(diagram, &shown, row)).collect();
        let groups: Vec<_> =
            nodes.iter().enumerate().map(|(row, n)| row_groups(diagram, &shown, row, n)).collect();
        let (cell, shapes) = shapes(&shown, &groups);
        let mut fits = true;
        for (k, limit) in limits.iter_mut().enumerate() {
            if diagram.most.is_none() && shown[k].len() > FEWEST && wide(&groups[k], Some(shapes[k])) > WIDEST
            {
                (*limit, fits) = (shown[k].len() * 4 / 5, false);
            }
        }
        if fits {
            return Fitted { shown, nodes, groups, cell, shapes };
        }
    }
}

/// The node where an edge ends; for a product the number of the factor as well, of how many.
pub(super) fn end_of(layer: &DiagramLayer, end: usize) -> (usize, Option<(usize, usize)>) {
    let plain = layer.plain();
    if end < plain {
        return (end, None);
    }
    let mut first = plain;
    for (m, &arity) in layer.multiply.iter().enumerate() {
        if end < first + arity {
            return (plain + m, Some((end - first, arity)));
        }
        first += arity;
    }
    (layer.nodes(), None)
}

/// The most important edges, by input and output.
fn strongest(layer: &DiagramLayer, most: usize) -> Vec<&DiagramEdge> {
    let mut edges: Vec<&DiagramEdge> = layer.edges.iter().collect();
    if edges.len() > most {
        let rank = |e: &DiagramEdge| if e.importance.is_nan() { -1.0 } else { e.importance };
        edges.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        edges.truncate(most);
    }
    edges.sort_by_key(|e| (e.input, e.output));
    edges
}

/// The nodes of a row that are drawn.
fn row_nodes(diagram: &Diagram, shown: &[Vec<&DiagramEdge>], row: usize) -> Vec<usize> {
    let below = row.checked_sub(1);
    let count = match below {
        Some(below) => diagram.layers[below].nodes(),
        None => diagram.layers[0].inputs,
    };
    if count <= NODES {
        return (0..count).collect();
    }
    let leave = shown.get(row).into_iter().flatten().map(|e| e.input);
    let arrive = below.map(|b| shown[b].iter().map(move |e| end_of(&diagram.layers[b], e.output).0));
    let mut nodes: Vec<usize> = leave.chain(arrive.into_iter().flatten()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    // One that has no edge at all is as good as another.
    if nodes.is_empty() { (0..NODES).collect() } else { nodes }
}

/// A node with the boxes above it.
struct Group {
    node: usize,
    boxes: usize,
    /// The width of the node itself.
    own: f64,
}

impl Group {
    /// The number of its columns in at most so many tiers, and the height of the highest: they are as even as can be.
    fn columns(&self, tiers: usize) -> (usize, usize) {
        let columns = self.boxes.div_ceil(tiers);
        (columns, self.boxes.div_ceil(columns.max(1)).max(1))
    }

    fn width(&self, shape: Option<Shape>) -> f64 {
        let boxes = shape.map_or(0.0, |s| self.columns(s.tiers).0 as f64 * s.column());
        boxes.max(self.own)
    }
}

/// The width of a row.
fn wide(groups: &[Group], shape: Option<Shape>) -> f64 {
    groups.iter().map(|g| g.width(shape)).sum::<f64>() + gap(groups) * groups.len() as f64
}

fn gap(groups: &[Group]) -> f64 {
    if groups.len() > CROWD { CROWDED_GAP } else { GROUP_GAP }
}

fn row_groups(diagram: &Diagram, shown: &[Vec<&DiagramEdge>], row: usize, nodes: &[usize]) -> Vec<Group> {
    let group = |&node: &usize| {
        let boxes = shown.get(row).map_or(0, |edges| edges.iter().filter(|e| e.input == node).count());
        let factors = row.checked_sub(1).and_then(|below| {
            let layer = &diagram.layers[below];
            layer.multiply.get(node.checked_sub(layer.plain())?).copied()
        });
        Group { node, boxes, own: NODE * factors.unwrap_or(1) as f64 }
    };
    nodes.iter().map(group).collect()
}

/// The largest boxes with which every layer stays within [`WIDE`], each layer in as few tiers as will do.
fn shapes(shown: &[Vec<&DiagramEdge>], groups: &[Vec<Group>]) -> ((f64, f64), Vec<Shape>) {
    let mut found = (BOXES[0].0, Vec::new());
    for (cell, most) in BOXES {
        let layer = |k: usize| {
            let width = |s: Shape| wide(&groups[k], Some(s));
            let labels = shown[k].iter().filter_map(|e| e.label.as_deref());
            let label = labels.map(|l| text_width(l, LABEL_SIZE)).fold(0.0, f64::max);
            // Labels get the room that they need on one line, else on two, else as much as a box has.
            let slots = [label, 0.6 * label, 0.0].map(|slot| (slot + 2.0).clamp(cell.0, LABEL_MOST));
            let shapes = (1..=most).flat_map(|tiers| slots.map(|slot| Shape { tiers, slot }));
            let last = Shape { tiers: most, slot: cell.0 };
            let fit = shapes.into_iter().find(|s| width(*s) <= WIDE);
            let shape = fit.unwrap_or(last);
            // No tier stays empty.
            let tiers = groups[k].iter().map(|g| g.columns(shape.tiers).1).max().unwrap_or(1);
            (Shape { tiers, ..shape }, fit.is_some())
        };
        let layers: Vec<(Shape, bool)> = (0..shown.len()).map(layer).collect();
        let fits = layers.iter().all(|l| l.1);
        found = (cell, layers.into_iter().map(|l| l.0).collect());
        if fits {
            break;
        }
    }
    found
}

/// The names of a row; its indices where it has none.
fn names(given: &[String], letter: &str, nodes: &[usize], centres: &[f64]) -> Names {
    let name = |k: usize| given.get(k).cloned().unwrap_or_else(|| format!("{letter}{k}"));
    Names::new(centres.iter().zip(nodes).map(|(x, k)| (*x, name(*k))), NAME_SIZE)
}
