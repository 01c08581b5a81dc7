//! The loop itself.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use knotwork_core::Program;

use super::{TrainError, losses::Losses};
use crate::{
    Checkpoint, CheckpointError, Dataset, Error, Generator, Metadata, Result, Schedule, data::Order,
};

/// What is known at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochReport {
    /// The epoch that has ended, counted from 0.
    pub epoch: u64,
    /// Steps made so far.
    pub step: u64,
    /// The mean of the epoch's losses that were read.
    pub loss: f32,
    /// The learning rate of its last step, where a schedule sets it.
    pub rate: Option<f64>,
}

/// Runs a training program over a data set: the program's first output is the loss, its updates step the parameters.
///
/// A run is a function of the graph's initial values, the data, the seed and the settings. Resumed from a checkpoint it
/// gives the same bits as without the interruption.
///
/// ```
/// use knotwork_core::{DType, Device, Dim, Graph, HostTensor};
/// use knotwork_nn::{Dataset, Labels, Schedule, Sgd, Trainer};
/// let g = Graph::new();
/// let batch = Dim::named("batch");
/// let x = g.input("x", DType::F32, [batch.clone(), 1.into()])?;
/// let y = g.input("y", DType::F32, [batch, 1.into()])?;
/// let w = g.parameter("w", HostTensor::new(&[0.0f32], [1])?)?;
/// let loss = x.mul(&w)?.sub(&y)?.square()?.mean(&[0, 1], false)?;
/// let step = Sgd::new(0.1).minimize(&loss)?;
/// let program = Device::cpu().compile(&g, &[&loss], &[&step])?;
/// // y = 2 x
/// let xs: Vec<f32> = (0..32).map(|i| i as f32 / 16.0 - 1.0).collect();
/// let ys = xs.iter().map(|x| 2.0 * x).collect();
/// let data = Dataset::new(xs, 1, Labels::Values { values: ys, width: 1 })?;
/// let mut trainer =
///     Trainer::new(program, "x", "y").epochs(30).batch(8).schedule("sgd.lr", Schedule::cosine(0.3, 120)).progress(false);
/// trainer.fit(&data)?;
/// assert!((trainer.program().params().get("w")?.item::<f32>()? - 2.0).abs() < 1e-3);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    program: Program,
    inputs: [String; 2],
    epochs: u64,
    batch: usize,
    read_every: u64,
    schedule: Option<(String, Schedule)>,
    progress: bool,
    checkpoint: Option<(PathBuf, u64)>,
    config: serde_json::Value,
    generator: Option<Generator>,
    order: Order,
    step: u64,
    losses: Losses,
}

impl Trainer {
    /// A trainer of one epoch in batches of 32, whose program reads features and labels from inputs of these names.
    #[must_use]
    pub fn new(program: Program, features: &str, labels: &str) -> Self {
        Self {
            program,
            inputs: [features.into(), labels.into()],
            epochs: 1,
            batch: 32,
            read_every: 1,
            schedule: None,
            progress: true,
            checkpoint: None,
            config: serde_json::Value::Null,
            generator: None,
            order: Order::new(0),
            step: 0,
            losses: Losses::default(),
        }
    }

    /// How many epochs there are in all, those before a resumed checkpoint included.
    #[must_use]
    pub fn epochs(mut self, epochs: u64) -> Self {
        self.epochs = epochs;
        self
    }

    /// Rows of a batch; the last one of an epoch may be smaller.
    #[must_use]
    pub fn batch(mut self, rows: usize) -> Self {
        self.batch = rows;
        self
    }

