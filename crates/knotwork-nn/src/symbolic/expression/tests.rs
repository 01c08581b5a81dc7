use std::process::Command;

use super::{super::Library, *};

fn x() -> Expression {
    Expression::variable("x")
}

fn f(name: &str, e: Expression) -> Expression {
    Expression::apply(&Library::standard().get(name).unwrap(), e)
}

fn n(v: f64) -> Expression {
    v.into()
}

#[test]
fn rules_of_simplification() {
    let y = || Expression::variable("y");
    for (e, want) in [
        (n(2.0) + n(3.0), "5"),
        (x() * n(0.0) + n(0.0), "0"),
        (x() * n(1.0) + n(0.0), "x"),
        (n(2.0) * (x() + n(1.0)) + x() * n(3.0), "5*x + 2"),
        (x() - x(), "0"),
        (-(x() - y()), "-x + y"),
        (f("x", n(2.0) * x() + n(1.0)) * n(3.0), "6*x + 3"),
        (f("0", x()) + n(1.5), "1.5"),
        (f("exp", n(0.0)), "1"),
        (f("log", n(-1.0)), "log(-1)"),
        (f("x^2", n(-3.0) * x()), "9*x^2"),
        (f("x^3", n(-2.0) * x()), "-8*x^3"),
        (f("1/x", n(4.0) * x()), "0.25/x"),
        (f("sqrt", n(4.0) * x()), "2*sqrt(x)"),
        (f("sqrt", n(-4.0) * x()), "2*sqrt(-x)"),
        (f("x^2", x() * n(2.0) + n(1.0)), "(2*x + 1)^2"),
        (f("exp", x() + n(2f64.ln())), "2*exp(x)"),
        (f("tanh", n(-2.0) * x() + n(1.0)), "-tanh(2*x - 1)"),
        (f("cos", n(-2.0) * x()), "cos(2*x)"),
        (f("sigmoid", n(-2.0) * x()), "-sigmoid(2*x) + 1"),
        (f("sin", x() + n(std::f64::consts::PI)), "-sin(x)"),
        (f("sin", x()) + f("sin", x()), "2*sin(x)"),
        (n(2.0) * x() * y() * n(3.0), "6*x*y"),
        ((x() + n(1.0)) * (x() + n(2.0)), "(x + 1)*(x + 2)"),
        (f("abs", f("x", n(-2.0) * x())), "2*abs(x)"),
        (Expression::Sum(vec![]), "0"),
        (Expression::Product(vec![]), "1"),
    ] {
        let simple = e.simplified();
        assert_eq!(simple.to_string(), want, "{e:?}");
        assert_eq!(simple.simplified(), simple, "{want} is not simple yet");
        assert!(simple.size() <= e.size() + 4);
    }
}

