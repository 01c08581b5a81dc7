//! The largest and the smallest of many f32, NaN where one is: lanes side by side, so that the loop vectorises.

/// Lanes: two to four registers, so that no comparison waits for the one before.
const LANES: usize = 32;

/// The larger of two; NaN where one is.
#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

/// The smaller of two; NaN where one is.
#[inline(always)]
pub(super) fn smaller(a: f32, b: f32) -> f32 {
    if b < a || b.is_nan() { b } else { a }
}

/// All joined, from `start`. Which is joined with which does not matter to either of the above.
#[inline(always)]
fn all(x: &[f32], start: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    // Joining the lanes would cost short rows more than it saves.
    if x.len() < 2 * LANES {
        return x.iter().fold(start, |m, &v| join(m, v));
    }
    let mut lanes = [start; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder().iter().fold(start, |m, &v| join(m, v));
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(m, &v)| *m = join(*m, v));
    }
    lanes.iter().fold(rest, |m, &v| join(m, v))
}

/// The largest; -∞ of nothing.
#[inline(always)]
pub(super) fn largest(x: &[f32]) -> f32 {
    all(x, f32::NEG_INFINITY, larger)
}

/// The smallest; ∞ of nothing.
#[inline(always)]
pub(super) fn smallest(x: &[f32]) -> f32 {
    all(x, f32::INFINITY, smaller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_found_wherever_they_lie() {
        for n in [1, 7, 32, 33, 100] {
            for at in 0..n {
                let mut x: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin()).collect();
                x[at] = 2.0;
                assert_eq!(largest(&x), 2.0);
                x[at] = -2.0;
                assert_eq!(smallest(&x), -2.0);
                x[at] = f32::NAN;
                assert!(largest(&x).is_nan() && smallest(&x).is_nan(), "{n} {at}");
            }
        }
        assert_eq!((largest(&[]), smallest(&[])), (f32::NEG_INFINITY, f32::INFINITY));
    }
}
