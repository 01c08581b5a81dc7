//! A network on a device for samples: what its layers are given, and where that leaves their grids.

use knotwork_core::{DType, Device, Dim, Graph, HostTensor, Tensor};

use super::{Kan, Network};
use crate::{Error, Result};

impl Network {
    /// What every layer is given for samples x [rows, inputs], and at last what the last one gives, computed on a device
    /// ([`Kan::activations`]).
    ///
    /// # Errors
    /// Where x is no float [rows, inputs] with at least one row, a sample is not finite, or the device refuses.
    #[track_caller]
    pub fn activations(&self, device: &Device, x: &HostTensor) -> Result<Vec<HostTensor>> {
        self.on_samples(device, x, |model, x| model.activations(x))
    }

    /// The fraction of samples x [rows, inputs] that lie outside the grid of each input of each layer, the first of several kinds of splines:
    /// where these fade or go on straight, and learn nothing about themselves. 0 for functions of all numbers.
    ///
    /// ```
    /// use knotwork_core::{Device, Graph, HostTensor};
    /// use knotwork_nn::Kan;
    /// let network = Kan::new(&Graph::new(), "kan", [2, 1]).range(-1, 1).network()?;
    /// let x = HostTensor::new(&[0.5f32, 0.5, 0.5, 7.0], [2, 2])?;
    /// assert_eq!(network.out_of_range(&Device::cpu(), &x)?, [[0.0, 0.5]]);
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As of [`activations`](Self::activations).
    #[track_caller]
    pub fn out_of_range(&self, device: &Device, x: &HostTensor) -> Result<Vec<Vec<f64>>> {
        let found = self.on_samples(device, x, |model, x| {
            let mut all = Vec::new();
            for (x, layer) in model.activations(x)?.iter().zip(&self.layers) {
                let ends: Vec<(f64, f64)> = (0..layer.inputs)
                    .map(|i| {
                        let spline = layer.functions().find(|f| f.spline().is_some());
                        spline.map_or((f64::NEG_INFINITY, f64::INFINITY), |f| f.range(i))
                    })
                    .collect();
                let end = |of: fn(&(f64, f64)) -> f64| {
                    let values: Vec<f32> = ends.iter().map(|e| of(e) as f32).collect();
                    x.graph().tensor(HostTensor::new(&values, [layer.inputs])?)
                };
                all.push(x.out_of_range(&end(|e| e.0)?, &end(|e| e.1)?)?);
            }
            Ok(all)
        })?;
        Ok(found.iter().map(HostTensor::to_f64).collect())
    }

    /// The values of tensors that are made from the network's model and its samples, on a device.
    #[track_caller]
    pub(super) fn on_samples(
        &self,
        device: &Device,
        x: &HostTensor,
        make: impl FnOnce(&Kan, &Tensor) -> Result<Vec<Tensor>>,
    ) -> Result<Vec<HostTensor>> {
        self.check_samples(x)?;
        let g = Graph::new();
        let inputs = x.shape()[1];
        let model = self.build(&g, "kan")?;
        let input = g.input("x", DType::F32, [Dim::named("rows"), inputs.into()])?;
        let wanted = make(&model, &input)?;
        let mut program = device.compile(&g, &wanted.iter().collect::<Vec<_>>(), &[])?;
        Ok(program.run([("x", x.cast(DType::F32))])?.wait()?)
    }

    /// That x is [rows, inputs], all finite.
    #[track_caller]
    pub(super) fn check_samples(&self, x: &HostTensor) -> Result<()> {
        let inputs = self.widths().first().copied().unwrap_or(0);
        match *x.shape() {
            [rows, columns] if rows > 0 && columns == inputs && x.dtype().is_float() => {}
            _ => {
                return Err(Error::setting(format!(
                    "Network: the samples are {x}; they must be floats [rows, {inputs}], at least one row"
                )));
            }
        }
        match x.to_f64().iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(at) => Err(Error::setting(format!(
                "Network: row {} of the samples has no finite number for input {} (`{}`)",
                at / inputs,
                at % inputs,
                self.inputs.get(at % inputs).map_or("", String::as_str)
            ))),
        }
    }
}
