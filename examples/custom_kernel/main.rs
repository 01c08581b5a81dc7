//! An operation of one's own: logits that are capped softly, c tanh(x / c), as some language models do before their
//! softmax (Gemma 2). It has a kernel in WGSL, a function for the CPU, and a gradient with a kernel of its own; the
//! program checks the gradient by central differences and compares the device with the CPU.

use anyhow::{Result, ensure};
use clap::Parser;
use knotwork::{Device, HostTensor, Tensor, cpu::evaluate, ops::Custom, prelude::*};
use knotwork_examples::device_name;

const SHADER: &str = include_str!("softcap.wgsl");

/// Runs a custom operation, forward and backward.
#[derive(Debug, Parser)]
struct Arguments {
    /// `cpu`, `gpu`, or part of a GPU's name; without it a hardware GPU where there is one, else the CPU.
    #[arg(long)]
    device: Option<String>,
    /// Rows of logits.
    #[arg(long, default_value_t = 64)]
    rows: usize,
    /// The cap.
    #[arg(long, default_value_t = 30.0)]
    cap: f32,
}

/// c tanh(x / c).
pub fn softcap(x: &Tensor, cap: f32) -> knotwork::Result<Tensor> {
    let c = f64::from(cap);
    let backward = Custom::new("softcap_gradient", move |inputs, outputs| {
        for (k, y) in outputs[0].data.iter_mut().enumerate() {
            *y = inputs[1].data[k] / (inputs[0].data[k] / c).cosh().powi(2);
        }
    })
    .number("cap", cap)
    .wgsl(SHADER)
    .flag("backward");
    Custom::new("softcap", move |inputs, outputs| {
        outputs[0].data.iter_mut().zip(&inputs[0].data).for_each(|(y, x)| *y = c * (x / c).tanh());
    })
    .number("cap", cap)
    .wgsl(SHADER)
    .cpu(move |inputs, outputs| {
        outputs[0].iter_mut().zip(inputs[0]).for_each(|(y, x)| *y = cap * (x / cap).tanh());
    })
    .gradient(move |context| Ok(vec![Some(backward.apply_one(&[&context.inputs[0], context.cotangent()?])?)]))
    .apply_one(&[x])
}

/// The largest difference of values and gradients from the CPU, and of the gradient from central differences.
pub fn check(device: &Device, rows: usize, cap: f32) -> Result<(f64, f64)> {
    let g = Graph::new();
    let x = g.input("logits", DType::F32, [rows, 1000])?;
    let y = softcap(&x, cap)?;
    let loss = y.square()?.sum(&[0, 1], false)?;
    let dx = loss.grad(&[&x])?.remove(0);
    let logits: Vec<f32> = (0..rows * 1000).map(|i| 100.0 * (i as f32 * 0.7).sin()).collect();
    let logits = HostTensor::from_vec(logits, [rows, 1000])?;
    let run = |on: &Device| on.compile(&g, &[&y, &dx], &[])?.run([("logits", &logits)])?.wait();
    let (got, want) = (run(device)?, run(&Device::cpu())?);
    let off = |a: &HostTensor, b: &HostTensor| {
        a.to_f64().iter().zip(b.to_f64()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    let apart = off(&got[0], &want[0]).max(off(&got[1], &want[1]));

    // In double precision, by the definitions alone: the slope along one direction, all ones.
    let (wide, h) = (g.to_f64()?, 1e-4);
    let at = |step: f64| -> knotwork::Result<f64> {
        let moved: Vec<f64> = logits.to_f64().iter().map(|x| x + step).collect();
        let feeds = [("logits", HostTensor::new(&moved, [rows, 1000])?)].into();
        evaluate(&wide, &[&wide.value(loss.id())?], &feeds)?[0].item::<f64>()
    };
    let slope = (at(h)? - at(-h)?) / (2.0 * h);
    let feeds = [("logits", logits.cast(DType::F64))].into();
    let gradient = evaluate(&wide, &[&wide.value(dx.id())?], &feeds)?[0].to_f64();
    let size: f64 = gradient.iter().map(|d| d.abs()).sum();
    Ok((apart, (slope - gradient.iter().sum::<f64>()).abs() / size))
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let device = knotwork::open_device(arguments.device.as_deref())?;
    println!("device      {}", device_name(device.info()));
    println!("operation   {0} tanh(x / {0}) of {1} x 1000 logits", arguments.cap, arguments.rows);
    let (apart, slope) = check(&device, arguments.rows, arguments.cap)?;
    println!("device      at most {apart:.1e} from the CPU, values and gradients");
    println!("gradient    {slope:.1e} of its size from central differences");
    ensure!(apart < 1e-4 && slope < 1e-6, "the kernel or its gradient is wrong");
    Ok(())
}
