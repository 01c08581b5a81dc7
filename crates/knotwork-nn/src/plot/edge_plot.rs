//! The learned function of one edge, with its grid and the data that it sees.

use super::{
    PlotError,
    axis::Axis,
    curve::{clipped, drawable, extent, placeable, runs, thinned},
    figure::{Draw, figure},
    frame::{BELOW, BESIDE, Frame},
    legend::{Legend, Sign},
    svg::{Anchor, COLOURS, FORMULA, INK, LEARNED, SOFT, Stroke, Svg},
    text::{count, counted, shortened, tidy},
};

/// The function on an edge over its axis, with the points of the grid, what lies outside of the grid shaded, a formula
/// fitted to it, and below it how many samples arrive where.
///
/// The x axis shows the curve and the grid; samples widen it by at most a quarter to each side. The line below the title
/// counts those outside of the grid, and those that are no numbers.
///
/// ```
/// use knotwork_nn::plot::EdgePlot;
/// let xs = || (-30..=30).map(|i| f64::from(i) / 20.0);
/// let learned: Vec<_> = xs().map(|x| (x, (3.0 * x).sin() + 0.02 * x * x)).collect();
/// let sine: Vec<_> = xs().map(|x| (x, (3.0 * x).sin())).collect();
/// let knots: Vec<_> = (0..=5).map(|i| -1.0 + 0.4 * f64::from(i)).collect();
/// let samples: Vec<_> = (0..1000).map(|i| (f64::from(i) * 0.7).sin() * 1.1).collect();
/// let plot = EdgePlot::new("x to f").curve(&learned).range(-1.0, 1.0).knots(&knots).samples(&samples);
/// let svg = plot.fit("sin(3 x)", &sine, 0.9991).axes("x", "φ(x)").to_svg()?;
/// assert!(svg.contains(">fit, r² = 1 − 9e-4: sin(3 x)<"));
/// assert!(svg.contains(">1,000 samples, 27.3 % outside of the grid<"));
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EdgePlot {
    title: String,
    axes: [String; 2],
    curve: Vec<(f64, f64)>,
    range: Option<(f64, f64)>,
    knots: Vec<f64>,
    samples: Option<Vec<f64>>,
    fit: Option<Fit>,
}

#[derive(Clone, Debug)]
struct Fit {
    name: String,
    points: Vec<(f64, f64)>,
    r2: f64,
}

const WIDTH: f64 = 720.0;
const PLOT: f64 = 280.0;
/// The plot of the density, and the gap above it.
const DENSITY: f64 = 70.0;
const APART: f64 = 14.0;
const BINS: usize = 60;
const OUTSIDE: &str = "#eceff1";
const BARS: &str = "#9db4c3";
/// How far samples widen the axis to each side, of what it shows without them.
const WIDER: f64 = 0.25;
/// How far a fit may leave the curve's range to be shown, of that range.
const HIGHER: f64 = 0.6;

