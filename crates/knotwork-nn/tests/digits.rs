//! Handwritten digits: data, a KAN, an optimizer and the loop together learn something real.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

use std::path::Path;

use knotwork_core::{DType, Device, Dim, Graph};
use knotwork_nn::{AdamW, Csv, Kan, Linear, Schedule, Trainer};

fn accuracy(logits: &[f32], labels: &[i32]) -> f64 {
    let right = logits.chunks(10).zip(labels).filter(|(row, label)| {
        let best = (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b]));
        best == usize::try_from(**label).ok()
    });
    right.count() as f64 / labels.len() as f64
}

/// The test accuracy after a few epochs.
fn learn(kan: bool) -> f64 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/digits.csv");
    let data = Csv::new(path).classes("digit", 10).read().unwrap().rescale((0.0, 16.0), (-1.0, 1.0)).unwrap();
    let (train, test) = data.split_every(5).unwrap();
    assert_eq!((train.len(), test.len()), (1437, 360));
    let g = Graph::new();
    let batch = Dim::named("batch");
    let x = g.input("x", DType::F32, [batch.clone(), 64.into()]).unwrap();
    let labels = g.input("labels", DType::I32, [batch]).unwrap();
    let logits = if kan {
        Kan::new(&g, "kan", [64, 32, 10]).grid(3).order(3).seed(7).build().unwrap().forward(&x).unwrap()
    } else {
        let hidden = Linear::new(&g, "hidden", 64, 32).gain(2f64.sqrt()).seed(7).build().unwrap();
        let head = Linear::new(&g, "head", 32, 10).seed(7).build().unwrap();
        head.forward(&hidden.forward(&x).unwrap().relu().unwrap()).unwrap()
    };
    let loss = logits.cross_entropy(&labels).unwrap();
    let step = AdamW::new(1e-2).weight_decay(1e-3).clip_norm(1.0).minimize(&loss).unwrap();
    let program = Device::cpu().compile(&g, &[&loss], &[&step]).unwrap();
    let mut predict = program.sibling(&[&logits], &[]).unwrap();
    let steps = 12 * 1437u64.div_ceil(64);
    let mut trainer = Trainer::new(program, "x", "labels").epochs(12).batch(64).progress(false);
    trainer = trainer.schedule("adamw.lr", Schedule::cosine(1e-2, steps).warmup(10));
    trainer.fit(&train).unwrap();
    let whole = test.whole().unwrap();
    let out = predict.run([("x", &whole.x)]).unwrap().wait().unwrap();
    accuracy(out[0].as_slice::<f32>().unwrap(), whole.y.as_slice::<i32>().unwrap())
}

#[test]
fn a_kan_learns_digits() {
    let accuracy = learn(true);
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn two_linear_layers_learn_digits() {
    let accuracy = learn(false);
    assert!(accuracy > 0.93, "{accuracy}");
}
