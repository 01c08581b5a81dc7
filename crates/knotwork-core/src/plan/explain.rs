//! A plan as text, for people: totals, buffers, and each step with the nodes that it computes and its dispatches.

use std::fmt;

use super::{BufferKind, Dispatch, NodeRef, Place, Plan, Step};
use crate::{
    graph::SlotGroup,
    table::{Align, Table},
    tensor::{DType, format_shape},
    units,
};

impl Plan {
    /// The plan as text: totals, buffers, and each step with the nodes of the graph that it computes, the user's
    /// lines, and its dispatches. The same graph gives the same text.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph, plan::{Capabilities, PlanOptions}};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [64])?.mul(2.0)?.relu()?;
    /// let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default())?;
    /// let text = plan.explain();
    /// assert!(text.starts_with("2 nodes -> 1 step -> 1 dispatch of 1 kernel\n"));
    /// assert!(text.contains(file!())); // each node with the line that made it
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    #[must_use]
    pub fn explain(&self) -> String {
        [self.totals(), self.buffer_table(), self.step_table()].join("\n")
    }

    fn totals(&self) -> String {
        let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let nodes: usize = self.steps.iter().map(|s| s.nodes.len()).sum();
        let mut head = format!("{} -> {}", plural(nodes, "node"), plural(self.steps.len(), "step"));
        if !self.dispatches.is_empty() {
            let mut kernels: Vec<_> = self.dispatches.iter().map(|d| &d.kernel.name).collect();
            kernels.sort_unstable();
            kernels.dedup();
            head += &format!(
                " -> {} of {}",
                plural(self.dispatches.len(), "dispatch").replace("dispatchs", "dispatches"),
                plural(kernels.len(), "kernel")
            );
        }
        let cost = self.cost();
        let slots = |parameter: bool| {
            let group = |g: &SlotGroup| matches!(g, SlotGroup::Parameter) == parameter;
            let found: Vec<_> = self.slots.iter().filter(|s| group(&s.group)).collect();
            format!("{} in {}", units::bytes(found.iter().map(|s| s.bytes()).sum()), found.len())
        };
        let kind = |wanted: fn(&BufferKind) -> bool| {
            let found: Vec<_> = self.buffers.iter().filter(|b| wanted(&b.kind)).collect();
            format!("{} in {}", units::bytes(found.iter().map(|b| b.bytes).sum()), found.len())
        };
        let above = match self.live_peak {
            0 => String::new(),
            peak => format!(", {:.2} times the live peak", self.arena_bytes() as f64 / peak as f64),
        };
        let mut lines = vec![
            (
                "moves",
                format!("{} at least, read and written by the steps", units::bytes(cost.bytes as usize)),
            ),
            ("computes", units::count(cost.flops, "FLOP")),
            ("live peak", format!("{} of values alive at once", units::bytes(self.live_peak))),
            ("arena", format!("{}{above}", kind(|k| matches!(k, BufferKind::Arena)))),
            ("parameters", slots(true)),
            ("states", slots(false)),
            ("inputs", kind(|k| matches!(k, BufferKind::Feed(_)))),
            ("constants", kind(|k| matches!(k, BufferKind::Constant(_)))),
        ];
        let rules: Vec<String> = self.rewrites.iter().map(|(rule, n)| format!("{rule} {n}")).collect();
        if !rules.is_empty() {
            lines.push(("rewrites", rules.join(", ")));
        }
        lines.retain(|(_, text)| !text.ends_with(" in 0"));
        lines.iter().fold(head + "\n", |text, (name, value)| text + &format!("  {name:<10}  {value}\n"))
    }

    fn buffer_table(&self) -> String {
        let mut table =
            Table::new(&[("buffer", Align::Left), ("size", Align::Right), ("holds", Align::Left)]);
        for (i, buffer) in self.buffers.iter().enumerate() {
            let what = match &buffer.kind {
                BufferKind::Feed(k) => self.feeds.get(*k).map_or_else(String::new, |f| {
                    format!("input `{}` {}{}", f.name, f.dtype, format_shape(&f.shape))
                }),
                BufferKind::Chunk(k) => {
                    let held: Vec<&str> =
                        self.slots.iter().filter(|s| s.chunk == *k).map(|s| s.name.as_str()).collect();
                    format!("parameters, chunk {k}: {}", some(&held, 6))
                }
                BufferKind::Scalars => {
                    let names: Vec<&str> = self.scalars.iter().map(|s| s.name.as_str()).collect();
                    format!("scalars: {}", some(&names, 6))
                }
                BufferKind::Constant(t) => format!("constant {}{}", t.dtype(), format_shape(t.shape())),
                BufferKind::Arena => "arena".into(),
                BufferKind::Status => "counts of clamped indices".into(),
            };
            table.row(vec![format!("b{i}"), units::bytes(buffer.bytes), what], Vec::new());
        }
        table.text()
    }

