//! `knotwork explain` and `knotwork profile` as a user runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::{
    path::Path,
    process::{Command, Output},
};

const NETWORKS: [&str; 6] = ["chain12", "gelu-linear-residual", "mlp", "kan", "conv", "transformer"];

fn knotwork(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knotwork"));
    command.args(arguments).env_remove("KNOTWORK_DEVICE").env("RUST_BACKTRACE", "0").output().unwrap()
}

fn text(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_network_is_explained() {
    for network in NETWORKS {
        let shown = text(&knotwork(&["explain", network, "--device", "portable"]));
        assert!(shown.starts_with("planned for portable GPU: "), "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].contains(" dispatch"), "{}", lines[0]);
        for part in
            ["  moves ", "  computes ", "  live peak ", "  arena ", "buffer ", "step ", "networks.rs:"]
        {
            assert!(shown.contains(part), "`{part}` is missing in {network}:\n{shown}");
        }
        // As many dispatches are listed as the header counts.
        let listed = lines.iter().filter(|l| l.trim_start().starts_with("dispatch ")).count();
        assert!(lines[0].contains(&format!("-> {listed} dispatch")), "{listed}: {}", lines[0]);
        assert!(lines.iter().all(|l| !l.ends_with(' ')), "{network}");
    }
}

#[test]
fn knobs_change_the_plan() {
    let count = |more: &[&str]| {
        let shown = text(&knotwork(&[&["explain", "mlp", "--device", "portable"], more].concat()));
        shown.lines().filter(|l| l.trim_start().starts_with("dispatch ")).count()
    };
    assert!(count(&["--no-fuse"]) > count(&[]));
    let arena =
        |more: &[&str]| text(&knotwork(&[&["explain", "mlp", "--device", "portable"], more].concat()));
    assert_ne!(arena(&[]), arena(&["--no-alias"]));
    let cpu = text(&knotwork(&["explain", "mlp", "--device", "cpu"]));
    assert!(cpu.starts_with("planned for cpu: ") && !cpu.contains("dispatch"), "{cpu}");
}

#[test]
fn pictures_and_json_go_to_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let names = ["p.svg", "p.dot", "g.svg", "g.dot", "p.json"].map(|n| at(n).display().to_string());
    let [svg, dot, graph_svg, graph_dot, json] = names.each_ref().map(String::as_str);
    let files =
        ["--svg", svg, "--dot", dot, "--graph-svg", graph_svg, "--graph-dot", graph_dot, "--json", json];
    text(&knotwork(&[&["explain", "transformer", "--device", "portable"], &files[..]].concat()));
    for name in ["p.svg", "g.svg"] {
        let svg = read(&at(name));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{name}");
        for part in ["transformer", "attention", "forward", "backward", "networks.rs:", "f32[2, 128, 256]"] {
            assert!(svg.contains(part), "`{part}` is missing in {name}");
        }
    }
    assert!(read(&at("p.dot")).starts_with("digraph") && read(&at("g.dot")).contains("reshape"));
    let plan: serde_json::Value = serde_json::from_str(&read(&at("p.json"))).unwrap();
    assert!(plan["totals"]["dispatches"].as_u64().unwrap() > 5);
}

#[test]
fn a_profile_shows_kernels_and_writes_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, json) = (folder.path().join("t.json"), folder.path().join("p.json"));
    let (t, j) = (trace.display().to_string(), json.display().to_string());
    let arguments =
        ["profile", "mlp", "--device", "cpu", "--runs", "2", "--no-peak", "--trace", &t, "--json", &j];
    let shown = text(&knotwork(&arguments));
    for part in ["mlp: cpu", "the host's clock", "the median of 2 runs", "adam", "share"] {
        assert!(shown.contains(part), "`{part}` is missing in\n{shown}");
    }
    let trace: serde_json::Value = serde_json::from_str(&read(&trace)).unwrap();
    let profile: serde_json::Value = serde_json::from_str(&read(&json)).unwrap();
    let slices = trace["traceEvents"].as_array().unwrap().iter().filter(|e| e["ph"] == "X").count();
    assert_eq!(profile["entries"].as_array().unwrap().len(), slices);
    assert_eq!(profile["runs"], 2);
}

#[cfg(feature = "gpu")]
#[test]
fn a_profile_on_a_gpu_has_per_cents_of_its_peak() {
    let shown = text(&knotwork(&["profile", "gelu-linear-residual", "--device", "gpu", "--runs", "1"]));
    for part in ["gpu: ", "  peak ", "of peak", "matmul", " %"] {
        assert!(shown.contains(part), "`{part}` is missing in\n{shown}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let fails = |arguments: &[&str]| {
        let out = knotwork(arguments);
        assert!(!out.status.success() && out.stdout.is_empty());
        String::from_utf8(out.stderr).unwrap()
    };
    let unknown = fails(&["explain", "resnet"]);
    assert!(unknown.contains("resnet") && unknown.contains("transformer"), "{unknown}");
    let device = fails(&["explain", "mlp", "--device", "Voodoo 2"]);
    assert!(device.contains("Voodoo 2"), "{device}");
    let path = fails(&["explain", "mlp", "--device", "cpu", "--svg", "/no/such/folder/x.svg"]);
    assert!(path.contains("/no/such/folder/x.svg could not be written"), "{path}");
    let runs = fails(&["profile", "mlp", "--device", "cpu", "--runs", "0"]);
    assert!(runs.contains("--runs"), "{runs}");
}
