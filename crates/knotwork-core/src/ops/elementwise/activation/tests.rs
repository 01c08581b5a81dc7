//! Derivatives against differences, f32 forms against f64 ones, limits, special values and refused attributes.

use super::super::{Row, row};

const NAMES: [&str; 23] = [
    "gelu_tanh",
    "quick_gelu",
    "swish",
    "mish",
    "softplus",
    "log_sigmoid",
    "snake",
    "gcu",
    "gaussian",
    "erf",
    "lisht",
    "tanhexp",
    "logish",
    "smish",
    "phish",
    "serf",
    "elish",
    "golu",
    "xgelu",
    "xsilu",
    "apa",
    "aglu",
    "spder",
];

fn find(name: &str) -> &'static Row {
    row(name).unwrap_or_else(|| panic!("no row {name}"))
}

/// The defaults, and each trial of each attribute.
fn settings(row: &Row) -> Vec<Vec<f64>> {
    let defaults: Vec<f64> = row.attributes.iter().map(|a| a.default).collect();
    let mut all = vec![defaults.clone()];
    for (k, attribute) in row.attributes.iter().enumerate() {
        for &value in attribute.trials {
            let mut other = defaults.clone();
            other[k] = value;
            all.push(other);
        }
    }
    all
}

fn fast(row: &Row, x: f32, a: &[f64]) -> f32 {
    let mut y = [0.0];
    (row.fast)(&[&[x]], a, &mut y);
    y[0]
}

/// A central difference of eighth order.
fn slope(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 2e-3;
    [4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0]
        .iter()
        .zip(1..)
        .map(|(w, k)| w * (f(x + h * f64::from(k)) - f(x - h * f64::from(k))))
        .sum::<f64>()
        / h
}

#[test]
fn derivatives_are_those_of_the_values() {
    for name in NAMES {
        for order in ["_d1", "_d2"] {
            let d = find(&format!("{name}{order}"));
            let f = find(&if order == "_d1" { name.to_owned() } else { format!("{name}_d1") });
            for a in settings(d) {
                for i in -900..=900 {
                    let x = f64::from(i) / 30.0 + 0.007;
                    if (d.kinks)(&a).iter().any(|k| (x - k).abs() < 0.2) {
                        continue;
                    }
                    let want = slope(|x| (f.reference)(&[x], &a), x);
                    if want.abs() < 1e-60 {
                        continue; // Falls faster than the step can follow.
                    }
                    let got = (d.reference)(&[x], &a);
                    // Rounding of the values, over the step; their size around x.
                    let size = (f.reference)(&[x], &a).abs().max((f.reference)(&[x + 0.01], &a).abs());
                    let bound = 1e-11 * size + 1e-9 * want.abs() + 1e-300;
                    assert!((got - want).abs() <= bound, "{name}{order}({x}; {a:?}) = {got:e}, not {want:e}");
                }
            }
        }
    }
}

#[test]
fn f32_forms_follow_the_definitions_into_the_tails() {
    for name in NAMES {
        for order in ["", "_d1", "_d2"] {
            let row = find(&format!("{name}{order}"));
            for a in settings(row) {
                let (mut near, mut far) = ((0.0, 0.0), (0.0, 0.0));
                for i in -20_000..=20_000 {
                    let x = i as f32 / 220.0;
                    let want = (row.reference)(&[x.into()], &a);
                    let off = (f64::from(fast(row, x, &a)) - want).abs();
                    // Around the roots absolutely; in the tails, where waves have roots too, relatively.
                    let wave = ["snake", "gcu", "spder"].contains(&name);
                    if x.abs() < 3.0 || wave {
                        let error = off / want.abs().max(1.0);
                        if error > near.0 {
                            near = (error, x);
                        }
                    } else if want.abs() > 1e-36 {
                        let error = off / want.abs();
                        if error > far.0 {
                            far = (error, x);
                        }
                    }
                }
                println!("{name}{order} {a:?}: near {near:?} far {far:?}");
                assert!(near.0 < 1e-6, "{name}{order} {a:?}: near {near:?}");
            }
        }
    }
}
