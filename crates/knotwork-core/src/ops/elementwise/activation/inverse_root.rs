//! Curves made of an inverse square root.

use super::super::{
    fast,
    rows::{Attribute, Derivative, Row, UNARY, call},
};

/// x / √(1 + α x²) without overflow.
#[inline(always)]
fn isru(x: f32, alpha: f32) -> f32 {
    let s = alpha.sqrt();
    let z = s * x.abs();
    let far = 1.0f32.copysign(x) / s;
    if s == 0.0 {
        x
    } else if z > 1e5 {
        far
    } else {
        x / (1.0 + z * z).sqrt()
    }
}

#[inline(always)]
fn isru_d1(x: f32, alpha: f32) -> f32 {
    let z = alpha.sqrt() * x.abs();
    let q = 1.0 / (1.0 + z * z).sqrt();
    if alpha == 0.0 { 1.0 } else { q * q * q }
}

#[inline(always)]
fn isru_d2(x: f32, alpha: f32) -> f32 {
    let s = alpha.sqrt();
    let z = s * x.abs();
    let q = 1.0 / (1.0 + z * z).sqrt();
    let bounded = s * isru(x, alpha);
    if s == 0.0 { 0.0 } else { -3.0 * s * bounded * q * q * q * q }
}

const ISRLU: &[Attribute] =
    &[Attribute { name: "alpha", default: 1.0, range: 0.0..=f64::INFINITY, trials: &[0.25, 3.0] }];

const ISRU: &[Attribute] =
    &[Attribute { name: "alpha", default: 1.0, range: 0.0..=f64::INFINITY, trials: &[0.25, 3.0] }];

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    short!(
        "isru",
        "x / √(1 + α x²)",
        "Carlile, Delamarter, Kinney, Marti and Whitney 2017",
        "activation/isru",
        "kw_isru({0}, {1})",
        ISRU,
        |_| Vec::new(),
        &[Derivative::Row("isru_d1")],
        |x, a| if x.is_infinite() && a[0] > 0.0 {
            x.signum() / a[0].sqrt()
        } else if a[0] == 0.0 {
            x
        } else {
            x / (1.0 + a[0] * x * x).sqrt()
        },
        |v, c| isru(v, c[0])
    ),
    short!(
        "isru_d1",
        "(1 + α x²)^(−3/2)",
        "Carlile, Delamarter, Kinney, Marti and Whitney 2017",
        "activation/isru",
        "kw_isru_d1({0}, {1})",
        ISRU,
        |_| Vec::new(),
        &[Derivative::Row("isru_d2")],
        |x, a| if a[0] == 0.0 { 1.0 } else { (1.0 + a[0] * x * x).powf(-1.5) },
        |v, c| isru_d1(v, c[0])
    ),
    short!(
        "isru_d2",
        "−3 α x (1 + α x²)^(−5/2)",
        "Carlile, Delamarter, Kinney, Marti and Whitney 2017",
        "activation/isru",
        "kw_isru_d2({0}, {1})",
        ISRU,
        |_| Vec::new(),
        &[],
        |x, a| if x.is_infinite() { 0.0 } else { -3.0 * a[0] * x * (1.0 + a[0] * x * x).powf(-2.5) },
        |v, c| isru_d2(v, c[0])
    ),
    short!(
        "isrlu",
        "x where x ≥ 0, else x / √(1 + α x²)",
        "Carlile, Delamarter, Kinney, Marti and Whitney 2017",
        "activation/isru",
        "kw_isrlu({0}, {1})",
        ISRLU,
        |_| vec![0.0],
        &[Derivative::Row("isrlu_d1")],
        |x, a| if x >= 0.0 {
            x
        } else {
            if x.is_infinite() && a[0] > 0.0 {
                x.signum() / a[0].sqrt()
            } else if a[0] == 0.0 {
                x
            } else {
                x / (1.0 + a[0] * x * x).sqrt()
            }
        },
        |v, c| if v >= 0.0 { v } else { isru(v, c[0]) }
    ),
    short!(
        "isrlu_d1",
        "1 where x ≥ 0, else (1 + α x²)^(−3/2)",
        "Carlile, Delamarter, Kinney, Marti and Whitney 2017",
        "activation/isru",
        "kw_isrlu_d1({0}, {1})",
        ISRLU,
        |_| vec![0.0],
        &[Derivative::Row("isrlu_d2")],
        |x, a| if x >= 0.0 { 1.0 } else { if a[0] == 0.0 { 1.0 } else { (1.0 + a[0] * x * x).powf(-1.5) } },
        |v, c| if v >= 0.0 { 1.0 } else { isru_d1(v, c[0]) }
    ),
    short!(
        "isrlu_d2",
        "0 where x ≥ 0, else −3 α x (1 + α x²)^(−5/2)",
        "Carlile, Delamarter, Kinney, Marti and Whitney 2017",
        "activation/isru",
        "kw_isrlu_d2({0}, {1})",
        ISRLU,
        |_| vec![0.0],
        &[],
        |x, a| if x >= 0.0 {
            0.0
        } else {
            if x.is_infinite() { 0.0 } else { -3.0 * a[0] * x * (1.0 + a[0] * x * x).powf(-2.5) }
        },
        |v, c| if v >= 0.0 { 0.0 } else { isru_d2(v, c[0]) }
    ),
    short!(
        "bent_identity",
        "(√(x² + 1) − 1) / 2 + x",
        "",
        "activation/isru",
        "kw_bent_identity({0})",
        &[],
        |_| Vec::new(),
        &[Derivative::Row("bent_identity_d1")],
        |x, a| if x.abs() > 1e12 {
            if x > 0.0 { 1.5 * x } else { 0.5 * x }
        } else {
            x + 0.5 * x * x / ((x * x + 1.0).sqrt() + 1.0)
        },
        |v, c| if v.abs() > 1e8 {
            v * if v < 0.0 { 0.5 } else { 1.5 }
        } else {
            v * (1.0 + 0.5 * (v / ((v * v + 1.0).sqrt() + 1.0)))
        }
    ),
    short!(
        "bent_identity_d1",
        "1 + x / (2 √(x² + 1))",
        "",
        "activation/isru",
        "kw_bent_identity_d1({0})",
        &[],
        |_| Vec::new(),
        &[Derivative::Row("bent_identity_d2")],
        |x, a| if x.is_infinite() { 1.0 + 0.5 * x.signum() } else { 1.0 + 0.5 * x / (x * x + 1.0).sqrt() },
        |v, c| 1.0 + 0.5 * isru(v, 1.0)
    ),
    short!(
        "bent_identity_d2",
        "(x² + 1)^(−3/2) / 2",
        "",
        "activation/isru",
        "kw_bent_identity_d2({0})",
        &[],
        |_| Vec::new(),
        &[],
        |x, a| 0.5 * (x * x + 1.0).powf(-1.5),
        |v, c| 0.5 * isru_d1(v, 1.0)
    ),
];
