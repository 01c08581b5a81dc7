//! Straight lines and parabolas between limits. At a limit the slope is the outside's, as PyTorch's clamp has it.

use super::super::{
    fast,
    rows::{Attribute, Derivative, Row, UNARY, call},
};

const SOFT_SHRINK: &[Attribute] =
    &[Attribute { name: "lambda", default: 0.5, range: 0.0..=f64::INFINITY, trials: &[0.0, 1.5] }];

const HARD_SHRINK: &[Attribute] =
    &[Attribute { name: "lambda", default: 0.5, range: 0.0..=f64::INFINITY, trials: &[0.0, 1.5] }];

const HARD_TANH: &[Attribute] = &[
    Attribute { name: "min", default: -1.0, range: f64::NEG_INFINITY..=f64::INFINITY, trials: &[-2.5, 0.5] },
    Attribute { name: "max", default: 1.0, range: f64::NEG_INFINITY..=f64::INFINITY, trials: &[2.0] },
];

/// The limits of [`HARD_TANH`] the right way round.
fn ordered(a: &[f64]) -> Result<(), String> {
    match a {
        [low, high] if low > high => {
            Err(format!("attribute `min` is {low}, above `max`, which is {high}; it must be at most that"))
        }
        _ => Ok(()),
    }
}

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    short!(
        "relu6",
        "min(max(x, 0), 6)",
        "Krizhevsky 2010",
        "activation/clamped",
        "kw_relu6({0})",
        &[],
        |_| vec![0.0, 6.0],
        &[Derivative::Row("relu6_d1")],
        |x, a| x.clamp(0.0, 6.0),
        |v, c| v.clamp(0.0, 6.0)
    ),
    short!(
        "relu6_d1",
        "1 where 0 < x < 6, else 0",
        "Krizhevsky 2010",
        "activation/clamped",
        "kw_relu6_d1({0})",
        &[],
        |_| vec![0.0, 6.0],
        &[Derivative::Zero],
        |x, a| if x > 0.0 && x < 6.0 { 1.0 } else { 0.0 },
        |v, c| if v > 0.0 && v < 6.0 { 1.0 } else { 0.0 }
    ),
    short!(
        "hard_sigmoid",
        "min(max(x/6 + ½, 0), 1)",
        "Howard et al. 2019",
        "activation/clamped",
        "kw_hard_sigmoid({0})",
        &[],
        |_| vec![-3.0, 3.0],
        &[Derivative::Row("hard_sigmoid_d1")],
        |x, a| (x / 6.0 + 0.5).clamp(0.0, 1.0),
        |v, c| (if v < -3.0 {
            0.0
        } else if v > 3.0 {
            6.0
        } else {
            v + 3.0
        }) / 6.0
    ),
    short!(
        "hard_sigmoid_d1",
        "1/6 where |x| < 3, else 0",
        "Howard et al. 2019",
        "activation/clamped",
        "kw_hard_sigmoid_d1({0})",
        &[],
        |_| vec![-3.0, 3.0],
        &[Derivative::Zero],
        |x, a| if x > -3.0 && x < 3.0 { 1.0 / 6.0 } else { 0.0 },
        |v, c| if v > -3.0 && v < 3.0 { 1.0 / 6.0 } else { 0.0 }
    ),
    short!(
        "hard_swish",
        "x min(max(x/6 + ½, 0), 1)",
        "Howard et al. 2019",
        "activation/clamped",
        "kw_hard_swish({0})",
        &[],
        |_| vec![-3.0, 3.0],
        &[Derivative::Row("hard_swish_d1")],
        |x, a| if x <= -3.0 { 0.0 } else { x * (x / 6.0 + 0.5).min(1.0) },
        |v, c| if v <= -3.0 {
            0.0
        } else if v >= 3.0 {
            v
        } else {
            v * (v + 3.0) / 6.0
        }
    ),
    short!(
        "hard_swish_d1",
        "0 up to −3, x/3 + ½ below 3, then 1",
        "Howard et al. 2019",
        "activation/clamped",
        "kw_hard_swish_d1({0})",
        &[],
        |_| vec![-3.0, 3.0],
        &[Derivative::Row("hard_swish_d2")],
        |x, a| if x <= -3.0 {
            0.0
        } else if x >= 3.0 {
            1.0
        } else {
            x / 3.0 + 0.5
        },
        |v, c| if v <= -3.0 {
            0.0
        } else if v >= 3.0 {
            1.0
        } else {
            (2.0 * v + 3.0) / 6.0
        }
    ),
    short!(
        "hard_swish_d2",
        "1/3 where |x| < 3, else 0",
        "Howard et al. 2019",
        "activation/clamped",
        "kw_hard_swish_d2({0})",
        &[],
        |_| vec![-3.0, 3.0],
        &[Derivative::Zero],
        |x, a| if x > -3.0 && x < 3.0 { 1.0 / 3.0 } else { 0.0 },
        |v, c| if v > -3.0 && v < 3.0 { 1.0 / 3.0 } else { 0.0 }
    ),
    short!(
        "hard_mish",
        "x/2 min(max(x + 2, 0), 2)",
        "",
        "activation/clamped",
        "kw_hard_mish({0})",
        &[],
        |_| vec![-2.0, 0.0],
        &[Derivative::Row("hard_mish_d1")],
        |x, a| if x <= -2.0 { 0.0 } else { x / 2.0 * (x + 2.0).min(2.0) },
        |v, c| if v <= -2.0 {
            0.0
        } else if v >= 0.0 {
            v
        } else {
            0.5 * v * (v + 2.0)
        }
    ),
    short!(
        "hard_mish_d1",
        "0 up to −2, x + 1 below 0, then 1",
        "",
        "activation/clamped",
        "kw_hard_mish_d1({0})",
        &[],
        |_| vec![-2.0, 0.0],
        &[Derivative::Row("hard_mish_d2")],
        |x, a| if x <= -2.0 {
            0.0
        } else if x >= 0.0 {
            1.0
        } else {
            x + 1.0
        },
        |v, c| if v <= -2.0 {
            0.0
        } else if v >= 0.0 {
            1.0
        } else {
            v + 1.0
        }
    ),
    short!(
        "hard_mish_d2",
        "1 where −2 < x < 0, else 0",
        "",
        "activation/clamped",
        "kw_hard_mish_d2({0})",
        &[],
        |_| vec![-2.0, 0.0],
        &[Derivative::Zero],
        |x, a| if x > -2.0 && x < 0.0 { 1.0 } else { 0.0 },
        |v, c| if v > -2.0 && v < 0.0 { 1.0 } else { 0.0 }
    ),
    short!(
        "hard_tanh",
        "min(max(x, min), max)",
        "Collobert 2004",
        "activation/clamped",
        "kw_hard_tanh({0}, {1}, {2})",
        HARD_TANH,
        |a| a.to_vec(),
        &[Derivative::Row("hard_tanh_d1")],
        valid ordered,
        |x, a| if x < a[0] {
            a[0]
        } else if x > a[1] {
            a[1]
        } else {
            x
        },
        |v, c| if v < c[0] {
            c[0]
        } else if v > c[1] {
            c[1]
        } else {
            v
        }
    ),
    short!(
        "hard_tanh_d1",
        "1 where min < x < max, else 0",
        "Collobert 2004",
        "activation/clamped",
        "kw_hard_tanh_d1({0}, {1}, {2})",
        HARD_TANH,
        |a| a.to_vec(),
        &[Derivative::Zero],
        valid ordered,
        |x, a| f64::from(u8::from(x > a[0] && x < a[1])),
        |v, c| if v > c[0] && v < c[1] { 1.0 } else { 0.0 }
    ),
    short!(
        "hard_shrink",
        "x where |x| > λ, else 0",
        "Donoho and Johnstone 1994",
        "activation/rectified",
        "kw_hard_shrink({0}, {1})",
        HARD_SHRINK,
        |a| vec![-a[0], a[0]],
        &[Derivative::Row("hard_shrink_d1")],
        |x, a| if x.abs() <= a[0] { 0.0 } else { x },
        |v, c| if v.abs() <= c[0] { 0.0 } else { v }
    ),
    short!(
        "hard_shrink_d1",
        "1 where |x| > λ, else 0",
        "Donoho and Johnstone 1994",
        "activation/rectified",
        "kw_hard_shrink_d1({0}, {1})",
        HARD_SHRINK,
        |a| vec![-a[0], a[0]],
        &[Derivative::Zero],
        |x, a| f64::from(u8::from(x.abs() > a[0])),
        |v, c| if v.abs() > c[0] { 1.0 } else { 0.0 }
    ),
    short!(
        "soft_shrink",
        "x − λ above λ, x + λ below −λ, else 0",
        "Donoho and Johnstone 1994",
        "activation/rectified",
        "kw_soft_shrink({0}, {1})",
        SOFT_SHRINK,
        |a| vec![-a[0], a[0]],
        &[Derivative::Row("soft_shrink_d1")],
        |x, a| if x > a[0] {
            x - a[0]
        } else if x < -a[0] {
            x + a[0]
        } else {
            0.0
        },
        |v, c| if v > c[0] {
            v - c[0]
        } else if v < -c[0] {
            v + c[0]
        } else {
            0.0
        }
    ),
    short!(
        "soft_shrink_d1",
        "1 where |x| > λ, else 0",
        "Donoho and Johnstone 1994",
        "activation/rectified",
        "kw_soft_shrink_d1({0}, {1})",
        SOFT_SHRINK,
        |a| vec![-a[0], a[0]],
        &[Derivative::Zero],
        |x, a| f64::from(u8::from(x.abs() > a[0])),
        |v, c| if v.abs() > c[0] { 1.0 } else { 0.0 }
    ),
];
