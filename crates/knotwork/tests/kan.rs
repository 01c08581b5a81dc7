//! The KAN toolbox on every backend that this build has.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod common;

use common::devices;
use knotwork::{
    nn::{
        Generator, Kan,
        kan::{AutoSymbolic, Base, Fit, Functions, GridUpdate, Network, Sparsity, Split, Unit, Workflow},
        symbolic::{Affine, Library},
    },
    ops::{Basis, Outside, Wavelet},
    prelude::*,
};

/// sin(2 x1) + x2² over points in [−1, 1]².
fn samples(rows: usize) -> [HostTensor; 2] {
    let x = Generator::new(3).uniform(&[rows, 2], -1.0, 1.0).unwrap();
    let y: Vec<f32> = x.to_f64().chunks(2).map(|p| ((2.0 * p[0]).sin() + p[1] * p[1]) as f32).collect();
    [x, HostTensor::new(&y, [rows, 1]).unwrap()]
}

/// A network with all that there is.
fn rich() -> Network {
    let sine = Affine { function: Library::standard().get("sin").unwrap(), a: 2.0, b: 0.3, c: 0.7, d: -0.1 };
    Kan::new(&Graph::new(), "k", [2, 2, 2])
        .multiply(0, [2])
        .edge_basis(0, 1, 2, Basis::fourier(2).unwrap())
        .edge_basis(1, 0, 1, Basis::rbf(4, (-2.0, 2.0), None).unwrap())
        .outside(Outside::Linear)
        .base(Base::Activation("tanh"))
        .spline_scale(1.0)
        .scale(true)
        .bias(true)
        .network()
        .unwrap()
        .fix_symbolic(0, 0, 1, &sine)
        .unwrap()
        .remove_edge(0, 1, 0, 0.25)
        .unwrap()
        .in_units(&[Unit { shift: 0.1, scale: 0.8 }; 2], &[Unit { shift: -3.0, scale: 10.0 }; 2])
        .unwrap()
}

/// With a wavelet on every edge, and with wavelets beside splines and polynomials.
fn with_wavelets() -> [Network; 2] {
    let builder = Kan::new(&Graph::new(), "k", [2, 3, 1]).spline_scale(0.5).scale(true).bias(true);
    let mixed = builder
        .clone()
        .edge_basis(0, 0, 0, Wavelet::MexicanHat)
        .edge_basis(0, 1, 2, Functions::Wavelet(Wavelet::Dog, (-2.0, 1.0)))
        .edge_basis(0, 1, 1, Basis::chebyshev(3).unwrap())
        .edge_basis(1, 2, 0, Wavelet::Morlet);
    let all = builder.basis(Wavelet::Morlet).layer_basis(1, Wavelet::MexicanHat);
    [all, mixed].map(|b| b.network().unwrap())
}

fn near(got: &[f64], want: &[f64], within: f64, what: &str) {
    assert_eq!(got.len(), want.len());
    let size = want.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= within * size, "{what}: {got}, not {want}");
    }
}

#[test]
fn networks_are_their_definition_everywhere() {
    let [x, _] = samples(70);
    for device in devices() {
        let name = device.info().to_string();
        let network = rich();
        near(
            &network.predict(&device, &x).unwrap().to_f64(),
            &network.evaluate(&x.to_f64()).unwrap(),
            2e-6,
            &name,
        );
        for update in [GridUpdate::new().grid(7), GridUpdate::new().shared(true).margin(0.05)] {
            let moved = network.update_grid_from_samples(&device, &x, &update).unwrap();
            let want = moved.evaluate(&x.to_f64()).unwrap();
            near(&moved.predict(&device, &x).unwrap().to_f64(), &want, 5e-6, &name);
            // The same samples move the grids alike, wherever they are computed.
            let host = network.update_grid_from_samples(&Device::cpu(), &x, &update).unwrap();
            near(&host.evaluate(&x.to_f64()).unwrap(), &want, 1e-4, &name);
            let scores = moved.attribute(&device, &x).unwrap();
            let same = moved.attribute(&Device::cpu(), &x).unwrap();
            for (a, b) in scores.edges.iter().zip(&same.edges) {
                near(a, b, 1e-4, &name);
            }
        }
        assert!(network.out_of_range(&device, &x).unwrap()[0].iter().any(|part| *part > 0.0));
    }
}

#[test]
fn fits_with_penalties_agree() {
    let [x, y] = samples(120);
    let start = Kan::new(&Graph::new(), "k", [2, 3, 1]).seed(1).network().unwrap();
    let fit = Fit::new()
        .steps(6)
        .sparsity(Sparsity { coefficients: 1e-3, smoothness: 1e-3, ..Sparsity::weight(1e-2) })
        .update_grids(GridUpdate::new(), 2, 4);
    let runs: Vec<_> = devices().iter().map(|d| fit.run(&start, d, &x, &y).unwrap()).collect();
    let losses = |run: usize| runs[run].steps.iter().map(|s| s.loss).collect::<Vec<_>>();
    assert!(runs[0].steps.len() == 6 && losses(0).is_sorted_by(|a, b| a > b), "{:?}", losses(0));
    for run in 1..runs.len() {
        near(&losses(run), &losses(0), 2e-3, "losses");
    }
}

#[test]
fn wavelets_are_their_definition_everywhere_and_learn_alike() {
    let [x, y] = samples(120);
    let fit = Fit::new().steps(6).sparsity(Sparsity { coefficients: 1e-3, ..Sparsity::weight(1e-2) });
    for network in with_wavelets() {
        let want = network.evaluate(&x.to_f64()).unwrap();
        let scores = network.attribute(&Device::cpu(), &x).unwrap();
        let mut losses: Vec<Vec<f64>> = Vec::new();
        for device in devices() {
            let name = format!("{network} on {}", device.info());
            near(&network.predict(&device, &x).unwrap().to_f64(), &want, 5e-6, &name);
            let found = network.attribute(&device, &x).unwrap();
            for (a, b) in found.edges.iter().zip(&scores.edges) {
                near(a, b, 1e-4, &name);
            }
            let fitted = fit.run(&network, &device, &x, &y).unwrap();
            losses.push(fitted.steps.iter().map(|s| s.loss).collect());
            assert!(losses[0].len() == 6 && losses[0].is_sorted_by(|a, b| a > b), "{name}: {losses:?}");
            near(losses.last().unwrap(), &losses[0], 2e-3, &name);
        }
    }
}

#[test]
fn a_formula_is_found_on_every_device() {
    let [x, y] = samples(150);
    let split = Split { train: [&x, &y], test: [&x, &y] };
    let library = Library::standard().only(["x", "x^2", "sin", "exp"]).unwrap();
    for device in devices() {
        let start = Kan::new(&Graph::new(), "k", [2, 1]).grid(5).seed(2).network().unwrap();
        let work = Workflow::new()
            .steps(40)
            .prune(Sparsity::weight(1e-3), 1e-2, 1e-2)
            .refine([10])
            .symbolic(true)
            .library(library.clone(), AutoSymbolic::default());
        let found = work.run(&start, &device, split, |_| ()).unwrap();
        let best = found.best();
        assert!(best.test < 1e-4, "{} on {}", best.test, device.info());
        let formula = best.network.formulas().unwrap().remove(0);
        let short = formula.readable(&["x1", "x2"], &x.to_f64(), 1e-3).unwrap();
        assert_eq!(short.to_string(), "sin(2*x1) + x2^2", "{}", device.info());
    }
}
