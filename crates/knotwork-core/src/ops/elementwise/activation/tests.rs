//! Derivatives against differences, f32 forms against f64 ones, limits, special values and refused attributes.

use super::super::{Row, row};

const NAMES: &[&str] = &[
    "gelu_tanh",
    "quick_gelu",
    "swish",
    "mish",
    "softplus",
    "log_sigmoid",
    "snake",
    "gcu",
    "gaussian",
    "erf",
    "lisht",
    "tanhexp",
    "logish",
    "smish",
    "phish",
    "serf",
    "elish",
    "golu",
    "xgelu",
    "xsilu",
    "apa",
    "aglu",
    "spder",
    "arctan",
    "asinh",
    "crrelu",
    "squareplus",
    "cauchy",
    "elephant",
    "tempered_sigmoid",
    "xatlu",
];

fn find(name: &str) -> &'static Row {
    row(name).unwrap_or_else(|| panic!("no row {name}"))
}

/// The defaults, and each trial of each attribute.
fn settings(row: &Row) -> Vec<Vec<f64>> {
    let defaults: Vec<f64> = row.attributes.iter().map(|a| a.default).collect();
    let mut all = vec![defaults.clone()];
    for (k, attribute) in row.attributes.iter().enumerate() {
        for &value in attribute.trials {
            let mut other = defaults.clone();
            other[k] = value;
            all.push(other);
        }
    }
    all
}

fn fast(row: &Row, x: f32, a: &[f64]) -> f32 {
    let mut y = [0.0];
    (row.fast)(&[&[x]], a, &mut y);
    y[0]
}

/// A central difference of eighth order.
fn slope(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-3;
    [4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0]
        .iter()
        .zip(1..)
        .map(|(w, k)| w * (f(x + h * f64::from(k)) - f(x - h * f64::from(k))))
        .sum::<f64>()
        / h
}

#[test]
fn derivatives_are_those_of_the_values() {
    NAMES.iter().for_each(|name| derivatives_follow(name, &["_d1", "_d2"]));
}

/// Asserts derivatives against differences of what they are the derivatives of.
pub(super) fn derivatives_follow(name: &str, orders: &[&str]) {
    for &order in orders {
        let d = find(&format!("{name}{order}"));
        let f = find(&if order == "_d1" { name.to_owned() } else { format!("{name}_d1") });
        for a in settings(d) {
            for i in -900..=900 {
                let x = f64::from(i) / 30.0 + 0.007;
                if (d.kinks)(&a).iter().any(|k| (x - k).abs() < 0.2) {
                    continue;
                }
                let want = slope(|x| (f.reference)(&[x], &a), x);
                if want.abs() < 1e-60 {
                    continue; // Falls faster than the step can follow.
                }
                let got = (d.reference)(&[x], &a);
                // Rounding of the values, over the step; their size around x.
                let size = (f.reference)(&[x], &a).abs().max((f.reference)(&[x + 0.01], &a).abs());
                let bound = 1e-11 * size + 1e-9 * want.abs() + 1e-300;
                assert!((got - want).abs() <= bound, "{name}{order}({x}; {a:?}) = {got:e}, not {want:e}");
            }
        }
    }
}

#[test]
fn f32_forms_follow_the_definitions_into_the_tails() {
    NAMES.iter().for_each(|name| f32_follows(name, &["", "_d1", "_d2"]));
}

/// Asserts the f32 forms against the f64 ones.
pub(super) fn f32_follows(name: &str, orders: &[&str]) {
    for &order in orders {
        let row = find(&format!("{name}{order}"));
        for a in settings(row) {
            let (mut near, mut far) = ((0.0, 0.0), (0.0, 0.0));
            for i in -20_000..=20_000 {
                let x = i as f32 / 220.0;
                // An attribute rounds to f32, and with it the corner it stands for.
                let corner = |k: &f64| x == *k as f32 && f64::from(x) != *k;
                if (row.kinks)(&a).iter().any(corner) {
                    continue;
                }
                let want = (row.reference)(&[x.into()], &a);
                let off = (f64::from(fast(row, x, &a)) - want).abs();
                // Around the roots absolutely; in the tails, where waves have roots too, relatively.
                let wave = ["snake", "gcu", "spder"].contains(&name);
                if x.abs() < 3.0 || wave {
                    let error = off / want.abs().max(1.0);
                    if error > near.0 {
                        near = (error, x);
                    }
                } else if want.abs() > 1e-36 {
                    let error = off / want.abs();
                    if error > far.0 {
                        far = (error, x);
                    }
                }
            }
            println!("{name}{order} {a:?}: near {near:?} far {far:?}");
            assert!(near.0 < 1e-6, "{name}{order} {a:?}: near {near:?}");
            // The derivatives have roots in the tails too.
            assert!(far.0 < 5e-6 || !order.is_empty(), "{name} {a:?}: far {far:?}");
        }
    }
}

