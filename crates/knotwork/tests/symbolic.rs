//! Functions of edges found with the first grids on every backend that this build has, and those that the host finds alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork::{
    nn::{
        Generator, Kan,
        kan::{AutoSymbolic, Fit},
        symbolic::{Affine, Domain, Function, Library, Samples, Search, suggest_on, suggest_with},
    },
    prelude::*,
};

fn devices() -> Vec<Device> {
    #[allow(unused_mut, reason = "without the feature `gpu` there is only one")]
    let mut all = vec![Device::cpu()];
    #[cfg(feature = "gpu")]
    for profile in [knotwork::gpu::Profile::Checked, knotwork::gpu::Profile::Trusted] {
        let options = knotwork::gpu::Options { profile, ..Default::default() };
        all.push(knotwork::gpu::open(&options).expect("a GPU driver: `cargo xtask setup`"));
    }
    all
}

/// A coarser grid than the default, for software drivers.
fn search() -> Search {
    Search { grid: 31, ..Search::default() }
}

fn samples(edge: &Affine) -> Samples {
    let x: Vec<f64> = (0..100).map(|i| f64::from(i) / 49.5 - 1.0).collect();
    let y: Vec<f64> = x.iter().map(|x| edge.value(*x)).collect();
    Samples::new(&x, &y).unwrap()
}

/// a and b that keep the argument where the function is defined, for x in [−1, 1].
fn inside(f: &Function) -> [f64; 2] {
    match f.domain_of() {
        Domain::NonZero | Domain::Positive | Domain::NonNegative => [1.3, 2.1],
        Domain::ClosedUnit | Domain::OpenUnit => [0.6, 0.2],
        Domain::CosineNonZero => [1.1, 0.2],
        _ => [1.7, 0.4],
    }
}

#[test]
fn every_function_finds_itself_from_the_devices_grid() {
    let library = Library::standard();
    for device in devices() {
        for f in library.iter() {
            let [a, b] = inside(f);
            let edge = Affine { function: f.clone(), a, b, c: -1.8, d: 0.45 };
            let alone = library.only([f.name()]).unwrap();
            let edges = [samples(&edge)];
            let found = suggest_on(&device, &edges, &alone, 0.5, &search()).unwrap();
            let host = suggest_with(&edges[0], &alone, 0.5, &search()).unwrap();
            let (got, want) = (&found[0].best().unwrap().fit, &host.best().unwrap().fit);
            assert!(f.name() == "0" || got.rmse < 1e-10, "{}: {got}", device.info());
            assert!((got.r2 - want.r2).abs() < 1e-12, "{}: {got}, not {want}", device.info());
            for (g, w) in [
                (got.edge.a, want.edge.a),
                (got.edge.b, want.edge.b),
                (got.edge.c, want.edge.c),
                (got.edge.d, want.edge.d),
            ] {
                // A step's place is known to the gap between two samples only.
                let near = if f.name() == "sgn" { 0.02 } else { 1e-9 };
                assert!((g - w).abs() <= near * w.abs().max(1.0), "{}: {got}, not {want}", device.info());
            }
        }
    }
}

#[test]
fn many_edges_have_the_fits_that_the_host_finds() {
    let library = Library::standard();
    let get = |name: &str| library.get(name).unwrap();
    let curves = [
        ("sin", 3.0, 1.0),
        ("gaussian", 2.0, 0.3),
        ("log", 1.0, 1.4),
        ("abs", 1.0, 0.237),
        ("x^3", 1.0, 0.2),
    ];
    let edges: Vec<Samples> = curves
        .iter()
        .map(|(name, a, b)| samples(&Affine { function: get(name), a: *a, b: *b, c: 2.0, d: -0.3 }))
        .collect();
    let wanted: Vec<_> = edges.iter().map(|e| suggest_with(e, &library, 0.0, &search()).unwrap()).collect();
    for device in devices() {
        let found = suggest_on(&device, &edges, &library, 0.0, &search()).unwrap();
        assert_eq!(found.len(), edges.len());
        for ((found, wanted), (name, ..)) in found.iter().zip(&wanted).zip(&curves) {
            assert_eq!(found.undefined, wanted.undefined);
            assert_eq!(found.candidates.len(), wanted.candidates.len());
            for want in &wanted.candidates {
                let f = &want.fit.edge.function;
                let got = found.candidates.iter().find(|c| c.fit.edge.function == *f).unwrap();
                assert!(
                    (got.fit.r2 - want.fit.r2).abs() < 1e-6,
                    "{}, {name} by {f}: {}, not {}",
                    device.info(),
                    got.fit,
                    want.fit
                );
            }
        }
    }
}

#[test]
fn a_network_becomes_its_formula_on_every_backend() {
    let x = Generator::new(1).uniform(&[200, 2], -1.0, 1.0).unwrap();
    let y: Vec<f32> = x.to_f64().chunks(2).map(|x| ((3.0 * x[0]).sin() + x[1] * x[1]) as f32).collect();
    let y = HostTensor::new(&y, [200, 1]).unwrap();
    let network = Kan::new(&Graph::new(), "kan", [2, 1]).grid(8).network().unwrap();
    let fitted = Fit::new().steps(40).run(&network, &Device::cpu(), &x, &y).unwrap().network;
    let library = Library::standard().only(["x", "x^2", "exp", "sin", "tanh"]).unwrap();
    for device in devices() {
        let (fixed, edges) = fitted.auto_symbolic(&device, &x, &library, &AutoSymbolic::default()).unwrap();
        let names: Vec<&str> =
            edges.iter().filter_map(|e| e.formula.as_ref()).map(|f| f.function.name()).collect();
        assert_eq!(names, ["sin", "x^2"], "{}", device.info());
        assert_eq!(fixed.learned_edges(), 0);
        let found = fitted.suggest_symbolic(&device, &x, 0, 0, 0, &library, 0.5).unwrap();
        assert_eq!(found.best().unwrap().fit.edge.function.name(), "sin", "{}", device.info());
    }
}
