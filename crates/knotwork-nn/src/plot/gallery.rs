//! A gallery of functions: a grid of small panels, each with its own name, all on the same axes.

use super::{
    PlotError,
    curve::{clipped, thinned},
    figure::{Draw, figure},
    svg::{Anchor, COLOURS, GRID, INK, PAPER, SOFT, Stroke, Svg},
    text::text_width,
};

/// A panel of a [`Gallery`]: a name, what stands below it, and the curves.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    name: String,
    notes: Vec<String>,
    curves: Vec<Vec<(f64, f64)>>,
}

impl Panel {
    /// A panel of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), notes: Vec::new(), curves: Vec::new() }
    }

    /// One more note below the name, as a formula; a long one is broken at its spaces.
    #[must_use]
    pub fn note(mut self, text: &str) -> Self {
        self.notes.push(text.into());
        self
    }

    /// One more curve, x ascending; points that are not finite leave gaps.
    #[must_use]
    pub fn curve(mut self, points: &[(f64, f64)]) -> Self {
        self.curves.push(points.to_vec());
        self
    }

    /// The lines of its notes.
    fn lines(&self) -> Vec<String> {
        self.notes.iter().flat_map(|note| broken(note, CHARACTERS)).collect()
    }
}

/// Panels in rows, with a legend above them. All share one window of the plane; curves end at its border.
///
/// ```
/// use knotwork_nn::plot::{Gallery, Panel};
/// let curve = |f: fn(f64) -> f64| (-8..=8).map(|i| f64::from(i) / 2.0).map(|x| (x, f(x))).collect::<Vec<_>>();
/// let relu = Panel::new("relu").note("max(0, x)").curve(&curve(|x| x.max(0.0)));
/// let square = Panel::new("square").note("x²").curve(&curve(|x| x * x)).curve(&curve(|x| 2.0 * x));
/// let svg = Gallery::new("Functions").legend(&["f(x)", "f′(x)"]).panels([relu, square]).to_svg()?;
/// assert_eq!(svg.matches("<polyline").count(), 3);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gallery {
    title: String,
    legend: Vec<String>,
    columns: usize,
    x: (f64, f64),
    y: (f64, f64),
    panels: Vec<Panel>,
}

/// The width of a panel's plot; its height follows from the window, so that a slope of 1 rises by 45 degrees.
const WIDTH: f64 = 184.0;
/// Between two columns, and between two rows.
const GAP: (f64, f64) = (22.0, 20.0);
const EDGE: f64 = 20.0;
const TOP: f64 = 66.0;
/// The baseline of a name and the height of a line of notes.
const NAME: f64 = 14.0;
const LINE: f64 = 13.0;
/// As many characters of 10 pixels as are sure to fit into a panel.
const CHARACTERS: usize = 34;
/// Ticks at whole numbers can be told apart over at most so many of them.
const SPAN: f64 = 20.0;
/// A window higher than so many times its width would make a picture that nobody can read.
const MOST: f64 = 100.0;

impl Gallery {
    /// A gallery with that title: six columns, x in −4..4, y in −2..4.
    #[must_use]
    pub fn new(title: &str) -> Self {
        let (x, y) = ((-4.0, 4.0), (-2.0, 4.0));
        Self { title: title.into(), legend: Vec::new(), columns: 6, x, y, panels: Vec::new() }
    }

    /// What the first, second, ... curve of every panel is.
    #[must_use]
    pub fn legend(mut self, names: &[&str]) -> Self {
        self.legend = names.iter().map(|s| (*s).into()).collect();
        self
    }