    fn step_table(&self) -> String {
        let mut table = Table::new(&[
            ("step", Align::Right),
            ("operation", Align::Left),
            ("phase", Align::Left),
            ("result", Align::Left),
            ("reads", Align::Right),
            ("writes", Align::Right),
            ("computes", Align::Right),
            ("variant", Align::Left),
        ]);
        let phases = self.phases();
        for (k, step) in self.steps.iter().enumerate() {
            let mut below: Vec<String> = step.nodes.iter().map(node_line).collect();
            if step.nodes.is_empty() {
                below.push(format!("made by the planner, for {}", step.site));
            }
            below.push(self.values_line(step));
            below.extend(step.note.clone());
            let dispatches = self.dispatches.iter().enumerate().filter(|(_, d)| d.step == k);
            below.extend(dispatches.map(|(i, d)| self.dispatch_line(i, d)));
            let cost = step.cost();
            table.row(
                vec![
                    k.to_string(),
                    step.op.name().into(),
                    phases[k].to_string(),
                    results(step),
                    units::bytes((cost.bytes - step.bytes_written()).max(0.0) as usize),
                    units::bytes(step.bytes_written() as usize),
                    units::count(cost.flops, "FLOP"),
                    step.variant.into(),
                ],
                below,
            );
        }
        table.text()
    }

    /// Where a step's values lie.
    fn values_line(&self, step: &Step) -> String {
        let shown = |p: &Place| format!("{} {}", self.name_of_place(p), typed(p.dtype, p.layout.shape()));
        let list = |places: &[Place]| {
            let all: Vec<String> = places.iter().map(shown).collect();
            some(&all.iter().map(String::as_str).collect::<Vec<_>>(), 8)
        };
        let mut line = format!("({}) -> {}", list(&step.inputs), list(&step.outputs));
        if !step.aliases.is_empty() {
            let names: Vec<String> = step
                .aliases
                .iter()
                .filter_map(|&(i, _)| step.inputs.get(i))
                .map(|p| self.name_of_place(p))
                .collect();
            line +=
                &format!(", in place of {}", some(&names.iter().map(String::as_str).collect::<Vec<_>>(), 4));
        }
        line
    }

    fn dispatch_line(&self, index: usize, d: &Dispatch) -> String {
        let bound = |writes: bool| {
            let all: Vec<String> = d
                .bindings
                .iter()
                .filter(|b| b.writes == writes)
                .map(|b| format!("{} {}", self.name_of_range(b), units::bytes(b.bytes)))
                .collect();
            all.join(", ")
        };
        let [x, y, z] = d.grid;
        format!(
            "dispatch {index}: {} on {x} x {y} x {z} groups, binds {} -> {}",
            d.kernel.name,
            Some(bound(false)).filter(|b| !b.is_empty()).unwrap_or_else(|| "nothing".into()),
            bound(true)
        )
    }
}

fn node_line(node: &NodeRef) -> String {
    let shapes: Vec<String> = node.outputs.iter().map(|(d, s)| typed(*d, s)).collect();
    let shapes = some(&shapes.iter().map(String::as_str).collect::<Vec<_>>(), 3);
    format!("node {}: {} {} {shapes} at {}", node.node, node.phase, node.op, node.site)
}

fn results(step: &Step) -> String {
    match step.outputs.as_slice() {
        [] => String::new(),
        [one] => typed(one.dtype, one.layout.shape()),
        [first, rest @ ..] => format!("{} and {} more", typed(first.dtype, first.layout.shape()), rest.len()),
    }
}

pub(crate) fn typed(dtype: DType, shape: &[usize]) -> String {
    format!("{dtype}{}", format_shape(shape))
}

/// The first `most` of a list, and how many more there are.
pub(crate) fn some(list: &[&str], most: usize) -> String {
    if list.len() <= most {
        return list.join(", ");
    }
    format!("{}, and {} more", list[..most].join(", "), list.len() - most)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain())
    }
}
