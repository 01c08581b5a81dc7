//! Levenberg–Marquardt on (a, b, c, d), by QR: normal equations would lose half the digits.

use super::{
    super::{Function, samples::Set},
    correlation::evaluate,
};

/// Where the steps ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refined {
    pub at: [f64; 4],
    /// The sum of squares there.
    pub error: f64,
}

/// Beyond this |c|, in a frame where |y| ≤ 1, f is used only for its slope or its curvature in one point, and digits cancel;
/// where a does not move, as with powers, a far pole is a shape of its own.
const LARGEST: [f64; 2] = [1e3, 1e6];
/// The largest |c| that steps may lead to.
pub(super) fn largest(free: [bool; 4]) -> f64 {
    LARGEST[usize::from(!free[0])]
}

/// Steps without a gain before the end.
const PATIENCE: usize = 3;

/// At most so many steps from a start towards the least sum of squares of c f(a t + b) + d − y; the numbers that are not free
/// stay. `None` where f is not finite at the start.
pub(super) fn refine(
    f: &Function,
    set: &Set,
    start: [f64; 4],
    free: [bool; 4],
    steps: usize,
) -> Option<Refined> {
    let n = set.t.len();
    let mut values = Vec::with_capacity(n);
    let mut error_at = |at: [f64; 4], residual: &mut Vec<f64>| {
        if !evaluate(f, &set.t, at[0], at[1], &mut values) {
            return None;
        }
        residual.clear();
        residual.extend(values.iter().zip(&set.y).map(|(v, y)| at[2] * v + at[3] - y));
        let error: f64 = residual.iter().map(|r| r * r).sum();
        error.is_finite().then_some(error)
    };
    let (mut residual, mut trial) = (Vec::with_capacity(n), Vec::with_capacity(n));
    let mut at = start;
    let mut error = error_at(at, &mut residual)?;
    let moving: Vec<usize> = (0..4).filter(|k| free[*k]).collect();
    let largest = largest(free).max(4.0 * start[2].abs());
    let mut damping = 1e-3;
    let mut idle = 0;
    for _ in 0..steps {
        let Some(system) = System::new(f, set, at, &moving, &residual) else { break };
        // Longer and longer damping until a step gains; then on from there.
        let mut gained = None;
        while damping < 1e12 {
            let Some(step) = system.step(damping) else { break };
            let mut to = at;
            for (k, s) in moving.iter().zip(&step) {
                to[*k] += s;
            }
            let small = moving.iter().all(|k| (to[*k] - at[*k]).abs() <= 4.0 * f64::EPSILON * at[*k].abs());
            if to[2].abs() <= largest
                && let Some(e) = error_at(to, &mut trial)
                && e < error
            {
                gained = Some((to, e));
                break;
            }
            if small {
                break;
            }
            damping *= 8.0;
        }
        let Some((to, e)) = gained else { break };
        idle = if error - e <= 1e-9 * error { idle + 1 } else { 0 };
        (at, error) = (to, e);
        std::mem::swap(&mut residual, &mut trial);
        damping = (damping * 0.1).max(1e-18);
        if error == 0.0 || idle >= PATIENCE {
            break;
        }
    }
    Some(Refined { at, error })
}

/// The linear system of one step, brought to triangular form.
struct System {
    /// The triangle, by columns.
    triangle: Vec<Vec<f64>>,
    /// −Qᵀ residual.
    right: Vec<f64>,
    /// The columns' lengths, which scale the damping.
    lengths: Vec<f64>,
}

