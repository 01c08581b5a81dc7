//! Which form of a sum is best for which shapes: the local one, which touches only the k + 1 functions that are not 0 at a
//! point, or the dense one, a product of matrices over all functions.
//!
//! Tuned tables know classes of shapes. Where they say nothing the order is by the number of functions: a product in
//! registers runs at three times the rate of a gather, so it is ahead until it has three times the work.

use super::{
    dense, kernels,
    kernels::Sizes,
    op::{KanSum, Kind, Spacing},
};
use crate::{
    ops::{Case, CaseInput, Op, Tunable},
    plan::{KernelRequest, Lowering, Speed},
};

/// The most functions of an input with which the dense form comes first on hardware. An estimate from loads and
/// multiplications: 25 % of a GPU's rate for gathers, 70 % for products, k + 2 against n + 1 terms at order 3.
const DENSE: usize = 13;
/// Fewer rows than this fill no tile of a product.
const ROWS: usize = 32;
/// Rows an interval from which sorting them pays, and outputs: sorting costs a few operations a point, and two more
/// dispatches; it saves a read and a write of each of a point's sums for each output.
const SORTED: (usize, usize) = (32, 32);

/// The variants, the best first.
pub(super) fn lower(op: &KanSum, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    // A product stages functions of a basis that all inputs share.
    let mut dense = if op.spacing == Spacing::Even { dense::lower(op, request)? } else { Vec::new() };
    let Some(sum) = op.splines() else { return Ok(dense) };
    let s = Sizes::of(op.kind, op.basis.count(), request)?;
    let on = request.capabilities;
    let mut local = kernels::lower(&sum, request)?;
    if op.kind == Kind::Input && on.speed != Speed::SOFTWARE {
        // Neighbours in a group read rows of coefficients that lie apart; on a processor staging them is but a copy.
        local.sort_by_key(|l| !l.variant.starts_with("staged"));
    }
    let (each, outputs) = SORTED;
    if op.kind == Kind::Coefficients && s.rows / each >= sum.basis.grid() && s.outputs >= outputs {
        local.sort_by_key(|l| !l.variant.starts_with("sorted"));
    }
    // The gradient to x has as many sums as points, and local ones need no second pass over the functions.
    let first = op.kind != Kind::Input && s.bases <= DENSE && s.rows >= ROWS && s.outputs >= 16;
    let mut all = if first { std::mem::take(&mut dense) } else { Vec::new() };
    all.extend(local);
    all.extend(dense);
    if op.spacing == Spacing::Even {
        on.tuned.order(op.name(), &class(s), &mut all);
    }
    Ok(all)
}

/// The class of a sum over splines: its functions, its rows, its outputs; where these are no fours, fewer kernels take it.
fn class(s: Sizes) -> String {
    let functions = match s.bases {
        0..=10 => "few",
        11..=24 => "some",
        _ => "many",
    };
    let rows = match s.rows {
        0..=16 => "few",
        17..=256 => "some",
        _ => "many",
    };
    let outputs = match s.outputs {
        n if !n.is_multiple_of(4) => "odd",
        0..=31 => "thin",
        32..=127 => "wide",
        _ => "broad",
    };
    format!("{functions}/{rows}/{outputs}")
}

/// A sum of every kind and class.
pub(in crate::ops) fn tunable() -> Vec<Tunable> {
    let mut all = Vec::new();
    for (grid, functions) in [(5, "few"), (15, "some"), (50, "many")] {
        for (rows, many) in [(4, "few"), (128, "some"), (1024, "many")] {
            for ([inputs, outputs], wide) in
                [([64, 16], "thin"), ([64, 64], "wide"), ([256, 256], "broad"), ([64, 10], "odd")]
            {
                for kind in [Kind::Forward, Kind::Input, Kind::Coefficients] {
                    let shape = [rows, inputs, outputs];
                    all.extend(sum(kind, grid, shape, &format!("{functions}/{many}/{wide}")));
                }
            }
        }
    }
    all
}

