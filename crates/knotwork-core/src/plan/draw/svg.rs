//! A laid-out picture as SVG.

use std::fmt::Write;

use super::{
    Family, Node, Picture,
    layout::{HEADING_HEIGHT, LINE_HEIGHT, Label, Layout, Rect, layout, text_width},
};
use crate::graph::Phase;

const MARGIN: f64 = 24.0;
const LEGEND_HEIGHT: f64 = 64.0;

impl Picture {
    /// The picture as SVG: boxes by their work's kind in colour and their phase's border, arrows with types and shapes,
    /// tooltips with all that is known, a legend.
    #[must_use]
    pub fn svg(&self) -> String {
        let layout = layout(self);
        let legend = legend(self);
        let width = layout.width.max(legend.1).max(text_width(&self.title) * 1.6) + 2.0 * MARGIN;
        let height = layout.height + LEGEND_HEIGHT + 2.0 * MARGIN;
        let mut out = String::new();
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"11\">\n\
             <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto\"><path d=\"M0 0.5L8 4L0 7.5z\" fill=\"#5a6472\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fbfbfc\"/>\n\
             <text x=\"{MARGIN}\" y=\"{:.0}\" font-size=\"15\" font-weight=\"bold\" fill=\"#1d2530\">{}</text>\n{}",
            MARGIN + 6.0,
            escape(&self.title),
            legend.0
        );
        let shift = (width - 2.0 * MARGIN - layout.width).max(0.0) / 2.0;
        let _ =
            writeln!(out, "<g transform=\"translate({:.1} {:.1})\">", MARGIN + shift, MARGIN + LEGEND_HEIGHT);
        self.arrows_svg(&layout, &mut out);
        for (node, rect) in self.nodes.iter().zip(&layout.boxes) {
            box_svg(node, *rect, &mut out);
        }
        // Labels lie over everything.
        for route in &layout.routes {
            route.label.iter().for_each(|l| label_svg(l, "#3d4652", &mut out));
            route.stubs.iter().for_each(|l| label_svg(l, "#8a5a00", &mut out));
        }
        out.push_str("</g>\n</svg>\n");
        out
    }

    fn arrows_svg(&self, layout: &Layout, out: &mut String) {
        for (arrow, route) in self.arrows.iter().zip(&layout.routes) {
            let title =
                format!("{} to {}: {}", self.nodes[arrow.from].name, self.nodes[arrow.to].name, arrow.label);
            let _ = write!(out, "<g fill=\"none\" stroke=\"#5a6472\" stroke-width=\"1.2\">");
            let _ = write!(out, "<title>{}</title>", escape(&title));
            for piece in &route.pieces {
                let mut path = String::new();
                for (i, &(x, y)) in piece.iter().enumerate() {
                    if i == 0 {
                        let _ = write!(path, "M{x:.1} {y:.1}");
                        continue;
                    }
                    let (px, py) = piece[i - 1];
                    let middle = (py + y) / 2.0;
                    let _ = write!(path, "C{px:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}");
                }
                let dashes = if route.cut { " stroke-dasharray=\"2 3\"" } else { "" };
                let _ = write!(out, "<path d=\"{path}\"{dashes} marker-end=\"url(#tip)\"/>");
            }
            out.push_str("</g>\n");
        }
    }
}

/// How the border of a phase looks.
fn border(phase: Phase) -> &'static str {
    match phase {
        Phase::Forward => "stroke=\"#2b3a55\" stroke-width=\"1.4\"",
        Phase::Backward => "stroke=\"#b4441c\" stroke-width=\"1.6\" stroke-dasharray=\"6 3\"",
        Phase::Update => "stroke=\"#1e7a4c\" stroke-width=\"2.2\" stroke-dasharray=\"2 2\"",
    }
}

fn box_svg(node: &Node, rect: Rect, out: &mut String) {
    let (x, y) = (rect.left(), rect.top());
    let _ = write!(
        out,
        "<g><title>{}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"7\" fill=\"{}\" {}/>",
        escape(&node.details),
        rect.width,
        rect.height,
        node.family.fill(),
        border(node.phase)
    );
    let _ = write!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"12\" font-weight=\"bold\" \
         fill=\"#131a24\">{}</text>",
        rect.x,
        y + HEADING_HEIGHT - 4.0,
        escape(&node.name)
    );
    for (k, line) in node.lines.iter().enumerate() {
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#39424e\">{}</text>",
            rect.x,
            y + HEADING_HEIGHT + LINE_HEIGHT * (k as f64 + 1.0) - 4.0,
            escape(line)
        );
    }
    out.push_str("</g>\n");
}

/// Text with a halo, so that a line behind it does not hide it.
fn label_svg(label: &Label, colour: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\" fill=\"{colour}\" stroke=\"#fbfbfc\" \
         stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
        label.at.x,
        label.at.y + 3.5,
        escape(&label.text)
    );
}

/// The colours and borders that the picture uses, in one row; and the row's width.
fn legend(picture: &Picture) -> (String, f64) {
    let (mut out, mut x) = (String::new(), MARGIN);
    let y = MARGIN + 22.0;
    let mut entry = |fill: &str, border: &str, text: &str| {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"20\" height=\"13\" rx=\"3\" fill=\"{fill}\" {border}/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#39424e\">{text}</text>",
            x + 26.0,
            y + 10.5
        );
        x += 26.0 + text_width(text) + 16.0;
    };
    for family in Family::ALL {
        if picture.nodes.iter().any(|n| n.family == family) {
            entry(family.fill(), "stroke=\"#9aa3ae\"", family.name());
        }
    }
    for phase in [Phase::Forward, Phase::Backward, Phase::Update] {
        if picture.nodes.iter().any(|n| n.phase == phase) {
            entry("#ffffff", border(phase), &phase.to_string());
        }
    }
    (out, x - MARGIN)
}

/// Text as XML takes it: markup escaped, and control characters, which XML has no way to say, as spaces.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_kind_become_text() {
        assert_eq!(escape("a<b> & \"c\"\u{0}\u{1b}'"), "a&lt;b&gt; &amp; &quot;c&quot;  &#39;");
    }
}
