//! Five peaks in turn: the KAN keeps them all, the MLP does not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../kan_continual/main.rs"]
#[allow(dead_code, reason = "the program around the run")]
mod example;

mod figures;

use clap::Parser;

#[test]
fn no_peak_is_forgotten() {
    let (figures, out) = figures::of(|more| {
        let all = ["kan_continual", "--device", "cpu", "--seed", "3", "--steps", "200"].map(String::from);
        example::run(&example::Arguments::parse_from(all.into_iter().chain(more)))
    });
    let kan = figures::numbers(&figures["rmse_by_peak"]);
    assert_eq!(kan.len(), 5);
    assert!(kan.iter().all(|e| *e < 1e-5), "{kan:?}");
    assert_eq!(figures["max_rmse"].as_f64().unwrap(), kan.iter().copied().fold(0.0, f64::max));
    // The MLP has learned the last one and lost the others.
    let mlp = figures::numbers(&figures["mlp_rmse_by_peak"]);
    assert!(mlp[4] < 0.1 && mlp[..4].iter().any(|e| *e > 0.2), "{mlp:?}");
    let svg = std::fs::read_to_string(out.path().join("peaks.svg")).unwrap();
    // Ten panels of two curves; what leaves the window is cut.
    assert!(svg.matches("<polyline").count() >= 20, "{svg}");
}

#[test]
fn a_gpu_keeps_them_too() {
    match knotwork::open_device(Some("gpu")) {
        Ok(device) => {
            use knotwork::prelude::*;
            let arguments = example::Arguments::parse_from(["kan_continual", "--steps", "60"]);
            let g = Graph::new();
            let x = g.input("x", DType::F32, [example::peaks::SAMPLES, 1]).unwrap();
            let kan = example::kan(&g, 3).unwrap().forward(&x).unwrap();
            let errors = example::learn(&arguments, &device, "KAN", &x, &kan).unwrap().errors;
            assert!(errors.len() == 5 && errors.iter().all(|e| *e < 1e-5), "{errors:?} on {}", device.info());
        }
        Err(why) => eprintln!("there is no GPU: {why}"),
    }
}
