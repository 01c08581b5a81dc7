//! Text as outlines, from the font that this crate carries: so a PNG looks the same on every machine, with fonts or
//! without.

use std::fmt::Write;

use ttf_parser::{Face, OutlineBuilder};

/// Arimo Regular 1.341: Latin, Greek, Cyrillic, mathematical signs, without hints and kerning. Its licence, the SIL Open
/// Font License 1.1, lies beside it.
const ARIMO: &[u8] = include_bytes!("font/Arimo-Regular-subset.ttf");

/// The font, read once for a picture.
pub(super) struct Font(Option<Face<'static>>);

/// A text as an SVG path in the font's units, y upwards.
pub(super) struct Outline {
    /// The path data.
    pub path: String,
    /// How far the text goes.
    pub width: f64,
    /// The font's units in its size.
    pub units: f64,
}

impl Font {
    pub fn new() -> Self {
        Self(Face::parse(ARIMO, 0).ok())
    }

    /// A character that the font lacks becomes its box for missing glyphs.
    pub fn outline(&self, text: &str) -> Outline {
        let mut pen = Pen { path: String::new(), x: 0.0 };
        let Some(face) = &self.0 else {
            return Outline { path: pen.path, width: 0.0, units: 1.0 };
        };
        for c in text.chars() {
            let glyph = face.glyph_index(c).unwrap_or_default();
            face.outline_glyph(glyph, &mut pen);
            pen.x += f32::from(face.glyph_hor_advance(glyph).unwrap_or_default());
        }
        Outline { path: pen.path, width: pen.x.into(), units: face.units_per_em().into() }
    }
}

struct Pen {
    path: String,
    x: f32,
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let _ = write!(self.path, "M{} {y}", self.x + x);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let _ = write!(self.path, "L{} {y}", self.x + x);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let _ = write!(self.path, "Q{} {y1} {} {y}", self.x + x1, self.x + x);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let _ = write!(self.path, "C{} {y1} {} {y2} {} {y}", self.x + x1, self.x + x2, self.x + x);
    }

    fn close(&mut self) {
        self.path.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::text::exact;

    #[test]
    fn widths_are_those_of_the_font() {
        let font = Font::new();
        let ascii: String = (' '..='~').collect();
        let outline = font.outline(&ascii);
        assert!((outline.width / outline.units - exact(&ascii, 1.0)).abs() < 1e-9);
        for c in ' '..='~' {
            let outline = font.outline(&c.to_string());
            assert_eq!(outline.width / outline.units, exact(&c.to_string(), 1.0), "{c}");
        }
    }

    #[test]
    fn signs_of_formulas_are_there() {
        let font = Font::new();
        let missing = font.outline("\u{10ffff}").path;
        assert!(!missing.is_empty());
        for c in "πσφαβγ²³⁴₀₁₂·×÷−±…√∂∑∏∞≈≤≥≠→′″°µéäñøžЖя–“”".chars()
        {
            let path = font.outline(&c.to_string()).path;
            assert!(!path.is_empty() && path != missing, "{c}");
        }
        assert!(font.outline(" ").path.is_empty());
    }
}
