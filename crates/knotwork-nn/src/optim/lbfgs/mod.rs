//! L-BFGS with a line search for the strong Wolfe conditions.

mod history;
mod programs;
mod wolfe;

use std::borrow::Borrow;

use knotwork_core::{Device, HostTensor, Program, Site, Tensor, device::Params};

use self::{
    history::History,
    programs::Programs,
    wolfe::{Point, Wolfe},
};
use crate::{Error, Result, TrainError};

/// L-BFGS (Liu and Nocedal 1989): steps along an estimate of the inverse Hessian from the last steps and changes of the
/// gradient, as far as a line search finds good. For losses over all data at once, where few parameters must become
/// exact; with batches that change, take Adam.
///
/// Near a minimum the rounding of f32 hides what a step gains. Where a line search sees nothing lower though the loss has a
/// slope, the search goes on by slopes (Hager and Zhang 2005, the approximate Wolfe conditions), and lets the loss be higher by
/// 1e-4 of itself, then 1e-3 and 1e-2: what rounding may have added. The loss is not monotone from there on.
///
/// The parameters, the directions and the history stay on the device; the host sees their products only and decides from
/// them. On the CPU they are kept in f64, and parameters are rounded from there.
///
/// ```
/// use knotwork_core::{Device, Graph, HostTensor};
/// use knotwork_nn::optim::Lbfgs;
/// let g = Graph::new();
/// let w = g.parameter("w", HostTensor::new(&[-1.2f32, 1.0], [2])?)?;
/// // Rosenbrock's valley
/// let (a, b) = (w.slice(0, 0, 1)?, w.slice(0, 1, 2)?);
/// let loss = b.sub(&a.square()?)?.square()?.mul(100.0)?.add(&a.mul(-1.0)?.add(1.0)?.square()?)?.sum(&[0], false)?;
/// let mut fit = Lbfgs::new().compile(&Device::cpu(), &loss)?;
/// let none: [(&str, HostTensor); 0] = [];
/// for _ in 0..40 {
///     if fit.step(&none)?.converged {
///         break;
///     }
/// }
/// let found = fit.params().get("w")?;
/// assert!(found.to_f64().iter().all(|w| (w - 1.0).abs() < 1e-3), "{found:?}");
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgs {
    history: usize,
    rate: f64,
    wolfe: Wolfe,
    tolerance: f64,
    name: String,
    parameters: Option<Vec<Tensor>>,
}

/// The most pairs that are remembered.
const MOST: usize = 256;
/// The parts of a loss that rounding may be taken to hide, from and to.
const NOISE: (f64, f64) = (1e-4, 1e-2);
/// Steps without a lower loss after which there is none to be found.
const STALE: usize = 30;

impl Default for Lbfgs {
    fn default() -> Self {
        Self::new()
    }
}

impl Lbfgs {
    /// With 10 pairs remembered, a first step of length 1 along each direction, at most 25 points a line search, and the
    /// strong Wolfe conditions with c₁ = 1e-4 and c₂ = 0.9.
    #[must_use]
    pub fn new() -> Self {
        Self {
            history: 10,
            rate: 1.0,
            wolfe: Wolfe { c1: 1e-4, c2: 0.9, evaluations: 25, noise: 0.0 },
            tolerance: 0.0,
            name: "lbfgs".into(),
            parameters: None,
        }
    }

    /// Remembers so many steps, from 1 to 256.
    #[must_use]
    pub fn history(mut self, pairs: usize) -> Self {
        self.history = pairs;
        self
    }

    /// The length that a line search tries first, above 0.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// Points that a line search may look at, at least 1.
    #[must_use]
    pub fn evaluations(mut self, most: usize) -> Self {
        self.wolfe.evaluations = most;
        self
    }

    /// The strong Wolfe conditions' constants, 0 < c₁ < c₂ < 1.
    #[must_use]
    pub fn wolfe(mut self, c1: f64, c2: f64) -> Self {
        (self.wolfe.c1, self.wolfe.c2) = (c1, c2);
        self
    }

    /// The gradient's length from which on a step says that it has converged; 0 unless set.
    #[must_use]
    pub fn tolerance(mut self, gradient: f64) -> Self {
        self.tolerance = gradient;
        self
    }

    /// Another prefix for its states; a second one in a graph needs it.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Steps only these parameters.
    #[must_use]
    pub fn parameters(mut self, parameters: &[&Tensor]) -> Self {
        self.parameters = Some(parameters.iter().map(|&t| t.clone()).collect());
        self
    }

