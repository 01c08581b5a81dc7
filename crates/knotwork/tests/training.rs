//! The main job end to end, on every backend that this build has: a KAN trained as one program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod common;

use knotwork::{
    nn::{AdamW, Dataset, Kan, Labels, Schedule, Trainer},
    prelude::*,
};

use common::devices;

/// Points of a plane, by which of three rings they lie in.
fn rings() -> Dataset {
    let (mut points, mut classes) = (Vec::new(), Vec::new());
    for i in 0..70 {
        let (angle, class) = (i as f32 * 2.399, i % 3);
        let radius = 0.3 + 0.3 * class as f32;
        points.extend([radius * angle.cos(), radius * angle.sin()]);
        classes.push(class);
    }
    Dataset::new(points, 2, Labels::Classes { values: classes, classes: 3 }).unwrap()
}

fn trainer(device: &Device, epochs: u64) -> Trainer {
    let g = Graph::new();
    let batch = Dim::named("batch");
    let x = g.input("x", DType::F32, [batch.clone(), 2.into()]).unwrap();
    let labels = g.input("labels", DType::I32, [batch]).unwrap();
    let model = Kan::new(&g, "kan", [2, 6, 3]).grid(4).seed(5).build().unwrap();
    let loss = model.forward(&x).unwrap().cross_entropy(&labels).unwrap();
    let step = AdamW::new(2e-2).weight_decay(1e-3).clip_norm(1.0).minimize(&loss).unwrap();
    let program = device.compile(&g, &[&loss], &[&step]).unwrap();
    // 70 points in batches of 16: the last has 6.
    Trainer::new(program, "x", "labels")
        .epochs(epochs)
        .batch(16)
        .seed(3)
        .schedule("adamw.lr", Schedule::cosine(2e-2, 50))
        .progress(false)
}

fn values(t: &Trainer) -> Vec<(String, HostTensor)> {
    let params = t.program().params();
    params.list().into_iter().map(|p| (p.name.clone(), params.get(&p.name).unwrap())).collect()
}

#[test]
fn a_stopped_and_resumed_training_gives_the_same_bits() {
    let data = rings();
    let folder = tempfile::tempdir().unwrap();
    for (k, device) in devices().iter().enumerate() {
        let mut whole = trainer(device, 6);
        whole.fit(&data).unwrap();
        // Stopped in the middle of an epoch.
        let file = folder.path().join(format!("{k}.safetensors"));
        let mut first = trainer(device, 6);
        first.fit_steps(&data, 13).unwrap();
        first.save(&file).unwrap();
        drop(first);
        let mut second = trainer(device, 6);
        second.resume(&file).unwrap();
        second.fit(&data).unwrap();
        assert_eq!(whole.steps(), second.steps());
        for ((name, a), (_, b)) in values(&whole).iter().zip(values(&second)) {
            assert_eq!(a.device_bytes(), b.device_bytes(), "{name} on {}", device.info());
        }
        assert_eq!(whole.losses(), second.losses(), "on {}", device.info());
    }
}

#[test]
fn all_backends_learn_the_same() {
    let data = rings();
    let mut last = Vec::new();
    for device in devices() {
        let mut t = trainer(&device, 10);
        t.fit(&data).unwrap();
        let losses = t.losses();
        let (first, end) = (losses[0].1, losses[losses.len() - 1].1);
        assert!(end < 0.6 * first, "{first} to {end} on {}", device.info());
        last.push(end);
    }
    assert!(last.iter().all(|l| (l - last[0]).abs() < 1e-3), "{last:?}");
}

#[test]
fn a_step_is_one_submit_and_nothing_is_made_after_the_third() {
    let data = rings();
    for device in devices() {
        let mut t = trainer(&device, 8);
        // Both batch sizes have had their plans after the first epoch of five steps; then three more steps.
        t.fit_steps(&data, 8).unwrap();
        let before = device.counters();
        t.fit_steps(&data, 20).unwrap();
        let after = device.counters();
        let made = |c: knotwork::Counters| (c.buffers, c.bind_groups, c.pipelines);
        assert_eq!(made(before), made(after), "on {}", device.info());
        assert_eq!(after.submits - before.submits, 20, "on {}", device.info());
    }
}

#[test]
fn an_index_out_of_range_in_a_feed_is_refused_before_anything_runs() {
    for device in devices() {
        let g = Graph::new();
        let logits = g.input("logits", DType::F32, [2, 3]).unwrap();
        let target = g.input("target", DType::I32, [2]).unwrap();
        let w = g.parameter("w", HostTensor::zeros(DType::F32, [3])).unwrap();
        let loss = logits.add(&w).unwrap().cross_entropy(&target).unwrap();
        let step = AdamW::new(0.1).minimize(&loss).unwrap();
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
        let feeds = [
            ("logits", HostTensor::zeros(DType::F32, [2, 3])),
            ("target", HostTensor::new(&[1i32, 3], [2]).unwrap()),
        ];
        let error = program.run(feeds).unwrap_err().to_string();
        assert!(
            error.starts_with("input `target` holds index 3 at 1, outside 0..3 of `cross_entropy`"),
            "{error}"
        );
        assert!(error.contains("training.rs:"), "{error}");
        assert_eq!(program.params().get("w").unwrap(), HostTensor::zeros(DType::F32, [3]));
    }
}

#[test]
fn a_computed_index_out_of_range_is_clamped_counted_and_reported() {
    for device in devices() {
        let g = Graph::new();
        let logits = g.input("logits", DType::F32, [3, 2]).unwrap();
        let raw = g.input("raw", DType::F32, [3]).unwrap();
        let loss = logits.cross_entropy(&raw.mul(2.0).unwrap().cast(DType::I32).unwrap()).unwrap();
        let mut program = device.compile(&g, &[&loss], &[]).unwrap();
        let mut run = |raw: [f32; 3]| {
            let feeds = [
                ("logits", HostTensor::zeros(DType::F32, [3, 2])),
                ("raw", HostTensor::new(&raw, [3]).unwrap()),
            ];
            program.run(feeds).and_then(|run| run.wait())
        };
        assert!(run([0.0, 0.5, 0.0]).is_ok());
        let error = run([0.0, 4.0, -3.0]).unwrap_err().to_string();
        assert!(error.contains("cross_entropy") && error.contains("0..2"), "{error}");
        // The program goes on.
        assert!(run([0.5, 0.5, 0.5]).is_ok());
    }
}
