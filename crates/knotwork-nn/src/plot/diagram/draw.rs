//! A diagram that is laid out, as SVG.

use super::{
    Diagram, DiagramEdge, MARGIN, Signs,
    layout::{Band, LABEL_LINE, LABEL_SIZE, Layout, NAME_GAP, Placed, Row, TRACK, end_of},
};
use crate::plot::{
    curve::{extent, placeable, runs, thinned},
    legend::{HAIR, PRODUCT, idle, product, sum},
    svg::{Anchor, FORMULA, INK, LEARNED, PAPER, SOFT, Stroke, Svg, ink},
    text::{count, counted, text_width, tidy, wrapped},
};

/// Lines of edges whose importance nobody knows.
pub(super) const DASHES: &str = "3 3";
const RADIUS: f64 = 9.0;
/// The lines of more edges are thinner.
const CROWD: usize = 40;

/// What has to be explained of what is drawn.
pub(super) fn signs(diagram: &Diagram, layout: &Layout) -> Signs {
    let edges = || layout.bands.iter().flat_map(|b| &b.boxes).map(|b| b.edge);
    let idle = |(k, row): (usize, &Row)| {
        let busy = busy(diagram, k);
        row.nodes.iter().any(|n| busy.get(n.index) == Some(&false))
    };
    Signs {
        symbolic: edges().any(|e| e.label.is_some()),
        unknown: edges().any(|e| e.importance.is_nan()),
        product: diagram.layers.iter().any(|l| !l.multiply.is_empty()),
        idle: layout.rows.iter().enumerate().any(idle),
    }
}

/// For each node of a row whether edges lead to it and from it, as far as the network has such a side.
fn busy(diagram: &Diagram, row: usize) -> Vec<bool> {
    let below = row.checked_sub(1).map(|b| &diagram.layers[b]);
    let above = diagram.layers.get(row);
    let count = below.map_or_else(|| above.map_or(0, |l| l.inputs), |l| l.nodes());
    let (mut arrive, mut leave) = (vec![below.is_none(); count], vec![above.is_none(); count]);
    for edge in below.into_iter().flat_map(|l| &l.edges) {
        arrive[below.map_or(0, |l| end_of(l, edge.output).0)] = true;
    }
    above.into_iter().flat_map(|l| &l.edges).for_each(|e| leave[e.input] = true);
    arrive.into_iter().zip(leave).map(|(a, b)| a && b).collect()
}

/// The lines first, boxes and nodes over them.
pub(super) fn draw(diagram: &Diagram, layout: &Layout) -> Svg {
    let mut svg = Svg::new(layout.width, layout.height);
    for (k, band) in layout.bands.iter().enumerate() {
        caption(&mut svg, k, band);
        // The darkest lie on top.
        let mut boxes: Vec<&Placed> = band.boxes.iter().collect();
        boxes.sort_by(|a, b| a.edge.importance.total_cmp(&b.edge.importance));
        for placed in boxes {
            wires(&mut svg, diagram, layout, k, band, placed);
        }
    }
    for (k, band) in layout.bands.iter().enumerate() {
        for placed in &band.boxes {
            let to = end_of(&diagram.layers[k], placed.edge.output);
            svg.open(&tooltip(diagram, k, placed.edge, to));
            function(&mut svg, placed, layout.cell);
            label(&mut svg, placed, layout.cell, band.slot);
            svg.close();
        }
    }
    for (k, row) in layout.rows.iter().enumerate() {
        nodes(&mut svg, diagram, layout, k, row);
    }
    names(&mut svg, layout);
    svg
}

fn stroke(edge: &DiagramEdge, width: f64) -> Stroke {
    let colour = if edge.label.is_some() { FORMULA } else { LEARNED };
    if edge.importance.is_nan() {
        return Stroke::new(colour, width).opacity(0.6).dashes(DASHES);
    }
    Stroke::new(colour, width).opacity(ink(edge.importance))
}

