//! The app: a renderer with a wgpu device of its own. It knows nothing of Knotwork.

use anyhow::{Context, Result};
use knotwork::gpu::raw::wgpu;

/// An app's device with its pipelines.
#[derive(Debug)]
pub struct Renderer {
    /// The device.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
    width: u32,
    height: u32,
    render: wgpu::ComputePipeline,
    show: wgpu::ComputePipeline,
}

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Where the spheres are.
    pub time: f32,
    /// Which random rays are taken.
    pub seed: u32,
    /// How many a pixel.
    pub samples: u32,
    /// Whether albedo and normal are written behind the colours: 9 planes, not 3.
    pub guides: bool,
}

impl Renderer {
    /// Opens the best device there is, with what `features` it has of those that are wanted.
    pub fn open(width: u32, height: u32, features: wgpu::Features) -> Result<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12,
            ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
        });
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..wgpu::RequestAdapterOptions::default()
        };
        let adapter = pollster::block_on(instance.request_adapter(&options)).context("there is no GPU")?;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("the renderer"),
            required_features: adapter.features() & features,
            required_limits: adapter.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
        let pipeline = |name, text: &str| {
            let source = wgpu::ShaderSource::Wgsl(text.into());
            let module =
                device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(name), source });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(name),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        let render = pipeline("render", include_str!("render.wgsl"));
        let show = pipeline("show", include_str!("show.wgsl"));
        Ok(Self { device, queue, width, height, render, show })
    }

    /// The adapter's name.
    pub fn name(&self) -> String {
        self.device.adapter_info().name
    }

    /// An image of so many planes.
    pub fn image(&self, planes: u32) -> wgpu::Buffer {
        // The copies are what a run of Knotwork needs; the rest is the renderer's own use.
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        self.buffer(u64::from(planes * self.width * self.height) * 4, usage)
    }

    fn buffer(&self, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    /// Submits one pass over `width` x height pixels.
    fn pass(&self, pipeline: &wgpu::ComputePipeline, words: [u32; 8], buffers: &[&wgpu::Buffer], width: u32) {
        let uniforms = self.buffer(32, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
        self.queue.write_buffer(&uniforms, 0, &words.map(u32::to_ne_bytes).concat());
        let all = std::iter::once(&uniforms).chain(buffers.iter().copied()).enumerate();
        let entries: Vec<_> = all
            .map(|(i, b)| wgpu::BindGroupEntry { binding: i as u32, resource: b.as_entire_binding() })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(width.div_ceil(8), self.height.div_ceil(8), 1);
        }
        self.queue.submit([encoder.finish()]);
    }

    /// Draws a frame into an image.
    pub fn render(&self, frame: Frame, into: &wgpu::Buffer) {
        let Frame { time, seed, samples, guides } = frame;
        let words = [self.width, self.height, samples, seed, time.to_bits(), guides.into(), 0, 0];
        self.pass(&self.render, words, &[into], self.width);
    }

    /// Three images side by side, as the screen would show them: RGBA, row by row.
    pub fn show(&self, images: [&wgpu::Buffer; 3]) -> Result<Vec<u8>> {
        let size = u64::from(3 * self.width * self.height) * 4;
        let screen = self.buffer(size, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let [a, b, c] = images;
        let words = [self.width, self.height, 0, 0, 0, 0, 0, 0];
        self.pass(&self.show, words, &[a, b, c, &screen], 3 * self.width);
        let staging = self.buffer(size, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&screen, 0, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| {});
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok(staging.get_mapped_range(..).context("the screen could not be read")?.to_vec())
    }
}

/// A picture of RGBA pixels as a BMP file.
pub fn bmp(rgba: &[u8], width: usize) -> Vec<u8> {
    let rows: Vec<&[u8]> = rgba.chunks_exact(width * 4).collect();
    let mut file = b"BM".to_vec();
    let words = |file: &mut Vec<u8>, all: &[u32]| all.iter().for_each(|w| file.extend(w.to_le_bytes()));
    words(&mut file, &[54 + rgba.len() as u32, 0, 54, 40, width as u32, rows.len() as u32]);
    // One plane of 32 bits a pixel, not compressed; the last row first, blue before green before red.
    words(&mut file, &[1 | 32 << 16, 0, rgba.len() as u32, 2835, 2835, 0, 0]);
    for row in rows.iter().rev() {
        row.chunks_exact(4).for_each(|p| file.extend([p[2], p[1], p[0], p[3]]));
    }
    file
}
