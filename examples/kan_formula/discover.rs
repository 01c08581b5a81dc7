//! From a wide network to a formula: penalties, pruning, finer grids, functions for edges, and a last fit.

use anyhow::Result;
use knotwork::{
    nn::{
        Kan,
        kan::{Outcome, Sparsity, Split, Stage, Workflow},
        symbolic::Expression,
    },
    ops::Outside,
    prelude::*,
};

use super::Samples;

/// Networks that are tried until one becomes a formula.
const TRIES: u64 = 6;
/// The error below which a formula counts as found.
const EXACT: f64 = 1e-4;
/// The weight of the penalties, beside a loss that begins near 1.
const LAMBDA: f64 = 1e-2;
/// Scores below which edges and nodes go: pykan's.
const WEAK: (f64, f64) = (3e-2, 1e-2);

/// A formula, and how it was found.
pub struct Found {
    pub formula: Expression,
    pub outcome: Outcome,
    pub tries: u64,
}

/// Starts from [2, 5, 1] networks until one is pruned to so few edges that each is a function of the library and the formula is
/// right; `seen` is shown each stage of each try.
pub fn discover(
    device: &Device,
    seed: u64,
    [train, test]: [&Samples; 2],
    mut seen: impl FnMut(u64, &Stage),
) -> Result<Option<Found>> {
    let work = Workflow::new()
        .prune(Sparsity::weight(LAMBDA), WEAK.0, WEAK.1)
        .refine([10, 20])
        .steps(300)
        .symbolic(true);
    let split = Split { train: [&train.x, &train.y], test: [&test.x, &test.y] };
    for tries in 0..TRIES {
        let start = Kan::new(&Graph::new(), "kan", [2, 5, 1])
            .grid(5)
            .outside(Outside::Linear)
            .layer_range(1, -2, 2)
            .seed(TRIES * seed + tries)
            .network()?
            .named(&["x", "y"], &["f"])?;
        let outcome = work.run(&start, device, split, |stage| seen(tries, stage))?;
        let best = outcome.best();
        if best.network.learned_edges() == 0 && best.test < EXACT {
            let formula = best.network.formulas()?.remove(0);
            return Ok(Some(Found { formula, outcome, tries: tries + 1 }));
        }
    }
    Ok(None)
}
