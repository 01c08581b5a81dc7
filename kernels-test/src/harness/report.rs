//! What the harness found.

use std::{collections::BTreeMap, fmt};

use crate::backends::Backend;

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The operation.
    pub op: String,
    /// The case.
    pub case: String,
    /// The backend, or `oracle` for gradients against differences.
    pub backend: String,
    /// The value that was checked.
    pub what: String,
    /// The worst element, what it is and what it should be; or the error.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, case, backend, what, message } = self;
        write!(f, "{backend}: {op} `{case}`: {what} {message}")
    }
}

/// How many cases held on each backend, and everything that does not hold.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Everything that does not hold.
    pub failures: Vec<Failure>,
    order: Vec<String>,
    counts: BTreeMap<String, (usize, usize)>,
}

impl Report {
    pub(super) fn new(backends: &[Backend]) -> Self {
        let order = std::iter::once("oracle".to_owned()).chain(backends.iter().map(|b| b.name.clone()));
        Self { order: order.collect(), ..Self::default() }
    }

    pub(super) fn count(&mut self, backend: &str, passed: bool) {
        let counts = self.counts.entry(backend.into()).or_default();
        if passed { counts.0 += 1 } else { counts.1 += 1 }
    }

    /// Whether everything held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for backend in &self.order {
            let (passed, failed) = self.counts.get(backend).copied().unwrap_or_default();
            writeln!(f, "harness {backend}: {passed} passed, {failed} failed")?;
        }
        Ok(())
    }
}
