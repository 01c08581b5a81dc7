//! From samples to a small network or a formula: sparse training, pruning, finer grids, functions for edges.

use knotwork_core::{Device, HostTensor};

use super::{AutoSymbolic, Fit, FitStep, FixedEdge, GridUpdate, Network, Sparsity};
use crate::{Result, symbolic::Library};

/// Samples to train on, and others to judge by.
#[derive(Clone, Copy, Debug)]
pub struct Split<'a> {
    /// x [rows, inputs] and y [rows, outputs] to train on.
    pub train: [&'a HostTensor; 2],
    /// x and y to judge by.
    pub test: [&'a HostTensor; 2],
}

/// What people do with a KAN (Liu et al. 2024, section 4), one stage after another: fit it with penalties, take weak edges and
/// nodes away, fit the rest, on ever finer grids, and find functions for its edges. Every stage's network is kept.
///
/// ```
/// use knotwork_core::{Device, Graph, HostTensor};
/// use knotwork_nn::{Generator, Kan, kan::{Split, Workflow}};
/// let samples = |seed| -> Result<[HostTensor; 2], knotwork_nn::Error> {
///     let x = Generator::new(seed).uniform(&[200, 2], -1.0, 1.0)?;
///     let y: Vec<f32> = x.to_f64().chunks(2).map(|p| ((2.0 * p[0]).sin() + p[1] * p[1]) as f32).collect();
///     Ok([x, HostTensor::new(&y, [200, 1])?])
/// };
/// let ([x, y], [test_x, test_y]) = (samples(1)?, samples(2)?);
/// let split = Split { train: [&x, &y], test: [&test_x, &test_y] };
/// let start = Kan::new(&Graph::new(), "kan", [2, 1]).network()?;
/// let found = Workflow::new().steps(40).refine([10]).symbolic(true).run(&start, &Device::cpu(), split, |stage| {
///     println!("{}: test {:.1e}", stage.name, stage.test);
/// })?;
/// let formula = found.best().network.formulas()?.remove(0);
/// assert_eq!(formula.rounded(3).to_string(), "sin(2*x1) + x2^2");
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Workflow {
    steps: usize,
    sparsity: Sparsity,
    prune: Option<(f64, f64)>,
    grids: Vec<usize>,
    update: GridUpdate,
    symbolic: bool,
    library: Library,
    auto: AutoSymbolic,
}

/// One stage of a [`Workflow`].
#[derive(Clone, Debug)]
pub struct Stage {
    /// What was done: `grid 5`, `pruned`, `grid 10`, `formulas` …
    pub name: String,
    /// The network after it.
    pub network: Network,
    /// The error over the samples to train on: the root of the mean square.
    pub train: f64,
    /// The error over the samples to judge by.
    pub test: f64,
    /// The steps of its fit; none where it was only pruned.
    pub steps: Vec<FitStep>,
    /// What became of the edges, where it looked for formulas.
    pub edges: Vec<FixedEdge>,
}

/// What a [`Workflow`] made.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// All stages in order.
    pub stages: Vec<Stage>,
    best: usize,
}

impl Outcome {
    /// The stage to go on with: the one with the least error over the samples to judge by, from pruning on; the formulas
    /// where every edge has one and their error is at most twice that.
    #[must_use]
    pub fn best(&self) -> &Stage {
        &self.stages[self.best]
    }
}

impl Default for Workflow {
    fn default() -> Self {
        Self::new()
    }
}

/// Grid updates of the first fit and of later ones, and the steps until the last.
const UPDATES: [(usize, usize); 2] = [(10, 100), (3, 100)];
/// How much worse than splines formulas may be.
const WORSE: f64 = 2.0;

