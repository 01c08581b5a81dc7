//! The activations, their derivatives and the elementwise functions against f64 forms of their own: relatively in the
//! tails, absolutely around the roots.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

#[allow(dead_code, reason = "each test binary uses a part")]
mod interpreter;

use interpreter::{
    Shader, Value,
    measure::{INF, absolute, check, limits, relative},
};
use libm::{erfc, exp, tanh};

/// Around the roots, absolutely; in both tails, relatively.
fn check_parts(name: &str, file: &str, tails: [(f32, f32); 2], bounds: [f64; 2], truth: fn(f64) -> f64) {
    check(file, name, (-20.0, 20.0), bounds[0], truth, absolute);
    for tail in tails {
        check(file, name, tail, bounds[1], truth, relative);
    }
}

fn pdf(x: f64) -> f64 {
    exp(-0.5 * x * x) / (2.0 * std::f64::consts::PI).sqrt()
}

fn cdf(x: f64) -> f64 {
    0.5 * erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

fn slope(x: f64) -> f64 {
    sigmoid(x) * sigmoid(-x)
}

#[test]
fn gelu() {
    let file = "activation/gelu";
    check(file, "kw_gelu", (-13.0, 20.0), 5e-7, |x| x * cdf(x), relative);
    // In f64 the tail of the derivative loses x^2 units to cancellation, which is nothing here.
    check_parts("kw_gelu_d1", file, [(-12.5, -1.5), (0.0, 20.0)], [2e-7, 1e-6], |x| cdf(x) + x * pdf(x));
    check_parts("kw_gelu_d2", file, [(-13.0, -1.6), (1.6, 13.0)], [2e-7, 5e-7], |x| pdf(x) * (2.0 - x * x));
    // Next to its root too: sqrt 2 is carried in two parts.
    check(file, "kw_gelu_d2", (1.40, 1.43), 5e-7, |x| pdf(x) * (2.0 - x * x), relative);
    limits(file, "kw_gelu", &[(INF, INF), (-INF, 0.0), (0.0, 0.0), (-100.0, 0.0), (100.0, 100.0)]);
    limits(file, "kw_gelu_d1", &[(INF, 1.0), (-INF, 0.0), (0.0, 0.5), (1e30, 1.0), (-1e30, 0.0)]);
    limits(file, "kw_gelu_d2", &[(INF, 0.0), (-INF, 0.0), (1e30, 0.0)]);
}

#[test]
fn silu() {
    let file = "activation/silu";
    check(file, "kw_silu", (-86.0, 50.0), 5e-7, |x| x * sigmoid(x), relative);
    let d1 = |x: f64| sigmoid(x) + x * slope(x);
    check_parts("kw_silu_d1", file, [(-82.0, -2.0), (0.0, 100.0)], [3e-7, 5e-7], d1);
    let d2 = |x: f64| slope(x) * (2.0 - x * tanh(0.5 * x));
    check_parts("kw_silu_d2", file, [(-82.0, -3.0), (3.0, 82.0)], [2e-7, 1e-6], d2);
    limits(file, "kw_silu", &[(INF, INF), (-INF, 0.0), (-1e30, 0.0), (1e30, 1e30)]);
    limits(file, "kw_silu_d1", &[(INF, 1.0), (-INF, 0.0), (1e30, 1.0), (-1e30, 0.0), (0.0, 0.5)]);
    limits(file, "kw_silu_d2", &[(INF, 0.0), (-INF, 0.0), (0.0, 0.5)]);
}

#[test]
fn sigmoid_and_tanh() {
    check("activation/sigmoid", "kw_sigmoid_d1", (-86.0, 86.0), 6e-7, slope, relative);
    let d2 = |x: f64| -slope(x) * tanh(0.5 * x);
    check("activation/sigmoid", "kw_sigmoid_d2", (-86.0, 86.0), 1e-6, d2, relative);
    limits("activation/sigmoid", "kw_sigmoid_d1", &[(INF, 0.0), (-INF, 0.0), (0.0, 0.25)]);
    limits("activation/sigmoid", "kw_sigmoid_d2", &[(INF, 0.0), (-INF, 0.0), (0.0, 0.0)]);
    let d1 = |x: f64| 4.0 * slope(2.0 * x);
    check("activation/tanh", "kw_tanh_d1", (-43.0, 43.0), 6e-7, d1, relative);
    check("activation/tanh", "kw_tanh_d2", (-43.0, 43.0), 1e-6, move |x| -2.0 * tanh(x) * d1(x), relative);
    limits("activation/tanh", "kw_tanh_d1", &[(INF, 0.0), (-INF, 0.0), (0.0, 1.0)]);
    limits("activation/tanh", "kw_tanh_d2", &[(INF, 0.0), (-INF, 0.0), (0.0, 0.0)]);
}

#[test]
fn relu() {
    check("activation/relu", "kw_relu", (-5.0, 5.0), 0.0, |x| x.max(0.0), absolute);
    limits("activation/relu", "kw_relu", &[(INF, INF), (-INF, 0.0), (-0.0, 0.0), (f32::NAN, f32::NAN)]);
    limits("activation/relu", "kw_relu_d1", &[(INF, 1.0), (-INF, 0.0), (0.0, 0.0), (f32::NAN, f32::NAN)]);
    limits("activation/relu", "kw_relu_d2", &[(1.0, 0.0), (-1.0, 0.0), (f32::NAN, f32::NAN)]);
}

#[test]
fn arithmetic_and_comparison() {
    let nan = f32::NAN;
    let shader = Shader::load("elementwise/arith", false);
    let values = [0.0, 1.0, -1.0, 2.5, -7.25, 1e30, INF, -INF, nan];
    let either = |a: f32, b: f32, z: f32| if a.is_nan() || b.is_nan() { nan } else { z };
    type Row = (&'static str, fn(f32, f32) -> f32);
    let arithmetic: [Row; 6] = [
        ("kw_add", |a, b| a + b),
        ("kw_sub", |a, b| a - b),
        ("kw_mul", |a, b| a * b),
        ("kw_div", |a, b| a / b),
        ("kw_max", f32::max),
        ("kw_min", f32::min),
    ];
    type Test = (&'static str, fn(&f32, &f32) -> bool);
    let comparisons: [Test; 6] = [
        ("kw_gt", f32::gt),
        ("kw_ge", f32::ge),
        ("kw_lt", f32::lt),
        ("kw_le", f32::le),
        ("kw_eq", f32::eq),
        ("kw_ne", f32::ne),
    ];
    for a in values {
        for b in values {
            let pair = [Value::Float(a), Value::Float(b)];
            for (name, truth) in arithmetic {
                let want = either(a, b, truth(a, b));
                let Value::Float(got) = shader.run(name, &pair) else { panic!("{name} is no float") };
                assert!(
                    got == want || (got.is_nan() && want.is_nan()),
                    "{name}({a}, {b}) = {got}, not {want}"
                );
            }
            for (name, truth) in comparisons {
                let Value::Bool(got) = shader.run(name, &pair) else { panic!("{name} is no bool") };
                assert_eq!(got, truth(&a, &b), "{name}({a}, {b})");
            }
            let Value::Float(got) =
                shader.run("kw_select", &[Value::Bool(true), pair[0].clone(), pair[1].clone()])
            else {
                panic!("kw_select is no float")
            };
            assert!(got.to_bits() == a.to_bits(), "kw_select gave {got}, not {a}");
        }
    }
    let file = "elementwise/arith";
    limits(file, "kw_neg", &[(2.0, -2.0), (-INF, INF), (nan, nan)]);
    limits(file, "kw_abs", &[(-2.0, 2.0), (-INF, INF), (nan, nan)]);
    limits(file, "kw_sign", &[(-2.0, -1.0), (0.0, 0.0), (-0.0, 0.0), (INF, 1.0), (nan, nan)]);
    limits(file, "kw_sqrt", &[(4.0, 2.0), (0.0, 0.0), (INF, INF), (-1.0, nan)]);
    limits(file, "kw_rsqrt", &[(4.0, 0.5), (0.0, INF), (INF, 0.0), (-1.0, nan)]);
    limits(file, "kw_recip", &[(4.0, 0.25), (0.0, INF), (-INF, 0.0), (nan, nan)]);
    limits(file, "kw_square", &[(-3.0, 9.0), (-INF, INF), (nan, nan)]);
}
