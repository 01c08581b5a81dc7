//! From a wide network to a formula: penalties, pruning, a finer grid, functions for edges, and a last fit.

use anyhow::Result;
use knotwork::{
    nn::{
        Kan,
        kan::{AutoSymbolic, Fit, FixedEdge, GridUpdate, Network, Sparsity},
        symbolic::{Expression, Library},
    },
    ops::Outside,
    prelude::*,
};

use crate::Samples;

/// What became of the network.
pub struct Found {
    pub before: Network,
    pub pruned: Network,
    pub edges: Vec<FixedEdge>,
    pub network: Network,
    pub formula: Option<Expression>,
}

pub fn discover(device: &Device, seed: u64, [train, test]: [&Samples; 2]) -> Result<Found> {
    let env = |k: &str, d: f64| std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let update = GridUpdate::new().shared(true).margin(0.02);
    let start = Kan::new(&Graph::new(), "kan", [2, 5, 1])
        .grid(5)
        .outside(Outside::Linear)
        .layer_range(1, -2, 2)
        .seed(seed)
        .network()?;
    let sparse = Fit::new()
        .steps(env("SPARSE_STEPS", 200.0) as usize)
        .sparsity(Sparsity::weight(env("LAMBDA", 1e-2)))
        .update_grids(update.clone(), 10, 100)
        .run(&start, device, &train.x, &train.y)?
        .network;
    let scores = sparse.attribute(device, &train.x)?;
    println!("  sparse: train {:.2e}; edges {:.3?}", sparse.rmse(device, &train.x, &train.y)?, scores.edges);
    let pruned = sparse.prune(&scores, env("EDGE", 3e-2), env("NODE", 1e-2))?.compact();
    println!("  pruned: {pruned} train {:.2e}", pruned.rmse(device, &train.x, &train.y)?);
    let mut network = Fit::new()
        .steps(300)
        .update_grids(update.clone(), 5, 100)
        .run(&pruned, device, &train.x, &train.y)?
        .network;
    for grid in [10, 20] {
        network = Fit::new()
            .steps(300)
            .update_grids(update.clone(), 3, 100)
            .run(&network.refine(grid)?, device, &train.x, &train.y)?
            .network;
        println!(
            "  grid {grid}: train {:.2e} {:?}",
            network.rmse(device, &train.x, &train.y)?,
            network.layers()[1].range(0)
        );
    }
    let (fixed, edges) =
        network.auto_symbolic(device, &train.x, &Library::standard(), &AutoSymbolic::default())?;
    for e in &edges {
        println!("  {e}");
    }
    let network = Fit::new().steps(500).run(&fixed, device, &train.x, &train.y)?.network;
    println!(
        "  refit: train {:.2e}, test {:.2e}",
        network.rmse(device, &train.x, &train.y)?,
        network.rmse(device, &test.x, &test.y)?
    );
    let formula = if network.learned_edges() == 0 { network.formulas()?.into_iter().next() } else { None };
    Ok(Found { before: sparse, pruned, edges, network, formula })
}
