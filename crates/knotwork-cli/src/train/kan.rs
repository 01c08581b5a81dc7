//! `knotwork train kan`: from a table to a network, a report, pictures and a formula.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use knotwork::{
    nn::{
        Kan,
        kan::{Base, Functions, Outcome, Sparsity, Split, Stage, Workflow},
    },
    ops::Outside,
    prelude::*,
};

use super::{data::Table, report};

/// What to train on, and what to do with it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A CSV file with a header, numbers below it.
    data: PathBuf,
    /// The column to predict, or several with commas; all others are inputs.
    #[arg(long, value_delimiter = ',', required = true)]
    target: Vec<String>,
    /// Columns that are no inputs, with commas: names, identifiers, text.
    #[arg(long, value_delimiter = ',')]
    exclude: Vec<String>,
    /// Numbers of nodes: inputs, those between, outputs. Unless given, one row of 5 nodes between.
    #[arg(long, value_delimiter = ',')]
    width: Vec<usize>,
    /// Intervals of the first grid.
    #[arg(long, default_value_t = 5)]
    grid: usize,
    /// The splines' order (degree).
    #[arg(long, default_value_t = 3)]
    order: usize,
    /// Other functions than splines: `mexican_hat`, `morlet`, `dog`, "chebyshev degree=4", "rbf n=8 range=[-1, 1] width=0.3" …
    /// Splines by their text are 0 beyond their range unless it says `outside=linear`, as those of `--grid` are.
    #[arg(long, value_name = "FUNCTIONS", conflicts_with_all = ["grid", "order", "refine"])]
    basis: Option<Functions>,
    /// The term beside the splines: silu, none, identity or another activation.
    #[arg(long, default_value = "silu")]
    base: Base,
    /// Finer grids, one after another, with commas; the best by the rows put aside is kept.
    #[arg(long, value_delimiter = ',')]
    refine: Vec<usize>,
    /// Takes weak edges and nodes away after a fit with penalties.
    #[arg(long)]
    prune: bool,
    /// The weight of the penalties: lambda of L1 and 2 lambda of entropy.
    #[arg(long, default_value_t = 1e-2)]
    lambda: f64,
    /// The score below which an edge is taken away.
    #[arg(long, default_value_t = 3e-2)]
    edge_threshold: f64,
    /// The score below which a node is taken away.
    #[arg(long, default_value_t = 1e-2)]
    node_threshold: f64,
    /// Looks for a function for every edge, and prints the formula.
    #[arg(long)]
    symbolic: bool,
    /// L-BFGS steps of each stage.
    #[arg(long, default_value_t = 200)]
    steps: usize,
    /// The part of the rows that is put aside to judge by.
    #[arg(long, default_value_t = 0.2)]
    test: f64,
    /// The seed of the split and of the initial values.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
    /// Where the model goes: DATA with the ending `.safetensors` unless given.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Writes pictures there: the network before and after pruning, its edges, the course of the fit.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Writes the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Trains, reports, and saves.
pub fn train(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let device = knotwork::open_device(arguments.device.as_deref())?;
    let table =
        Table::read(&arguments.data, &arguments.target, &arguments.exclude, arguments.test, arguments.seed)?;
    let widths = widths(arguments, &table)?;
    let model = arguments.output.clone().unwrap_or_else(|| arguments.data.with_extension("safetensors"));
    // What cannot be written should be known before an hour's training, not after.
    writable(&model)?;
    if let Some(folder) = &arguments.plot {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }

    let (rows, aside) = table.rows();
    writeln!(out, "device    {}", device.info().name)?;
    writeln!(out, "data      {rows} rows to train on, {aside} to judge by; {}", table.inputs.join(", "))?;
    let functions = arguments.basis.as_ref().map_or(arguments.grid + arguments.order, Functions::count);
    if rows < functions {
        writeln!(
            out,
            "note      {rows} rows are fewer than the {functions} functions of an edge: what they leave open stays as it began"
        )?;
    }
    for remark in &table.remarks {
        writeln!(out, "note      {remark}")?;
    }

    let [inputs, outputs] = table.units();
    let mut builder = Kan::new(&Graph::new(), "kan", &widths)
        .grid(arguments.grid)
        .order(arguments.order)
        .base(arguments.base)
        .outside(Outside::Linear)
        .seed(arguments.seed);
    if let Some(functions) = &arguments.basis {
        builder = builder.basis(functions.clone());
    }
    let start = builder.network()?.named(&table.inputs, &table.outputs)?.in_units(&inputs, &outputs)?;
    writeln!(out, "network   {start}")?;
    let mut work =
        Workflow::new().steps(arguments.steps).refine(arguments.refine.clone()).symbolic(arguments.symbolic);
    if arguments.prune {
        let penalties = Sparsity::weight(arguments.lambda);
        work = work.prune(penalties, arguments.edge_threshold, arguments.node_threshold);
    }
    let split = Split { train: [&table.train[0], &table.train[1]], test: [&table.test[0], &table.test[1]] };
    let begun = Instant::now();
    let mut told = Ok(());
    let outcome = work.run(&start, &device, split, |stage| {
        if told.is_ok() {
            told = tell(out, stage, begun);
        }
    })?;
    told?;
    outcome.best().network.save(&model)?;
    let report = report::Report::new(&outcome, &device, &table, begun.elapsed())?;
    report.write(out)?;
    writeln!(out, "model     {}", model.display())?;
    if let Some(folder) = &arguments.plot {
        let count = pictures(&outcome, &device, &table, folder)?;
        writeln!(out, "pictures  {count} in {}", folder.display())?;
    }
    if let Some(path) = &arguments.json {
        crate::explain::write(path, &report.json()?)?;
    }
    Ok(())
}

