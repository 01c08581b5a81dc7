//! What a `tracing` subscriber sees of a run on a GPU. Alone in its file: which spans are wanted is remembered for the
//! whole process, so tests beside it would disturb it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use knotwork_core::{DType, Graph, HostTensor};
use knotwork_gpu::Options;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Keeps the name of every span with its fields.
struct Keeper(Arc<Mutex<Vec<String>>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target().starts_with("knotwork")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = span.metadata().name().to_owned();
        span.record(&mut Fields(&mut text));
        self.0.lock().unwrap().push(text);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_run_is_written_encoded_submitted_and_read_in_spans() {
    let spans = Arc::new(Mutex::new(Vec::new()));
    // Kernels are compiled on other threads, which see only the global subscriber.
    tracing::subscriber::set_global_default(Keeper(spans.clone())).unwrap();
    let device = knotwork_gpu::open(&Options::default()).expect("a GPU driver: `cargo xtask setup`");
    let g = Graph::new();
    let y = g.input("x", DType::F32, [77]).unwrap().asinh().unwrap().sin().unwrap();
    let mut program = device.compile(&g, &[&y], &[]).unwrap();
    program.run([("x", HostTensor::zeros(DType::F32, [77]))]).unwrap().wait().unwrap();
    let spans = spans.lock().unwrap();
    for wanted in [
        "plan ",
        "prepare dispatches=1",
        "compile kernel=",
        "run steps=1",
        "write feeds=1",
        "encode dispatches=1",
        "submit",
        "read bytes=",
    ] {
        assert!(spans.iter().any(|s| s.starts_with(wanted)), "`{wanted}` is not in {spans:#?}");
    }
}