impl EdgePlot {
    /// A plot with that title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self {
            title: title.into(),
            axes: ["x".into(), "φ(x)".into()],
            curve: Vec::new(),
            range: None,
            knots: Vec::new(),
            samples: None,
            fit: None,
        }
    }

    /// What the axes show: x and φ(x) where nothing is said.
    #[must_use]
    pub fn axes(mut self, x: &str, y: &str) -> Self {
        self.axes = [x.into(), y.into()];
        self
    }

    /// The function, x ascending; points that are not finite leave gaps.
    #[must_use]
    pub fn curve(mut self, points: &[(f64, f64)]) -> Self {
        self.curve = points.to_vec();
        self
    }

    /// Where the grid begins and ends: what lies outside is shaded.
    #[must_use]
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }

    /// The points of the grid, ascending. They are its range as well, where [`range`](Self::range) gives none.
    #[must_use]
    pub fn knots(mut self, knots: &[f64]) -> Self {
        self.knots = knots.to_vec();
        self
    }

    /// The values that arrive at the edge, in any order.
    #[must_use]
    pub fn samples(mut self, samples: &[f64]) -> Self {
        self.samples = Some(samples.to_vec());
        self
    }

    /// A formula fitted to the function, its values, and the share of the variance that it explains; that is NaN where the
    /// function is constant, which leaves nothing to explain.
    #[must_use]
    pub fn fit(mut self, name: &str, points: &[(f64, f64)], r2: f64) -> Self {
        self.fit = Some(Fit { name: name.into(), points: points.to_vec(), r2 });
        self
    }

    /// The grid's range.
    fn grid(&self) -> Result<Option<(f64, f64)>, PlotError> {
        let wrong = |what: String| Err(PlotError::input(&self.title, what));
        if let Some(k) = self.knots.iter().position(|v| !drawable(*v)) {
            return wrong(format!("grid point {k} is {}; it must be a finite number", self.knots[k]));
        }
        if let Some(k) = self.knots.windows(2).position(|w| w[1] < w[0]) {
            let (a, b) = (self.knots[k], self.knots[k + 1]);
            return wrong(format!("grid point {} is {b}, below {a}; they must ascend", k + 1));
        }
        match self.range {
            Some((low, high)) if !(drawable(low) && drawable(high) && low < high) => {
                wrong(format!("the range {low}..{high}; it must be finite and ascend"))
            }
            Some(range) => Ok(Some(range)),
            None => Ok(extent(self.knots.iter().copied()).filter(|(low, high)| low < high)),
        }
    }

    /// What the x axis shows.
    fn across(&self, grid: Option<(f64, f64)>) -> Result<Axis, PlotError> {
        let none = || PlotError::Nothing { title: self.title.clone(), what: "no finite point to show" };
        let curve = self.curve.iter().filter(|p| placeable(p)).map(|p| p.0);
        // A grid without a curve is no function.
        let (low, high) = extent(curve).ok_or_else(none)?;
        let (low, high) = grid.map_or((low, high), |(a, b)| (low.min(a), high.max(b)));
        let samples = extent(self.samples.iter().flatten().copied()).unwrap_or((low, high));
        let more = WIDER * (high - low);
        let ends = [low.min(samples.0.max(low - more)), high.max(samples.1.min(high + more))];
        Axis::over(ends.into_iter(), false, 8).ok_or_else(none)
    }

    /// What the y axis shows: the curve, and of the fit what is not far from it.
    fn up(&self) -> Option<Axis> {
        let (low, high) = extent(self.curve.iter().filter(|p| placeable(p)).map(|p| p.1))?;
        // A constant has no range: something like its own size must do.
        let size = low.abs().max(high.abs());
        let more = if high - low > 1e-9 * size { HIGHER * (high - low) } else { (0.2 * size).max(1e-3) };
        let fit = self.fit.iter().flat_map(|f| &f.points).filter(|p| placeable(p));
        let fit = fit.map(|p| p.1.clamp(low - more, high + more));
        Axis::over([low, high].into_iter().chain(fit), false, 6)
    }

    /// How many samples there are, how many of them outside, how many no numbers.
    fn counts(&self, grid: Option<(f64, f64)>) -> String {
        let Some(samples) = &self.samples else { return String::new() };
        let numbers = samples.iter().filter(|v| v.is_finite()).count();
        let mut text = counted(samples.len(), "sample");
        if let Some((low, high)) = grid
            && numbers > 0
        {
            let outside = samples.iter().filter(|v| v.is_finite() && !(low..=high).contains(*v)).count();
            let share = 100.0 * outside as f64 / numbers as f64;
            // One in a million is not none.
            let share = if outside > 0 && share < 0.1 { "< 0.1".into() } else { tidy(share) };
            text += &format!(", {share} % outside of the grid");
        }
        match samples.len() - numbers {
            0 => text,
            lost => format!("{text}, {} not finite", count(lost)),
        }
    }

    fn legend(&self, outside: bool) -> Legend {
        let mut legend = Legend::default();
        legend.add(Sign::Line(Stroke::new(LEARNED, 2.5)), "learned");
        if let Some(fit) = &self.fit {
            legend.add(Sign::Line(FIT), format!("fit, {}: {}", share(fit.r2), fit.name));
        }
        if !self.knots.is_empty() {
            legend.add(Sign::Ticks(TICK), "grid points");
        }
        if outside {
            legend.add(Sign::Area(OUTSIDE), "outside of the grid");
        }
        if self.samples.is_some() {
            legend.add(Sign::Area(BARS), "density of the samples");
        }
        legend
    }
}

