//! exp(sin(πx) + y²): learned as exactly as pykan's figures say, and found as a formula.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../kan_formula/main.rs"]
#[allow(dead_code, reason = "the program around the run")]
mod example;

mod figures;

use clap::Parser;

fn run(options: &[&str], more: [String; 4]) -> anyhow::Result<()> {
    let all = ["kan_formula"].iter().chain(options).map(|s| s.to_string());
    example::run(&example::Arguments::parse_from(all.chain(more)))
}

#[test]
fn the_figures_are_met_and_the_formula_is_found() {
    let (figures, out) = figures::of(|more| run(&["--device", "cpu", "--seed", "2", "--steps", "600"], more));
    let errors = &figures["rmse_by_grid"];
    // What pykan publishes.
    for (grid, most) in [("3", 1.53e-2), ("10", 3.3e-4), ("20", 4.1e-5), ("50", 1.3e-5)] {
        let error = errors[grid].as_f64().unwrap();
        assert!(error <= most, "grid {grid}: {error}, {figures}");
    }
    assert_eq!(figures["formula"], "exp(sin(pi*x) + y^2)", "{figures}");
    assert!(figures["formula_rmse"].as_f64().unwrap() < 1e-5, "{figures}");
    let svg = std::fs::read_to_string(out.path().join("formula.svg")).unwrap();
    assert!(svg.contains(">sin<") && svg.contains(">pruned<"));
}
