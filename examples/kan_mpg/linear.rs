//! Ordinary least squares, in f64.

use anyhow::{Result, ensure};

use super::folds::{Fold, values};

/// What a linear model with a constant term, fitted to the cars to learn from, predicts.
pub fn predict(fold: &Fold) -> Result<Vec<f64>> {
    let n = fold.train.width() + 1;
    let row = |features: &[f32]| -> Vec<f64> {
        features.iter().map(|x| f64::from(*x)).chain(std::iter::once(1.0)).collect()
    };
    // The normal equations, the right side in the last column: features are standardised, so they are well conditioned.
    let mut equations = vec![vec![0.0; n + 1]; n];
    for (features, y) in fold.train.features().chunks_exact(n - 1).zip(values(&fold.train)?) {
        let row: Vec<f64> = row(features).into_iter().chain(std::iter::once(f64::from(*y))).collect();
        for (a, equation) in row.iter().zip(&mut equations) {
            equation.iter_mut().zip(&row).for_each(|(sum, b)| *sum += a * b);
        }
    }
    let weights = solve(equations)?;
    let predict = |features: &[f32]| row(features).iter().zip(&weights).map(|(x, w)| x * w).sum();
    Ok(fold.in_unit(fold.test.features().chunks_exact(n - 1).map(predict)))
}

/// Gauss's elimination, the largest pivot first.
fn solve(mut rows: Vec<Vec<f64>>) -> Result<Vec<f64>> {
    let n = rows.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&a, &b| rows[a][k].abs().total_cmp(&rows[b][k].abs())).unwrap_or(k);
        rows.swap(k, pivot);
        ensure!(
            rows[k][k].abs() > 1e-9,
            "the features depend on each other linearly: least squares has no one answer"
        );
        let (upper, lower) = rows.split_at_mut(k + 1);
        for row in lower {
            let share = row[k] / upper[k][k];
            row.iter_mut().zip(&upper[k]).for_each(|(x, p)| *x -= share * p);
        }
    }
    let mut found = vec![0.0; n];
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| rows[k][j] * found[j]).sum();
        found[k] = (rows[k][n] - known) / rows[k][k];
    }
    Ok(found)
}