const FIT: Stroke = Stroke::new(FORMULA, 2.2).dashes("7 4");
const TICK: Stroke = Stroke::new(COLOURS[0], 1.4);

/// A share of the variance; close to 1 it is the rest that tells.
fn share(r2: f64) -> String {
    if !r2.is_finite() {
        "r² unknown".into()
    } else if r2 > 0.999 && r2 < 1.0 {
        let rest = 1.0 - r2;
        format!("r² = 1 − {rest:.0e}")
    } else {
        format!("r² = {}", tidy(r2))
    }
}

impl Draw for EdgePlot {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<Svg, PlotError> {
        let grid = self.grid()?;
        let x = self.across(grid)?;
        let none = || PlotError::Nothing { title: self.title.clone(), what: "no finite point to show" };
        let y = self.up().ok_or_else(none)?;
        let left = Frame::left(&y);
        let width = WIDTH - left - BESIDE;
        let (first, last) = x.ends();
        let outside: Vec<(f64, f64)> = grid
            .into_iter()
            .flat_map(|(low, high)| [(first, low), (high, last)])
            .filter(|(a, b)| a < b)
            .collect();
        let (legend, counts) = (self.legend(!outside.is_empty()), self.counts(grid));
        let top = 40.0 + if counts.is_empty() { 0.0 } else { 16.0 } + legend.height(width) + 6.0;
        let frame = Frame { x: &x, y: &y, at: (left, top), size: (width, PLOT) };
        let lower = Frame { at: (left, top + PLOT + APART), size: (width, DENSITY), ..frame };
        let foot = top + PLOT;
        let end = if self.samples.is_some() { lower.end().1 } else { foot };
        let mut svg = Svg::new(WIDTH, end + BELOW);
        svg.text((left, 26.0), Anchor::Start, 16.0, INK, &shortened(&self.title, 16.0, width));
        svg.text((left, 45.0), Anchor::Start, 12.0, SOFT, &counts);
        legend.draw(&mut svg, (left, top - 6.0 - legend.height(width)), width);
        for (low, high) in outside {
            let (from, wide) = (frame.across(low), frame.across(high) - frame.across(low));
            svg.rect((from, top), (wide, PLOT), OUTSIDE, "none");
            if self.samples.is_some() {
                svg.rect((from, lower.at.1), (wide, DENSITY), OUTSIDE, "none");
            }
        }
        frame.upright(&mut svg, &self.axes[1]);
        if let Some(samples) = &self.samples {
            density(&mut svg, samples, &lower);
        }
        frame.level(&mut svg, end, &self.axes[0]);
        let mut before = f64::NEG_INFINITY;
        for at in self.knots.iter().filter(|v| (first..=last).contains(*v)).map(|v| frame.across(*v)) {
            // Of points too dense to be told apart some do.
            if at - before >= 3.0 {
                svg.line((at, foot - 8.0), (at, foot + 3.0), TICK);
                before = at;
            }
        }
        for run in runs(&self.curve, placeable) {
            svg.polyline(&thinned(run.iter().map(|p| frame.place(p)), 0.5), Stroke::new(LEARNED, 2.4));
        }
        for run in self.fit.iter().flat_map(|f| clipped(&f.points, x.ends(), y.ends())) {
            svg.polyline(&thinned(run.iter().map(|p| frame.place(p)), 0.5), FIT);
        }
        Ok(svg)
    }
}

