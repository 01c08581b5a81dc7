//! Kernels as compiled pipelines: composed, compiled in parallel, kept.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use knotwork_core::{
    Error, Result, Site,
    plan::{ConstantValue, FUSED_BINDING, Kernel, Source},
};
use knotwork_shaders::{Constant, Root, compose, validate};
use rayon::prelude::*;

use crate::{adapter::Profile, cache::DiskCache, context::Context, recent::Recent};

/// A kernel, ready to dispatch.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// A kernel with which of its storage bindings it writes, and whether it has the uniform `fused`.
type Key = (Kernel, Vec<bool>, bool);

/// Pipelines that are kept at most, but for those in use. A training program has some dozens; only an app that goes on making
/// other graphs comes near.
const KEPT: usize = 1024;

/// All pipelines of a device.
#[derive(Debug)]
pub(crate) struct Pipelines {
    profile: Profile,
    ready: Mutex<Recent<Key, Pipeline>>,
    disk: Option<DiskCache>,
}

/// A kernel that a plan needs, and who asks for it.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub kernel: &'a Kernel,
    pub writes: Vec<bool>,
    pub fused: bool,
    pub node: &'a str,
    pub site: Site,
}

impl Pipelines {
    pub fn new(profile: Profile, disk: Option<DiskCache>) -> Self {
        Self { profile, ready: Mutex::default(), disk }
    }

    /// The pipelines of all wanted kernels, in their order. Those that are not there yet are compiled in parallel.
    pub fn get(&self, context: &Context, wanted: &[Wanted<'_>]) -> Result<Vec<Arc<Pipeline>>> {
        let keys: Vec<Key> = wanted.iter().map(|w| (w.kernel.clone(), w.writes.clone(), w.fused)).collect();
        let lock = || self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        // Held from here on, so that no other thread's plan pushes them out.
        let mut all: HashMap<&Key, Arc<Pipeline>> = {
            let mut ready = lock();
            keys.iter().filter_map(|key| Some((key, ready.get(key)?))).collect()
        };
        let missing: HashMap<&Key, &Wanted<'_>> =
            keys.iter().zip(wanted).filter(|(key, _)| !all.contains_key(key)).collect();
        let made: Vec<(&Key, Arc<Pipeline>)> = missing
            .par_iter()
            .map(|(key, w)| Ok((*key, Arc::new(self.compile(context, w)?))))
            .collect::<Result<_>>()?;
        let new = !made.is_empty();
        {
            let mut ready = lock();
            made.iter().for_each(|(key, pipeline)| ready.insert((*key).clone(), pipeline.clone()));
            ready.trim(KEPT);
        }
        all.extend(made);
        if let (true, Some(disk)) = (new, &self.disk) {
            disk.save();
        }
        let pipeline = |key| all.get(key).cloned().ok_or_else(|| context.fail("a pipeline went missing"));
        keys.iter().map(pipeline).collect()
    }

    fn compile(&self, context: &Context, wanted: &Wanted<'_>) -> Result<Pipeline> {
        let kernel = wanted.kernel;
        let _span = tracing::debug_span!("compile", kernel = kernel.name).entered();
        let refuse = |message: String| Error::Kernel {
            kernel: kernel.name.clone(),
            node: wanted.node.into(),
            site: wanted.site,
            message,
        };
        let constants: Vec<(&str, Constant)> =
            kernel.constants.iter().map(|(name, value)| (*name, constant(value))).collect();
        let root = match &kernel.source {
            Source::Named(name) => Root::Named(name),
            Source::Text(text) => Root::Text { name: &kernel.name, text },
        };
        let composed = compose(root, &kernel.flags, &constants).map_err(|e| refuse(e.to_string()))?;
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(&kernel.name),
            source: wgpu::ShaderSource::Wgsl(composed.text.as_str().into()),
        };
        let device = &context.device;
        let trusted = self.profile == Profile::Trusted;
        let module = context.guarded(|| {
            if trusted {
                // SAFETY: our kernels bound every index: those made from sizes by construction (the checked profile
                // and the harness hold them to it), those that come from data by clamping in the kernel.
                unsafe {
                    device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
                }
            } else {
                device.create_shader_module(descriptor)
            }
        });
        // The composer's validation says the same as wgpu's, with the numbered WGSL and the file that it came from.
        let fatal = |e: &wgpu::Error| {
            let fatal = matches!(e, wgpu::Error::OutOfMemory { .. }) || context.alive().is_err();
            fatal.then(|| context.refused(&format!("the kernel `{}`", kernel.name), 0, e))
        };
        let module = module.map_err(|e| {
            if let Some(fatal) = fatal(&e) {
                return fatal;
            }
            refuse(validate(&composed).err().map_or_else(|| e.to_string(), |located| located.to_string()))
        })?;
        context.count.pipelines.fetch_add(1, Ordering::Relaxed);
        let made = context.guarded(|| {
            let layout = self.layout(context, wanted);
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&kernel.name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[],
                    zero_initialize_workgroup_memory: !trusted,
                },
                cache: self.disk.as_ref().map(|d| &d.cache),
            });
            Pipeline { pipeline, layout }
        });
        made.map_err(|e| fatal(&e).unwrap_or_else(|| refuse(format!("{e}\n{}", numbered(&composed.text)))))
    }

    fn layout(&self, context: &Context, wanted: &Wanted<'_>) -> wgpu::BindGroupLayout {
        let entry = |binding: u32, ty, dynamic| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: dynamic, min_binding_size: None },
            count: None,
        };
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let entries: Vec<wgpu::BindGroupLayoutEntry> =
            std::iter::once(entry(0, wgpu::BufferBindingType::Uniform, true))
                .chain(
                    wanted.writes.iter().enumerate().map(|(i, &w)| entry(i as u32 + 1, storage(!w), false)),
                )
                .chain(wanted.fused.then(|| entry(FUSED_BINDING, wgpu::BufferBindingType::Uniform, true)))
                .collect();
        context
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
    }
}

fn constant(value: &ConstantValue) -> Constant {
    match value {
        ConstantValue::U32(v) => Constant::U32(*v),
        ConstantValue::I32(v) => Constant::I32(*v),
        ConstantValue::F32(bits) => Constant::F32(f32::from_bits(*bits)),
        ConstantValue::Bool(v) => Constant::Bool(*v),
        ConstantValue::Type(name) => Constant::Type(name.clone()),
    }
}

fn numbered(text: &str) -> String {
    knotwork_shaders::excerpt(text, 1, text.lines().count())
}