    /// The number of panels in a row; at least one.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns.max(1);
        self
    }

    /// The part of the plane that every panel shows: x, then y, each from low to high.
    #[must_use]
    pub fn window(mut self, x: (f64, f64), y: (f64, f64)) -> Self {
        (self.x, self.y) = (x, y);
        self
    }

    /// More panels.
    #[must_use]
    pub fn panels(mut self, panels: impl IntoIterator<Item = Panel>) -> Self {
        self.panels.extend(panels);
        self
    }

    /// The title, and below it the legend and the window.
    fn head(&self, svg: &mut Svg) {
        svg.text((EDGE, 28.0), Anchor::Start, 18.0, INK, &self.title);
        let mut x = EDGE;
        for (k, name) in self.legend.iter().enumerate() {
            svg.line((x, 46.0), (x + 22.0, 46.0), Stroke::new(COLOURS[k % COLOURS.len()], 2.5));
            svg.text((x + 28.0, 50.0), Anchor::Start, 12.0, INK, name);
            x += legend_width(name);
        }
        svg.text((x, 50.0), Anchor::Start, 12.0, SOFT, &self.window_text());
    }

    /// What every panel shows.
    fn window_text(&self) -> String {
        let ((x0, x1), (y0, y1)) = (self.x, self.y);
        let ticks = if SPAN >= (x1 - x0).max(y1 - y0) { "; ticks at whole numbers" } else { "" };
        format!("x from {x0} to {x1}, y from {y0} to {y1}{ticks}").replace('-', "−")
    }

    /// What the title and the line below it take, both edges included.
    fn head_width(&self) -> f64 {
        let legend: f64 = self.legend.iter().map(|name| legend_width(name)).sum();
        let line = legend + text_width(&self.window_text(), 12.0);
        2.0 * EDGE + line.max(text_width(&self.title, 18.0))
    }

    /// Frame, axes with a tick at each whole number, curves.
    fn plot(&self, svg: &mut Svg, panel: &Panel, at: (f64, f64), size: (f64, f64)) {
        let ((x0, x1), (y0, y1)) = (self.x, self.y);
        svg.rect(at, size, PAPER, GRID);
        let to =
            |(x, y): (f64, f64)| (at.0 + size.0 * (x - x0) / (x1 - x0), at.1 + size.1 * (y1 - y) / (y1 - y0));
        let ticks = |low: f64, high: f64| {
            let count = if high - low <= SPAN { (high.ceil() - low.floor()) as i64 } else { 0 };
            (0..=count).map(move |k| low.floor() + k as f64).filter(move |&v| v > low && v < high && v != 0.0)
        };
        let inside = |low: f64, high: f64| low <= 0.0 && high >= 0.0;
        if inside(y0, y1) {
            svg.line(to((x0, 0.0)), to((x1, 0.0)), AXIS);
            for v in ticks(x0, x1) {
                let (x, y) = to((v, 0.0));
                svg.line((x, y - 2.0), (x, y + 2.0), AXIS);
            }
        }
        if inside(x0, x1) {
            svg.line(to((0.0, y0)), to((0.0, y1)), AXIS);
            for v in ticks(y0, y1) {
                let (x, y) = to((0.0, v));
                svg.line((x - 2.0, y), (x + 2.0, y), AXIS);
            }
        }
        // The first curve lies on top.
        for (k, curve) in panel.curves.iter().enumerate().rev() {
            for run in clipped(curve, self.x, self.y) {
                let run: Vec<(f64, f64)> = run.into_iter().map(to).collect();
                svg.polyline(&thinned(run, 0.25), Stroke::new(COLOURS[k % COLOURS.len()], 1.8));
            }
        }
    }
}

