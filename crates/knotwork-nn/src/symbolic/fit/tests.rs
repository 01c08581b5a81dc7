use super::{
    super::{Domain, Library, Suggestions, suggest, suggest_with},
    *,
};

fn samples(edge: &Affine, low: f64, high: f64, n: usize) -> Samples {
    let x: Vec<f64> = (0..n).map(|i| low + (high - low) * i as f64 / (n - 1) as f64).collect();
    let y: Vec<f64> = x.iter().map(|x| edge.value(*x)).collect();
    Samples::new(&x, &y).unwrap()
}

/// a and b that keep a function's argument where it is defined, for x in [−1, 1].
fn inside(domain: Domain, name: &str) -> Vec<[f64; 2]> {
    match domain {
        Domain::All if name.starts_with("sinh") || name.starts_with("cosh") => vec![[1.7, 0.4], [-0.8, 0.3]],
        Domain::All => vec![[2.3, 0.7], [-1.4, 0.31]],
        Domain::NonZero | Domain::Positive | Domain::NonNegative => vec![[1.3, 2.1], [-0.9, 1.2]],
        Domain::ClosedUnit | Domain::OpenUnit => vec![[0.6, 0.2], [-0.7, -0.1]],
        Domain::CosineNonZero => vec![[1.1, 0.2], [-0.9, 0.4]],
    }
}

#[test]
fn every_function_is_found_from_200_samples() {
    for f in Library::standard().iter() {
        for [a, b] in inside(f.domain_of(), f.name()) {
            let edge = Affine { function: f.clone(), a, b, c: -1.8, d: 0.45 };
            let s = samples(&edge, -1.0, 1.0, 200);
            let fit = fit_affine(f, &s).unwrap();
            assert!(fit.r2 > 1.0 - 1e-9, "{edge:?}: {fit}");
            // A step's place is known to the gap between two samples only.
            let near = if f.name() == "sgn" { 0.02 } else { 1e-10 };
            assert!(fit.rmse < 1e-10, "{edge:?}: {fit}");
            let (want, got) = (edge.canonical(), fit.edge);
            if f.name() == "0" {
                assert_eq!((got.c, got.d), (0.0, 0.45));
                continue;
            }
            for (w, g) in [(want.a, got.a), (want.b, got.b), (want.c, got.c), (want.d, got.d)] {
                assert!((w - g).abs() < near * w.abs().max(1.0), "{f}: {want:?} {got:?}");
            }
        }
    }
}

#[test]
fn canonical_forms_are_the_same_function() {
    for f in Library::standard().iter() {
        for [a, b] in inside(f.domain_of(), f.name()) {
            for (b, c) in
                [(b, 1.7), (b, -0.6), (b + if f.domain_of() == Domain::All { 7.3 } else { 0.0 }, -2.0)]
            {
                let edge = Affine { function: f.clone(), a, b, c, d: 0.2 };
                let canonical = edge.canonical();
                for i in 0..21 {
                    let x = f64::from(i) / 10.0 - 1.0;
                    let (want, got) = (edge.value(x), canonical.value(x));
                    assert!(
                        (want - got).abs() < 1e-11 * want.abs().max(1.0),
                        "{edge:?} {canonical:?} at {x}: {want} {got}"
                    );
                }
            }
        }
    }
    let sine = |a: f64, b: f64, c: f64| Affine {
        function: Library::standard().get("sin").unwrap(),
        a,
        b,
        c,
        d: 0.0,
    };
    let c = sine(-3.0, 10.0, -2.0).canonical();
    assert!(c.a == 3.0 && c.c == 2.0 && c.b.abs() <= std::f64::consts::PI, "{c:?}");
}

#[test]
fn x_far_from_the_unit_range() {
    let library = Library::standard();
    for (name, a, b, low, high) in [
        ("sin", 0.004, 0.3, 0.0, 2000.0),
        ("tanh", 5e3, -1.0, -1e-3, 1e-3),
        ("gaussian", 0.1, -5.0, 20.0, 90.0),
        ("exp", -0.02, 0.0, 0.0, 300.0),
        ("log", 1.0, 3.0, 0.0, 5e4),
        ("x^2", 1.0, -1975.0, 1950.0, 2000.0),
        ("1/x", 1.0, 1e-4, 0.0, 1e-2),
        ("sin", 8.0, 1.0, -3.0, 3.0),
        ("cos", 9.5, 1.0, 2.0, 4.0),
    ] {
        let edge = Affine { function: library.get(name).unwrap(), a, b, c: 30.0, d: 4.0 };
        let fit = fit_affine(&edge.function, &samples(&edge, low, high, 200)).unwrap();
        assert!(fit.r2 > 1.0 - 1e-12, "{edge:?}: {fit}");
    }
}

