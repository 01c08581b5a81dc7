//! Losses on their way back from the device.

use std::collections::VecDeque;

use knotwork_core::{DType, Run};

use super::TrainError;
use crate::Result;

/// Runs that may be under way before the oldest is waited for.
const DEPTH: usize = 4;

/// Losses that were read, and runs whose loss will be read.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// (step, loss), oldest first.
    pub read: Vec<(u64, f32)>,
    waiting: VecDeque<(u64, u64, Run)>,
}

impl Losses {
    /// Takes a run; waits only for one that is several steps old.
    pub fn push(&mut self, epoch: u64, step: u64, run: Run) -> Result<()> {
        self.waiting.push_back((epoch, step, run));
        while self.waiting.len() > DEPTH {
            self.next()?;
        }
        Ok(())
    }

    /// Waits for all.
    pub fn drain(&mut self) -> Result<()> {
        while !self.waiting.is_empty() {
            self.next()?;
        }
        Ok(())
    }

    /// Forgets what is under way, after an error.
    pub fn abandon(&mut self) {
        self.waiting.clear();
    }

    fn next(&mut self) -> Result<()> {
        let Some((epoch, step, run)) = self.waiting.pop_front() else { return Ok(()) };
        let outputs = run.wait()?;
        let shown = outputs.first().map_or_else(|| "missing".to_owned(), ToString::to_string);
        let first = outputs.first().filter(|t| t.dtype() == DType::F32 && t.count() == 1);
        let loss = first.and_then(|t| t.item::<f32>().ok()).ok_or(TrainError::NoLoss(shown))?;
        if !loss.is_finite() {
            return Err(TrainError::NonFiniteLoss { epoch, step, loss }.into());
        }
        self.read.push((step, loss));
        Ok(())
    }
}
