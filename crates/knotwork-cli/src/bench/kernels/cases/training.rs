//! Losses, learnable activations, optimizers.

use knotwork::{
    Result, Site, Tensor,
    ops::{Adam, RationalForm, Sgd},
    prelude::DType,
};

use super::{
    super::case::{Case, Maker, Size},
    by,
};

/// What a training step needs besides its layers.
pub fn cases(size: Size) -> Vec<Case> {
    let [rows, classes] = size.of([[6, 9], [1024, 1024], [8192, 32768]]);
    let [wide_rows, width] = size.of([[5, 8], [2048, 512], [16384, 4096]]);
    let shape = by(&[rows, classes]);
    let wide = by(&[wide_rows, width]);
    let n = size.of([130, 1 << 20, 1 << 26]);
    vec![
        Case::new(format!("cross_entropy/forward_{shape}"), move |g| {
            let target = g.index(&[rows], classes)?;
            Ok(vec![g.x(&[rows, classes])?.cross_entropy(&target)?])
        }),
        Case::new(format!("cross_entropy/step_{shape}"), move |g| {
            let (x, target) = (g.x(&[rows, classes])?, g.index(&[rows], classes)?);
            let loss = x.cross_entropy(&target)?;
            let mut gives = loss.grad(&[&x])?;
            gives.push(loss);
            Ok(gives)
        }),
        Case::new(format!("mse_loss/forward_{n}"), move |g| Ok(vec![g.x(&[n])?.mse_loss(&g.x(&[n])?)?])),
        Case::new(format!("rational/forward_{wide}"), move |g| {
            let [x, p, q] = rational(g, [wide_rows, width])?;
            Ok(vec![x.rational(&p, &q, RationalForm::A)?])
        }),
        Case::new(format!("rational/backward_{wide}"), move |g| {
            let [x, p, q] = rational(g, [wide_rows, width])?;
            let y = x.rational(&p, &q, RationalForm::A)?;
            g.gradients(&y, &[&x, &p, &q])
        }),
        Case::new(format!("prelu/backward_{wide}"), move |g| {
            let (x, w) = (g.x(&[wide_rows, width])?, g.x(&[width])?);
            let y = x.prelu(&w, 1)?;
            g.gradients(&y, &[&x, &w])
        }),
        Case::new(format!("poly_norm/forward_{wide}"), move |g| {
            let (x, w, b) = (g.x(&[wide_rows, width])?, g.x(&[3])?, g.x(&[1])?);
            Ok(vec![x.poly_norm(&w, &b, 1e-6)?])
        }),
        Case::new(format!("poly_relu/backward_{wide}"), move |g| {
            let (x, w) = (g.x(&[wide_rows, width])?, g.x(&[4])?);
            let y = x.poly_relu(&w)?;
            g.gradients(&y, &[&x, &w])
        }),
        Case::new(format!("maxout/4_pieces_{wide}"), move |g| Ok(vec![g.x(&[wide_rows, width])?.maxout(4)?])),
        Case::new(format!("pad/{wide}"), move |g| Ok(vec![g.x(&[wide_rows, width])?.pad(-1, 3, 5)?])),
        Case::new(format!("concat/2x{wide}"), move |g| {
            let (a, b) = (g.x(&[wide_rows, width])?, g.x(&[wide_rows, width])?);
            Ok(vec![Tensor::concat(&[&a, &b], -1)?])
        }),
        Case::new(format!("adam/{n}"), move |g| {
            let p = g.initial(&[n], -1.0, 1.0)?;
            let p = g.graph.parameter("p", p)?;
            let m = g.initial(&[n], -0.1, 0.1)?;
            let m = g.graph.state("m", "m", m)?;
            let v = g.initial(&[n], 0.1, 1.0)?;
            let v = g.graph.state("v", "v", v)?;
            let (rate, step) = (g.graph.scalar("lr", 0.01)?, g.graph.constant(DType::I32, 3.0)?);
            let d = g.x(&[n])?;
            let new = g.graph.apply(Adam::new(1), &[&rate, &step, &p, &d, &m, &v], Site::here())?;
            assign(g, &[&p, &m, &v], &new)
        }),
        Case::new(format!("sgd/{n}"), move |g| {
            let p = g.initial(&[n], -1.0, 1.0)?;
            let p = g.graph.parameter("p", p)?;
            let rate = g.graph.scalar("lr", 0.01)?;
            let d = g.x(&[n])?;
            let new = g.graph.apply(Sgd::new(1), &[&rate, &p, &d], Site::here())?;
            assign(g, &[&p], &new)
        }),
    ]
}

/// Writes new values into their slots.
fn assign(g: &mut Maker, slots: &[&Tensor], new: &[Tensor]) -> Result<Vec<Tensor>> {
    for (slot, new) in slots.iter().zip(new) {
        g.updates.push(g.graph.assign(slot, new)?);
    }
    Ok(Vec::new())
}

/// x, numerator and denominator of 4 groups.
fn rational(g: &mut Maker, shape: [usize; 2]) -> Result<[Tensor; 3]> {
    Ok([g.x(&shape)?, g.x(&[4, 6])?, g.x(&[4, 4])?])
}
