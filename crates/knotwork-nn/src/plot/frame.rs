//! A plot with axes: the rectangle, its grid, ticks and names.

use super::{
    axis::Axis,
    legend::HAIR,
    svg::{Anchor, INK, SOFT, Stroke, Svg},
    text::{shortened, text_width},
};

/// The ticks' labels and the axes' names.
const LABEL: f64 = 12.0;
const NAME: f64 = 13.0;
/// What the x axis needs below the plot.
pub(super) const BELOW: f64 = 52.0;
/// What the last tick's label may need beside the plot.
pub(super) const BESIDE: f64 = 28.0;

/// A rectangle in which values have places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub x: &'a Axis,
    pub y: &'a Axis,
    /// Its left and its upper edge.
    pub at: (f64, f64),
    pub size: (f64, f64),
}

impl Frame<'_> {
    /// How much room the y axis needs left of the plot.
    pub fn left(y: &Axis) -> f64 {
        let labels = y.ticks.iter().map(|t| text_width(&t.1, LABEL)).fold(0.0, f64::max);
        (40.0 + labels).max(68.0)
    }

    pub fn across(&self, x: f64) -> f64 {
        self.at.0 + self.size.0 * self.x.at(x)
    }

    pub fn place(&self, (x, y): &(f64, f64)) -> (f64, f64) {
        (self.across(*x), self.at.1 + self.size.1 * (1.0 - self.y.at(*y)))
    }

    /// Where it ends on the right, and below.
    pub fn end(&self) -> (f64, f64) {
        (self.at.0 + self.size.0, self.at.1 + self.size.1)
    }

    /// Lines and labels at the ticks of y, the line at its foot, its name.
    pub fn upright(&self, svg: &mut Svg, name: &str) {
        let (right, foot) = self.end();
        for (v, label) in &self.y.ticks {
            let at = self.at.1 + self.size.1 * (1.0 - self.y.at(*v));
            svg.line((self.at.0, at), (right, at), HAIR);
            svg.text((self.at.0 - 8.0, at + 4.0), Anchor::End, LABEL, SOFT, label);
        }
        svg.line((self.at.0, foot), (right, foot), Stroke::new(SOFT, 1.0));
        self.name(svg, name);
    }

    /// The name of y, turned.
    pub fn name(&self, svg: &mut Svg, name: &str) {
        let at = (18.0, self.at.1 + self.size.1 / 2.0);
        svg.turned(at, Anchor::Middle, NAME, INK, -90.0, &shortened(name, NAME, self.size.1));
    }

    /// The ticks of x with their labels, and its name, below that height.
    pub fn level(&self, svg: &mut Svg, foot: f64, name: &str) {
        for (v, label) in &self.x.ticks {
            let at = self.across(*v);
            svg.line((at, foot), (at, foot + 5.0), Stroke::new(SOFT, 1.0));
            svg.text((at, foot + 19.0), Anchor::Middle, LABEL, SOFT, label);
        }
        let at = (self.at.0 + self.size.0 / 2.0, foot + BELOW - 12.0);
        svg.text(at, Anchor::Middle, NAME, INK, &shortened(name, NAME, self.size.0));
    }
}
