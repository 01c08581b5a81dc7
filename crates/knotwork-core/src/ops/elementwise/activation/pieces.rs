//! Activations in pieces and of roots: derivatives against differences, f32 forms against f64 ones, limits, NaN, and
//! refused attributes.

use super::{
    super::row,
    tests::{INF, derivatives_follow, f32_follows, one, stays_nan},
};

const NAMES: &[&str] = &[
    "relu6",
    "hard_sigmoid",
    "hard_swish",
    "hard_mish",
    "hard_tanh",
    "hard_shrink",
    "soft_shrink",
    "leaky_relu",
    "threshold",
    "relu_squared",
    "star_relu",
    "elu",
    "selu",
    "celu",
    "softsign",
    "penalized_tanh",
    "lecun_tanh",
    "tanh_shrink",
    "isru",
    "isrlu",
    "bent_identity",
];

#[test]
fn derivatives_are_those_of_the_values() {
    for name in NAMES {
        derivatives_follow(
            name,
            if row(&format!("{name}_d2")).is_some() { &["_d1", "_d2"] } else { &["_d1"] },
        );
    }
}

#[test]
fn f32_forms_follow_the_definitions_into_the_tails() {
    for name in NAMES {
        f32_follows(
            name,
            if row(&format!("{name}_d2")).is_some() { &["", "_d1", "_d2"] } else { &["", "_d1"] },
        );
    }
}

#[test]
fn not_a_number_stays_one() {
    NAMES.iter().for_each(|name| stays_nan(name));
}

/// Asserts a value and its derivatives; rows in straight pieces have no second one.
fn ends(name: &str, a: &[f64], x: f64, want: [f64; 3]) {
    for (order, want) in ["", "_d1", "_d2"].into_iter().zip(want) {
        let name = format!("{name}{order}");
        let Some(row) = row(&name) else { continue };
        let a = &a[..row.attributes.len()];
        one(&name, a, x, want);
    }
}

