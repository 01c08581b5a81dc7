//! The harness's cases of a row: made from what the row says of itself.

use super::{
    Row,
    rows::{Output, Takes},
};
use crate::{
    DType,
    ops::{Case, CaseInput, Fill},
};

/// Sizes around the widths of tiles and workgroups, an empty one, and a broadcast.
pub(crate) fn cases(row: &'static Row) -> Vec<Case> {
    if row.output == Output::Cast(DType::F64) {
        // f64 exists on the CPU only; the oracle and the f64 graphs of every other case go through it.
        return Vec::new();
    }
    let differentiable = !row.derivatives.is_empty() && row.output == Output::LikeLast;
    let case = |name: String, shapes: Vec<Vec<usize>>| {
        let inputs: Vec<CaseInput> = shapes
            .iter()
            .enumerate()
            .map(|(i, shape)| {
                if row.takes == Takes::Select && i == 0 {
                    CaseInput { dtype: DType::Bool, shape: shape.clone(), fill: Fill::Coin }
                } else {
                    CaseInput::between(shape, row.range.0, row.range.1)
                }
            })
            .collect();
        let attributes: Vec<f64> =
            row.attributes.iter().map(|(_, r)| f64::midpoint(*r.start(), *r.end())).collect();
        let case = Case::new(name, inputs, move |t| Ok(vec![t[0].map(row.name, &attributes, &t[1..])?]))
            .kinks(row.kinks)
            .tolerance(row.tolerance);
        if differentiable { case } else { case.no_gradient() }
    };
    let mut all: Vec<Case> = [0, 1, 3, 63, 64, 65, 257]
        .iter()
        .map(|&n| case(format!("{n} elements"), vec![vec![n]; row.arity]))
        .collect();
    if row.arity > 1 {
        let mut shapes = vec![vec![5, 1]; row.arity];
        shapes[row.arity - 1] = vec![3, 1, 7];
        all.push(case("broadcast".into(), shapes));
    }
    all
}
