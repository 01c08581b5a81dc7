//! The functions that the library starts with.

mod elementary;
mod powers;
mod tensors;

use super::Function;

/// All of them, in the order in which equal ones are suggested.
pub(super) fn all() -> Vec<Function> {
    let mut all = powers::all();
    all.extend(elementary::all());
    all.into_iter().map(tensors::on_tensors).collect()
}

/// Second names, as pykan has them, and the names that they stand for.
pub(super) const ALIASES: [(&str, &str); 14] = [
    ("x^0.5", "sqrt"),
    ("1/x^0.5", "1/sqrt(x)"),
    ("1/sqrt", "1/sqrt(x)"),
    ("asin", "arcsin"),
    ("acos", "arccos"),
    ("atan", "arctan"),
    ("atanh", "arctanh"),
    ("asinh", "arcsinh"),
    ("sign", "sgn"),
    ("ln", "log"),
    ("identity", "x"),
    ("constant", "0"),
    ("x^1", "x"),
    ("zero", "0"),
];

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::super::{Domain, Library};

    /// Every function beside its definition, written another way.
    fn definition(name: &str, u: f64) -> f64 {
        match name {
            "0" => 0.0,
            "x" => u,
            "x^2" => u * u,
            "x^3" => u * u * u,
            "x^4" => u.powf(4.0),
            "x^5" => u * u.powf(4.0),
            "1/x" => u.powf(-1.0),
            "1/x^2" => 1.0 / (u * u),
            "1/x^3" => 1.0 / (u * u * u),
            "1/x^4" => (1.0 / (u * u)).powf(2.0),
            "1/x^5" => (1.0 / (u * u)).powf(2.0) / u,
            "sqrt" => u.powf(0.5),
            "x^1.5" => u.powf(1.5),
            "1/sqrt(x)" => u.powf(-0.5),
            "abs" => u.max(-u),
            "sgn" => {
                if u > 0.0 {
                    1.0
                } else {
                    -1.0
                }
            }
            "relu" => {
                if u > 0.0 {
                    u
                } else {
                    0.0
                }
            }
            "exp" => std::f64::consts::E.powf(u),
            "log" => u.log2() / std::f64::consts::E.log2(),
            "sin" => (PI / 2.0 - u).cos(),
            "cos" => (PI / 2.0 - u).sin(),
            "tan" => u.sin() / u.cos(),
            "tanh" => 1.0 - 2.0 / ((2.0 * u).exp() + 1.0),
            "sinh" => (u.exp() - (-u).exp()) / 2.0,
            "cosh" => (u.exp() + (-u).exp()) / 2.0,
            "sigmoid" => u.exp() / (u.exp() + 1.0),
            "arcsin" => u.atan2((1.0 - u * u).sqrt()),
            "arccos" => (1.0 - u * u).sqrt().atan2(u),
            "arctan" => u.atan2(1.0),
            "arctanh" => 0.5 * ((1.0 + u) / (1.0 - u)).ln(),
            "arcsinh" => (u + (u * u + 1.0).sqrt()).ln(),
            "gaussian" => 1.0 / (u * u).exp(),
            "silu" => u / (1.0 + (-u).exp()),
            "softplus" => (1.0 + u.exp()).ln(),
            "lorentzian" => 1.0 / (1.0 + u * u),
            other => panic!("no definition of {other}"),
        }
    }

    fn points(domain: Domain) -> impl Iterator<Item = f64> {
        (0..400).map(|i| -3.0 + 6.0 * (f64::from(i) + 0.37) / 400.0).filter(move |u| domain.contains(*u))
    }

    #[test]
    fn values_are_the_definitions() {
        let library = Library::standard();
        assert!(library.len() >= 30, "{}", library.len());
        for f in library.iter() {
            let mut seen = 0;
            for u in points(f.domain_of()) {
                let (got, want) = (f.value(u), definition(f.name(), u));
                assert!((got - want).abs() <= 1e-13 * want.abs().max(1.0), "{f}({u}) = {got}, not {want}");
                seen += 1;
            }
            assert!(seen > 100, "{f}: {seen} points");
        }
    }

    #[test]
    fn tensors_have_the_values_and_slopes() {
        use knotwork_core::{DType, Device, Graph, HostTensor};
        for f in Library::standard().iter() {
            // Away from kinks and from poles.
            let xs: Vec<f64> = points(f.domain_of())
                .filter(|u| u.abs() > 0.05 && (u.abs() - 1.0).abs() > 0.02 && f.value(*u).abs() < 1e3)
                .collect();
            let g = Graph::new();
            let x = g.input("x", DType::F64, [xs.len()]).unwrap();
            let y = f.of_tensor(&x).unwrap();
            let slope = y.sum(&[0], false).unwrap().gradients(&[&x]).unwrap().remove(0);
            let slope = slope.unwrap_or_else(|| g.tensor(HostTensor::zeros(DType::F64, [xs.len()])).unwrap());
            let mut program = Device::cpu().compile(&g, &[&y, &slope], &[]).unwrap();
            let given = HostTensor::new(&xs, [xs.len()]).unwrap();
            let out = program.run([("x", &given)]).unwrap().wait().unwrap();
            for ((u, got), slope) in xs.iter().zip(out[0].to_f64()).zip(out[1].to_f64()) {
                let (want, steep) = (f.value(*u), f.derivative_at(*u));
                assert!((got - want).abs() <= 1e-12 * want.abs().max(1.0), "{f}({u}) = {got}, not {want}");
                assert!(
                    (slope - steep).abs() <= 1e-9 * steep.abs().max(1.0),
                    "{f}'({u}) = {slope}, not {steep}"
                );
            }
            assert!(xs.len() > 80, "{f}: {} points", xs.len());
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for f in Library::standard().iter() {
            for u in points(f.domain_of()) {
                // Near a pole or an end differences say nothing.
                let h = 1e-4;
                let near: Vec<f64> = [-2.0, -1.0, 1.0, 2.0].iter().map(|k| u + k * h).collect();
                if near.iter().any(|v| !f.domain_of().contains(*v))
                    || u.abs() < 0.05
                    || (u.abs() - 1.0).abs() < 0.02
                {
                    continue;
                }
                let v: Vec<f64> = near.iter().map(|u| f.value(*u)).collect();
                let want = (v[0] - 8.0 * v[1] + 8.0 * v[2] - v[3]) / (12.0 * h);
                let got = f.derivative_at(u);
                let size = got.abs().max(f.value(u).abs()).max(1.0);
                if size < 1e3 {
                    assert!((got - want).abs() < 1e-7 * size, "{f}'({u}) = {got}, not {want}");
                }
            }
        }
    }

    #[test]
    fn beyond_the_domain_there_is_no_number() {
        for (name, u) in [
            ("log", -1.0),
            ("log", 0.0),
            ("sqrt", -0.1),
            ("x^1.5", -2.0),
            ("1/sqrt(x)", 0.0),
            ("1/x", 0.0),
            ("1/x^2", 0.0),
            ("1/x^5", 0.0),
            ("arcsin", 1.1),
            ("arccos", -1.1),
            ("arctanh", 1.0),
            ("arctanh", -2.0),
        ] {
            let f = Library::standard().get(name).unwrap();
            assert!(!f.value(u).is_finite() && !f.domain_of().contains(u), "{name}({u})");
            assert!(f.is_protected() && f.protected(u, 10.0).is_finite(), "{name}({u})");
        }
    }

    #[test]
    fn protected_forms_are_finite_continuous_and_the_function_elsewhere() {
        for f in Library::standard().iter().filter(|f| f.is_protected()) {
            let mut changed = 0;
            for limit in [3.0, 10.0, 1e3] {
                let step = 6.0 / 120_001.0;
                let mut last: Option<(f64, f64)> = None;
                for i in 0..120_001 {
                    let u = -3.0 + step * f64::from(i);
                    let (p, slope) = (f.protected(u, limit), f.protected_derivative(u, limit));
                    assert!(p.is_finite() && slope.is_finite(), "{f}({u}) {p} {slope}");
                    if limit == 3.0 {
                        changed += usize::from(p != f.value(u));
                        // Continuous: neighbours differ by no more than the steepest slope allows.
                        if let Some((before, steep)) = last {
                            let most = 2.0 * step * slope.abs().max(steep) + 1e-9;
                            assert!((p - before).abs() < most, "{f} jumps at {u} from {before} to {p}");
                        }
                        last = Some((p, slope.abs()));
                    }
                }
            }
            assert!(changed > 100, "{f}: {changed}");
        }
        let get = |name: &str| Library::standard().get(name).unwrap();
        assert_eq!(get("exp").protected(5.0, 10.0), 10.0);
        assert_eq!(get("log").protected(0.0, 10.0), -10.0);
        assert_eq!(get("sqrt").protected(-4.0, 10.0), -2.0);
        assert!((get("sqrt").protected(0.005, 10.0) - 0.05).abs() < 1e-15);
        assert_eq!(get("1/x^2").protected(0.0, 10.0), 10.0);
        assert!(get("tan").protected(PI / 2.0, 10.0).abs() < 1e-12);
        assert!((get("arctanh").protected(1.0, 2.0) - 2.0).abs() < 1e-12);
        assert!(get("cosh").protected(1e9, 10.0) < 10.1 && get("sinh").protected(-1e9, 10.0) > -10.1);
    }

    #[test]
    fn protected_derivatives_are_those_of_differences() {
        for f in Library::standard().iter().filter(|f| f.is_protected()) {
            let mut compared = 0;
            for i in 0..2000 {
                let u = -3.0 + 6.0 * (f64::from(i) + 0.41) / 2000.0;
                let h = 1e-6;
                let (low, high) = (f.protected(u - h, 10.0), f.protected(u + h, 10.0));
                let slopes = [u - h, u, u + h].map(|u| f.protected_derivative(u, 10.0));
                // Not across a kink.
                if (slopes[0] - slopes[2]).abs() > 1e-2 {
                    continue;
                }
                let want = (high - low) / (2.0 * h);
                assert!(
                    (slopes[1] - want).abs() < 1e-4 * want.abs().max(1.0),
                    "{f}'({u}) {} {want}",
                    slopes[1]
                );
                compared += 1;
            }
            assert!(compared > 1000, "{f}: {compared}");
        }
    }
}
