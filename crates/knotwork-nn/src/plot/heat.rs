//! Heat maps: confusion matrices and other tables of numbers.

use super::{
    PlotError,
    figure::{Draw, figure},
    names::Names,
    svg::{Anchor, INK, SOFT, Svg},
    text::{shortened, text_width},
};
use crate::{Error, Result};

/// A table of numbers as shades, with the numbers in the cells.
///
/// ```
/// use knotwork_nn::plot::HeatMap;
/// let svg = HeatMap::confusion(&[0, 1, 1, 0], &[0, 1, 0, 0], 2)?.to_svg()?;
/// assert!(svg.contains(">predicted<"));
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeatMap {
    title: String,
    axes: [String; 2],
    rows: Vec<String>,
    columns: Vec<String>,
    values: Vec<f64>,
}

const CELL: f64 = 42.0;
/// Longer names of rows are cut.
const NAME: f64 = 200.0;

impl HeatMap {
    /// A table, row-major, with the names of its rows and columns.
    ///
    /// # Errors
    /// [`Error::Plot`] where there are not rows × columns values, or none.
    #[track_caller]
    pub fn new(title: &str, rows: &[String], columns: &[String], values: &[f64]) -> Result<Self> {
        if values.is_empty() || values.len() != rows.len() * columns.len() {
            let (r, c) = (rows.len(), columns.len());
            let what = format!("{} values do not fill {r} rows and {c} columns", values.len());
            return Err(Error::plot(PlotError::input(title, what)));
        }
        let axes = [String::new(), String::new()];
        Ok(Self {
            title: title.into(),
            axes,
            rows: rows.to_vec(),
            columns: columns.to_vec(),
            values: values.to_vec(),
        })
    }

    /// What the columns and the rows are.
    #[must_use]
    pub fn axes(mut self, columns: &str, rows: &str) -> Self {
        self.axes = [columns.into(), rows.into()];
        self
    }

    /// How often each class (rows) was taken for each (columns).
    ///
    /// # Errors
    /// [`Error::Plot`] where the numbers of labels differ or one is outside 0..classes.
    #[track_caller]
    pub fn confusion(truth: &[i32], predicted: &[i32], classes: usize) -> Result<Self> {
        if truth.len() != predicted.len() {
            let what = format!("{} labels, {} predictions", truth.len(), predicted.len());
            return Err(Error::plot(PlotError::input("Confusion", what)));
        }
        let mut counts = vec![0.0; classes * classes];
        for (&t, &p) in truth.iter().zip(predicted) {
            let class = |c: i32| usize::try_from(c).ok().filter(|c| *c < classes);
            let (Some(t), Some(p)) = (class(t), class(p)) else {
                let what = format!("class {t} taken for {p}: both must lie in 0..{classes}");
                return Err(Error::plot(PlotError::input("Confusion", what)));
            };
            counts[t * classes + p] += 1.0;
        }
        let names: Vec<String> = (0..classes).map(|c| c.to_string()).collect();
        Ok(Self::new("Confusion", &names, &names, &counts)?.axes("predicted", "true class"))
    }

    /// With another title.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        self.title = title.into();
        self
    }
}

impl Draw for HeatMap {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<Svg, PlotError> {
        let row = |name: &str| shortened(name, 12.0, NAME);
        let longest = self.rows.iter().map(|r| text_width(&row(r), 12.0)).fold(0.0, f64::max);
        let (n, m) = (self.rows.len(), self.columns.len());
        let left = 44.0 + longest;
        let middle = |c: usize| left + CELL * (c as f64 + 0.5);
        let names =
            Names::new(self.columns.iter().enumerate().map(|(c, name)| (middle(c), name.clone())), 12.0);
        let top = 72.0 + names.height();
        let wide = left + CELL * m as f64 + names.overhang() + 22.0;
        let words = text_width(&self.title, 16.0).min(900.0) + 32.0;
        let size = (wide.max(words).max(260.0), top + CELL * n as f64 + 22.0);
        let mut svg = Svg::new(size.0, size.1);
        svg.text((16.0, 28.0), Anchor::Start, 16.0, INK, &shortened(&self.title, 16.0, size.0 - 32.0));
        svg.text((left + CELL * m as f64 / 2.0, 56.0), Anchor::Middle, 13.0, INK, &self.axes[0]);
        svg.turned((20.0, top + CELL * n as f64 / 2.0), Anchor::Middle, 13.0, INK, -90.0, &self.axes[1]);
        names.above(&mut svg, top - 8.0, SOFT);
        let finite = || self.values.iter().copied().filter(|v| v.is_finite());
        let (low, high) = (finite().fold(0.0, f64::min), finite().fold(0.0, f64::max));
        for (r, name) in self.rows.iter().enumerate() {
            let y = top + CELL * r as f64;
            svg.text((left - 9.0, y + CELL / 2.0 + 4.0), Anchor::End, 12.0, SOFT, &row(name));
            for c in 0..m {
                let (v, x) = (self.values[r * m + c], left + CELL * c as f64);
                let share = if high > low { (v - low) / (high - low) } else { 0.0 };
                // The root keeps single mistakes visible beside a large diagonal.
                let shade = if share.is_finite() { share.clamp(0.0, 1.0).sqrt() } else { 0.0 };
                svg.rect((x + 1.0, y + 1.0), (CELL - 2.0, CELL - 2.0), &blue(shade), "none");
                let ink = if shade > 0.55 { "#ffffff" } else { INK };
                if v != 0.0 {
                    svg.text((x + CELL / 2.0, y + CELL / 2.0 + 4.0), Anchor::Middle, 12.0, ink, &number(v));
                }
            }
        }
        Ok(svg)
    }
}

figure!(HeatMap);

/// From nearly white to dark blue.
fn blue(share: f64) -> String {
    let mix = |from: f64, to: f64| (from + (to - from) * share).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(243.0, 11.0), mix(246.0, 60.0), mix(248.0, 93.0))
}

fn number(v: f64) -> String {
    if !v.is_finite() {
        "?".into()
    } else if v.fract() == 0.0 && v.abs() < 1e5 {
        format!("{v:.0}")
    } else if (0.01..1000.0).contains(&v.abs()) {
        format!("{v:.2}")
    } else {
        format!("{v:.0e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_land_in_their_cells() {
        let map = HeatMap::confusion(&[0, 1, 1, 2], &[0, 1, 0, 2], 3).unwrap();
        assert_eq!(map.values, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        assert!(HeatMap::confusion(&[0], &[3], 3).is_err() && HeatMap::confusion(&[0], &[], 3).is_err());
        assert!(HeatMap::new("t", &["a".into()], &[], &[]).is_err());
    }
}
