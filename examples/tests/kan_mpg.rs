//! Fuel use of cars: the KANs beat the straight line, which is the right straight line.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../kan_mpg/main.rs"]
#[allow(dead_code, reason = "the program around the run")]
mod example;

mod figures;

use clap::Parser;
use knotwork::nn::{Dataset, Labels};
use serde_json::Value;

fn run(options: &[&str]) -> (Value, tempfile::TempDir) {
    figures::of(|more| {
        let all = ["kan_mpg"].iter().chain(options).map(|s| s.to_string());
        example::run(&example::Arguments::parse_from(all.chain(more)))
    })
}

#[test]
fn kans_beat_the_straight_line() {
    let (figures, out) = run(&["--device", "cpu", "--seed", "3", "--epochs", "60"]);
    let number = |key: &str| figures[key].as_f64().unwrap();
    assert_eq!(figures["cars"], 392);
    // The spread of the target is 7.8.
    assert!((3.2..3.6).contains(&number("linear_rmse")), "{figures}");
    for kan in ["additive_kan_rmse", "kan_rmse"] {
        assert!(number(kan) < 0.9 * number("linear_rmse"), "{figures}");
    }
    let svg = std::fs::read_to_string(out.path().join("features.svg")).unwrap();
    for name in ["cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year", "origin"]
    {
        assert!(svg.contains(&format!(">{name}<")), "{name}");
    }
    assert_eq!(svg.matches("<polyline").count(), 7);
}

#[test]
fn least_squares_finds_what_is_linear() {
    // y = 3 + 2 a − b, and a third column that says nothing.
    let x: Vec<f32> = (0..20).flat_map(|i| [i as f32, (i * i % 7) as f32, 1.0]).collect();
    let y: Vec<f32> = x.chunks(3).map(|r| 3.0 + 2.0 * r[0] - r[1]).collect();
    let labels = |y: &[f32]| Labels::Values { values: y.to_vec(), width: 1 };
    let two: Vec<f32> = x.chunks(3).flat_map(|r| [r[0], r[1]]).collect();
    let cars = Dataset::new(two, 2, labels(&y)).unwrap();
    let mut rows = 0;
    for fold in example::folds::deal(&cars, 1).unwrap() {
        let (found, truth) = (example::linear::predict(&fold).unwrap(), fold.truth().unwrap());
        rows += found.len();
        for (a, b) in found.iter().zip(truth) {
            assert!((a - b).abs() < 1e-4, "{a}, not {b}");
        }
    }
    assert_eq!(rows, 20);
    let constant = Dataset::new(x, 3, labels(&y)).unwrap();
    let fold = example::folds::deal(&constant, 1).unwrap().remove(0);
    let error = example::linear::predict(&fold).unwrap_err().to_string();
    assert!(error.starts_with("the features depend on each other linearly"), "{error}");
}

#[test]
fn gaps_texts_and_too_few_cars_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cars.csv");
    let refused = |text: &str, why: &str| {
        std::fs::write(&path, text).unwrap();
        let data = path.display().to_string();
        let arguments = example::Arguments::parse_from(["kan_mpg", "--device", "cpu", "--data", &data]);
        let error = example::run(&arguments).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    refused("horsepower,name,mpg\n130,a,18\n,b,25\n", "cars.csv:3: column `horsepower`: `` is no number");
    refused("horsepower,name,mpg\n130,a,18\n?,b,25\n", "cars.csv:3: column `horsepower`: `?` is no number");
    refused("horsepower,kind,name,mpg\n130,x,a,18\n", "cars.csv:2: column `kind` holds text (`x`)");
    refused("horsepower,name\n130,a\n", "there is no column `mpg`");
    refused("horsepower,name,mpg\n130,a,18\n", "1 cars are too few for 5 parts");
}

#[test]
fn a_gpu_finds_the_same() {
    if let Err(why) = knotwork::open_device(Some("gpu")) {
        eprintln!("there is no GPU: {why}");
        return;
    }
    let error = |device: &str| run(&["--device", device, "--epochs", "2"]).0["kan_rmse"].as_f64().unwrap();
    let (gpu, cpu) = (error("gpu"), error("cpu"));
    assert!((gpu - cpu).abs() < 1e-2, "{gpu}, not {cpu}");
}
