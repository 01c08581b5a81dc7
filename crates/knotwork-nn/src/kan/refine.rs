//! The same network on another grid.

use knotwork_core::{Graph, HostTensor, device::Params, ops::BSpline};

use super::{Kan, Layer, knots::Knots, project};
use crate::{Error, Result};

impl Kan {
    /// The network with so many intervals over each layer's range, its parameters added to `graph` (another one: names stay)
    /// with values that keep every edge's function: by exact knot insertion where the old grid's points are among the new
    /// ones (G to 2 G, 3 G …), else the nearest splines in the mean square over the range. Beyond the range, where splines
    /// fade to 0, they fade over intervals of another width. Layers over other functions than splines stay as they are.
    ///
    /// ```
    /// use knotwork_core::{DType, Device, Graph, HostTensor};
    /// use knotwork_nn::Kan;
    /// let (coarse, fine) = (Graph::new(), Graph::new());
    /// let model = Kan::new(&coarse, "kan", [2, 3, 1]).grid(5).range(-3, 3).build()?;
    /// let x = coarse.input("x", DType::F32, [4, 2])?;
    /// let mut program = Device::cpu().compile(&coarse, &[&model.forward(&x)?], &[])?;
    ///
    /// let refined = model.refine(program.params(), &fine, 10)?;
    /// let x = fine.input("x", DType::F32, [4, 2])?;
    /// let mut finer = Device::cpu().compile(&fine, &[&refined.forward(&x)?], &[])?;
    ///
    /// let x = HostTensor::new(&[0.1f32, -0.9, 0.5, 0.3, -0.2, 0.8, 0.0, 1.0], [4, 2])?;
    /// let (before, after) = (program.run([("x", &x)])?.wait()?, finer.run([("x", &x)])?.wait()?);
    /// for (a, b) in before[0].to_f64().iter().zip(after[0].to_f64()) {
    ///     assert!((a - b).abs() < 1e-6);
    /// }
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where `params` are of another network or hold no finite numbers, the grid cannot be taken, or `graph` has
    /// parameters of these names.
    #[track_caller]
    pub fn refine(&self, params: &Params, graph: &Graph, grid: usize) -> Result<Self> {
        // Everything that can go wrong comes before the first parameter is added.
        let mut made = Vec::with_capacity(self.layers.len());
        for (l, layer) in self.layers.iter().enumerate() {
            let [inputs, outputs] = layer.widths;
            let get = |what: &str, want: &[usize]| {
                self.finite(params, graph, &format!("{}.{l}.{what}", self.name), want)
            };
            let coef = get("coef", &[inputs, layer.basis.count(), outputs])?;
            let base = layer.base.as_ref().map(|_| get("base", &[inputs, outputs])).transpose()?;
            let bias = layer.bias.as_ref().map(|_| get("bias", &[outputs])).transpose()?;
            let (basis, coef) = match layer.basis.spline() {
                None => (layer.basis, coef),
                Some(spline) => {
                    let (low, high) = spline.ends();
                    let basis = BSpline::new(grid, spline.order())?.range(low, high)?;
                    let found = convert(
                        &Knots::uniform(spline),
                        &Knots::uniform(&basis),
                        &coef.to_f64(),
                        layer.widths,
                    );
                    let found = found.ok_or_else(|| {
                        Error::setting(format!("Kan `{}`: layer {l} cannot be put on {basis}", self.name))
                    })?;
                    (basis.into(), HostTensor::from_vec(found, [inputs, basis.count(), outputs])?)
                }
            };
            made.push((basis, coef, base, bias));
        }
        let mut layers = Vec::with_capacity(self.layers.len());
        for (l, (layer, (basis, coef, base, bias))) in self.layers.iter().zip(made).enumerate() {
            let add = |what: &str, value| graph.parameter(&format!("{}.{l}.{what}", self.name), value);
            let coef = add("coef", coef)?;
            let base = base.map(|value| add("base", value)).transpose()?;
            let bias = bias.map(|value| add("bias", value)).transpose()?;
            layers.push(Layer { widths: layer.widths, basis, coef, base, bias });
        }
        Ok(Self { name: self.name.clone(), layers })
    }

    /// A parameter's values, which must have this network's shape and be finite, for a graph that has none of its name.
    #[track_caller]
    fn finite(&self, params: &Params, graph: &Graph, name: &str, want: &[usize]) -> Result<HostTensor> {
        let refuse = |what: String| Err(Error::setting(format!("Kan `{}`: {what}", self.name)));
        if graph.get(name).is_some() {
            return refuse(format!(
                "the graph has a `{name}` already; the refined network goes into another one"
            ));
        }
        let found = params.get(name)?;
        if found.shape() != want {
            return refuse(format!(
                "`{name}` has shape {:?} there; this network's has {want:?}",
                found.shape()
            ));
        }
        match found.to_f64().iter().enumerate().find(|(_, value)| !value.is_finite()) {
            Some((at, value)) => {
                refuse(format!("element {at} of `{name}` is {value}; only finite ones can be refined"))
            }
            None => Ok(found),
        }
    }
}

