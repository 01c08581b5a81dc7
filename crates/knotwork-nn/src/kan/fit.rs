//! Fitting a network to samples: all of them at once, by L-BFGS.

use std::ops::ControlFlow;

use knotwork_core::{DType, Device, Dim, Graph, HostTensor};

use super::{GridUpdate, Kan, Network, Sparsity};
use crate::{
    Error, Result,
    optim::{Lbfgs, LbfgsFit},
};

/// Fits a network to samples by L-BFGS over all of them at once: pykan's `fit`. The loss is the mean square of the errors, and the
/// penalties beside it.
///
/// ```
/// use knotwork_core::{Device, Graph, HostTensor};
/// use knotwork_nn::{Generator, Kan, kan::Fit};
/// let x = Generator::new(1).uniform(&[200, 1], -1.0, 1.0)?;
/// let y: Vec<f32> = x.to_f64().iter().map(|x| (3.0 * x).sin() as f32).collect();
/// let y = HostTensor::new(&y, [200, 1])?;
/// let network = Kan::new(&Graph::new(), "kan", [1, 1]).grid(10).network()?;
/// let fitted = Fit::new().steps(100).run(&network, &Device::cpu(), &x, &y)?;
/// assert!(fitted.network.rmse(&Device::cpu(), &x, &y)? < 1e-3);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fit {
    steps: usize,
    lbfgs: Lbfgs,
    sparsity: Sparsity,
    updates: Option<(GridUpdate, usize, usize)>,
}

impl Default for Fit {
    fn default() -> Self {
        Self::new()
    }
}

/// One step of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitStep {
    /// Steps made, this one included.
    pub step: usize,
    /// The loss after it, penalties included, in the [units](Network::in_units) of the last layer.
    pub loss: f64,
    /// The length of the gradient after it.
    pub gradient: f64,
}

/// What a fit made.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The network after the last step.
    pub network: Network,
    /// Every step.
    pub steps: Vec<FitStep>,
    /// How often the loss and its gradient were computed.
    pub evaluations: u64,
    /// Whether there was no step left that would have made the loss smaller.
    pub converged: bool,
}

impl Fit {
    /// 100 steps with a history of 20, no penalties, grids as they are.
    #[must_use]
    pub fn new() -> Self {
        Self { steps: 100, lbfgs: Lbfgs::new().history(20), sparsity: Sparsity::default(), updates: None }
    }

    /// The most steps.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Another optimizer: its history, line search and tolerance. Which parameters it steps is left to the network.
    #[must_use]
    pub fn lbfgs(mut self, lbfgs: Lbfgs) -> Self {
        self.lbfgs = lbfgs;
        self
    }

    /// Penalties beside the loss.
    #[must_use]
    pub fn sparsity(mut self, sparsity: Sparsity) -> Self {
        self.sparsity = sparsity;
        self
    }

    /// Moves the grids to the samples before the first step and so many times in all, evenly within the first `until` steps
    /// (pykan: 10 times within 50). The optimizer begins anew after each.
    #[must_use]
    pub fn update_grids(mut self, update: GridUpdate, times: usize, until: usize) -> Self {
        self.updates = Some((update, times, until));
        self
    }

    /// Fits a network to samples x [rows, inputs] and y [rows, outputs].
    ///
    /// # Errors
    /// Where x or y are not finite floats of these shapes, a setting is out of its limits, or the loss is not finite.
    #[track_caller]
    pub fn run(&self, network: &Network, device: &Device, x: &HostTensor, y: &HostTensor) -> Result<Fitted> {
        self.run_with(network, device, x, y, |_| ControlFlow::Continue(()))
    }

    /// [`run`](Self::run), showing every step; a break ends the fit with what there is.
    ///
    /// # Errors
    /// As of `run`.
    #[track_caller]
    pub fn run_with(
        &self,
        network: &Network,
        device: &Device,
        x: &HostTensor,
        y: &HostTensor,
        mut seen: impl FnMut(&FitStep) -> ControlFlow<()>,
    ) -> Result<Fitted> {
        network.check_samples(x)?;
        network.check_targets(x, y)?;
        let mut all =
            Fitted { network: network.clone(), steps: Vec::new(), evaluations: 0, converged: false };
        // Steps and penalties see the layers' own numbers, whatever the outputs' units are.
        let rows = y.to_f64();
        let targets: Vec<f64> =
            rows.chunks(y.shape()[1].max(1)).flat_map(|row| network.targets(row)).collect();
        let (x, y) = (x.cast(DType::F32), HostTensor::new(&targets, y.shape())?.cast(DType::F32));
        let ends = self.segments();
        let mut held = None;
        for (k, end) in ends.iter().enumerate() {
            if let Some((update, ..)) = self.updates.as_ref().filter(|u| k < u.1) {
                all.network = all.network.update_grid_from_samples(device, &x, update)?;
            }
            let stop = self.segment(&mut all, &mut held, device, &x, &y, *end, &mut seen)?;
            if stop.is_break() {
                break;
            }
        }
        Ok(all)
    }

