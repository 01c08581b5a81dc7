//! The clamped activations: values and slopes at their limits, beyond them and between, infinities and NaN.
#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

#[allow(dead_code, reason = "each test binary uses a part")]
mod interpreter;

use interpreter::{
    Shader, Value,
    measure::{INF, absolute, check, limits},
};

const FILE: &str = "activation/clamped";
const NAN: f32 = f32::NAN;

#[test]
fn values_between_limits() {
    check(FILE, "kw_relu6", (-9.0, 9.0), 0.0, |x| x.clamp(0.0, 6.0), absolute);
    check(FILE, "kw_hard_sigmoid", (-9.0, 9.0), 1e-7, |x| (x / 6.0 + 0.5).clamp(0.0, 1.0), absolute);
    check(FILE, "kw_hard_swish", (-9.0, 9.0), 5e-7, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0), absolute);
    check(FILE, "kw_hard_mish", (-9.0, 9.0), 5e-7, |x| x / 2.0 * (x + 2.0).clamp(0.0, 2.0), absolute);
}

#[test]
fn slopes_at_the_limits_are_the_outsides() {
    limits(FILE, "kw_relu6_d1", &[(0.0, 0.0), (6.0, 0.0), (3.0, 1.0), (INF, 0.0), (-INF, 0.0), (NAN, NAN)]);
    let sixth = 1.0 / 6.0;
    limits(FILE, "kw_hard_sigmoid_d1", &[(-3.0, 0.0), (3.0, 0.0), (0.0, sixth), (INF, 0.0), (NAN, NAN)]);
    limits(
        FILE,
        "kw_hard_swish_d1",
        &[(-3.0, 0.0), (3.0, 1.0), (0.0, 0.5), (INF, 1.0), (-INF, 0.0), (NAN, NAN)],
    );
    limits(FILE, "kw_hard_swish_d2", &[(-3.0, 0.0), (3.0, 0.0), (0.0, 2.0 * sixth), (NAN, NAN)]);
    limits(
        FILE,
        "kw_hard_mish_d1",
        &[(-2.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (INF, 1.0), (-INF, 0.0), (NAN, NAN)],
    );
    limits(FILE, "kw_hard_mish_d2", &[(-2.0, 0.0), (0.0, 0.0), (-1.0, 1.0), (NAN, NAN)]);
}

#[test]
fn values_at_infinity() {
    limits(FILE, "kw_relu6", &[(INF, 6.0), (-INF, 0.0), (NAN, NAN)]);
    limits(FILE, "kw_hard_sigmoid", &[(INF, 1.0), (-INF, 0.0), (NAN, NAN)]);
    limits(FILE, "kw_hard_swish", &[(INF, INF), (-INF, 0.0), (1e30, 1e30), (-1e30, 0.0), (NAN, NAN)]);
    limits(FILE, "kw_hard_mish", &[(INF, INF), (-INF, 0.0), (1e30, 1e30), (-1e30, 0.0), (NAN, NAN)]);
}

#[test]
fn hard_tanh_takes_its_limits() {
    let shader = Shader::load(FILE, false);
    let of = |name: &str, x: f32| {
        let arguments = [x, -2.5, 0.5].map(Value::Float);
        let Value::Float(y) = shader.run(name, &arguments) else { panic!("{name} is no float") };
        y
    };
    for (x, value, slope) in
        [(-9.0, -2.5, 0.0), (-2.5, -2.5, 0.0), (-1.0, -1.0, 1.0), (0.5, 0.5, 0.0), (INF, 0.5, 0.0)]
    {
        assert_eq!((of("kw_hard_tanh", x), of("kw_hard_tanh_d1", x)), (value, slope), "{x}");
    }
    assert!(of("kw_hard_tanh", NAN).is_nan() && of("kw_hard_tanh_d1", NAN).is_nan());
}
