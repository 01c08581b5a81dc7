//! Comparisons, and the choice that they make.

use super::super::{
    fast,
    rows::{COMPARE, Derivative, Row, Takes, UNARY, both},
};
use crate::{Result, graph::Tensor};

fn select(then_side: bool, g: &Tensor, x: &[Tensor]) -> Result<Tensor> {
    let zero = g.graph().constant(g.dtype(), 0.0)?;
    if then_side { g.select(&x[0], zero) } else { zero.select(&x[0], g) }
}

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    Row {
        name: "gt",
        formula: "x > y",
        wgsl: both("{0} > {1}"),
        reference: |x, _| f64::from(u8::from(x[0] > x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a > b))),
        ..COMPARE
    },
    Row {
        name: "ge",
        formula: "x ≥ y",
        wgsl: both("{0} >= {1}"),
        reference: |x, _| f64::from(u8::from(x[0] >= x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a >= b))),
        ..COMPARE
    },
    Row {
        name: "lt",
        formula: "x < y",
        wgsl: both("{0} < {1}"),
        reference: |x, _| f64::from(u8::from(x[0] < x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a < b))),
        ..COMPARE
    },
    Row {
        name: "le",
        formula: "x ≤ y",
        wgsl: both("{0} <= {1}"),
        reference: |x, _| f64::from(u8::from(x[0] <= x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a <= b))),
        ..COMPARE
    },
    Row {
        name: "eq",
        formula: "x = y",
        wgsl: both("{0} == {1}"),
        reference: |x, _| f64::from(u8::from(x[0] == x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a == b))),
        ..COMPARE
    },
    Row {
        name: "ne",
        formula: "x ≠ y",
        // naga compares with an ordered "not equal", which is false on NaN.
        wgsl: both("!({0} == {1})"),
        reference: |x, _| f64::from(u8::from(x[0] != x[1])),
        fast: |x, _, y| fast::binary(x, y, |a, b| f32::from(u8::from(a != b))),
        ..COMPARE
    },
    Row {
        name: "select",
        formula: "y where c, else z",
        arity: 3,
        takes: Takes::Select,
        wgsl: both("select({2}, {1}, {0})"),
        reference: |x, _| if x[0] != 0.0 { x[1] } else { x[2] },
        fast: |x, _, y| fast::ternary(x, y, |c, a, b| if c != 0.0 { a } else { b }),
        derivatives: &[
            Derivative::Zero,
            Derivative::Compose(|g, x, _, _| select(true, g, x)),
            Derivative::Compose(|g, x, _, _| select(false, g, x)),
        ],
        ..UNARY
    },
];
