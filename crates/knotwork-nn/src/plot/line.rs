//! Lines over axes: losses over steps, errors over epochs.

use super::{
    PlotError,
    axis::Axis,
    curve::{placeable, runs, thinned},
    figure::{Draw, figure},
    legend::{HAIR, Legend, Sign},
    svg::{Anchor, COLOURS, INK, SOFT, Stroke, Svg},
    text::{shortened, text_width, tidy},
};

/// A chart of lines, with marks at moments and the best point of a line.
///
/// ```
/// use knotwork_nn::plot::LineChart;
/// let loss = [(0.0, 2.3), (100.0, 0.4), (200.0, 0.09), (300.0, 0.11)];
/// let chart = LineChart::new("Training").axes("step", "RMSE").log_y(true).line("train", &loss);
/// let svg = chart.mark(150.0, "grid 10").best("train").to_svg()?;
/// assert!(svg.starts_with("<svg") && svg.contains("polyline"));
/// assert!(svg.contains(">grid 10<") && svg.contains(">best of train: 0.09 at 200<"));
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineChart {
    title: String,
    axes: [String; 2],
    log_y: bool,
    lines: Vec<(String, Vec<(f64, f64)>)>,
    marks: Vec<(f64, String)>,
    best: Vec<String>,
}

const SIZE: (f64, f64) = (720.0, 420.0);
const LEFT: f64 = 68.0;
const RIGHT: f64 = 24.0;
const BOTTOM: f64 = 52.0;
/// Labels of marks stand in so many rows where they would meet.
const MARK_ROWS: usize = 4;
const MARK_ROW: f64 = 14.0;

impl LineChart {
    /// A chart with that title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        let axes = [String::new(), String::new()];
        Self {
            title: title.into(),
            axes,
            log_y: false,
            lines: Vec::new(),
            marks: Vec::new(),
            best: Vec::new(),
        }
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

    /// A vertical line where something happened, as "grid 10" or "pruned", with its label above it.
    #[must_use]
    pub fn mark(mut self, x: f64, label: &str) -> Self {
        self.marks.push((x, label.into()));
        self
    }

    /// Marks the lowest point of the line of that name, the first of several, and says where it is.
    #[must_use]
    pub fn best(mut self, line: &str) -> Self {
        self.best.push(line.into());
        self
    }

    fn shown(&self, p: &(f64, f64)) -> bool {
        placeable(p) && (!self.log_y || p.1 > 0.0)
    }

    /// The lowest points asked for, with their lines' numbers.
    fn lowest(&self) -> Result<Vec<(usize, (f64, f64))>, PlotError> {
        let find = |name: &String| {
            let line = self.lines.iter().position(|(n, _)| n == name).ok_or_else(|| {
                let names: Vec<&str> = self.lines.iter().map(|l| l.0.as_str()).collect();
                PlotError::input(
                    &self.title,
                    format!("the best point of `{name}`, but the lines are `{}`", names.join("`, `")),
                )
            })?;
            let points = self.lines[line].1.iter().filter(|p| self.shown(p));
            let point = points.copied().reduce(|a, b| if b.1 < a.1 { b } else { a });
            Ok(point.map(|p| (line, p)))
        };
        self.best.iter().filter_map(|name| find(name).transpose()).collect()
    }

    /// The rows of the marks' labels: each in the first row where it meets none, in the last where it meets one in each.
    fn mark_rows(&self, to: impl Fn(f64) -> f64) -> Vec<(f64, usize, String)> {
        let mut ends = [f64::NEG_INFINITY; MARK_ROWS];
        let mut marks: Vec<&(f64, String)> = self.marks.iter().filter(|m| m.0.is_finite()).collect();
        marks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let place = |(x, label): &(f64, String)| {
            let (at, label) = (to(*x), shortened(label, 11.0, 150.0));
            let half = text_width(&label, 11.0) / 2.0;
            let middle = at.clamp(LEFT + half, SIZE.0 - RIGHT - half);
            let free = ends.iter().position(|end| *end + 6.0 <= middle - half);
            let row = free.unwrap_or(MARK_ROWS - 1);
            // Where every row is full the line alone must do.
            let label = if free.is_some() { label } else { String::new() };
            ends[row] = ends[row].max(middle + half);
            (at, row, label)
        };
        marks.into_iter().map(place).collect()
    }
}