    /// Makes the programs that minimise a loss: one number that depends on the parameters and on the graph's inputs.
    ///
    /// # Errors
    /// Where a setting is out of its limits, the loss is no single number or depends on no parameter, there is an
    /// optimizer of this name (also one whose programs the device refused), or the device refuses.
    #[track_caller]
    pub fn compile(&self, device: &Device, loss: &Tensor) -> Result<LbfgsFit> {
        let site = Site::here();
        self.begin(loss, site, |programs| programs.compile(device))
    }

    /// The same over the parameters of a program that is there: what it has learned so far is where this begins, and what
    /// this learns is the program's.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    #[track_caller]
    pub fn beside(&self, program: &Program, loss: &Tensor) -> Result<LbfgsFit> {
        let site = Site::here();
        self.begin(loss, site, |programs| programs.beside(program))
    }

    fn begin(
        &self,
        loss: &Tensor,
        site: Site,
        compile: impl FnOnce(programs::Nodes) -> Result<Programs>,
    ) -> Result<LbfgsFit> {
        let refuse = |what: String| Err(Error::Setting { what: format!("{}: {what}", self.name), site });
        let Wolfe { c1, c2, evaluations, .. } = self.wolfe;
        if !(1..=MOST).contains(&self.history) {
            return refuse(format!("history is {}; it must be from 1 to {MOST}", self.history));
        }
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return refuse(format!("rate is {}; it must be above 0 and finite", self.rate));
        }
        if !(0.0 < c1 && c1 < c2 && c2 < 1.0) {
            return refuse(format!("c1 is {c1} and c2 is {c2}; they must be 0 < c1 < c2 < 1"));
        }
        if evaluations == 0 {
            return refuse("evaluations is 0; a line search must look at 1 point at least".into());
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return refuse(format!("tolerance is {}; it must be finite and not negative", self.tolerance));
        }
        let nodes = programs::nodes(&self.name, self.history, self.parameters.as_deref(), loss, site)?;
        Ok(LbfgsFit {
            settings: self.clone(),
            programs: compile(nodes)?,
            history: History::new(self.history),
            at: None,
            noise: 0.0,
            lowest: f64::INFINITY,
            stale: 0,
            steps: 0,
            evaluations: 0,
        })
    }
}

/// What a step of [`LbfgsFit`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LbfgsStep {
    /// The loss before it.
    pub before: f64,
    /// The loss after it.
    pub loss: f64,
    /// The length of the gradient after it.
    pub gradient: f64,
    /// How often loss and gradient were computed.
    pub evaluations: usize,
    /// Whether the gradient is shorter than the tolerance, a line search along the gradient itself saw nothing lower within
    /// its evaluations, so that another step would not either, or 30 steps found no lower loss.
    pub converged: bool,
}

/// A minimisation by [`Lbfgs`] over the parameters on a device.
#[derive(Debug)]
pub struct LbfgsFit {
    settings: Lbfgs,
    programs: Programs,
    history: History,
    /// The loss where it stands, once that is known.
    at: Option<f64>,
    /// The part of the loss that rounding was seen to hide.
    noise: f64,
    /// The lowest loss, and the steps since.
    lowest: f64,
    stale: usize,
    steps: u64,
    evaluations: u64,
}

impl LbfgsFit {
    /// One step: a direction and a line search along it, over the values of the graph's inputs. Where the loss cannot be made
    /// lower, the parameters stay as they were and the step says `converged`.
    ///
    /// # Errors
    /// Where the loss or its gradient is not finite where the step begins, an input is missing or does not fit, or the device
    /// fails. The parameters are as they were before the step then, unless the device is lost.
    pub fn step<V: Borrow<HostTensor>>(&mut self, feeds: &[(&str, V)]) -> Result<LbfgsStep> {
        let before = self.evaluations;
        let start = match self.at {
            Some(loss) => loss,
            None => self.begin(feeds)?,
        };
        let mut found = self.descend_or_restart(start, feeds)?;
        while found.is_none() && self.noise < NOISE.1 {
            self.noise = (10.0 * self.noise).max(NOISE.0);
            found = self.descend_or_restart(start, feeds)?;
        }
        let loss = found.unwrap_or(start);
        self.at = Some(loss);
        self.steps += u64::from(found.is_some());
        self.stale = if loss < self.lowest { 0 } else { self.stale + 1 };
        self.lowest = self.lowest.min(loss);
        let gradient = self.history.square.sqrt();
        Ok(LbfgsStep {
            before: start,
            loss,
            gradient,
            evaluations: (self.evaluations - before) as usize,
            converged: found.is_none() || self.stale >= STALE || gradient <= self.settings.tolerance,
        })
    }