/// The lines from the node below to the box and from the box to where it ends. Those to and from boxes in a column of
/// several run beside it.
fn wires(svg: &mut Svg, diagram: &Diagram, layout: &Layout, k: usize, band: &Band, placed: &Placed) {
    let (edge, (w, h), (x, y)) = (placed.edge, layout.cell, placed.at);
    let stroke = stroke(edge, if band.boxes.len() > CROWD { 1.0 } else { 1.3 });
    let (middle, half) = (x + w / 2.0, y + h / 2.0);
    let side = band.slot.max(w) / 2.0 + 4.0;
    if let Some(node) = layout.rows[k].nodes.iter().find(|n| n.index == edge.input) {
        let from = (node.x, layout.rows[k].y);
        if placed.tier == 0 {
            svg.polyline(&[from, (middle, y + h)], stroke);
        } else {
            let track = middle - side;
            svg.polyline(&[from, (track, band.bottom + 4.0), (track, half), (x, half)], stroke);
        }
    }
    if let Some(to) = layout.end(&diagram.layers[k], k + 1, edge.output) {
        if placed.covered {
            let track = middle + side + TRACK * placed.tier as f64;
            svg.polyline(&[(x + w, half), (track, half), (track, band.top - 4.0), to], stroke);
        } else {
            // Free of the boxes of other columns.
            svg.polyline(&[(middle, y), (middle, band.top), to], stroke);
        }
    }
}

/// The box with its curve, which fills it whatever its scale; a line at 0 where it crosses.
fn function(svg: &mut Svg, placed: &Placed, (w, h): (f64, f64)) {
    let (edge, (left, top)) = (placed.edge, placed.at);
    let frame = Stroke { width: 1.2, ..stroke(edge, 1.0) };
    svg.frame(placed.at, (w, h), PAPER, frame);
    let span = |f: fn(&(f64, f64)) -> f64| extent(edge.points.iter().filter(|p| placeable(p)).map(f));
    let (Some((x0, x1)), Some((y0, y1))) = (span(|p| p.0), span(|p| p.1)) else {
        svg.text((left + w / 2.0, top + h / 2.0 + 4.0), Anchor::Middle, 11.0, SOFT, "no value");
        return;
    };
    // What rounding makes of a constant is no shape.
    let flat = y1 - y0 <= 1e-9 * y0.abs().max(y1.abs());
    let pad = (5.0, 6.0);
    let across = |x: f64| if x1 > x0 { (x - x0) / (x1 - x0) } else { 0.5 };
    let up = |y: f64| if flat { 0.5 } else { (y - y0) / (y1 - y0) };
    let to = |p: &(f64, f64)| {
        (left + pad.0 + (w - 2.0 * pad.0) * across(p.0), top + h - pad.1 - (h - 2.0 * pad.1) * up(p.1))
    };
    if !flat && y0 < 0.0 && y1 > 0.0 {
        let zero = to(&(x0, 0.0)).1;
        svg.line((left + pad.0, zero), (left + w - pad.0, zero), HAIR);
    }
    for run in runs(&edge.points, placeable) {
        svg.polyline(&thinned(run.iter().map(to), 1.0), Stroke { dashes: "", ..stroke(edge, 1.8) });
    }
}

fn label(svg: &mut Svg, placed: &Placed, (w, h): (f64, f64), slot: f64) {
    let Some(text) = &placed.edge.label else { return };
    let (middle, below) = (placed.at.0 + w / 2.0, placed.at.1 + h);
    let lines = wrapped(text, LABEL_SIZE, slot, 2);
    let wide = lines.iter().map(|l| text_width(l, LABEL_SIZE)).fold(0.0, f64::max);
    if !lines.is_empty() {
        svg.halo(
            (middle - wide / 2.0 - 1.0, below + 2.0),
            (wide + 2.0, LABEL_LINE * lines.len() as f64 + 1.0),
        );
    }
    for (k, line) in lines.iter().enumerate() {
        let base = below + LABEL_LINE * (k as f64 + 1.0) - 1.0;
        svg.text((middle, base), Anchor::Middle, LABEL_SIZE, DARK_FORMULA, line);
    }
}

