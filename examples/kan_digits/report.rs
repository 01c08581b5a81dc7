//! What the example prints and draws.

use std::{fmt::Write, path::Path};

use anyhow::Result;
use knotwork::nn::{
    Kan, Trainer,
    plot::{EdgeSheet, HeatMap, LineChart},
};

/// The share of rows on the diagonal.
pub fn accuracy(confusion: &[Vec<u32>]) -> f64 {
    let right: u32 = confusion.iter().enumerate().map(|(i, row)| row[i]).sum();
    let all: u32 = confusion.iter().flatten().sum();
    f64::from(right) / f64::from(all.max(1))
}

/// The confusion matrix as text: a row for each digit, a column for each answer.
pub fn table(confusion: &[Vec<u32>]) -> String {
    let mut text = String::from("            answer\n    digit");
    (0..confusion.len()).for_each(|c| {
        let _ = write!(text, "{c:5}");
    });
    for (digit, row) in confusion.iter().enumerate() {
        let _ = write!(text, "\n    {digit:5}");
        for &count in row {
            let _ = if count == 0 { write!(text, "    .") } else { write!(text, "{count:5}") };
        }
    }
    text.push('\n');
    text
}

/// The strongest edges of the first layer, by input: too many for a sheet otherwise.
const SHOWN: usize = 12;

/// Writes the loss curve, a sheet of learned edge functions and the confusion matrix.
pub fn pictures(folder: &Path, trainer: &Trainer, model: &Kan, confusion: &[Vec<u32>]) -> Result<()> {
    LineChart::new("Training loss")
        .axes("step", "cross-entropy")
        .log_y(true)
        .losses("batch", trainer.losses())
        .save(folder.join("loss.svg"))?;

    let params = trainer.program().params();
    let mut edges = Vec::new();
    for hidden in 0..SHOWN {
        for digit in 0..10 {
            edges.push(model.edge(params, 1, hidden, digit, 61)?);
        }
    }
    let inputs: Vec<String> = (0..SHOWN).map(|h| format!("h{h}")).collect();
    let outputs: Vec<String> = (0..10).map(|d| d.to_string()).collect();
    EdgeSheet::new("Edge functions from the first hidden units to the digits")
        .edges(edges)
        .names(&refs(&inputs), &refs(&outputs))
        .save(folder.join("edges.svg"))?;

    let names: Vec<String> = (0..10).map(|d| d.to_string()).collect();
    let values: Vec<f64> = confusion.iter().flatten().map(|&n| n.into()).collect();
    HeatMap::new("Answers on the test set", &names, &names, &values)?
        .axes("answer", "digit")
        .save(folder.join("confusion.svg"))?;
    Ok(())
}

fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
