//! A KAN fitted to the cars of four parts.

use anyhow::{Context, Result};
use knotwork::{
    nn::{AdamW, Kan, Schedule, Trainer},
    prelude::*,
};

use super::folds::Fold;

/// Half the range of the grid, in standard deviations, and its intervals.
pub const RANGE: f64 = 2.5;
const GRID: usize = 5;
const BATCH: usize = 32;
const RATE: f64 = 1e-2;
/// With so few cars a spline would follow single ones if its coefficients did not decay.
const DECAY: f64 = 0.3;

/// What a KAN of these widths predicts.
pub fn predict(device: &Device, fold: &Fold, widths: &[usize], epochs: u64, seed: u64) -> Result<Vec<f64>> {
    let (_, mut program) = train(device, fold, widths, epochs, seed)?;
    let found = program.run([("x", &fold.test.whole()?.x)])?.wait()?;
    Ok(fold.in_unit(found.first().context("the program has one output")?.to_f64().into_iter()))
}

/// The network and the program that predicts.
pub fn train(
    device: &Device,
    fold: &Fold,
    widths: &[usize],
    epochs: u64,
    seed: u64,
) -> Result<(Kan, Program)> {
    let g = Graph::new();
    let batch = Dim::named("batch");
    let x = g.input("x", DType::F32, [batch.clone(), fold.train.width().into()])?;
    let y = g.input("y", DType::F32, [batch, 1.into()])?;
    let model = Kan::new(&g, "kan", widths).grid(GRID).range(-RANGE, RANGE).bias(true).seed(seed).build()?;
    let out = model.forward(&x)?;
    let loss = out.mse_loss(&y)?;
    let step = AdamW::new(RATE).weight_decay(DECAY).minimize(&loss)?;
    let program = device.compile(&g, &[&loss], &[&step])?;
    let predict = program.sibling(&[&out], &[])?;
    let steps = epochs * fold.train.len().div_ceil(BATCH) as u64;
    Trainer::new(program, "x", "y")
        .epochs(epochs)
        .batch(BATCH)
        .seed(seed)
        .schedule("adamw.lr", Schedule::cosine(RATE, steps))
        .progress(false)
        .fit(&fold.train)?;
    Ok((model, predict))
}
