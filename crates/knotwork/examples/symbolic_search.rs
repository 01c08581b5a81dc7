//! Where the first grids of a symbolic search are best laid: on the host, or on a device, for all edges at once.
//!
//! `cargo run --release -p knotwork --example symbolic_search [EDGES] [SAMPLES]`: all functions of the library for so many
//! edges (11 unless told) of so many samples (1,000). Each way is timed for the first time, when programs are compiled, and
//! as the median of further times; what the ways find is compared.

use std::{f64::consts::PI, time::Instant};

use knotwork::{
    nn::symbolic::{Library, Samples, Search, Suggestions, suggest_on, suggest_with},
    prelude::*,
};

/// Times after the first.
const RUNS: usize = 3;

type Curve = fn(f64) -> f64;

/// What networks learn: functions of the library, sums of them, and none of it.
const CURVES: [Curve; 11] = [
    |x| (PI * x).sin(),
    |x| x * x,
    f64::exp,
    |x| (3.0 * x + 0.4).tanh(),
    |x| 1.0 / (x + 1.4),
    |x| (x - 0.2).abs(),
    |x| (-4.0 * (x - 0.3).powi(2)).exp(),
    |x| (x + 1.2).ln(),
    |x| (9.0 * x).cos(),
    |x| (3.0 * x).sin() * x.exp(),
    |x| x.powi(3) - 0.4 * x + 0.02 * (40.0 * x).sin(),
];

fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|n| n.parse::<usize>());
    let edges = numbers.next().transpose()?.unwrap_or(11);
    let samples = numbers.next().transpose()?.unwrap_or(1000).max(Samples::MIN);
    let library = Library::standard();
    let x: Vec<f64> = (0..samples).map(|i| 2.0 * i as f64 / (samples - 1) as f64 - 1.0).collect();
    let edges = (0..edges)
        .map(|e| {
            let y: Vec<f64> = x.iter().map(|x| CURVES[e % CURVES.len()](*x)).collect();
            Ok(Samples::new(&x, &y)?)
        })
        .collect::<anyhow::Result<Vec<Samples>>>()?;
    println!("{} edges of {samples} samples, {} functions", edges.len(), library.len());
    let search = Search::default();
    let host = || -> anyhow::Result<Vec<Suggestions>> {
        edges.iter().map(|e| Ok(suggest_with(e, &library, Suggestions::WEIGHT, &search)?)).collect()
    };
    let wanted = timed("host, edge by edge", host)?;
    #[allow(unused_mut, reason = "without the feature `gpu` there is only one")]
    let mut devices = vec![Device::cpu()];
    #[cfg(feature = "gpu")]
    devices.push(knotwork::gpu::open(&knotwork::gpu::Options::default())?);
    for device in devices {
        let on_device = || Ok(suggest_on(&device, &edges, &library, Suggestions::WEIGHT, &search)?);
        let found = timed(&device.info().to_string(), on_device)?;
        let (mut same, mut all, mut most) = (0, 0, 0.0f64);
        for (found, wanted) in found.iter().zip(&wanted) {
            let best = |s: &Suggestions| s.best().map(|c| c.fit.edge.function.name().to_owned());
            same += usize::from(best(found) == best(wanted));
            for c in &wanted.candidates {
                let name = c.fit.edge.function.name();
                let other = found.candidates.iter().find(|c| c.fit.edge.function.name() == name);
                all += 1;
                most = most.max(other.map_or(1.0, |o| c.fit.r2 - o.fit.r2));
            }
        }
        println!(
            "  the same function for {same} of {} edges; of {all} fits none has r2 lower by more than {most:.1e}",
            edges.len()
        );
    }
    Ok(())
}

fn timed<T>(name: &str, mut work: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut time = || -> anyhow::Result<(f64, T)> {
        let start = Instant::now();
        let made = work()?;
        Ok((start.elapsed().as_secs_f64(), made))
    };
    let (first, made) = time()?;
    let mut further = (0..RUNS).map(|_| Ok(time()?.0)).collect::<anyhow::Result<Vec<f64>>>()?;
    further.sort_by(f64::total_cmp);
    println!("{name}: {:.2} s the first time, then {:.2} s", first, further[RUNS / 2]);
    Ok(made)
}
