//! A table, split and described for a network.

use std::path::Path;

use anyhow::{Context, Result, bail};
use knotwork::{
    nn::{Csv, Dataset, data::Order, kan::Unit},
    prelude::*,
};

/// A table of features and targets.
pub struct Table {
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub train: [HostTensor; 2],
    pub test: [HostTensor; 2],
    /// What deserves a word before training begins.
    pub remarks: Vec<String>,
}

impl Table {
    /// Reads a file and puts a part of its rows, drawn by `seed`, aside to judge by.
    pub fn read(path: &Path, targets: &[String], exclude: &[String], test: f64, seed: u64) -> Result<Self> {
        let names = |of: &[String]| of.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let list: Vec<&str> = targets.iter().map(String::as_str).collect();
        let excluded: Vec<&str> = exclude.iter().map(String::as_str).collect();
        let data = Csv::new(path).targets(&list).exclude(&excluded).read();
        let data = data.map_err(|e| {
            let hint = if e.to_string().contains("leave it out") { " (--exclude NAMES)" } else { "" };
            anyhow::anyhow!("{e}{hint}")
        })?;
        let rows = data.len();
        if !(0.0..1.0).contains(&test) {
            bail!("--test is {test}; it must be from 0 to below 1: the part of the rows to judge by");
        }
        // The order of a permutation; the first of it are put aside.
        let order = Order::new(seed).epoch_order(rows);
        let aside = ((rows as f64 * test).round() as usize).min(rows.saturating_sub(1));
        let (judged, trained) = order.split_at(aside);
        let mut remarks = Vec::new();
        if aside == 0 {
            remarks
                .push("no rows are put aside: errors are those of the rows that were trained on".to_owned());
        }
        let part = |rows: &[usize]| -> Result<[HostTensor; 2]> {
            let batch = data.batch(rows)?;
            Ok([batch.x, batch.y])
        };
        let train = part(trained)?;
        let test = if aside == 0 { train.clone() } else { part(judged)? };
        let table = Self { inputs: data.names().to_vec(), outputs: targets.to_vec(), train, test, remarks };
        table.described(&data).with_context(|| format!("{}: {}", path.display(), names(targets)))
    }

    /// With remarks on columns that say nothing.
    fn described(mut self, data: &Dataset) -> Result<Self> {
        let width = self.inputs.len();
        for (i, name) in self.inputs.iter().enumerate() {
            let column = data.features().iter().skip(i).step_by(width);
            let (low, high) =
                column.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
            if low == high {
                self.remarks
                    .push(format!("column `{name}` is {low} everywhere: nothing can be learned from it"));
            }
        }
        Ok(self)
    }

    /// The units in which a network learns best: features in [−1, 1], targets of mean 0 and deviation 1.
    pub fn units(&self) -> [Vec<Unit>; 2] {
        let columns = |t: &HostTensor| -> Vec<Vec<f64>> {
            let (values, width) = (t.to_f64(), t.shape()[1]);
            (0..width).map(|i| values.iter().skip(i).step_by(width).copied().collect()).collect()
        };
        let ranges = columns(&self.train[0]).into_iter().map(Unit::of_range).collect();
        let deviations = columns(&self.train[1]).iter().map(|c| Unit::of_deviation(c)).collect();
        [ranges, deviations]
    }

    pub fn rows(&self) -> (usize, usize) {
        (self.train[0].shape()[0], self.test[0].shape()[0])
    }
}