/// Coefficients [I, n, O] over other knots, the same for each input.
fn convert(old: &Knots, new: &Knots, coef: &[f64], [inputs, outputs]: [usize; 2]) -> Option<Vec<f32>> {
    let (from, to) = (old.count(), new.count());
    let column = |edge: usize| {
        (0..from).map(|m| coef[(edge / outputs * from + m) * outputs + edge % outputs]).collect()
    };
    let columns: Vec<Vec<f64>> = (0..inputs * outputs).map(column).collect();
    let mut all = vec![0.0; inputs * to * outputs];
    for (edge, column) in project::convert(old, new, &columns)?.iter().enumerate() {
        for (m, c) in column.iter().enumerate() {
            all[(edge / outputs * to + m) * outputs + edge % outputs] = *c as f32;
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use knotwork_core::{DType, Device};

    use super::*;

    /// Outputs before and after, on points within the range.
    fn both(grid: usize, finer: usize, order: usize) -> (Vec<f64>, Vec<f64>) {
        let (coarse, fine) = (Graph::new(), Graph::new());
        let model = Kan::new(&coarse, "k", [2, 3, 2])
            .grid(grid)
            .order(order)
            .range(-2, 2)
            .bias(true)
            .seed(3)
            .build()
            .unwrap();
        let rows = 64;
        let xs = crate::Generator::new(1).uniform(&[rows, 2], -1.0, 1.0).unwrap();
        let run = |g: &Graph, model: &Kan| {
            let x = g.input("x", DType::F32, [rows, 2]).unwrap();
            let mut program = Device::cpu().compile(g, &[&model.forward(&x).unwrap()], &[]).unwrap();
            let out = program.run([("x", &xs)]).unwrap().wait().unwrap().remove(0).to_f64();
            (program, out)
        };
        let (program, before) = run(&coarse, &model);
        let refined = model.refine(program.params(), &fine, finer).unwrap();
        assert_eq!(refined.basis(1).unwrap().spline().unwrap().grid(), finer);
        assert_eq!(refined.widths(), model.widths());
        (before, run(&fine, &refined).1)
    }

    #[test]
    fn a_doubled_grid_keeps_the_network() {
        for (grid, order, limit) in
            [(3, 3, 1e-6), (5, 3, 1e-6), (20, 3, 1e-6), (50, 3, 1e-5), (5, 2, 1e-6), (4, 5, 1e-6)]
        {
            for by in [2, 3] {
                let (before, after) = both(grid, by * grid, order);
                let rms = (before.iter().map(|y| y * y).sum::<f64>() / before.len() as f64).sqrt();
                for (a, b) in before.iter().zip(&after) {
                    assert!(
                        (a - b).abs() <= limit * rms,
                        "{grid} by {by}, order {order}: {a}, {b}, rms {rms}"
                    );
                }
            }
        }
    }

    #[test]
    fn other_grids_come_near() {
        // Not nested: the projection's distance falls with the new grid.
        let distance = |finer: usize| -> f64 {
            let (before, after) = both(3, finer, 3);
            before.iter().zip(&after).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
        };
        let (near, nearer) = (distance(10), distance(50));
        assert!(near < 0.2 && nearer < 0.1 * near, "{near} {nearer}");
    }

    #[test]
    fn what_cannot_be_refined_is_refused() {
        let g = Graph::new();
        let model = Kan::new(&g, "k", [2, 3]).build().unwrap();
        let program = Device::cpu().compile(&g, &model.parameters(), &[]).unwrap();
        let params = program.params();
        let text = |r: Result<Kan>| r.unwrap_err().to_string();
        assert!(text(model.refine(params, &g, 10)).contains("the graph has a `k.0.coef` already"));
        assert!(text(model.refine(params, &Graph::new(), 0)).contains("grid is 0"));
        let other = Graph::new();
        let wide = Kan::new(&other, "k", [2, 4]).build().unwrap();
        assert!(
            text(wide.refine(params, &Graph::new(), 10))
                .contains("has shape [2, 8, 3] there; this network's has [2, 8, 4]")
        );
        // Nothing is half done: the same graph takes the next try.
        let (bare, third) = (Graph::new(), Graph::new());
        let without = Kan::new(&bare, "k", [2, 3]).base(false).build().unwrap();
        let lacking = Device::cpu().compile(&bare, &without.parameters(), &[]).unwrap();
        assert!(text(model.refine(lacking.params(), &third, 10)).contains("k.0.base"));
        assert!(third.is_empty() && model.refine(params, &third, 10).is_ok());
        let nan = HostTensor::new(&[f32::NAN; 48], [2, 8, 3]).unwrap();
        params.set("k.0.coef", &nan).unwrap();
        assert!(text(model.refine(params, &Graph::new(), 10)).contains("element 0 of `k.0.coef` is NaN"));
    }
}
