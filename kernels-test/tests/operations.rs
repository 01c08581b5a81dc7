//! The catalogue in `docs/` is what the registry says.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::path::Path;

use pretty_assertions::assert_eq;

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
