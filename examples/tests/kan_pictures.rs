//! The pictures of a network: what was found is in them, and each is written in both formats.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../kan_pictures/main.rs"]
#[allow(dead_code, reason = "the program around the run")]
mod example;

use std::fs;

use clap::Parser;

#[test]
fn the_pictures_show_what_was_found() {
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name);
    let (folder, json) = (path("pictures"), path("figures.json"));
    let options = ["kan_pictures", "--device", "cpu", "--seed", "1", "--steps", "40"];
    let paths = ["--out", folder.to_str().unwrap(), "--json", json.to_str().unwrap()];
    example::run(&example::Arguments::parse_from(options.iter().chain(&paths))).unwrap();
    let figures: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    // The formula's standard deviation is about 1.7: a network that learned nothing has an error of that size.
    assert!(figures["test_rmse"].as_f64().unwrap() < 0.2, "{figures}");
    let svg = |name: &str| fs::read_to_string(folder.join(name).with_extension("svg")).unwrap();
    let edges = |svg: &str| svg.matches("<title>layer ").count();
    assert_eq!((edges(&svg("network")), edges(&svg("comparison"))), (3, 6));
    for function in figures["functions"].as_array().unwrap() {
        let label = format!(">{}<", function.as_str().unwrap());
        assert!(svg("comparison").contains(&label) && !svg("network").contains(&label), "{label}");
    }
    // The outer edge with its formula, in x there, and the numbers to three places.
    let formula = figures["formulas"][2].as_str().unwrap();
    assert!(formula.contains('h') && svg("edge").contains("fit, r²"), "{formula}");
    assert!(svg("edge").contains(">1,000 samples") && svg("training").contains(">grid 10<"));
    for name in ["network", "edge", "training", "comparison"] {
        assert!(!svg(name).contains("NaN"), "{name}");
        #[cfg(feature = "png")]
        {
            let png = fs::read(folder.join(name).with_extension("png")).unwrap();
            assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 5000, "{name}: {}", png.len());
        }
    }
}
