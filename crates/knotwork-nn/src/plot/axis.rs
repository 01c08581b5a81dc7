//! Axes: ranges, round numbers to mark, and where values lie.

use super::{curve::drawable, text::short};

/// A scale from values to positions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    log: bool,
    /// The marked values, with their labels.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis that shows these values; a logarithmic one shows those above 0. `None` where there are none.
    pub fn over(values: impl Iterator<Item = f64>, log: bool, about: usize) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in values.filter(|v| drawable(*v) && (!log || *v > 0.0)) {
            (low, high) = (low.min(v), high.max(v));
        }
        if low > high {
            return None;
        }
        Some(if log { Self::logarithmic(low, high, about) } else { Self::linear(low, high, about) })
    }

    /// Ticks at 1, 2 or 5 times a power of ten; the axis ends at the ticks around the values.
    fn linear(low: f64, high: f64, about: usize) -> Self {
        let (low, high) = if high - low <= 1e-12 * low.abs().max(high.abs()) {
            let pad = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low - pad, high + pad)
        } else {
            (low, high)
        };
        let raw = (high - low) / about.max(1) as f64;
        let power = 10f64.powf(raw.log10().floor());
        let step = power
            * [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| raw <= m * power * (1.0 + 1e-9)).unwrap_or(10.0);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let label = |v: f64| {
            let large = first.abs().max(last.abs()) * step;
            if large >= 1e6 || decimals > 4 { short(v, step) } else { format!("{v:.decimals$}") }
        };
        let ticks = (0..=(last - first) as usize).map(|k| {
            let v = (first + k as f64) * step;
            (v, label(if v == 0.0 { 0.0 } else { v }))
        });
        Self { low: first * step, high: last * step, log: false, ticks: ticks.collect() }
    }

    /// Ticks at powers of ten; at 2 and 5 times them where there are few.
    fn logarithmic(low: f64, high: f64, about: usize) -> Self {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let every = ((last - first) as usize).div_ceil(about.max(1)).max(1) as i32;
        let fine: &[f64] = if high.log10() - low.log10() <= 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let marks = |every: i32, fine: &[f64]| -> Vec<f64> {
            let powers = (first..=last).filter(move |p| (p - first) % every == 0);
            powers.flat_map(|p| fine.iter().map(move |m| m * 10f64.powi(p))).collect()
        };
        // The ends are finer than the ticks, or up to a decade at each would be empty.
        let ends = marks(1, &[1.0, 2.0, 5.0]);
        let low_end = ends.iter().copied().filter(|m| *m <= low * (1.0 + 1e-9)).fold(low, |_, m| m);
        let high_end = ends.iter().copied().find(|m| *m >= high * (1.0 - 1e-9)).unwrap_or(high);
        let high_end = if high_end > low_end { high_end } else { low_end * 10.0 };
        let ticks = marks(every, fine)
            .into_iter()
            .filter(|m| (low_end..=high_end).contains(m))
            .map(|m| (m, short(m, m)))
            .collect();
        Self { low: low_end, high: high_end, log: true, ticks }
    }

    /// The values at its ends.
    pub fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Where a value lies between the ends, 0 to 1.
    pub fn at(&self, value: f64) -> f64 {
        let f = |v: f64| if self.log { v.max(f64::MIN_POSITIVE).log10() } else { v };
        (f(value) - f(self.low)) / (f(self.high) - f(self.low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(a: &Axis) -> Vec<&str> {
        a.ticks.iter().map(|t| t.1.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        let axis = |low: f64, high: f64| Axis::over([low, high].into_iter(), false, 5).unwrap();
        assert_eq!(labels(&axis(0.0, 1.0)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&axis(-1.0, 1.0)), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(&axis(0.0, 690.0)), ["0", "200", "400", "600", "800"]);
        assert_eq!(labels(&axis(0.0, 3e-6))[..3], ["0", "1e-6", "2e-6"]);
        assert_eq!(axis(3.0, 3.0).ticks.len(), 5);
        assert!((axis(0.0, 1.0).at(0.25) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn logarithmic_ticks() {
        let axis =
            |low: f64, high: f64| Axis::over([low, -1.0, f64::NAN, high].into_iter(), true, 6).unwrap();
        assert_eq!(labels(&axis(0.03, 2.5)), ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5"]);
        assert_eq!(labels(&axis(1e-8, 1.0)), ["1e-8", "1e-6", "1e-4", "0.01", "1"]);
        let a = axis(1e-2, 1.0);
        assert!((a.at(0.1) - 0.5).abs() < 1e-12 && a.at(0.0) < 0.0);
        assert!(Axis::over([0.0, -1.0].into_iter(), true, 5).is_none());
    }
}
