//! The function, its samples near one peak, and how far a network is from it there.

use anyhow::{Context, Result};
use knotwork::{nn::Generator, prelude::*};
use knotwork_examples::rmse;

/// Where the peaks are.
pub const CENTRES: [f64; 5] = [-0.8, -0.4, 0.0, 0.4, 0.8];
/// Samples of a phase, and points of an evaluation.
pub const SAMPLES: usize = 400;
/// Half the width of a phase: the five of them fill [−1, 1].
const REACH: f64 = 0.2;

/// Σ exp(−300 (x − c)²)
pub fn peaks(x: f64) -> f64 {
    CENTRES.iter().map(|c| (-300.0 * (x - c).powi(2)).exp()).sum()
}

/// One random sample in each of [`SAMPLES`] equal parts of a phase's fifth of [−1, 1], and the function there.
pub fn samples(phase: usize, generator: &mut Generator) -> Result<(HostTensor, HostTensor)> {
    let random = generator.uniform(&[SAMPLES], 0.0, 1.0)?;
    let low = CENTRES[phase] - REACH;
    let part = |(i, u): (usize, f64)| low + 2.0 * REACH * (i as f64 + u) / SAMPLES as f64;
    at(random.to_f64().into_iter().enumerate().map(part))
}

fn at(points: impl Iterator<Item = f64>) -> Result<(HostTensor, HostTensor)> {
    let x: Vec<f32> = points.map(|x| x as f32).collect();
    let y: Vec<f32> = x.iter().map(|x| peaks(f64::from(*x)) as f32).collect();
    Ok((HostTensor::from_vec(x, [SAMPLES, 1])?, HostTensor::from_vec(y, [SAMPLES, 1])?))
}

/// The points in the middle of equal parts of a range.
fn middles(low: f64, high: f64) -> impl Iterator<Item = f64> {
    (0..SAMPLES).map(move |i| low + (high - low) * (i as f64 + 0.5) / SAMPLES as f64)
}

fn run(predict: &mut Program, x: &HostTensor) -> Result<Vec<f64>> {
    Ok(predict.run([("x", x)])?.wait()?.first().context("the program has one output")?.to_f64())
}

/// The root mean square error over a peak's fifth of [−1, 1].
pub fn error(predict: &mut Program, peak: usize) -> Result<f64> {
    let (x, y) = at(middles(CENTRES[peak] - REACH, CENTRES[peak] + REACH))?;
    Ok(rmse(&run(predict, &x)?, &y.to_f64()))
}

/// What a network says over all of [−1, 1]; half of the points are enough for a picture.
pub fn learned(predict: &mut Program) -> Result<Vec<(f64, f64)>> {
    let (x, _) = at(middles(-1.0, 1.0))?;
    Ok(x.to_f64().into_iter().zip(run(predict, &x)?).step_by(2).collect())
}

/// The function itself, for the picture.
pub fn curve() -> Vec<(f64, f64)> {
    middles(-1.0, 1.0).step_by(2).map(|x| (x, peaks(x))).collect()
}
