//! MNIST: all networks learn to read, and a file that is no IDX file is refused by its name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../kan_mnist/main.rs"]
#[allow(dead_code, reason = "the program around the run")]
mod example;

mod figures;

use std::{io::Write, path::Path};

use clap::Parser;
use flate2::{Compression, write::GzEncoder};

#[test]
fn all_networks_learn_to_read() {
    let (figures, _) = figures::of(|[json, file, ..]| {
        let all = ["kan_mnist", "--device", "cpu", "--epochs", "3"].map(String::from);
        example::run(&example::Arguments::parse_from(all.into_iter().chain([json, file])))
    });
    let networks = figures["networks"].as_array().unwrap();
    let number = |k: usize, key: &str| networks[k][key].as_f64().unwrap();
    for k in 0..3 {
        // One of ten by chance.
        assert!((0.8..1.0).contains(&number(k, "accuracy")), "{figures}");
    }
    assert_eq!(figures["kan_accuracy"], networks[0]["accuracy"]);
    // 784 * 64 + 64 * 10 edges of 6 splines and a base weight.
    assert_eq!(networks[0]["parameters"], 50_816 * 7);
    assert!((number(2, "parameters") / number(0, "parameters") - 1.0).abs() < 0.01, "{figures}");
}

fn gzip(path: &Path, bytes: &[u8]) {
    let mut file = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    file.write_all(bytes).unwrap();
    file.finish().unwrap();
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Two images of 1 x 3 pixels, and their labels.
    gzip(&path("images"), &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 255, 0, 51, 0, 0]);
    gzip(&path("labels"), &[0, 0, 8, 1, 0, 0, 0, 2, 7, 0]);
    gzip(&path("three"), &[0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 1]);
    gzip(&path("short"), &[0, 0, 8, 1, 0, 0, 0, 2, 7]);
    gzip(&path("huge"), &[0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]);
    gzip(&path("eleven"), &[0, 0, 8, 1, 0, 0, 0, 2, 11, 0]);
    std::fs::write(path("plain"), [0, 0, 8, 1, 0, 0, 0, 2, 7, 0]).unwrap();
    let data = example::idx::dataset(&path("images"), &path("labels")).unwrap();
    assert_eq!((data.len(), data.width()), (2, 3));
    assert_eq!(data.features()[..3], [-1.0, 1.0, -1.0]);
    assert!((data.features()[3] + 0.6).abs() < 1e-6);
    let refused = |images: &str, labels: &str, why: &str| {
        let error = format!("{:#}", example::idx::dataset(&path(images), &path(labels)).unwrap_err());
        assert!(error.contains(why), "{error}");
    };
    refused("images", "three", "2 images in ");
    refused("images", "short", "short should hold [2] bytes and holds 1");
    refused("huge", "labels", "huge should hold [4294967295, 4294967295, 4294967295] bytes and holds 0");
    refused("images", "images", "images is no IDX file of bytes in 1 dimensions");
    refused("images", "plain", "plain cannot be unpacked: invalid gzip header");
    refused("images", "missing", "missing cannot be opened: ");
    refused("images", "eleven", "row 0 has class 11, outside 0..10");
}
