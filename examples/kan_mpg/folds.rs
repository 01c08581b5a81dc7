//! Cars dealt into five parts; each part with the others, standardised by the others.

use anyhow::{Result, ensure};
use knotwork::nn::{Dataset, Labels, data::Order};

/// Parts.
const FOLDS: usize = 5;

/// Cars to learn from and cars to predict. Features and target have mean 0 and variance 1 over the former.
pub struct Fold {
    /// To learn from.
    pub train: Dataset,
    /// To predict.
    pub test: Dataset,
    /// Mean and standard deviation of the target.
    target: (f64, f64),
}

/// What was predicted, all parts one after another.
#[derive(Default)]
pub struct Predictions {
    /// The target itself.
    pub truth: Vec<f64>,
    /// By least squares.
    pub linear: Vec<f64>,
    /// By each of the two networks.
    pub kans: [Vec<f64>; 2],
}

/// The parts, by a seed.
pub fn deal(cars: &Dataset, seed: u64) -> Result<Vec<Fold>> {
    ensure!(cars.len() >= 2 * FOLDS, "{} cars are too few for {FOLDS} parts", cars.len());
    let order = Order::new(seed).epoch_order(cars.len());
    let rows = |of: &dyn Fn(usize) -> bool| -> Vec<usize> {
        order.iter().enumerate().filter(|(k, _)| of(k % FOLDS)).map(|(_, &row)| row).collect()
    };
    (0..FOLDS).map(|fold| Fold::new(cars, &rows(&|k| k != fold), &rows(&|k| k == fold))).collect()
}

impl Fold {
    fn new(cars: &Dataset, train: &[usize], test: &[usize]) -> Result<Self> {
        let (train, test) = (cars.select(train)?, cars.select(test)?);
        let width = cars.width();
        let features: Vec<(f64, f64)> =
            (0..width).map(|c| spread(column(train.features(), width, c))).collect();
        let target = spread(column(values(&train)?, 1, 0));
        let scale = |set: &Dataset| -> Result<Dataset> {
            let moved = |(k, x): (usize, &f32)| standard(f64::from(*x), features[k % width]) as f32;
            let x = set.features().iter().enumerate().map(moved).collect();
            let y = values(set)?.iter().map(|y| standard(f64::from(*y), target) as f32).collect();
            Ok(Dataset::new(x, width, Labels::Values { values: y, width: 1 })?)
        };
        Ok(Self { train: scale(&train)?, test: scale(&test)?, target })
    }

    /// All cars on both sides.
    pub fn whole(cars: &Dataset) -> Result<Self> {
        let all: Vec<usize> = (0..cars.len()).collect();
        Self::new(cars, &all, &all)
    }

    /// The target of the cars to predict, in its own unit.
    pub fn truth(&self) -> Result<Vec<f64>> {
        Ok(self.in_unit(values(&self.test)?.iter().map(|y| f64::from(*y))))
    }

    /// Standardised predictions in the target's own unit.
    pub fn in_unit(&self, standard: impl Iterator<Item = f64>) -> Vec<f64> {
        standard.map(|y| self.target.0 + self.target.1 * y).collect()
    }
}

/// The labels as numbers.
pub fn values(set: &Dataset) -> Result<&[f32]> {
    match set.labels() {
        Labels::Values { values, .. } => Ok(values),
        Labels::Classes { .. } => anyhow::bail!("the target must be numbers, not classes"),
    }
}

fn column(all: &[f32], width: usize, c: usize) -> impl Iterator<Item = f64> + Clone {
    all.iter().skip(c).step_by(width).map(|x| f64::from(*x))
}

/// Mean and standard deviation.
fn spread(all: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = all.clone().count() as f64;
    let mean = all.clone().sum::<f64>() / n;
    (mean, (all.map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// A constant column says nothing: it becomes 0.
fn standard(x: f64, (mean, deviation): (f64, f64)) -> f64 {
    if deviation > 0.0 { (x - mean) / deviation } else { 0.0 }
}
