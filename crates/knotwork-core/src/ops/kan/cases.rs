//! What the harness tests of KAN layers.

use super::{
    BSpline, Basis,
    knots_cases::{beyond, functions_beyond},
};
use crate::{
    Result,
    ops::{Case, CaseInput, Cases, Registered},
};

pub(crate) const BASIS: Registered = Registered {
    name: "basis",
    formula: "every function of a basis at every element of x, φ [..., n]",
    inputs: "x […]",
    attributes: "basis: bspline(grid, order = 3, range = [-1, 1], outside = zero, clamp or linear), rbf(n, range = [-2, 2], width = the centres' distance), \
                 chebyshev, legendre, hermite, bernstein(degree), jacobi(degree, a = 1, b = 1), fourier(frequencies), \
                 relu_kan(grid, order = 3)",
    types: "f32, f64",
    source: "Liu et al. 2024, KAN; Li 2024, FastKAN; Qiu et al. 2024, ReLU-KAN",
    cases: Cases::Listed(basis_cases),
};

/// A way to make a basis.
type Make = fn() -> Result<Basis>;

/// A basis, the range of x that shows it, the kinks of its first two derivatives, and the rounding of its functions in
/// units of the usual tolerance.
struct Sample(&'static str, Make, (f64, f64), Vec<f64>, f64);

/// One basis of each kind.
fn samples() -> Vec<Sample> {
    let wide = (-2.0, 2.0);
    let knots = |lo: f64, h: f64, n: usize| (0..=n).map(|j| lo + h * j as f64).collect();
    vec![
        Sample("bspline", || Basis::bspline(4, 3, (-1.0, 1.0)), wide, knots(-2.5, 0.5, 10), 1.0),
        Sample("rbf", || Basis::rbf(5, (-1.5, 2.0), Some(0.7)), wide, vec![], 1.0),
        Sample("one centre", || Basis::rbf(1, (-0.5, 2.0), Some(1.5)), wide, vec![], 1.0),
        Sample("chebyshev", || Basis::chebyshev(6), wide, vec![], 4.0),
        Sample("legendre", || Basis::legendre(5), wide, vec![], 2.0),
        Sample("jacobi", || Basis::jacobi(4, 0.5, -0.5), wide, vec![], 2.0),
        Sample("hermite", || Basis::hermite(4), wide, vec![], 2.0),
        // From harmonic 17 on the rotation starts again.
        Sample("fourier", || Basis::fourier(18), wide, vec![], 4.0),
        // The second derivative steps at the ends of the supports.
        Sample("relu_kan", || Basis::relu_kan(4, 2), (-0.8, 1.8), knots(-0.5, 0.25, 8), 2.0),
        Sample("bernstein", || Basis::bernstein(5), wide, vec![], 1.0),
    ]
}

fn basis_cases() -> Vec<Case> {
    let case = |name: String, make: Make, x: CaseInput| {
        Case::new(name, vec![x], move |t| Ok(vec![t[0].basis(make()?)?]))
    };
    let mut all: Vec<Case> = samples()
        .into_iter()
        .map(|Sample(name, make, (low, high), kinks, rounding)| {
            let x = CaseInput::between(&[13, 5], low, high);
            case(name.into(), make, x).kinks(&kinks).tolerance(2e-6 * rounding)
        })
        .collect();
    let constant: [(&str, Make); 3] = [
        ("chebyshev of degree 0", || Basis::chebyshev(0)),
        ("bernstein of degree 0", || Basis::bernstein(0)),
        ("order 0", || Basis::bspline(5, 0, (0.0, 1.0))),
    ];
    let edges: Vec<f64> = (0..=5).map(|j| f64::from(j) / 5.0).collect();
    all.extend(
        constant.map(|(name, make)| case(name.into(), make, CaseInput::new(&[3, 1, 7])).kinks(&edges)),
    );
    let many: [(&str, Make); 3] = [
        ("many centres", || Basis::rbf(131, (-2.0, 2.0), None)),
        ("many intervals", || Basis::bspline(150, 2, (-2.0, 2.0))),
        ("many frequencies", || Basis::fourier(70)),
    ];
    // Steep functions: x is rounded to f32, and the sum over functions of the gradient's rounding is that of many.
    all.extend(
        many.map(|(name, make)| case(name.into(), make, CaseInput::new(&[9])).tolerance(2e-5).first_order()),
    );
    all.extend(functions_beyond());
    all.push(case("far out".into(), || Basis::legendre(3), CaseInput::between(&[65], -30.0, 30.0)));
    all.push(case("nothing".into(), || Basis::legendre(3), CaseInput::new(&[0, 3])));
    all
}

pub(crate) const REGISTERED: Registered = Registered {
    name: "kan_layer",
    formula: "Σ_i W_oi silu(x_i) + Σ_i Σ_m C_oim φ_m(x_i) + bias_o, over the functions of any basis",
    inputs: "x [B, I]; coef [O, I, n]; base_weight [O, I] (may be absent); bias [O] (may be absent)",
    attributes: "basis: as of `basis`",
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
                Ok(vec![t[0].kan_layer(&t[1], w, b, basis)?])
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
    // Outputs in fours have kernels of their own.
    all.extend((0..=5).map(|k| layer("orders", [3, 3, 4], 5, k).case()));
    all.extend([
        layer("one edge", [1, 1, 1], 5, 3).case(),
        layer("one interval", [3, 4, 9], 1, 3).case(),
        layer("many intervals", [65, 3, 5], 64, 3).case(),
        Layer { bias: true, ..layer("bias", [5, 3, 4], 3, 3) }.case(),
        Layer { base: false, ..layer("splines only", [7, 5, 17], 4, 2) }.case(),
        Layer { base: false, bias: true, ..layer("splines and bias", [3, 1, 8], 4, 1) }.case(),
        layer("order nine", [4, 3, 8], 3, 9).case(),
        layer("few rows", [2, 70, 64], 2, 1).case(),
        // Sums that are split even where a driver runs on the processor.
        layer("split inputs", [2, 130, 5], 1, 1).case(),
        layer("split rows", [70, 2, 5], 2, 2).case(),
        layer("split rows", [70, 2, 8], 2, 2).case(),
        layer("ranges of functions", [66, 2, 64], 64, 3).case(),
        layer("tiles", [64, 65, 64], 3, 3).case(),
        layer("beyond tiles", [65, 64, 65], 5, 3).case(),
        layer("one row", [1, 65, 65], 5, 3).case(),
        layer("one output", [65, 64, 1], 5, 3).case(),
        layer("no rows", [0, 3, 4], 5, 3).case(),
        Case::new("other range, strided inputs, leading dimensions", strided(), |t| {
            let basis = BSpline::new(6, 3)?.range(-0.5, 2.5)?;
            let x = t[0].permute(&[1, 2, 0])?;
            let (coef, base) = (t[1].slice(0, 1, 10)?, t[2].transpose(0, 1)?);
            Ok(vec![x.kan_layer(&coef, Some(&base), None, basis)?])
        })
        .kinks(&(-3..=9).map(|j| -0.5 + 0.5 * f64::from(j)).collect::<Vec<_>>()),
        Case::new("native layout", vec![CaseInput::new(&[9, 4]), CaseInput::new(&[4, 8, 10])], |t| {
            Ok(vec![t[0].kan_layer_native(&t[1], None, None, BSpline::new(4, 4)?)?])
        }),
    ]);
    all.extend(dense());
    all.extend(beyond());
    all
}

/// A layer over another basis: [rows, inputs, outputs], base and bias.
fn over(sample: &Sample, [rows, inputs, outputs]: [usize; 3], base: bool, bias: bool) -> Option<Case> {
    let Sample(name, make, (low, high), kinks, rounding) = sample;
    let make = *make;
    let n = make().ok()?.count();
    let mut given = vec![
        CaseInput::between(&[rows, inputs], *low, *high),
        CaseInput::between(&[outputs, inputs, n], -1.0, 1.0),
    ];
    if base {
        given.push(CaseInput::between(&[outputs, inputs], -1.0, 1.0));
    }
    if bias {
        given.push(CaseInput::new(&[outputs]));
    }
    let case = Case::new(format!("{name}: [{rows}, {inputs}] to {outputs}"), given, move |t| {
        let w = base.then(|| &t[2]);
        let b = bias.then(|| &t[2 + usize::from(base)]);
        Ok(vec![t[0].kan_layer(&t[1], w, b, make()?)?])
    });
    // Rounding of sums of all functions of `inputs` edges (gradients: of `outputs`).
    let terms = (inputs.max(outputs) * n) as f64;
    Some(case.kinks(kinks).tolerance(2e-6 * rounding.max(0.5 * terms.sqrt())))
}

fn dense() -> Vec<Case> {
    let all = samples();
    let mut cases: Vec<Case> = all
        .iter()
        .filter(|s| s.0 != "bspline")
        .enumerate()
        .filter_map(|(k, sample)| over(sample, [5 + k, 3, 1 + 2 * k], k % 2 == 0, k % 3 == 0))
        .collect();
    // Many rows and many inputs are split; more than 32 functions go range by range.
    cases.extend(over(&all[1], [130, 33, 20], true, false));
    cases.extend(over(&all[3], [65, 3, 65], true, false));
    cases.extend(over(&all[9], [1, 40, 3], false, false));
    cases.extend(over(&all[4], [0, 3, 2], true, false));
    cases.extend(over(
        &Sample("degree 0", || Basis::hermite(0), (-2.0, 2.0), vec![], 1.0),
        [3, 2, 4],
        false,
        false,
    ));
    let many = Sample("many centres", || Basis::rbf(40, (-2.0, 2.0), None), (-2.0, 2.0), vec![], 4.0);
    cases.extend(over(&many, [66, 2, 5], true, false));
    let more = Sample("more centres", || Basis::rbf(70, (-2.0, 2.0), Some(0.2)), (-2.0, 2.0), vec![], 4.0);
    cases.extend(over(&more, [33, 2, 4], true, false));
    cases
}

fn strided() -> Vec<CaseInput> {
    vec![CaseInput::new(&[5, 2, 3]), CaseInput::new(&[10, 5, 9]), CaseInput::new(&[5, 9])]
}
