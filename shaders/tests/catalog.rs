//! Every shader file is in the table, and every one composes, validates and can be written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

use knotwork_shaders::{Root, SHADERS, compose, validate};
use pretty_assertions::assert_eq;
use std::{fs, path::Path};

fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() && name != "target" {
            walk(&path, &format!("{prefix}{name}/"), names);
        } else if let Some(stem) = name.strip_suffix(".wgsl") {
            names.push(format!("{prefix}{stem}"));
        }
    }
}

#[test]
fn the_table_holds_every_file_and_is_sorted() {
    let mut files = Vec::new();
    walk(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut files);
    files.sort();
    let table: Vec<&str> = SHADERS.iter().map(|(name, _)| *name).collect();
    assert_eq!(table, files, "src/catalog.rs (left) and the .wgsl files of the crate (right)");
}

/// Kernels for cooperative matrices, which browsers and HLSL lack.
const MATRICES: &str = "matmul/cooperative/";

#[test]
fn every_shader_composes_and_validates() {
    for (name, _) in SHADERS {
        let composed = compose(Root::Named(name), &[], &[]).unwrap_or_else(|error| panic!("{error}"));
        validate(&composed).unwrap_or_else(|error| panic!("{error}"));
        let browser = composed.for_browser();
        if name.starts_with(MATRICES) {
            assert!(browser.is_err(), "{name}: a browser has no cooperative matrices");
        } else {
            browser.unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

#[test]
fn kernels_stay_short_enough_to_read() {
    for (name, text) in SHADERS {
        assert!(text.lines().count() <= 250, "{name} has {} lines", text.lines().count());
    }
}

#[cfg(feature = "writers")]
#[test]
fn every_shader_can_be_written_for_every_driver() {
    use knotwork_shaders::writers::{hlsl, msl, spirv};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    for (name, _) in SHADERS {
        let validated = validate(&compose(Root::Named(name), &[], &[]).unwrap()).unwrap();
        let entries: Vec<Option<&str>> = match validated.module.entry_points.as_slice() {
            [] => vec![None],
            points => points.iter().map(|point| Some(point.name.as_str())).collect(),
        };
        for entry in entries {
            let written = catch_unwind(AssertUnwindSafe(|| {
                spirv(&validated, entry).unwrap_or_else(|error| panic!("{name}: {error}"));
                msl(&validated, entry).unwrap_or_else(|error| panic!("{name}: {error}"));
                if !name.starts_with(MATRICES) {
                    hlsl(&validated, entry).unwrap_or_else(|error| panic!("{name}: {error}"));
                }
            }));
            assert!(written.is_ok(), "{name}: a writer panicked");
        }
    }
}

#[test]
fn optimizers_compose_with_every_flag() {
    let flags: [(&str, &[&[&str]]); 2] = [
        ("optimizer/adam", &[&["scaled"]]),
        ("optimizer/sgd", &[&["scaled"], &["momentum"], &["scaled", "momentum"]]),
    ];
    for (name, sets) in flags {
        for set in sets {
            let composed = compose(Root::Named(name), set, &[]).unwrap_or_else(|error| panic!("{error}"));
            validate(&composed).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
