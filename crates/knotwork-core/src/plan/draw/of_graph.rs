//! The picture of a graph: its nodes as the user and the gradients made them, before any planning.

use super::{Arrow, Family, Node, Picture};
use crate::graph::{Constant, Graph, Kind, Leaf, Tensor, Update, ValueId};

impl Graph {
    /// The part of the graph that these outputs and updates need, as a picture: a box an operation or input, an arrow
    /// a value. Parameters, scalars and constants are lines in the boxes that read them. Tensors and updates of another
    /// graph are passed by.
    #[must_use]
    pub fn picture(&self, outputs: &[&Tensor], updates: &[&Update]) -> Picture {
        let snapshot = self.snapshot();
        let values: Vec<ValueId> = outputs.iter().filter(|t| t.graph().same(self)).map(|t| t.id()).collect();
        let assigned: Vec<_> =
            updates.iter().filter(|u| u.graph().same(self)).flat_map(|u| u.assignments().to_vec()).collect();
        let live = snapshot.live(&values, &assigned);
        let inside = |kind: &Kind| matches!(kind, Kind::Leaf(leaf) if !matches!(leaf, Leaf::Input(_)));
        // A box for each node that has one.
        let mut boxes = vec![None; snapshot.nodes.len()];
        let mut nodes: Vec<Node> = Vec::new();
        let mut arrows: Vec<Arrow> = Vec::new();
        for (index, node) in snapshot.nodes.iter().enumerate().filter(|(i, _)| live[*i]) {
            if inside(&node.kind) {
                continue;
            }
            boxes[index] = Some(nodes.len());
            let metas: Vec<String> = node.outputs.iter().map(ToString::to_string).collect();
            let mut lines =
                vec![super::super::explain::some(&metas.iter().map(String::as_str).collect::<Vec<_>>(), 2)];
            let mut read: Vec<String> = Vec::new();
            for value in &node.inputs {
                match (&snapshot.nodes[value.node].kind, boxes[value.node]) {
                    (_, Some(from)) => {
                        let label = snapshot.nodes[value.node].outputs[value.output].to_string();
                        arrows.push(Arrow { from, to: nodes.len(), label });
                    }
                    (Kind::Leaf(Leaf::Slot(slot)), _) => read.push(snapshot.slots[slot.0].name.clone()),
                    (Kind::Leaf(Leaf::Scalar { name, .. }), _) => read.push(name.clone()),
                    (Kind::Leaf(Leaf::Constant(c)), _) => read.push(constant(c)),
                    _ => {}
                }
            }
            match read.len() {
                0 => {}
                1..=3 => lines.push(format!("reads {}", read.join(", "))),
                n => lines.push(format!("reads {n} parameters and constants")),
            }
            let own = |v: &&ValueId| v.node == index;
            match values.iter().filter(own).count() {
                0 => {}
                1 => lines.push("an output".into()),
                n => lines.push(format!("{n} outputs")),
            }
            let updated = assigned.iter().filter(|(_, v)| v.node == index).count();
            if updated > 0 {
                lines.push(format!("writes {updated} parameters and states"));
            }
            let (id, name, family) = match &node.kind {
                Kind::Op(op) => {
                    (index.to_string(), format!("{index} {}", op.name()), Family::of(op.as_ref()))
                }
                Kind::Leaf(Leaf::Input(name)) => (name.clone(), name.clone(), Family::Input),
                Kind::Leaf(_) => (index.to_string(), node.name().to_owned(), Family::Other),
            };
            let details = format!("node {index}: {} {} at {}", node.phase, node.name(), node.site);
            nodes.push(Node { id, name, lines, family, phase: node.phase, details });
        }
        arrows.dedup();
        let title = format!("{} nodes, {} values between them", nodes.len(), arrows.len());
        Picture { title, nodes, arrows }
    }
}

fn constant(c: &Constant) -> String {
    match c {
        Constant::Scalar(x) => format!("{x}"),
        Constant::Size(dim) => format!("size {dim}"),
        Constant::Tensor(t) => format!("constant {t}"),
    }
}
