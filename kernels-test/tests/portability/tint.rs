//! Tint, the compiler of Chrome, over every module in the browser's form.

use std::{
    env,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

/// A module in the browser's form.
pub struct Module {
    /// Whose it is, for the report.
    pub name: String,
    /// Its text.
    pub code: String,
}

/// What Tint refuses, a line each; `None` where Tint is not installed (`cargo xtask setup --full` does, and
/// `cargo xtask test --full` says where in `KNOTWORK_TINT`).
pub fn refused(modules: &[Module]) -> Option<Vec<String>> {
    env::var_os("KNOTWORK_TINT")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/portability/tint.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node could not be started");
    let all: Vec<Value> = modules.iter().map(|m| json!({"name": m.name, "code": m.code})).collect();
    child.stdin.take().unwrap().write_all(Value::from(all).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script failed: {}", output.status);
    let printed = String::from_utf8_lossy(&output.stdout);
    let found: Vec<Value> = serde_json::from_str(printed.lines().last().unwrap_or_default()).unwrap();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let line = |v: &Value| {
        let errors: Vec<String> = v["errors"].as_array().unwrap().iter().map(text).collect();
        format!("{}: Tint: {}", text(&v["name"]), errors.join("; "))
    };
    Some(found.iter().map(line).collect())
}

/// The check can fail: Tint finds what naga lets pass.
#[test]
fn tint_is_stricter_than_naga() {
    let barrier = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(local_invocation_index) i: u32) { if x[i] > 0u { workgroupBarrier(); } x[i] = i; }";
    let module = |name: &str, code: &str| Module { name: name.into(), code: code.into() };
    let fine = barrier.replace("workgroupBarrier();", "");
    if let Some(refused) = refused(&[module("barrier", barrier), module("fine", &fine)]) {
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].starts_with("barrier: Tint:") && refused[0].contains("uniform"), "{refused:?}");
    }
}
