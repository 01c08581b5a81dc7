//! The picture of a plan: its steps, and which reads what which wrote.

use super::{Arrow, Family, Node, Picture};
use crate::{
    graph::{Phase, SlotGroup},
    plan::{
        BufferKind, Place, Plan, Step,
        explain::{some, typed},
        flow::Flow,
    },
    units,
};

impl Plan {
    /// The plan as a picture: a box a step, an arrow where one reads what another wrote. Parameters, states, scalars
    /// and constants are lines in the boxes that read or write them.
    #[must_use]
    pub fn picture(&self) -> Picture {
        let cost = self.cost();
        let title = format!(
            "{} steps, {} dispatches, {}, {} moved, live peak {}",
            self.steps.len(),
            self.dispatches.len(),
            units::count(cost.flops, "FLOP"),
            units::bytes(cost.bytes as usize),
            units::bytes(self.live_peak)
        );
        let mut nodes: Vec<Node> = self
            .feeds
            .iter()
            .map(|f| Node {
                id: f.name.clone(),
                name: f.name.clone(),
                lines: vec![typed(f.dtype, &f.shape)],
                family: Family::Input,
                phase: Phase::Forward,
                details: format!("input `{}` {}", f.name, typed(f.dtype, &f.shape)),
            })
            .collect();
        let feeds = nodes.len();
        let flow = Flow::of(self);
        nodes.extend(flow.phases(self).into_iter().enumerate().map(|(k, phase)| self.box_of(k, phase)));
        let mut arrows = Vec::new();
        for (k, step) in self.steps.iter().enumerate() {
            for place in &step.inputs {
                if let Some(BufferKind::Feed(f)) = self.buffers.get(place.buffer.0).map(|b| &b.kind) {
                    arrows.push(Arrow { from: *f, to: feeds + k, label: label(place) });
                }
            }
        }
        for value in &flow.values {
            for &(to, _) in &value.readers {
                for &(from, _) in value.writers.iter().filter(|w| w.0 < to) {
                    arrows.push(Arrow { from: feeds + from, to: feeds + to, label: label(&value.place) });
                }
            }
        }
        arrows.sort_by(|a, b| (a.from, a.to, &a.label).cmp(&(b.from, b.to, &b.label)));
        arrows.dedup();
        for (k, node) in nodes.iter_mut().skip(feeds).enumerate() {
            let own = |v: &&crate::plan::flow::Value| v.output && v.writers.iter().any(|w| w.0 == k);
            let given = flow.values.iter().filter(own).count();
            if given > 0 {
                node.lines.push(if given == 1 {
                    "gives an output".into()
                } else {
                    format!("gives {given} outputs")
                });
            }
        }
        Picture { title, nodes, arrows }
    }

    fn box_of(&self, k: usize, phase: Phase) -> Node {
        let step = &self.steps[k];
        let shapes: Vec<String> = step.outputs.iter().map(label).collect();
        let mut lines = vec![some(&texts(&shapes), 2)];
        let cost = step.cost();
        lines.push(format!("{}, {}", units::count(cost.flops, "FLOP"), units::bytes(cost.bytes as usize)));
        lines.extend(self.slots_line("reads", &step.inputs));
        lines.extend(self.slots_line("writes", &step.outputs));
        let dispatches = self.dispatches.iter().filter(|d| d.step == k).count();
        if dispatches > 1 {
            lines.push(format!("{}, {dispatches} dispatches", step.variant));
        } else if !step.variant.is_empty() && step.variant != step.op.name() {
            lines.push(step.variant.into());
        }
        Node {
            id: k.to_string(),
            name: format!("{k} {}", short(step.op.name())),
            lines,
            family: Family::of(step.op.as_ref()),
            phase,
            details: details(k, step),
        }
    }

    /// The parameters, states, scalars and constants among some places.
    fn slots_line(&self, verb: &str, places: &[Place]) -> Option<String> {
        let mut names: Vec<String> = Vec::new();
        let mut states = 0;
        for place in places {
            match self.buffers.get(place.buffer.0).map(|b| &b.kind) {
                Some(BufferKind::Chunk(_)) => {
                    for slot in self.slots_in(place.buffer, place.offset, place.bytes) {
                        match slot.group {
                            SlotGroup::Parameter => names.push(slot.name.clone()),
                            SlotGroup::State(_) => states += 1,
                        }
                    }
                }
                Some(BufferKind::Scalars | BufferKind::Constant(_)) => names.push(self.name_of_place(place)),
                _ => {}
            }
        }
        names.dedup();
        let mut said =
            if names.len() > 3 { vec![format!("{} parameters and constants", names.len())] } else { names };
        if states > 0 {
            said.push(format!("{states} state{}", if states == 1 { "" } else { "s" }));
        }
        (!said.is_empty()).then(|| format!("{verb} {}", said.join(", ")))
    }
}

fn label(place: &Place) -> String {
    typed(place.dtype, place.layout.shape())
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// A name that fits a box.
fn short(name: &str) -> String {
    const MOST: usize = 34;
    if name.chars().count() <= MOST {
        return name.into();
    }
    name.chars().take(MOST - 1).collect::<String>() + "…"
}

/// The whole truth about a step, for its tooltip.
fn details(k: usize, step: &Step) -> String {
    let mut text = format!("step {k}: {} [{}] at {}", step.op.name(), step.variant, step.site);
    for node in &step.nodes {
        let shapes: Vec<String> = node.outputs.iter().map(|(d, s)| typed(*d, s)).collect();
        text += &format!(
            "\nnode {}: {} {} {} at {}",
            node.node,
            node.phase,
            node.op,
            some(&texts(&shapes), 3),
            node.site
        );
    }
    if step.nodes.is_empty() {
        text += "\nmade by the planner";
    }
    text
}
