//! `knotwork devices`: what there is to run on, and what each would get.

use std::{collections::BTreeMap, io::Write};

use anyhow::Result;
use knotwork::{
    Device, Graph,
    ops::{CaseInput, registry},
    plan::{Capabilities, PlanOptions},
};

/// Writes one paragraph a device; the one that programs take by default is marked.
pub fn list(out: &mut impl Write) -> Result<()> {
    let default = knotwork::best_device().map(|d| d.info().clone());
    let cpu = Device::cpu();
    let mark = |kind: bool| if kind { " (default)" } else { "" };
    let on_cpu = default.as_ref().is_ok_and(|d| d.name == "cpu");
    writeln!(out, "cpu{}", mark(on_cpu))?;
    writeln!(out, "    {}", cpu.info().driver)?;
    #[cfg(feature = "gpu")]
    for adapter in knotwork::gpu::adapters() {
        let chosen =
            default.as_ref().is_ok_and(|d| d.name == adapter.name && d.interface == adapter.interface);
        writeln!(out, "gpu: {}{}", adapter.name, mark(chosen))?;
        writeln!(out, "    {}, {}, {}", adapter.class, adapter.interface, adapter.driver)?;
        let c = &adapter.capabilities;
        writeln!(
            out,
            "    limits    binding {}, buffer {}, {} storage buffers, {} threads and {} a workgroup, {} groups a \
             dimension, offsets of {} B",
            bytes(c.max_binding_bytes),
            bytes(c.max_buffer_bytes),
            c.max_storage_buffers,
            c.max_threads,
            bytes(c.max_workgroup_bytes as usize),
            c.max_groups,
            c.offset_alignment
        )?;
        let features: Vec<String> = adapter
            .features
            .iter()
            .map(|(name, has)| format!("{}{name}", if *has { "+" } else { "-" }))
            .collect();
        writeln!(out, "    features  {}", features.join(" "))?;
        if let Some((low, high)) = c.subgroup_size {
            writeln!(out, "    subgroups {low} to {high}")?;
        }
        if !c.cooperative.is_empty() {
            let matrices: Vec<String> = c.cooperative.iter().map(ToString::to_string).collect();
            writeln!(out, "    matrices  {}", matrices.join(", "))?;
        }
        writeln!(out, "    profile   {}", knotwork::gpu::Profile::default())?;
        writeln!(out, "    variants  {}", variants(c))?;
        if adapter.is_software() {
            writeln!(out, "    a software driver: slower than `cpu`; taken only where it is asked for")?;
        }
    }
    if let Err(error) = default {
        writeln!(out, "\n{error}")?;
    }
    Ok(())
}

/// The kernel variants that the operations' own cases would run on such a device.
fn variants(capabilities: &Capabilities) -> String {
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for operation in registry() {
        for case in operation.cases() {
            let graph = Graph::new();
            let input =
                |(i, c): (usize, &CaseInput)| graph.input(&format!("x{i}"), c.dtype, c.shape.as_slice());
            let Ok(inputs) = case.inputs.iter().enumerate().map(input).collect::<Result<Vec<_>, _>>() else {
                continue;
            };
            let Ok(outputs) = (case.build)(&inputs) else { continue };
            let outputs: Vec<_> = outputs.iter().collect();
            let plan = graph.plan(&outputs, &[], &[].into(), capabilities, PlanOptions::default());
            for step in plan.iter().flat_map(|p| &p.steps).filter(|s| s.variant != "elementwise") {
                let known = found.entry(step.op.name().to_owned()).or_default();
                if !step.variant.is_empty() && !known.contains(&step.variant) {
                    known.push(step.variant);
                }
            }
        }
    }
    found.retain(|_, v| !v.is_empty());
    let shown: Vec<String> = found.iter().map(|(op, v)| format!("{op}: {}", v.join("|"))).collect();
    if shown.is_empty() { "elementwise".into() } else { format!("elementwise; {}", shown.join("; ")) }
}

fn bytes(n: usize) -> String {
    match n {
        0..1024 => format!("{n} B"),
        1024..0x10_0000 => format!("{} KiB", n >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", n >> 20),
        _ => format!("{} GiB", n >> 30),
    }
}
