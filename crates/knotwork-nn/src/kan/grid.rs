//! Grids that go where the samples are.

use knotwork_core::{
    Device, HostTensor,
    ops::{BSpline, Outside},
};

use super::{Functions, Knots, Network, edge::ends};
use crate::{Error, Result};

/// How [`Network::update_grid_from_samples`] chooses grids.
#[derive(Clone, Debug, PartialEq)]
pub struct GridUpdate {
    grid: Option<usize>,
    uniform: f64,
    margin: f64,
    shared: bool,
    inputs: bool,
}

impl Default for GridUpdate {
    fn default() -> Self {
        Self::new()
    }
}

impl GridUpdate {
    /// A grid for each input, with as many cells as before: 2 % evenly spaced points, 98 % quantiles (pykan's `grid_eps`).
    #[must_use]
    pub fn new() -> Self {
        Self { grid: None, uniform: 0.02, margin: 0.0, shared: false, inputs: true }
    }

    /// So many cells.
    #[must_use]
    pub fn grid(mut self, cells: usize) -> Self {
        self.grid = Some(cells);
        self
    }

    /// From 0 for quantiles alone to 1 for evenly spaced points alone.
    #[must_use]
    pub fn uniform(mut self, part: f64) -> Self {
        self.uniform = part;
        self
    }

    /// Widens every grid at both ends by this part of the samples' range, 0 unless set: room for samples that were not there.
    /// The polynomials at the samples' ends go on into it. A small part of a cell, or whole cells: between, functions that only
    /// just reach the samples are learned slowly.
    #[must_use]
    pub fn margin(mut self, part: f64) -> Self {
        self.margin = part;
        self
    }

    /// Whether the first layer's grids move too, as they do unless told: inputs of a known range need not.
    #[must_use]
    pub fn inputs(mut self, inputs: bool) -> Self {
        self.inputs = inputs;
        self
    }

    /// One evenly spaced grid for all inputs of a layer, from the least to the largest of their samples: uniform grids have
    /// faster kernels.
    #[must_use]
    pub fn shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }
}

impl Network {
    /// The network with grids that follow what its layers are given for samples x [rows, inputs]: quantiles mixed with even
    /// spacing, no cell narrower than a thousandth of an even one ([`Knots::of_samples`]). An input whose samples are all one
    /// number keeps its grid, moved nowhere.
    ///
    /// Edges' functions are kept: each becomes the spline over the new knots that is nearest in the mean square over the new
    /// range, so that samples see a difference no larger than that projection's. Call it a few times early in training,
    /// when hidden layers' ranges still move (pykan: ten times within the first 50 steps), not between the last steps.
    ///
    /// ```
    /// use knotwork_core::{Device, Graph, HostTensor};
    /// use knotwork_nn::{Generator, Kan, kan::GridUpdate};
    /// let network = Kan::new(&Graph::new(), "kan", [2, 3, 1]).grid(8).range(-4, 4).network()?;
    /// let x = Generator::new(1).uniform(&[500, 2], 0.0, 1.0)?;
    /// let fitted = network.update_grid_from_samples(&Device::cpu(), &x, &GridUpdate::new())?;
    /// let (low, high) = fitted.layers()[0].range(0);
    /// assert!(low >= 0.0 && high <= 1.0 && high - low > 0.9);
    /// assert!(fitted.out_of_range(&Device::cpu(), &x)?[0][0] < 0.01);
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is no float [rows, inputs] of finite numbers, or the update's numbers are out of their limits.
    #[track_caller]
    pub fn update_grid_from_samples(
        &self,
        device: &Device,
        x: &HostTensor,
        update: &GridUpdate,
    ) -> Result<Self> {
        if !(0.0..=1.0).contains(&update.margin) {
            return Err(Error::setting(format!(
                "GridUpdate: margin is {}; it must be from 0 to 1",
                update.margin
            )));
        }
        let given = self.activations(device, x)?;
        let mut updated = self.clone();
        let first = usize::from(!update.inputs);
        for (l, (layer, given)) in updated.layers.iter_mut().zip(&given).enumerate().skip(first) {
            let (values, inputs) = (given.to_f64(), layer.inputs);
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                return Err(Error::setting(format!(
                    "Network: input {} of layer {l} is {} for row {} of the samples; a grid needs finite numbers",
                    at % inputs,
                    values[at],
                    at / inputs
                )));
            }
            let columns: Vec<Vec<f64>> =
                (0..inputs).map(|i| values.iter().skip(i).step_by(inputs).copied().collect()).collect();
            // A margin's functions go on as they are where the samples end.
            let known: Vec<(f64, f64)> = if update.margin > 0.0 {
                columns.iter().map(|c| ends(c.iter().copied())).collect()
            } else {
                Vec::new()
            };
            for b in 0..layer.branches.len() {
                let before = &layer.branches[b].functions;
                let Some((cells, order, outside)) = before.spline() else { continue };
                let cells = update.grid.unwrap_or(cells);
                let functions = if update.shared {
                    shared(&values, cells, order, outside, update.margin)?
                } else {
                    let old = |i: usize| before.knots(i);
                    own(&columns, old, cells, order, update)?.map(|k| Functions::OnKnots(k, outside))
                };
                if let Some(functions) = functions {
                    layer.put(l, b, functions, &known)?;
                }
            }
        }
        Ok(updated)
    }
}

/// One even grid over all samples; none where they are one number.
#[track_caller]
fn shared(
    samples: &[f64],
    cells: usize,
    order: usize,
    outside: Outside,
    margin: f64,
) -> Result<Option<Functions>> {
    let (low, high) = ends(samples.iter().copied());
    if low == high {
        return Ok(None);
    }
    let room = margin * (high - low);
    Ok(Some(BSpline::new(cells, order)?.range(low - room, high + room)?.outside(outside).into()))
}

/// Knots for each input; the old ones, with as many cells, where its samples are all one number.
#[track_caller]
fn own(
    columns: &[Vec<f64>],
    old: impl Fn(usize) -> Option<Knots>,
    cells: usize,
    order: usize,
    update: &GridUpdate,
) -> Result<Option<Vec<Knots>>> {
    let mut all = Vec::with_capacity(columns.len());
    for (i, samples) in columns.iter().enumerate() {
        let (low, high) = ends(samples.iter().copied());
        all.push(if low < high {
            Knots::of_samples(samples, cells, order, update.uniform)?.widened(update.margin)?
        } else {
            match old(i) {
                Some(knots) => knots.resampled(cells)?,
                None => return Ok(None),
            }
        });
    }
    Ok(Some(all))
}