#[test]
fn simplified_is_equal() {
    let library = Library::standard();
    for g in library.iter() {
        for (a, b, c) in
            [(0.5, 1.0, 2.0), (-0.5, 1.0, -2.0), (-2.0, 0.0, 0.7), (0.3, 9.0, 1.1), (3.0, -7.0, 1.0)]
        {
            for inner in [x(), f("sin", x()) + x() * n(0.2)] {
                let e = n(c) * Expression::apply(g, n(a) * inner + n(b)) + n(0.25);
                let simple = e.simplified();
                for k in 0..9 {
                    let at = [("x", f64::from(k) / 4.0 - 0.9)];
                    let (want, got) = (e.evaluate(&at).unwrap(), simple.evaluate(&at).unwrap());
                    if want.is_finite() {
                        assert!(
                            (want - got).abs() <= 1e-9 * want.abs().max(1.0),
                            "{e} = {want}, {simple} = {got}"
                        );
                        let slopes = [e.derivative("x", &at).unwrap(), simple.derivative("x", &at).unwrap()];
                        assert!(
                            (slopes[0] - slopes[1]).abs() <= 1e-8 * slopes[0].abs().max(1.0),
                            "{e}: {slopes:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn derivatives_are_those_of_differences() {
    let y = Expression::variable("y");
    let e = f("exp", f("sin", n(3.0) * x()) * y.clone() + f("x^2", y)) * n(0.5) + x() * x();
    let at = |x: f64, y: f64| e.evaluate(&[("x", x), ("y", y)]).unwrap();
    let (u, v, h) = (0.3, -0.4, 1e-6);
    let values = [("x", u), ("y", v)];
    let want = [(at(u + h, v) - at(u - h, v)) / (2.0 * h), (at(u, v + h) - at(u, v - h)) / (2.0 * h)];
    for (name, want) in ["x", "y"].into_iter().zip(want) {
        assert!((e.derivative(name, &values).unwrap() - want).abs() < 1e-8);
    }
    assert_eq!(e.derivative("z", &values).unwrap(), 0.0);
    let missing = e.evaluate(&[("x", 1.0)]).unwrap_err().to_string();
    assert!(
        missing.starts_with("the formula has a variable `y` that got no value; values are given for: x (at "),
        "{missing}"
    );
}

#[test]
fn rounding_and_pi() {
    let e = n(1.00001) * f("sin", n(3.141_62) * x() + n(1e-6)) + n(2.3e-7) * f("cos", x()) + n(-0.333_333);
    assert_eq!(e.rounded(4).to_string(), "sin(3.1416*x) - 0.3333");
    assert_eq!(e.rounded(4).with_pi(1e-4).to_string(), "sin(pi*x) - 0.3333");
    assert_eq!(e.rounded_significant(2).to_string(), "sin(3.1*x + 1e-6) + 2.3e-7*cos(x) - 0.33");
    let back = e.rounded(4).with_pi(1e-4).simplified();
    assert!(back.to_string().starts_with("sin(3.14159265"), "{back}");
    let half = f("sin", x() + n(-std::f64::consts::FRAC_PI_2)).with_pi(1e-9);
    assert_eq!(
        (half.to_string().as_str(), half.to_latex().as_str()),
        ("sin(x - pi/2)", r"\sin\left(x - \frac{\pi}{2}\right)")
    );
    assert!((half.evaluate(&[("x", 0.0)]).unwrap() + 1.0).abs() < 1e-15);
    // 0, and what is near no multiple.
    assert_eq!((n(0.0).with_pi(0.1), n(1.0).with_pi(1e-3)), (n(0.0), n(1.0)));
    assert_eq!(f("exp", x() * n(0.2) + n(1e-9)).rounded(3).to_string(), "exp(0.2*x)");
}

#[test]
fn three_spellings() {
    let (x1, x2) = (Expression::variable("x1"), Expression::variable("alpha_2"));
    let e = n(-2.0) * f("1/x^2", x1.clone() + n(3.0)) + n(0.5) * f("x^2", f("tanh", n(1.5) * x2.clone()))
        - f("gaussian", x1.clone() - x2.clone()) * n(1e-7) * x1.clone();
    assert_eq!(
        e.simplified().to_text(),
        "-2/(x1 + 3)^2 + 0.5*tanh(1.5*alpha_2)^2 - 1e-7*exp(-(x1 - alpha_2)^2)*x1"
    );
    assert_eq!(
        e.simplified().to_latex(),
        r"-2 \frac{1}{\left(x_{1} + 3\right)^{2}} + 0.5 \tanh\left(1.5 \alpha_{2}\right)^{2} - 1 \cdot 10^{-7} \exp\left(-\left(x_{1} - \alpha_{2}\right)^{2}\right) x_{1}"
    );
    assert_eq!(
        e.simplified().to_rust("formula", &["x1", "alpha_2", "fuel use"]).unwrap(),
        "fn formula(x1: f64, alpha_2: f64, _fuel_use: f64) -> f64 {\n    -2.0 * (x1 + 3.0).powi(-2) + 0.5 * (1.5 * alpha_2).tanh().powi(2) - 1e-7 * gaussian(x1 - alpha_2) * x1\n}\n\nfn gaussian(u: f64) -> f64 {\n    (-u * u).exp()\n}\n"
    );
    assert_eq!(Expression::variable("fuel use_3").to_latex(), r"\mathrm{fuel\ use\_3}");
    assert_eq!(
        (f("sqrt", x1.clone()).to_latex(), f("abs", x1).to_latex()),
        (r"\sqrt{x_{1}}".into(), r"\left|x_{1}\right|".into())
    );
    let e = x2.to_rust("formula", &["x1"]).unwrap_err().to_string();
    assert!(e.contains("`alpha_2`") && e.contains("for: x1"), "{e}");
    assert!(x2.to_rust("for", &["alpha_2"]).unwrap_err().to_string().starts_with("`for` is no name"));
    let twins = (Expression::variable("a b") + Expression::variable("a_b") + Expression::variable("fn"))
        .to_rust("g", &["a b", "a_b", "fn"])
        .unwrap();
    assert_eq!(twins, "fn g(a_b: f64, a_b_2: f64, fn_: f64) -> f64 {\n    a_b + a_b_2 + fn_\n}\n");
}

/// Every function of the library, compiled by rustc from what was written, gives the values of `evaluate`.
#[test]
fn the_rust_compiles_and_agrees() {
    let library = Library::standard();
    let y = Expression::variable("a long name");
    let shapes = |g: &Function| {
        let affine = Expression::apply(g, n(-0.25) * x() + n(0.5));
        let nested = f("x^2", Expression::apply(g, x())) * y.clone() - f("log", n(-2.0));
        [affine, nested, Expression::apply(g, n(0.75)) * Expression::apply(g, f("sin", x())).with_pi(0.1)]
    };
    let mut source = String::new();
    let mut calls = String::new();
    let mut want = Vec::new();
    for (k, g) in library.iter().enumerate() {
        for (l, e) in shapes(g).iter().enumerate() {
            let rust = e.to_rust("formula", &["x", "a long name"]).unwrap();
            source += &format!("mod m{k}_{l} {{\npub {rust}}}\n");
            calls += &format!("    println!(\"{{:e}}\", m{k}_{l}::formula(0.3, 1.7));\n");
            want.push((g.name().to_owned(), e.evaluate(&[("x", 0.3), ("a long name", 1.7)]).unwrap()));
        }
    }
    let program = format!("#![deny(warnings)]\n#![allow(dead_code)]\nfn main() {{\n{calls}}}\n\n{source}");
    let folder = tempfile::tempdir().unwrap();
    let (file, binary) = (folder.path().join("formulas.rs"), folder.path().join("formulas"));
    std::fs::write(&file, &program).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(built) = Command::new(rustc).args(["--edition", "2024", "-o"]).arg(&binary).arg(&file).output()
    else {
        // Only the test's machine lacks a compiler: the golden texts above still hold.
        return;
    };
    assert!(built.status.success(), "{}\n{program}", String::from_utf8_lossy(&built.stderr));
    let out = Command::new(&binary).output().unwrap();
    let got: Vec<f64> = String::from_utf8(out.stdout).unwrap().lines().map(|l| l.parse().unwrap()).collect();
    assert_eq!(got.len(), want.len());
    for (got, (name, want)) in got.iter().zip(&want) {
        let same =
            got.is_nan() && want.is_nan() || got == want || (got - want).abs() <= 1e-13 * want.abs().max(1.0);
        assert!(same, "{name}: {got}, not {want}");
    }
}
