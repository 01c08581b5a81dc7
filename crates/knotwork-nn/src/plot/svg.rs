//! SVG text: escaping, numbers, and the frame around a plot.

use std::fmt::Write;

/// The ink of axes and text.
pub(super) const INK: &str = "#26323a";
/// The ink of what stands back; 4.8 : 1 on white.
pub(super) const SOFT: &str = "#66737b";
/// The ink of grid lines.
pub(super) const GRID: &str = "#e4e9ec";
/// The ground of a small plot.
pub(super) const PAPER: &str = "#fafbfc";
/// The ink of learned functions.
pub(super) const LEARNED: &str = "#0b3c5d";
/// The ink of formulas.
pub(super) const FORMULA: &str = COLOURS[1];
/// Colours that differ in lightness as well as in hue, for colour-blind readers (Okabe and Ito 2008).
pub(super) const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// How dark something of that importance is drawn, 0 to 1: even the least stays visible.
pub(super) fn ink(importance: f64) -> f64 {
    0.2 + 0.8 * importance.clamp(0.0, 1.0)
}

/// An SVG document under construction.
#[derive(Debug)]
pub(super) struct Svg {
    size: (f64, f64),
    markup: String,
    /// Where in the markup they stand.
    texts: Vec<(usize, Text)>,
}

/// A line of text.
#[derive(Debug)]
struct Text {
    at: (f64, f64),
    anchor: Anchor,
    size: f64,
    colour: &'static str,
    degrees: f64,
    text: String,
}

/// Where a text is anchored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke {
    pub colour: &'static str,
    pub width: f64,
    pub opacity: f64,
    /// Lengths of dashes and gaps; none for a whole line.
    pub dashes: &'static str,
}

impl Stroke {
    pub const fn new(colour: &'static str, width: f64) -> Self {
        Self { colour, width, opacity: 1.0, dashes: "" }
    }

    pub const fn opacity(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    pub const fn dashes(self, dashes: &'static str) -> Self {
        Self { dashes, ..self }
    }

    fn attributes(&self) -> String {
        let mut text = format!("stroke=\"{}\" stroke-width=\"{:.2}\"", self.colour, self.width);
        if self.opacity < 1.0 {
            let _ = write!(text, " stroke-opacity=\"{:.3}\"", self.opacity);
        }
        if !self.dashes.is_empty() {
            let _ = write!(text, " stroke-dasharray=\"{}\"", self.dashes);
        }
        text
    }
}

/// Text made safe for SVG.
pub(super) fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".into(),
            '<' => "&lt;".into(),
            '>' => "&gt;".into(),
            '"' => "&quot;".into(),
            // XML allows no other control characters, not even escaped, and no noncharacters.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => " ".into(),
            c => c.to_string(),
        })
        .collect()
}

impl Svg {
    pub fn new(width: f64, height: f64) -> Self {
        Self { size: (width.round(), height.round()), markup: String::new(), texts: Vec::new() }
    }

    pub fn size(&self) -> (f64, f64) {
        self.size
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        let _ = writeln!(
            self.markup,
            "<line x1=\"{:.2}\" y1=\"{:.2}\" x2=\"{:.2}\" y2=\"{:.2}\" {}/>",
            from.0,
            from.1,
            to.0,
            to.1,
            stroke.attributes()
        );
    }

    pub fn rect(&mut self, at: (f64, f64), size: (f64, f64), fill: &str, stroke: &str) {
        let _ = writeln!(
            self.markup,
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{fill}\" stroke=\"{stroke}\"/>",
            at.0, at.1, size.0, size.1
        );
    }

    /// A rectangle with round corners and a line of its own.
    pub fn frame(&mut self, at: (f64, f64), size: (f64, f64), fill: &str, stroke: Stroke) {
        let _ = writeln!(
            self.markup,
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" rx=\"3\" fill=\"{fill}\" {}/>",
            at.0,
            at.1,
            size.0,
            size.1,
            stroke.attributes()
        );
    }

    /// White, for text over lines.
    pub fn halo(&mut self, at: (f64, f64), size: (f64, f64)) {
        let _ = writeln!(
            self.markup,
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"#ffffff\"/>",
            at.0, at.1, size.0, size.1
        );
    }

