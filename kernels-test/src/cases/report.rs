//! What a run of the conformance cases found, as text and as JSON.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Value, json};

use super::Verdict;

/// How many cases held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Those that did.
    pub passed: usize,
    /// Those that did not.
    pub failed: usize,
}

/// The verdicts of a run. Shown, it is a table by operation and a closing line for each backend.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The backends, in the order in which they ran.
    pub backends: Vec<String>,
    /// One for each case and backend.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// How many cases of a backend held; of one operation where it is named.
    #[must_use]
    pub fn totals(&self, backend: &str, op: Option<&str>) -> Totals {
        let chosen = self.verdicts.iter().filter(|v| v.backend == backend && op.is_none_or(|op| v.op == op));
        chosen.fold(Totals::default(), |mut totals, verdict| {
            if verdict.failures.is_empty() {
                totals.passed += 1
            } else {
                totals.failed += 1
            }
            totals
        })
    }

    /// Whether every case held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|v| v.failures.is_empty())
    }

    /// The whole report as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let cases: Vec<Value> = self
            .verdicts
            .iter()
            .map(|v| {
                let failures: Vec<Value> = v
                    .failures
                    .iter()
                    .map(|(tensor, message)| json!({ "tensor": tensor, "message": message }))
                    .collect();
                json!({
                    "backend": v.backend,
                    "op": v.op,
                    "case": v.case,
                    "passed": failures.is_empty(),
                    "failures": failures,
                })
            })
            .collect();
        let totals: BTreeMap<&String, Value> = self
            .backends
            .iter()
            .map(|b| {
                (b, json!({ "passed": self.totals(b, None).passed, "failed": self.totals(b, None).failed }))
            })
            .collect();
        json!({ "cases": cases, "totals": totals })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backends = &self.backends;
        let ops: BTreeSet<&str> = self.verdicts.iter().map(|v| v.op.as_str()).collect();
        let width = ops.iter().map(|op| op.len()).max().unwrap_or(0).max("operation".len());
        write!(f, "{:width$}", "operation")?;
        backends.iter().try_for_each(|b| write!(f, "  {b:>14}"))?;
        writeln!(f)?;
        for op in ops {
            write!(f, "{op:width$}")?;
            for backend in backends {
                let Totals { passed, failed } = self.totals(backend, Some(op));
                let cell =
                    if failed == 0 { format!("{passed} ok") } else { format!("{passed} ok, {failed} not") };
                write!(f, "  {cell:>14}")?;
            }
            writeln!(f)?;
        }
        for backend in backends {
            let Totals { passed, failed } = self.totals(backend, None);
            writeln!(f, "{backend}: {passed} passed, {failed} failed")?;
        }
        Ok(())
    }
}
