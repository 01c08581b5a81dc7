//! What the harness tests of splines on given knots and of the policies beyond a grid.

use super::{BSpline, OnKnots, Outside};
use crate::{
    HostTensor, Result,
    graph::Tensor,
    ops::{Case, CaseInput, Cases, Registered},
};

pub(crate) const ON_KNOTS: Registered = Registered {
    name: "kan_layer_on_knots",
    formula: "Σ_i W_oi silu(x_i) + Σ_i Σ_m C_oim B_im(x_i) + bias_o, over B-splines whose knots each input has for itself",
    inputs: "x [B, I]; coef [O, I, G + k]; base_weight [O, I] (may be absent); bias [O] (may be absent); knots \
             [I, G + 2k + 1], which do not fall along a row and have no gradient",
    attributes: "order; outside = zero, clamp or linear",
    types: "f32, f64",
    source: "Liu et al. 2024, KAN: Kolmogorov-Arnold Networks; de Boor, A Practical Guide to Splines",
    cases: Cases::Listed(on_knots),
};

pub(crate) const OUT_OF_RANGE: Registered = Registered {
    name: "out_of_range",
    formula: "for each i the fraction of the x_i that are not in [low_i, high_i], NaN among them",
    inputs: "x [..., I]; low, high: numbers or [I]",
    attributes: "none",
    types: "f32, f64",
    source: "the grids of KAN layers",
    cases: Cases::Listed(out_of_range),
};

/// Knots of `inputs` inputs: uneven, other for each, coinciding ones where `repeated`, with [−1, 1] about the grid of the first.
fn knots(inputs: usize, grid: usize, order: usize, repeated: bool) -> Vec<f32> {
    let mut all = Vec::new();
    for i in 0..inputs {
        let step = (2.0 + 0.1 * (i % 7) as f32) / grid as f32;
        let mut at = -1.0 - step * order as f32;
        for j in 0..=grid + 2 * order {
            all.push(at);
            let pinched = repeated && j != order && (i + j) % 4 == 2;
            at += if pinched { 0.0 } else { step * (0.6 + 0.8 * ((3 * i + 5 * j) % 8) as f32 / 7.0) };
        }
    }
    all
}

struct OnGiven {
    name: &'static str,
    shape: [usize; 3],
    grid: usize,
    order: usize,
    base: bool,
    bias: bool,
    repeated: bool,
    outside: Outside,
}

impl OnGiven {
    fn new(name: &'static str, shape: [usize; 3], grid: usize, order: usize) -> Self {
        let (base, outside) = (true, Outside::Zero);
        Self { name, shape, grid, order, base, bias: false, repeated: false, outside }
    }

    fn case(self) -> Case {
        let Self { name, shape: [rows, inputs, outputs], grid, order, base, bias, repeated, outside } = self;
        let mut given = vec![
            CaseInput::new(&[rows, inputs]),
            CaseInput::between(&[outputs, inputs, grid + order], -1.0, 1.0),
        ];
        given.extend(base.then(|| CaseInput::between(&[outputs, inputs], -1.0, 1.0)));
        given.extend(bias.then(|| CaseInput::new(&[outputs])));
        let all = knots(inputs, grid, order, repeated);
        let mut kinks: Vec<f64> = all.iter().map(|&t| t.into()).collect();
        kinks.sort_by(f64::total_cmp);
        kinks.dedup();
        if order > 3 && !repeated && outside == Outside::Zero {
            kinks.clear();
        }
        let title = format!("{name}: [{rows}, {inputs}] to {outputs}, grid {grid}, order {order}, {outside}");
        let case = Case::new(title, given, move |t| {
            let knots = HostTensor::new(&all, [inputs, grid + 2 * order + 1])?;
            // A view of knots that lie the other way around, for one of them.
            let knots = if repeated {
                t[0].graph().tensor(transposed(&knots)?)?.transpose(0, 1)?
            } else {
                t[0].graph().tensor(knots)?
            };
            let on = OnKnots::new(&knots, order)?.outside(outside);
            let w = base.then(|| &t[2]);
            let b = bias.then(|| &t[2 + usize::from(base)]);
            Ok(vec![t[0].kan_layer_on_knots(&t[1], w, b, &on)?])
        });
        // Rounding of sums of `inputs` edges (gradients: of `outputs`), of slopes where cells are narrow.
        let terms = inputs.max(outputs).max(1) as f64;
        case.kinks(&kinks).tolerance(2e-6 * terms.sqrt() * if repeated { 2.0 } else { 1.0 })
    }
}

fn transposed(t: &HostTensor) -> Result<HostTensor> {
    let (shape, values) = (t.shape(), t.as_slice::<f32>()?);
    let (rows, wide) = (shape[0], shape[1]);
    let turned: Vec<f32> = (0..rows * wide).map(|p| values[p % rows * wide + p / rows]).collect();
    HostTensor::new(&turned, [wide, rows])
}

