//! `knotwork bench` as a user runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::process::{Command, Output};

fn knotwork(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knotwork"));
    command.args(arguments).env_remove("KNOTWORK_DEVICE").env("RUST_BACKTRACE", "0").output().unwrap()
}

fn text(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let out = knotwork(arguments);
    assert!(!out.status.success());
    String::from_utf8(out.stderr).unwrap()
}

#[test]
fn kernels_are_what_is_measured_where_nothing_else_is_named() {
    let plain = text(&knotwork(&["bench", "--list", "softmax"]));
    assert!(plain.lines().count() > 5 && plain.lines().all(|l| l.contains("softmax")), "{plain}");
    assert_eq!(plain, text(&knotwork(&["bench", "kernels", "softmax", "--list"])));
}

#[test]
fn figures_are_shown_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let path = path.to_str().unwrap();
    let common =
        ["bench", "matmul/16", "norm", "--device", "cpu", "--size", "tiny", "--runs", "2", "--no-peak"];
    let shown = text(&knotwork(&[&common[..], &["--json", path, "--seed", "3"]].concat()));
    assert!(
        shown.starts_with("cpu (") && shown.contains("seed 3") && shown.contains("layer_norm/last_7x12"),
        "{shown}"
    );
    let value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for key in [
        "version", "knotwork", "commit", "build", "device", "peak", "size", "seed", "cases", "skipped",
        "wrong",
    ] {
        assert!(value.get(key).is_some(), "{key}");
    }
    assert_eq!(value["cases"][0]["name"], "matmul/16");
    let again = text(&knotwork(&[&common[..], &["--compare", path]].concat()));
    assert!(again.contains("speed-up") && again.contains("beside the earlier run: "), "{again}");
    assert!(!again.contains("warning"), "{again}");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let message = refused(&["bench", "matmull", "--device", "cpu"]);
    assert!(message.contains("`matmull`") && message.contains("near it: matmul"), "{message}");
    let message = refused(&["bench", "--device", "no such thing"]);
    assert!(message.contains("no such thing"), "{message}");
    let message = refused(&["bench", "sgd", "--seconds=-1"]);
    assert!(message.contains("must be above 0"), "{message}");
    let message = refused(&["bench", "sgd", "--seconds", "1", "--runs", "2"]);
    assert!(message.contains("cannot be used with"), "{message}");
    let message = refused(&["bench", "sgd", "--runs", "0"]);
    assert!(message.contains("--runs"), "{message}");
    // A file that cannot be written is found before anything is measured.
    let message =
        refused(&["bench", "sgd", "--device", "cpu", "--no-peak", "--json", "/no/such/folder/a.json"]);
    assert!(message.contains("/no/such/folder/a.json"), "{message}");
}