pub(super) const INF: f64 = f64::INFINITY;

/// Asserts a value and its first two derivatives, of both forms.
fn holds(name: &str, a: &[f64], x: f64, want: [f64; 3]) {
    for (order, want) in ["", "_d1", "_d2"].into_iter().zip(want) {
        one(&format!("{name}{order}"), a, x, want);
    }
}

/// Asserts one value, of both forms.
pub(super) fn one(name: &str, a: &[f64], x: f64, want: f64) {
    let row = find(name);
    let got = [(row.reference)(&[x], a), fast(row, x as f32, a).into()];
    for got in got {
        let same = got == want || (got.is_nan() && want.is_nan());
        let near = (got - want).abs() <= 1e-7 + 4e-7 * want.abs();
        assert!(same || near, "{name}({x}; {a:?}) = {got}, not {want}");
    }
}

#[test]
fn limits_are_reached_without_overflow() {
    for (name, a, top) in [
        ("gelu_tanh", vec![], 1.0),
        ("quick_gelu", vec![], 1.0),
        ("swish", vec![2.5], 1.0),
        ("mish", vec![], 1.0),
        ("softplus", vec![5.0], 1.0),
        ("tanhexp", vec![], 1.0),
        ("logish", vec![], std::f64::consts::LN_2),
        ("smish", vec![], 0.6),
        ("phish", vec![], 1.0),
        ("serf", vec![], 1.0),
        ("elish", vec![], 1.0),
        ("golu", vec![], 1.0),
        ("xgelu", vec![0.0], 1.0),
        ("xsilu", vec![0.0], 1.0),
        ("aglu", vec![0.5, 2.0], 1.0),
        ("aglu", vec![1e-6, 1.0], 1.0),
    ] {
        let large = f64::from(1e30f32);
        holds(name, &a, INF, [INF, top, 0.0]);
        holds(name, &a, large, [top * large, top, 0.0]);
        holds(name, &a, -INF, [0.0; 3]);
        holds(name, &a, -large, [0.0; 3]);
    }
    let pi = std::f64::consts::PI;
    for large in [INF, f64::from(1e30f32)] {
        for side in [1.0, -1.0] {
            let x = side * large;
            holds("arctan", &[], x, [side * pi / 2.0, 0.0, 0.0]);
            holds("asinh", &[], x, [side * libm::asinh(large), 0.0, 0.0]);
            holds("cauchy", &[1.0, 1.0, 1.0], x, [0.0; 3]);
            holds("cauchy", &[-2.0, 3.0, 1e-6], x, [0.0; 3]);
            for a in [[1.0, 4.0], [1e-6, 1.0], [1e15, 8.0], [2.0, 1e4]] {
                let near = a[0] > 1e10 && large < 1e31;
                holds("elephant", &a, x, if near { [1e-120, 0.0, 0.0] } else { [0.0; 3] });
            }
            holds("tempered_sigmoid", &[2.0, 2.0, 1.0], x, [side, 0.0, 0.0]);
            holds("tempered_sigmoid", &[3.0, 1e8, 0.5], x, [1.0 + 1.5 * side, 0.0, 0.0]);
        }
        holds("crrelu", &[0.5], large, [large, 1.0, 0.0]);
        holds("crrelu", &[0.5], -large, [0.0; 3]);
        for b in [0.0, 1e-20, 4.0, 1e20] {
            holds("squareplus", &[b], large, [large, 1.0, 0.0]);
            holds("squareplus", &[b], -large, [0.0; 3]);
        }
        holds("xatlu", &[0.0], large, [large, 1.0, 0.0]);
        holds("xatlu", &[0.0], -large, [-1.0 / pi, 0.0, 0.0]);
        holds("xatlu", &[-1.0], large, [1.0 / pi, 0.0, 0.0]);
        holds("xatlu", &[0.25], -large, [0.25 * large, -0.25, 0.0]);
    }
    holds("log_sigmoid", &[], -INF, [-INF, 1.0, 0.0]);
    holds("log_sigmoid", &[], INF, [0.0; 3]);
    holds("gaussian", &[], -INF, [0.0; 3]);
    holds("erf", &[], -INF, [-1.0, 0.0, 0.0]);
    holds("lisht", &[], -INF, [INF, -1.0, 0.0]);
    holds("apa", &[1.0, 1.0], INF, [1.0, 0.0, 0.0]);
    holds("apa", &[1.0, 1.0], -INF, [0.0; 3]);
    holds("apa", &[1.0, -1.0], INF, [0.0; 3]);
    holds("aglu", &[1.0, 0.0], -INF, [-INF, 0.5, 0.0]);
    holds("swish", &[0.0], INF, [INF, 0.5, 0.0]);
    holds("xsilu", &[0.25], -INF, [-INF, -0.25, 0.0]);
    holds("xgelu", &[-1.0], INF, [0.0; 3]);
    for name in ["gcu", "spder", "snake"] {
        let row = find(name);
        let a: Vec<f64> = row.attributes.iter().map(|a| a.default).collect();
        holds(name, &a, INF, [f64::NAN; 3]);
        holds(name, &a, -INF, [f64::NAN; 3]);
    }
}

