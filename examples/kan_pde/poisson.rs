//! The equation as a loss, and how far from its solution a network is.

use std::f64::consts::PI;

use anyhow::{Context, Result};
use knotwork::{
    nn::{Generator, Kan},
    prelude::*,
};
use knotwork_examples::rmse;

/// Points inside: one in each cell of a lattice of `SIDE` x `SIDE`.
pub const SIDE: usize = 32;
const INSIDE: usize = SIDE * SIDE;
/// Points on the border.
const BORDER: usize = 4 * 64;

/// sin(πx) sin(πy)
pub fn solution(x: f64, y: f64) -> f64 {
    (PI * x).sin() * (PI * y).sin()
}

/// What is asked of a network.
pub struct Problem {
    /// The mean square of ∇²u − f inside, with that of u on the border where it is not 0 by itself.
    pub loss: Tensor,
    /// u inside, [n, 1].
    pub u: Tensor,
    /// Its gradient there, [n, 2].
    pub gradient: Tensor,
}

impl Problem {
    /// Builds u, ∇u and ∇²u over the inputs `inside`, `force` and `border`. Without a weight for the border, u is the network
    /// times (1 − x²)(1 − y²), so that it is 0 there whatever the network says.
    pub fn new(g: &Graph, model: &Kan, weight: Option<f64>) -> Result<Self> {
        let inside = g.input("inside", DType::F32, [INSIDE, 2])?;
        let force = g.input("force", DType::F32, [INSIDE, 1])?;
        let mut u = model.forward(&inside)?;
        if weight.is_none() {
            let room = inside.square()?.mul(-1.0)?.add(1.0)?;
            u = u.mul(&room.slice(1, 0, 1)?)?.mul(&room.slice(1, 1, 2)?)?;
        }
        // Points are independent: the gradient of the sum over them holds each point's own.
        let along = |y: &Tensor| -> Result<Tensor> { Ok(y.sum(&[0, 1], false)?.grad(&[&inside])?.remove(0)) };
        let gradient = along(&u)?;
        let second = |axis| -> Result<Tensor> {
            Ok(along(&gradient.slice(1, axis, axis + 1)?)?.slice(1, axis, axis + 1)?)
        };
        let mut loss = second(0)?.add(&second(1)?)?.mse_loss(&force)?;
        if let Some(weight) = weight {
            let border = g.input("border", DType::F32, [BORDER, 2])?;
            loss = loss.add(&model.forward(&border)?.square()?.mean(&[0, 1], false)?.mul(weight)?)?;
        }
        Ok(Self { loss, u, gradient })
    }
}

/// Points to learn from: a random one in each cell of the lattice, and others evenly along the border.
pub struct Samples {
    inside: HostTensor,
    force: HostTensor,
    border: HostTensor,
}

impl Samples {
    /// The points of a seed, and the right side of the equation there.
    pub fn new(seed: u64) -> Result<Self> {
        let random = Generator::named(seed, "samples").uniform(&[INSIDE, 2], 0.0, 1.0)?.to_f64();
        let inside = lattice(|cell, axis| random[2 * cell + axis])?;
        let force: Vec<f32> =
            inside.to_f64().chunks_exact(2).map(|p| (-2.0 * PI * PI * solution(p[0], p[1])) as f32).collect();
        let side = BORDER / 4;
        let border: Vec<f32> = (0..side)
            .map(|i| -1.0 + 2.0 * (i as f32 + 0.5) / side as f32)
            .flat_map(|t| [t, -1.0, t, 1.0, -1.0, t, 1.0, t])
            .collect();
        Ok(Self {
            inside,
            force: HostTensor::from_vec(force, [INSIDE, 1])?,
            border: HostTensor::from_vec(border, [BORDER, 2])?,
        })
    }

    /// What the loss reads; the border only where it is weighted.
    pub fn feeds(&self, weighted: bool) -> Vec<(&'static str, &HostTensor)> {
        let border = weighted.then_some(("border", &self.border));
        [("inside", &self.inside), ("force", &self.force)].into_iter().chain(border).collect()
    }
}

/// A point in each cell of a square lattice over [−1, 1]², row by row, y ascending: `place` in 0..1 within the cell.
fn lattice(place: impl Fn(usize, usize) -> f64) -> Result<HostTensor> {
    let at = |k: usize, share: f64| (-1.0 + 2.0 * (k as f64 + share) / SIDE as f64) as f32;
    let points: Vec<f32> = (0..INSIDE)
        .flat_map(|cell| [at(cell % SIDE, place(cell, 0)), at(cell / SIDE, place(cell, 1))])
        .collect();
    Ok(HostTensor::from_vec(points, [INSIDE, 2])?)
}

/// u and its gradient at the middles of the lattice: the points [n, 2], u [n], ∇u [n, 2].
pub fn at_middles(evaluate: &mut Program) -> Result<[Vec<f64>; 3]> {
    let points = lattice(|_, _| 0.5)?;
    let found = evaluate.run([("inside", &points)])?.wait()?;
    let one = |k: usize| found.get(k).map(HostTensor::to_f64).context("the program has two outputs");
    Ok([points.to_f64(), one(0)?, one(1)?])
}

/// The error of u in L², and of u with its gradient in H¹, as shares of the solution's norms.
pub fn errors(evaluate: &mut Program) -> Result<[f64; 2]> {
    let [points, u, gradient] = at_middles(evaluate)?;
    let true_u: Vec<f64> = points.chunks_exact(2).map(|p| solution(p[0], p[1])).collect();
    let true_gradient: Vec<f64> = points
        .chunks_exact(2)
        .flat_map(|p| {
            let [(sx, cx), (sy, cy)] = [p[0], p[1]].map(|t| (PI * t).sin_cos());
            [PI * cx * sy, PI * sx * cy]
        })
        .collect();
    // Means over points; a point's gradient has two parts.
    let h1 = |value: f64, gradient: f64| (value * value + 2.0 * gradient * gradient).sqrt();
    let zero = vec![0.0; true_gradient.len()];
    let norms = [rmse(&true_u, &zero), rmse(&true_gradient, &zero)];
    let [of_u, of_gradient] = [rmse(&u, &true_u), rmse(&gradient, &true_gradient)];
    Ok([of_u / norms[0], h1(of_u, of_gradient) / h1(norms[0], norms[1])])
}
