//! Fills memory that holds nothing alive with NaN before a dispatch writes it, on the device.

use std::sync::{Arc, atomic::Ordering};

use knotwork_core::{
    Result, Site,
    plan::{Fill, Grid, Kernel, Needs, POISON, Plan, Source},
};

use crate::{
    context::Context,
    pipeline::{Pipeline, Wanted},
};

/// Threads of the kernel's workgroups.
const THREADS: usize = 256;

/// One range to fill, with everything bound.
#[derive(Debug)]
pub(crate) struct Filling {
    pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    params: u32,
    grid: [u32; 3],
}

impl Filling {
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[self.params]);
        pass.dispatch_workgroups(self.grid[0], self.grid[1], self.grid[2]);
    }
}

/// The plan's fills, each with the dispatch before which it runs.
pub(crate) fn fillings(
    context: &Arc<Context>,
    plan: &Plan,
    buffers: &[crate::buffer::Buffer],
) -> Result<Vec<(usize, Vec<Filling>)>> {
    let fills = plan.fills();
    if fills.is_empty() || plan.dispatches.is_empty() {
        return Ok(Vec::new());
    }
    let pipeline = pipeline(context)?;
    // Each reads its words of one uniform buffer by a dynamic offset.
    let align = context.uniform_alignment.max(16);
    let offset_align = context.capabilities.offset_alignment.max(16);
    let aligned = |f: &Fill| f.offset / offset_align * offset_align;
    let mut bytes = vec![0u8; fills.len() * align];
    for (block, fill) in bytes.chunks_exact_mut(align).zip(&fills) {
        let begin = (fill.offset - aligned(fill)) / 4;
        let words = [begin as u32, (begin + fill.bytes / 4) as u32, POISON, 0];
        block[..16].copy_from_slice(bytemuck::cast_slice(&words));
    }
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let uniforms = context.buffer("params of fills", bytes.len(), usage)?;
    let make = || {
        context.write(&uniforms, 0, &bytes);
        fills
            .iter()
            .enumerate()
            .map(|(k, fill)| {
                let (from, to) = (aligned(fill), fill.offset + fill.bytes);
                let range = |buffer, offset: usize, size: usize| {
                    wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer,
                        offset: offset as u64,
                        size: wgpu::BufferSize::new(size as u64),
                    })
                };
                let entries = [
                    wgpu::BindGroupEntry { binding: 0, resource: range(&uniforms, 0, 16) },
                    wgpu::BindGroupEntry {
                        binding: 1,
                        resource: range(&buffers[fill.buffer.0], from, to - from),
                    },
                ];
                context.count.bind_groups.fetch_add(1, Ordering::Relaxed);
                let bind_group = context.device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some("poison"),
                    layout: &pipeline.layout,
                    entries: &entries,
                });
                let groups = (fill.bytes / 4).div_ceil(THREADS) as u64;
                let grid = Grid::Linear(groups).fold(context.capabilities.max_groups).unwrap_or([0; 3]);
                (
                    fill.step,
                    Filling { pipeline: pipeline.clone(), bind_group, params: (k * align) as u32, grid },
                )
            })
            .collect::<Vec<_>>()
    };
    let made = context.guarded(make).map_err(|e| context.refused("filling recycled memory", 0, &e))?;
    let mut out: Vec<(usize, Vec<Filling>)> = Vec::new();
    for (step, filling) in made {
        // A step that fills the start of a run but has no dispatch stands for the first one.
        let dispatch = plan.dispatches.iter().position(|d| d.step == step).unwrap_or(0);
        match out.iter_mut().find(|(d, _)| *d == dispatch) {
            Some((_, fillings)) => fillings.push(filling),
            None => out.push((dispatch, vec![filling])),
        }
    }
    Ok(out)
}

fn pipeline(context: &Arc<Context>) -> Result<Arc<Pipeline>> {
    let kernel = Kernel {
        name: "poison".into(),
        source: Source::Named("poison"),
        flags: Vec::new(),
        constants: Vec::new(),
        needs: Needs::default(),
    };
    let wanted = [Wanted {
        kernel: &kernel,
        writes: vec![true],
        fused: false,
        node: "recycled memory",
        site: Site::here(),
    }];
    let mut made = context.pipelines.get(context, &wanted)?;
    made.pop().ok_or_else(|| context.fail("the kernel `poison` went missing"))
}
