//! Medians of the KAN layer's three sums on the CPU: `cargo run --release -p knotwork-core --example kan_bench`.

use std::time::Instant;

use knotwork_core::{Device, Graph, HostTensor, Result, Tensor, ops::BSpline};

/// Numbers in [−1, 1) from a small generator.
fn numbers(shape: &[usize], seed: u64) -> Result<HostTensor> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    HostTensor::from_vec((0..shape.iter().product::<usize>()).map(next).collect(), shape)
}

/// The median time of one run in microseconds; what a run costs with nothing to do is part of it.
fn median(g: &Graph, outputs: &[&Tensor]) -> Result<f64> {
    let mut program = Device::cpu().compile(g, outputs, &[])?;
    let mut times = Vec::new();
    for _ in 0..201 {
        let start = Instant::now();
        program.run::<HostTensor>([])?.wait()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn main() -> Result<()> {
    println!(
        "{:>28} {:>9} {:>9} {:>9}   microseconds",
        "rows, inputs, outputs, grid", "forward", "dC + dW", "dX"
    );
    let shapes = [
        [64, 64, 32, 3],
        [64, 32, 10, 3],
        [1024, 64, 64, 5],
        [1024, 64, 64, 50],
        [256, 784, 64, 5],
        [256, 784, 64, 50],
        [1024, 784, 64, 5],
        [1024, 64, 10, 5],
        [1024, 64, 1, 5],
        [1000, 2, 5, 20],
        [1000, 5, 1, 20],
        [1, 784, 64, 5],
    ];
    for [b, i, o, grid] in shapes {
        let g = Graph::new();
        let basis = BSpline::new(grid, 3)?;
        let x = g.state("x", "bench", numbers(&[b, i], 1)?)?;
        let c = g.state("coef", "bench", numbers(&[i, basis.count(), o], 2)?)?;
        let w = g.state("base", "bench", numbers(&[i, o], 3)?)?;
        let dy = g.state("dy", "bench", numbers(&[b, o], 4)?)?;
        let y = x.kan_layer_native(&c, Some(&w), None, basis)?;
        let d = g.vjp(&[(&y, &dy)], &[&x, &c, &w])?;
        let times = [median(&g, &[&y])?, median(&g, &[&d[1], &d[2]])?, median(&g, &[&d[0]])?];
        let name = format!("{b}, {i}, {o}, {grid}");
        println!("{name:>28} {:>9.1} {:>9.1} {:>9.1}", times[0], times[1], times[2]);
    }
    Ok(())
}
