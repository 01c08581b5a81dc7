//! What is said of a device that was lost.

use std::{fmt, sync::Arc};

use super::{Error, Site};

/// A dispatch that was under way, or the last to be sent, when a device was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastDispatch {
    /// The running number of its run on this device, counted from 1.
    pub run: u64,
    /// The kernel.
    pub kernel: String,
    /// The operation that asked for it.
    pub node: String,
    /// Where that operation was made.
    pub site: Site,
}

impl fmt::Display for LastDispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}: `{}` of `{}` (made at {})", self.run, self.kernel, self.node, self.site)
    }
}

/// A device that was lost: reset by its driver, taken away, or destroyed. What was on it is gone, and every later call
/// on its programs and parameters gives this same error.
///
/// A driver does not say which dispatch it gave up on. It is among those of the runs that were sent and had not come
/// back: [`dispatches`](Self::dispatches) holds these, or those of the last run where all had come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLost {
    /// The device.
    pub device: String,
    /// What the driver said.
    pub reason: String,
    /// The dispatches that were under way, in order, the last one last; empty where nothing had run.
    pub dispatches: Vec<LastDispatch>,
}

/// Dispatches that the message names; the others are in the value.
const SHOWN: usize = 8;

impl fmt::Display for DeviceLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was lost: {}", self.device, self.reason)?;
        let hidden = self.dispatches.len().saturating_sub(SHOWN);
        match self.dispatches.as_slice() {
            [] => f.write_str("; nothing had run on it")?,
            all => {
                f.write_str("; its last dispatches: ")?;
                if hidden > 0 {
                    write!(f, "{hidden} more, ")?;
                }
                for (i, dispatch) in all[hidden..].iter().enumerate() {
                    write!(f, "{}{dispatch}", if i > 0 { ", " } else { "" })?;
                }
            }
        }
        f.write_str("; open a device again, compile, and load the last checkpoint")
    }
}

impl std::error::Error for DeviceLost {}

impl From<DeviceLost> for Error {
    fn from(lost: DeviceLost) -> Self {
        Self::DeviceLost(Arc::new(lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_last_dispatches_and_counts_the_others() {
        let dispatch =
            |run| LastDispatch { run, kernel: format!("k{run}"), node: "matmul".into(), site: Site::here() };
        let lost = |n| DeviceLost {
            device: "gpu: x".into(),
            reason: "reset".into(),
            dispatches: (1..=n).map(dispatch).collect(),
        };
        let message = Error::from(lost(10)).to_string();
        assert!(
            message.starts_with("gpu: x was lost: reset; its last dispatches: 2 more, run 3: `k3` of"),
            "{message}"
        );
        assert!(
            message.contains("run 10: `k10` of `matmul` (made at ") && message.contains("lost.rs:"),
            "{message}"
        );
        assert!(lost(0).to_string().contains("nothing had run"));
    }
}
