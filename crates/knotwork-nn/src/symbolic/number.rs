//! Numbers in few characters.

/// v in the fewest digits that read back as v.
pub(super) fn exact(v: f64) -> String {
    let size = v.abs();
    if v == 0.0 || !v.is_finite() || (1e-4..1e15).contains(&size) { format!("{v}") } else { format!("{v:e}") }
}

/// v to so many significant digits.
pub(super) fn short(v: f64, digits: usize) -> String {
    exact(significant(v, digits))
}

/// v, rounded to so many significant digits (1 at least).
pub(super) fn significant(v: f64, digits: usize) -> f64 {
    format!("{v:.*e}", digits.clamp(1, 17) - 1).parse().unwrap_or(v)
}

/// v, rounded to so many decimals.
pub(super) fn decimals(v: f64, decimals: usize) -> f64 {
    // Adding 0 makes −0 a 0.
    format!("{v:.*}", decimals.min(300)).parse::<f64>().unwrap_or(v) + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding() {
        assert_eq!([exact(0.1), exact(-2.0), exact(1e-7), exact(2.5e20)], ["0.1", "-2", "1e-7", "2.5e20"]);
        assert_eq!(short(std::f64::consts::PI, 6), "3.14159");
        assert_eq!(short(1.0 - 1e-12, 6), "1");
        assert_eq!((significant(123_456.0, 2), significant(0.0, 3)), (120_000.0, 0.0));
        assert_eq!((decimals(1.005, 1), decimals(-1e-9, 4).is_sign_positive()), (1.0, true));
        assert!(significant(f64::NAN, 3).is_nan() && decimals(f64::INFINITY, 3) == f64::INFINITY);
    }
}