impl System {
    fn new(f: &Function, set: &Set, at: [f64; 4], moving: &[usize], residual: &[f64]) -> Option<Self> {
        let arguments = || set.t.iter().map(|t| at[0] * t + at[1]);
        let slopes: Vec<f64> = arguments().map(|u| at[2] * f.derivative_at(u)).collect();
        let column = |k: &usize| -> Vec<f64> {
            match k {
                0 => slopes.iter().zip(&set.t).map(|(s, t)| s * t).collect(),
                1 => slopes.clone(),
                2 => {
                    let mut values: Vec<f64> = arguments().collect();
                    f.apply(&mut values);
                    values
                }
                _ => vec![1.0; set.t.len()],
            }
        };
        let mut columns: Vec<Vec<f64>> = moving.iter().map(column).collect();
        let length = |c: &Vec<f64>| c.iter().map(|v| v * v).sum::<f64>().sqrt();
        let lengths: Vec<f64> = columns.iter().map(length).map(|l| if l > 0.0 { l } else { 1.0 }).collect();
        if lengths.iter().any(|l| !l.is_finite()) {
            return None;
        }
        let mut right: Vec<f64> = residual.iter().map(|r| -r).collect();
        triangular(&mut columns, &mut right);
        let k = columns.len();
        for c in &mut columns {
            c.truncate(k);
        }
        right.truncate(k);
        Some(Self { triangle: columns, right, lengths })
    }

    /// The step that minimises |J s + r|² + damping |diag(lengths) s|².
    fn step(&self, damping: f64) -> Option<Vec<f64>> {
        let k = self.right.len();
        let mut columns: Vec<Vec<f64>> = (0..k)
            .map(|j| {
                let mut column = self.triangle[j].clone();
                column.extend((0..k).map(|i| if i == j { damping.sqrt() * self.lengths[j] } else { 0.0 }));
                column
            })
            .collect();
        let mut right = self.right.clone();
        right.resize(2 * k, 0.0);
        triangular(&mut columns, &mut right);
        let mut step = vec![0.0; k];
        for i in (0..k).rev() {
            let known: f64 = (i + 1..k).map(|j| columns[j][i] * step[j]).sum();
            step[i] = (right[i] - known) / columns[i][i];
        }
        step.iter().all(|s| s.is_finite()).then_some(step)
    }
}

/// Householder reflections that make the columns upper triangular, applied to the right side too.
fn triangular(columns: &mut [Vec<f64>], right: &mut [f64]) {
    for k in 0..columns.len() {
        let below: f64 = columns[k][k..].iter().map(|v| v * v).sum::<f64>().sqrt();
        if below == 0.0 {
            continue;
        }
        let pivot = columns[k][k];
        let alpha = if pivot > 0.0 { -below } else { below };
        let mut v = columns[k][k..].to_vec();
        v[0] -= alpha;
        let square: f64 = v.iter().map(|v| v * v).sum();
        let reflect = |target: &mut [f64]| {
            let along = 2.0 * v.iter().zip(target.iter()).map(|(v, t)| v * t).sum::<f64>() / square;
            target.iter_mut().zip(&v).for_each(|(t, v)| *t -= along * v);
        };
        for column in &mut columns[k + 1..] {
            reflect(&mut column[k..]);
        }
        reflect(&mut right[k..]);
        columns[k][k] = alpha;
        columns[k][k + 1..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triangles_keep_least_squares() {
        // A Hilbert-like system whose normal equations have lost all digits.
        let n = 12;
        let want = [1.0, -2.0, 3.0, -4.0];
        let mut columns: Vec<Vec<f64>> =
            (0..4).map(|k| (0..n).map(|i| 1.0 / (i as f64 + 20.0 * k as f64 + 1.0)).collect()).collect();
        let mut right: Vec<f64> = (0..n).map(|i| (0..4).map(|k| want[k] * columns[k][i]).sum()).collect();
        triangular(&mut columns, &mut right);
        let mut got = [0.0; 4];
        for i in (0..4).rev() {
            let known: f64 = (i + 1..4).map(|j| columns[j][i] * got[j]).sum();
            got[i] = (right[i] - known) / columns[i][i];
        }
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() < 1e-8, "{got:?}");
        }
        assert!(right[4..].iter().all(|r| r.abs() < 1e-14));
    }
}
