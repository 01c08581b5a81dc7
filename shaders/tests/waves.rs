//! Sines, as activations, against f64, for angles of every size.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

#[allow(dead_code, reason = "each test binary uses a part")]
mod interpreter;

use interpreter::{
    jets::Jet,
    measure::{INF, check, relative},
};
use libm::{cos, sin};

const NAN: f32 = f32::NAN;
const ALL: &[usize] = &[0, 1, 2];
const ENDLESS: [(f32, [f32; 3]); 2] = [(INF, [NAN; 3]), (-INF, [NAN; 3])];

fn jet<'a>(file: &'a str, name: &'a str, attributes: &'a [f32]) -> Jet<'a> {
    Jet { file, name, suffix: "", attributes }
}

#[test]
fn snake() {
    for a in [1.0f32, 5.0, 0.2, -3.0, 1e-3, 30.0] {
        let b = f64::from(a);
        let f = |x: f64| x + sin(b * x) * sin(b * x) / b;
        let attributes = [a];
        let j = jet("activation/snake", "kw_snake", &attributes);
        // x and the wave may cancel.
        j.check(&[0], (-30.0, 30.0), 6e-7, 1.0, &f);
        // Differences of f: |a| to the tenth by the step to the eighth.
        if a.abs() < 10.0 {
            // Relative to the amplitudes 1 and 2 a.
            j.check(&[1], (-30.0, 30.0), 5e-7, 1.0, &f);
            j.check(&[2], (-30.0, 30.0), 5e-7, 2.0 * b.abs().max(0.5), &f);
        }
        j.limits(&ENDLESS);
    }
    // Near a = 0 the second term is a x^2 (1 - a^2 x^2 / 3).
    for a in [0.0f32, 1e-30, 1e-8, -1e-4] {
        let b = f64::from(a);
        let attributes = [a];
        let j = jet("activation/snake", "kw_snake", &attributes);
        j.check(ALL, (-100.0, 100.0), 3e-7, 1.0, &|x| x + b * x * x * (1.0 - b * b * x * x / 3.0));
        j.limits(&ENDLESS);
    }
    let large = |a: f64, x: f64| (1.0 + sin(2.0 * a * x)) as f32;
    for (a, x) in [(5.0f32, 1e30f32), (0.5, -1e30), (1.0, 12345.678), (2.5, 3e9)] {
        let (got, want) = (interpreter_value("kw_snake_d1", x, a), large(a.into(), x.into()));
        assert!((got - want).abs() < 5e-7, "{got} {want} at {x:e}, {a}");
    }
}

fn interpreter_value(name: &str, x: f32, a: f32) -> f32 {
    use interpreter::{Shader, Value};
    match Shader::load("activation/snake", false).run(name, &[Value::Float(x), Value::Float(a)]) {
        Value::Float(y) => y,
        other => panic!("{name} gave {other:?}"),
    }
}

#[test]
fn growing_cosine() {
    let j = jet("activation/gcu", "kw_gcu", &[]);
    j.check(ALL, (-50.0, 50.0), 4e-7, 1.0, &|x| x * cos(x));
    check("activation/gcu", "kw_gcu", (-1.5, 1.5), 4e-7, |x| x * cos(x), relative);
    j.limits(&ENDLESS);
    j.limits(&[(0.0, [0.0, 1.0, 0.0])]);
}

#[test]
fn damped_sine() {
    let j = jet("activation/gcu", "kw_spder", &[]);
    let f = |x: f64| sin(x) * x.abs().sqrt();
    j.check(&[0], (-50.0, 50.0), 3e-7, 1.0, &f);
    check("activation/gcu", "kw_spder", (-1.5, 1.5), 5e-7, f, relative);
    for side in [(-50.0, -0.1), (0.1, 50.0)] {
        j.check(ALL, side, 1e-6, 1.0, &f);
    }
    // Next to 0: 3/2 sqrt|x| and +-3/4 / sqrt|x|.
    let file = "activation/gcu";
    check(file, "kw_spder_d1", (-1e-4, 1e-4), 5e-7, |x| 1.5 * x.abs().sqrt(), relative);
    for side in [(-1e-4, -1e-30), (1e-30, 1e-4)] {
        check(file, "kw_spder_d2", side, 5e-7, |x| 0.75 / x.abs().sqrt() * x.signum(), relative);
    }
    j.limits(&ENDLESS);
    j.limits(&[(0.0, [0.0, 0.0, INF]), (-0.0, [0.0, 0.0, -INF])]);
}
