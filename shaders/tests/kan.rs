//! The KAN kernels in every variant: each combination of flags, at several orders and derivatives.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

use knotwork_shaders::{Constant, Root, compose, validate};

#[test]
fn every_variant_of_the_kan_kernels_is_valid() {
    for (order, derivative) in [(0, 0), (0, 1), (1, 0), (3, 0), (3, 1), (3, 4), (7, 0), (16, 2)] {
        for (name, all) in [
            ("forward", ["base", "scale"]),
            ("input", ["base", "staged"]),
            ("coefficients", ["base", "scale"]),
            ("fours/forward", ["base", "scale"]),
            ("fours/row", ["base", "scale"]),
            ("fours/input", ["base", "staged"]),
            ("fours/coefficients", ["base", "scale"]),
            ("fours/coefficients", ["base", "ranged"]),
            ("sorted/order", ["base", "scale"]),
            ("sorted/sums", ["base", "scale"]),
            ("sorted/sums", ["base", "whole"]),
            ("sorted/add", ["base", "scale"]),
        ] {
            // What lies sorted has a function at least, and at most 8.
            if name.starts_with("sorted/") && (derivative > order || order > 7) {
                continue;
            }
            for pick in 0..4 {
                let flags: Vec<&str> =
                    (0..2).filter(|bit| pick >> bit & 1 == 1).map(|bit| all[bit]).collect();
                let name = format!("kan/{name}");
                let constants =
                    [("KAN_ORDER", Constant::U32(order)), ("KAN_DERIVATIVE", Constant::U32(derivative))];
                let composed = compose(Root::Named(&name), &flags, &constants).unwrap();
                let validated =
                    validate(&composed).unwrap_or_else(|error| panic!("{name} {flags:?}: {error}"));
                assert_eq!(validated.module.entry_points.len(), 1);
                #[cfg(feature = "writers")]
                {
                    use knotwork_shaders::writers::{hlsl, msl, spirv};
                    spirv(&validated, Some("main")).unwrap();
                    msl(&validated, Some("main")).unwrap();
                    hlsl(&validated, Some("main")).unwrap();
                }
            }
        }
    }
}

/// Composes, validates and writes a kernel.
fn check(name: &str, flags: &[&str], constants: &[(&str, Constant)]) {
    let composed = compose(Root::Named(name), flags, constants).unwrap();
    let validated = validate(&composed).unwrap_or_else(|error| panic!("{name} {flags:?}: {error}"));
    assert_eq!(validated.module.entry_points.len(), 1);
    #[cfg(feature = "writers")]
    {
        use knotwork_shaders::writers::{hlsl, msl, spirv};
        spirv(&validated, Some("main")).unwrap();
        msl(&validated, Some("main")).unwrap();
        hlsl(&validated, Some("main")).unwrap();
    }
}

#[test]
fn every_basis_goes_into_every_kernel() {
    for derivative in [0, 1, 3] {
        let common = [("KAN_DERIVATIVE", Constant::U32(derivative))];
        for basis in ["", "rbf", "fourier", "relu_kan", "bernstein", "bspline"] {
            let mut constants = common.to_vec();
            if basis != "bspline" {
                constants.push(("KAN_TABLE", Constant::U32(8)));
            }
            if basis == "bernstein" {
                constants.push(("KAN_COUNT", Constant::U32(5)));
            }
            for name in ["kan/values", "kan/contract"] {
                check(name, &[basis], &constants);
            }
            let names = ["forward", "row", "input", "input_tile", "coefficients", "tile", "transposed"];
            for name in names.map(|name| format!("kan/dense/{name}")) {
                let name = name.as_str();
                for flags in [&[basis][..], &[basis, "base"], &[basis, "base", "scale"], &[basis, "scale"]] {
                    check(name, flags, &constants);
                    if ["kan/dense/row", "kan/dense/tile", "kan/dense/transposed"].contains(&name) {
                        check(name, &[flags, &["fours"]].concat(), &constants);
                    }
                }
            }
        }
    }
}

#[test]
fn every_variant_of_the_wavelet_kernels_is_valid() {
    for frequency in [0.0, 5.0] {
        let constants = [
            ("FREQUENCY", Constant::F32(frequency)),
            ("DERIVATIVE", Constant::U32(3)),
            ("POWER", Constant::U32(2)),
        ];
        for name in ["forward", "row", "input", "parameters"].map(|name| format!("kan/wavelet/{name}")) {
            for flags in [&[][..], &["weighted"]] {
                check(&name, flags, &constants);
            }
        }
    }
}
