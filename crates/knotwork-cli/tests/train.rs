//! `knotwork train kan`, `predict` and `plot` as a user runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::{
    fmt::Write,
    path::Path,
    process::{Command, Output},
};

fn knotwork(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knotwork"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("KNOTWORK_DEVICE", "cpu")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap()
}

fn text(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn refused(out: &Output) -> String {
    assert!(!out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
    String::from_utf8(out.stderr.clone()).unwrap()
}

/// 100 sin(2 a) + b² over a table with a name beside it, in units of its own.
fn table(folder: &Path) {
    let mut csv = String::from("a,name,b,y\n");
    for i in 0..240 {
        let a = (f64::from(i) * 0.618_034).fract() * 2.0 - 1.0;
        let b = (f64::from(i) * 0.414_214).fract() * 20.0;
        writeln!(csv, "{a:.6},row {i},{b:.6},{:.6}", 100.0 * (2.0 * a).sin() + b * b).unwrap();
    }
    std::fs::write(folder.join("t.csv"), csv).unwrap();
}

#[test]
fn a_table_becomes_a_formula_a_model_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    table(folder);
    let run = [
        "train",
        "kan",
        "t.csv",
        "--target",
        "y",
        "--exclude",
        "name",
        "--width",
        "2,1",
        "--grid",
        "4",
        "--refine",
        "10",
        "--steps",
        "60",
        "--prune",
        "--symbolic",
        "--plot",
        "pictures",
        "--json",
        "report.json",
        "--device",
        "cpu",
    ];
    let shown = text(&knotwork(folder, &run));
    for part in [
        "192 rows to train on, 48 to judge by; a, b",
        "grid 4, sparse",
        "pruned",
        "grid 10",
        "formulas",
        "best      formulas: test RMSE",
        "formula   y = 100*sin(2*a) + b^2",
        "model     t.safetensors",
    ] {
        assert!(shown.contains(part), "`{part}` is missing:\n{shown}");
    }
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("report.json")).unwrap()).unwrap();
    assert!(report["test_rmse"].as_f64().unwrap() < 1e-2, "{report}");
    assert!(report["formulas"][0]["rust"].as_str().unwrap().contains("fn formula("), "{report}");
    for picture in ["network.svg", "pruning.svg", "course.svg", "edge-0-0-0.svg", "edge-0-1-0.svg"] {
        let svg = std::fs::read_to_string(folder.join("pictures").join(picture)).unwrap();
        assert!(svg.starts_with("<svg") && svg.len() > 500, "{picture}");
    }

    // The model says all: predictions are in the table's units, whatever other columns there are.
    let predicted = text(&knotwork(folder, &["predict", "t.safetensors", "t.csv", "--device", "cpu"]));
    let mut lines = predicted.lines();
    assert_eq!(lines.next(), Some("y"));
    let rows = std::fs::read_to_string(folder.join("t.csv")).unwrap();
    for (line, row) in lines.zip(rows.lines().skip(1)) {
        let want: f64 = row.rsplit(',').next().unwrap().parse().unwrap();
        assert!((line.parse::<f64>().unwrap() - want).abs() < 0.1, "{line}, not {want}");
    }
    assert_eq!(predicted.lines().count(), 241);
    let to_file = ["predict", "t.safetensors", "t.csv", "--output", "out.csv", "--device", "cpu"];
    assert!(text(&knotwork(folder, &to_file)).contains("240 rows in out.csv"));
    assert_eq!(std::fs::read_to_string(folder.join("out.csv")).unwrap(), predicted);

    assert_eq!(text(&knotwork(folder, &["plot", "t.safetensors", "--device", "cpu"])).trim(), "t.svg");
    assert!(std::fs::read_to_string(folder.join("t.svg")).unwrap().contains(">sin<"));
    let edge = [
        "plot",
        "t.safetensors",
        "--data",
        "t.csv",
        "--edge",
        "0,1,0",
        "--output",
        "e.svg",
        "--device",
        "cpu",
    ];
    text(&knotwork(folder, &edge));
    assert!(std::fs::read_to_string(folder.join("e.svg")).unwrap().contains("samples"));
}

#[test]
fn wavelets_are_trained_pruned_drawn_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    table(folder);
    for (basis, shown_as) in [
        ("mexican_hat", "mexican_hat range=[-1, 1]"),
        ("morlet range=[-2, 2]", "morlet range=[-2, 2]"),
        ("dog", "dog range=[-1, 1]"),
    ] {
        let run = [
            "train",
            "kan",
            "t.csv",
            "--target",
            "y",
            "--exclude",
            "name",
            "--width",
            "2,3,1",
            "--basis",
            basis,
        ];
        let more = ["--steps", "40", "--prune", "--plot", "p", "--json", "r.json", "--device", "cpu"];
        let shown = text(&knotwork(folder, &[&run[..], &more[..]].concat()));
        assert!(shown.contains(&format!("network   KAN [2, 3, 1], {shown_as}")), "{shown}");
        assert!(shown.contains("fitted, sparse") && shown.contains("pruned"), "{shown}");
        let report: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("r.json")).unwrap()).unwrap();
        // Targets have a deviation of about 130.
        assert!(report["test_rmse"].as_f64().unwrap() < 13.0, "{basis}: {report}");
        assert!(std::fs::read_to_string(folder.join("p/network.svg")).unwrap().starts_with("<svg"));
        let predicted = text(&knotwork(folder, &["predict", "t.safetensors", "t.csv", "--device", "cpu"]));
        let rows = std::fs::read_to_string(folder.join("t.csv")).unwrap();
        let errors = predicted.lines().zip(rows.lines()).skip(1).map(|(line, row)| {
            let want: f64 = row.rsplit(',').next().unwrap().parse().unwrap();
            (line.parse::<f64>().unwrap() - want).powi(2)
        });
        assert!((errors.sum::<f64>() / 240.0).sqrt() < 13.0, "{basis}");
        let edge = ["plot", "t.safetensors", "--edge", "1,0,0", "--output", "e.svg", "--device", "cpu"];
        text(&knotwork(folder, &edge));
        assert!(!std::fs::read_to_string(folder.join("e.svg")).unwrap().contains("grid points"));
    }
}