/// Small text needs more contrast than a line: 5.1 : 1.
const DARK_FORMULA: &str = "#b84f00";

fn tooltip(diagram: &Diagram, k: usize, edge: &DiagramEdge, to: (usize, Option<(usize, usize)>)) -> String {
    let name = |names: &[String], end: bool, index: usize| match names.get(index).filter(|_| end) {
        Some(name) => format!("{index} ({name})"),
        None => index.to_string(),
    };
    let from = name(&diagram.inputs, k == 0, edge.input);
    let mut into = name(&diagram.outputs, k + 1 == diagram.layers.len(), to.0);
    if let Some((factor, _)) = to.1 {
        into = format!("factor {factor} of {into}");
    }
    let importance = if edge.importance.is_nan() { "unknown".into() } else { tidy(edge.importance) };
    let label = edge.label.as_deref().map_or_else(String::new, |l| format!(": {l}"));
    format!("layer {k}: {from} to {into}, importance {importance}{label}")
}

fn nodes(svg: &mut Svg, diagram: &Diagram, layout: &Layout, k: usize, row: &Row) {
    let busy = busy(diagram, k);
    for node in &row.nodes {
        let at = (node.x, row.y);
        let Some(layer) = k.checked_sub(1).map(|below| &diagram.layers[below]) else {
            match busy.get(node.index) {
                Some(true) => svg.circle(at, 5.0, INK, Stroke::new(INK, 1.0)),
                _ => idle(svg, at, 5.0),
            }
            continue;
        };
        let nth = node.index.checked_sub(layer.plain());
        let factors = nth.and_then(|m| layer.multiply.get(m));
        let first = layer.plain() + layer.multiply.iter().take(nth.unwrap_or(0)).sum::<usize>();
        for factor in 0..factors.copied().unwrap_or(0) {
            if let Some(end) = layout.end(layer, k, first + factor) {
                svg.line(end, at, Stroke::new(PRODUCT, 1.8));
                sum(svg, end, 0.7 * RADIUS);
            }
        }
        match (busy.get(node.index), factors) {
            (Some(true), Some(_)) => product(svg, at, RADIUS),
            (Some(true), None) => sum(svg, at, RADIUS),
            _ => idle(svg, at, RADIUS),
        }
    }
    let what = if k == 0 {
        "inputs"
    } else if k + 1 == layout.rows.len() {
        "outputs"
    } else {
        ""
    };
    let mut lines = Vec::new();
    if !what.is_empty() {
        lines.push(what.to_string());
    }
    if row.nodes.len() < row.count {
        lines.push(format!("{} of {} drawn", row.nodes.len(), count(row.count)));
    }
    side(svg, row.y, &lines);
}

/// Lines left of the network, around that height.
fn side(svg: &mut Svg, y: f64, lines: &[String]) {
    for (n, line) in lines.iter().enumerate() {
        let base = y + 4.0 + 14.0 * (n as f64 - (lines.len() as f64 - 1.0) / 2.0);
        svg.text((MARGIN, base), Anchor::Start, 12.0, if n == 0 { INK } else { SOFT }, line);
    }
}

fn caption(svg: &mut Svg, k: usize, band: &Band) {
    let mut lines = vec![format!("layer {k}")];
    if band.boxes.len() < band.edges {
        lines.push(format!("{} strongest of", count(band.boxes.len())));
    }
    lines.push(counted(band.edges, "edge"));
    match band.possible.saturating_sub(band.edges) {
        0 => {}
        pruned => lines.push(format!("{} pruned", count(pruned))),
    }
    side(svg, (band.top + band.bottom) / 2.0, &lines);
}

fn names(svg: &mut Svg, layout: &Layout) {
    let (Some(bottom), Some(top)) = (layout.rows.first(), layout.rows.last()) else { return };
    layout.inputs.below(svg, bottom.y + NAME_GAP - 2.0, INK);
    layout.outputs.above(svg, top.y - NAME_GAP, INK);
}