impl Workflow {
    /// 200 steps a stage on the network's own grid, nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self {
            steps: 200,
            sparsity: Sparsity::default(),
            prune: None,
            grids: Vec::new(),
            update: GridUpdate::new().shared(true).margin(0.02),
            symbolic: false,
            library: Library::standard(),
            auto: AutoSymbolic::default(),
        }
    }

    /// L-BFGS steps of a stage.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Penalties of the first fit, and the scores below which edges and nodes are taken away afterwards (pykan's are 3e-2 and
    /// 1e-2).
    #[must_use]
    pub fn prune(mut self, sparsity: Sparsity, edge: f64, node: f64) -> Self {
        (self.sparsity, self.prune) = (sparsity, Some((edge, node)));
        self
    }

    /// Ever finer grids.
    #[must_use]
    pub fn refine(mut self, grids: impl Into<Vec<usize>>) -> Self {
        self.grids = grids.into();
        self
    }

    /// How grids follow the samples: one even grid a layer, 2 % wider than what it is given, unless set.
    #[must_use]
    pub fn update(mut self, update: GridUpdate) -> Self {
        self.update = update;
        self
    }

    /// Whether edges become formulas at last.
    #[must_use]
    pub fn symbolic(mut self, symbolic: bool) -> Self {
        self.symbolic = symbolic;
        self
    }

    /// The functions that edges may become, and how they are chosen.
    #[must_use]
    pub fn library(mut self, library: Library, auto: AutoSymbolic) -> Self {
        (self.library, self.auto) = (library, auto);
        self
    }

    /// Runs all stages; `seen` is shown each when it is done.
    ///
    /// # Errors
    /// Where samples are not finite floats of the network's inputs and outputs, a setting is out of its limits, or the loss
    /// is not finite.
    #[track_caller]
    pub fn run(
        &self,
        start: &Network,
        device: &Device,
        split: Split<'_>,
        mut seen: impl FnMut(&Stage),
    ) -> Result<Outcome> {
        let [x, y] = split.train;
        let fit = Fit::new().steps(self.steps);
        let updating =
            |(times, until): (usize, usize)| fit.clone().update_grids(self.update.clone(), times, until);
        let mut stages: Vec<Stage> = Vec::new();
        let mut done =
            |stages: &mut Vec<Stage>, name: String, network: Network, steps, edges| -> Result<()> {
                let train = network.rmse(device, x, y)?;
                let test = network.rmse(device, split.test[0], split.test[1])?;
                stages.push(Stage { name, network, train, test, steps, edges });
                stages.last().into_iter().for_each(&mut seen);
                Ok(())
            };
        let grid = |network: &Network| {
            let spline = network.layers.iter().flat_map(|l| l.functions()).find_map(|f| f.spline());
            spline.map_or_else(|| "fitted".to_owned(), |s| format!("grid {}", s.0))
        };

        let fitted = updating(UPDATES[0]).sparsity(self.sparsity).run(start, device, x, y)?;
        let mut network = fitted.network;
        let sparse = if self.sparsity.is_none() { "" } else { ", sparse" };
        done(&mut stages, format!("{}{sparse}", grid(&network)), network.clone(), fitted.steps, Vec::new())?;
        let mut first = 0;
        if let Some((edge, node)) = self.prune {
            network = network.prune(&network.attribute(device, x)?, edge, node)?.compact();
            done(&mut stages, "pruned".into(), network.clone(), Vec::new(), Vec::new())?;
            let fitted = updating(UPDATES[1]).run(&network, device, x, y)?;
            network = fitted.network;
            done(&mut stages, grid(&network), network.clone(), fitted.steps, Vec::new())?;
            first = 1;
        }
        for cells in &self.grids {
            let fitted = updating(UPDATES[1]).run(&network.refine(*cells)?, device, x, y)?;
            network = fitted.network;
            done(&mut stages, format!("grid {cells}"), network.clone(), fitted.steps, Vec::new())?;
        }
        let least = |stages: &[Stage]| {
            let from = stages.iter().enumerate().skip(first);
            from.min_by(|a, b| a.1.test.total_cmp(&b.1.test)).map_or(0, |(k, _)| k)
        };
        let mut best = least(&stages);
        if self.symbolic {
            let (fixed, edges) = stages[best].network.auto_symbolic(device, x, &self.library, &self.auto)?;
            let fitted = fit.run(&fixed, device, x, y)?;
            let whole = fitted.network.learned_edges() == 0;
            done(&mut stages, "formulas".into(), fitted.network, fitted.steps, edges)?;
            let last = stages.len() - 1;
            if whole && stages[last].test <= WORSE * stages[best].test {
                best = last;
            }
        }
        Ok(Outcome { stages, best })
    }
}
