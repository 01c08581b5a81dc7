//! The error of every elementary function, measured against f64 over its whole range, on the text of the shader files.
//! Each is measured twice: with every operation rounded, and with products fused into sums as a driver may do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

#[allow(dead_code, reason = "each test binary uses a part")]
mod interpreter;

use interpreter::{
    Shader, Value,
    measure::{INF, absolute, check, limits, relative, sweep, ulps},
};

#[test]
fn exponentials() {
    check("shared/exp", "kw_exp", (-110.0, 95.0), 1.5, libm::exp, ulps);
    check("shared/exp", "kw_expm1", (-30.0, 95.0), 2.0, libm::expm1, ulps);
    limits(
        "shared/exp",
        "kw_exp",
        &[(0.0, 1.0), (INF, INF), (-INF, 0.0), (-1e30, 0.0), (1e30, INF), (88.72283, 3.4027985e38)],
    );
    limits(
        "shared/exp",
        "kw_expm1",
        &[(-0.0, -0.0), (INF, INF), (-INF, -1.0), (1e-30, 1e-30), (-200.0, -1.0)],
    );
}

#[test]
fn logarithms() {
    check("shared/log", "kw_log", (0.0, f32::MAX), 1.5, libm::log, ulps);
    check("shared/log", "kw_log", (0.5, 2.0), 1.5, libm::log, ulps);
    check("shared/log", "kw_log1p", (-0.99999994, 2.0), 2.0, libm::log1p, ulps);
    check("shared/log", "kw_log1p", (1.0, f32::MAX), 2.0, libm::log1p, ulps);
    let nan = f32::NAN;
    limits(
        "shared/log",
        "kw_log",
        &[(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (-1.0, nan), (-INF, nan), (INF, INF), (1e-45, -103.27893)],
    );
    limits(
        "shared/log",
        "kw_log1p",
        &[(0.0, 0.0), (-1.0, -INF), (-1.5, nan), (-INF, nan), (INF, INF), (1e-30, 1e-30)],
    );
}

#[test]
fn hyperbolic_and_logistic() {
    check("shared/tanh", "kw_tanh", (-12.0, 12.0), 1e-7, libm::tanh, relative);
    limits("shared/tanh", "kw_tanh", &[(INF, 1.0), (-INF, -1.0), (1e30, 1.0), (-0.0, -0.0)]);
    let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    let softplus = |x: f64| x.max(0.0) + libm::log1p(libm::exp(-x.abs()));
    check("shared/sigmoid", "kw_sigmoid", (-87.0, 40.0), 3.0, sigmoid, ulps);
    check("shared/sigmoid", "kw_softplus", (-87.0, 200.0), 3.0, softplus, ulps);
    limits("shared/sigmoid", "kw_sigmoid", &[(INF, 1.0), (-INF, 0.0), (0.0, 0.5)]);
    limits("shared/sigmoid", "kw_softplus", &[(INF, INF), (-INF, 0.0), (1e30, 1e30)]);
}

#[test]
fn error_functions() {
    check("shared/erf", "kw_erf", (-6.0, 6.0), 2.0, libm::erf, ulps);
    check("shared/erf", "kw_erfc", (-6.0, 10.5), 6.0, libm::erfc, ulps);
    limits("shared/erf", "kw_erf", &[(INF, 1.0), (-INF, -1.0), (3.92, 1.0), (-0.0, -0.0)]);
    limits("shared/erf", "kw_erfc", &[(INF, 0.0), (-INF, 2.0), (0.0, 1.0)]);
    let pdf = |x: f64| libm::exp(-0.5 * x * x) / (2.0 * std::f64::consts::PI).sqrt();
    let cdf = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
    check("shared/normal", "kw_normal_pdf", (-15.0, 15.0), 3.0, pdf, ulps);
    check("shared/normal", "kw_normal_cdf", (-15.0, 15.0), 6.0, cdf, ulps);
}

#[test]
fn sine_and_cosine_of_every_size() {
    for range in [(-7.0, 7.0), (-600.0, 600.0), (500.0, 1e6), (-f32::MAX, f32::MAX)] {
        check("shared/trig", "kw_sin", range, 1e-7, libm::sin, absolute);
        check("shared/trig", "kw_cos", range, 1e-7, libm::cos, absolute);
    }
    // Next to a zero the reduction keeps the digits.
    check("shared/trig", "kw_sin", (-3.0, 3.0), 1.5, libm::sin, ulps);
    for name in ["kw_sin", "kw_cos"] {
        limits("shared/trig", name, &[(INF, f32::NAN), (-INF, f32::NAN)]);
    }
}

#[test]
fn powers() {
    for fused in [false, true] {
        let shader = Shader::load("shared/pow", fused);
        let pow = |x: f32, y: f32| match shader.run("kw_pow", &[Value::Float(x), Value::Float(y)]) {
            Value::Float(z) => z,
            other => panic!("{other:?}"),
        };
        let (mut worst, mut at) = (0.0, (0.0, 0.0));
        let mut measure = |x: f32, y: f32| {
            let error = ulps(pow(x, y), libm::pow(f64::from(x), f64::from(y)));
            if error > worst || error.is_nan() {
                (worst, at) = (error, (x, y));
            }
        };
        for x in sweep(1e-37, f32::MAX, 150).into_iter().chain(sweep(0.5, 2.0, 150)) {
            for y in sweep(-140.0, 140.0, 150) {
                measure(x, y);
            }
            for y in [-2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0, 1e6] {
                measure(x, y);
                measure(-x, y.trunc());
            }
        }
        println!("kw_pow, fused {fused}: {worst:.3} ulp at {at:?}");
        assert!(worst <= 3.0, "{worst} at {at:?}");
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            -2.0,
            3.0,
            -3.0,
            2.5,
            1e10,
            -1e10,
            INF,
            -INF,
            f32::NAN,
            1e-40,
            16777216.0,
        ];
        for x in special {
            for y in special {
                let (got, want) = (pow(x, y), x.powf(y));
                let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
                assert!(
                    same || ulps(got, libm::pow(f64::from(x), f64::from(y))) <= 2.0,
                    "{x}^{y} = {got}, not {want}"
                );
            }
        }
    }
}
