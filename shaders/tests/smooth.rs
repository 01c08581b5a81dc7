//! Activations of the logistic, normal, hyperbolic and Gompertz families against f64: absolutely everywhere, relatively
//! in the tails where they decay, and in the limits.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

#[allow(dead_code, reason = "each test binary uses a part")]
mod interpreter;

use interpreter::{
    jets::Jet,
    measure::{INF, check, limits, relative},
};
use libm::{erf, erfc, exp, expm1, log1p, tanh};

const ALL: &[usize] = &[0, 1, 2];
/// Where x decays on the left and grows with slope 1 on the right.
const RAMP: [(f32, [f32; 3]); 4] =
    [(INF, [INF, 1.0, 0.0]), (-INF, [0.0, 0.0, 0.0]), (1e30, [1e30, 1.0, 0.0]), (-1e30, [0.0, 0.0, 0.0])];

fn jet<'a>(file: &'a str, name: &'a str, attributes: &'a [f32]) -> Jet<'a> {
    Jet { file, name, suffix: "", attributes }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + log1p(exp(-x.abs()))
}

fn cdf(x: f64) -> f64 {
    0.5 * erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

#[test]
fn approximations_of_gelu() {
    let f = |x: f64| x * sigmoid((8.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x));
    let j = jet("activation/gelu_tanh", "kw_gelu_tanh", &[]);
    j.check(ALL, (-12.0, 12.0), 4e-7, 1.0, &f);
    // x^3 is rounded, and that times the exponent.
    j.check(&[0], (-9.9, 0.0), 2e-5, 0.0, &f);
    j.check(&[1, 2], (-9.6, -3.0), 3e-5, 0.0, &f);
    j.limits(&RAMP);
    let f = |x: f64| x * sigmoid(1.702 * x);
    let j = jet("activation/swish", "kw_quick_gelu", &[]);
    j.check(ALL, (-60.0, 60.0), 4e-7, 1.0, &f);
    j.check(&[0], (-50.0, 0.0), 6e-7, 0.0, &f);
    j.check(&[1, 2], (-49.0, -2.5), 1.5e-6, 0.0, &f);
    j.limits(&RAMP);
}

#[test]
fn swish() {
    for beta in [1.0f32, 0.3, 2.5, -1.5, 10.0] {
        let b = f64::from(beta);
        let f = |x: f64| x * sigmoid(b * x);
        let attributes = [beta];
        let j = jet("activation/swish", "kw_swish", &attributes);
        let end = 80.0 / beta.abs();
        j.check(ALL, (-end, end), 1e-6, 1.0, &f);
        let tail = if beta > 0.0 { (-end, -5.0 / beta) } else { (-5.0 / beta, end) };
        j.check(ALL, tail, 2e-6, 0.0, &f);
        if beta > 0.0 {
            j.limits(&RAMP);
        }
    }
    let j = jet("activation/swish", "kw_swish", &[0.0]);
    j.limits(&[(INF, [INF, 0.5, 0.0]), (-INF, [-INF, 0.5, 0.0]), (3.0, [1.5, 0.5, 0.0])]);
}

#[test]
fn softplus_and_its_negative() {
    for beta in [1.0f32, 0.25, 5.0, 1e-3] {
        let b = f64::from(beta);
        let f = |x: f64| softplus(b * x) / b;
        let attributes = [beta];
        let j = Jet {
            file: "activation/softplus",
            name: "kw_softplus",
            suffix: "_beta",
            attributes: &attributes,
        };
        j.check(&[0], (-80.0 / beta, 200.0 / beta), 5e-7, 0.0, &f);
        if beta > 0.1 {
            j.check(&[1], (-80.0 / beta, 0.0), 1e-6, 0.0, &f);
            j.check(&[2], (-80.0 / beta, -1.0), 1e-6, 0.0, &f);
            j.check(ALL, (-20.0, 20.0), 1e-6, 1.0, &f);
        }
        j.limits(&RAMP);
    }
    let file = "activation/softplus";
    check(file, "kw_log_sigmoid", (-200.0, 87.0), 5e-7, |x| -softplus(-x), relative);
    check(file, "kw_log_sigmoid_d1", (-200.0, 86.0), 5e-7, |x| sigmoid(-x), relative);
    check(file, "kw_log_sigmoid_d2", (-86.0, 86.0), 6e-7, |x| -sigmoid(x) * sigmoid(-x), relative);
    limits(file, "kw_log_sigmoid", &[(INF, 0.0), (-INF, -INF), (-1e30, -1e30), (1e30, 0.0)]);
    limits(file, "kw_log_sigmoid_d1", &[(INF, 0.0), (-INF, 1.0), (-1e30, 1.0)]);
    limits(file, "kw_log_sigmoid_d2", &[(INF, 0.0), (-INF, 0.0), (0.0, -0.25)]);
}

#[test]
fn gates_of_softplus() {
    type Ramp = (&'static str, &'static str, fn(f64) -> f64);
    let ramps: [Ramp; 3] = [
        ("activation/mish", "kw_mish", |x| x * tanh(softplus(x))),
        ("activation/serf", "kw_serf", |x| x * erf(softplus(x))),
        ("activation/lisht", "kw_tanhexp", |x| x * tanh(exp(x))),
    ];
    for (file, name, f) in ramps {
        let j = jet(file, name, &[]);
        j.check(ALL, (-80.0, 30.0), 6e-7, 1.0, &f);
        j.check(&[0], (-80.0, 0.0), 1e-6, 0.0, &f);
        j.check(&[1, 2], (-80.0, -2.5), 2e-6, 0.0, &f);
        j.limits(&RAMP);
    }
}

#[test]
fn gates_of_the_logistic_functions_logarithm() {
    let (ln2, ramp) = (std::f32::consts::LN_2, 0.6f32);
    let f = |x: f64| x * log1p(sigmoid(x));
    let j = jet("activation/logish", "kw_logish", &[]);
    j.check(ALL, (-80.0, 30.0), 5e-7, 1.0, &f);
    j.check(&[0], (-80.0, 30.0), 1e-6, 0.0, &f);
    j.check(&[1, 2], (-80.0, -3.0), 2e-6, 0.0, &f);
    j.limits(&[(INF, [INF, ln2, 0.0]), (-INF, [0.0; 3]), (-1e30, [0.0; 3])]);
    let f = |x: f64| x * tanh(log1p(sigmoid(x)));
    let j = jet("activation/logish", "kw_smish", &[]);
    j.check(ALL, (-80.0, 30.0), 5e-7, 1.0, &f);
    j.check(&[0], (-80.0, 30.0), 1e-6, 0.0, &f);
    j.check(&[1, 2], (-80.0, -3.0), 2e-6, 0.0, &f);
    j.limits(&[(INF, [INF, ramp, 0.0]), (-INF, [0.0; 3]), (-1e30, [0.0; 3])]);
}

#[test]
fn hyperbolic_gates() {
    let f = |x: f64| x * tanh(x);
    let j = jet("activation/lisht", "kw_lisht", &[]);
    j.check(ALL, (-30.0, 30.0), 6e-7, 1.0, &f);
    j.check(&[0], (-1e30, 1e30), 4e-7, 0.0, &f);
    j.limits(&[(INF, [INF, 1.0, 0.0]), (-INF, [INF, -1.0, 0.0]), (-1e30, [1e30, -1.0, 0.0])]);
    let f = |x: f64| x * tanh(x * cdf(x));
    let j = jet("activation/lisht", "kw_phish", &[]);
    j.check(ALL, (-13.0, 13.0), 6e-7, 1.0, &f);
    j.check(&[0], (-12.0, 0.0), 1e-6, 0.0, &f);
    j.check(&[1, 2], (-11.5, -4.0), 4e-6, 0.0, &f);
    j.limits(&RAMP);
}

#[test]
fn bells() {
    let f = |x: f64| exp(-x * x);
    let j = jet("activation/gaussian", "kw_gaussian", &[]);
    j.check(ALL, (-12.0, 12.0), 4e-7, 1.0, &f);
    let file = "activation/gaussian";
    for tail in [(-9.2, -1e-20), (1e-20, 9.2)] {
        check(file, "kw_gaussian", tail, 4e-7, f, relative);
        check(file, "kw_gaussian_d1", tail, 6e-7, |x| -2.0 * x * exp(-x * x), relative);
        check(file, "kw_gaussian_d2", tail, 8e-7, |x| (2.0 * x * x - 1.0) * (2.0 * exp(-x * x)), relative);
        check(
            file,
            "kw_erf_d2",
            tail,
            8e-7,
            |x| -4.0 / std::f64::consts::PI.sqrt() * x * exp(-x * x),
            relative,
        );
    }
    j.limits(&[(INF, [0.0; 3]), (-INF, [0.0; 3]), (1e30, [0.0; 3])]);
    limits(file, "kw_gaussian", &[(0.0, 1.0), (-0.0, 1.0)]);
    jet(file, "kw_erf", &[]).check(ALL, (-12.0, 12.0), 4e-7, 1.0, &erf);
    check(file, "kw_erf", (-10.0, 10.0), 3e-7, erf, relative);
    jet(file, "kw_erf", &[]).limits(&[(INF, [1.0, 0.0, 0.0]), (-INF, [-1.0, 0.0, 0.0])]);
}

#[test]
fn elish_from_both_sides() {
    let j = jet("activation/elish", "kw_elish", &[]);
    let left = |x: f64| expm1(x) * sigmoid(x);
    let right = |x: f64| x * sigmoid(x);
    j.check(&[0], (-80.0, -1e-30), 8e-7, 0.0, &left);
    j.check(&[1, 2], (-80.0, -3.0), 2e-6, 0.0, &left);
    j.check(ALL, (-20.0, -1e-30), 5e-7, 1.0, &left);
    j.check(ALL, (0.0, 20.0), 5e-7, 1.0, &right);
    j.limits(&RAMP);
    j.limits(&[(0.0, [0.0, 0.5, 0.5]), (-0.0, [0.0, 0.5, 0.5]), (-1e-10, [-5e-11, 0.5, 1.0])]);
}

#[test]
fn expanded_gates() {
    for alpha in [0.0f32, 0.25, -1.0, 3.0, -0.5] {
        let a = f64::from(alpha);
        let attributes = [alpha];
        let normal = |x: f64| x * ((1.0 + a) * cdf(x) - a * cdf(-x));
        let j = jet("activation/expanded", "kw_xgelu", &attributes);
        j.check(ALL, (-30.0, 30.0), 2e-6, 1.0, &normal);
        let logistic = |x: f64| x * ((1.0 + a) * sigmoid(x) - a * sigmoid(-x));
        let k = jet("activation/expanded", "kw_xsilu", &attributes);
        k.check(ALL, (-30.0, 30.0), 2e-6, 1.0, &logistic);
        if alpha == 0.0 {
            j.check(&[0], (-12.5, 0.0), 8e-7, 0.0, &normal);
            k.check(&[0], (-80.0, 0.0), 8e-7, 0.0, &logistic);
            j.limits(&RAMP);
            k.limits(&RAMP);
        } else if alpha == -1.0 {
            j.check(&[0], (0.0, 12.5), 8e-7, 0.0, &normal);
            k.check(&[0], (0.0, 80.0), 8e-7, 0.0, &logistic);
        } else {
            let ends = [(INF, [(1.0 + alpha) * INF, 1.0 + alpha, 0.0]), (-INF, [alpha * INF, -alpha, 0.0])];
            j.limits(&ends);
            k.limits(&ends);
        }
    }
}

#[test]
fn gompertz_gates() {
    let f = |x: f64| x * exp(-exp(-x));
    let j = jet("activation/golu", "kw_golu", &[]);
    j.check(ALL, (-10.0, 40.0), 5e-7, 1.0, &f);
    // e^-x is rounded, and that times the exponent, which reaches 87.
    j.check(ALL, (-4.4, -2.2), 3e-5, 0.0, &f);
    j.limits(&RAMP);
    for (lambda, kappa) in
        [(1.0f32, 1.0f32), (0.5, 2.0), (8.0, 0.5), (0.03125, 1.0), (1.0, -0.75), (1e-5, 1.0), (1e6, 1.0)]
    {
        let (l, k) = (f64::from(lambda), f64::from(kappa));
        let gate = |x: f64| exp(-softplus(libm::log(l) - k * x) / l);
        let attributes = [lambda, kappa];
        let j = jet("activation/apa", "kw_apa", &attributes);
        j.check(ALL, (-30.0, 30.0), 2e-6, 1.0, &gate);
        let a = jet("activation/apa", "kw_aglu", &attributes);
        a.check(ALL, (-30.0, 30.0), 2e-6, 1.0, &|x| x * gate(x));
        // Where the gate is above 1e-36.
        let end = match lambda {
            l if l < 0.02 => 4.3,
            l if l < 0.1 => 7.0,
            l => (80.0f32 * l).min(150.0),
        } / kappa.abs();
        let tail = if kappa > 0.0 { (-end, 0.0) } else { (0.0, end) };
        j.check(&[0, 1], tail, 4e-5, 1e-30, &gate);
        // The second derivative has its root at 0.
        let tail = if kappa > 0.0 { (-end, -0.5 / kappa) } else { (-0.5 / kappa, end) };
        if lambda < 1e3 {
            j.check(&[2], tail, 4e-5, 1e-30, &gate);
        }
        if kappa > 0.0 {
            j.limits(&[(INF, [1.0, 0.0, 0.0]), (-INF, [0.0; 3]), (1e30, [1.0, 0.0, 0.0])]);
            a.limits(&[RAMP[0], RAMP[1], RAMP[2]]);
        } else {
            j.limits(&[(-INF, [1.0, 0.0, 0.0]), (INF, [0.0; 3])]);
            a.limits(&[(INF, [0.0; 3]), (-INF, [-INF, 1.0, 0.0])]);
        }
    }
    let flat = jet("activation/apa", "kw_aglu", &[1.0, 0.0]);
    flat.limits(&[(3.0, [1.5, 0.5, 0.0]), (INF, [INF, 0.5, 0.0]), (-INF, [-INF, 0.5, 0.0])]);
}
