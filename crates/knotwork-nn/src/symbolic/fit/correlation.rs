//! How well f(a t + b) explains y, up to a line.

use super::super::{
    Function,
    samples::{Set, moments},
};

/// The line c f + d nearest to y.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub c: f64,
    pub d: f64,
}

/// u = a t + b, then f(u): `false` where f is not finite somewhere.
pub(super) fn evaluate(f: &Function, t: &[f64], a: f64, b: f64, out: &mut Vec<f64>) -> bool {
    out.clear();
    out.extend(t.iter().map(|t| a * t + b));
    f.apply(out);
    out.iter().all(|v| v.is_finite())
}

/// r² of the line nearest to y over f(a t + b), in two passes; 0 where f is constant, `None` where it is not finite.
pub(super) fn r2(f: &Function, set: &Set, a: f64, b: f64, values: &mut Vec<f64>) -> Option<f64> {
    if !evaluate(f, &set.t, a, b, values) {
        return None;
    }
    let (mean, spread) = moments(values);
    if !mean.is_finite() || !spread.is_finite() {
        return None;
    }
    if spread == 0.0 || set.spread == 0.0 {
        return Some(0.0);
    }
    let with: f64 = values.iter().zip(&set.centred).map(|(v, y)| (v - mean) * y).sum();
    // One quotient after the other: the product of two spreads may overflow.
    Some((with / spread * (with / set.spread)).clamp(0.0, 1.0))
}

/// The line of least squares; `None` where f is not finite. c is 0 where f is constant.
pub(super) fn regress(f: &Function, set: &Set, a: f64, b: f64) -> Option<Line> {
    let mut values = Vec::with_capacity(set.t.len());
    if !evaluate(f, &set.t, a, b, &mut values) {
        return None;
    }
    let (mean, spread) = moments(&values);
    if !mean.is_finite() || !spread.is_finite() {
        return None;
    }
    if spread == 0.0 {
        return Some(Line { c: 0.0, d: set.mean });
    }
    let with: f64 = values.iter().zip(&set.centred).map(|(v, y)| (v - mean) * y).sum();
    let c = with / spread;
    Some(Line { c, d: set.mean - c * mean })
}
