//! Elementwise chains, and kernels that move rows.

use knotwork::ops::GluActivation;

use super::{
    super::case::{Case, Size},
    by,
};

/// Chains in one kernel, gated units, gathers and scatters.
pub fn cases(size: Size) -> Vec<Case> {
    let n = size.of([100, 1 << 20, 1 << 26]);
    let [rows, width] = size.of([[7, 12], [2048, 512], [16384, 4096]]);
    let shape = by(&[rows, width]);
    vec![
        Case::new(format!("elementwise/add_{n}"), move |g| Ok(vec![g.x(&[n])?.add(&g.x(&[n])?)?])),
        Case::new(format!("elementwise/chain12_{n}"), move |g| {
            let (x, y) = (g.x(&[n])?, g.x(&[n])?);
            let mut z = x.mul(&y)?.add(&x)?.sub(0.5)?;
            for _ in 0..3 {
                z = z.mul(0.9)?.add(&y)?.maximum(&x.mul(-1.0)?)?;
            }
            Ok(vec![z])
        }),
        Case::new(format!("elementwise/gelu_{n}"), move |g| Ok(vec![g.x(&[n])?.gelu()?])),
        Case::new(format!("elementwise/exp_tanh_{n}"), move |g| Ok(vec![g.x(&[n])?.exp()?.tanh()?])),
        Case::new(format!("elementwise/transposed_add_{shape}"), move |g| {
            Ok(vec![g.x(&[rows, width])?.add(&g.x(&[width, rows])?.transpose(0, 1)?)?])
        }),
        Case::new(format!("elementwise/row_and_column_{shape}"), move |g| {
            let (x, row, column) = (g.x(&[rows, width])?, g.x(&[width])?, g.x(&[rows, 1])?);
            Ok(vec![x.mul(&row)?.add(&column)?])
        }),
        Case::new(format!("glu/swiglu_{shape}"), move |g| {
            Ok(vec![g.x(&[rows, width])?.glu(&g.x(&[rows, width])?, GluActivation::Silu)?])
        }),
        Case::new(format!("gather_rows/{shape}"), move |g| {
            let index = g.index(&[rows], rows)?;
            Ok(vec![g.x(&[rows, width])?.gather_rows(&index)?])
        }),
        Case::new(format!("scatter_add_rows/{shape}"), move |g| {
            let index = g.index(&[rows], rows)?;
            Ok(vec![g.x(&[rows, width])?.scatter_add_rows(&index, rows)?])
        }),
    ]
}
