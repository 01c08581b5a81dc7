//! What a training run found, as text, JSON and pictures.

use std::{io::Write, time::Duration};

use anyhow::Result;
use knotwork::{
    nn::{
        kan::{Outcome, Stage},
        plot::{Comparison, LineChart},
        symbolic::Expression,
    },
    prelude::*,
};
use serde_json::json;

use super::data::Table;

/// The most edges of a layer that are drawn one by one.
pub const MOST: usize = 64;
/// What the network is drawn as.
#[cfg(feature = "png")]
pub const ENDINGS: &[&str] = &["svg", "png"];
/// What the network is drawn as.
#[cfg(not(feature = "png"))]
pub const ENDINGS: &[&str] = &["svg"];
/// The part of the targets' deviation that a printed formula's rounding may cost.
const ROUNDING: f64 = 1e-4;
/// Rows over which it is measured.
const ROWS: usize = 1000;

/// What there is to say.
pub struct Report<'a> {
    outcome: &'a Outcome,
    table: &'a Table,
    device: String,
    seconds: f64,
    /// The inputs' scores, the highest first.
    ranking: Vec<(String, f64)>,
    out_of_range: Vec<f64>,
    formulas: Vec<Expression>,
    /// The same with numbers as short as the error allows.
    readable: Vec<Expression>,
}

impl<'a> Report<'a> {
    pub fn new(outcome: &'a Outcome, device: &Device, table: &'a Table, took: Duration) -> Result<Self> {
        let network = &outcome.best().network;
        let x = &table.train[0];
        let scores = network.attribute(device, x)?;
        // By layer the largest part of what any input is given.
        let out = network.out_of_range(device, &table.test[0])?;
        let out_of_range = out.iter().map(|layer| layer.iter().copied().fold(0.0, f64::max)).collect();
        let formulas = if network.learned_edges() == 0 { network.formulas()? } else { Vec::new() };
        let readable = readable(&formulas, table, outcome.best().test)?;
        Ok(Self {
            outcome,
            table,
            device: device.info().name.clone(),
            seconds: took.as_secs_f64(),
            ranking: scores.ranking(&table.inputs),
            out_of_range,
            formulas,
            readable,
        })
    }

    /// As people read it.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        let best = self.outcome.best();
        writeln!(out)?;
        writeln!(out, "best      {}: test RMSE {:.4e}, {}", best.name, best.test, best.network)?;
        let spread = deviation(&self.table.test[1].to_f64());
        if spread > 0.0 {
            let explained = 1.0 - (best.test / spread).powi(2);
            writeln!(
                out,
                "          r2 {explained:.6} over the rows put aside, whose deviation is {spread:.4e}"
            )?;
        }
        let scores: Vec<String> = self.ranking.iter().map(|(name, s)| format!("{name} {s:.3}")).collect();
        writeln!(out, "inputs    {}", scores.join(", "))?;
        let beyond: Vec<String> =
            self.out_of_range.iter().map(|part| format!("{:.1} %", 100.0 * part)).collect();
        writeln!(out, "outside   of their grids, by layer at most: {}", beyond.join(", "))?;
        for stage in self.outcome.stages.iter().filter(|s| !s.edges.is_empty()) {
            for edge in &stage.edges {
                writeln!(out, "edge      {edge}")?;
            }
        }
        for (name, formula) in self.table.outputs.iter().zip(&self.readable) {
            writeln!(out, "formula   {name} = {formula}")?;
            writeln!(out, "latex     {}", formula.to_latex())?;
        }
        Ok(())
    }

    /// As programs read it.
    pub fn json(&self) -> Result<String> {
        let best = self.outcome.best();
        let stages = self.outcome.stages.iter().map(|s| {
            json!({ "name": s.name, "train": s.train, "test": s.test, "steps": s.steps.len(), "edges": s.network.edges() })
        });
        let stages: Vec<serde_json::Value> = stages.collect();
        let names: Vec<&str> = self.table.inputs.iter().map(String::as_str).collect();
        let both = self.formulas.iter().zip(&self.readable);
        let formulas = self.table.outputs.iter().zip(both).map(|(name, (formula, readable))| {
            Ok(json!({
                "output": name,
                "text": readable.to_text(),
                "latex": readable.to_latex(),
                "rust": formula.to_rust("formula", &names)?,
            }))
        });
        let formulas: Vec<serde_json::Value> = formulas.collect::<Result<_>>()?;
        let report = json!({
            "device": self.device,
            "seconds": self.seconds,
            "inputs": self.table.inputs,
            "outputs": self.table.outputs,
            "widths": best.network.widths(),
            "edges": best.network.edges(),
            "best": best.name,
            "test_rmse": best.test,
            "train_rmse": best.train,
            "scores": self.ranking.iter().map(|(name, s)| json!({ "input": name, "score": s })).collect::<Vec<_>>(),
            "out_of_range": self.out_of_range,
            "stages": stages,
            "formulas": formulas,
        });
        Ok(format!("{report:#}\n"))
    }
}

/// Formulas with numbers as short as the error allows.
fn readable(formulas: &[Expression], table: &Table, error: f64) -> Result<Vec<Expression>> {
    let names: Vec<&str> = table.inputs.iter().map(String::as_str).collect();
    let x = table.train[0].to_f64();
    let few = &x[..x.len().min(ROWS * names.len())];
    let tolerance = error.max(ROUNDING * deviation(&table.train[1].to_f64()));
    formulas.iter().map(|f| Ok(f.readable(&names, few, tolerance)?)).collect()
}

fn deviation(y: &[f64]) -> f64 {
    let mean = y.iter().sum::<f64>() / y.len().max(1) as f64;
    (y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / y.len().max(1) as f64).sqrt()
}

/// The network before and after pruning.
pub fn comparison(before: &Stage, after: &Stage, device: &Device, x: &HostTensor) -> Result<Comparison> {
    let drawn = |title: &str, stage: &Stage| -> Result<_> {
        let diagram = stage.network.diagram(title, device, x)?;
        Ok(diagram.note(&format!("test RMSE {:.2e}", stage.test)))
    };
    let compared = Comparison::new("Pruning").diagram(drawn("before", before)?);
    Ok(compared.diagram(drawn("after", after)?))
}

/// The loss step by step, with a mark where a stage begins.
pub fn course(stages: &[Stage]) -> LineChart {
    let mut chart = LineChart::new("The course of the fit").axes("step", "loss").log_y(true);
    let (mut before, mut points) = (0, Vec::new());
    for stage in stages.iter().filter(|s| !s.steps.is_empty()) {
        chart = chart.mark(f64::from(before), &stage.name);
        points.extend(stage.steps.iter().map(|s| (f64::from(before) + s.step as f64, s.loss)));
        before += stage.steps.len() as u32;
    }
    chart.line("loss, penalties included", &points)
}
