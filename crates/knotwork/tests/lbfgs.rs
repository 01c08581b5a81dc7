//! L-BFGS on every backend that this build has, and a network that goes on on a finer grid.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod common;

use knotwork::{
    nn::{Kan, Lbfgs},
    prelude::*,
};

use common::devices;

const ROWS: usize = 80;

/// Points in [−1, 1]² and exp(sin(πx) + y²).
fn samples() -> [(&'static str, HostTensor); 2] {
    let points: Vec<f32> = (0..ROWS)
        .flat_map(|i| [i as f32 * 0.618_034, i as f32 * 0.754_877_7])
        .map(|v| 2.0 * v.fract() - 1.0)
        .collect();
    let values: Vec<f32> =
        points.chunks(2).map(|p| ((std::f32::consts::PI * p[0]).sin() + p[1] * p[1]).exp()).collect();
    [("x", HostTensor::new(&points, [ROWS, 2]).unwrap()), ("y", HostTensor::new(&values, [ROWS, 1]).unwrap())]
}

fn loss(g: &Graph, model: &Kan) -> Tensor {
    let x = g.input("x", DType::F32, [ROWS, 2]).unwrap();
    let y = g.input("y", DType::F32, [ROWS, 1]).unwrap();
    model.forward(&x).unwrap().mse_loss(&y).unwrap()
}

#[test]
fn a_formula_is_learned_on_every_backend_and_goes_on_on_a_finer_grid() {
    let data = samples();
    let mut first = Vec::new();
    for device in devices() {
        let g = Graph::new();
        let model = Kan::new(&g, "kan", [2, 1, 1]).grid(3).layer_range(1, -2, 3).build().unwrap();
        let mut fit = Lbfgs::new().compile(&device, &loss(&g, &model)).unwrap();
        let mut last = f64::INFINITY;
        for step in 0..30 {
            let report = fit.step(&data).unwrap();
            assert!(
                report.loss <= report.before && report.before <= last,
                "{} {step}: {report:?}",
                device.info()
            );
            last = report.loss;
            if step == 0 {
                first.push(report);
            }
        }
        assert!(last < 0.05 * first[0].before, "{}: {last}, from {}", device.info(), first[0].before);
        let finer = Graph::new();
        let refined = model.refine(fit.params(), &finer, 9).unwrap();
        let mut fit = Lbfgs::new().compile(&device, &loss(&finer, &refined)).unwrap();
        let report = fit.step(&data).unwrap();
        // Where the hidden value lies within its grid nothing has changed.
        assert!(
            (report.before - last).abs() < 0.05 * last,
            "{}: {} after {last}",
            device.info(),
            report.before
        );
        assert!(report.loss < report.before, "{report:?}");
    }
    // The same first step everywhere.
    for other in &first[1..] {
        assert!((other.loss - first[0].loss).abs() < 1e-3 * first[0].loss, "{first:?}");
        assert_eq!(other.evaluations, first[0].evaluations);
    }
}
