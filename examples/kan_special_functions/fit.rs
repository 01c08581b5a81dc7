//! Samples of a function, and both networks fitted to them.

use anyhow::{Context, Result};
use knotwork::{
    nn::{Generator, Kan, Lbfgs, optim::LbfgsFit},
    prelude::*,
};
use knotwork_examples::{mlp as plain, parameters, rmse};

use super::functions::Special;

/// Samples of each of the three sets.
const SAMPLES: usize = 2000;
/// The range of the grid of the layer behind the sums.
const HIDDEN: (f64, f64) = (-2.0, 2.0);
/// The widths; the MLP has 375 parameters, the KAN 360 on a grid of 20.
const KAN: [usize; 3] = [2, 5, 1];
const MLP: [usize; 4] = [2, 17, 17, 1];

/// Points in [−1, 1]², moved to the function's ranges, and its values there.
struct Set {
    x: HostTensor,
    y: HostTensor,
}

/// To learn from, to choose by, and to report.
pub struct Samples {
    train: Set,
    choose: Set,
    test: Set,
}

impl Samples {
    /// Random samples of a function.
    pub fn new(function: &Special, seed: u64) -> Result<Self> {
        let mut generator = Generator::named(seed, function.name);
        let mut set = || -> Result<Set> {
            let x = generator.uniform(&[SAMPLES, 2], -1.0, 1.0)?;
            let at = |(t, (low, high)): (&f64, (f64, f64))| low + (high - low) * 0.5 * (t + 1.0);
            let value = |p: &[f64]| {
                let at = [at((&p[0], function.ranges[0])), at((&p[1], function.ranges[1]))];
                (function.value)(at[0], at[1]) as f32
            };
            let y: Vec<f32> = x.to_f64().chunks_exact(2).map(value).collect();
            Ok(Set { x, y: HostTensor::from_vec(y, [SAMPLES, 1])? })
        };
        Ok(Self { train: set()?, choose: set()?, test: set()? })
    }
}

/// What came out.
pub struct Fit {
    /// The root mean square error on the test samples.
    pub test: f64,
    /// The number of parameters.
    pub parameters: usize,
    /// The grid; 0 for an MLP.
    pub grid: usize,
}

/// The KAN, on the grid that is best on the samples to choose by.
pub fn kan(device: &Device, samples: &Samples, grids: &[usize], steps: usize, seed: u64) -> Result<Fit> {
    let mut best: Option<(f64, Fit)> = None;
    let mut before: Option<(Kan, LbfgsFit)> = None;
    for &grid in grids {
        let g = Graph::new();
        let model = match &before {
            None => {
                let (low, high) = HIDDEN;
                Kan::new(&g, "kan", KAN).grid(grid).layer_range(1, low, high).seed(seed).build()?
            }
            Some((coarser, fit)) => coarser.refine(fit.params(), &g, grid)?,
        };
        let x = g.input("x", DType::F32, [SAMPLES, 2])?;
        let y = model.forward(&x)?;
        let fit = descend(device, &y, &samples.train, steps)?;
        let found =
            Fit { test: error(&fit, &y, &samples.test)?, parameters: parameters(fit.program()), grid };
        let choose = error(&fit, &y, &samples.choose)?;
        if best.as_ref().is_none_or(|(least, _)| choose < *least) {
            best = Some((choose, found));
        }
        before = Some((model, fit));
    }
    Ok(best.context("--grids names no grid")?.1)
}

/// The MLP.
pub fn mlp(device: &Device, samples: &Samples, steps: usize, seed: u64) -> Result<Fit> {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [SAMPLES, 2])?;
    let y = plain(&x, "mlp", &MLP, seed, 1.5, Tensor::tanh)?;
    let fit = descend(device, &y, &samples.train, steps)?;
    Ok(Fit { test: error(&fit, &y, &samples.test)?, parameters: parameters(fit.program()), grid: 0 })
}

fn descend(device: &Device, y: &Tensor, set: &Set, steps: usize) -> Result<LbfgsFit> {
    let target = y.graph().input("y", DType::F32, [SAMPLES, 1])?;
    let mut fit = Lbfgs::new().compile(device, &y.mse_loss(&target)?)?;
    for _ in 0..steps {
        if fit.step(&[("x", &set.x), ("y", &set.y)])?.converged {
            break;
        }
    }
    Ok(fit)
}

fn error(fit: &LbfgsFit, y: &Tensor, set: &Set) -> Result<f64> {
    let mut predict = fit.program().sibling(&[y], &[])?;
    let found = predict.run([("x", &set.x)])?.wait()?;
    Ok(rmse(&found.first().context("the program has one output")?.to_f64(), &set.y.to_f64()))
}