fn on_knots() -> Vec<Case> {
    let new = OnGiven::new;
    let mut all: Vec<OnGiven> = (0..=5).map(|k| new("orders", [3, 3, 3], 5, k)).collect();
    all.extend((0..=4).map(|k| new("orders", [3, 3, 4], 5, k)));
    all.extend([
        new("one edge", [1, 1, 1], 1, 3),
        OnGiven { base: false, bias: true, ..new("splines and bias", [7, 5, 9], 4, 2) },
        OnGiven { repeated: true, ..new("coinciding knots", [9, 4, 5], 6, 2) },
        OnGiven { repeated: true, ..new("coinciding knots", [9, 4, 8], 6, 3) },
        new("many intervals", [65, 3, 5], 64, 3),
        new("ranges of functions", [66, 2, 64], 64, 3),
        new("order seven", [4, 3, 8], 3, 7),
        // Sums that are split even where a driver runs on the processor.
        new("split inputs", [2, 130, 5], 1, 1),
        new("split rows", [70, 2, 5], 2, 2),
        new("split rows", [70, 2, 8], 2, 2),
        new("tiles", [64, 33, 64], 3, 3),
        new("one row", [1, 65, 64], 5, 3),
        new("no rows", [0, 3, 4], 5, 3),
    ]);
    for outside in [Outside::Clamp, Outside::Linear] {
        all.push(OnGiven { outside, ..new("beyond", [13, 3, 4], 5, 3) });
        all.push(OnGiven { outside, bias: true, ..new("beyond", [5, 2, 3], 3, 1) });
        all.push(OnGiven { outside, base: false, ..new("beyond", [5, 2, 3], 2, 0) });
        all.push(OnGiven { outside, repeated: true, ..new("beyond", [9, 4, 3], 6, 2) });
    }
    all.into_iter().map(OnGiven::case).collect()
}

/// Layers over even grids with policies, and the functions themselves.
pub(super) fn beyond() -> Vec<Case> {
    let mut all = Vec::new();
    for outside in [Outside::Clamp, Outside::Linear] {
        for (shape, grid, order) in
            [([13, 3, 4], 5, 3), ([5, 2, 3], 3, 1), ([5, 2, 1], 2, 0), ([40, 17, 20], 4, 2)]
        {
            let [rows, inputs, outputs] = shape;
            let Ok(basis) = BSpline::new(grid, order) else { continue };
            let basis = basis.outside(outside);
            let kinks: Vec<f64> = (0..=grid).map(|j| basis.knot(j as isize)).collect();
            let given = vec![
                CaseInput::new(&[rows, inputs]),
                CaseInput::between(&[outputs, inputs, grid + order], -1.0, 1.0),
                CaseInput::between(&[outputs, inputs], -1.0, 1.0),
            ];
            let title = format!(
                "beyond the grid, {outside}: [{rows}, {inputs}] to {outputs}, grid {grid}, order {order}"
            );
            let case = Case::new(title, given, move |t| {
                Ok(vec![t[0].kan_layer(&t[1], Some(&t[2]), None, basis)?])
            });
            let terms = inputs.max(outputs) as f64;
            all.push(case.kinks(&kinks).tolerance(2e-6 * terms.sqrt().max(2.0)));
        }
    }
    all
}

/// The functions of splines with policies.
pub(super) fn functions_beyond() -> Vec<Case> {
    let one = |outside: Outside, order: usize| {
        let kinks: Vec<f64> = (0..=4).map(|j| -1.0 + 0.5 * f64::from(j)).collect();
        let title = format!("bspline beyond its grid, {outside}, order {order}");
        Case::new(title, vec![CaseInput::new(&[13, 5])], move |t: &[Tensor]| {
            Ok(vec![t[0].basis(BSpline::new(4, order)?.outside(outside))?])
        })
        .kinks(&kinks)
        .tolerance(4e-6)
    };
    vec![one(Outside::Clamp, 3), one(Outside::Linear, 3), one(Outside::Linear, 0), one(Outside::Clamp, 1)]
}

fn out_of_range() -> Vec<Case> {
    let case = |name: &str, shape: &[usize]| {
        Case::new(name, vec![CaseInput::new(shape)], |t| Ok(vec![t[0].out_of_range(-1.0, 0.5)?]))
            .no_gradient()
    };
    vec![
        case("rows", &[130, 5]),
        case("one input", &[7, 1]),
        case("leading dimensions", &[3, 4, 6]),
        case("one sample", &[4]),
        Case::new("ends of each input", vec![CaseInput::new(&[33, 3])], |t| {
            let ends = |v: [f32; 3]| t[0].graph().tensor(HostTensor::new(&v, [3])?);
            Ok(vec![t[0].out_of_range(ends([-1.0, -2.0, 0.0])?, ends([1.0, 2.0, 0.25])?)?])
        })
        .no_gradient(),
    ]
}
