//! The catalogue in `docs/` is what the registry says, and has all that `cases/reference.py` defines.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::{collections::BTreeMap, path::Path};

use kernels_test::operations::{Named, Refusal, build};
use knotwork::ops::elementwise::activations;
use pretty_assertions::assert_eq;
use serde_json::Value;

#[test]
fn the_catalogue_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let expected = kernels_test::catalogue::document().unwrap();
    assert_eq!(
        written, expected,
        "docs/operations.md is out of date: `cargo run --release -p kernels-test -- operations` writes it"
    );
}

fn reference() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/reference.py")).unwrap()
}

/// A line of the reference's table is `"name": ({"attribute": default}, lambda ...`.
fn activation(line: &str) -> Option<(String, BTreeMap<String, f64>)> {
    let (name, rest) = line.trim().strip_prefix('"')?.split_once("\": (")?;
    let (attributes, _) = rest.split_once(", lambda")?;
    let attributes: Value = serde_json::from_str(attributes).unwrap();
    let number = |(name, value): (&String, &Value)| (name.clone(), value.as_f64().unwrap());
    Some((name.to_owned(), attributes.as_object().unwrap().iter().map(number).collect()))
}

#[test]
fn every_activation_of_the_reference_is_there_with_its_defaults() {
    let text = reference();
    let defined: BTreeMap<String, BTreeMap<String, f64>> = text.lines().filter_map(activation).collect();
    assert_eq!(defined.len(), 58);
    let ours: BTreeMap<String, BTreeMap<String, f64>> = activations()
        .map(|row| {
            let attributes = row.attributes.iter().map(|a| (a.name.to_owned(), a.default)).collect();
            (row.name.to_owned(), attributes)
        })
        .collect();
    assert_eq!(ours, defined);
}

#[test]
fn every_operation_of_the_reference_is_known() {
    let text = reference();
    let lines: Vec<&str> = text.lines().collect();
    let marked =
        lines.windows(2).filter(|pair| pair[0] == "@op").filter_map(|pair| pair[1].strip_prefix("def "));
    let mut names: Vec<&str> = marked.filter_map(|rest| rest.split('(').next()).collect();
    names.extend(lines.iter().filter_map(|line| line.strip_prefix("OPS[\"")?.split('"').next()));
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let refusal = build(name, &Named::new(), &Value::Object(serde_json::Map::new())).unwrap_err();
        assert!(matches!(refusal, Refusal::Failed(_)), "{name}: {refusal:?}");
    }
}
