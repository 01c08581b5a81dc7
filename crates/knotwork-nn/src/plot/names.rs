//! Names of columns or nodes: level where they fit beside each other, slanted where they would meet.

use super::{
    svg::{Anchor, Svg},
    text::{shortened, text_width},
};

/// Names along a row of places.
pub(super) struct Names {
    /// Each with the place of its middle.
    names: Vec<(f64, String)>,
    size: f64,
    slanted: bool,
}

/// Longer ones are cut.
const MOST: f64 = 200.0;
/// The least between two.
const APART: f64 = 8.0;
/// The sine of 45 degrees.
const SLOPE: f64 = std::f64::consts::FRAC_1_SQRT_2;

impl Names {
    /// Names at ascending places.
    pub fn new(names: impl IntoIterator<Item = (f64, String)>, size: f64) -> Self {
        let names: Vec<(f64, String)> =
            names.into_iter().map(|(x, name)| (x, shortened(&name, size, MOST))).collect();
        let half = |name: &str| text_width(name, size) / 2.0;
        let slanted = names.windows(2).any(|w| half(&w[0].1) + half(&w[1].1) + APART > w[1].0 - w[0].0);
        Self { names, size, slanted }
    }

    fn longest(&self) -> f64 {
        self.names.iter().map(|n| text_width(&n.1, self.size)).fold(0.0, f64::max)
    }

    /// How far they reach up or down.
    pub fn height(&self) -> f64 {
        if self.slanted { SLOPE * (self.longest() + self.size) } else { self.size }
    }

    /// How far slanted ones reach beyond the last place, to the right above and to the left below.
    pub fn overhang(&self) -> f64 {
        if self.slanted { SLOPE * self.longest() } else { 0.0 }
    }

    /// Above that height.
    pub fn above(&self, svg: &mut Svg, y: f64, colour: &'static str) {
        for (x, name) in &self.names {
            if self.slanted {
                svg.turned((x + 4.0, y), Anchor::Start, self.size, colour, -45.0, name);
            } else {
                svg.text((*x, y), Anchor::Middle, self.size, colour, name);
            }
        }
    }

    /// Below that height.
    pub fn below(&self, svg: &mut Svg, y: f64, colour: &'static str) {
        for (x, name) in &self.names {
            if self.slanted {
                let at = (x + 5.0, y + 0.5 * self.size);
                svg.turned(at, Anchor::End, self.size, colour, -45.0, name);
            } else {
                svg.text((*x, y + 0.8 * self.size), Anchor::Middle, self.size, colour, name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_meet_are_slanted() {
        let names =
            |apart: f64, name: &str| Names::new((0..3).map(|k| (apart * f64::from(k), name.into())), 10.0);
        assert!(!names(30.0, "abc").slanted && names(20.0, "abc").slanted);
        assert_eq!((names(30.0, "abc").height(), names(30.0, "abc").overhang()), (10.0, 0.0));
        let long = names(30.0, "a name that goes on and on, longer than anybody would want");
        assert!(long.slanted && long.overhang() <= 0.71 * MOST && long.height() > 100.0);
        // One cannot meet another.
        assert!(!Names::new([(0.0, "x".repeat(100))], 10.0).slanted);
    }
}