    /// Forgets what it knows of the loss: after other data, or parameters that something else has set.
    pub fn restart(&mut self) {
        self.history.forget();
        self.at = None;
        (self.noise, self.lowest, self.stale) = (0.0, f64::INFINITY, 0);
    }

    /// The parameters and states.
    #[must_use]
    pub fn params(&self) -> &Params {
        self.programs.params()
    }

    /// The program that computes the loss: programs over the same parameters are its
    /// [siblings](knotwork_core::Program::sibling).
    #[must_use]
    pub fn program(&self) -> &Program {
        self.programs.loss()
    }

    /// Steps that were taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How often loss and gradient were computed.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// Takes the parameters as they are, and the loss and gradient there.
    fn begin<V: Borrow<HostTensor>>(&mut self, feeds: &[(&str, V)]) -> Result<f64> {
        self.history.forget();
        self.programs.begin()?;
        let (loss, _) = self.evaluate(feeds)?;
        if !loss.is_finite() {
            return Err(TrainError::NoStart { step: self.steps, loss }.into());
        }
        self.learn(0.0)?;
        self.at = Some(loss);
        Ok(loss)
    }

    fn evaluate<V: Borrow<HostTensor>>(&mut self, feeds: &[(&str, V)]) -> Result<(f64, f64)> {
        self.evaluations += 1;
        self.programs.evaluate(feeds)
    }

    /// A line search along the direction that the history gives or, where that led astray, along the gradient itself.
    fn descend_or_restart<V: Borrow<HostTensor>>(
        &mut self,
        start: f64,
        feeds: &[(&str, V)],
    ) -> Result<Option<f64>> {
        let found = self.descend(start, feeds)?;
        if found.is_some() || self.history.is_empty() {
            return Ok(found);
        }
        self.history.forget();
        self.descend(start, feeds)
    }

    /// A line search along the direction that the history gives; the loss where it led, none where nowhere lower.
    fn descend<V: Borrow<HostTensor>>(&mut self, start: f64, feeds: &[(&str, V)]) -> Result<Option<f64>> {
        let first = self.history.is_empty();
        let (slope, sum) = self.programs.direct(&self.history.direction())?;
        if first && !slope.is_finite() {
            return Err(TrainError::NonFiniteGradient { step: self.steps, loss: start }.into());
        }
        if !(slope < 0.0 && slope.is_finite()) {
            return Ok(None);
        }
        // A gradient says nothing of lengths.
        let length = if first { (1.0 / sum).min(1.0) * self.settings.rate } else { self.settings.rate };
        let found = self.search(Point { t: 0.0, value: start, slope }, length, feeds);
        if found.is_err() {
            // Where it stood before; if that fails too, the first error says more.
            let _ = self.programs.walk(0.0);
            self.restart();
        }
        found
    }

    /// Walks to the point that the line search finds and takes it in.
    fn search<V: Borrow<HostTensor>>(
        &mut self,
        start: Point,
        length: f64,
        feeds: &[(&str, V)],
    ) -> Result<Option<f64>> {
        let (wolfe, mut last) = (Wolfe { noise: self.noise, ..self.settings.wolfe }, 0.0);
        let found = wolfe.search(start, length, |t| -> Result<Point> {
            last = t;
            self.programs.walk(t)?;
            let (value, slope) = self.evaluate(feeds)?;
            Ok(Point { t, value, slope })
        })?;
        if found.t != last {
            self.programs.walk(found.t)?;
        }
        if found.t == 0.0 {
            return Ok(None);
        }
        if found.t != last {
            self.evaluate(feeds)?;
        }
        self.learn(found.t)?;
        Ok(Some(found.value))
    }

    /// Takes the step of length t to what is there: with 0 only the gradient.
    fn learn(&mut self, t: f64) -> Result<()> {
        let slot = self.history.next();
        let found = self.programs.accept(t, slot)?;
        self.history.learn(slot, &found.step, &found.change, &found.gradient, found.square);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
