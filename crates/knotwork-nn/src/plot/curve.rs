//! Curves as what can be drawn of them: the runs between gaps, and no more points than there are pixels for.

/// A number that a picture can place: finite, and so far from overflow that differences are finite as well.
pub(super) fn drawable(v: f64) -> bool {
    v.abs() <= 1e300
}

/// A point that a picture can place.
pub(super) fn placeable(p: &(f64, f64)) -> bool {
    drawable(p.0) && drawable(p.1)
}

/// The parts between points that are not shown.
pub(super) fn runs<'a>(
    points: &'a [(f64, f64)],
    shown: impl Fn(&(f64, f64)) -> bool + 'a,
) -> impl Iterator<Item = &'a [(f64, f64)]> {
    points.split(move |p| !shown(p)).filter(|run| !run.is_empty())
}

/// The least and the largest of some values, where there are any that can be drawn.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| drawable(*v)).fold(None, |span, v| {
        let (a, b) = span.unwrap_or((v, v));
        Some((a.min(v), b.max(v)))
    })
}

/// The parts of a curve within a window, ended exactly at its border.
pub(super) fn clipped(curve: &[(f64, f64)], x: (f64, f64), y: (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in curve.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        if ![a.0, a.1, b.0, b.1].iter().all(|v| v.is_finite()) {
            continue;
        }
        // Liang and Barsky (1984): the share of the segment that lies within both strips.
        let (mut from, mut to) = (0f64, 1f64);
        for (start, step, (low, high)) in [(a.0, b.0 - a.0, x), (a.1, b.1 - a.1, y)] {
            if step == 0.0 {
                if start < low || start > high {
                    (from, to) = (1.0, 0.0);
                }
            } else {
                let (s, t) = ((low - start) / step, (high - start) / step);
                (from, to) = (from.max(s.min(t)), to.min(s.max(t)));
            }
        }
        if from >= to {
            continue;
        }
        let on = |share: f64| (a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1));
        let start = if from > 0.0 { on(from) } else { a };
        let end = if to < 1.0 { on(to) } else { b };
        match runs.last_mut() {
            Some(run) if run.last() == Some(&start) => run.push(end),
            _ => runs.push(vec![start, end]),
        }
    }
    runs
}

/// Points in pixels, thinned: of those that follow each other within a column `step` wide only the first, the lowest,
/// the highest and the last stay, which draws the same picture (M4, Jugel et al. 2014).
pub(super) fn thinned(points: impl IntoIterator<Item = (f64, f64)>, step: f64) -> Vec<(f64, f64)> {
    let mut thin: Vec<(f64, f64)> = Vec::new();
    let mut column: Vec<(f64, f64)> = Vec::new();
    for p in points {
        if column.first().is_some_and(|first| (first.0 / step).floor() != (p.0 / step).floor()) {
            ends(&mut column, &mut thin);
        }
        column.push(p);
    }
    ends(&mut column, &mut thin);
    thin
}

/// Moves the first, the lowest, the highest and the last of a column's points, in their order.
fn ends(column: &mut Vec<(f64, f64)>, thin: &mut Vec<(f64, f64)>) {
    let Some(last) = column.len().checked_sub(1) else { return };
    let (mut low, mut high) = (0, 0);
    for (k, p) in column.iter().enumerate() {
        low = if p.1 < column[low].1 { k } else { low };
        high = if p.1 > column[high].1 { k } else { high };
    }
    let mut keep = vec![0, low, high, last];
    keep.sort_unstable();
    keep.dedup();
    thin.extend(keep.into_iter().map(|k| column[k]));
    column.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_extremes() {
        let points: Vec<(f64, f64)> =
            (0..100_000).map(|i| (f64::from(i) * 1e-3, (f64::from(i) * 0.37).sin())).collect();
        let thin = thinned(points.iter().copied(), 1.0);
        assert!(thin.len() <= 400, "{}", thin.len());
        assert_eq!((thin[0], *thin.last().unwrap()), (points[0], points[99_999]));
        assert_eq!(extent(thin.iter().map(|p| p.1)), extent(points.iter().map(|p| p.1)));
        assert!(thin.windows(2).all(|w| w[0].0 < w[1].0));
        let few = [(0.0, 1.0), (0.1, 2.0), (5.0, 1.0)];
        assert_eq!(thinned(few, 1.0), few);
        assert!(thinned([], 1.0).is_empty());
    }

    #[test]
    fn what_can_be_drawn() {
        assert!(!drawable(f64::NAN) && !drawable(f64::INFINITY) && !drawable(1.5e308) && drawable(-3.0));
        assert_eq!(extent([f64::NAN, 2.0, -1.0].into_iter()), Some((-1.0, 2.0)));
        assert_eq!(extent([f64::NAN].into_iter()), None);
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0), (3.0, 1.0)];
        assert_eq!(runs(&points, placeable).map(<[_]>::len).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn curves_end_at_the_border_and_at_gaps() {
        let window = ((-2.0, 2.0), (-1.0, 1.0));
        let line = [(-4.0, -4.0), (0.0, 0.0), (4.0, 4.0)];
        assert_eq!(clipped(&line, window.0, window.1), [vec![(-1.0, -1.0), (0.0, 0.0), (1.0, 1.0)]]);
        let tent = [(-2.0, 0.0), (0.0, 2.0), (2.0, 0.0)];
        let parts = clipped(&tent, window.0, window.1);
        assert_eq!(parts, [vec![(-2.0, 0.0), (-1.0, 1.0)], vec![(1.0, 1.0), (2.0, 0.0)]]);
        let step = [(-1.0, 0.0), (-0.5, 0.0), (0.0, f64::NAN), (0.5, 1.0), (1.0, 1.0)];
        assert_eq!(clipped(&step, window.0, window.1).len(), 2);
        assert!(clipped(&[(-1.0, 3.0), (1.0, 3.0)], window.0, window.1).is_empty());
    }
}
