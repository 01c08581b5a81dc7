//! An app that shares its GPU: a small renderer with a wgpu device of its own, whose noisy pictures a network cleans on
//! that same device. The network learns while the app draws, from pairs of equally noisy pictures of the same frame
//! (Lehtinen et al. 2018, Noise2Noise: a network that cannot foresee the noise gives the mean). No picture passes through
//! the host: the renderer's buffers are the network's inputs, and the network's output is drawn by the renderer.

mod renderer;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;
use knotwork::{
    Program, Update,
    gpu::raw::{self, DeviceExt, Sharing, wgpu},
    nn::{Adam, Generator},
    ops::Conv2d,
    prelude::*,
};
use renderer::{Frame, Renderer, bmp};

/// Renders with few rays and cleans the picture with a network, on one device.
#[derive(Debug, Parser)]
struct Arguments {
    /// Width and height of the picture.
    #[arg(long, default_value_t = 96)]
    size: u32,
    /// Frames to learn from.
    #[arg(long, default_value_t = 300)]
    frames: u32,
    /// Where the picture goes: noisy, cleaned, and with 256 rays a pixel.
    #[arg(long, default_value = "share_device.bmp")]
    out: PathBuf,
}

/// Planes that the renderer gives: colour, albedo, normal.
const PLANES: usize = 9;
const CHANNELS: usize = 8;

/// The network that cleans: three convolutions find how much light reaches each pixel, from the colours around it; times
/// the albedo, which has no noise, that is the picture.
struct Cleaner {
    train: Program,
    clean: Program,
}

impl Cleaner {
    fn new(device: &Device, size: usize) -> Result<Self> {
        let g = Graph::new();
        let noisy = g.input("noisy", DType::F32, [1, PLANES, size, size])?;
        let target = g.input("target", DType::F32, [1, 3, size, size])?;
        let mut x = noisy.clone();
        let layers = [(PLANES, CHANNELS), (CHANNELS, CHANNELS), (CHANNELS, 1)];
        for (i, (from, to)) in layers.into_iter().enumerate() {
            let last = i + 1 == layers.len();
            // At first the network says half the light everywhere, next to nothing else.
            let (gain, start) = if last { (0.1, 0.5f32) } else { (2f64.sqrt(), 0.0) };
            let mut random = Generator::named(7, &format!("layer {i}"));
            let weight = random.kaiming_uniform(&[to, from, 3, 3], from * 9, gain)?;
            let weight = g.parameter(&format!("weight {i}"), weight)?;
            let bias = g.parameter(&format!("bias {i}"), HostTensor::from_vec(vec![start; to], [to])?)?;
            // Holes between the weights, wider from layer to layer: 15 pixels across in all.
            let holes = 1 << i;
            x = x.conv2d(&weight, Some(&bias), &Conv2d::new().padding(holes).dilation(holes))?;
            if !last {
                x = x.relu()?;
            }
        }
        let cleaned = x.mul(&noisy.slice(1, 3, 6)?)?;
        let loss = cleaned.sub(&target)?.square()?.mean(&[0, 1, 2, 3], false)?;
        let step: Update = Adam::new(1e-2).minimize(&loss)?;
        let train = device.compile(&g, &[&loss], &[&step])?;
        let clean = train.sibling(&[&cleaned], &[])?;
        Ok(Self { train, clean })
    }
}

/// How it went: signal to noise in dB of what the screen shows, against 256 rays a pixel.
#[derive(Debug)]
pub struct Report {
    /// The device that both use.
    pub device: String,
    /// The loss on the first and on the last frames.
    pub losses: (f32, f32),
    /// Of the picture with one ray a pixel.
    pub noisy: f64,
    /// Of the cleaned one.
    pub cleaned: f64,
    /// The three pictures side by side, as a BMP file.
    pub picture: Vec<u8>,
}

/// Draws, learns, and cleans a frame that was not learned from.
pub fn run(size: u32, frames: u32) -> Result<Report> {
    let app = Renderer::open(size, size, raw::features())?;
    let device = Device::from_wgpu(app.device.clone(), app.queue.clone(), Sharing::default())?;
    let mut net = Cleaner::new(&device, size as usize)?;

    let side = size as usize;
    let (noisy, other, cleaned, reference) = (app.image(9), app.image(3), app.image(3), app.image(3));
    let lend = |buffer: &wgpu::Buffer, planes| device.import(buffer, 0, DType::F32, &[1, planes, side, side]);
    let (noisy_in, other_in, cleaned_out) = (lend(&noisy, PLANES)?, lend(&other, 3)?, lend(&cleaned, 3)?);

    let mut losses: Vec<f32> = Vec::new();
    let frame = |time, seed, guides| Frame { time, seed, samples: 1, guides };
    for k in 0..frames {
        // The app submits its passes, then Knotwork its run: the queue keeps the order, nobody waits.
        let time = k as f32 * 0.37;
        app.render(frame(time, 2 * k, true), &noisy);
        app.render(frame(time, 2 * k + 1, false), &other);
        let step =
            net.train.run_with([("noisy", (&noisy_in).into()), ("target", (&other_in).into())], &[])?;
        if k < 5 || k % 20 == 0 || k + 5 >= frames {
            losses.push(step.wait()?[0].item()?);
        }
    }
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len().max(1) as f32;
    let ends = (mean(&losses[..losses.len().min(5)]), mean(&losses[losses.len().saturating_sub(5)..]));

    let unseen = frames as f32 * 0.37 + 0.2;
    app.render(frame(unseen, u32::MAX, true), &noisy);
    net.clean.run_with([("noisy", (&noisy_in).into())], &[(0, &cleaned_out)])?;
    app.render(Frame { samples: 256, ..frame(unseen, 1, false) }, &reference);
    let screen = app.show([&noisy, &cleaned, &reference])?;
    Ok(Report {
        device: app.name(),
        losses: ends,
        noisy: signal(&screen, side, 0),
        cleaned: signal(&screen, side, 1),
        picture: bmp(&screen, 3 * side),
    })
}

/// Peak signal to noise of one of the three pictures against the last, in dB.
fn signal(screen: &[u8], side: usize, which: usize) -> f64 {
    let pixel = |row: &[u8], picture: usize, i: usize| f64::from(row[picture * side * 4 + i]);
    let rows = screen.chunks_exact(3 * side * 4);
    let squares =
        rows.flat_map(|row| (0..side * 4).map(move |i| (pixel(row, which, i) - pixel(row, 2, i)).powi(2)));
    // Every fourth byte is the opacity, equal everywhere.
    let mean = squares.sum::<f64>() / (side * side * 3) as f64;
    10.0 * (255.0f64.powi(2) / mean.max(1e-9)).log10()
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.size >= 8 && arguments.frames >= 1, "--size from 8 on, --frames from 1 on");
    let report = run(arguments.size, arguments.frames)?;
    println!("device      {}, the app's own", report.device);
    println!("loss        {:.5} on the first frames, {:.5} on the last", report.losses.0, report.losses.1);
    println!("one ray     {:.1} dB from what 256 rays a pixel give", report.noisy);
    println!("cleaned     {:.1} dB, a frame that was not learned from", report.cleaned);
    std::fs::write(&arguments.out, &report.picture)?;
    println!("picture     {}: noisy, cleaned, 256 rays", arguments.out.display());
    Ok(())
}
