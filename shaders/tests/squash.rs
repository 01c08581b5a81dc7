//! Exponential linear units, soft signs, scaled tangents and inverse roots against f64, with their derivatives, at other
//! attributes too, into the tails and at infinity.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

#[allow(dead_code, reason = "each test binary uses a part")]
mod interpreter;

use interpreter::{jets::Jet, measure::INF};
use libm::{expm1, sqrt, tanh};

const ALL: &[usize] = &[0, 1, 2];

fn jet<'a>(file: &'a str, name: &'a str, attributes: &'a [f32]) -> Jet<'a> {
    Jet { file, name, suffix: "", attributes }
}

/// Both sides of a kink at 0: differences must not step across.
fn sides(j: &Jet<'_>, bound: f64, f: &impl Fn(f64) -> f64) {
    j.check(ALL, (-20.0, -0.02), bound, 1.0, f);
    j.check(ALL, (0.02, 20.0), bound, 1.0, f);
}

#[test]
fn exponential_units() {
    for a in [1.0f32, 0.3, 2.5] {
        let (b, attributes) = (f64::from(a), [a]);
        let j = jet("activation/elu", "kw_elu", &attributes);
        sides(&j, 1e-6, &|x| if x > 0.0 { x } else { b * expm1(x) });
        j.limits(&[
            (INF, [INF, 1.0, 0.0]),
            (-INF, [-a, 0.0, 0.0]),
            (-1e30, [-a, 0.0, 0.0]),
            (1e30, [1e30, 1.0, 0.0]),
        ]);
        let j = jet("activation/elu", "kw_celu", &attributes);
        sides(&j, 2e-6, &|x| if x > 0.0 { x } else { b * expm1(x / b) });
        j.limits(&[(INF, [INF, 1.0, 0.0]), (-INF, [-a, 0.0, 0.0])]);
    }
    // Klambauer et al. give both constants to more digits than f32 has.
    let (low, scale) = (1.758_099_340_847_376_6, 1.050_700_987_355_480_5);
    let j = jet("activation/elu", "kw_selu", &[]);
    sides(&j, 1e-6, &|x| if x > 0.0 { scale * x } else { low * expm1(x) });
    j.limits(&[(-INF, [-low as f32, 0.0, 0.0]), (INF, [INF, scale as f32, 0.0])]);
}

#[test]
fn soft_signs() {
    let j = jet("activation/softsign", "kw_softsign", &[]);
    sides(&j, 1e-6, &|x| x / (1.0 + x.abs()));
    j.limits(&[(INF, [1.0, 0.0, 0.0]), (-INF, [-1.0, 0.0, 0.0]), (1e30, [1.0, 0.0, 0.0])]);
}

#[test]
fn scaled_tangents() {
    let file = "activation/scaled_tanh";
    let j = jet(file, "kw_lecun_tanh", &[]);
    j.check(ALL, (-15.0, 15.0), 1e-6, 1.0, &|x| 1.7159 * tanh(x * 2.0 / 3.0));
    j.limits(&[(INF, [1.7159, 0.0, 0.0]), (-INF, [-1.7159, 0.0, 0.0])]);
    for a in [0.25f32, -1.5] {
        let (b, attributes) = (f64::from(a), [a]);
        let f = |x: f64| if x > 0.0 { tanh(x) } else { b * tanh(x) };
        sides(&jet(file, "kw_penalized_tanh", &attributes), 2e-6, &f);
    }
    let j = jet(file, "kw_tanh_shrink", &[]);
    j.check(ALL, (-15.0, 15.0), 1e-6, 1.0, &|x| x - tanh(x));
    // Near 0 it is x³/3 − 2 x⁵/15 + 17 x⁷/315, where the difference cancels.
    j.check(&[0], (1e-3, 0.05), 1e-6, 0.0, &|x| {
        x * x * x * (1.0 / 3.0 - x * x * (2.0 / 15.0 - x * x * 17.0 / 315.0))
    });
    j.limits(&[(INF, [INF, 1.0, 0.0]), (-INF, [-INF, 1.0, 0.0]), (0.0, [0.0, 0.0, 0.0])]);
}

#[test]
fn inverse_roots() {
    let file = "activation/isru";
    for a in [1.0f32, 0.2, 4.0] {
        let (b, attributes) = (f64::from(a), [a]);
        let f = |x: f64| x / sqrt(1.0 + b * x * x);
        jet(file, "kw_isru", &attributes).check(ALL, (-20.0, 20.0), 2e-6, 1.0, &f);
        sides(&jet(file, "kw_isrlu", &attributes), 2e-6, &|x| if x >= 0.0 { x } else { f(x) });
    }
    let j = jet(file, "kw_isru", &[1.0]);
    j.limits(&[(INF, [1.0, 0.0, 0.0]), (-INF, [-1.0, 0.0, 0.0]), (1e30, [1.0, 0.0, 0.0])]);
    let j = jet(file, "kw_bent_identity", &[]);
    j.check(ALL, (-30.0, 30.0), 1e-6, 1.0, &|x| (sqrt(x * x + 1.0) - 1.0) / 2.0 + x);
    // Near 0 it is x + x²/4.
    j.check(&[0], (1e-6, 1e-3), 5e-7, 0.0, &|x| x + x * x / (2.0 * (sqrt(x * x + 1.0) + 1.0)));
    j.limits(&[(INF, [INF, 1.5, 0.0]), (-INF, [-INF, 0.5, 0.0])]);
}