/// The cubic sum of a kind over [rows, inputs, outputs], with its base branch.
fn sum(kind: Kind, grid: usize, [rows, inputs, outputs]: [usize; 3], class: &str) -> Option<Tunable> {
    let basis = super::BSpline::new(grid, 3).ok()?;
    let derivative = usize::from(kind == Kind::Input);
    let op =
        KanSum { kind, basis: basis.into(), derivative, base: true, scale: false, spacing: Spacing::Even };
    let mut given = vec![CaseInput::new(&[rows, inputs])];
    if kind != Kind::Forward {
        given.push(CaseInput::new(&[rows, outputs]));
    }
    if op.coef_input().is_some() {
        given.push(CaseInput::new(&[inputs, basis.count(), outputs]));
        given.push(CaseInput::new(&[inputs, outputs]));
    }
    let operation = match kind {
        Kind::Forward => "kan_forward",
        Kind::Input => "kan_input_gradient",
        Kind::Coefficients => "kan_coefficient_gradient",
    };
    let flops = (rows * inputs * (2 * outputs * 5 + 25)) as f64;
    let name = format!("[{rows}, {inputs}] to {outputs}, grid {grid}");
    let case = Case::new(&name, given, move |t| op.apply(&t.iter().collect::<Vec<_>>(), crate::Site::here()));
    Some(Tunable { operation, class: class.into(), flops, case })
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use super::*;
    use crate::{
        DType, Layout,
        plan::{Capabilities, KernelOperand, Tuned},
    };

    /// The variants of a sum that is to be tuned, and its sizes.
    fn variants(t: &Tunable, on: &Capabilities) -> (Vec<&'static str>, Sizes) {
        let g = crate::Graph::new();
        let inputs = t.case.inputs.iter().enumerate();
        let inputs: Vec<_> =
            inputs.map(|(n, i)| g.input(&format!("x{n}"), DType::F32, i.shape.as_slice()).unwrap()).collect();
        let made = (t.case.build)(&inputs).unwrap();
        let operand =
            |shape: &[usize]| KernelOperand { dtype: DType::F32, layout: Layout::contiguous(shape) };
        let given: Vec<_> = t.case.inputs.iter().map(|i| operand(&i.shape)).collect();
        let outputs: Vec<_> = made.iter().map(|m| operand(&m.shape().fixed().unwrap())).collect();
        let request = KernelRequest { inputs: &given, outputs: &outputs, aliases: &[], capabilities: on };
        let kind = match t.operation {
            "kan_forward" => Kind::Forward,
            "kan_input_gradient" => Kind::Input,
            _ => Kind::Coefficients,
        };
        let coef = &t.case.inputs[if kind == Kind::Input { 2 } else { 1 }].shape;
        let bases = if kind == Kind::Coefficients { outputs[0].layout.shape()[1] } else { coef[1] };
        let basis = super::super::BSpline::new(bases - 3, 3).unwrap();
        let derivative = usize::from(kind == Kind::Input);
        let op = KanSum {
            kind,
            basis: basis.into(),
            derivative,
            base: true,
            scale: false,
            spacing: Spacing::Even,
        };
        let all = lower(&op, &request).unwrap();
        (all.iter().map(|l| l.variant).collect(), Sizes::of(kind, bases, &request).unwrap())
    }

    #[test]
    fn what_is_tuned_is_of_the_class_that_it_says_and_variants_have_names_of_their_own() {
        let on = Capabilities::portable();
        let all = tunable();
        assert_eq!(all.len(), 108);
        for t in all {
            let (names, sizes) = variants(&t, &on);
            assert_eq!(class(sizes), t.class);
            assert!(names.len() > 1, "{} {}: {names:?}", t.operation, t.class);
            assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
        }
    }

    #[test]
    fn few_functions_go_dense_many_go_local_and_a_table_has_the_last_word() {
        let on = Capabilities { tuned: Arc::default(), ..Capabilities::portable() };
        let find = |class: &str| {
            tunable().into_iter().find(|t| t.operation == "kan_forward" && t.class == class).unwrap()
        };
        let first = |class: &str, on: &Capabilities| variants(&find(class), on).0[0];
        assert!(first("few/many/broad", &on).starts_with("dense"));
        assert!(first("many/many/broad", &on).starts_with("fours"));
        assert!(first("few/few/wide", &on).starts_with("row"));
        // 1024 rows are 32 an interval or more where the grid has 15, and not where it has 50.
        let find = |class: &str| {
            tunable().into_iter().find(|t| t.operation == "kan_coefficient_gradient" && t.class == class)
        };
        let names = |class: &str| variants(&find(class).unwrap(), &on).0;
        assert!(names("some/many/wide")[0].starts_with("sorted"));
        assert!(names("many/many/wide")[0].starts_with("fours"));
        assert!(names("many/many/wide").contains(&"sorted_split"));
        assert!(names("some/many/thin")[0].starts_with("fours"));
        let mut table = Tuned::new("a GPU", "any", "none");
        table.choose("kan_forward", "few/many/broad", "fours");
        let on = Capabilities { tuned: Arc::new(table), ..on };
        assert_eq!(first("few/many/broad", &on), "fours");
    }
}
