//! The harness's cases of a row: made from what the row says of itself.

use super::{
    Row, row as find,
    rows::{Derivative, Output, Takes},
};
use crate::{
    DType,
    ops::{Case, CaseInput, Fill},
};

/// Sizes around the widths of tiles and workgroups, an empty one, and a broadcast; for activations, whose kernels
/// differ by their function only, a few sizes and each value of each attribute.
pub(crate) fn cases(row: &'static Row) -> Vec<Case> {
    if row.output == Output::Cast(DType::F64) {
        // f64 exists on the CPU only; the oracle and the f64 graphs of every other case go through it.
        return Vec::new();
    }
    let differentiable = !row.derivatives.is_empty() && row.output == Output::LikeLast;
    // The second derivative's own derivative may be missing: nobody asks an activation for a fourth order.
    let derives =
        |d: &Derivative| !matches!(d, Derivative::Row(n) if find(n).is_none_or(|r| r.derivatives.is_empty()));
    let twice = row.derivatives.iter().all(derives);
    let case = |name: String, shapes: Vec<Vec<usize>>, attributes: Vec<f64>| {
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
        let kinks = (row.kinks)(&attributes);
        let case = Case::new(name, inputs, move |t| Ok(vec![t[0].map(row.name, &attributes, &t[1..])?]))
            .kinks(&kinks)
            .tolerance(row.tolerance);
        match (differentiable, twice) {
            (false, _) => case.no_gradient(),
            (true, false) => case.first_order(),
            (true, true) => case,
        }
    };
    let defaults: Vec<f64> = row.attributes.iter().map(|a| a.default).collect();
    let sizes: &[usize] = if row.activation() { &[0, 65] } else { &[0, 1, 3, 63, 64, 65, 257] };
    let mut all: Vec<Case> = sizes
        .iter()
        .map(|&n| case(format!("{n} elements"), vec![vec![n]; row.arity], defaults.clone()))
        .collect();
    for (k, attribute) in row.attributes.iter().enumerate() {
        for &value in attribute.trials {
            let mut attributes = defaults.clone();
            attributes[k] = value;
            all.push(case(format!("{} = {value}", attribute.name), vec![vec![65]; row.arity], attributes));
        }
    }
    if row.arity > 1 {
        let mut shapes = vec![vec![5, 1]; row.arity];
        shapes[row.arity - 1] = vec![3, 1, 7];
        all.push(case("broadcast".into(), shapes, defaults));
    }
    all
}
