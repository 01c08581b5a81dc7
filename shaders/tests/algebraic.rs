//! Activations of the arctangent, of roots and of powers, and two of the exponential, against f64: absolutely everywhere,
//! relatively in the tails, and in the limits.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

#[allow(dead_code, reason = "each test binary uses a part")]
mod interpreter;

use interpreter::{
    jets::Jet,
    measure::{INF, check, limits, relative, ulps},
};
use libm::{atan, exp, tanh};

const ALL: &[usize] = &[0, 1, 2];
/// Where everything vanishes.
const GONE: [(f32, [f32; 3]); 2] = [(INF, [0.0; 3]), (-INF, [0.0; 3])];
/// Where x decays on the left and grows with slope 1 on the right.
const RAMP: [(f32, [f32; 3]); 4] =
    [(INF, [INF, 1.0, 0.0]), (-INF, [0.0; 3]), (1e30, [1e30, 1.0, 0.0]), (-1e30, [-0.0, 0.0, 0.0])];

fn jet<'a>(file: &'a str, name: &'a str, attributes: &'a [f32]) -> Jet<'a> {
    Jet { file, name, suffix: "", attributes }
}

#[test]
fn arctangent() {
    const RIGHT: f32 = std::f32::consts::FRAC_PI_2;
    for range in [(-3.0, 3.0), (-1e30, 1e30), (-1e-3, 1e-3)] {
        check("shared/atan", "kw_atan", range, 2.0, atan, ulps);
        check("activation/arctan", "kw_arctan", range, 2.0, atan, ulps);
    }
    let file = "activation/arctan";
    let q = |x: f64| 1.0 / (1.0 + x * x);
    check(file, "kw_arctan_d1", (-1e18, 1e18), 3e-7, q, relative);
    check(file, "kw_arctan_d2", (-1e12, 1e12), 5e-7, |x| -2.0 * x * q(x) * q(x), relative);
    jet(file, "kw_arctan", &[]).check(ALL, (-8.0, 8.0), 5e-7, 1.0, &atan);
    let ends = [(INF, [RIGHT, 0.0, 0.0]), (-INF, [-RIGHT, 0.0, 0.0]), (-1e30, [-RIGHT, 0.0, 0.0])];
    jet(file, "kw_arctan", &[]).limits(&ends);
}

#[test]
fn inverse_hyperbolic_sine() {
    let file = "activation/asinh";
    // 1 / hypot, which does not overflow.
    let q = |x: f64| 1.0 / x.hypot(1.0);
    for range in [(-4.0, 4.0), (-1e-3, 1e-3), (-1e30, 1e30)] {
        check(file, "kw_asinh", range, 3.0, libm::asinh, ulps);
        check(file, "kw_asinh_d1", range, 3e-7, q, relative);
    }
    check(file, "kw_asinh_d2", (-1e18, 1e18), 6e-7, |x| -x * q(x) * q(x) * q(x), relative);
    jet(file, "kw_asinh", &[]).check(ALL, (-8.0, 8.0), 5e-7, 1.0, &libm::asinh);
    let ends = [(INF, [INF, 0.0, 0.0]), (-INF, [-INF, 0.0, 0.0]), (-0.0, [-0.0, 1.0, 0.0])];
    jet(file, "kw_asinh", &[]).limits(&ends);
}

#[test]
fn corrected_rectifier() {
    for epsilon in [0.01f32, 0.5, -2.0, 0.0] {
        let e = f64::from(epsilon);
        let attributes = [epsilon];
        let j = jet("activation/crrelu", "kw_crrelu", &attributes);
        let left = |x: f64| e * x * exp(-x * x / 2.0);
        let right = |x: f64| x + left(x);
        j.check(ALL, (-20.0, -1e-30), 6e-7, 1.0, &left);
        j.check(ALL, (1e-30, 20.0), 6e-7, 1.0, &right);
        j.check(&[0], (-12.0, -1e-20), 6e-7, 0.0, &left);
        j.limits(&RAMP);
        j.limits(&[(0.0, [0.0, epsilon, 0.0])]);
    }
}

#[test]
fn hyperbola() {
    for b in [4.0f32, 0.25, 25.0, 1.0] {
        let c = f64::from(b);
        let attributes = [b];
        let j = jet("activation/squareplus", "kw_squareplus", &attributes);
        let f = move |x: f64| {
            let r = x.hypot(c.sqrt());
            if x < 0.0 { c / (r - x) / 2.0 } else { (x + r) / 2.0 }
        };
        j.check(ALL, (-30.0, 30.0), 6e-7, 1.0, &f);
        j.check(&[0], (-1e30, 1e30), 5e-7, 0.0, &f);
        // Left of it a difference of f has no digits left.
        j.check(&[1], (-5.0, 5.0), 8e-7, 0.0, &f);
        j.limits(&RAMP[..2]);
        j.limits(&[(1e30, [1e30, 1.0, 0.0])]);
    }
    let j = jet("activation/squareplus", "kw_squareplus", &[0.0]);
    j.limits(&RAMP);
    j.limits(&[(0.0, [0.0, 0.5, 0.0]), (-3.0, [0.0; 3]), (3.0, [3.0, 1.0, 0.0])]);
}

