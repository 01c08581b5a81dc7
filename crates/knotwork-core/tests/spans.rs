//! What a `tracing` subscriber sees of planning and running.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::{
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use knotwork_core::{DType, Device, Graph, HostTensor};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::with_default,
};

/// Keeps the name of every span with its fields, as `name field=value`, in the order in which they began.
#[derive(Clone, Default)]
struct Keeper {
    spans: Arc<Mutex<Vec<String>>>,
    next: Arc<AtomicU64>,
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = span.metadata().name().to_owned();
        span.record(&mut Fields(&mut text));
        self.spans.lock().unwrap().push(text);
        Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.spans.lock().unwrap()[span.into_u64() as usize - 1]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn planning_preparing_and_running_are_spans() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4]).unwrap();
    let y = x.exp().unwrap().sum(&[0], false).unwrap();
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let feed = HostTensor::zeros(DType::F32, [4]);
    let keeper = Keeper::default();
    with_default(keeper.clone(), || {
        program.run([("x", &feed)]).unwrap().wait().unwrap();
    });
    let first = std::mem::take(&mut *keeper.spans.lock().unwrap());
    let plan = first.iter().find(|s| s.starts_with("plan ")).expect("a span of the plan");
    for field in ["device=\"cpu\"", "nodes=3", "steps=2", "dispatches=0", "arena_bytes="] {
        assert!(plan.contains(field), "`{field}` is not in `{plan}`");
    }
    for name in ["bind", "rewrite", "fuse", "order", "lower", "assign_memory"] {
        assert!(first.contains(&format!("pass name=\"{name}\"")), "`{name}` is not in {first:#?}");
    }
    for span in
        ["prepare steps=2", "run steps=2", "write feeds=1", "step index=0 op=\"exp\"", "read outputs=1"]
    {
        assert!(first.iter().any(|s| s == span), "`{span}` is not in {first:#?}");
    }
    // The second run neither plans nor prepares.
    let keeper = Keeper::default();
    with_default(keeper.clone(), || {
        program.run([("x", &feed)]).unwrap().wait().unwrap();
    });
    let second = keeper.spans.lock().unwrap();
    assert!(second.iter().any(|s| s.starts_with("run ")), "{second:#?}");
    assert!(second.iter().all(|s| !s.starts_with("plan ") && !s.starts_with("prepare ")), "{second:#?}");
}
