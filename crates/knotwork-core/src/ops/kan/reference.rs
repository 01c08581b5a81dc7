//! The three sums of a KAN layer as plain loops over every basis function. A function that is 0 at a point adds nothing
//! there, whatever its coefficient or cotangent is.

use super::{
    basis::{Basis, Form},
    dense::fill::fill,
    op::{KanSum, Kind, Spacing},
    silu::silu,
    spline::by_definition,
};
use crate::ops::Reference;

/// The derivative of order `d` of every function of a basis.
pub(super) fn basis(basis: &Basis, x: f64, d: usize) -> Vec<f64> {
    if let Form::BSpline(spline) = basis.0 {
        return spline.evaluate(x, d);
    }
    let mut all = vec![0.0; basis.count()];
    fill(basis, d, x, |m, value| all[m] = value);
    all
}

/// Runs the sum that `op` names.
pub(super) fn run(op: &KanSum, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
    let at = |i: Option<usize>| i.map(|i| inputs[i].data.as_slice());
    let x = &inputs[0].data;
    let (rows, width) = (inputs[0].shape[0], inputs[0].shape[1]);
    let n = op.basis.count();
    let scale = at(op.scale_input());
    let base = at(op.base_input());
    // Φ⁽ᵈ⁾: every basis function, then silu, at every element of x.
    let knots = at(op.knots_input());
    let functions = |p: usize, x: f64| match (op.spacing, op.splines(), knots) {
        (Spacing::Given { closed }, Some(sum), Some(knots)) => {
            let wide = knots.len() / width;
            let row = &knots[p % width * wide..][..wide];
            by_definition(row, sum.basis.order(), x, op.derivative, closed)
        }
        _ => basis(&op.basis, x, op.derivative),
    };
    let features: Vec<Vec<f64>> = x
        .iter()
        .enumerate()
        .map(|(p, &x)| {
            let mut all = functions(p, x);
            all.push(silu(x, op.derivative));
            all
        })
        .collect();
    match op.kind {
        Kind::Forward => {
            let (coef, out) = (&inputs[1].data, inputs[1].shape[2]);
            for b in 0..rows {
                for o in 0..out {
                    outputs[0].data[b * out + o] = (0..width)
                        .map(|i| {
                            let p = b * width + i;
                            let spline: f64 = (0..n)
                                .filter(|&m| features[p][m] != 0.0)
                                .map(|m| coef[(i * n + m) * out + o] * features[p][m])
                                .sum();
                            let y = spline + base.map_or(0.0, |w| w[i * out + o] * features[p][n]);
                            scale.map_or(y, |u| u[p] * y)
                        })
                        .sum();
                }
            }
        }
        Kind::Input => {
            let (g, coef, out) = (&inputs[1].data, &inputs[2].data, inputs[1].shape[1]);
            for (p, phi) in features.iter().enumerate() {
                let (b, i) = (p / width, p % width);
                outputs[0].data[p] = (0..out)
                    .map(|o| {
                        let spline: f64 = (0..n)
                            .filter(|&m| phi[m] != 0.0)
                            .map(|m| coef[(i * n + m) * out + o] * phi[m])
                            .sum();
                        g[b * out + o] * (spline + base.map_or(0.0, |w| w[i * out + o] * phi[n]))
                    })
                    .sum();
            }
        }
        Kind::Coefficients => {
            let (g, out) = (&inputs[1].data, inputs[1].shape[1]);
            outputs.iter_mut().for_each(|y| y.data.fill(0.0));
            for (p, phi) in features.iter().enumerate() {
                let (b, i) = (p / width, p % width);
                for o in 0..out {
                    let g = g[b * out + o] * scale.map_or(1.0, |u| u[p]);
                    for m in (0..n).filter(|&m| phi[m] != 0.0) {
                        outputs[0].data[(i * n + m) * out + o] += g * phi[m];
                    }
                    if op.base {
                        outputs[1].data[i * out + o] += g * phi[n];
                    }
                }
            }
        }
    }
    Ok(())
}
