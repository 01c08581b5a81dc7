//! How far does a car go on a gallon? A KAN against a straight line, on real cars.
//!
//! 392 cars of 1970 to 1982: cylinders, displacement, horsepower, weight, acceleration, model year and origin give miles per
//! gallon; the column with their names is text and left out. A row with a gap would be refused, with its line; none is
//! dropped. The cars are dealt into five parts by the seed; each part is predicted by networks that saw the other four only
//! (features and target are standardised by those four), and the same is done with ordinary least squares in f64.
//! `target/kan_mpg/` gets the learned functions: what each feature does to the fuel use, from a [7, 1] KAN of all cars.
//!
//!     cargo run --release --example kan_mpg -- --device cpu --seed 1

pub mod folds;
pub mod linear;
mod network;
mod picture;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use knotwork::nn::Csv;
use knotwork_examples::{Common, data, folder, rmse};
use serde_json::json;

/// The hidden width of the second network.
const HIDDEN: usize = 8;

/// Predicts the fuel use of cars.
#[derive(Debug, Parser)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The table; it needs the column `mpg`, and `name` is left out.
    #[arg(long, value_name = "FILE", default_value_os_t = data("auto_mpg.csv"))]
    data: PathBuf,
    /// Passes over the cars of the other four parts.
    #[arg(long, default_value_t = 200)]
    epochs: u64,
    /// The folder for the picture.
    #[arg(long, value_name = "DIR", default_value = "target/kan_mpg")]
    out: PathBuf,
}

fn main() -> Result<()> {
    run(&Arguments::parse())
}

/// Everything that the example does.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.common.open()?;
    let cars = Csv::new(&arguments.data).targets(&["mpg"]).exclude(&["name"]).read()?;
    println!("data        {} cars, {} features: {}", cars.len(), cars.width(), cars.names().join(", "));
    let seed = arguments.common.seed;
    let widths: [&[usize]; 2] = [&[cars.width(), 1], &[cars.width(), HIDDEN, 1]];
    let mut held_out = folds::Predictions::default();
    for fold in folds::deal(&cars, seed)? {
        held_out.truth.extend(fold.truth()?);
        held_out.linear.extend(linear::predict(&fold)?);
        for (all, widths) in held_out.kans.iter_mut().zip(widths) {
            all.extend(network::predict(&device, &fold, widths, arguments.epochs, seed)?);
        }
    }
    let error = |predicted: &[f64]| rmse(predicted, &held_out.truth);
    let linear = error(&held_out.linear);
    let kans = held_out.kans.each_ref().map(|p| error(p));
    println!("linear      {linear:.3} mpg off, root mean square over the five parts");
    for (error, widths) in kans.iter().zip(widths) {
        let less = 100.0 * (1.0 - error / linear);
        println!("{:<12}{error:.3} mpg off, {less:.0} % less", format!("KAN {widths:?}").replace(", ", ","));
    }

    folder(&arguments.out)?;
    let whole = folds::Fold::whole(&cars)?;
    let (model, program) = network::train(&device, &whole, widths[0], arguments.epochs, seed)?;
    picture::draw(&cars, &whole, &model, &program)?.save(arguments.out.join("features.svg"))?;
    println!("wrote       {}/features.svg", arguments.out.display());
    arguments.common.write(
        &device,
        &json!({
            "cars": cars.len(),
            "epochs": arguments.epochs,
            "linear_rmse": linear,
            "additive_kan_rmse": kans[0],
            "kan_rmse": kans[1],
        }),
    )
}
