//! `docs/operations.md`: the catalogue of operations, written out of the registry.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use knotwork::{
    Graph, Tensor,
    ops::{
        Case, Cases, Registered,
        elementwise::{Attribute, Row},
        families,
    },
    plan::PlanOptions,
};

use crate::paper::paper;

const HEAD: &str = "# Operations

Every operation of the library, by family. Written by `cargo run --release -p kernels-test -- operations` out of the
registry; a test fails where it is out of date. Each is a method on `Tensor`, documented there with its shapes, errors
and an example. `x […]` is a tensor of any shape; sizes in brackets name dimensions.

- **Types**: what the operation takes. f64 graphs run on the CPU; i32 and u32 are indices where not said otherwise.
- **Gradient**: *both orders* means that its gradient has a gradient too, checked in f64 against differences like the
  first; *first order* means that it has none and says so when asked.
- **Kernels**: the GPU variants that a plan may choose from (`operation: variant`), all of them tested. Elementwise
  functions have none of their own: the planner composes them into fused kernels.
- **NaN, infinities**: a NaN in gives NaN in every result that depends on it, comparisons and `select` as IEEE 754 has
  them; an infinity gives the limit of the formula where there is one. Selecting operations (`max`, `min`, `maxout`,
  `relu` and its kin) pass NaN on. Indices out of range are an error on the CPU; on a GPU they are clamped, counted, and
  reported with the results.
";

/// The document.
///
/// # Errors
/// Where a case of an operation has no plan.
pub fn document() -> Result<String, String> {
    let mut text = HEAD.to_owned();
    for (family, ops) in families() {
        let shown: Vec<Registered> = ops
            .into_iter()
            .filter(|op| !matches!(op.cases, Cases::Row(row) if row.is_derivative()))
            .collect();
        let _ = writeln!(text, "\n## {family}\n");
        if shown.iter().all(|op| matches!(op.cases, Cases::Row(_))) {
            table(&mut text, &shown);
        } else {
            for (n, op) in shown.iter().enumerate() {
                if n > 0 {
                    text.push('\n');
                }
                section(&mut text, op)?;
            }
        }
    }
    Ok(text)
}

fn section(text: &mut String, op: &Registered) -> Result<(), String> {
    let _ = writeln!(text, "### {}\n\n{}\n", op.name, op.formula);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "- {name}: {value}");
        }
    };
    line("Inputs", op.inputs);
    line("Attributes", op.attributes);
    line("Types", op.types);
    line("Gradient", gradient(&op.cases()));
    line("Kernels", &kernels(op)?);
    line("Source", op.source);
    Ok(())
}

/// The rows of the elementwise table share inputs and kernels: a line each.
fn table(text: &mut String, ops: &[Registered]) {
    text.push_str(
        "| operation | formula | attributes | types | gradient | source |\n|---|---|---|---|---|---|\n",
    );
    for op in ops {
        let Cases::Row(row) = op.cases else { continue };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            op.name,
            op.formula.replace('|', "\\|"),
            attributes(row),
            op.types,
            gradient(&op.cases()),
            op.source
        );
    }
}

fn attributes(row: &Row) -> String {
    let say = |a: &Attribute| format!("{} = {} (must {})", a.name, a.default, a.limits());
    row.attributes.iter().map(say).collect::<Vec<_>>().join("; ")
}

fn gradient(cases: &[Case]) -> &'static str {
    if cases.iter().any(|c| c.twice) {
        "both orders"
    } else if cases.iter().any(|c| c.differentiable) {
        "first order"
    } else {
        "none"
    }
}

/// The kernel variants that plans of its cases choose from, forward only.
fn kernels(op: &Registered) -> Result<String, String> {
    let device = paper();
    let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for case in op.cases() {
        let say = |e: knotwork::Error| format!("{} `{}`: {e}", op.name, case.name);
        let graph = Graph::new();
        let inputs = case
            .inputs
            .iter()
            .enumerate()
            .map(|(i, input)| graph.input(&format!("x{i}"), input.dtype, input.shape.as_slice()))
            .collect::<knotwork::Result<Vec<Tensor>>>()
            .map_err(say)?;
        let outputs = (case.build)(&inputs).map_err(say)?;
        let outputs: Vec<&Tensor> = outputs.iter().collect();
        let mut seen: Vec<Vec<&str>> = Vec::new();
        for variant in std::iter::once(None).chain((1..).map(Some)) {
            // Each operation as itself, neither fused nor rewritten.
            let plain = PlanOptions { no_fuse: true, no_rewrite: true, ..PlanOptions::default() };
            let options = PlanOptions { variant, ..plain };
            let mut program = device.compile(&graph, &outputs, &[]).map_err(say)?.with_options(options);
            let plan = program.plan(&Default::default()).map_err(say)?;
            let variants: Vec<&str> = plan.steps.iter().map(|s| s.variant).collect();
            if variant.is_some() && seen.contains(&variants) {
                break;
            }
            seen.push(variants);
            // A fused body is named after its functions; what it computes is in the formula.
            for step in plan.steps.iter().filter(|s| !s.variant.is_empty() && s.op.body().is_none()) {
                found.entry(step.op.name().to_owned()).or_default().insert(step.variant);
            }
        }
    }
    if found.is_empty() {
        return Ok("fused elementwise".into());
    }
    let each = |(name, variants): (String, BTreeSet<&str>)| {
        format!("`{name}`: {}", variants.into_iter().collect::<Vec<_>>().join(", "))
    };
    Ok(found.into_iter().map(each).collect::<Vec<_>>().join("; "))
}