    /// The seed of the shuffling; epoch e has the order of (seed, e).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.order = Order::at(seed, self.order.epoch(), self.order.position());
        self
    }

    /// Sets a scalar of the graph (`adamw.lr`) before each step.
    #[must_use]
    pub fn schedule(mut self, scalar: &str, schedule: Schedule) -> Self {
        self.schedule = Some((scalar.into(), schedule));
        self
    }

    /// Reads the loss of every n-th step, and of the last one of each epoch.
    #[must_use]
    pub fn read_every(mut self, steps: u64) -> Self {
        self.read_every = steps;
        self
    }

    /// Whether a progress bar is drawn; never where standard error is no terminal.
    #[must_use]
    pub fn progress(mut self, draw: bool) -> Self {
        self.progress = draw;
        self
    }

    /// Saves a checkpoint there after every n-th epoch and after the last.
    #[must_use]
    pub fn checkpoint(mut self, path: impl AsRef<Path>, every: u64) -> Self {
        self.checkpoint = Some((path.as_ref().into(), every));
        self
    }

    /// What the network was built from; checkpoints hold it, and one of another configuration is refused.
    #[must_use]
    pub fn config(mut self, config: serde_json::Value) -> Self {
        self.config = config;
        self
    }

    /// A generator of random values whose state checkpoints hold.
    #[must_use]
    pub fn generator(mut self, generator: Generator) -> Self {
        self.generator = Some(generator);
        self
    }

    /// The training program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Steps made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Epochs made.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.order.epoch()
    }

    /// The losses that were read: (step counted from 0, loss).
    #[must_use]
    pub fn losses(&self) -> &[(u64, f32)] {
        &self.losses.read
    }

    /// Goes on where a checkpoint was saved: parameters, optimizer states, scalars, place in the data, shuffle seed,
    /// schedule, losses. The number of epochs and the batch size stay this trainer's.
    ///
    /// # Errors
    /// Where the checkpoint is damaged, of another network or configuration, or holds no place. Nothing has changed then.
    pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let saved = Checkpoint::load(path)?;
        let metadata = saved.metadata();
        let Some(order) = metadata.order.clone() else {
            return Err(TrainError::NoPlace { path: path.into() }.into());
        };
        if self.config != metadata.config && !self.config.is_null() {
            let (expected, found) = (self.config.clone(), metadata.config.clone());
            return Err(TrainError::OtherConfig { path: path.into(), expected, found }.into());
        }
        saved.restore(self.program.params())?;
        for (name, value) in &metadata.scalars {
            self.program.set_scalar(name, *value)?;
        }
        self.order = order;
        self.step = metadata.step;
        self.losses = Losses::default();
        self.losses.read.clone_from(&metadata.losses);
        self.config = metadata.config.clone();
        self.generator = metadata.generator.or(self.generator);
        if metadata.schedule.is_some() {
            self.schedule.clone_from(&metadata.schedule);
        }
        Ok(())
    }

    /// Saves a checkpoint of this moment.
    ///
    /// # Errors
    /// As [`Checkpoint::save`]; a checkpoint that was there before is unchanged then.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let metadata = Metadata {
            step: self.step,
            epoch: self.order.epoch(),
            order: Some(self.order.clone()),
            generator: self.generator,
            schedule: self.schedule.clone(),
            config: self.config.clone(),
            losses: self.losses.read.clone(),
            ..Metadata::default()
        };
        Checkpoint::save(path, self.program.params(), metadata)
    }

    /// Trains to the last epoch.
    ///
    /// # Errors
    /// Where a setting has no sense, a run fails, a loss or (when a checkpoint is due) a weight is not finite, or a
    /// checkpoint cannot be saved.
    pub fn fit(&mut self, data: &Dataset) -> Result<()> {
        self.fit_with(data, |_| Ok(ControlFlow::Continue(())))
    }

    /// Like [`fit`](Self::fit); `each` sees every epoch's report, and may evaluate with a sibling program or stop early.
    ///
    /// # Errors
    /// As `fit`, and what `each` gives.
    pub fn fit_with(
        &mut self,
        data: &Dataset,
        mut each: impl FnMut(&EpochReport) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.check(data)?;
        let left = self.steps_left(data.len());
        let bar = if self.progress { ProgressBar::new(left) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:24} {pos}/{len} {per_sec} {eta}") {
            bar.set_style(style);
        }
        let outcome = self.epochs_with(data, &bar, &mut each);
        if outcome.is_err() {
            self.losses.abandon();
            bar.abandon();
        } else {
            bar.finish();
        }
        outcome
    }

    /// Makes so many steps, across the ends of epochs but not beyond the last; no checkpoint is saved on the way.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_steps(&mut self, data: &Dataset, steps: u64) -> Result<()> {
        self.check(data)?;
        for _ in 0..steps {
            if self.order.epoch() < self.epochs {
                self.one_step(data)?;
            }
        }
        self.losses.drain()
    }

    fn check(&self, data: &Dataset) -> Result<()> {
        for (what, value) in [
            ("epochs", self.epochs),
            ("batch", self.batch as u64),
            ("read_every", self.read_every),
            ("the epochs between checkpoints", self.checkpoint.as_ref().map_or(1, |c| c.1)),
        ] {
            if value == 0 {
                return Err(Error::setting(format!("trainer: {what} must be at least 1")));
            }
        }
        if let Some((scalar, schedule)) = &self.schedule {
            schedule.check()?;
            self.program.set_scalar(scalar, schedule.at(self.step))?;
        }
        if data.is_empty() { Err(TrainError::NoData.into()) } else { Ok(()) }
    }

    fn steps_left(&self, rows: usize) -> u64 {
        let per_epoch = rows.div_ceil(self.batch) as u64;
        let done = self.order.epoch() * per_epoch + (self.order.position() / self.batch) as u64;
        (self.epochs * per_epoch).saturating_sub(done)
    }

    fn epochs_with(
        &mut self,
        data: &Dataset,
        bar: &ProgressBar,
        each: &mut dyn FnMut(&EpochReport) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        while self.order.epoch() < self.epochs {
            let epoch = self.order.epoch();
            let before = self.losses.read.len();
            let mut rate = None;
            while self.order.epoch() == epoch {
                rate = self.one_step(data)?;
                bar.inc(1);
                if let Some((_, loss)) = self.losses.read.last() {
                    let rate = rate.map_or_else(String::new, |r| format!(" lr {r:.2e}"));
                    bar.set_message(format!("epoch {}/{} loss {loss:.4}{rate}", epoch + 1, self.epochs));
                }
            }
            self.losses.drain()?;
            let read = &self.losses.read[before.min(self.losses.read.len())..];
            let loss = read.iter().map(|(_, l)| f64::from(*l)).sum::<f64>() / read.len().max(1) as f64;
            let report = EpochReport { epoch, step: self.step, loss: loss as f32, rate };
            let flow = each(&report)?;
            let last = flow.is_break() || self.order.epoch() == self.epochs;
            if let Some((path, every)) = &self.checkpoint
                && (last || self.order.epoch().is_multiple_of(*every))
            {
                self.save(path).map_err(|e| self.explain(epoch, e))?;
            }
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Weights that are not finite say when that was.
    fn explain(&self, epoch: u64, error: Error) -> Error {
        match error {
            Error::Checkpoint(source @ CheckpointError::NotFinite { .. }) => {
                TrainError::NonFiniteWeights { epoch, step: self.step, source: Box::new(source) }.into()
            }
            other => other,
        }
    }

    /// One step; gives the learning rate that the schedule set.
    fn one_step(&mut self, data: &Dataset) -> Result<Option<f64>> {
        let rate = match &self.schedule {
            Some((scalar, schedule)) => {
                let rate = schedule.at(self.step);
                self.program.set_scalar(scalar, rate)?;
                Some(rate)
            }
            None => None,
        };
        let (epoch, step) = (self.order.epoch(), self.step);
        // The place moves only once the step is under way, so that an error leaves it where the parameters are.
        let mut order = self.order.clone();
        let batch = data.batch(&order.take(data.len(), self.batch))?;
        let [x, y] = &self.inputs;
        let run = self.program.run([(x.as_str(), &batch.x), (y.as_str(), &batch.y)])?;
        let ends = order.epoch() > epoch;
        self.order = order;
        self.step += 1;
        if step.is_multiple_of(self.read_every) || ends {
            self.losses.push(epoch, step, run)?;
        }
        Ok(rate)
    }
}
