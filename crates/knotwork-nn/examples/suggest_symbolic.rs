//! Which functions some curves are, and how long it takes to say so: the table of suggestions for each of four curves of
//! 1,000 samples, one of them noisy and one none of the library's.
//!
//! `cargo run --release -p knotwork-nn --example suggest_symbolic`

use std::time::Instant;

use knotwork_nn::{
    Result,
    symbolic::{Library, Samples, Suggestions, fit_affine, suggest},
};

/// Each time is the median of so many.
const RUNS: usize = 5;

fn main() -> Result<()> {
    let library = Library::standard();
    let x: Vec<f64> = (0..1000).map(|i| f64::from(i) / 499.5 - 1.0).collect();
    // Noise that is the same in every run: a chaotic map's values, about uniform in ±1.
    let mut state = 0.3f64;
    let mut noise = || {
        state = (state * 4099.0 + 0.123).fract();
        2.0 * state - 1.0
    };
    let noisy = x.iter().map(|x| (1.5 * x).tanh() + 0.05 * noise()).collect();
    let curves: [(&str, Vec<f64>); 4] = [
        ("sin(pi x)", x.iter().map(|x| (std::f64::consts::PI * x).sin()).collect()),
        ("x^2", x.iter().map(|x| x * x).collect()),
        ("tanh(1.5 x), noise of 0.05", noisy),
        ("sin(3 x) e^x, not in the library", x.iter().map(|x| (3.0 * x).sin() * x.exp()).collect()),
    ];
    for (name, y) in &curves {
        let samples = Samples::new(&x, y)?;
        let found = suggest(&samples, &library, Suggestions::WEIGHT)?;
        println!("{name}\n{found}");
        let time = median(|| suggest(&samples, &library, Suggestions::WEIGHT).map(drop))?;
        println!("{} functions in {:.0} ms", library.len(), 1e3 * time);
        for one in ["x^3", "sin", "tanh", "silu"] {
            let function = library.get(one)?;
            let time = median(|| fit_affine(&function, &samples).map(drop))?;
            print!("{one} {:.1} ms  ", 1e3 * time);
        }
        println!("\n");
    }
    Ok(())
}

/// The median time of a call, in seconds.
fn median<E>(mut call: impl FnMut() -> std::result::Result<(), E>) -> std::result::Result<f64, E> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        call()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[RUNS / 2])
}
