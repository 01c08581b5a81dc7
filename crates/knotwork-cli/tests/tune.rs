//! `knotwork tune` as a user runs it, and what a device makes of the table.

#![cfg(feature = "gpu")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn knotwork(cache: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knotwork"));
    command.args(arguments).env_remove("KNOTWORK_DEVICE").env("KNOTWORK_CACHE", cache).output().unwrap()
}

fn text(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn table_in(folder: &Path) -> PathBuf {
    let all = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut found = all.filter(|p| p.extension().is_some_and(|e| e == "json"));
    found.next().expect("a table")
}

#[test]
fn a_table_is_written_to_the_users_cache_and_followed() {
    let cache = tempfile::tempdir().unwrap();
    let tune = ["tune", "--seconds", "60", "--class", "vector/few/short", "--commit", "abc"];
    let out = knotwork(cache.path(), &tune);
    let said = text(&out);
    for part in ["gpu: ", "matmul vector/few/short [8192, 32] x [32, 1]: ", "1 of 1 classes measured"] {
        assert!(said.contains(part), "`{part}` is missing in\n{said}");
    }
    // Progress, where nobody watches a bar.
    assert!(String::from_utf8_lossy(&out.stderr).contains("1/1 matmul vector/few/short"));
    let path = table_in(cache.path());
    assert!(path.file_name().unwrap().to_str().unwrap().starts_with("tuned-vulkan-"));
    let mut table: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(table["commit"], "abc");
    assert!(table["choices"]["matmul"]["vector/few/short"].is_string());

    // A device follows what the table says; of a table that it cannot use, nothing.
    let mut choices = serde_json::Map::new();
    for side in ["vector", "thin", "narrow", "wide"] {
        for outputs in ["few", "some", "many"] {
            for depth in ["short", "middle", "long"] {
                choices.insert(format!("{side}/{outputs}/{depth}"), "tile128x32".into());
            }
        }
    }
    table["choices"]["matmul"] = choices.into();
    let profile =
        || text(&knotwork(cache.path(), &["profile", "mlp", "--device", "gpu", "--runs", "1", "--no-peak"]));
    fs::write(&path, table.to_string()).unwrap();
    assert!(profile().contains("matmul_tile128x32"));
    table["driver"] = "another".into();
    fs::write(&path, table.to_string()).unwrap();
    assert!(!profile().contains("matmul_tile128x32"));
}

#[test]
fn what_cannot_be_tuned_says_so() {
    let cache = tempfile::tempdir().unwrap();
    let error = |arguments: &[&str]| {
        let out = knotwork(cache.path(), arguments);
        assert!(!out.status.success());
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    assert!(error(&["tune", "--device", "cpu"]).contains("the CPU has no kernel variants"));
    assert!(
        error(&["tune", "--class", "no such"]).contains("no class or operation has `no such` in its name")
    );
    assert!(error(&["tune", "--seconds", "0"]).contains("--seconds"));
    let off = knotwork(Path::new("off"), &["tune", "--seconds", "1"]);
    assert!(String::from_utf8_lossy(&off.stderr).contains("--output FILE"));
    assert_eq!(
        fs::read_dir(cache.path())
            .unwrap()
            .filter(|e| { e.as_ref().unwrap().path().extension().is_some_and(|x| x == "json") })
            .count(),
        0
    );
}
