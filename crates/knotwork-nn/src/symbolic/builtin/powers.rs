//! Powers of x and what scales like them.

use super::super::{
    Domain, Function,
    protected::Protection,
    spelling::{Binding, Spelling},
    symmetry::{Parity, Symmetry},
};

/// u^n for whole n: by products, exact where they are.
fn whole(name: &str, n: i32, complexity: f64) -> Function {
    let parity = if n % 2 == 0 { Parity::Even } else { Parity::Sum(0.0) };
    let f = Function::new(name, move |u: f64| u.powi(n))
        .derivative(move |u| f64::from(n) * u.powi(n - 1))
        .complexity(complexity)
        .symmetric(Symmetry::Power { degree: f64::from(n), parity });
    let m = n.abs();
    if n > 0 {
        let binding = Binding::Power;
        return f.spelled(Spelling::new(
            &format!("{{x}}^{m}"),
            &format!("{{x}}^{{{m}}}"),
            &format!("{{x}}.powi({m})"),
            binding,
        ));
    }
    let (power, latex) =
        if m == 1 { (String::new(), String::new()) } else { (format!("^{m}"), format!("^{{{m}}}")) };
    let denominator = if m == 1 { "{x}".to_owned() } else { format!("{{x}}{latex}") };
    f.domain(Domain::NonZero).protected_by(Protection::Inverse(m)).spelled(Spelling::new(
        &format!("1/{{x}}{power}"),
        &format!(r"\frac{{1}}{{{denominator}}}"),
        &if m == 1 { "{x}.recip()".to_owned() } else { format!("{{x}}.powi({n})") },
        Binding::Product,
    ))
}

const SGN: &str = "fn sgn(u: f64) -> f64 {\n    if u == 0.0 { 0.0 } else { u.signum() }\n}\n";

fn sgn(u: f64) -> f64 {
    if u == 0.0 { 0.0 } else { u.signum() }
}

pub(super) fn all() -> Vec<Function> {
    let power = |degree: f64, parity: Parity| Symmetry::Power { degree, parity };
    vec![
        Function::new("0", |u| if u.is_nan() { u } else { 0.0 })
            .derivative(|_| 0.0)
            .complexity(0.0)
            .symmetric(Symmetry::Zero)
            .spelled(
                Spelling::new("0*{x}", r"0 \cdot {x}", "0.0 * {x}", Binding::Product)
                    .rust("", Binding::Product),
            ),
        Function::new("x", |u| u)
            .derivative(|_| 1.0)
            .complexity(1.0)
            .symmetric(Symmetry::Linear)
            .spelled(Spelling::new("({x})", r"\left({x}\right)", "({x})", Binding::Atom)),
        whole("x^2", 2, 2.0),
        whole("x^3", 3, 3.0),
        whole("x^4", 4, 3.0),
        whole("x^5", 5, 3.0),
        whole("1/x", -1, 2.0),
        whole("1/x^2", -2, 2.0),
        whole("1/x^3", -3, 3.0),
        whole("1/x^4", -4, 4.0),
        whole("1/x^5", -5, 5.0),
        Function::new("sqrt", f64::sqrt)
            .derivative(|u| 0.5 / u.sqrt())
            .complexity(2.0)
            .domain(Domain::NonNegative)
            .protected_by(Protection::Root)
            .symmetric(power(0.5, Parity::None))
            .spelled(Spelling::new("sqrt({x})", r"\sqrt{{x}}", "{x}.sqrt()", Binding::Atom)),
        Function::new("x^1.5", |u| u * u.sqrt())
            .derivative(|u| 1.5 * u.sqrt())
            .complexity(4.0)
            .domain(Domain::NonNegative)
            .protected_by(Protection::PowerOneAndHalf)
            .symmetric(power(1.5, Parity::None))
            .spelled(Spelling::new("{x}^1.5", r"{x}^{1.5}", "{x}.powf(1.5)", Binding::Power)),
        Function::new("1/sqrt(x)", |u| 1.0 / u.sqrt())
            .derivative(|u| -0.5 / (u * u.sqrt()))
            .complexity(2.0)
            .domain(Domain::Positive)
            .protected_by(Protection::InverseRoot)
            .symmetric(power(-0.5, Parity::None))
            .spelled(Spelling::new(
                "1/sqrt({x})",
                r"\frac{1}{\sqrt{{x}}}",
                "{x}.sqrt().recip()",
                Binding::Product,
            )),
        Function::new("abs", f64::abs)
            .derivative(sgn)
            .complexity(3.0)
            .symmetric(power(1.0, Parity::Even))
            .spelled(Spelling::new("abs({x})", r"\left|{x}\right|", "{x}.abs()", Binding::Atom)),
        Function::new("sgn", sgn)
            .derivative(|_| 0.0)
            .complexity(3.0)
            .symmetric(power(0.0, Parity::Sum(0.0)))
            .spelled(
                Spelling::new("sgn({x})", r"\operatorname{sgn}\left({x}\right)", "sgn({x})", Binding::Atom)
                    .rust(SGN, Binding::Atom),
            ),
        Function::new("relu", |u| u.max(0.0))
            .derivative(|u| if u > 0.0 { 1.0 } else { 0.0 })
            .complexity(3.0)
            .symmetric(power(1.0, Parity::None))
            .spelled(Spelling::new("relu({x})", r"\max\left(0, {x}\right)", "{x}.max(0.0)", Binding::Atom)),
    ]
}
