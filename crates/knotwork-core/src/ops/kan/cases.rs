//! What the harness tests of KAN layers.

use super::BSpline;
use crate::ops::{Case, CaseInput, Cases, Registered};

pub(crate) const REGISTERED: Registered = Registered {
    name: "kan_layer",
    formula: "Σ_i W_oi silu(x_i) + Σ_i Σ_m C_oim B_m(x_i) + bias_o, B-splines of any order on a uniform grid",
    inputs: "x [B, I]; coef [O, I, n]; base_weight [O, I] (may be absent); bias [O] (may be absent)",
    attributes: "basis, and its own",
    types: "f32, f64",
    source: "Liu et al. 2024, KAN: Kolmogorov-Arnold Networks",
    cases: Cases::Listed(cases),
};

/// Sizes, attributes and which of the optional inputs there are.
struct Layer {
    name: &'static str,
    rows: usize,
    inputs: usize,
    outputs: usize,
    grid: usize,
    order: usize,
    base: bool,
    bias: bool,
}

impl Layer {
    fn case(self) -> Case {
        let Self { name, rows, inputs, outputs, grid, order, base, bias } = self;
        let basis = BSpline::new(grid, order).ok();
        let n = grid + order;
        // Half of the points lie in the grid [−1, 1]; the others on its extension or beyond.
        let mut given =
            vec![CaseInput::new(&[rows, inputs]), CaseInput::between(&[outputs, inputs, n], -1.0, 1.0)];
        if base {
            given.push(CaseInput::between(&[outputs, inputs], -1.0, 1.0));
        }
        if bias {
            given.push(CaseInput::new(&[outputs]));
        }
        let kinks: Vec<f64> = basis
            .iter()
            .filter(|_| order < 4)
            .flat_map(|basis| (-(order as isize)..=(grid + order) as isize).map(|j| basis.knot(j)))
            .collect();
        let case = Case::new(
            format!("{name}: [{rows}, {inputs}] to {outputs}, grid {grid}, order {order}"),
            given,
            move |t| {
                let basis = BSpline::new(grid, order)?;
                let w = base.then(|| &t[2]);
                let b = bias.then(|| &t[2 + usize::from(base)]);
                Ok(vec![t[0].kan_layer(&t[1], w, b, &basis)?])
            },
        );
        // Rounding of sums of `inputs` edges (gradients: of `outputs`).
        let terms = inputs.max(outputs).max(1) as f64;
        case.kinks(&kinks).tolerance(2e-6 * terms.sqrt())
    }
}

fn cases() -> Vec<Case> {
    let layer = |name, [rows, inputs, outputs]: [usize; 3], grid, order| Layer {
        name,
        rows,
        inputs,
        outputs,
        grid,
        order,
        base: true,
        bias: false,
    };
    let mut all: Vec<Case> = (0..=5).map(|k| layer("orders", [3, 3, 3], 5, k).case()).collect();
    all.extend([
        layer("one edge", [1, 1, 1], 5, 3).case(),
        layer("one interval", [3, 4, 9], 1, 3).case(),
        layer("many intervals", [65, 3, 5], 64, 3).case(),
        Layer { bias: true, ..layer("bias", [5, 3, 4], 3, 3) }.case(),
        Layer { base: false, ..layer("splines only", [7, 5, 17], 4, 2) }.case(),
        Layer { base: false, bias: true, ..layer("splines and bias", [3, 1, 8], 4, 1) }.case(),
        layer("tiles", [64, 65, 64], 3, 3).case(),
        layer("beyond tiles", [65, 64, 65], 5, 3).case(),
        layer("one row", [1, 65, 65], 5, 3).case(),
        layer("one output", [65, 64, 1], 5, 3).case(),
        layer("no rows", [0, 3, 4], 5, 3).case(),
        Case::new("other range, strided inputs, leading dimensions", strided(), |t| {
            let basis = BSpline::new(6, 3)?.range(-0.5, 2.5)?;
            let x = t[0].permute(&[1, 2, 0])?;
            let (coef, base) = (t[1].slice(0, 1, 10)?, t[2].transpose(0, 1)?);
            Ok(vec![x.kan_layer(&coef, Some(&base), None, &basis)?])
        })
        .kinks(&(-3..=9).map(|j| -0.5 + 0.5 * f64::from(j)).collect::<Vec<_>>()),
        Case::new("native layout", vec![CaseInput::new(&[9, 4]), CaseInput::new(&[4, 8, 10])], |t| {
            Ok(vec![t[0].kan_layer_native(&t[1], None, None, &BSpline::new(4, 4)?)?])
        }),
    ]);
    all
}

fn strided() -> Vec<CaseInput> {
    vec![CaseInput::new(&[5, 2, 3]), CaseInput::new(&[10, 5, 9]), CaseInput::new(&[5, 9])]
}