/// The widths that were asked for, if they fit the table.
fn widths(arguments: &Arguments, table: &Table) -> Result<Vec<usize>> {
    let (inputs, outputs) = (table.inputs.len(), table.outputs.len());
    if arguments.width.is_empty() {
        return Ok(vec![inputs, 5, outputs]);
    }
    let (Some(first), Some(last)) = (arguments.width.first(), arguments.width.last()) else {
        bail!("--width is empty");
    };
    if arguments.width.len() < 2 || *first != inputs || *last != outputs {
        bail!(
            "--width is {:?}; {} has {inputs} inputs ({}) and {outputs} to predict ({}), so it must begin with {inputs} and end \
             with {outputs}",
            arguments.width,
            arguments.data.display(),
            table.inputs.join(", "),
            table.outputs.join(", ")
        );
    }
    Ok(arguments.width.clone())
}

/// That a file can be made there.
fn writable(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("{} cannot be written: there is no folder {}", path.display(), folder.display());
    }
    Ok(())
}

/// A line on a stage.
fn tell(out: &mut impl Write, stage: &Stage, begun: Instant) -> Result<()> {
    let Stage { name, network, train, test, steps, .. } = stage;
    let steps = if steps.is_empty() { String::new() } else { format!("{} steps, ", steps.len()) };
    let edges = network.edges();
    let seconds = begun.elapsed().as_secs_f64();
    writeln!(out, "{name:<16}  train {train:.3e}, test {test:.3e}; {steps}{edges} edges, {seconds:.1} s")?;
    out.flush()?;
    Ok(())
}

/// Draws what there is to see; the number of files.
fn pictures(outcome: &Outcome, device: &Device, table: &Table, folder: &Path) -> Result<usize> {
    let x = &table.train[0];
    let mut count = 0;
    let mut save = |name: &str, drawn: &dyn Fn(&Path) -> Result<()>| -> Result<()> {
        drawn(&folder.join(name))?;
        count += 1;
        Ok(())
    };
    let best = outcome.best();
    let network = best.network.diagram(&format!("The network ({})", best.name), device, x)?;
    let network = network.note(&format!("test RMSE {:.3e}", best.test));
    for ending in report::ENDINGS {
        save(&format!("network.{ending}"), &|path| Ok(network.save(path)?))?;
    }
    if let Some(at) = outcome.stages.iter().position(|s| s.name == "pruned") {
        let compared = report::comparison(&outcome.stages[at - 1], &outcome.stages[at], device, x)?;
        save("pruning.svg", &|path| Ok(compared.save(path)?))?;
    }
    let course = report::course(&outcome.stages);
    save("course.svg", &|path| Ok(course.save(path)?))?;
    for (l, layer) in best.network.layers().iter().enumerate() {
        for (input, sum) in (0..layer.inputs()).flat_map(|i| (0..layer.sums()).map(move |o| (i, o))) {
            if layer.has_edge(input, sum) && layer.edges() <= report::MOST {
                let plot = best.network.edge_plot(device, x, l, input, sum)?;
                save(&format!("edge-{l}-{input}-{sum}.svg"), &|path| Ok(plot.save(path)?))?;
            }
        }
    }
    Ok(count)
}
