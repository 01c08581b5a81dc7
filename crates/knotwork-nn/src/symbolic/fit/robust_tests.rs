//! Edges that are hard to look at: far off, narrow, large, small, steep, broken.

use std::f64::consts::PI;

use super::{
    super::{Library, Suggestions, SymbolicError, suggest},
    *,
};

fn edge(name: &str, [a, b, c, d]: [f64; 4]) -> Affine {
    Affine { function: Library::standard().get(name).unwrap(), a, b, c, d }
}

fn spaced(low: f64, high: f64, n: usize) -> Vec<f64> {
    (0..n).map(|i| low + (high - low) * i as f64 / (n - 1) as f64).collect()
}

fn samples(edge: &Affine, x: &[f64]) -> Samples {
    let y: Vec<f64> = x.iter().map(|x| edge.value(*x)).collect();
    Samples::new(x, &y).unwrap()
}

/// Fits the edge's own function to its samples.
fn refit(edge: &Affine, x: &[f64]) -> Fit {
    fit_affine(&edge.function, &samples(edge, x)).unwrap()
}

/// Shapes over t in [−1, 1] that can be told from one another.
fn shapes() -> Vec<Affine> {
    vec![
        edge("x", [1.0, 0.0, 2.0, 0.5]),
        edge("x^2", [1.0, 0.3, 1.4, -0.3]),
        edge("x^3", [1.0, 0.2, 1.4, -0.3]),
        edge("1/x", [1.0, 1.4, 1.4, -0.3]),
        edge("sqrt", [1.0, 1.1, 1.4, -0.3]),
        edge("exp", [2.0, 0.0, 1.4, -0.3]),
        edge("log", [1.0, 1.2, 1.4, -0.3]),
        edge("abs", [1.0, 0.237, 1.4, -0.3]),
        edge("sgn", [1.0, 0.237, 1.4, -0.3]),
        edge("relu", [1.0, 0.237, 1.4, -0.3]),
        edge("sin", [4.0, 0.4, 1.4, -0.3]),
        edge("tanh", [3.0, 0.4, 1.4, -0.3]),
        edge("gaussian", [2.0, 0.3, 1.4, -0.3]),
        edge("arctan", [5.0, 0.3, 1.4, -0.3]),
        edge("sigmoid", [6.0, 0.5, 1.4, -0.3]),
    ]
}

/// The shape over x = centre + half t instead of t, and scale times as high.
fn moved(shape: &Affine, centre: f64, half: f64, scale: f64) -> Affine {
    let a = shape.a / half;
    Affine { a, b: shape.b - a * centre, c: shape.c * scale, d: shape.d * scale, ..shape.clone() }
}

#[test]
fn a_shape_is_found_wherever_it_lies_and_however_large() {
    for (centre, half, scale) in [
        (0.0, 1.0, 1e6),
        (0.0, 5e-4, 1.0),
        (0.5, 5e-4, 1e-6),
        (1e4, 1.0, 1.0),
        (1e4, 1e3, 1e6),
        (-3e4, 5e-3, 1e-6),
        (0.0, 1e6, 1e-6),
        (0.0, 1e-6, 1e6),
    ] {
        for shape in shapes() {
            let edge = moved(&shape, centre, half, scale);
            let fit = refit(&edge, &spaced(centre - half, centre + half, 90));
            // The digits of x that tell the samples apart.
            let digits = (f64::EPSILON * (1.0 + centre.abs() / half)).max(1e-14);
            assert!(
                fit.rmse < 1e3 * digits * scale,
                "{} at {centre} ± {half} x {scale}: {fit}",
                shape.function
            );
        }
    }
}

#[test]
fn a_narrow_piece_of_a_wave_is_a_line() {
    // sin(3 x) over x from 0.5 to 0.5005: straight to 6e-8 of its change.
    let x = spaced(0.5, 0.5005, 100);
    let s = samples(&edge("sin", [3.0, 0.0, 1.0, 0.0]), &x);
    let found = suggest(&s, &Library::standard(), Suggestions::WEIGHT).unwrap();
    let best = &found.best().unwrap().fit;
    assert_eq!(best.edge.function.name(), "x", "{found}");
    assert!((best.edge.c - 3.0 * 1.500_75f64.cos()).abs() < 1e-4 && best.rmse < 1e-6, "{found}");
}

