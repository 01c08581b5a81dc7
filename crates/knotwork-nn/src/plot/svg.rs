//! SVG text: escaping, numbers, and the frame around a plot.

use std::{fmt::Write, path::Path};

use crate::{Error, Result};

/// The ink of axes and text.
pub(super) const INK: &str = "#26323a";
/// The ink of what stands back.
pub(super) const SOFT: &str = "#74828b";
/// The ink of grid lines.
pub(super) const GRID: &str = "#e4e9ec";
/// Colours that differ in lightness as well as in hue, for colour-blind readers (Okabe and Ito 2008).
pub(super) const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// An SVG document under construction.
#[derive(Debug)]
pub(super) struct Svg {
    text: String,
}

/// Where a text is anchored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Text made safe for SVG.
pub(super) fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".into(),
            '<' => "&lt;".into(),
            '>' => "&gt;".into(),
            '"' => "&quot;".into(),
            // XML allows no other control characters, not even escaped.
            c if c.is_control() => " ".into(),
            c => c.to_string(),
        })
        .collect()
}

impl Svg {
    pub fn new(width: f64, height: f64) -> Self {
        let mut text = String::new();
        let _ = write!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        Self { text }
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let _ = writeln!(
            self.text,
            "<line x1=\"{:.2}\" y1=\"{:.2}\" x2=\"{:.2}\" y2=\"{:.2}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    pub fn rect(&mut self, at: (f64, f64), size: (f64, f64), fill: &str, stroke: &str) {
        let _ = writeln!(
            self.text,
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{fill}\" stroke=\"{stroke}\"/>",
            at.0, at.1, size.0, size.1
        );
    }

    pub fn polyline(&mut self, points: &[(f64, f64)], colour: &str, width: f64, opacity: f64) {
        if let [(x, y)] = points {
            let _ = writeln!(
                self.text,
                "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{width:.2}\" fill=\"{colour}\"/>"
            );
            return;
        }
        let mut d = String::new();
        for (x, y) in points {
            let _ = write!(d, "{x:.2},{y:.2} ");
        }
        let _ = writeln!(
            self.text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width:.2}\" \
             stroke-opacity=\"{opacity:.3}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>",
            d.trim_end()
        );
    }

    pub fn text(&mut self, at: (f64, f64), anchor: Anchor, size: f64, colour: &str, text: &str) {
        self.turned(at, anchor, size, colour, 0.0, text);
    }

    pub fn turned(
        &mut self,
        at: (f64, f64),
        anchor: Anchor,
        size: f64,
        colour: &str,
        degrees: f64,
        text: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let turn = if degrees == 0.0 {
            String::new()
        } else {
            format!(" transform=\"rotate({degrees:.0} {:.2} {:.2})\"", at.0, at.1)
        };
        let _ = writeln!(
            self.text,
            "<text x=\"{:.2}\" y=\"{:.2}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"{colour}\"{turn}>{}</text>",
            at.0,
            at.1,
            escape(text)
        );
    }

    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// Writes a plot to a file.
pub(super) fn write(path: &Path, svg: &str) -> Result<()> {
    std::fs::write(path, svg).map_err(|e| Error::Plot(format!("{}: {e}", path.display())))
}