#[test]
fn cauchy_kernel() {
    for (lambda1, lambda2, d) in
        [(1.0f32, 1.0f32, 1.0f32), (-2.5, 1.0, 1.0), (0.0, 3.0, 0.5), (1.0, 0.0, 3.0)]
    {
        let (p, q, c) = (f64::from(lambda1), f64::from(lambda2), f64::from(d));
        let attributes = [lambda1, lambda2, d];
        let j = jet("activation/cauchy", "kw_cauchy", &attributes);
        let f = |x: f64| (p * x + q) / (x * x + c * c);
        // Relative to the largest value: odd and even parts cancel.
        let size = (q.abs() + p.abs() * c) / (c * c);
        j.check(&[0], (-50.0, 50.0), 6e-7, size.max(1.0), &f);
        j.check(&[1], (-50.0, 50.0), 8e-7, (size / c).max(1.0), &f);
        j.check(&[2], (-50.0, 50.0), 1e-6, (2.0 * size / (c * c)).max(1.0), &f);
        j.check(&[0], (5.0, 1e15), 8e-7, 0.0, &f);
        j.limits(&GONE);
    }
    for d in [1e-6, 1.0, 1e15] {
        jet("activation/cauchy", "kw_cauchy", &[1e8, -1e8, d]).limits(&GONE);
    }
    jet("activation/cauchy", "kw_cauchy", &[1.0, 1.0, 1e-6]).limits(&[(1e30, [1e-30, 0.0, 0.0])]);
}

#[test]
fn elephant() {
    for (a, d) in [(1.0f32, 4.0f32), (0.3, 4.0), (2.0, 8.0), (0.7, 2.0), (1.5, 16.0)] {
        let (b, c) = (f64::from(a), f64::from(d));
        let attributes = [a, d];
        let j = jet("activation/elephant", "kw_elephant", &attributes);
        let f = |x: f64| 1.0 / (1.0 + (x / b).abs().powf(c));
        let slope = c / b;
        j.check(&[0], (-1e4, 1e4), 4e-7, 1.0, &f);
        j.check(&[0], (-60.0, 60.0), 1e-6, 0.0, &f);
        j.check(&[1], (-20.0, 20.0), 1e-6, slope.max(1.0), &f);
        j.check(&[2], (-20.0, 20.0), 1e-6, (slope * slope).max(1.0), &f);
        j.limits(&GONE);
        j.limits(&[(0.0, [1.0, 0.0, if d == 2.0 { -2.0 / (a * a) } else { 0.0 }])]);
    }
    for (a, d) in [(1.0f32, 1.0f32), (2.5, 3.0), (0.3, 1.5)] {
        let (b, c) = (f64::from(a), f64::from(d));
        let attributes = [a, d];
        let j = jet("activation/elephant", "kw_elephant", &attributes);
        let f = |x: f64| 1.0 / (1.0 + (x / b).abs().powf(c));
        for side in [(-20.0, -0.1), (0.1, 20.0)] {
            j.check(ALL, side, 1e-6, (c / b * (c / b)).max(1.0), &f);
        }
        j.limits(&GONE);
    }
    jet("activation/elephant", "kw_elephant", &[2.0, 1.0]).limits(&[(0.0, [1.0, 0.0, 0.5])]);
    jet("activation/elephant", "kw_elephant", &[2.0, 1.5]).limits(&[(0.0, [1.0, 0.0, -INF])]);
    for (a, d) in [(1e-6, 1.0), (1e-6, 1e4), (1e15, 1e4)] {
        let attributes = [a, d];
        jet("activation/elephant", "kw_elephant", &attributes).limits(&GONE);
    }
    // Next to 0 and far away.
    let shader = |x: f32, a: f32, d: f32| {
        use interpreter::{Shader, Value};
        let arguments = [Value::Float(x), Value::Float(a), Value::Float(d)];
        match Shader::load("activation/elephant", false).run("kw_elephant_d1", &arguments) {
            Value::Float(y) => f64::from(y),
            other => panic!("{other:?}"),
        }
    };
    for (x, a, d, want) in
        [(1e-30f32, 2.0f32, 1.0f32, -0.5), (1e-20, 1.0, 1.5, -1.5e-10), (1e15, 1.0, 1.0, -1e-30)]
    {
        assert!((shader(x, a, d) / want - 1.0).abs() < 1e-6, "{x:e} {a} {d}: {:e}", shader(x, a, d));
    }
}

