//! The same network on another grid.

use knotwork_core::{
    Graph,
    device::Params,
    ops::{BSpline, Outside},
};

use super::{Functions, Kan, Network, branch::Branch, knots::Knots, network::NetworkLayer, project};
use crate::{Error, Result};

impl Kan {
    /// The network with so many intervals over each layer's range ([`Network::refine`]), its parameters added to `graph`
    /// (another one: names stay).
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
        self.network(params)?.refine(grid)?.build_as(graph, &self.name, self.dtype())
    }
}

impl Network {
    /// The network with so many intervals over each grid, its edges' functions kept: by exact knot insertion where the old
    /// grid's points are among the new ones (G to 2 G, 3 G …), else the nearest splines in the mean square over the range.
    /// Beyond the range, where splines fade to 0, they fade over intervals of another width. Layers over other functions
    /// than splines stay as they are. Grids of inputs' own keep their shape: new points lie evenly between old ones.
    ///
    /// # Errors
    /// Where the grid cannot be taken.
    #[track_caller]
    pub fn refine(&self, grid: usize) -> Result<Self> {
        let mut refined = self.clone();
        for (l, layer) in refined.layers.iter_mut().enumerate() {
            for b in 0..layer.branches.len() {
                let functions = match &layer.branches[b].functions {
                    Functions::Basis(basis) => match basis.spline() {
                        None => continue,
                        Some(spline) => {
                            let (low, high) = spline.ends();
                            let finer = BSpline::new(grid, spline.order())?.range(low, high)?;
                            Functions::Basis(finer.outside(spline.policy()).into())
                        }
                    },
                    Functions::OnKnots(knots, outside) => {
                        let finer = knots.iter().map(|k| k.resampled(grid));
                        Functions::OnKnots(finer.collect::<Result<_>>()?, *outside)
                    }
                    Functions::Wavelet(..) => continue,
                };
                layer.put(l, b, functions, &[])?;
            }
        }
        Ok(refined)
    }
}

impl NetworkLayer {
    /// Puts the splines of a branch onto other knots, their functions kept as well as those can; `known` are the ranges of
    /// samples of the inputs, where there are any.
    #[track_caller]
    pub(super) fn put(
        &mut self,
        layer: usize,
        branch: usize,
        functions: Functions,
        known: &[(f64, f64)],
    ) -> Result<()> {
        let (inputs, sums) = (self.inputs, self.sums);
        let Branch { functions: before, coef, .. } = &self.branches[branch];
        let outside = before.spline().map_or(Outside::Zero, |s| s.2);
        let (from, to) = (before.count(), functions.count());
        let mut all = vec![0.0; inputs * to * sums];
        for input in 0..inputs {
            let column = |o: usize| (0..from).map(|m| coef[(input * from + m) * sums + o]).collect();
            let columns: Vec<Vec<f64>> = (0..sums).map(column).collect();
            let found = before.knots(input).zip(functions.knots(input)).and_then(|(old, new)| {
                if old == new {
                    Some(columns)
                } else {
                    project::convert(&old, &new, outside, known.get(input).copied(), &columns)
                }
            });
            let found = found.filter(|columns| columns.iter().flatten().all(|c| c.is_finite()));
            let found = found.ok_or_else(|| {
                Error::setting(format!(
                    "Network: input {input} of layer {layer} cannot be put on {functions}: its coefficients are not unique"
                ))
            })?;
            for (o, column) in found.iter().enumerate() {
                for (m, c) in column.iter().enumerate() {
                    all[(input * to + m) * sums + o] = *c;
                }
            }
        }
        let branch = &mut self.branches[branch];
        (branch.functions, branch.coef) = (functions, all);
        Ok(())
    }
}

impl Knots {
    /// So many cells over the same range, dense where these are: a point at each part of the cells.
    #[track_caller]
    pub(super) fn resampled(&self, grid: usize) -> Result<Self> {
        if !(1..=1 << 20).contains(&grid) {
            return Err(Error::setting(format!("Knots: grid is {grid}; it must be from 1 to {}", 1 << 20)));
        }
        let (points, cells) = (self.grid(), self.cells());
        let at = |j: usize| {
            let (whole, rest) = (j * cells / grid, j * cells % grid);
            let part = rest as f64 / grid as f64;
            match points.get(whole + 1) {
                Some(next) if rest > 0 => (1.0 - part) * points[whole] + part * next,
                _ => points[whole],
            }
        };
        Self::through(&(0..=grid).map(at).collect::<Vec<_>>(), self.order())
    }
}

#[cfg(test)]
mod tests {
    use knotwork_core::{DType, Device, HostTensor};

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
        assert_eq!(refined.functions(1).unwrap().spline().unwrap().0, finer);
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
