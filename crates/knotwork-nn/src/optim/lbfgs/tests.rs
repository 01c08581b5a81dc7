use knotwork_core::{DType, Device, Graph, HostTensor, Tensor};

use super::*;
use crate::Kan;

const NONE: [(&str, HostTensor); 0] = [];

/// Σ_k c_k (w_k − k)², with condition number 1e4, and its parameters in two tensors.
fn bowl(g: &Graph) -> (Tensor, usize) {
    let n = 12;
    let scales: Vec<f32> = (0..n).map(|k| 10f32.powf(4.0 * k as f32 / (n - 1) as f32)).collect();
    let mut loss = g.constant(DType::F32, 0.0).unwrap();
    for (name, range) in [("a", 0..5), ("b", 5..n)] {
        let part = |f: &dyn Fn(usize) -> f32| {
            let values: Vec<f32> = range.clone().map(f).collect();
            HostTensor::new(&values, [values.len()]).unwrap()
        };
        let w = g.parameter(name, part(&|_| 0.0)).unwrap();
        let (c, to) = (g.tensor(part(&|k| scales[k])).unwrap(), g.tensor(part(&|k| k as f32)).unwrap());
        let term = w.sub(&to).unwrap().square().unwrap().mul(&c).unwrap().sum(&[0], false).unwrap();
        loss = loss.add(&term).unwrap();
    }
    (loss, n)
}

#[test]
fn a_bad_bowl_is_walked_down() {
    let g = Graph::new();
    let (loss, n) = bowl(&g);
    let mut fit = Lbfgs::new().compile(&Device::cpu(), &loss).unwrap();
    let mut before = f64::INFINITY;
    for step in 0..200 {
        let report = fit.step(&NONE).unwrap();
        assert!(report.loss <= report.before && report.before <= before, "step {step}: {report:?}");
        before = report.loss;
        if report.converged {
            break;
        }
    }
    let all: Vec<f64> = ["a", "b"].iter().flat_map(|n| fit.params().get(n).unwrap().to_f64()).collect();
    assert_eq!(all.len(), n);
    for (k, w) in all.iter().enumerate() {
        assert!((w - k as f64).abs() < 1e-3, "{all:?}");
    }
    assert!(fit.steps() < 200 && fit.evaluations() < 400, "{} {}", fit.steps(), fit.evaluations());
}

