//! A KAN learns to read handwritten digits.
//!
//! 1,797 digits of 8 x 8 pixels; every fifth row, from the first, is the test set. A [64, 32, 10] cubic KAN is trained
//! with AdamW and a cosine schedule; forward, backward and update are one program. Afterwards `target/kan_digits/` holds
//! the loss curve, a sheet of learned edge functions, the confusion matrix and a checkpoint.
//!
//!     cargo run --release --example kan_digits -- --device cpu --seed 3

mod report;

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use knotwork::{
    nn::{AdamW, Csv, Dataset, Kan, Schedule, Trainer},
    prelude::*,
};
use knotwork_examples::{data, device_name, per_step};
use serde_json::json;

const BATCH: usize = 64;
const GRID: usize = 3;
const ORDER: usize = 3;
const RATE: f64 = 1e-2;
const DECAY: f64 = 0.1;

/// Trains a [64, 32, 10] cubic KAN on handwritten digits.
#[derive(Debug, Parser)]
struct Arguments {
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
    /// Epochs in all, those of a resumed checkpoint included.
    #[arg(long, default_value_t = 40)]
    epochs: u64,
    /// The seed of the initial values and of the shuffling.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Goes on from a checkpoint.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Writes the figures of the run as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The folder for pictures and the checkpoint.
    #[arg(long, value_name = "DIR", default_value = "target/kan_digits")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let device = knotwork::open_device(arguments.device.as_deref())?;
    println!("device      {}", device_name(device.info()));

    // Pixels are 0..16; the grid spans -1..1.
    let digits =
        Csv::new(data("digits.csv")).classes("digit", 10).read()?.rescale((0.0, 16.0), (-1.0, 1.0))?;
    let (train, test) = digits.split_every(5)?;
    println!("data        {} digits to learn from, {} to test with", train.len(), test.len());

    let g = Graph::new();
    let batch = Dim::named("batch");
    let x = g.input("x", DType::F32, [batch.clone(), 64.into()])?;
    let labels = g.input("labels", DType::I32, [batch])?;
    let model = Kan::new(&g, "kan", [64, 32, 10]).grid(GRID).order(ORDER).seed(arguments.seed).build()?;
    let logits = model.forward(&x)?;
    let loss = logits.cross_entropy(&labels)?;
    let step = AdamW::new(RATE).weight_decay(DECAY).minimize(&loss)?;

    let program = device.compile(&g, &[&loss], &[&step])?;
    let mut predict = program.sibling(&[&logits], &[])?;
    let steps = arguments.epochs * train.len().div_ceil(BATCH) as u64;
    let checkpoint = arguments.out.join("checkpoint.safetensors");
    let config = json!({ "widths": [64, 32, 10], "grid": GRID, "order": ORDER, "basis": "bspline" });
    let mut trainer = Trainer::new(program, "x", "labels")
        .epochs(arguments.epochs)
        .batch(BATCH)
        .seed(arguments.seed)
        .schedule("adamw.lr", Schedule::cosine(RATE, steps))
        .config(config)
        .checkpoint(&checkpoint, 10);
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("the folder {} cannot be made", arguments.out.display()))?;
    if let Some(file) = &arguments.resume {
        trainer.resume(file)?;
        println!("resumed     {} at epoch {}, step {}", file.display(), trainer.epoch(), trainer.steps());
    }

    // The plan is made by the first run of each batch size; time what repeats.
    let from = trainer.steps();
    let mut first_loss = 0.0;
    let (counters, start) = (device.counters(), Instant::now());
    let mut last_loss = None;
    trainer.fit_with(&train, |epoch| {
        if epoch.epoch == 0 {
            first_loss = epoch.loss;
        }
        last_loss = Some(epoch.loss);
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let made = trainer.steps() - from;
    let (dispatches, submits) = per_step(counters, device.counters(), made);
    println!(
        "trained     {made} steps in {seconds:.2} s, {dispatches:.1} dispatches and {submits:.2} submits a step"
    );
    if let Some(loss) = last_loss {
        println!("loss        {loss:.4}");
    }

    let confusion = confusion(&mut predict, &test)?;
    let accuracy = report::accuracy(&confusion);
    println!("accuracy    {accuracy:.4} on the test set\n\n{}", report::table(&confusion));
    report::pictures(&arguments.out, &trainer, &model, &confusion)?;
    println!(
        "wrote       {}/ (loss.svg, edges.svg, confusion.svg, checkpoint.safetensors)",
        arguments.out.display()
    );

    if let Some(path) = &arguments.json {
        let figures = json!({
            "device": device_name(device.info()),
            "epochs": trainer.epoch(),
            "seed": arguments.seed,
            "grid": GRID,
            "test_accuracy": accuracy,
            "train_loss": last_loss,
            "seconds": seconds,
            "steps": made,
            "dispatches_per_step": dispatches,
            "submits_per_step": submits,
        });
        std::fs::write(path, format!("{figures:#}\n"))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// Rows: the digit that it is; columns: the digit that the model says.
fn confusion(predict: &mut Program, test: &Dataset) -> Result<Vec<Vec<u32>>> {
    let whole = test.whole()?;
    let logits = predict.run([("x", &whole.x)])?.wait()?;
    let logits = logits.first().context("the program has one output")?.as_slice::<f32>()?;
    let labels = whole.y.as_slice::<i32>()?;
    ensure!(logits.len() == labels.len() * 10, "{} logits for {} digits", logits.len(), labels.len());
    let mut confusion = vec![vec![0; 10]; 10];
    for (row, &label) in logits.chunks(10).zip(labels) {
        let best = (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
        confusion[label as usize][best] += 1;
    }
    Ok(confusion)
}
