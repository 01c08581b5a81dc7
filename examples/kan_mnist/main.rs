//! MNIST: a KAN of 784 inputs beside MLPs.
//!
//! 5,000 of MNIST's digits, 28 x 28 pixels; every fifth is held out. A [784, 64, 10] KAN of cubic splines and two MLPs, one
//! with the same hidden width and one with as many parameters, are trained by AdamW with a cosine schedule, batches of 64. `--images` and `--labels` take the whole of MNIST, or any other set in its format (IDX, gzipped).
//!
//!     cargo run --release --example kan_mnist -- --device cpu --seed 1

pub mod idx;

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use knotwork::{
    nn::{AdamW, Dataset, Kan, Schedule, Trainer},
    prelude::*,
};
use knotwork_examples::{Common, data, mlp, parameters};
use serde_json::json;

const BATCH: usize = 64;
/// The hidden width of the KAN and of one MLP.
const HIDDEN: usize = 64;
const GRID: usize = 3;
/// Learning rate and weight decay that suit a KAN, and an MLP.
const KAN: (f64, f64) = (1e-3, 1.0);
const MLP: (f64, f64) = (3e-3, 0.1);

/// Trains a KAN and two MLPs on MNIST.
#[derive(Debug, Parser)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Epochs of each network.
    #[arg(long, default_value_t = 30)]
    epochs: u64,
    /// The images.
    #[arg(long, value_name = "FILE", default_value_os_t = data("mnist5k-images-idx3-ubyte.gz"))]
    images: PathBuf,
    /// Their labels.
    #[arg(long, value_name = "FILE", default_value_os_t = data("mnist5k-labels-idx1-ubyte.gz"))]
    labels: PathBuf,
}

/// What is trained.
#[derive(Clone, Copy)]
enum Network {
    Kan,
    /// Of that hidden width.
    Mlp(usize),
}

fn main() -> Result<()> {
    run(&Arguments::parse())
}

/// Everything that the example does.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.common.open()?;
    let digits = idx::dataset(&arguments.images, &arguments.labels)?;
    let (train, test) = digits.split_every(5)?;
    println!(
        "data        {} digits of {} pixels to learn from, {} to test with",
        train.len(),
        train.width(),
        test.len()
    );
    let width = train.width();
    // Splines of an edge, and its base weight.
    let parameters = (width + 10) * HIDDEN * (GRID + 3 + 1);
    let equal = (parameters - 10) / (width + 1 + 10);
    let mut rows = Vec::new();
    for network in [Network::Kan, Network::Mlp(HIDDEN), Network::Mlp(equal)] {
        rows.push(learn(arguments, &device, network, &train, &test)?);
    }
    let figures = json!({
        "epochs": arguments.epochs,
        "kan_accuracy": rows[0]["accuracy"],
        "mlp_accuracy": rows[1]["accuracy"],
        "networks": rows,
    });
    arguments.common.write(&device, &figures)
}

/// Trains and tests a network.
fn learn(
    arguments: &Arguments,
    device: &Device,
    network: Network,
    train: &Dataset,
    test: &Dataset,
) -> Result<serde_json::Value> {
    let (width, seed) = (train.width(), arguments.common.seed);
    let g = Graph::new();
    let batch = Dim::named("batch");
    let x = g.input("x", DType::F32, [batch.clone(), width.into()])?;
    let labels = g.input("labels", DType::I32, [batch])?;
    let (name, (rate, decay), logits) = match network {
        Network::Kan => {
            let model = Kan::new(&g, "kan", [width, HIDDEN, 10])
                .grid(GRID)
                .range(-2, 2)
                .layer_range(1, -4, 4)
                .seed(seed)
                .build()?;
            (format!("KAN {:?}", model.widths()), KAN, model.forward(&x)?)
        }
        Network::Mlp(hidden) => {
            let widths = [width, hidden, 10];
            (format!("MLP {widths:?}"), MLP, mlp(&x, "mlp", &widths, seed, 2f64.sqrt(), Tensor::relu)?)
        }
    };
    let loss = logits.cross_entropy(&labels)?;
    let step = AdamW::new(rate).weight_decay(decay).minimize(&loss)?;
    let program = device.compile(&g, &[&loss], &[&step])?;
    let mut predict = program.sibling(&[&logits], &[])?;
    let parameters = parameters(&program);
    let steps = arguments.epochs * train.len().div_ceil(BATCH) as u64;
    let mut trainer = Trainer::new(program, "x", "labels")
        .epochs(arguments.epochs)
        .batch(BATCH)
        .seed(seed)
        .schedule("adamw.lr", Schedule::cosine(rate, steps))
        .progress(false);
    let start = Instant::now();
    trainer.fit(train)?;
    let seconds = start.elapsed().as_secs_f64() / arguments.epochs.max(1) as f64;
    let accuracy = accuracy(&mut predict, test)?;
    println!("{name:<18} {accuracy:.4} right; {parameters} parameters, {seconds:.2} s an epoch");
    Ok(json!({
        "name": name, "accuracy": accuracy, "parameters": parameters, "seconds_per_epoch": seconds,
    }))
}

/// The share of digits that are read right.
fn accuracy(predict: &mut Program, test: &Dataset) -> Result<f64> {
    let whole = test.whole()?;
    let found = predict.run([("x", &whole.x)])?.wait()?;
    let logits = found.first().context("the program has one output")?.as_slice::<f32>()?;
    let labels = whole.y.as_slice::<i32>()?;
    ensure!(logits.len() == labels.len() * 10, "{} logits for {} digits", logits.len(), labels.len());
    let right = logits.chunks(10).zip(labels).filter(|(row, label)| {
        (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])) == usize::try_from(**label).ok()
    });
    Ok(right.count() as f64 / labels.len().max(1) as f64)
}
