//! Edges and networks that become formulas.

use knotwork_core::{Device, Graph, HostTensor};

use super::*;
use crate::{
    Generator,
    symbolic::{Affine, Function, Library},
};

fn samples(rows: usize) -> HostTensor {
    Generator::new(2).uniform(&[rows, 2], -1.0, 1.0).unwrap()
}

/// sin(2 x1) x2 + x1² by a product of two sums and one beside it.
fn product() -> Network {
    let network = Kan::new(&Graph::new(), "k", [2, 1, 1]).multiply(0, [2]).bias(true).network().unwrap();
    let library = Library::standard();
    let edge =
        |name: &str, [a, b, c, d]: [f64; 4]| Affine { function: library.get(name).unwrap(), a, b, c, d };
    let network = network.fix_symbolic(0, 0, 0, &edge("x^2", [1.0, 0.0, 1.0, 0.0])).unwrap();
    let network = network.fix_symbolic(0, 0, 1, &edge("sin", [2.0, 0.0, 1.0, 0.0])).unwrap();
    let network = network.fix_symbolic(0, 1, 2, &edge("x", [1.0, 0.0, 1.0, 0.5])).unwrap();
    let network = network.remove_edge(0, 1, 0, 0.25).unwrap();
    let network = network.remove_edge(0, 1, 1, 0.0).unwrap().remove_edge(0, 0, 2, 0.0).unwrap();
    let line = edge("x", [1.0, 0.0, 1.0, 0.0]);
    network.fix_symbolic(1, 0, 0, &line).unwrap().fix_symbolic(1, 1, 0, &line).unwrap()
}

#[test]
fn a_formula_is_what_the_network_computes() {
    let network = product();
    let formula = network.formulas().unwrap().remove(0);
    assert_eq!(formula.to_string(), "x1^2 + sin(2*x1)*(x2 + 0.5) + 0.25");
    let x = samples(50);
    let out = network.predict(&Device::cpu(), &x).unwrap().to_f64();
    for (row, y) in x.to_f64().chunks(2).zip(out) {
        let want = formula.evaluate(&[("x1", row[0]), ("x2", row[1])]).unwrap();
        assert!((y - want).abs() < 1e-5, "{y} {want}");
    }
    // −sin, not sin half a wave further, though it was found so.
    let further =
        Affine { function: Library::standard().get("sin").unwrap(), a: 2.0, b: 3.0, c: 0.5, d: 0.0 };
    let other = network.fix_symbolic(0, 0, 1, &further).unwrap().formulas().unwrap().remove(0);
    assert!(other.rounded(4).to_string().contains("- 0.5*sin(2*x1 - 0.1416)"), "{other}");
    assert!(formula.to_latex().contains(r"\sin"));
    assert!(formula.to_rust("f", &["x1", "x2"]).unwrap().contains("fn f("));
}

#[test]
fn a_fit_moves_the_numbers_of_formulas() {
    // y = 0.5 sin(3 x + 0.2) − 1 from a start nearby.
    let x = Generator::new(2).uniform(&[200, 1], -1.0, 1.0).unwrap();
    let y: Vec<f32> = x.to_f64().iter().map(|x| (0.5 * (3.0 * x + 0.2).sin() - 1.0) as f32).collect();
    let y = HostTensor::new(&y, [200, 1]).unwrap();
    let sine = Affine { function: Library::standard().get("sin").unwrap(), a: 2.7, b: 0.0, c: 0.6, d: -0.8 };
    let network =
        Kan::new(&Graph::new(), "k", [1, 1]).network().unwrap().fix_symbolic(0, 0, 0, &sine).unwrap();
    let fitted = Fit::new().steps(60).run(&network, &Device::cpu(), &x, &y).unwrap().network;
    let found = fitted.layers()[0].formula(0, 0).unwrap();
    for (got, want) in [(found.a, 3.0), (found.b, 0.2), (found.c, 0.5), (found.d, -1.0)] {
        assert!((got - want).abs() < 1e-4, "{found:?}");
    }
    assert_eq!(network.unfix_symbolic(0, 0, 0).unwrap().learned_edges(), 1);
}