#[test]
fn noise_moves_the_numbers_little() {
    let mut state = 12345u64;
    let mut noise = || {
        let mut sum = 0.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 11) as f64 / (1u64 << 53) as f64;
        }
        sum - 6.0
    };
    let library = Library::standard();
    let truth = Affine { function: library.get("sin").unwrap(), a: 3.0, b: 2.0, c: 5.0, d: 0.7 };
    let x: Vec<f64> = (0..100).map(|i| -1.0 + f64::from(i) / 49.5).collect();
    let y: Vec<f64> = x.iter().map(|x| truth.value(*x) + 0.02 * noise()).collect();
    let s = Samples::new(&x, &y).unwrap();
    let fit = fit_affine(&truth.function, &s).unwrap();
    // pykan's own example: r2 0.99997, a 2.9982, b 1.9996, c 5.0053, d 0.7011.
    assert!(fit.r2 > 0.9999 && (fit.rmse - 0.02).abs() < 0.006, "{fit}");
    for (w, g) in [(3.0, fit.edge.a), (2.0, fit.edge.b), (5.0, fit.edge.c), (0.7, fit.edge.d)] {
        assert!((w - g).abs() < 0.02, "{fit}");
    }
    let found = suggest(&s, &library, Suggestions::WEIGHT).unwrap();
    let name = found.best().unwrap().fit.edge.function.name();
    assert!(name == "sin" || name == "cos", "{found}");
}

#[test]
fn a_constant_edge_has_an_r2() {
    let x: Vec<f64> = (0..50).map(f64::from).collect();
    let library = Library::standard();
    for value in [0.0, 2.5, -1e-300, 1e300] {
        let s = Samples::new(&x, &[value; 50]).unwrap();
        assert!(s.is_constant());
        for f in library.iter() {
            let fit = fit_affine(f, &s).unwrap();
            assert_eq!((fit.r2, fit.rmse, fit.edge.c, fit.edge.d), (1.0, 0.0, 0.0, value), "{fit}");
        }
        let found = suggest(&s, &library, 0.8).unwrap();
        assert_eq!(found.best().unwrap().fit.edge.function.name(), "0");
        assert_eq!(found.candidates.len(), library.len());
    }
    // A constant f of a y that is none; and a constant x.
    let s = Samples::new(&x, &x).unwrap();
    let zero = fit_affine(&library.get("0").unwrap(), &s).unwrap();
    assert_eq!((zero.r2, zero.edge.d), (0.0, 24.5));
    let still = Samples::new(&[3.0; 50], &x).unwrap();
    for f in library.iter() {
        let fit = fit_affine(f, &still).unwrap();
        assert!(fit.r2 < 1e-12 && (fit.edge.value(3.0) - 24.5).abs() < 1e-9, "{fit}");
    }
}

#[test]
fn what_no_a_and_b_define() {
    let x: Vec<f64> = (0..50).map(f64::from).collect();
    let s = Samples::new(&x, &x).unwrap();
    let never = Function::new("never", |_| f64::NAN).domain(Domain::Positive);
    let e = fit_affine(&never, &s).unwrap_err().to_string();
    assert!(e.starts_with("`never` (defined for u > 0) is not finite on all samples"), "{e}");
    assert!(e.contains("tests.rs:"), "{e}");
    let mut library = Library::standard().only(["x", "sin"]).unwrap();
    library.add(never).unwrap();
    let found = suggest(&s, &library, 0.8).unwrap();
    assert_eq!((found.candidates.len(), found.undefined.len()), (2, 1));
    let table = found.to_string();
    assert!(table.contains("not defined on these samples: never"), "{table}");
}

#[test]
fn a_function_of_the_user() {
    let j0 = Function::new("j0", libm::j0).derivative(|u| -libm::j1(u)).complexity(4.0);
    let without = Function::new("bessel", libm::j0);
    for f in [j0, without] {
        let edge = Affine { function: f, a: 4.0, b: -1.5, c: 2.0, d: 1.0 };
        let fit = fit_affine(&edge.function, &samples(&edge, -1.0, 1.0, 300)).unwrap();
        assert!(fit.r2 > 1.0 - 1e-12, "{fit}");
    }
}

