//! Exponentials, trigonometric and hyperbolic functions, their inverses, and bells and steps made of them.

use std::f64::consts::PI;

use super::super::{
    Domain, Function,
    protected::Protection,
    spelling::{Binding, Spelling},
    symmetry::{Parity, Symmetry},
};

/// A function that is written as a call everywhere.
fn call(
    name: &str,
    latex: &str,
    rust: &str,
    complexity: f64,
    value: fn(f64) -> f64,
    derivative: fn(f64) -> f64,
) -> Function {
    let latex = format!(r"{latex}\left({{x}}\right)");
    Function::new(name, value).derivative(derivative).complexity(complexity).spelled(Spelling::new(
        &format!("{name}({{x}})"),
        &latex,
        &format!("{{x}}.{rust}()"),
        Binding::Atom,
    ))
}

fn sigmoid(u: f64) -> f64 {
    // Of −|u|, so that nothing overflows and small values keep their digits.
    let e = (-u.abs()).exp();
    if u >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

const SIGMOID: &str = "fn sigmoid(u: f64) -> f64 {\n    1.0 / (1.0 + (-u).exp())\n}\n";
const SILU: &str = "fn silu(u: f64) -> f64 {\n    u / (1.0 + (-u).exp())\n}\n";
const SOFTPLUS: &str = "fn softplus(u: f64) -> f64 {\n    u.max(0.0) + (-u.abs()).exp().ln_1p()\n}\n";
const GAUSSIAN: &str = "fn gaussian(u: f64) -> f64 {\n    (-u * u).exp()\n}\n";
const LORENTZIAN: &str = "fn lorentzian(u: f64) -> f64 {\n    1.0 / (1.0 + u * u)\n}\n";

/// A function that Rust has no method for.
fn own(
    name: &str,
    latex: (&str, Binding),
    items: &str,
    complexity: f64,
    value: fn(f64) -> f64,
    derivative: fn(f64) -> f64,
) -> Function {
    let form = format!("{name}({{x}})");
    let mut spelling = Spelling::new(&form, latex.0, &form, Binding::Atom).rust(items, Binding::Atom);
    spelling.binding = latex.1;
    Function::new(name, value).derivative(derivative).complexity(complexity).spelled(spelling)
}

pub(super) fn all() -> Vec<Function> {
    let odd = Parity::Sum(0.0);
    let periodic = |flips: bool, parity: Parity| Symmetry::Periodic { shift: PI, flips, parity };
    let mirror = Symmetry::Mirror;
    let operator = |name: &str| format!(r"\operatorname{{{name}}}\left({{x}}\right)");
    vec![
        call("exp", r"\exp", "exp", 2.0, f64::exp, f64::exp)
            .protected_by(Protection::Exponential)
            .symmetric(Symmetry::Exponential),
        call("log", r"\log", "ln", 2.0, f64::ln, |u| 1.0 / u)
            .domain(Domain::Positive)
            .protected_by(Protection::Logarithm)
            .symmetric(Symmetry::Logarithm),
        call("sin", r"\sin", "sin", 2.0, f64::sin, f64::cos).symmetric(periodic(true, odd)),
        call("cos", r"\cos", "cos", 2.0, f64::cos, |u| -u.sin()).symmetric(periodic(true, Parity::Even)),
        call("tan", r"\tan", "tan", 3.0, f64::tan, |u| u.cos().powi(-2))
            .domain(Domain::CosineNonZero)
            .protected_by(Protection::Tangent)
            .symmetric(periodic(false, odd)),
        call("tanh", r"\tanh", "tanh", 3.0, f64::tanh, |u| u.cosh().powi(-2)).symmetric(mirror(odd)),
        call("sinh", r"\sinh", "sinh", 5.0, f64::sinh, f64::cosh)
            .protected_by(Protection::SineHyperbolic)
            .symmetric(mirror(odd)),
        call("cosh", r"\cosh", "cosh", 5.0, f64::cosh, f64::sinh)
            .protected_by(Protection::CosineHyperbolic)
            .symmetric(mirror(Parity::Even)),
        call("arcsin", r"\arcsin", "asin", 4.0, f64::asin, |u| 1.0 / ((1.0 - u) * (1.0 + u)).sqrt())
            .domain(Domain::ClosedUnit)
            .protected_by(Protection::ArcSine)
            .symmetric(mirror(odd)),
        call("arccos", r"\arccos", "acos", 4.0, f64::acos, |u| -1.0 / ((1.0 - u) * (1.0 + u)).sqrt())
            .domain(Domain::ClosedUnit)
            .protected_by(Protection::ArcCosine)
            .symmetric(mirror(Parity::Sum(PI))),
        call("arctan", r"\arctan", "atan", 4.0, f64::atan, |u| 1.0 / (1.0 + u * u)).symmetric(mirror(odd)),
        call("arctanh", r"\operatorname{artanh}", "atanh", 4.0, f64::atanh, |u| {
            1.0 / ((1.0 - u) * (1.0 + u))
        })
        .domain(Domain::OpenUnit)
        .protected_by(Protection::ArcTangentHyperbolic)
        .symmetric(mirror(odd)),
        call("arcsinh", r"\operatorname{arsinh}", "asinh", 4.0, f64::asinh, |u| 1.0 / u.hypot(1.0))
            .symmetric(mirror(odd)),
        own(
            "gaussian",
            (r"\exp\left(-{x}^{2}\right)", Binding::Atom),
            GAUSSIAN,
            3.0,
            |u| (-u * u).exp(),
            |u| -2.0 * u * (-u * u).exp(),
        )
        .text("exp(-{x}^2)")
        .symmetric(mirror(Parity::Even)),
        own("sigmoid", (&operator("sigmoid"), Binding::Atom), SIGMOID, 4.0, sigmoid, |u| {
            sigmoid(u) * sigmoid(-u)
        })
        .symmetric(mirror(Parity::Sum(1.0))),
        own(
            "silu",
            (&operator("silu"), Binding::Atom),
            SILU,
            4.0,
            |u| u * sigmoid(u),
            |u| sigmoid(u) * (1.0 + u * sigmoid(-u)),
        ),
        own(
            "softplus",
            (&operator("softplus"), Binding::Atom),
            SOFTPLUS,
            4.0,
            |u| u.max(0.0) + (-u.abs()).exp().ln_1p(),
            sigmoid,
        ),
        own(
            "lorentzian",
            (r"\frac{1}{1 + {x}^{2}}", Binding::Product),
            LORENTZIAN,
            4.0,
            |u| 1.0 / (1.0 + u * u),
            |u| -2.0 * u / (1.0 + u * u).powi(2),
        )
        .text("1/(1 + {x}^2)")
        .symmetric(mirror(Parity::Even)),
    ]
}
