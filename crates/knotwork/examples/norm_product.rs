//! Times RMSNorm then a product, beside the same with the normalisation inside of the product: the weight as it loads x,
//! 1 / √(mean(x²) + eps) as it stores. docs/rejected-ideas.md has what came of it.

use std::{error::Error, time::Instant};

use knotwork::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    for name in ["gpu", "cpu"] {
        for shape in [[256, 256, 256], [256, 256, 768], [256, 256, 32], [1024, 64, 64]] {
            let [behind, inside] = medians(&knotwork::open_device(Some(name))?, shape)?;
            let ratio = behind / inside;
            println!(
                "{name} {shape:?}: norm then product {behind:.3} ms, inside {inside:.3} ms, ratio {ratio:.2}"
            );
        }
    }
    Ok(())
}

/// Milliseconds of both, run in turn.
fn medians(device: &Device, [m, k, n]: [usize; 3]) -> Result<[f64; 2], Box<dyn Error>> {
    let wave = |count: usize| (0..count).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<_>>();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [m, k])?;
    let scale = g.parameter("scale", HostTensor::new(&wave(k), [k])?)?;
    let w = g.parameter("w", HostTensor::new(&wave(k * n), [k, n])?)?;
    let behind = x.rms_norm(Some(&scale), 1e-6)?.matmul(&w)?;
    let statistics = x.square()?.mean(&[1], true)?.add(1e-6)?.rsqrt()?;
    let inside = x.mul(&scale)?.matmul(&w)?.mul(statistics)?;
    let feed = HostTensor::new(&wave(m * k), [m, k])?;
    let mut programs = [device.compile(&g, &[&behind], &[])?, device.compile(&g, &[&inside], &[])?];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..41 {
        for (program, times) in programs.iter_mut().zip(&mut times) {
            let start = Instant::now();
            program.run([("x", &feed)])?.wait()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}
