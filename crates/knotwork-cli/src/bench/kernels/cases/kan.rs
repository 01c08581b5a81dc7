//! KAN layers: by grid, forward and each gradient; other bases; wavelets on the edges.

use knotwork::{
    Result, Tensor,
    ops::{BSpline, Basis, Wavelet},
};

use super::{
    super::case::{Case, Fill, Maker, Size},
    by,
};

/// Rows, inputs, outputs.
type Shape = [usize; 3];
/// A way to make a basis.
type Make = fn() -> Result<Basis>;

/// x, coefficients as the layer keeps them and as it takes them, weights of the base branch.
fn operands(g: &mut Maker, [rows, i, o]: Shape, functions: usize) -> Result<[Tensor; 4]> {
    let kept = g.x(&[i, functions, o])?;
    Ok([g.x(&[rows, i])?, kept.clone(), kept.permute(&[2, 0, 1])?, g.x(&[o, i])?])
}

/// The layers.
pub fn cases(size: Size) -> Vec<Case> {
    let shape = size.of([[9, 6, 5], [1024, 64, 64], [4096, 1024, 1024]]);
    let wide = size.of([[5, 12, 4], [256, 784, 64], [4096, 784, 64]]);
    let one = size.of([[1, 12, 4], [1, 784, 64], [1, 4096, 4096]]);
    let mut all = Vec::new();
    // What changes with the number of functions of an input.
    let square = size.of([[6, 4, 8], [256, 64, 64], [4096, 256, 256]]);
    let crossing = [2, 5, 10, 20, 50].map(|grid| (square, grid));
    for (shape, grid) in [(shape, 5), (shape, 50), (wide, 5), (one, 5), (one, 50)].into_iter().chain(crossing)
    {
        let name = format!("g{grid}_{}", by(&shape));
        all.push(Case::new(format!("kan/forward_{name}"), move |g| {
            let basis = BSpline::new(grid, 3)?;
            let [x, _, coef, base] = operands(g, shape, basis.count())?;
            Ok(vec![x.kan_layer(&coef, Some(&base), None, basis)?])
        }));
        for (what, wanted) in [("input", [0].as_slice()), ("weights", &[1, 3])] {
            if shape[0] == 1 {
                continue;
            }
            all.push(Case::new(format!("kan/to_{what}_{name}"), move |g| {
                let basis = BSpline::new(grid, 3)?;
                let all = operands(g, shape, basis.count())?;
                let y = all[0].kan_layer(&all[2], Some(&all[3]), None, basis)?;
                g.gradients(&y, &wanted.iter().map(|&i| &all[i]).collect::<Vec<_>>())
            }));
        }
    }
    let bases: [(&str, Make); 5] = [
        ("rbf8", || Basis::rbf(8, (-1.0, 1.0), None)),
        ("chebyshev6", || Basis::chebyshev(6)),
        ("fourier4", || Basis::fourier(4)),
        ("relu_kan5", || Basis::relu_kan(5, 3)),
        ("bernstein5", || Basis::bernstein(5)),
    ];
    let few = [(bases[0].0, bases[0].1, one)];
    for (what, make, shape) in bases.map(|(what, make)| (what, make, shape)).into_iter().chain(few) {
        all.push(Case::new(format!("kan/{what}_{}", by(&shape)), move |g| {
            let basis = make()?;
            let [x, _, coef, _] = operands(g, shape, basis.count())?;
            Ok(vec![x.kan_layer(&coef, None, None, basis)?])
        }));
    }
    let [rows, inputs, _] = shape;
    all.push(Case::new(format!("basis/bspline_g5_{rows}x{inputs}"), move |g| {
        Ok(vec![g.x(&[rows, inputs])?.basis(BSpline::new(5, 3)?)?])
    }));
    for [rows, i, o] in [size.of([[4, 3, 5], [256, 64, 64], [1024, 512, 512]]), one] {
        all.push(Case::new(format!("wavelet_kan/mexican_hat_{}", by(&[rows, i, o])), move |g| {
            let x = g.x(&[rows, i])?;
            let scale = g.filled(x.dtype(), &[o, i], Fill::Uniform(0.5, 2.0))?;
            Ok(vec![x.wavelet_kan_layer(&g.x(&[o, i])?, &scale, &g.x(&[o, i])?, Wavelet::MexicanHat)?])
        }));
    }
    all
}
