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
/// Networks that are tried.
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

/// A network through the grids so far, and what came of each.
type Run = (Network, Vec<Row>);

/// Goes on to the next grid; where it does worse on the test samples, the network before is kept.
fn next(device: &Device, run: &mut Run, steps: usize, samples: [&Samples; 2]) -> Result<()> {
    let (network, rows) = run;
    let (finer, row) = on_grid(device, network, rows.len(), steps, samples)?;
    match rows.last() {
        Some(last) if row.test >= last.test => rows.push(Row { grid: row.grid, ..last.clone() }),
        _ => {
            *network = finer;
            rows.push(row);
        }
    }
    Ok(())
}

/// A [2, 1, 1] network on all grids. Several are tried on all but the last, and the one that is best there goes on: some end
/// in bad minima, and some where f32 rounds more.
pub fn refine(
    device: &Device,
    seed: u64,
    steps: usize,
    samples: [&Samples; 2],
    mut tried: impl FnMut(u64, &Row),
) -> Result<Vec<Row>> {
    let mut best: Option<Run> = None;
    let trained = |(_, rows): &Run| rows.last().map_or(f64::INFINITY, |row| row.train);
    for start in 0..STARTS {
        let network = Kan::new(&Graph::new(), "kan", [2, 1, 1])
            .grid(GRIDS[0])
            .outside(Outside::Linear)
            .layer_range(1, -2, 2)
            .seed(STARTS * seed + start)
            .network()?;
        let mut run = (network, Vec::new());
        for _ in 1..GRIDS.len() {
            next(device, &mut run, steps, samples)?;
        }
        run.1.last().into_iter().for_each(|row| tried(start, row));
        best = best.into_iter().chain([run]).min_by(|a, b| trained(a).total_cmp(&trained(b)));
    }
    let Some(mut run) = best else { return Ok(Vec::new()) };
    next(device, &mut run, steps, samples)?;
    Ok(run.1)
}
