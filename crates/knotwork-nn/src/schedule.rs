//! Learning-rate schedules as data: pure functions of the step, which a checkpoint can hold.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The learning rate at each step, counted from 0.
///
/// ```
/// use knotwork_nn::Schedule;
/// let s = Schedule::cosine(1e-2, 100).warmup(10).floor(1e-4);
/// assert_eq!(s.at(0), 1e-3); // the first of ten steps up
/// assert_eq!(s.at(9), 1e-2);
/// assert!((s.at(100) - 1e-4).abs() < 1e-12 && s.at(1_000_000) == s.at(100));
/// let text = serde_json::to_string(&s)?;
/// assert_eq!(serde_json::from_str::<Schedule>(&text)?, s);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The largest rate.
    pub peak: f64,
    /// The smallest rate after the warmup.
    pub floor: f64,
    /// Steps over which the rate rises evenly to its peak.
    pub warmup: u64,
    /// How it falls afterwards.
    pub shape: Decay,
}

/// How a learning rate falls after the warmup.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decay")]
#[non_exhaustive]
pub enum Decay {
    /// It does not.
    Constant,
    /// floor + (peak − floor) (1 + cos(π t)) / 2 with t from 0 to 1 at step `steps` (Loshchilov and Hutter 2017).
    Cosine {
        /// The step at which the floor is reached, warmup included.
        steps: u64,
    },
    /// Evenly down to the floor.
    Linear {
        /// The step at which the floor is reached, warmup included.
        steps: u64,
    },
    /// Times `factor` after every `every` steps.
    Step {
        /// Steps between two drops.
        every: u64,
        /// What each drop multiplies by.
        factor: f64,
    },
}

impl Schedule {
    /// Always the same rate.
    #[must_use]
    pub fn constant(rate: f64) -> Self {
        Self { peak: rate, floor: 0.0, warmup: 0, shape: Decay::Constant }
    }

    /// Half a cosine down to the floor (0 unless set) at step `steps`.
    #[must_use]
    pub fn cosine(peak: f64, steps: u64) -> Self {
        Self { shape: Decay::Cosine { steps }, ..Self::constant(peak) }
    }

    /// A straight line down to the floor (0 unless set) at step `steps`.
    #[must_use]
    pub fn linear(peak: f64, steps: u64) -> Self {
        Self { shape: Decay::Linear { steps }, ..Self::constant(peak) }
    }

    /// Times `factor` after every `every` steps.
    #[must_use]
    pub fn step(peak: f64, every: u64, factor: f64) -> Self {
        Self { shape: Decay::Step { every, factor }, ..Self::constant(peak) }
    }

    /// With an even rise to the peak over the first steps.
    #[must_use]
    pub fn warmup(mut self, steps: u64) -> Self {
        self.warmup = steps;
        self
    }

    /// With a smallest rate.
    #[must_use]
    pub fn floor(mut self, rate: f64) -> Self {
        self.floor = rate;
        self
    }

    /// That every number makes sense.
    ///
    /// # Errors
    /// [`Error::Setting`] with the number that does not.
    #[track_caller]
    pub fn check(&self) -> Result<()> {
        let Self { peak, floor, .. } = *self;
        if !(peak.is_finite() && peak >= 0.0) {
            return Err(Error::setting(format!(
                "schedule: the peak is {peak}; it must be finite and not negative"
            )));
        }
        if !(0.0..=peak).contains(&floor) {
            return Err(Error::setting(format!(
                "schedule: the floor is {floor}; it must lie in 0..={peak}, the peak"
            )));
        }
        match self.shape {
            Decay::Cosine { steps } | Decay::Linear { steps } if steps <= self.warmup => {
                Err(Error::setting(format!(
                    "schedule: it ends at step {steps}; that must be after the warmup of {} steps",
                    self.warmup
                )))
            }
            Decay::Step { every, factor } if every == 0 || !(0.0..=1.0).contains(&factor) => {
                Err(Error::setting(format!(
                    "schedule: times {factor} every {every} steps; the factor must lie in 0..=1, the steps above 0"
                )))
            }
            _ => Ok(()),
        }
    }

    /// The rate at a step.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let along = |steps: u64| {
            let span = steps.saturating_sub(self.warmup).max(1);
            ((step - self.warmup) as f64 / span as f64).min(1.0)
        };
        let span = self.peak - self.floor;
        match self.shape {
            Decay::Constant => self.peak,
            Decay::Cosine { steps } => {
                self.floor + span * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * along(steps)))
            }
            Decay::Linear { steps } => self.floor + span * (1.0 - along(steps)),
            Decay::Step { every, factor } => {
                let drops = (step - self.warmup) / every.max(1);
                (self.peak * libm::pow(factor, drops as f64)).max(self.floor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_at_its_ends_and_between() {
        assert_eq!(Schedule::constant(0.1).at(12345), 0.1);
        let c = Schedule::cosine(1.0, 10);
        assert!((c.at(0) - 1.0).abs() < 1e-15 && (c.at(5) - 0.5).abs() < 1e-15 && c.at(10).abs() < 1e-15);
        let l = Schedule::linear(1.0, 12).warmup(2).floor(0.5);
        assert_eq!([l.at(0), l.at(1), l.at(2), l.at(7), l.at(12), l.at(99)], [0.5, 1.0, 1.0, 0.75, 0.5, 0.5]);
        let s = Schedule::step(1.0, 3, 0.5).floor(0.2);
        assert_eq!([s.at(0), s.at(2), s.at(3), s.at(6), s.at(9)], [1.0, 1.0, 0.5, 0.25, 0.2]);
    }

    #[test]
    fn numbers_without_sense_are_refused() {
        for bad in [
            Schedule::constant(-1.0),
            Schedule::constant(f64::NAN),
            Schedule::constant(1.0).floor(2.0),
            Schedule::cosine(1.0, 5).warmup(5),
            Schedule::step(1.0, 0, 0.5),
            Schedule::step(1.0, 2, 1.5),
        ] {
            assert!(matches!(bad.check(), Err(Error::Setting { .. })), "{bad:?}");
        }
        assert!(Schedule::cosine(1.0, 6).warmup(5).check().is_ok());
    }
}