    /// The steps at which stretches on one grid end.
    fn segments(&self) -> Vec<usize> {
        let mut ends = Vec::new();
        if let Some((_, times, until)) = &self.updates {
            let until = (*until).min(self.steps);
            ends.extend((1..*times).map(|k| until * k / times.max(&1)));
        }
        ends.push(self.steps);
        ends
    }

    /// Steps on one grid; with the programs that are held, where they fit the network.
    fn segment(
        &self,
        all: &mut Fitted,
        held: &mut Option<(Kan, LbfgsFit)>,
        device: &Device,
        x: &HostTensor,
        y: &HostTensor,
        end: usize,
        seen: &mut impl FnMut(&FitStep) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        if all.steps.len() >= end {
            return Ok(ControlFlow::Continue(()));
        }
        let taken = match held {
            Some((model, fit)) => model.take(fit.params(), &all.network)?,
            None => false,
        };
        if !taken {
            // What the last held is free before more is taken.
            *held = None;
            *held = self.compile(&all.network, device, x, y)?;
        }
        let Some((model, fit)) = held else { return Ok(ControlFlow::Continue(())) };
        fit.restart();
        let before = fit.evaluations();
        let feeds = [("x", x), ("y", y)];
        let mut flow = ControlFlow::Continue(());
        all.converged = false;
        while all.steps.len() < end && flow.is_continue() && !all.converged {
            let made = fit.step(&feeds)?;
            let step = FitStep { step: all.steps.len() + 1, loss: made.loss, gradient: made.gradient };
            all.steps.push(step);
            all.converged = made.converged;
            flow = seen(&step);
        }
        all.evaluations += fit.evaluations() - before;
        all.network = model.network(fit.params())?;
        Ok(flow)
    }

    /// The network in a graph with its loss, and the programs that make it smaller; none where there is nothing to learn.
    fn compile(
        &self,
        network: &Network,
        device: &Device,
        x: &HostTensor,
        y: &HostTensor,
    ) -> Result<Option<(Kan, LbfgsFit)>> {
        let g = Graph::new();
        let model = network.build(&g, "kan")?;
        if model.parameters().is_empty() {
            return Ok(None);
        }
        let rows = Dim::from(x.shape()[0]);
        let input = g.input("x", DType::F32, [rows.clone(), x.shape()[1].into()])?;
        let target = g.input("y", DType::F32, [rows, y.shape()[1].into()])?;
        let mut loss = model.in_own_units(&input)?.mse_loss(&target)?;
        if !self.sparsity.is_none() {
            loss = loss.add(&model.penalty(&input, &self.sparsity)?)?;
        }
        let fit = self.lbfgs.compile(device, &loss)?;
        Ok(Some((model, fit)))
    }
}

impl Network {
    /// The root of the mean square of the errors over samples x [rows, inputs] and y [rows, outputs], computed on a device.
    ///
    /// # Errors
    /// Where x or y are not finite floats of these shapes.
    #[track_caller]
    pub fn rmse(&self, device: &Device, x: &HostTensor, y: &HostTensor) -> Result<f64> {
        self.check_targets(x, y)?;
        let out = self.predict(device, x)?.to_f64();
        let y = y.to_f64();
        Ok((out.iter().zip(&y).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / y.len() as f64).sqrt())
    }

    /// The outputs for samples x [rows, inputs], computed on a device: [rows, outputs].
    ///
    /// # Errors
    /// Where x is no float [rows, inputs] of finite numbers.
    #[track_caller]
    pub fn predict(&self, device: &Device, x: &HostTensor) -> Result<HostTensor> {
        let mut found = self.on_samples(device, x, |model, x| Ok(vec![model.forward(x)?]))?;
        found.pop().ok_or_else(|| Error::setting("Network: there is no output"))
    }

    #[track_caller]
    fn check_targets(&self, x: &HostTensor, y: &HostTensor) -> Result<()> {
        let rows = x.shape().first().copied().unwrap_or(0);
        let outputs = self.widths().last().copied().unwrap_or(0);
        if y.shape() != [rows, outputs] || !y.dtype().is_float() {
            return Err(Error::setting(format!(
                "Network: the targets are {y}; they must be floats [{rows}, {outputs}]"
            )));
        }
        match y.to_f64().iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(at) => Err(Error::setting(format!(
                "Network: row {} of the targets has no finite number for output {}",
                at / outputs,
                at % outputs
            ))),
        }
    }
}
