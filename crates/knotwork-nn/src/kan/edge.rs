//! The functions on the edges of a KAN layer, evaluated on the host.

use knotwork_core::ops::Basis;

use crate::{Result, plot::Edge};

/// φ(x) = w silu(x) + Σ_m c_m φ_m(x) of one edge at evenly spaced x; `coef` is [I, n, O], `base` [I, O].
pub(super) fn sample(
    basis: &Basis,
    coef: &[f64],
    base: Option<&[f64]>,
    [_, outputs]: [usize; 2],
    input: usize,
    output: usize,
    samples: usize,
) -> Result<Edge> {
    let (low, high) = basis.range();
    let n = basis.count();
    let points = (0..samples)
        .map(|k| {
            let x = low + (high - low) * k as f64 / (samples - 1) as f64;
            let functions = basis.evaluate(x, 0).unwrap_or_default();
            let spline: f64 =
                functions.iter().enumerate().map(|(m, b)| coef[(input * n + m) * outputs + output] * b).sum();
            let weight = base.map_or(0.0, |w| w[input * outputs + output]);
            (x, weight * x / (1.0 + (-x).exp()) + spline)
        })
        .collect();
    Ok(Edge { input, output, points })
}

/// The mean of Σ_m φ_m(x)² over the functions' range; over a cell of the grid for B-splines, where it is 151/315 for order 3,
/// whatever the grid.
pub(super) fn mean_square(basis: &Basis) -> f64 {
    let (low, wide, samples) = match basis.spline() {
        Some(spline) => (spline.ends().0, spline.step(), 64),
        None => (basis.range().0, basis.range().1 - basis.range().0, 1024),
    };
    let total: f64 = (0..samples)
        .map(|k| low + wide * (f64::from(k) + 0.5) / f64::from(samples))
        .map(|x| basis.evaluate(x, 0).unwrap_or_default().iter().map(|b| b * b).sum::<f64>())
        .sum();
    total / f64::from(samples)
}

#[cfg(test)]
mod tests {
    use knotwork_core::ops::BSpline;

    use super::*;

    #[test]
    fn the_mean_square_of_splines() {
        for (order, want) in [(1, 2.0 / 3.0), (2, 11.0 / 20.0), (3, 151.0 / 315.0)] {
            for grid in [1, 4] {
                let got = mean_square(&BSpline::new(grid, order).unwrap().range(-3.0, 2.0).unwrap().into());
                assert!((got - want).abs() < 1e-4, "order {order}: {got}, want {want}");
            }
        }
        // cos² + sin² of each frequency
        assert!((mean_square(&Basis::fourier(3).unwrap()) - 3.0).abs() < 1e-12);
    }
}