#[test]
fn limits_are_reached_without_overflow() {
    const SCALE: f64 = 1.050_700_987_355_480_5;
    for large in [INF, f64::from(1e30f32)] {
        let zero = [0.0; 3];
        let line = [large, 1.0, 0.0];
        let fall = [-large, 1.0, 0.0];
        for (name, a, left, right) in [
            ("relu6", vec![], zero, [6.0, 0.0, 0.0]),
            ("hard_sigmoid", vec![], zero, [1.0, 0.0, 0.0]),
            ("hard_swish", vec![], zero, line),
            ("hard_mish", vec![], zero, line),
            ("hard_tanh", vec![-2.5, 0.5], [-2.5, 0.0, 0.0], [0.5, 0.0, 0.0]),
            ("hard_shrink", vec![1.5], fall, line),
            ("soft_shrink", vec![1.5], fall, line),
            ("leaky_relu", vec![0.5], [-0.5 * large, 0.5, 0.0], line),
            ("leaky_relu", vec![0.0], zero, line),
            ("threshold", vec![-0.75, 2.0], [2.0, 0.0, 0.0], line),
            ("elu", vec![0.5], [-0.5, 0.0, 0.0], line),
            ("elu", vec![0.0], zero, line),
            ("selu", vec![], [-1.758_099_340_847_376_6, 0.0, 0.0], [SCALE * large, SCALE, 0.0]),
            ("celu", vec![2.0], [-2.0, 0.0, 0.0], line),
            ("celu", vec![1e-6], [-1e-6, 0.0, 0.0], line),
            ("softsign", vec![], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
            ("penalized_tanh", vec![-0.5], [0.5, 0.0, 0.0], [1.0, 0.0, 0.0]),
            ("lecun_tanh", vec![], [-1.7159, 0.0, 0.0], [1.7159, 0.0, 0.0]),
            ("tanh_shrink", vec![], fall, line),
            ("isru", vec![0.25], [-2.0, 0.0, 0.0], [2.0, 0.0, 0.0]),
            ("isru", vec![0.0], fall, line),
            ("isrlu", vec![0.25], [-2.0, 0.0, 0.0], line),
            ("bent_identity", vec![], [-0.5 * large, 0.5, 0.0], [1.5 * large, 1.5, 0.0]),
        ] {
            ends(name, &a, -large, left);
            ends(name, &a, large, right);
        }
    }
    ends("relu_squared", &[], -INF, [0.0; 3]);
    ends("relu_squared", &[], INF, [INF, INF, 2.0]);
    one("star_relu", &[2.0, 0.5], -INF, 0.5);
    one("star_relu", &[2.0, 0.5], INF, INF);
    // As wide a corner as floats allow: its quotient is subnormal.
    one("celu", &[3e38], -3.0, -3.0);
}

#[test]
fn values_that_others_computed() {
    let at = -1.25;
    // By PyTorch's autograd, twice.
    ends("hard_sigmoid", &[], at, [0.291_666_666_666_667, 0.166_666_666_666_667, 0.0]);
    ends("hard_swish", &[], at, [-0.364_583_333_333_333, 0.083_333_333_333_333, 0.333_333_333_333_333]);
    ends("hard_mish", &[], at, [-0.468_75, -0.25, 1.0]);
    ends("hard_tanh", &[-2.5, 0.5], at, [-1.25, 1.0, 0.0]);
    ends("hard_shrink", &[0.5], at, [-1.25, 1.0, 0.0]);
    ends("soft_shrink", &[0.5], at, [-0.75, 1.0, 0.0]);
    ends("leaky_relu", &[0.2], at, [-0.25, 0.2, 0.0]);
    ends("relu_squared", &[], 0.75, [0.562_5, 1.5, 2.0]);
    ends("threshold", &[-2.0, 3.0], at, [-1.25, 1.0, 0.0]);
    ends("elu", &[0.5], at, [-0.356_747_601_569_905, 0.143_252_398_430_095, 0.143_252_398_430_095]);
    ends("selu", &[], at, [-1.254_395_446_337_865, 0.503_703_894_509_512, 0.503_703_894_509_512]);
    ends("celu", &[2.0], at, [-0.929_477_142_962_02, 0.535_261_428_518_99, 0.267_630_714_259_495]);
    ends("softsign", &[], at, [-0.555_555_555_555_556, 0.197_530_864_197_531, 0.175_582_990_397_805]);
    ends(
        "penalized_tanh",
        &[-0.5],
        at,
        [0.424_141_819_978_756, -0.140_207_433_090_216, -0.237_871_343_381_736],
    );
    ends("lecun_tanh", &[], at, [-1.170_693_005_869_675, 0.611_453_929_330_701, 0.556_228_869_964_436]);
    ends("tanh_shrink", &[], at, [-0.401_716_360_042_487, 0.719_585_133_819_567, -0.475_742_686_763_473]);
    ends("isru", &[3.0], at, [-0.524_142_418_360_959, 0.073_725_526_978_245, 0.145_830_712_704_22]);
    ends("isrlu", &[0.25], at, [-1.059_997_880_006_36, 0.609_796_533_217_142, 0.411_098_786_438_523]);
    ends("bent_identity", &[], at, [-0.949_609_470_320_894, 0.609_565_595_278_485, 0.121_891_716_595_985]);
}

#[test]
fn refused_attributes_are_named_with_their_limit() {
    let graph = crate::Graph::new();
    let x = graph.input("x", crate::DType::F32, [3]).unwrap();
    for (result, says) in [
        (x.hard_tanh(2.0, 1.0), "attribute `min` is 2, above `max`, which is 1; it must be at most that"),
        (x.hard_tanh(f64::NAN, 1.0), "attribute `min` is NaN; it must be finite"),
        (
            x.hard_tanh(-1.0, 1e300),
            "attribute `max` is 1e300; it must fit f32: lie in -3.4028235e38..=3.4028235e38",
        ),
        (x.hard_shrink(-0.5), "attribute `lambda` is -0.5; it must be at least 0"),
        (x.soft_shrink(-0.5), "attribute `lambda` is -0.5; it must be at least 0"),
        (x.soft_shrink(1e39), "attribute `lambda` is 1e39; it must fit f32"),
        (x.leaky_relu(f64::INFINITY), "attribute `negative_slope` is inf; it must be finite"),
        (x.leaky_relu(-1e300), "attribute `negative_slope` is -1e300; it must fit f32"),
        (x.threshold(f64::NAN, 0.0), "attribute `threshold` is NaN"),
        (x.threshold(0.0, 1e300), "attribute `value` is 1e300; it must fit f32"),
        (x.star_relu(1.0, f64::NAN), "attribute `bias` is NaN"),
        (x.elu(f64::NEG_INFINITY), "attribute `alpha` is -inf"),
        (x.celu(0.0), "attribute `alpha` is 0; it must be at least 0.000001"),
        (x.celu(-1.0), "attribute `alpha` is -1; it must be at least 0.000001"),
        (x.celu(1e300), "attribute `alpha` is 1e300; it must fit f32"),
        (x.penalized_tanh(f64::NAN), "attribute `alpha` is NaN"),
        (x.isru(-1.0), "attribute `alpha` is -1; it must be at least 0"),
        (x.isrlu(-1.0), "attribute `alpha` is -1; it must be at least 0"),
    ] {
        let message = result.unwrap_err().to_string();
        println!("{message}\n");
        assert!(message.contains(says), "{message}");
    }
    assert!(x.hard_tanh(1.0, 1.0).is_ok() && x.celu(3e38).is_ok());
}
