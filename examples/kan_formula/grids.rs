//! Ever finer grids: the error on samples that training has not seen.

use anyhow::Result;
use knotwork::{
    nn::{
        Kan, Lbfgs,
        kan::{Fit, GridUpdate, Network},
    },
    ops::Outside,
    prelude::*,
};

use crate::Samples;

/// Intervals, from coarse to fine.
pub const GRIDS: [usize; 4] = [3, 10, 20, 50];
/// Networks that are tried on the coarse grids.
const STARTS: u64 = 5;
/// The part of its range by which the hidden grid is wider than what it is given, so that other samples find it there.
const MARGIN: [f64; 4] = [0.02, 0.0, 1.0 / 18.0, 1.0 / 48.0];

/// What came of one grid.
#[derive(Clone, Debug)]
pub struct Row {
    pub grid: usize,
    pub train: f64,
    pub test: f64,
    pub steps: usize,
    pub evaluations: u64,
}

/// One network on one grid after another; `before` is what was reached.
fn on_grid(
    device: &Device,
    network: &Network,
    at: usize,
    steps: usize,
    [train, test]: [&Samples; 2],
) -> Result<(Network, Row)> {
    let env = |k: &str, d: f64| std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    // One even grid a layer: its kernels are the fastest.
    let update = GridUpdate::new().shared(true).margin(env(&format!("M{at}"), MARGIN[at]));
    let fit = Fit::new().steps(steps).lbfgs(Lbfgs::new().history(env("HIST", 30.0) as usize));
    let fit = if at == 3 {
        fit.sparsity(knotwork::nn::kan::Sparsity { smoothness: env("SMOOTH", 0.0), ..Default::default() })
    } else {
        fit
    };
    let grid = GRIDS[at];
    let fitted = if at == 0 {
        // Here hidden values still move.
        fit.update_grids(update, 10, 50).run(network, device, &train.x, &train.y)?
    } else {
        // The inputs' range is known and stays; the hidden grid follows its values.
        let fitting = GridUpdate::new().shared(true);
        let finer = network.refine(grid)?.update_grid_from_samples(device, &train.x, &fitting)?;
        fit.update_grids(update.inputs(false), env("TIMES", 1.0) as usize, env("UNTIL", 200.0) as usize)
            .run(&finer, device, &train.x, &train.y)?
    };
    let row = Row {
        grid,
        train: fitted.network.rmse(device, &train.x, &train.y)?,
        test: fitted.network.rmse(device, &test.x, &test.y)?,
        steps: fitted.steps.len(),
        evaluations: fitted.evaluations,
    };
    Ok((fitted.network, row))
}

/// A [2, 1, 1] network on all grids: some are tried on the first two, and the best of them goes on. Where a finer grid does
/// worse on the test samples, the network before is kept.
pub fn refine(
    device: &Device,
    seed: u64,
    steps: usize,
    samples: [&Samples; 2],
    mut seen: impl FnMut(&Row),
) -> Result<Vec<Row>> {
    let env = |k: &str, d: f64| std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let mut best: Option<(Network, Vec<Row>)> = None;
    for start in 0..env("STARTS", 5.0) as u64 {
        let network = Kan::new(&Graph::new(), "kan", [2, 1, 1])
            .grid(GRIDS[0])
            .outside(Outside::Linear)
            .layer_range(1, -2, 2)
            .seed(STARTS * seed + start)
            .network()?;
        let (network, coarse) = on_grid(device, &network, 0, steps, samples)?;
        let (network, finer) = on_grid(device, &network, 1, steps, samples)?;
        if best.as_ref().is_none_or(|(_, rows)| finer.train < rows[1].train) {
            best = Some((network, vec![coarse, finer]));
        }
    }
    let Some((mut network, mut rows)) = best else { return Ok(Vec::new()) };
    rows.iter().for_each(&mut seen);
    for at in 2..GRIDS.len() {
        let (finer, row) = on_grid(device, &network, at, steps, samples)?;
        seen(&row);
        if row.test < rows[at - 1].test {
            network = finer;
            rows.push(row);
        } else {
            let kept = Row { grid: row.grid, ..rows[at - 1].clone() };
            rows.push(kept);
        }
    }
    Ok(rows)
}
