//! The conformance runner, on the cases of this repository and on cases that must fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in tests a panic is the report")]

use std::{collections::HashMap, fs, path::PathBuf};

use kernels_test::{
    backends::{Backend, Selection},
    cases::{self, Report, Totals},
};
use knotwork::HostTensor;
use pretty_assertions::assert_eq;
use safetensors::{Dtype, serialize_to_file, tensor::TensorView};

fn dev() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases/dev")
}

fn on_cpu(folder: PathBuf) -> Report {
    cases::run(&[folder], &Selection::default(), &[Backend::cpu()], |_| {}).unwrap()
}

#[test]
fn every_case_holds_on_the_cpu() {
    let report = on_cpu(dev());
    let Totals { passed, failed } = report.totals("cpu", None);
    assert!(report.passed(), "{failed} failed: {:#?}", report.json()["cases"]);
    assert_eq!(passed, 141);
}

#[test]
fn a_folder_of_one_operation_is_a_folder_of_cases() {
    let report = on_cpu(dev().join("sum"));
    assert_eq!(report.totals("cpu", Some("sum")), Totals { passed: 3, failed: 0 });
}

/// A case of `op` over x = [1, 2] that expects these outputs and gradients.
fn one_case(name: &str, op: &str, outputs: &[(&str, [f32; 2])]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join(op)).unwrap();
    let mut tensors = vec![("in/x", [1.0f32, 2.0]), ("cot/y", [1.0, 1.0])];
    tensors.extend(outputs);
    let bytes: Vec<(&str, Vec<u8>)> =
        tensors.iter().map(|(n, v)| (*n, v.iter().flat_map(|x| x.to_le_bytes()).collect())).collect();
    let views = bytes.iter().map(|(n, b)| (*n, TensorView::new(Dtype::F32, vec![2], b).unwrap()));
    let case = format!(r#"{{"op": "{op}", "attrs": {{}}, "rtol": 1e-4, "atol": 1e-5}}"#);
    let header = HashMap::from([("case".to_owned(), case)]);
    serialize_to_file(views, Some(header), &folder.join(op).join("a.safetensors")).unwrap();
    folder
}

fn failures(folder: PathBuf) -> Vec<(String, String)> {
    on_cpu(folder).verdicts.remove(0).failures
}

#[test]
fn right_values_hold_and_each_wrong_one_is_named() {
    let right = ("out/y", [1.0, 2.0]);
    assert_eq!(failures(one_case("right", "relu", &[right, ("grad/x", [1.0, 1.0])])), []);
    let wrong = failures(one_case("wrong", "relu", &[("out/y", [1.0, 2.5]), ("grad/x", [0.0, 1.0])]));
    let named = [("out/y", "[1]: got 2e0, want 2.5e0"), ("grad/x", "[0]: got 1e0, want 0e0")];
    assert_eq!(wrong, named.map(|(tensor, message)| (tensor.to_owned(), message.to_owned())));
    let nan = failures(one_case("nan", "relu", &[("out/y", [1.0, f32::NAN])]));
    assert_eq!(nan.len(), 1, "NaN never holds");
}

#[test]
fn an_unknown_operation_fails() {
    let report = on_cpu(one_case("unknown", "frobnicate", &[("out/y", [0.0, 0.0])]));
    let message = "unknown operation `frobnicate`".to_owned();
    assert_eq!(report.verdicts[0].failures, [("case".to_owned(), message)]);
    assert!(!report.passed());
    assert!(report.to_string().ends_with("cpu: 0 passed, 1 failed\n"), "{report}");
}

#[test]
fn an_output_that_the_operation_has_not_fails() {
    let wrong = failures(one_case("output", "relu", &[("out/z", [1.0, 2.0])]));
    assert_eq!(wrong, [("case".to_owned(), "the operation has no output `z`".to_owned())]);
}

#[test]
fn a_file_that_is_no_case_is_named() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("broken");
    fs::create_dir_all(folder.join("relu")).unwrap();
    fs::write(folder.join("relu/broken.safetensors"), b"nothing of the kind").unwrap();
    let error = cases::run(&[folder], &Selection::default(), &[Backend::cpu()], |_| {}).unwrap_err();
    assert!(format!("{error:#}").contains("broken.safetensors"), "{error:#}");
    let missing = PathBuf::from("no/such/folder");
    let error = cases::run(&[missing], &Selection::default(), &[], |_| {}).unwrap_err();
    assert!(error.to_string().contains("no/such/folder"), "{error}");
}

#[test]
fn an_operation_without_cases_is_named() {
    let selection = Selection { ops: vec!["sum".into(), "summ".into()], ..Selection::default() };
    let error = cases::run(&[dev()], &selection, &[], |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "there is no case of an operation `summ`");
}

#[test]
fn shapes_that_differ_are_said() {
    let got = HostTensor::new(&[1.0f32], [1]).unwrap();
    let want = HostTensor::new(&[1.0f32, 1.0], [2]).unwrap();
    let error = kernels_test::compare(&got, &want, |_| 1.0).unwrap_err();
    assert_eq!(error, ": got shape [1], want [2]");
}
