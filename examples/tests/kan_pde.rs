//! Poisson's equation: the solution is found from the equation alone, and a finer grid finds it better.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../kan_pde/main.rs"]
#[allow(dead_code, reason = "the program around the run")]
mod example;

mod figures;

use clap::Parser;

fn run(options: &[&str], more: [String; 4]) -> anyhow::Result<()> {
    let all = ["kan_pde"].iter().chain(options).map(|s| s.to_string());
    example::run(&example::Arguments::parse_from(all.chain(more)))
}

#[test]
fn the_solution_is_found() {
    let options = ["--device", "cpu", "--seed", "2", "--steps", "60", "--grids", "5,10"];
    let (figures, out) = figures::of(|more| run(&options, more));
    let grids = figures["grids"].as_array().unwrap();
    let error = |k: usize, norm: &str| grids[k][norm].as_f64().unwrap();
    // Of the solution's own size, so a network of zeros has 1.
    assert!(error(0, "l2") < 0.02 && error(0, "h1") < 0.04, "{figures}");
    assert!(error(1, "l2") < 0.5 * error(0, "l2") && error(1, "h1") < 0.5 * error(0, "h1"), "{figures}");
    assert_eq!(figures["best_l2"].as_f64().unwrap(), error(1, "l2"));
    for picture in ["solution.svg", "layer-0.svg", "layer-1.svg"] {
        let svg = std::fs::read_to_string(out.path().join(picture)).unwrap();
        assert!(svg.contains("<polyline") && !svg.contains("NaN"), "{picture}");
    }
}

#[test]
fn a_border_that_is_learned_comes_out_near_zero() {
    let options = ["--device", "cpu", "--steps", "150", "--grids", "5", "--border", "10"];
    let (figures, _) = figures::of(|more| run(&options, more));
    assert!(figures["best_l2"].as_f64().unwrap() < 0.1, "{figures}");
}

#[test]
fn a_gpu_finds_it_too() {
    match knotwork::open_device(Some("gpu")) {
        Ok(_) => {
            let options =
                ["--device", "gpu", "--seed", "2", "--steps", "30", "--grids", "5", "--hidden", "2"];
            let (figures, _) = figures::of(|more| run(&options, more));
            assert!(figures["best_l2"].as_f64().unwrap() < 0.1, "{figures}");
        }
        Err(why) => eprintln!("there is no GPU: {why}"),
    }
}
