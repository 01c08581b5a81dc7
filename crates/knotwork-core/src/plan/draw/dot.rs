//! A picture as DOT, for those who would rather lay it out with Graphviz.

use std::fmt::Write;

use super::Picture;
use crate::graph::Phase;

impl Picture {
    /// The picture in the DOT language.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut out = String::from("digraph knotwork {\n");
        let _ = writeln!(out, "  label={}; labelloc=t; fontname=\"Helvetica\";", quoted(&self.title));
        out.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11];\n");
        out.push_str("  edge [fontname=\"Helvetica\", fontsize=9, color=\"#5a6472\"];\n");
        for (k, node) in self.nodes.iter().enumerate() {
            let text = std::iter::once(&node.name).chain(&node.lines).cloned().collect::<Vec<_>>().join("\n");
            let (style, colour) = match node.phase {
                Phase::Forward => ("rounded,filled", "#2b3a55"),
                Phase::Backward => ("rounded,filled,dashed", "#b4441c"),
                Phase::Update => ("rounded,filled,dotted", "#1e7a4c"),
            };
            let _ = writeln!(
                out,
                "  n{k} [label={}, tooltip={}, fillcolor=\"{}\", color=\"{colour}\", style=\"{style}\"];",
                quoted(&text),
                quoted(&node.details),
                node.family.fill()
            );
        }
        for arrow in &self.arrows {
            let _ = writeln!(out, "  n{} -> n{} [label={}];", arrow.from, arrow.to, quoted(&arrow.label));
        }
        out.push_str("}\n");
        out
    }
}

/// A quoted string of DOT: quotes and backslashes escaped, lines as `\n`, no other control characters.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_and_lines_are_escaped() {
        assert_eq!(quoted("a \"b\"\\\nc\u{7}"), r#""a \"b\"\\\nc ""#);
    }
}