    pub fn circle(&mut self, at: (f64, f64), radius: f64, fill: &str, stroke: Stroke) {
        let _ = writeln!(
            self.markup,
            "<circle cx=\"{:.2}\" cy=\"{:.2}\" r=\"{radius:.2}\" fill=\"{fill}\" {}/>",
            at.0,
            at.1,
            stroke.attributes()
        );
    }

    /// A line through points; a dot where there is one only.
    pub fn polyline(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        if let [at] = points {
            self.circle(*at, stroke.width, stroke.colour, Stroke { width: 0.0, ..stroke });
            return;
        }
        let mut d = String::new();
        for (x, y) in points {
            let _ = write!(d, "{x:.2},{y:.2} ");
        }
        let _ = writeln!(
            self.markup,
            "<polyline points=\"{}\" fill=\"none\" {} stroke-linejoin=\"round\" stroke-linecap=\"round\"/>",
            d.trim_end(),
            stroke.attributes()
        );
    }

    pub fn text(&mut self, at: (f64, f64), anchor: Anchor, size: f64, colour: &'static str, text: &str) {
        self.turned(at, anchor, size, colour, 0.0, text);
    }

    pub fn turned(
        &mut self,
        at: (f64, f64),
        anchor: Anchor,
        size: f64,
        colour: &'static str,
        degrees: f64,
        text: &str,
    ) {
        let text = Text { at, anchor, size, colour, degrees, text: text.into() };
        self.texts.push((self.markup.len(), text));
    }

    /// What follows, up to [`close`](Self::close), has that tooltip.
    pub fn open(&mut self, tooltip: &str) {
        let tooltip = escape(tooltip);
        let _ = writeln!(self.markup, "<g><title>{tooltip}</title>");
    }

    pub fn close(&mut self) {
        self.markup.push_str("</g>\n");
    }

    /// Another picture as a part of this one.
    pub fn place(&mut self, at: (f64, f64), other: Self) {
        let _ = writeln!(self.markup, "<g transform=\"translate({:.2} {:.2})\">", at.0, at.1);
        let before = self.markup.len();
        self.markup.push_str(&other.markup);
        self.texts.extend(other.texts.into_iter().map(|(place, text)| (before + place, text)));
        self.close();
    }

    /// The document, with text as text.
    pub fn finish(&self) -> String {
        self.document(Text::real)
    }

    /// The document, with text as outlines.
    #[cfg(feature = "png")]
    pub fn outlined(&self) -> String {
        let font = super::font::Font::new();
        self.document(|text, out| text.outlined(&font, out))
    }

    fn document(&self, write: impl Fn(&Text, &mut String)) -> String {
        let (width, height) = self.size;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" font-family=\"Helvetica, Arial, Arimo, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        let mut done = 0;
        for (place, text) in &self.texts {
            out.push_str(&self.markup[done..*place]);
            write(text, &mut out);
            done = *place;
        }
        out.push_str(&self.markup[done..]);
        out.push_str("</svg>\n");
        out
    }
}

impl Text {
    fn real(&self, out: &mut String) {
        let anchor = match self.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = self.at;
        let turn = if self.degrees == 0.0 {
            String::new()
        } else {
            format!(" transform=\"rotate({:.0} {x:.2} {y:.2})\"", self.degrees)
        };
        let _ = writeln!(
            out,
            "<text x=\"{x:.2}\" y=\"{y:.2}\" text-anchor=\"{anchor}\" font-size=\"{}\" fill=\"{}\"{turn}>{}</text>",
            self.size,
            self.colour,
            escape(&self.text)
        );
    }

    #[cfg(feature = "png")]
    fn outlined(&self, font: &super::font::Font, out: &mut String) {
        let outline = font.outline(&self.text);
        if outline.path.is_empty() {
            return;
        }
        let share = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => 0.5,
            Anchor::End => 1.0,
        };
        let (scale, (x, y)) = (self.size / outline.units, self.at);
        let _ = writeln!(
            out,
            "<path transform=\"translate({x:.2} {y:.2}) rotate({:.0}) translate({:.2} 0) scale({scale:.6} {:.6})\" \
             fill=\"{}\" d=\"{}\"/>",
            self.degrees,
            -share * outline.width * scale,
            -scale,
            self.colour,
            outline.path
        );
    }
}
