//! Lines over axes: losses over steps, errors over epochs.

use std::path::Path;

use super::{
    axis::Axis,
    svg::{Anchor, COLOURS, GRID, INK, SOFT, Svg, write},
};
use crate::{Error, Result};

/// A chart of lines.
///
/// ```
/// use knotwork_nn::plot::LineChart;
/// let loss = [(0.0, 2.3), (100.0, 0.4), (200.0, 0.09)];
/// let svg = LineChart::new("Training").axes("step", "loss").log_y(true).line("loss", &loss).to_svg()?;
/// assert!(svg.starts_with("<svg") && svg.contains("polyline"));
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineChart {
    title: String,
    axes: [String; 2],
    log_y: bool,
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

const SIZE: (f64, f64) = (720.0, 420.0);
/// Left, top, right, bottom.
const MARGIN: [f64; 4] = [68.0, 46.0, 24.0, 52.0];

impl LineChart {
    /// A chart with that title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), axes: [String::new(), String::new()], log_y: false, lines: Vec::new() }
    }

    /// What the axes show.
    #[must_use]
    pub fn axes(mut self, x: &str, y: &str) -> Self {
        self.axes = [x.into(), y.into()];
        self
    }

    /// Whether y is logarithmic: values at 0 and below leave gaps.
    #[must_use]
    pub fn log_y(mut self, log: bool) -> Self {
        self.log_y = log;
        self
    }

    /// One more line; points that are not finite leave gaps.
    #[must_use]
    pub fn line(mut self, name: &str, points: &[(f64, f64)]) -> Self {
        self.lines.push((name.into(), points.to_vec()));
        self
    }

    /// The losses that a [`Trainer`](crate::Trainer) has read as one more line.
    #[must_use]
    pub fn losses(self, name: &str, losses: &[(u64, f32)]) -> Self {
        let points: Vec<(f64, f64)> = losses.iter().map(|&(step, loss)| (step as f64, loss.into())).collect();
        self.line(name, &points)
    }

    /// The chart as SVG.
    ///
    /// # Errors
    /// [`Error::Plot`] where there is no point to show.
    pub fn to_svg(&self) -> Result<String> {
        let points = || self.lines.iter().flat_map(|(_, p)| p.iter().copied()).filter(|p| self.shown(*p));
        let none = || Error::Plot(format!("`{}` has no finite point to show", self.title));
        let x = Axis::over(points().map(|p| p.0), false, 8).ok_or_else(none)?;
        let y = Axis::over(points().map(|p| p.1), self.log_y, 6).ok_or_else(none)?;
        let [left, top, right, bottom] = MARGIN;
        let (width, height) = (SIZE.0 - left - right, SIZE.1 - top - bottom);
        let to = |p: (f64, f64)| (left + width * x.at(p.0), top + height * (1.0 - y.at(p.1)));
        let mut svg = Svg::new(SIZE.0, SIZE.1);
        svg.text((left, 26.0), Anchor::Start, 16.0, INK, &self.title);
        for (v, label) in &y.ticks {
            let at = top + height * (1.0 - y.at(*v));
            svg.line((left, at), (left + width, at), GRID, 1.0);
            svg.text((left - 8.0, at + 4.0), Anchor::End, 12.0, SOFT, label);
        }
        for (v, label) in &x.ticks {
            let at = left + width * x.at(*v);
            svg.line((at, top + height), (at, top + height + 5.0), SOFT, 1.0);
            svg.text((at, top + height + 19.0), Anchor::Middle, 12.0, SOFT, label);
        }
        svg.line((left, top + height), (left + width, top + height), SOFT, 1.0);
        svg.text((left + width / 2.0, SIZE.1 - 12.0), Anchor::Middle, 13.0, INK, &self.axes[0]);
        svg.turned((18.0, top + height / 2.0), Anchor::Middle, 13.0, INK, -90.0, &self.axes[1]);
        for (k, (_, points)) in self.lines.iter().enumerate() {
            // More points than the plot has room for are noise around a trend: they stand back.
            let (stroke, opacity) = if points.len() > 400 { (1.0, 0.45) } else { (2.0, 1.0) };
            for run in points.split(|p| !self.shown(*p)).filter(|run| !run.is_empty()) {
                let run: Vec<(f64, f64)> = run.iter().map(|p| to(*p)).collect();
                svg.polyline(&run, COLOURS[k % COLOURS.len()], stroke, opacity);
            }
        }
        if self.lines.len() > 1 {
            self.legend(&mut svg);
        }
        Ok(svg.finish())
    }

    /// One row above the plot, at its right end.
    fn legend(&self, svg: &mut Svg) {
        let mut x = SIZE.0 - MARGIN[2];
        for (k, (name, _)) in self.lines.iter().enumerate().rev() {
            svg.text((x, 36.0), Anchor::End, 12.0, INK, name);
            // There are no font metrics here: 6.6 a character is a little more than sans-serif text takes.
            x -= 6.6 * name.chars().count() as f64 + 6.0;
            svg.line((x - 18.0, 32.0), (x, 32.0), COLOURS[k % COLOURS.len()], 2.5);
            x -= 36.0;
        }
    }

    fn shown(&self, (x, y): (f64, f64)) -> bool {
        x.is_finite() && y.is_finite() && (!self.log_y || y > 0.0)
    }

    /// Writes the chart to a file.
    ///
    /// # Errors
    /// [`Error::Plot`] where there is nothing to show or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), &self.to_svg()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_split_lines_and_names_are_escaped() {
        let points = [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, 1.5)];
        let svg = LineChart::new("a < b & c").line("x", &points).line("y", &[(0.0, 0.5)]).to_svg().unwrap();
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains("a &lt; b &amp; c"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let e = LineChart::new("t").log_y(true).line("x", &[(0.0, 0.0)]).to_svg().unwrap_err();
        assert_eq!(e.to_string(), "plot: `t` has no finite point to show");
    }
}
