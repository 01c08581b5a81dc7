//! Casts between element types.

use super::super::{
    fast,
    rows::{Derivative, Output, Row, Takes, UNARY, Wgsl, both},
};
use crate::{DType, Result, graph::Tensor};

const CAST: &str = "elementwise/cast";

const CONVERT: Row = Row { takes: Takes::Any, derivatives: &[Derivative::Compose(convert_back)], ..UNARY };

fn convert_back(g: &Tensor, x: &[Tensor], _: &Tensor, _: &[f64]) -> Result<Tensor> {
    g.cast(x[0].dtype())
}

pub(in crate::ops::elementwise) static ROWS: &[Row] = &[
    Row {
        name: "to_f32",
        formula: "x as f32",
        output: Output::Cast(DType::F32),
        wgsl: both("f32({0})"),
        reference: |x, _| DType::F32.round(x[0]),
        ..CONVERT
    },
    Row {
        name: "to_f16",
        formula: "x as f16",
        output: Output::Cast(DType::F16),
        wgsl: both("quantizeToF16(f32({0}))"),
        reference: |x, _| DType::F16.round(x[0]),
        fast: |x, _, y| fast::unary(x, y, |a| half::f16::from_f32(a).to_f32()),
        tolerance: 1e-3,
        ..CONVERT
    },
    Row {
        name: "to_f64",
        formula: "x as f64 (on the CPU)",
        output: Output::Cast(DType::F64),
        wgsl: both("{0}"),
        ..CONVERT
    },
    Row {
        name: "to_i32",
        formula: "x as i32, truncated and saturated; NaN is 0",
        output: Output::Cast(DType::I32),
        wgsl: Wgsl { import: Some(CAST), floats: "kw_to_i32(f32({0}))", integers: Some("i32({0})") },
        reference: |x, _| DType::I32.round(x[0]),
        fast: |x, _, y| fast::unary(x, y, |a| a as i32 as f32),
        derivatives: &[Derivative::Zero],
        ..CONVERT
    },
    Row {
        name: "to_u32",
        formula: "x as u32, truncated and saturated; NaN is 0",
        output: Output::Cast(DType::U32),
        wgsl: Wgsl { import: Some(CAST), floats: "kw_to_u32(f32({0}))", integers: Some("u32({0})") },
        reference: |x, _| DType::U32.round(x[0]),
        fast: |x, _, y| fast::unary(x, y, |a| a as u32 as f32),
        derivatives: &[Derivative::Zero],
        ..CONVERT
    },
    Row {
        name: "to_bool",
        formula: "x ≠ 0",
        output: Output::Cast(DType::Bool),
        wgsl: Wgsl { import: None, floats: "!(({0}) == 0.0)", integers: Some("bool({0})") },
        reference: |x, _| DType::Bool.round(x[0]),
        fast: |x, _, y| fast::unary(x, y, |a| f32::from(u8::from(a != 0.0))),
        derivatives: &[Derivative::Zero],
        ..CONVERT
    },
];
