//! A network's programs for another of the same structure: other values, knots of inputs included.

use std::sync::Arc;

use knotwork_core::device::Params;

use super::{Functions, Kan, Network, layer::host, network::NetworkLayer};
use crate::Result;

impl NetworkLayer {
    /// Whether another layer differs in values alone.
    fn is_like(&self, other: &Self) -> bool {
        // Those of learned functions also where no edge has one.
        let values = |layer: &Self| layer.values_by_name(true);
        let shapes =
            |layer| -> Vec<_> { values(layer).into_iter().map(|(what, shape, _)| (what, shape)).collect() };
        if shapes(self) != shapes(other) {
            return false;
        }
        let mut same = self.clone();
        values(other).into_iter().for_each(|(what, _, values)| same.set(&what, values));
        for (mine, theirs) in same.branches.iter_mut().zip(&other.branches) {
            let alike = mine.functions.spline() == theirs.functions.spline();
            if let (Functions::OnKnots(mine, _), Functions::OnKnots(theirs, _), true) =
                (&mut mine.functions, &theirs.functions, alike)
            {
                mine.clone_from(theirs);
            }
        }
        same == *other
    }
}

impl Kan {
    /// Gives its parameters the values of another network of the same structure, and says whether that is what it is: where it
    /// is not, nothing changes.
    pub(super) fn take(&mut self, params: &Params, network: &Network) -> Result<bool> {
        let Network { inputs, outputs, layers, units } = &*self.network;
        let same = layers.len() == network.layers.len()
            && (inputs, outputs, units) == (&network.inputs, &network.outputs, &network.units)
            && layers.iter().zip(&network.layers).all(|(a, b)| a.is_like(b));
        if !same {
            return Ok(false);
        }
        let mut values = Vec::new();
        for (l, layer) in network.layers.iter().enumerate() {
            for (what, shape, numbers) in layer.slots() {
                values.push((format!("{}.{l}.{what}", self.name), host(&numbers, &shape, self.dtype())?));
            }
        }
        params.set_all(values.iter().map(|(name, value)| (name.as_str(), value)))?;
        self.network = Arc::new(network.clone());
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use knotwork_core::{Device, Graph, HostTensor, ops::Basis};

    use super::*;
    use crate::{
        Generator,
        kan::{Fit, GridUpdate},
        symbolic::{Affine, Library},
    };

    fn samples() -> [HostTensor; 2] {
        let x = Generator::new(3).uniform(&[90, 2], -1.0, 1.0).unwrap();
        let y: Vec<f32> = x.to_f64().chunks(2).map(|x| (2.0 * x[0]).sin() as f32 * x[1] as f32).collect();
        [x, HostTensor::new(&y, [90, 1]).unwrap()]
    }

    fn network() -> Network {
        Kan::new(&Graph::new(), "k", [2, 2, 1]).grid(4).bias(true).scale(true).seed(4).network().unwrap()
    }

    #[test]
    fn a_fit_on_moving_grids_is_one_fit_after_another() {
        let ([x, y], device) = (samples(), Device::cpu());
        for update in [GridUpdate::new(), GridUpdate::new().shared(true)] {
            let whole = Fit::new().steps(30).update_grids(update.clone(), 3, 30);
            let whole = whole.run(&network(), &device, &x, &y).unwrap();
            let mut parts = network();
            let mut evaluations = 0;
            for _ in 0..3 {
                parts = parts.update_grid_from_samples(&device, &x, &update).unwrap();
                let part = Fit::new().steps(10).run(&parts, &device, &x, &y).unwrap();
                (parts, evaluations) = (part.network, evaluations + part.evaluations);
            }
            assert_eq!((whole.network, whole.evaluations), (parts, evaluations));
        }
    }

    #[test]
    fn only_values_may_differ() {
        let ([x, _], device) = (samples(), Device::cpu());
        let on_knots = network().update_grid_from_samples(&device, &x, &GridUpdate::new()).unwrap();
        let g = Graph::new();
        let mut model = on_knots.build(&g, "k").unwrap();
        let input = g.tensor(x.clone()).unwrap();
        let y = model.forward(&input).unwrap();
        let mut program = device.compile(&g, &[&y], &[]).unwrap();
        let moved = on_knots.update_grid_from_samples(&device, &x, &GridUpdate::new().uniform(1.0)).unwrap();
        assert_ne!(moved, on_knots);
        assert!(model.take(program.params(), &moved).unwrap());
        let found = program.run::<HostTensor>([]).unwrap().wait().unwrap();
        assert_eq!(found[0], moved.predict(&device, &x).unwrap());
        assert_eq!(model.network(program.params()).unwrap().layers()[0].range(1), moved.layers()[0].range(1));

        let wider = network().update_grid_from_samples(&device, &x, &GridUpdate::new().grid(5)).unwrap();
        let mut masked = moved.clone();
        masked.layers[0].mask[1] = false;
        let sin = Library::standard().get("sin").unwrap();
        let formula = Affine { function: sin, a: 1.0, b: 0.0, c: 1.0, d: 0.0 };
        let formula = moved.fix_symbolic(1, 0, 0, &formula);
        let based = Kan::new(&Graph::new(), "k", [2, 2, 1]).basis(Basis::fourier(3).unwrap());
        let named = moved.clone().named(&["a", "b"], &["c"]).unwrap();
        for other in [network(), wider, masked, formula.unwrap(), based.network().unwrap(), named] {
            assert!(!model.take(program.params(), &other).unwrap());
        }
    }
}
