//! Legends: what colours, dashes and signs mean, in rows.

use super::{
    svg::{Anchor, GRID, INK, PAPER, SOFT, Stroke, Svg, ink},
    text::{shortened, text_width},
};

/// What an entry of a legend shows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sign {
    /// A line.
    Line(Stroke),
    /// A filled area of that colour.
    Area(&'static str),
    /// A ring around a point.
    Ring(Stroke),
    /// Short upright lines.
    Ticks(Stroke),
    /// A node that adds what arrives.
    Sum,
    /// A node that multiplies what arrives.
    Product,
    /// A node that nothing leaves or reaches.
    Idle,
    /// Small boxes from the least importance to the largest.
    Importance(Stroke),
    /// No sign: a remark.
    None,
}

impl Sign {
    fn width(self) -> f64 {
        match self {
            Self::Line(_) | Self::Area(_) | Self::Ticks(_) => 22.0,
            Self::Sum | Self::Product | Self::Idle | Self::Ring(_) => 16.0,
            Self::Importance(_) => 5.0 * 17.0,
            Self::None => -6.0,
        }
    }

    fn draw(self, svg: &mut Svg, (x, y): (f64, f64)) {
        match self {
            Self::Line(stroke) => svg.line((x, y), (x + 22.0, y), stroke),
            Self::Area(colour) => svg.rect((x, y - 5.0), (22.0, 10.0), colour, "none"),
            Self::Ticks(stroke) => {
                for at in [3.0, 11.0, 19.0].map(|dx| x + dx) {
                    svg.line((at, y - 4.0), (at, y + 4.0), stroke);
                }
            }
            Self::Ring(stroke) => ring(svg, (x + 8.0, y), stroke),
            Self::Sum => sum(svg, (x + 8.0, y), 7.0),
            Self::Product => product(svg, (x + 8.0, y), 7.0),
            Self::Idle => idle(svg, (x + 8.0, y), 7.0),
            Self::Importance(stroke) => {
                for k in 0..5 {
                    let stroke = stroke.opacity(ink(f64::from(k) / 4.0));
                    let at = x + 17.0 * f64::from(k);
                    svg.frame((at, y - 6.0), (13.0, 12.0), PAPER, Stroke { width: 1.2, ..stroke });
                    svg.polyline(&[(at + 2.5, y + 3.0), (at + 6.5, y - 1.0), (at + 10.5, y - 3.0)], stroke);
                }
            }
            Self::None => {}
        }
    }
}

/// A ring around a point.
pub(super) fn ring(svg: &mut Svg, at: (f64, f64), stroke: Stroke) {
    svg.circle(at, 5.0, "#ffffff", Stroke { dashes: "", ..stroke });
}

/// A circle with a plus.
pub(super) fn sum(svg: &mut Svg, at: (f64, f64), radius: f64) {
    let stroke = Stroke::new(INK, 1.4);
    svg.circle(at, radius, "#ffffff", stroke);
    let arm = 0.55 * radius;
    svg.line((at.0 - arm, at.1), (at.0 + arm, at.1), stroke);
    svg.line((at.0, at.1 - arm), (at.0, at.1 + arm), stroke);
}

/// The ground of nodes that multiply, and the ink of what leads to them.
pub(super) const PRODUCT: &str = "#006b4f";

/// A filled circle with a cross.
pub(super) fn product(svg: &mut Svg, at: (f64, f64), radius: f64) {
    svg.circle(at, radius, PRODUCT, Stroke::new(PRODUCT, 1.4));
    let (arm, stroke) = (0.45 * radius, Stroke::new("#ffffff", 1.8));
    svg.line((at.0 - arm, at.1 - arm), (at.0 + arm, at.1 + arm), stroke);
    svg.line((at.0 - arm, at.1 + arm), (at.0 + arm, at.1 - arm), stroke);
}

/// An empty dashed circle.
pub(super) fn idle(svg: &mut Svg, at: (f64, f64), radius: f64) {
    svg.circle(at, radius, "#ffffff", Stroke::new(SOFT, 1.2).dashes("2 2"));
}

/// The least distance of two rows' baselines.
const ROW: f64 = 19.0;
const SIZE: f64 = 12.0;
/// Between an entry and the next.
const APART: f64 = 14.0;

/// The entries of a legend, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Legend(Vec<(Sign, String)>);

impl Legend {
    pub fn add(&mut self, sign: Sign, name: impl Into<String>) {
        self.0.push((sign, name.into()));
    }

    /// The entries by rows of at most that width, each with its place in its row.
    fn rows(&self, width: f64) -> Vec<(usize, f64, Sign, String)> {
        let (mut row, mut x) = (0, 0.0);
        self.0
            .iter()
            .map(|(sign, name)| {
                let name = shortened(name, SIZE, width - sign.width() - 6.0);
                let wide = sign.width() + 6.0 + text_width(&name, SIZE);
                if x > 0.0 && x + wide > width {
                    (row, x) = (row + 1, 0.0);
                }
                let entry = (row, x, *sign, name);
                x += wide + APART;
                entry
            })
            .collect()
    }

    /// How high it is in that width.
    pub fn height(&self, width: f64) -> f64 {
        self.rows(width).last().map_or(0.0, |last| ROW * (last.0 + 1) as f64)
    }

    /// Draws it, its upper left corner there.
    pub fn draw(&self, svg: &mut Svg, at: (f64, f64), width: f64) {
        for (row, x, sign, name) in self.rows(width) {
            let (x, y) = (at.0 + x, at.1 + ROW * (row as f64 + 0.5));
            sign.draw(svg, (x, y));
            svg.text((x + sign.width() + 6.0, y + 4.0), Anchor::Start, SIZE, INK, &name);
        }
    }
}

/// A thin line between plots.
pub(super) const HAIR: Stroke = Stroke::new(GRID, 1.0);