#[test]
fn steps_are_those_of_the_vectors() {
    // The same loss in plain loops: direction by the two loops, the same line search.
    let g = Graph::new();
    let (loss, n) = bowl(&g);
    let mut fit = Lbfgs::new().history(3).compile(&Device::cpu(), &loss).unwrap();
    let scales: Vec<f64> = (0..n).map(|k| f64::from(10f32.powf(4.0 * k as f32 / (n - 1) as f32))).collect();
    let f = |w: &[f64]| -> (f64, Vec<f64>) {
        let off: Vec<f64> = w.iter().enumerate().map(|(k, w)| f64::from(*w as f32) - k as f64).collect();
        let value = off.iter().zip(&scales).map(|(o, c)| c * o * o).sum();
        (value, off.iter().zip(&scales).map(|(o, c)| 2.0 * c * o).collect())
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut w = vec![0.0; n];
    let (mut value, mut gradient) = f(&w);
    let mut pairs: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for step in 0..6 {
        let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut alphas = Vec::new();
        for (s, y) in pairs.iter().rev() {
            let alpha = dot(s, &d) / dot(s, y);
            d.iter_mut().zip(y).for_each(|(d, y)| *d -= alpha * y);
            alphas.push(alpha);
        }
        if let Some((s, y)) = pairs.last() {
            let scale = dot(s, y) / dot(y, y);
            d.iter_mut().for_each(|d| *d *= scale);
        }
        for ((s, y), alpha) in pairs.iter().zip(alphas.iter().rev()) {
            let beta = dot(y, &d) / dot(s, y);
            d.iter_mut().zip(s).for_each(|(d, s)| *d += (alpha - beta) * s);
        }
        let sum: f64 = d.iter().map(|d| d.abs()).sum();
        let first = if pairs.is_empty() { (1.0 / sum).min(1.0) } else { 1.0 };
        let to = |t: f64| -> Vec<f64> { w.iter().zip(&d).map(|(w, d)| w + t * d).collect() };
        let start = Point { t: 0.0, value, slope: dot(&gradient, &d) };
        let at = Wolfe { c1: 1e-4, c2: 0.9, evaluations: 25, noise: 0.0 }
            .search(start, first, |t| {
                let (value, gradient) = f(&to(t));
                Ok::<_, ()>(Point { t, value, slope: dot(&gradient, &d) })
            })
            .unwrap();
        let next = to(at.t);
        let (_, changed) = f(&next);
        let s: Vec<f64> = next.iter().zip(&w).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = changed.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        if pairs.len() == 3 {
            pairs.remove(0);
        }
        pairs.push((s, y));
        (w, value, gradient) = (next, at.value, changed);
        let report = fit.step(&NONE).unwrap();
        assert!((report.loss - value).abs() < 1e-3 * value, "step {step}: {report:?}, not {value}");
        assert!(
            (report.gradient - dot(&gradient, &gradient).sqrt()).abs() < 1e-2 * report.gradient,
            "{step}"
        );
    }
}

#[test]
fn a_network_of_splines_becomes_exact() {
    // f lies in the span of the network's functions: one layer, a cubic.
    let g = Graph::new();
    let rows = 60;
    let x = g.input("x", DType::F32, [rows, 1]).unwrap();
    let y = g.input("y", DType::F32, [rows, 1]).unwrap();
    let model = Kan::new(&g, "kan", [1, 1]).grid(5).base(false).build().unwrap();
    let loss = model.forward(&x).unwrap().mse_loss(&y).unwrap();
    let xs: Vec<f32> = (0..rows).map(|i| 2.0 * i as f32 / (rows - 1) as f32 - 1.0).collect();
    let ys: Vec<f32> = xs.iter().map(|x| x * x * x - 0.5 * x).collect();
    let feeds =
        [("x", HostTensor::new(&xs, [rows, 1]).unwrap()), ("y", HostTensor::new(&ys, [rows, 1]).unwrap())];
    let mut fit = Lbfgs::new().compile(&Device::cpu(), &loss).unwrap();
    let mut last = f64::INFINITY;
    for _ in 0..60 {
        let report = fit.step(&feeds).unwrap();
        last = report.loss;
        if report.converged {
            break;
        }
    }
    assert!(last.sqrt() < 1e-6, "{last}");
}

#[test]
fn frozen_parameters_and_others_stay() {
    let g = Graph::new();
    let (loss, _) = bowl(&g);
    let b = g.get("b").unwrap();
    let mut fit = Lbfgs::new().parameters(&[&b]).compile(&Device::cpu(), &loss).unwrap();
    fit.step(&NONE).unwrap();
    assert!(fit.params().get("a").unwrap().to_f64().iter().all(|w| *w == 0.0));
    assert!(fit.params().get("b").unwrap().to_f64().iter().any(|w| *w != 0.0));
}

#[test]
fn it_goes_on_where_a_program_is_and_starts_again() {
    let g = Graph::new();
    let (loss, _) = bowl(&g);
    let program = Device::cpu().compile(&g, &[&loss], &[]).unwrap();
    let a = HostTensor::new(&[0.0f32, 1.0, 2.0, 3.0, 4.0], [5]).unwrap();
    program.params().set("a", &a).unwrap();
    let mut fit = Lbfgs::new().beside(&program, &loss).unwrap();
    let first = fit.step(&NONE).unwrap();
    // Set by another hand, it must be told.
    let b: Vec<f32> = (5..12).map(|k| k as f32).collect();
    program.params().set_all([("a", &a), ("b", &HostTensor::new(&b, [7]).unwrap())]).unwrap();
    fit.restart();
    let second = fit.step(&NONE).unwrap();
    assert!(first.before > 1.0 && second.before == 0.0 && second.converged, "{first:?} {second:?}");
    assert_eq!(
        program.params().get("b").unwrap().to_f64(),
        b.iter().map(|&b| f64::from(b)).collect::<Vec<_>>()
    );
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let g = Graph::new();
    let (loss, _) = bowl(&g);
    let cpu = Device::cpu();
    let says = |r: Result<LbfgsFit>, part: &str| {
        let text = r.unwrap_err().to_string();
        assert!(text.contains(part) && text.contains("tests.rs"), "{text}");
    };
    says(Lbfgs::new().history(0).compile(&cpu, &loss), "history is 0; it must be from 1 to 256");
    says(Lbfgs::new().rate(-1.0).compile(&cpu, &loss), "rate is -1");
    says(Lbfgs::new().wolfe(0.5, 0.1).compile(&cpu, &loss), "0 < c1 < c2 < 1");
    says(Lbfgs::new().evaluations(0).compile(&cpu, &loss), "evaluations is 0");
    says(Lbfgs::new().tolerance(f64::NAN).compile(&cpu, &loss), "tolerance is NaN");
    let wide = g.get("a").unwrap();
    says(Lbfgs::new().compile(&cpu, &wide), "the loss must be one number; it is f32[5]");
    says(Lbfgs::new().compile(&cpu, &g.constant(DType::F32, 1.0).unwrap()), "depends on no parameter");
    let first = Lbfgs::new().compile(&cpu, &loss);
    assert!(first.is_ok());
    says(Lbfgs::new().compile(&cpu, &loss), "there is an optimizer `lbfgs` already");
    assert!(Lbfgs::new().named("second").compile(&cpu, &loss).is_ok());
}

#[test]
fn a_loss_that_is_no_number_stops_it_and_a_wall_does_not() {
    let g = Graph::new();
    let w = g.parameter("w", HostTensor::new(&[0.5f32], [1]).unwrap()).unwrap();
    // −ln(1 − w) − 3 w, no number beyond 1
    let wall = w.mul(-1.0).unwrap().add(1.0).unwrap().log().unwrap().mul(-1.0).unwrap();
    let loss = wall.sub(w.mul(3.0).unwrap()).unwrap().sum(&[0], false).unwrap();
    let mut fit = Lbfgs::new().rate(100.0).compile(&Device::cpu(), &loss).unwrap();
    for _ in 0..20 {
        if fit.step(&NONE).unwrap().converged {
            break;
        }
    }
    let found = fit.params().get("w").unwrap().to_f64()[0];
    assert!((found - 2.0 / 3.0).abs() < 1e-4, "{found}");
    fit.params().set("w", &HostTensor::new(&[2.0f32], [1]).unwrap()).unwrap();
    fit.restart();
    let error = fit.step(&NONE).unwrap_err().to_string();
    assert!(error.contains("the loss is NaN"), "{error}");
    assert_eq!(fit.params().get("w").unwrap().to_f64(), [2.0]);
}

#[test]
fn a_gradient_that_is_no_number_is_told_and_forgotten() {
    let g = Graph::new();
    let w = g.parameter("w", HostTensor::new(&[0.0f32, 4.0], [2]).unwrap()).unwrap();
    let loss = w.sqrt().unwrap().sum(&[0], false).unwrap();
    let mut fit = Lbfgs::new().compile(&Device::cpu(), &loss).unwrap();
    let error = fit.step(&NONE).unwrap_err().to_string();
    assert!(error.contains("the gradient of the loss, 2, is not finite after 0 steps"), "{error}");
    assert_eq!(fit.params().get("w").unwrap().to_f64(), [0.0, 4.0]);
    fit.params().set("w", &HostTensor::new(&[1.0f32, 4.0], [2]).unwrap()).unwrap();
    fit.restart();
    let step = fit.step(&NONE).unwrap();
    assert!(step.loss < step.before && step.before == 3.0, "{step:?}");
}

#[test]
fn an_input_that_does_not_fit_changes_nothing() {
    let g = Graph::new();
    let w = g.parameter("w", HostTensor::new(&[3.0f32, 1.0], [2]).unwrap()).unwrap();
    let x = g.input("x", DType::F32, [1]).unwrap();
    let square = w.mul(&x).unwrap().square().unwrap();
    let loss = square.add(square.square().unwrap()).unwrap().sum(&[0], false).unwrap();
    let mut fit = Lbfgs::new().compile(&Device::cpu(), &loss).unwrap();
    let one = HostTensor::new(&[1.0f32], [1]).unwrap();
    let first = fit.step(&[("x", &one)]).unwrap();
    let before = fit.params().get("w").unwrap().to_f64();
    assert!(fit.step(&NONE).is_err());
    assert_eq!(fit.params().get("w").unwrap().to_f64(), before);
    let next = fit.step(&[("x", &one)]).unwrap();
    assert!((next.before - first.loss).abs() < 1e-6 * first.loss.max(1e-6), "{first:?} {next:?}");
}

/// A sum of squares whose terms are rounded to what is left of them beside 4096: the loss hides small steps, its slopes do not.
#[test]
fn rounding_does_not_end_it_early() {
    let g = Graph::new();
    let n = 64;
    let target: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin()).collect();
    let scale: Vec<f32> = (0..n).map(|i| 1.0 + 30.0 * i as f32 / n as f32).collect();
    let w = g.parameter("w", HostTensor::zeros(DType::F32, [n])).unwrap();
    let (target, scale) = (
        g.tensor(HostTensor::new(&target, [n]).unwrap()).unwrap(),
        g.tensor(HostTensor::new(&scale, [n]).unwrap()).unwrap(),
    );
    let off = w.sub(&target).unwrap().mul(&scale).unwrap();
    let rounded = off.add(4096.0).unwrap().sub(4096.0).unwrap();
    // The value is that of the rounded terms, the slope that of the others.
    let noise = rounded.square().unwrap().sub(off.square().unwrap()).unwrap().detach().unwrap();
    let loss = off.square().unwrap().add(&noise).unwrap().mean(&[0], false).unwrap();
    let mut fit = Lbfgs::new().compile(&Device::cpu(), &loss).unwrap();
    let none: [(&str, HostTensor); 0] = [];
    let mut last = f64::INFINITY;
    for _ in 0..200 {
        let step = fit.step(&none).unwrap();
        last = step.gradient;
        if step.converged {
            break;
        }
    }
    // Half a unit of rounding beside 4096 is 2.4e-4.
    assert!(last < 1e-4, "{last} after {} steps", fit.steps());
}
