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

use super::Samples;

/// Intervals, from coarse to fine.
pub const GRIDS: [usize; 4] = [3, 10, 20, 50];
/// Networks that are tried on the first two grids.
const STARTS: u64 = 5;
/// How much wider the hidden grid is than what it is given, so that other samples find it there: one cell on fine grids.
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

/// A network fitted on one of the grids.
fn on_grid(
    device: &Device,
    network: &Network,
    at: usize,
    steps: usize,
    [train, test]: [&Samples; 2],
) -> Result<(Network, Row)> {
    // One even grid a layer: its kernels are the fastest.
    let update = GridUpdate::new().shared(true);
    let fit = Fit::new().steps(steps).lbfgs(Lbfgs::new().history(30));
    let fitted = if at == 0 {
        // Here hidden values still move.
        fit.update_grids(update.margin(MARGIN[at]), 10, 50).run(network, device, &train.x, &train.y)?
    } else {
        let finer = network.refine(GRIDS[at])?.update_grid_from_samples(device, &train.x, &update)?;
        // The inputs' range is known; the hidden grid gets its margin.
        let hidden = update.inputs(false).margin(MARGIN[at]);
        fit.update_grids(hidden, 1, 0).run(&finer, device, &train.x, &train.y)?
    };
    let row = Row {
        grid: GRIDS[at],
        train: fitted.network.rmse(device, &train.x, &train.y)?,
        test: fitted.network.rmse(device, &test.x, &test.y)?,
        steps: fitted.steps.len(),
        evaluations: fitted.evaluations,
    };
    Ok((fitted.network, row))
}

/// A [2, 1, 1] network on all grids. Several are tried on the first two, and the best of them goes on; where a finer grid does
/// worse on the test samples, the network before is kept.
pub fn refine(
    device: &Device,
    seed: u64,
    steps: usize,
    samples: [&Samples; 2],
    mut seen: impl FnMut(&Row),
) -> Result<Vec<Row>> {
    let mut best: Option<(Network, Vec<Row>)> = None;
    for start in 0..STARTS {
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