#[test]
fn functions_are_found_by_themselves() {
    let x = samples(300);
    let y: Vec<f32> = x.to_f64().chunks(2).map(|p| ((2.0 * p[0]).sin() + p[1] * p[1]) as f32).collect();
    let y = HostTensor::new(&y, [300, 1]).unwrap();
    let network = Kan::new(&Graph::new(), "k", [2, 1]).grid(10).seed(1).network().unwrap();
    let fitted = Fit::new().steps(60).run(&network, &Device::cpu(), &x, &y).unwrap().network;
    let library = Library::standard().only(["x", "x^2", "exp", "sin", "tanh", "0"]).unwrap();
    let (fixed, edges) =
        fitted.auto_symbolic(&Device::cpu(), &x, &library, &AutoSymbolic::default()).unwrap();
    let names: Vec<_> = edges.iter().map(|e| e.formula.as_ref().unwrap().function.name()).collect();
    assert_eq!(names, ["sin", "x^2"]);
    assert!(edges.iter().all(|e| e.r2 > 1.0 - 1e-5), "{edges:?}");
    let refitted = Fit::new().steps(60).run(&fixed, &Device::cpu(), &x, &y).unwrap().network;
    assert!(refitted.rmse(&Device::cpu(), &x, &y).unwrap() < 1e-5);
    let formula = refitted.formulas().unwrap().remove(0).rounded(3);
    assert_eq!(formula.to_string(), "sin(2*x1) + x2^2");
    // Nothing in this library is like a sine over its whole period.
    let poor = Library::standard().only(["x", "exp"]).unwrap();
    let (left, edges) = fitted.auto_symbolic(&Device::cpu(), &x, &poor, &AutoSymbolic::default()).unwrap();
    assert_eq!(
        (left.learned_edges(), edges[1].formula.is_none()),
        (1 + usize::from(edges[0].formula.is_none()), true)
    );
    assert!(left.formulas().unwrap_err().to_string().contains("is no formula yet"));
}

#[test]
fn users_functions_and_constant_edges() {
    let x = samples(100);
    let network = Kan::new(&Graph::new(), "k", [2, 1]).network().unwrap();
    let wave = Function::new("wave", |u| (-u * u).exp() * u.cos());
    let edge = |function: &Function| Affine { function: function.clone(), a: 1.0, b: 0.0, c: 2.0, d: 0.0 };
    let e = network.fix_symbolic(0, 0, 0, &edge(&wave)).unwrap_err().to_string();
    assert!(e.contains("function `wave`: it has no form of tensors"), "{e}");
    let wave = wave.tensor(|u| u.square()?.neg()?.exp()?.mul(&u.cos()?));
    let fixed = network.fix_symbolic(0, 0, 0, &edge(&wave)).unwrap();
    let (got, want) =
        (fixed.predict(&Device::cpu(), &x).unwrap().to_f64(), fixed.evaluate(&x.to_f64()).unwrap());
    assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-5));

    // A constant edge: every function explains it, the simplest is taken, with r² = 1.
    let mut flat = network.clone();
    flat.layers[0].branches[0].coef.fill(0.5);
    flat.layers[0].base_weight.fill(0.0);
    let found = flat.suggest_symbolic(&Device::cpu(), &x, 0, 1, 0, &Library::standard(), 0.5).unwrap();
    let best = found.best().unwrap();
    assert_eq!((best.fit.edge.function.name(), best.fit.r2), ("0", 1.0));
    assert!((best.fit.edge.d - 0.5).abs() < 1e-9);
    assert!(flat.edge_plot(&Device::cpu(), &x, 0, 1, 0).unwrap().to_svg().is_ok());

    let text = |r: Result<Network>| r.unwrap_err().to_string();
    assert!(text(network.fix_symbolic(0, 2, 0, &edge(&wave))).contains("no edge from 2 to 0"));
    let gone = network.remove_edge(0, 1, 0, 0.0).unwrap();
    assert!(text(gone.fix_symbolic(0, 1, 0, &edge(&wave))).contains("was taken away"));
    let nan = Affine { a: f64::NAN, ..edge(&wave) };
    assert!(text(network.fix_symbolic(0, 0, 0, &nan)).contains("a = NaN"));
    let few = HostTensor::new(&[0.0f32; 6], [3, 2]).unwrap();
    let e = network.edge_samples(&Device::cpu(), &few, 0, 0, 0).unwrap_err().to_string();
    assert!(e.contains("3 samples are too few"), "{e}");
}

#[test]
fn pictures_show_what_there_is() {
    let network = product();
    let x = samples(80);
    let svg = network.diagram("A product", &Device::cpu(), &x).unwrap().to_svg().unwrap();
    assert!(svg.contains("5 edges") && svg.contains(">sin<") && svg.contains(">x^2<"), "{svg}");
    let plot = network.edge_plot(&Device::cpu(), &x, 0, 0, 1).unwrap().to_svg().unwrap();
    assert!(plot.contains("sin(2*x)"), "{plot}");
}
