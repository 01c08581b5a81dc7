//! The conformance runner: files of inputs and expected outputs and gradients, computed by other software.

mod file;
mod report;
mod run;

use std::{collections::BTreeSet, fs, path::PathBuf};

use anyhow::{Context, Result, bail};

pub use file::CaseFile;
pub use report::{Report, Totals};

use crate::backends::{Backend, Selection};

/// What a run of the conformance cases found.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The backend's name.
    pub backend: String,
    /// The operation.
    pub op: String,
    /// The case: its file's name without the ending.
    pub case: String,
    /// What does not hold: (tensor, what is wrong with it). Empty where the case holds.
    pub failures: Vec<(String, String)>,
}

/// Runs every case under `folders` on every backend. `failed` is told of every case that does not hold, as it is found; an
/// operation that the runner does not know does not hold.
///
/// # Errors
/// Where a folder or file cannot be read, or there is no case of an operation that is asked for.
pub fn run(
    folders: &[PathBuf],
    selection: &Selection,
    backends: &[Backend],
    mut failed: impl FnMut(&Verdict),
) -> Result<Report> {
    let backends_run = backends.iter().map(|b| b.name.clone()).collect();
    let mut report = Report { backends: backends_run, ..Report::default() };
    let mut ops = BTreeSet::new();
    for path in files(folders)? {
        let case = CaseFile::read(&path)?;
        ops.insert(case.op.clone());
        if !selection.takes(&case.op) {
            continue;
        }
        for backend in backends {
            let failures = run::run(&case, &backend.device);
            let verdict = Verdict {
                backend: backend.name.clone(),
                op: case.op.clone(),
                case: case.name.clone(),
                failures,
            };
            if !verdict.failures.is_empty() {
                failed(&verdict);
            }
            report.verdicts.push(verdict);
        }
    }
    // A misspelt name must not look like success.
    if let Some(name) = selection.ops.iter().find(|name| !ops.contains(*name)) {
        bail!("there is no case of an operation `{name}`");
    }
    Ok(report)
}

/// The case files of folders of operations, and of folders that are one operation's, in order.
fn files(folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let list = |folder: &PathBuf| -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    };
    let is_case = |path: &PathBuf| path.extension().is_some_and(|e| e == "safetensors");
    let mut all = Vec::new();
    for folder in folders {
        let before = all.len();
        if is_case(folder) && folder.is_file() {
            all.push(folder.clone());
            continue;
        }
        for path in list(folder)? {
            if path.is_dir() {
                all.extend(list(&path)?.into_iter().filter(is_case));
            } else if is_case(&path) {
                all.push(path);
            }
        }
        anyhow::ensure!(all.len() > before, "there is no case under {}", folder.display());
    }
    Ok(all)
}