#[test]
fn values_that_others_computed() {
    holds("snake", &[1.0], 0.5, [0.729_848_847_066, 1.841_470_984_81, 2.0 * 1f64.cos()]);
    holds("snake", &[5.0], 0.5, [0.571_633_781_454, 0.041_075_725_3, 10.0 * 5f64.cos()]);
    holds("snake", &[0.0], 0.5, [0.5, 1.0, 0.0]);
    holds("xsilu", &[0.1], 0.5, [0.323_475_598_721, 0.787_953_424_763, 0.529_474_832_372_434]);
    // By PyTorch's autograd, twice.
    let at = -1.25;
    holds("mish", &[], at, [-0.308_413_961_141_527, -0.014_697_562_473_019, 0.243_806_936_894_85]);
    holds("serf", &[], at, [-0.347_962_819_076_447, -0.016_425_783_904_438, 0.275_607_594_467_669]);
    holds("golu", &[], at, [-0.038_113_016_828_828, -0.102_537_086_413_063, -0.118_440_097_663_463]);
    holds("spder", &[], at, [-1.060_997_059_240_427, 0.776_939_942_266_993, 0.948_723_693_862_237]);
    holds("smish", &[], at, [-0.247_994_236_760_404, 0.028_391_262_030_324, 0.211_340_986_512_695]);
    holds("aglu", &[2.0, 0.5], at, [-0.574_356_595_891_396, 0.346_211_633_721_018, 0.170_855_737_528_755]);
    holds("phish", &[], at, [0.164_124_743_561_338, 0.019_383_882_664_046, -0.344_111_753_594_527]);
    holds("crrelu", &[0.3], at, [-0.171_687_510_664_355, -0.077_259_379_798_960, 0.246_800_796_580_011]);
    holds("squareplus", &[2.0], at, [0.318_729_304_408_844, 0.168_866_910_733_739, 0.148_719_422_547_654]);
    holds("arctan", &[], at, [-0.896_055_384_571_344, 0.390_243_902_439_024, 0.380_725_758_477_097]);
    holds("asinh", &[], at, [-1.047_593_012_649_259, 0.624_695_047_554_424, 0.304_729_291_489_963]);
    holds(
        "cauchy",
        &[1.5, -0.5, 0.75],
        at,
        [-1.117_647_058_823_529, -0.608_996_539_792_388, -0.381_029_920_618_767],
    );
    holds("elephant", &[1.5, 3.0], at, [0.633_431_085_043_988, 0.557_270_749_305_562, 0.088_901_843_877_486]);
    holds(
        "tempered_sigmoid",
        &[3.0, 0.5, 0.25],
        at,
        [0.795_935_406_001_837, 0.340_637_557_412_881, 0.051_557_151_402_402],
    );
    holds("xatlu", &[0.25], at, [-0.090_206_335_980_105, -0.160_744_604_033_324, 0.145_426_527_417_699]);
}