/// Bars of equal width over the whole axis, the highest as high as the plot.
fn density(svg: &mut Svg, samples: &[f64], frame: &Frame) {
    let mut bins = [0usize; BINS];
    for share in samples.iter().filter(|v| drawable(**v)).map(|v| frame.x.at(*v)) {
        if (0.0..=1.0).contains(&share) {
            bins[((share * BINS as f64) as usize).min(BINS - 1)] += 1;
        }
    }
    let most = bins.iter().copied().max().unwrap_or(0);
    let ((left, top), (right, foot)) = (frame.at, frame.end());
    let wide = frame.size.0 / BINS as f64;
    for (k, &n) in bins.iter().enumerate().filter(|(_, n)| **n > 0) {
        // A single sample beside a thousand is still to be seen.
        let high = ((DENSITY - 4.0) * n as f64 / most as f64).max(1.5);
        svg.rect((left + wide * k as f64 + 0.5, foot - high), (wide - 1.0, high), BARS, "none");
    }
    svg.line((left, foot), (right, foot), Stroke::new(SOFT, 1.0));
    svg.text((left - 8.0, foot + 4.0), Anchor::End, 12.0, SOFT, "0");
    if most > 0 {
        svg.text((left - 8.0, top + 10.0), Anchor::End, 12.0, SOFT, &count(most));
    }
    frame.name(svg, "samples");
}

figure!(EdgePlot);

#[cfg(test)]
mod tests {
    use super::*;

    fn line(low: i32, high: i32) -> Vec<(f64, f64)> {
        (low..=high).map(|i| (f64::from(i) / 10.0, f64::from(i))).collect()
    }

    #[test]
    fn samples_are_counted() {
        let plot = EdgePlot::new("p").curve(&line(-10, 10)).range(-1.0, 1.0);
        let counts = |samples: &[f64]| plot.clone().samples(samples).counts(plot.grid().unwrap());
        assert_eq!(counts(&[0.0, 1.0, 2.0, -3.0]), "4 samples, 50 % outside of the grid");
        assert_eq!(counts(&[0.0, f64::NAN]), "2 samples, 0 % outside of the grid, 1 not finite");
        let mut many = vec![0.0; 100_000];
        many.push(5.0);
        assert_eq!(counts(&many), "100,001 samples, < 0.1 % outside of the grid");
        assert_eq!(counts(&[]), "0 samples");
        assert_eq!(plot.counts(None), "");
    }

    #[test]
    fn a_far_sample_does_not_squeeze_the_curve() {
        let plot = EdgePlot::new("p").curve(&line(-10, 10)).range(-1.0, 1.0).samples(&[1e9, -1.2, 0.0]);
        let (low, high) = plot.across(Some((-1.0, 1.0))).unwrap().ends();
        assert!(low <= -1.2 && high >= 1.5 && high - low <= 4.0, "{low} {high}");
        let svg = plot.to_svg().unwrap();
        // Bars of −1.2 and 0; 1e9 has none.
        assert_eq!(svg.matches(&format!("fill=\"{BARS}\"")).count(), 2 + 1);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let curve = line(-10, 10);
        let error = |plot: EdgePlot| plot.to_svg().unwrap_err().to_string();
        assert!(error(EdgePlot::new("p")).starts_with("plot: `p` has no finite point to show"));
        assert!(error(EdgePlot::new("p").curve(&[(0.0, f64::NAN)])).contains("no finite point"));
        let plot = EdgePlot::new("p").curve(&curve);
        assert!(error(plot.clone().range(1.0, 1.0)).contains("the range 1..1; it must be finite and ascend"));
        assert!(error(plot.clone().range(f64::NAN, 1.0)).contains("the range NaN..1"));
        assert!(error(plot.clone().knots(&[0.0, f64::INFINITY])).contains("grid point 1 is inf"));
        assert!(error(plot.clone().knots(&[0.0, -1.0])).contains("grid point 1 is -1, below 0"));
        // A constant function, a single point, a wild fit, and a fit of nothing are no errors.
        let wild = [(0.0, 1e290), (0.5, -1e290), (0.7, f64::NAN)];
        for points in [vec![(0.0, 3.0), (1.0, 3.0)], vec![(0.0, 0.0)], curve] {
            for r2 in [f64::NAN, f64::NEG_INFINITY, -3.0] {
                let svg = EdgePlot::new("p").curve(&points).fit("w", &wild, r2).to_svg().unwrap();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }

    #[test]
    fn shares_of_variance() {
        let shares = [1.0, 0.9999, 0.95, f64::NAN, -2.0].map(share);
        assert_eq!(shares, ["r² = 1", "r² = 1 − 1e-4", "r² = 0.95", "r² unknown", "r² = -2"]);
    }
}
