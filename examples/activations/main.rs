//! A gallery of all activations: each function and its first derivative, one panel each, as one SVG.
//!
//! One graph holds them all, forward and backward, with attributes at their defaults; one program computes them in one
//! run.
//!
//!     cargo run --release --example activations -- --device cpu gallery.svg

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;
use knotwork::{
    Device,
    nn::plot::{Gallery, Panel},
    ops::elementwise::{Row, activations},
    prelude::*,
};
use knotwork_examples::device_name;

/// Where the functions are drawn.
const X: (f64, f64) = (-4.0, 4.0);
const Y: (f64, f64) = (-3.0, 4.0);
/// Points a curve. They lie at the middles of equal steps, so that jumps at 0, at 1/2 and at 1 fall between two.
const POINTS: usize = 800;
/// A curve that changes by more than this from one point to the next, around a known kink, jumps.
const JUMP: f64 = 0.05;

/// Draws all activations and their derivatives.
#[derive(Debug, Parser)]
struct Arguments {
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
    /// The picture.
    #[arg(value_name = "FILE", default_value = "activations.svg")]
    out: PathBuf,
}

/// An activation at the points of [`points`].
#[derive(Debug)]
pub struct Sampled {
    /// What it is.
    pub row: &'static Row,
    /// f(x).
    pub values: Vec<f64>,
    /// f′(x).
    pub slopes: Vec<f64>,
}

/// Where the functions are computed, ascending.
pub fn points() -> Vec<f32> {
    let step = (X.1 - X.0) / POINTS as f64;
    (0..POINTS).map(|i| (X.0 + step * (i as f64 + 0.5)) as f32).collect()
}

/// All activations and their derivatives, by one run of one program.
pub fn sample(device: &Device) -> Result<Vec<Sampled>> {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [POINTS])?;
    let ones = g.constant(DType::F32, 1.0)?.broadcast_to([POINTS])?;
    let rows: Vec<&'static Row> = activations().collect();
    let mut outputs = Vec::with_capacity(2 * rows.len());
    for row in &rows {
        let y = x.activation(row.name, &[])?;
        // Each value depends on its own x alone: with ones as cotangents this is f′, point by point.
        let slope = g.vjp(&[(&y, &ones)], &[&x])?.remove(0);
        outputs.extend([y, slope]);
    }
    let mut program = device.compile(&g, &outputs.iter().collect::<Vec<_>>(), &[])?;
    let found = program.run([("x", HostTensor::from_vec(points(), [POINTS])?)])?.wait()?;
    ensure!(found.len() == 2 * rows.len(), "{} outputs for {} functions", found.len(), rows.len());
    let sampled = rows.into_iter().zip(found.chunks(2));
    Ok(sampled
        .map(|(row, pair)| Sampled { row, values: pair[0].to_f64(), slopes: pair[1].to_f64() })
        .collect())
}

/// The picture.
pub fn gallery(functions: &[Sampled]) -> Gallery {
    let title = format!("{} activations and their derivatives", functions.len());
    Gallery::new(&title).legend(&["f(x)", "f′(x)"]).window(X, Y).panels(functions.iter().map(panel))
}

fn panel(function: &Sampled) -> Panel {
    let row = function.row;
    let defaults: Vec<f64> = row.attributes.iter().map(|a| a.default).collect();
    let kinks = (row.kinks)(&defaults);
    let mut panel = Panel::new(row.name).note(row.formula);
    if !defaults.is_empty() {
        let named: Vec<String> =
            // No-break spaces keep a name with its value.
            row.attributes.iter().map(|a| format!("{}\u{a0}=\u{a0}{}", a.name, tidy(a.default))).collect();
        panel = panel.note(&named.join(", "));
    }
    panel.curve(&curve(&function.values, &kinks)).curve(&curve(&function.slopes, &kinks))
}

/// The points of a curve, with a gap wherever it jumps.
fn curve(values: &[f64], kinks: &[f64]) -> Vec<(f64, f64)> {
    let mut curve: Vec<(f64, f64)> = Vec::with_capacity(values.len());
    for (x, &y) in points().into_iter().map(f64::from).zip(values) {
        if let Some(&(before, last)) = curve.last()
            && (y - last).abs() > JUMP
            && kinks.iter().any(|k| (before..=x).contains(k))
        {
            curve.push((x, f64::NAN));
        }
        curve.push((x, y));
    }
    curve
}

/// At most four decimals.
fn tidy(x: f64) -> String {
    let short = (x * 1e4).round() / 1e4;
    if short == 0.0 { x.to_string() } else { short.to_string() }.replace('-', "−")
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let device = knotwork::open_device(arguments.device.as_deref())?;
    println!("device      {}", device_name(device.info()));
    let functions = sample(&device)?;
    println!("functions   {}, each with its derivative, at {POINTS} points", functions.len());
    gallery(&functions).save(&arguments.out)?;
    println!("wrote       {}", arguments.out.display());
    Ok(())
}
