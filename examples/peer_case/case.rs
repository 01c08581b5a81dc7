//! The program of a case: its inputs are states, its results go into states, only a loss is read.

use anyhow::{Context, Result, bail, ensure};
use knotwork::{
    graph::Update,
    nn::{Adam, Kan},
    ops::{Attention, Mask},
    prelude::*,
};
use serde_json::Value;

/// Compiles the case for the device.
pub fn program(device: &Device, case: &Value) -> Result<Program> {
    match case["kind"].as_str() {
        Some("kan") => kan(device, case),
        Some("matmul") => matmul(device, case),
        Some("attention") => attention(device, case),
        Some("sort") => sort(device, case),
        _ => bail!("its `kind` must be kan, matmul, attention or sort; it is {}", case["kind"]),
    }
}

/// Forward, mean squared error, backward and Adam.
fn kan(device: &Device, case: &Value) -> Result<Program> {
    let (widths, batch) = (sizes(case, "widths")?, size(case, "batch")?);
    ensure!(widths.len() > 1, "`widths` must list two or more");
    let g = Graph::new();
    let x = g.state("x", "data", numbers(&[batch, widths[0]], 1)?)?;
    let target = g.state("target", "data", numbers(&[batch, widths[widths.len() - 1]], 2)?)?;
    let model = Kan::new(&g, "kan", &widths).grid(size(case, "grid")?).build()?;
    let loss = model.forward(&x)?.mse_loss(&target)?;
    let step = Adam::new(1e-3).minimize(&loss)?;
    Ok(device.compile(&g, &[&loss], &[&step])?)
}

/// One square product.
fn matmul(device: &Device, case: &Value) -> Result<Program> {
    let (n, dtype) = (size(case, "size")?, dtype(case)?);
    let g = Graph::new();
    let a = g.state("a", "data", numbers(&[n, n], 1)?.cast(dtype))?;
    let b = g.state("b", "data", numbers(&[n, n], 2)?.cast(dtype))?;
    let product = kept(&g, "c", &a.matmul(&b)?)?;
    Ok(device.compile(&g, &[], &[&product])?)
}

/// Causal attention, within a window where there is one: the values, or the gradients to queries, keys and values.
fn attention(device: &Device, case: &Value) -> Result<Program> {
    let (shape, dtype) = (sizes(case, "shape")?, dtype(case)?);
    let mask = match case.get("window") {
        Some(_) => Mask::window(size(case, "window")? - 1, 0),
        None => Mask::causal(),
    };
    let g = Graph::new();
    let state = |name: &str, seed: u64| -> Result<Tensor> {
        Ok(g.state(name, "data", numbers(&shape, seed)?.cast(dtype))?)
    };
    let (q, k, v) = (state("q", 1)?, state("k", 2)?, state("v", 3)?);
    let y = q.attention(&k, &v, &Attention::new().mask(mask))?;
    if case["backward"] != Value::Bool(true) {
        return Ok(device.compile(&g, &[], &[&kept(&g, "y", &y)?])?);
    }
    let dy = state("dy", 4)?;
    let found = g.vjp(&[(&y, &dy)], &[&q, &k, &v])?;
    let mut updates = vec![kept(&g, "y", &y)?];
    for (name, d) in ["dq", "dk", "dv"].iter().zip(&found) {
        updates.push(kept(&g, name, d)?);
    }
    Ok(device.compile(&g, &[], &updates.iter().collect::<Vec<_>>())?)
}

/// An ascending sort along a dimension, or the k largest in order.
fn sort(device: &Device, case: &Value) -> Result<Program> {
    let shape = sizes(case, "shape")?;
    let dim =
        case["dim"].as_i64().with_context(|| format!("`dim` must be a number; it is {}", case["dim"]))?;
    let g = Graph::new();
    let x = g.state("x", "data", numbers(&shape, 1)?)?;
    let (values, indices) = match case.get("k") {
        Some(_) => x.topk(size(case, "k")?, dim as isize, true)?,
        None => x.sort(dim as isize, false)?,
    };
    let updates = [kept(&g, "values", &values)?, kept(&g, "indices", &indices)?];
    Ok(device.compile(&g, &[], &updates.iter().collect::<Vec<_>>())?)
}

/// Puts a value into a state of its own: nothing is computed that nobody reads, and nothing needs to leave the device.
fn kept(g: &Graph, name: &str, value: &Tensor) -> Result<Update> {
    let shape: Vec<usize> =
        value.shape().dims().iter().map(Dim::fixed).collect::<Option<_>>().context("a size is not fixed")?;
    let slot = g.state(name, "results", HostTensor::zeros(value.dtype(), &shape))?;
    Ok(g.assign(&slot, value)?)
}

fn size(case: &Value, name: &str) -> Result<usize> {
    let found = case[name].as_u64().filter(|&n| n > 0 && n <= 1 << 24);
    Ok(found.with_context(|| format!("`{name}` must be a whole number in 1..2^24; it is {}", case[name]))?
        as usize)
}

fn sizes(case: &Value, name: &str) -> Result<Vec<usize>> {
    let list = case[name].as_array().with_context(|| format!("`{name}` must be a list of sizes"))?;
    let found: Option<Vec<usize>> =
        list.iter().map(|n| n.as_u64().filter(|&n| n > 0 && n <= 1 << 24).map(|n| n as usize)).collect();
    found.with_context(|| format!("`{name}` must list whole numbers in 1..2^24; it is {}", case[name]))
}

fn dtype(case: &Value) -> Result<DType> {
    match case["dtype"].as_str() {
        Some("f32") => Ok(DType::F32),
        Some("f16") => Ok(DType::F16),
        _ => bail!("`dtype` must be f32 or f16; it is {}", case["dtype"]),
    }
}

/// Numbers in [−1, 1) from a small generator.
fn numbers(shape: &[usize], seed: u64) -> Result<HostTensor> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    Ok(HostTensor::from_vec((0..shape.iter().product::<usize>()).map(next).collect(), shape)?)
}