impl Draw for Gallery {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<Svg, PlotError> {
        let ((x0, x1), (y0, y1)) = (self.x, self.y);
        let tall = (y1 - y0) / (x1 - x0);
        if !(x1 > x0 && y1 > y0 && tall <= MOST && (x1 - x0).is_finite()) {
            let what = format!(
                "the window {x0}..{x1} by {y0}..{y1}; both must ascend, the second at most {MOST} times the first"
            );
            return Err(PlotError::input(&self.title, what));
        }
        if self.panels.is_empty() {
            return Err(PlotError::Nothing { title: self.title.clone(), what: "no panel" });
        }
        let plot = (WIDTH, WIDTH * tall);
        // Plots of a row start at one height, below the longest notes of that row.
        let rows: Vec<&[Panel]> = self.panels.chunks(self.columns).collect();
        let heads: Vec<f64> = rows
            .iter()
            .map(|row| row.iter().map(|p| p.lines().len()).max().unwrap_or(0) as f64)
            .map(|lines| NAME + LINE * lines + 7.0)
            .collect();
        let columns = self.columns.min(self.panels.len());
        let width = (2.0 * EDGE + columns as f64 * (WIDTH + GAP.0) - GAP.0).max(400.0).max(self.head_width());
        let height = TOP + heads.iter().map(|head| head + plot.1 + GAP.1).sum::<f64>();
        let mut svg = Svg::new(width, height);
        self.head(&mut svg);
        let mut y = TOP;
        for (row, head) in rows.iter().zip(&heads) {
            for (column, panel) in row.iter().enumerate() {
                let x = EDGE + column as f64 * (WIDTH + GAP.0);
                svg.text((x, y + NAME - 3.0), Anchor::Start, 13.0, INK, &panel.name);
                for (k, line) in panel.lines().iter().enumerate() {
                    let at = y + NAME + LINE * (k as f64 + 1.0) - 3.0;
                    svg.text((x, at), Anchor::Start, 10.0, SOFT, line);
                }
                self.plot(&mut svg, panel, (x, y + head), plot);
            }
            y += head + plot.1 + GAP.1;
        }
        Ok(svg)
    }
}

figure!(Gallery);

const AXIS: Stroke = Stroke::new("#b3bec5", 1.0);

/// A name of the legend with its line before it and the gap behind it.
fn legend_width(name: &str) -> f64 {
    28.0 + text_width(name, 12.0) + 12.0
}

/// A text in lines of at most `most` characters: two that part at a comma where that can be, the most even ones.
fn broken(text: &str, most: usize) -> Vec<String> {
    let long = |s: &str| s.chars().count();
    if long(text) <= most {
        return filled(text, most);
    }
    text.match_indices(", ")
        .map(|(at, _)| (&text[..=at], &text[at + 2..]))
        .filter(|(a, b)| long(a) <= most && long(b) <= most)
        .min_by_key(|(a, b)| long(a).abs_diff(long(b)))
        .map_or_else(|| filled(text, most), |(a, b)| vec![a.into(), b.into()])
}

/// Lines filled one after the other, broken at spaces; a longer word is cut off.
fn filled(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // Not at other white space: a no-break space holds its words together.
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word = match word.char_indices().nth(most) {
            Some(_) => word.chars().take(most - 1).chain(['…']).collect(),
            None => word.to_string(),
        };
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_notes_are_broken_at_spaces() {
        assert_eq!(broken("one two three", 8), ["one two", "three"]);
        assert_eq!(broken("x where x > 0, else 0", 18), ["x where x > 0,", "else 0"]);
        assert_eq!(broken("a, b, c, d", 7), ["a, b,", "c, d"]);
        assert_eq!(broken("a\u{a0}=\u{a0}1, b\u{a0}=\u{a0}2", 9), ["a\u{a0}=\u{a0}1,", "b\u{a0}=\u{a0}2"]);
        assert_eq!(broken("unbreakable x", 6), ["unbre…", "x"]);
        assert!(broken("", 6).is_empty());
    }

    #[test]
    fn a_narrow_gallery_has_room_for_its_legend() {
        let width = |names: &[&str]| -> f64 {
            let svg = Gallery::new("g").legend(names).panels([Panel::new("p")]).to_svg().unwrap();
            svg.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        let long = "a name that takes much more than a panel of its own takes";
        assert!(width(&[long, long]) > width(&[long]) + text_width(long, 12.0));
        assert!(width(&[long]) > text_width(long, 12.0) + 240.0, "{}", width(&[long]));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let e = Gallery::new("g").to_svg().unwrap_err();
        assert!(e.to_string().starts_with("plot: `g` has no panel (at "), "{e}");
        let e =
            Gallery::new("g").panels([Panel::new("p")]).window((1.0, -1.0), (0.0, 1.0)).to_svg().unwrap_err();
        assert!(e.to_string().contains("the window 1..-1 by 0..1"), "{e}");
    }
}