#[test]
fn what_cannot_be_trained_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    table(folder);
    let say = |more: &[&str]| refused(&knotwork(folder, &[&["train", "kan", "t.csv"], more].concat()));
    let with = |more: &[&str]| say(&[&["--target", "y", "--exclude", "name"], more].concat());
    assert!(say(&["--target", "z"]).contains("t.csv:1: there is no column `z`; there are: a, name, b, y"));
    let e = say(&["--target", "y"]);
    assert!(e.contains("t.csv:2: column `name` holds text (`row 0`)") && e.contains("--exclude"), "{e}");
    let e = with(&["--width", "3,5,1"]);
    assert!(e.contains("--width is [3, 5, 1]; t.csv has 2 inputs (a, b) and 1 to predict (y)"), "{e}");
    assert!(with(&["--grid", "0"]).contains("grid is 0"));
    assert!(with(&["--order", "99"]).contains("order is 99; it must be at most 16"));
    assert!(with(&["--base", "sillu"]).contains("`sillu` is no base"));
    let e = with(&["--basis", "haar"]);
    assert!(
        e.contains("no basis `haar`; there are bspline, rbf") && e.contains("mexican_hat, morlet, dog"),
        "{e}"
    );
    assert!(with(&["--basis", "chebyshev degree=65"]).contains("degree is 65"));
    let e = with(&["--basis", "dog", "--refine", "10"]);
    assert!(e.contains("'--basis <FUNCTIONS>' cannot be used with '--refine <REFINE>'"), "{e}");
    assert!(with(&["--basis", "dog", "--grid", "5"]).contains("cannot be used with '--grid <GRID>'"));
    let e = with(&["--basis", "dog range=[1, 0]"]);
    assert!(e.contains("dog range=[1, 0] of wavelets; it must begin within ±1e9"), "{e}");
    assert!(with(&["--refine", "0", "--steps", "2"]).contains("grid is 0"));
    assert!(with(&["--test", "1.5"]).contains("--test is 1.5; it must be from 0 to below 1"));
    assert!(with(&["--output", "no/such/m.safetensors"]).contains("there is no folder no/such"));
    assert!(with(&["--device", "toaster"]).contains("toaster"));
    assert!(with(&["--lambda", "nan", "--prune", "--steps", "2"]).contains("l1 is NaN"));
    std::fs::write(folder.join("nan.csv"), "a,y\n1,2\nNaN,3\n").unwrap();
    let e = refused(&knotwork(folder, &["train", "kan", "nan.csv", "--target", "y"]));
    assert!(e.contains("nan.csv:3: column `a`: `NaN` is not finite"), "{e}");
    assert!(!folder.join("t.safetensors").exists(), "nothing half done");

    // Files that are no models.
    let e = refused(&knotwork(folder, &["predict", "t.csv", "t.csv"]));
    assert!(e.contains("no safetensors file"), "{e}");
    let e = refused(&knotwork(folder, &["plot", "none.safetensors"]));
    assert!(e.contains("none.safetensors"), "{e}");
}

#[test]
fn odd_tables_have_their_answer() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A constant column, one of two values, a gap, and fewer rows than an edge has functions.
    let rows = "flat,two,gap,y\n3,0,0.1,1\n3,1,0.2,2\n3,0,9.8,1.5\n3,1,9.9,2.5\n3,0,0.15,1.1\n";
    std::fs::write(folder.join("odd.csv"), rows).unwrap();
    let run = [
        "train", "kan", "odd.csv", "--target", "y", "--steps", "10", "--test", "0", "--grid", "1",
        "--refine", "8", "--device", "cpu",
    ];
    let shown = text(&knotwork(folder, &run));
    for part in [
        "column `flat` is 3 everywhere: nothing can be learned from it",
        "no rows are put aside",
        "model     odd.safetensors",
    ] {
        assert!(shown.contains(part), "`{part}` is missing:\n{shown}");
    }
    let shown = text(&knotwork(folder, &["predict", "odd.safetensors", "odd.csv", "--device", "cpu"]));
    assert!(shown.lines().skip(1).all(|y| y.parse::<f64>().unwrap().is_finite()), "{shown}");
    let few = [
        "train", "kan", "odd.csv", "--target", "y", "--steps", "5", "--test", "0", "--grid", "9", "--device",
        "cpu",
    ];
    let shown = text(&knotwork(folder, &few));
    assert!(shown.contains("5 rows are fewer than the 12 functions of an edge"), "{shown}");
}
