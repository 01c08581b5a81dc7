//! The loop: resumed runs give the same bits, and numbers that are not finite stop it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic of a test is its report")]

use std::{ops::ControlFlow, path::Path};

use knotwork_core::{DType, Device, Dim, Graph, HostTensor, Program};
use knotwork_nn::{
    AdamW, CheckpointError, Dataset, Error, Generator, Labels, Schedule, Sgd, TrainError, Trainer,
};

/// A linear model of two outputs under squared loss.
fn program(poison: bool) -> Program {
    let g = Graph::new();
    let batch = Dim::named("batch");
    let x = g.input("x", DType::F32, [batch.clone(), 3.into()]).unwrap();
    let y = g.input("y", DType::F32, [batch.clone(), 2.into()]).unwrap();
    let w = g.parameter("w", Generator::new(1).kaiming_uniform(&[2, 3], 3, 1.0).unwrap()).unwrap();
    let b = g.parameter("b", HostTensor::zeros(DType::F32, [2])).unwrap();
    let products = x.reshape([batch, 1.into(), 3.into()]).unwrap().mul(&w).unwrap();
    let out = products.sum(&[-1], false).unwrap().add(&b).unwrap();
    let out = if poison { out.log().unwrap() } else { out };
    let loss = out.sub(&y).unwrap().square().unwrap().mean(&[0, 1], false).unwrap();
    let step = AdamW::new(1e-2).clip_norm(1.0).minimize(&loss).unwrap();
    Device::cpu().compile(&g, &[&loss], &[&step]).unwrap()
}

fn data(rows: usize) -> Dataset {
    let x = Generator::new(2).uniform(&[rows, 3], -1.0, 1.0).unwrap();
    let y = Generator::new(3).uniform(&[rows, 2], -1.0, 1.0).unwrap();
    let values = y.as_slice::<f32>().unwrap().to_vec();
    Dataset::new(x.as_slice::<f32>().unwrap().to_vec(), 3, Labels::Values { values, width: 2 }).unwrap()
}

fn trainer(epochs: u64) -> Trainer {
    let schedule = Schedule::cosine(3e-2, 40).warmup(3).floor(1e-4);
    Trainer::new(program(false), "x", "y")
        .epochs(epochs)
        .batch(8)
        .seed(11)
        .schedule("adamw.lr", schedule)
        .config(serde_json::json!({ "widths": [3, 2] }))
        .progress(false)
}

fn bits(t: &Trainer) -> Vec<(String, Vec<u8>)> {
    let params = t.program().params();
    params
        .list()
        .into_iter()
        .map(|i| (i.name.clone(), params.get(&i.name).unwrap().device_bytes().to_vec()))
        .collect()
}

#[test]
fn a_resumed_run_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let data = data(37);
    let mut whole = trainer(4);
    whole.fit(&data).unwrap();
    let mut first = trainer(2).checkpoint(&path, 1);
    first.fit(&data).unwrap();
    assert_ne!(bits(&first), bits(&whole));
    // Another seed, schedule and start: all that matters comes from the file.
    let mut second = Trainer::new(program(false), "x", "y").epochs(4).batch(8).seed(99).progress(false);
    second.resume(&path).unwrap();
    assert_eq!((second.epoch(), second.steps()), (2, 10));
    second.fit(&data).unwrap();
    assert_eq!(bits(&second), bits(&whole));
    assert_eq!(bits(&whole).len(), 7, "w, b, their moments and the step");
    assert_eq!(second.losses(), whole.losses());
    assert_eq!(whole.losses().len(), 20);
}

#[test]
fn a_run_stopped_within_an_epoch_goes_on_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let rows = data(37);
    let mut whole = trainer(3);
    whole.fit(&rows).unwrap();
    let mut first = trainer(3);
    first.fit_steps(&rows, 7).unwrap();
    first.save(&path).unwrap();
    let mut second = trainer(3);
    second.resume(&path).unwrap();
    assert_eq!((second.epoch(), second.steps()), (1, 7));
    second.fit(&rows).unwrap();
    assert_eq!(bits(&second), bits(&whole));
}

#[test]
fn a_loss_that_is_not_finite_stops_before_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    trainer(1).checkpoint(&path, 1).fit(&data(16)).unwrap();
    let good = std::fs::read(&path).unwrap();
    // log of negative values is NaN.
    let mut bad = Trainer::new(program(true), "x", "y").batch(8).progress(false).checkpoint(&path, 1);
    let e = bad.fit(&data(16)).unwrap_err();
    assert!(matches!(e, Error::Train(TrainError::NonFiniteLoss { epoch: 0, step: 0, .. })), "{e}");
    assert_eq!(std::fs::read(&path).unwrap(), good);
}

#[test]
fn weights_that_are_not_finite_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("batch"), 1.into()]).unwrap();
    let y = g.input("y", DType::F32, [Dim::named("batch"), 1.into()]).unwrap();
    let w = g.parameter("w", HostTensor::new(&[0.0f32], [1]).unwrap()).unwrap();
    // The value at 0 is finite, the gradient of the root is not.
    let loss = x.mul(&w).unwrap().add(&y).unwrap().sqrt().unwrap().mean(&[0, 1], false).unwrap();
    let step = Sgd::new(1.0).minimize(&loss).unwrap();
    let program = Device::cpu().compile(&g, &[&loss], &[&step]).unwrap();
    let rows = Dataset::new(vec![1.0], 1, Labels::Values { values: vec![0.0], width: 1 }).unwrap();
    let mut t = Trainer::new(program, "x", "y").progress(false).checkpoint(&path, 1);
    let e = t.fit(&rows).unwrap_err();
    let Error::Train(TrainError::NonFiniteWeights { epoch: 0, step: 1, source }) = e else { panic!("{e}") };
    assert!(matches!(*source, CheckpointError::NotFinite { ref name, .. } if name == "w"));
    assert!(!Path::new(&path).exists());
}

#[test]
fn reports_losses_and_early_stops() {
    let mut reports = Vec::new();
    let mut t = trainer(5).read_every(3);
    t.fit_with(&data(37), |r| {
        reports.push(*r);
        Ok(if r.epoch == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
    .unwrap();
    assert_eq!(reports.iter().map(|r| (r.epoch, r.step)).collect::<Vec<_>>(), [(0, 5), (1, 10)]);
    assert!(reports[1].loss < reports[0].loss);
    assert_eq!(t.losses().iter().map(|l| l.0).collect::<Vec<_>>(), [0, 3, 4, 6, 9]);
}

#[test]
fn settings_without_sense_are_refused() {
    let empty = Dataset::new(Vec::new(), 3, Labels::Values { values: Vec::new(), width: 2 }).unwrap();
    assert!(matches!(trainer(1).fit(&empty).unwrap_err(), Error::Train(TrainError::NoData)));
    assert!(trainer(0).fit(&data(3)).unwrap_err().to_string().contains("epochs must be at least 1"));
    assert!(trainer(1).batch(0).fit(&data(3)).unwrap_err().to_string().contains("batch must be at least 1"));
    let e = trainer(1).schedule("no.lr", Schedule::constant(0.1)).fit(&data(3)).unwrap_err();
    assert!(e.to_string().contains("no scalar `no.lr`"), "{e}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    trainer(1).checkpoint(&path, 1).fit(&data(3)).unwrap();
    let e = trainer(1).config(serde_json::json!({ "widths": [3, 3] })).resume(&path).unwrap_err();
    assert!(matches!(e, Error::Train(TrainError::OtherConfig { .. })), "{e}");
}
