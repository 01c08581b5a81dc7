//! What a diagram must be to be drawn.

use std::collections::HashSet;

use super::{Diagram, DiagramLayer};
use crate::plot::{PlotError, curve::placeable};

/// The most layers: a picture of more is a tower that nobody can read.
const LAYERS: usize = 64;
/// The most nodes in a row, and sums of a layer.
const NODES: usize = 1_000_000;
/// The most factors of one product, all of which are drawn.
const FACTORS: usize = 64;

/// Refuses what does not fit.
pub(super) fn check(diagram: &Diagram) -> Result<(), PlotError> {
    let nothing = |what| PlotError::Nothing { title: diagram.title.clone(), what };
    let wrong = |what: String| PlotError::input(&diagram.title, what);
    let (Some(first), Some(last)) = (diagram.layers.first(), diagram.layers.last()) else {
        return Err(nothing("no layer"));
    };
    if diagram.layers.len() > LAYERS {
        return Err(wrong(format!("{} layers; at most {LAYERS} can be drawn", diagram.layers.len())));
    }
    for (k, layer) in diagram.layers.iter().enumerate() {
        self::layer(k, layer).map_err(wrong)?;
        if let Some(below) = k.checked_sub(1).and_then(|below| diagram.layers.get(below))
            && below.nodes() != layer.inputs
        {
            let (nodes, inputs) = (below.nodes(), layer.inputs);
            return Err(wrong(format!(
                "layer {} ends in {nodes} nodes, but layer {k} has {inputs} inputs",
                k - 1
            )));
        }
    }
    for (what, names, nodes) in
        [("inputs", &diagram.inputs, first.inputs), ("outputs", &diagram.outputs, last.nodes())]
    {
        if !names.is_empty() && names.len() != nodes {
            return Err(wrong(format!(
                "{} names for {nodes} {what}; there must be as many, or none",
                names.len()
            )));
        }
    }
    let mut edges = diagram.layers.iter().flat_map(|l| &l.edges).peekable();
    // A network of which all is pruned can be drawn; one of which nothing is known cannot.
    if edges.peek().is_some() && !edges.any(|e| e.points.iter().any(placeable)) {
        return Err(nothing("no edge with a finite point"));
    }
    Ok(())
}

fn layer(k: usize, layer: &DiagramLayer) -> Result<(), String> {
    if layer.inputs == 0 || layer.nodes() == 0 {
        let (inputs, nodes) = (layer.inputs, layer.nodes());
        return Err(format!(
            "layer {k} goes from {inputs} inputs to {nodes} nodes; there must be one of each at least"
        ));
    }
    if layer.inputs > NODES || layer.sums > NODES {
        let (inputs, ends) = (layer.inputs, layer.sums);
        return Err(format!(
            "layer {k} goes from {inputs} inputs to {ends} sums; at most {NODES} can be drawn"
        ));
    }
    if let Some((m, arity)) = layer.multiply.iter().enumerate().find(|(_, a)| !(1..=FACTORS).contains(*a)) {
        return Err(format!("layer {k}: product {m} has {arity} factors; it must have 1 to {FACTORS}"));
    }
    if layer.factors() > layer.sums {
        let (factors, sums) = (layer.factors(), layer.sums);
        return Err(format!("layer {k}: its products take {factors} factors, but it has {sums} sums"));
    }
    let mut seen = HashSet::new();
    for e in &layer.edges {
        let (input, output) = (e.input, e.output);
        if input >= layer.inputs || output >= layer.sums {
            let (inputs, ends) = (layer.inputs, layer.sums);
            return Err(format!(
                "layer {k} has no edge from {input} to {output}: it has {inputs} inputs and {ends} sums"
            ));
        }
        if !seen.insert((input, output)) {
            return Err(format!("layer {k} has the edge from {input} to {output} twice"));
        }
        if !(e.importance.is_nan() || (0.0..=1.0).contains(&e.importance)) {
            let importance = e.importance;
            return Err(format!(
                "layer {k}: the edge from {input} to {output} has importance {importance}; it must lie in 0..=1, or be NaN \
                 where it is unknown"
            ));
        }
    }
    Ok(())
}