#[test]
fn settings_out_of_their_limits() {
    let x: Vec<f64> = (0..50).map(f64::from).collect();
    let s = Samples::new(&x, &x).unwrap();
    let f = Library::standard().get("sin").unwrap();
    let no = |search: Search| fit_affine_with(&f, &s, &search).unwrap_err().to_string();
    assert!(no(Search { grid: 2, ..Search::default() }).starts_with("a grid of 2 is not in 3..=1001"));
    assert!(no(Search { zooms: 0, ..Search::default() }).starts_with("0 zooms"));
    assert!(no(Search { a: (1.0, 1.0), ..Search::default() }).contains("range 1 to 1 of a"));
    assert!(no(Search { b: (f64::NAN, 1.0), ..Search::default() }).contains("of b"));
    assert!(suggest(&s, &Library::standard(), 1.5).unwrap_err().to_string().starts_with("the weight 1.5"));
    assert!(suggest(&s, &Library::empty(), 0.5).unwrap().best().is_none());
}

#[test]
fn without_steps_the_grid_answers() {
    let edge = Affine { function: Library::standard().get("tanh").unwrap(), a: 2.0, b: 0.5, c: 1.0, d: 0.0 };
    let s = samples(&edge, -1.0, 1.0, 200);
    let coarse =
        fit_affine_with(&edge.function, &s, &Search { steps: 0, zooms: 1, grid: 11, ..Search::default() })
            .unwrap();
    let zoomed = fit_affine_with(&edge.function, &s, &Search { steps: 0, ..Search::default() }).unwrap();
    assert!(coarse.r2 > 0.9 && zoomed.r2 > 1.0 - 1e-6 && zoomed.r2 >= coarse.r2, "{coarse} {zoomed}");
    assert!(fit_affine(&edge.function, &s).unwrap().rmse <= zoomed.rmse);
}

#[test]
fn every_function_is_the_best_for_its_own_samples() {
    // A coarser grid, for a quick test.
    let coarse = Search { grid: 31, ..Search::default() };
    let library = Library::standard();
    for (name, a, b) in [
        ("x", 2.0, 0.5),
        ("x^2", 1.0, 0.3),
        ("x^3", 1.0, 0.2),
        ("1/x", 1.0, 1.6),
        ("sqrt", 1.0, 1.1),
        ("exp", 2.0, 0.0),
        ("log", 1.0, 1.2),
        ("abs", 1.0, 0.2),
        ("sin", 4.0, 0.1),
        ("cos", 4.0, 0.2),
        ("tanh", 3.0, 0.1),
        ("sgn", 1.0, 0.3),
        ("gaussian", 2.0, 0.3),
        ("tan", 1.2, 0.1),
    ] {
        let edge = Affine { function: library.get(name).unwrap(), a, b, c: 1.4, d: -0.3 };
        let samples = samples(&edge, -1.0, 1.0, 100);
        let found = suggest_with(&samples, &library, Suggestions::WEIGHT, &coarse).unwrap();
        assert_eq!(found.best().unwrap().fit.edge.function.name(), name, "{found}");
    }
}

#[test]
fn the_table() {
    let library = Library::standard().only(["x", "sin", "0"]).unwrap();
    let edge = Affine { function: library.get("sin").unwrap(), a: 3.0, b: 0.5, c: 2.0, d: 1.0 };
    let found = suggest(&samples(&edge, -1.0, 1.0, 200), &library, 0.8).unwrap();
    let table = found.to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["function", "r2", "complexity", "score", "a", "b", "c", "d"]
    );
    assert_eq!(
        lines[1].split_whitespace().collect::<Vec<_>>(),
        ["sin", "1.000000", "2", "-1.7219", "3", "0.5", "2", "1"]
    );
    assert!(lines.iter().all(|l| l.len() == lines[0].len()), "{table}");
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_power_is_no_far_piece_of_a_wave() {
    let library = Library::standard().only(["sin", "cos", "x^2", "gaussian", "cosh"]).unwrap();
    for b in [0.0, 0.7, -3.0] {
        let edge = Affine { function: library.get("x^2").unwrap(), a: 1.0, b, c: 0.8, d: 0.0 };
        let found = suggest(&samples(&edge, -1.0, 1.0, 100), &library, Suggestions::WEIGHT).unwrap();
        assert_eq!(found.best().unwrap().fit.edge.function.name(), "x^2", "{found}");
        // Rounding leaves no dust where 0 fits as well.
        assert!(b != 0.0 || found.best().unwrap().fit.edge.b == 0.0, "{found}");
        assert!(found.candidates.iter().all(|c| c.fit.edge.c.abs() < 1e5), "{found}");
    }
}
