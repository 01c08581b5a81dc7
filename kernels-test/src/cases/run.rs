//! Runs one case: forward and backward in one program.

use knotwork::{Device, Graph, HostTensor, Tensor};

use super::CaseFile;
use crate::{
    caught, compare,
    operations::{Named, Refusal, build},
};

/// Everything of a case that does not hold: (tensor, what is wrong).
pub(super) fn run(case: &CaseFile, device: &Device) -> Vec<(String, String)> {
    caught(|| evaluate(case, device)).unwrap_or_else(|message| vec![("case".into(), message)])
}

fn inputs(case: &CaseFile, graph: &Graph) -> knotwork::Result<Named> {
    let input = |(name, value): (&String, &HostTensor)| {
        Ok((name.clone(), graph.input(&format!("in/{name}"), value.dtype(), value.shape())?))
    };
    case.inputs.iter().map(input).collect()
}

fn evaluate(case: &CaseFile, device: &Device) -> Result<Vec<(String, String)>, String> {
    let say = |e: knotwork::Error| e.to_string();
    let graph = Graph::new();
    let inputs = inputs(case, &graph).map_err(say)?;
    let made = build(&case.op, &inputs, &case.attrs).map_err(|refusal| match refusal {
        Refusal::Unknown(what) => format!("unknown {what}"),
        Refusal::Failed(message) => message,
    })?;
    let mut names = Vec::new();
    let mut tensors: Vec<Tensor> = Vec::new();
    let mut wanted = Vec::new();
    for (name, want) in &case.outputs {
        let got = made.get(name).ok_or_else(|| format!("the operation has no output `{name}`"))?;
        names.push(format!("out/{name}"));
        tensors.push(got.clone());
        wanted.push(want);
    }
    let mut cotangents = Vec::new();
    for (name, value) in &case.cotangents {
        let output = made.get(name).ok_or_else(|| format!("the operation has no output `{name}`"))?;
        let shape = value.shape();
        cotangents.push((output, graph.input(&format!("cot/{name}"), value.dtype(), shape).map_err(say)?));
    }
    let pairs: Vec<(&Tensor, &Tensor)> = cotangents.iter().map(|(y, dy)| (*y, dy)).collect();
    let mut targets = Vec::new();
    for (name, want) in &case.gradients {
        targets.push(inputs.get(name).ok_or_else(|| format!("grad/{name} has no input"))?);
        names.push(format!("grad/{name}"));
        wanted.push(want);
    }
    if !targets.is_empty() {
        tensors.extend(graph.vjp(&pairs, &targets).map_err(say)?);
    }
    let mut program = device.compile(&graph, &tensors.iter().collect::<Vec<_>>(), &[]).map_err(say)?;
    // A gradient may need neither an input nor a cotangent, and a program takes exactly what it reads.
    let plan = program.plan(&Default::default()).map_err(say)?;
    let given = case.inputs.iter().map(|(n, v)| (format!("in/{n}"), v));
    let given = given.chain(case.cotangents.iter().map(|(n, v)| (format!("cot/{n}"), v)));
    let feeds: Vec<(String, &HostTensor)> =
        given.filter(|(name, _)| plan.feeds.iter().any(|f| f.name == *name)).collect();
    let run = program.run(feeds.iter().map(|(n, v)| (n.as_str(), *v))).map_err(say)?;
    let got = run.wait().map_err(say)?;
    let results = names.into_iter().zip(got.iter().zip(wanted));
    Ok(results
        .filter_map(|(name, (got, want))| {
            compare(got, want, |w| case.atol + case.rtol * w.abs()).err().map(|message| (name, message))
        })
        .collect())
}