#[test]
fn tempered_logistic_function() {
    for (s, t, o) in
        [(2.0f32, 2.0f32, 1.0f32), (1.0, 1.0, 0.0), (3.0, 0.5, 3.0), (-3.0, -1.5, 0.4), (2.0, 0.0, 0.5)]
    {
        let (p, q, r) = (f64::from(s), f64::from(t), f64::from(o));
        let attributes = [s, t, o];
        let j = jet("activation/tempered_sigmoid", "kw_tempered_sigmoid", &attributes);
        // Through the tangent, whose difference from 1 is all that is lost.
        let f = |x: f64| p / 2.0 * tanh(q * x / 2.0) + (p / 2.0 - r);
        j.check(&[0, 1], (-40.0, 40.0), 6e-7, 1.0, &f);
        j.check(&[2], (-40.0, 40.0), 6e-7, (p * q * q).abs().max(1.0), &f);
        let (left, right) = if t > 0.0 { (-o, s - o) } else { (s - o, -o) };
        if t != 0.0 {
            j.limits(&[(INF, [right, 0.0, 0.0]), (-INF, [left, 0.0, 0.0])]);
            j.limits(&[(1e30, [right, 0.0, 0.0]), (-1e30, [left, 0.0, 0.0])]);
        }
    }
    // Tails that decay, on either side, and a root.
    let j = jet("activation/tempered_sigmoid", "kw_tempered_sigmoid", &[2.0, 3.0, 0.0]);
    j.check(&[0], (-28.0, 0.0), 6e-7, 0.0, &|x| 2.0 / (1.0 + exp(-3.0 * x)));
    let j = jet("activation/tempered_sigmoid", "kw_tempered_sigmoid", &[2.0, 3.0, 2.0]);
    j.check(&[0], (0.0, 28.0), 6e-7, 0.0, &|x| -2.0 / (1.0 + exp(3.0 * x)));
    let j = jet("activation/tempered_sigmoid", "kw_tempered_sigmoid", &[2.0, 2.0, 1.0]);
    j.check(&[0], (-9.0, 9.0), 6e-7, 0.0, &tanh);
    j.limits(&[(0.0, [0.0, 1.0, 0.0])]);
    jet("activation/tempered_sigmoid", "kw_tempered_sigmoid", &[2.0, 1e8, 1.0])
        .limits(&[(INF, [1.0, 0.0, 0.0]), (-1e38, [-1.0, 0.0, 0.0])]);
}

#[test]
fn expanded_arctangent() {
    for alpha in [0.0f32, 0.25, -1.0, 3.0, -0.5] {
        let a = f64::from(alpha);
        let attributes = [alpha];
        let j = jet("activation/xatlu", "kw_xatlu", &attributes);
        let f = |x: f64| x * ((1.0 + 2.0 * a) * (atan(x) / std::f64::consts::PI + 0.5) - a);
        j.check(ALL, (-30.0, 30.0), 1e-6, 1.0, &f);
        if alpha == 0.0 {
            j.check(&[0], (-1e5, 1e5), 5e-7, 0.0, &f);
            j.check(&[1, 2], (-4.0, 4.0), 1e-6, 0.0, &f);
        }
        let grows = |side: f32| if side == 0.0 { 0.0 } else { side };
        if alpha != 0.0 {
            j.limits(&[(-INF, [INF.copysign(alpha), -alpha, 0.0])]);
        }
        if alpha != -1.0 {
            j.limits(&[(INF, [INF.copysign(1.0 + alpha), grows(1.0 + alpha), 0.0])]);
        }
    }
    let third = std::f32::consts::FRAC_1_PI;
    let j = jet("activation/xatlu", "kw_xatlu", &[0.0]);
    j.limits(&[(-INF, [-third, 0.0, 0.0]), (-1e30, [-third, 0.0, 0.0]), (0.0, [0.0, 0.5, 2.0 * third])]);
    jet("activation/xatlu", "kw_xatlu", &[-1.0])
        .limits(&[(INF, [third, 0.0, 0.0]), (1e30, [third, 0.0, 0.0])]);
    // What decays on the left: beta t^3 2/3 / pi.
    check("shared/atan", "kw_atan_tail", (1e-30, 1e-6), 3e-7, |z| -1.0 / 3.0 + z / 5.0, relative);
    limits("shared/atan", "kw_atan", &[(-0.0, -0.0), (INF, std::f32::consts::FRAC_PI_2)]);
}