#[test]
fn a_fast_wave() {
    for name in ["sin", "cos"] {
        for (low, high) in [(-1.0, 1.0), (0.0, 1.0), (-3.0, 3.0), (0.0, 100.0), (1e4, 1e4 + 1e-3)] {
            for (n, periods) in [(60, 0.5), (60, 5.0), (1000, 5.0), (60, 9.0), (200, 11.3)] {
                let a = periods * std::f64::consts::TAU / (high - low);
                let edge = edge(name, [a, 0.7 - a * low, 2.0, 0.5]);
                let fit = refit(&edge, &spaced(low, high, n));
                assert!(fit.r2 > 1.0 - 1e-9, "{edge:?}, {n} samples of {low}..{high}: {fit}");
                assert!((fit.edge.a - a).abs() < 1e-4 * a, "{edge:?}, {n} samples of {low}..{high}: {fit}");
            }
        }
    }
}

#[test]
fn few_samples_have_the_slowest_wave() {
    // At 7 samples half a period and two and a half have the same values.
    let fit = refit(&edge("sin", [5.0 * PI, 0.3, 1.0, 0.0]), &spaced(-1.0, 1.0, 7));
    assert!(fit.r2 > 1.0 - 1e-9 && fit.edge.a <= 10.0, "{fit}");
}

#[test]
fn poles_near_and_between_samples() {
    for name in ["1/x", "1/x^2", "1/x^3", "1/x^4", "1/x^5"] {
        for n in [50, 200, 1000] {
            for (low, high, pole) in [
                (0.0, 1e-2, -1e-4),
                (1e-3, 1.0, 0.0),
                (-1.0, 1.0, 0.0),
                (-1.0, 1.0, 0.3),
                (-1.0, 2.0, 1.9),
                (0.0, 1.0, -1e-5),
            ] {
                let edge = edge(name, [1.0, -pole, 1.3, 0.5]);
                // No sample on the pole itself: there y is no number, and samples say so.
                let x: Vec<f64> =
                    spaced(low, high, n).into_iter().filter(|x| (x - pole).abs() > 1e-9).collect();
                let fit = refit(&edge, &x);
                assert!(fit.r2 > 1.0 - 1e-9, "{edge:?}, {n} samples of {low}..{high}: {fit}");
            }
        }
    }
}

#[test]
fn few_samples() {
    for n in 0..9 {
        let x = spaced(-1.0, 1.0, n.max(2))[..n].to_vec();
        let y: Vec<f64> = x.iter().map(|x| (2.0 * x).sin()).collect();
        let made = Samples::new(&x, &y);
        if n < Samples::MIN {
            assert!(matches!(made, Err(SymbolicError::TooFew { got, .. }) if got == n));
            continue;
        }
        let found = suggest(&made.unwrap(), &Library::standard(), Suggestions::WEIGHT).unwrap();
        assert!(found.candidates.iter().all(|c| c.fit.r2.is_finite() && c.fit.rmse.is_finite()), "{found}");
        let sine = found.candidates.iter().find(|c| c.fit.edge.function.name() == "sin").unwrap();
        assert!(sine.fit.r2 > 1.0 - 1e-12, "{n}: {found}");
    }
}

#[test]
fn steps_and_kinks_anywhere() {
    for name in ["abs", "sgn", "relu"] {
        for n in [20, 128, 1000] {
            for kink in [-0.97, -0.5, 0.0, 0.013, 0.61, 0.985] {
                let edge = edge(name, [1.0, -kink, 2.0, 0.5]);
                let x: Vec<f64> = spaced(-1.0, 1.0, n);
                let fit = refit(&edge, &x);
                assert!(fit.rmse < 1e-10, "{edge:?}, {n} samples: {fit}");
            }
        }
    }
}