impl Draw for LineChart {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<Svg, PlotError> {
        let points = || self.lines.iter().flat_map(|(_, p)| p).filter(|p| self.shown(p));
        let none = || PlotError::Nothing { title: self.title.clone(), what: "no finite point to show" };
        let marked = self.marks.iter().map(|m| m.0);
        let best = self.lowest()?;
        let x = Axis::over(points().map(|p| p.0).chain(marked), false, 8).ok_or_else(none)?;
        let y = Axis::over(points().map(|p| p.1), self.log_y, 6).ok_or_else(none)?;
        let width = SIZE.0 - LEFT - RIGHT;
        let across = |v: f64| LEFT + width * x.at(v);
        let marks = self.mark_rows(across);
        let mut legend = Legend::default();
        if self.lines.len() > 1 {
            self.lines
                .iter()
                .enumerate()
                .for_each(|(k, (name, _))| legend.add(Sign::Line(style(k, 2.5)), name));
        }
        let rows = marks.iter().map(|m| m.1 + 1).max().unwrap_or(0) as f64;
        let top = 46.0 + legend.height(width) + MARK_ROW * rows;
        let height = SIZE.1 - 46.0 - BOTTOM;
        let (foot, total) = (top + height, top + height + BOTTOM);
        let to = |p: &(f64, f64)| (across(p.0), top + height * (1.0 - y.at(p.1)));
        let mut svg = Svg::new(SIZE.0, total);
        svg.text((LEFT, 26.0), Anchor::Start, 16.0, INK, &shortened(&self.title, 16.0, width));
        legend.draw(&mut svg, (LEFT, 36.0), width);
        for (v, label) in &y.ticks {
            let at = top + height * (1.0 - y.at(*v));
            svg.line((LEFT, at), (LEFT + width, at), HAIR);
            svg.text((LEFT - 8.0, at + 4.0), Anchor::End, 12.0, SOFT, label);
        }
        for (v, label) in &x.ticks {
            svg.line((across(*v), foot), (across(*v), foot + 5.0), Stroke::new(SOFT, 1.0));
            svg.text((across(*v), foot + 19.0), Anchor::Middle, 12.0, SOFT, label);
        }
        svg.line((LEFT, foot), (LEFT + width, foot), Stroke::new(SOFT, 1.0));
        let name = |k: usize, room: f64| shortened(&self.axes[k], 13.0, room);
        svg.text((LEFT + width / 2.0, total - 12.0), Anchor::Middle, 13.0, INK, &name(0, width));
        svg.turned((18.0, top + height / 2.0), Anchor::Middle, 13.0, INK, -90.0, &name(1, height));
        for (at, row, label) in &marks {
            let head = top - MARK_ROW * (rows - 1.0 - *row as f64) - 5.0;
            svg.line((*at, head + 3.0), (*at, foot), Stroke::new(SOFT, 1.0).dashes("4 3"));
            let half = text_width(label, 11.0) / 2.0;
            let middle = at.clamp(LEFT + half, SIZE.0 - RIGHT - half);
            svg.text((middle, head), Anchor::Middle, 11.0, SOFT, label);
        }
        for (k, (_, points)) in self.lines.iter().enumerate() {
            // More points than the plot has room for are noise around a trend: they stand back.
            let stroke = if points.len() > 400 { style(k, 1.0).opacity(0.45) } else { style(k, 2.0) };
            for run in runs(points, |p| self.shown(p)) {
                svg.polyline(&thinned(run.iter().map(to), 0.5), stroke);
            }
        }
        for (k, p) in best {
            self.label_best(&mut svg, k, p, to(&p), top);
        }
        Ok(svg)
    }
}