#[test]
fn kinks_have_the_derivative_from_the_right() {
    holds("elish", &[], 0.0, [0.0, 0.5, 0.5]);
    holds("crrelu", &[0.25], 0.0, [0.0, 0.25, 0.0]);
    holds("squareplus", &[0.0], 0.0, [0.0, 0.5, 0.0]);
    holds("squareplus", &[0.0], -1e-30, [0.0, 0.0, 0.0]);
    holds("elephant", &[2.0, 1.0], 0.0, [1.0, 0.0, 0.5]);
    holds("elephant", &[2.0, 1.0], 1e-30, [1.0, -0.5, 0.5]);
    holds("elephant", &[2.0, 1.5], 0.0, [1.0, 0.0, -INF]);
    holds("elephant", &[2.0, 2.0], 0.0, [1.0, 0.0, -0.5]);
    holds("elephant", &[2.0, 4.0], 0.0, [1.0, 0.0, 0.0]);
    holds("elish", &[], -1e-12, [-5e-13, 0.5, 1.0]);
    holds("spder", &[], 0.0, [0.0, 0.0, INF]);
    holds("spder", &[], -0.0, [0.0, 0.0, -INF]);
    assert!((find("spder").reference)(&[-0.0], &[]).is_sign_negative());
}

#[test]
fn not_a_number_stays_one() {
    for name in NAMES.iter().copied().chain(["sin", "cos"]) {
        stays_nan(name);
    }
}

/// Asserts NaN for NaN, of both forms, in the value and in the derivatives that there are.
pub(super) fn stays_nan(name: &str) {
    for order in ["", "_d1", "_d2"] {
        let Some(row) = row(&format!("{name}{order}")) else { continue };
        for a in settings(row) {
            assert!((row.reference)(&[f64::NAN], &a).is_nan(), "{name}{order} {a:?}");
            assert!(fast(row, f32::NAN, &a).is_nan(), "{name}{order} {a:?}, f32");
        }
    }
}

#[test]
fn refused_attributes_are_named_with_their_range() {
    let graph = crate::Graph::new();
    let x = graph.input("x", crate::DType::F32, [3]).unwrap();
    for (result, says) in [
        (x.apa(0.0, 1.0), "attribute `lambda` is 0; it must lie in 0.000001..=100000000"),
        (x.aglu(-1.0, 1.0), "attribute `lambda` is -1"),
        (x.apa(1.0, f64::NAN), "attribute `kappa` is NaN"),
        (x.softplus(0.0), "attribute `beta` is 0"),
        (x.softplus(-2.0), "attribute `beta` is -2"),
        (x.swish(f64::INFINITY), "attribute `beta` is inf"),
        (x.squareplus(-1.0), "attribute `b` is -1; it must lie in 0..=1"),
        (x.cauchy(1.0, 1.0, 0.0), "attribute `d` is 0; it must lie in 0.000001..=1"),
        (x.cauchy(f64::NAN, 1.0, 1.0), "attribute `lambda1` is NaN"),
        (x.elephant(0.0, 4.0), "attribute `a` is 0"),
        (x.elephant(1.0, 0.5), "attribute `d` is 0.5; it must lie in 1..=10000"),
        (x.tempered_sigmoid(1.0, f64::INFINITY, 0.0), "attribute `temperature` is inf"),
        (x.xatlu(f64::NAN), "attribute `alpha` is NaN"),
        (x.crrelu(1e300), "attribute `epsilon` is 1"),
        (x.snake(f64::NAN), "attribute `a` is NaN"),
        (x.xgelu(1e300), "attribute `alpha` is 1"),
        (x.activation("xsilu", &[("beta", 1.0)]), "`xsilu` has no attribute `beta`; it takes `alpha`"),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(says), "{message}");
    }
    let whole = graph.input("n", crate::DType::I32, [3]).unwrap();
    assert!(whole.mish().unwrap_err().to_string().contains("input 0 is i32; it takes floats"));
}
