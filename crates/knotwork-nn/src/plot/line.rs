//! Lines over axes: losses over steps, errors over epochs.

use super::{
    PlotError,
    axis::Axis,
    curve::{drawable, placeable, runs, thinned},
    figure::{Draw, figure},
    frame::{BELOW, BESIDE, Frame},
    legend::{Legend, Sign, ring},
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

const WIDTH: f64 = 720.0;
/// The height of the plot.
const HEIGHT: f64 = 322.0;
/// Labels of marks stand in so many rows where they would meet.
const MARK_ROWS: usize = 4;
const MARK_ROW: f64 = 14.0;
const MARK_SIZE: f64 = 11.0;
/// Longer labels of marks are cut.
const MARK_MOST: f64 = 150.0;

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
    fn lowest(&self) -> Result<Vec<Best>, PlotError> {
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

    /// Where the marks and their labels stand in a plot between `left` and `right`: a label in the first row where it meets
    /// none.
    fn placed(&self, across: impl Fn(f64) -> f64, (left, right): (f64, f64)) -> Vec<Mark> {
        let mut ends = [f64::NEG_INFINITY; MARK_ROWS];
        let mut marks: Vec<&(f64, String)> = self.marks.iter().collect();
        marks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let place = |(x, label): &(f64, String)| {
            let label = shortened(label, MARK_SIZE, MARK_MOST);
            let half = text_width(&label, MARK_SIZE) / 2.0;
            let middle = across(*x).max(left + half).min(right - half);
            let free = ends.iter().position(|end| *end + 6.0 <= middle - half);
            if let Some(row) = free {
                ends[row] = middle + half;
            }
            Mark { at: across(*x), middle, row: free, label }
        };
        marks.into_iter().map(place).collect()
    }
}

/// The number of a line and its lowest point.
type Best = (usize, (f64, f64));

/// A mark in its place.
struct Mark {
    at: f64,
    /// The middle of the label.
    middle: f64,
    /// The label's row; where every row is full the line alone must do.
    row: Option<usize>,
    label: String,
}

impl Draw for LineChart {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<Svg, PlotError> {
        let points = || self.lines.iter().flat_map(|(_, p)| p).filter(|p| self.shown(p));
        let none = || PlotError::Nothing { title: self.title.clone(), what: "no finite point to show" };
        if let Some((x, label)) = self.marks.iter().find(|m| !drawable(m.0)) {
            return Err(PlotError::input(
                &self.title,
                format!("the mark `{label}` at {x}; it must be finite"),
            ));
        }
        let best = self.lowest()?;
        let marked = self.marks.iter().map(|m| m.0);
        let x = Axis::over(points().map(|p| p.0).chain(marked), false, 8).ok_or_else(none)?;
        let y = Axis::over(points().map(|p| p.1), self.log_y, 6).ok_or_else(none)?;
        let left = Frame::left(&y);
        let width = WIDTH - left - BESIDE;
        let legend = self.legend(&best);
        let marks = self.placed(|v| left + width * x.at(v), (left, left + width));
        let rows = marks.iter().filter_map(|m| m.row).max().map_or(0.0, |row| row as f64 + 1.0);
        let top = 46.0 + legend.height(width) + MARK_ROW * rows;
        let frame = Frame { x: &x, y: &y, at: (left, top), size: (width, HEIGHT) };
        let foot = top + HEIGHT;
        let mut svg = Svg::new(WIDTH, foot + BELOW);
        svg.text((left, 26.0), Anchor::Start, 16.0, INK, &shortened(&self.title, 16.0, width));
        legend.draw(&mut svg, (left, 36.0), width);
        frame.upright(&mut svg, &self.axes[1]);
        frame.level(&mut svg, foot, &self.axes[0]);
        // The labels interrupt the lines of others.
        let base = |row: usize| top - MARK_ROW * (rows - 1.0 - row as f64) - 5.0;
        for mark in &marks {
            let head = mark.row.map_or(top, |row| base(row) + 3.0);
            svg.line((mark.at, head), (mark.at, foot), Stroke::new(SOFT, 1.0).dashes("4 3"));
        }
        for mark in &marks {
            if let Some(row) = mark.row {
                let wide = text_width(&mark.label, MARK_SIZE);
                svg.halo((mark.middle - wide / 2.0 - 2.0, base(row) - 10.0), (wide + 4.0, 12.0));
                svg.text((mark.middle, base(row)), Anchor::Middle, MARK_SIZE, SOFT, &mark.label);
            }
        }
        for (k, (_, points)) in self.lines.iter().enumerate() {
            // More points than the plot has room for are noise around a trend: they stand back.
            let stroke = if points.len() > 400 { style(k, 1.0).opacity(0.45) } else { style(k, 2.0) };
            for run in runs(points, |p| self.shown(p)) {
                svg.polyline(&thinned(run.iter().map(|p| frame.place(p)), 0.5), stroke);
            }
        }
        for (k, p) in best {
            ring(&mut svg, frame.place(&p), style(k, 2.0));
        }
        Ok(svg)
    }
}

impl LineChart {
    /// The lines where there are several, and the best points.
    fn legend(&self, best: &[Best]) -> Legend {
        let mut legend = Legend::default();
        if self.lines.len() > 1 {
            self.lines
                .iter()
                .enumerate()
                .for_each(|(k, (name, _))| legend.add(Sign::Line(style(k, 2.5)), name));
        }
        for (k, (x, y)) in best {
            let text = format!("best of {}: {} at {}", self.lines[*k].0, tidy(*y), tidy(*x));
            legend.add(Sign::Ring(style(*k, 2.0)), text);
        }
        legend
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
        for k in 0..80 {
            chart = chart.mark(f64::from(k) * 1.25, &format!("grid {k}"));
        }
        let marks = chart.placed(|x| 60.0 + x * 6.0, (60.0, 660.0));
        assert_eq!(marks.len(), 80);
        assert!(marks.iter().any(|m| m.row.is_none()), "not all have room");
        for row in 0..MARK_ROWS {
            let spans = marks.iter().filter(|m| m.row == Some(row)).map(|m| {
                let half = text_width(&m.label, MARK_SIZE) / 2.0;
                (m.middle - half, m.middle + half)
            });
            let spans: Vec<_> = spans.collect();
            assert!(spans.len() > 5 && spans[0].0 >= 60.0 && spans.iter().all(|s| s.1 <= 660.0));
            assert!(spans.windows(2).all(|w| w[0].1 < w[1].0), "{spans:?}");
        }
        let e = chart.clone().mark(f64::NAN, "lost").to_svg().unwrap_err().to_string();
        assert!(e.contains("the mark `lost` at NaN; it must be finite"), "{e}");
        let svg = chart.to_svg().unwrap();
        assert_eq!(svg.matches("stroke-dasharray=\"4 3\"").count(), 80);
    }

    #[test]
    fn a_million_points_are_a_small_file() {
        let points: Vec<(f64, f64)> = (0..1_000_000).map(|i| (f64::from(i), f64::from(i % 997))).collect();
        let svg = LineChart::new("t").line("x", &points).to_svg().unwrap();
        assert!(svg.len() < 200_000, "{}", svg.len());
    }
}