impl LineChart {
    /// A ring around the best point and what it is, beside it on the side that has room.
    fn label_best(&self, svg: &mut Svg, line: usize, (x, y): (f64, f64), at: (f64, f64), top: f64) {
        svg.circle(at, 5.0, "#ffffff", Stroke::new(style(line, 2.0).colour, 2.0));
        let name = if self.lines.len() > 1 || !self.lines[line].0.is_empty() {
            format!("best of {}: {} at {}", self.lines[line].0, tidy(y), tidy(x))
        } else {
            format!("best: {} at {}", tidy(y), tidy(x))
        };
        let text = shortened(&name, 12.0, 300.0);
        let wide = text_width(&text, 12.0);
        let left = (at.0 - wide / 2.0).clamp(LEFT + 4.0, SIZE.0 - RIGHT - 4.0 - wide);
        let base = if at.1 - 30.0 < top { at.1 + 22.0 } else { at.1 - 12.0 };
        svg.halo((left - 3.0, base - 12.0), (wide + 6.0, 16.0));
        svg.text((left, base), Anchor::Start, 12.0, INK, &text);
    }
}

/// Colours first, then dashes as well.
fn style(line: usize, width: f64) -> Stroke {
    const DASHES: [&str; 3] = ["", "7 4", "2 3"];
    Stroke::new(COLOURS[line % COLOURS.len()], width).dashes(DASHES[line / COLOURS.len() % DASHES.len()])
}

figure!(LineChart);

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
        let e = LineChart::new("t").log_y(true).line("x", &[(0.0, 0.0)]).to_svg().unwrap_err().to_string();
        assert!(e.starts_with("plot: `t` has no finite point to show (at "), "{e}");
        assert!(e.contains("line.rs"), "{e}");
    }

    #[test]
    fn the_best_point_is_the_lowest_that_is_shown() {
        let points = [(0.0, 1.0), (1.0, 0.25), (2.0, -1.0), (3.0, 0.5), (4.0, f64::NAN)];
        let chart = LineChart::new("t").line("train", &[(0.0, 1.0)]).line("test", &points).best("test");
        assert_eq!(chart.lowest().unwrap(), [(1, (2.0, -1.0))]);
        let svg = chart.clone().log_y(true).to_svg().unwrap();
        assert!(svg.contains(">best of test: 0.25 at 1<"), "{svg}");
        let e = chart.best("tset").to_svg().unwrap_err().to_string();
        assert!(e.contains("the best point of `tset`, but the lines are `train`, `test`"), "{e}");
    }

    #[test]
    fn labels_of_marks_never_meet() {
        let mut chart = LineChart::new("t").line("x", &[(0.0, 1.0), (100.0, 2.0)]);
        for k in 0..40 {
            chart = chart.mark(f64::from(k) * 2.5, &format!("grid {k}"));
        }
        let marks = chart.mark_rows(|x| LEFT + x * 6.0);
        assert_eq!(marks.len(), 40);
        for row in 0..MARK_ROWS {
            let labels: Vec<_> = marks.iter().filter(|m| m.1 == row && !m.2.is_empty()).collect();
            assert!(!labels.is_empty());
            for pair in labels.windows(2) {
                let half = |m: &(f64, usize, String)| text_width(&m.2, 11.0) / 2.0;
                assert!(pair[0].0 + half(pair[0]) < pair[1].0 - half(pair[1]) || row == 0);
            }
        }
        let svg = chart.to_svg().unwrap();
        assert_eq!(svg.matches("stroke-dasharray=\"4 3\"").count(), 40);
    }

    #[test]
    fn a_million_points_are_a_small_file() {
        let points: Vec<(f64, f64)> = (0..1_000_000).map(|i| (f64::from(i), f64::from(i % 997))).collect();
        let svg = LineChart::new("t").line("x", &points).to_svg().unwrap();
        assert!(svg.len() < 200_000, "{}", svg.len());
    }
}
