//! What an example writes when it is told `--json FILE --out DIR`.

use anyhow::Result;
use serde_json::Value;
use tempfile::TempDir;

/// Runs an example with these options besides, both of them in a new folder: its figures, and that folder.
pub fn of(run: impl FnOnce([String; 4]) -> Result<()>) -> (Value, TempDir) {
    let out = tempfile::tempdir().unwrap();
    let json = out.path().join("figures.json");
    let shown = |path: &std::path::Path| path.display().to_string();
    run(["--json".into(), shown(&json), "--out".into(), shown(out.path())]).unwrap();
    let figures: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert!(figures["device"].is_string() && figures["seed"].is_u64(), "{figures}");
    (figures, out)
}

/// The numbers of an array.
#[allow(dead_code, reason = "not every example writes arrays")]
pub fn numbers(array: &Value) -> Vec<f64> {
    array.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}
