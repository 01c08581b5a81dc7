//! The special functions are what they are called, and a KAN learns one of them better than an MLP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../kan_special_functions/main.rs"]
#[allow(dead_code, reason = "the program around the run")]
mod example;

mod figures;

use clap::Parser;
use example::functions::FUNCTIONS;

/// Two arguments and the value.
type Point = (f64, f64, f64);

/// Values of each function, computed with 30 digits (mpmath 1.3).
const VALUES: [(&str, [Point; 3]); 8] = [
    (
        "sn(u, m)",
        [
            (1.5, 0.7125, 0.9454404913652933),
            (3.75, 0.11875, -0.4845775469699685),
            (5.25, 0.890625, -0.1762337257482588),
        ],
    ),
    (
        "F(φ, m)",
        [
            (0.375, 0.7125, 0.3813686259365466),
            (0.9375, 0.11875, 0.9516984458949357),
            (1.3125, 0.890625, 1.811942728866381),
        ],
    ),
    (
        "E(φ, m)",
        [
            (0.375, 0.7125, 0.3688203928455922),
            (0.9375, 0.11875, 0.9236574260012473),
            (1.3125, 0.890625, 1.019818539336351),
        ],
    ),
    (
        "J_ν(x)",
        [
            (1.125, 7.625, 0.1199706702404565),
            (2.0625, 1.6875, 0.2614384384743714),
            (2.6875, 9.40625, 0.01534084792344378),
        ],
    ),
    (
        "Y_ν(x)",
        [
            (0.5, 7.75, -0.02974835489683156),
            (1.25, 2.125, -0.1924138805302538),
            (1.75, 9.4375, -0.06004158483334371),
        ],
    ),
    (
        "I_ν(x)",
        [
            (1.125, 3.05, 3.926293998476924),
            (2.0625, 0.675, 0.0520876451396525),
            (2.6875, 3.7625, 3.201686987347281),
        ],
    ),
    (
        "K_ν(x)",
        [
            (0.5, 3.125, 0.03115047487911541),
            (1.25, 0.9375, 0.8219207756689693),
            (1.75, 3.78125, 0.02041641215733663),
        ],
    ),
    (
        "P(a, x)",
        [
            (1.625, 6.0, 0.9906912142425117),
            (3.3125, 1.0, 0.05243620148013198),
            (4.4375, 7.5, 0.9135405923180236),
        ],
    ),
];

#[test]
fn the_functions_are_right_to_twelve_digits() {
    for (function, (name, values)) in FUNCTIONS.iter().zip(VALUES) {
        assert_eq!(function.name, name);
        for (a, b, want) in values {
            let got = (function.value)(a, b);
            assert!(
                (got - want).abs() < 1e-12 * want.abs().max(0.1),
                "{name} at {a}, {b}: {got}, not {want}"
            );
            let inside = |x: f64, (low, high): (f64, f64)| (low..=high).contains(&x);
            assert!(inside(a, function.ranges[0]) && inside(b, function.ranges[1]), "{name}: {a}, {b}");
        }
    }
}

#[test]
fn a_kan_learns_one_better_than_an_mlp() {
    let (figures, _) = figures::of(|[json, file, ..]| {
        let all =
            ["kan_special_functions", "--device", "cpu", "--steps", "40", "--only", "E"].map(String::from);
        example::run(&example::Arguments::parse_from(all.into_iter().chain([json, file])))
    });
    let rows = figures["functions"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    let number = |key: &str| rows[0][key].as_f64().unwrap();
    // The function's own spread is 0.37.
    assert!(number("kan_rmse") < 2e-3 && number("kan_rmse") < 0.5 * number("mlp_rmse"), "{figures}");
    assert!(number("kan_parameters") <= number("mlp_parameters"), "{figures}");
}

#[test]
fn an_unknown_function_is_refused_by_name() {
    let arguments =
        example::Arguments::parse_from(["kan_special_functions", "--device", "cpu", "--only", "Q"]);
    let error = example::run(&arguments).unwrap_err().to_string();
    assert!(error.starts_with("no function begins with `Q`; there are sn(u, m), F(φ, m)"), "{error}");
}
