//! A network in one file that says all of it: structure, grids, formulas, numbers, and training's state where there is any.

use std::path::Path;

use knotwork_core::{DType, device::Params};

use super::{
    Kan, Network,
    description::{Description, VERSION},
    layer::host,
};
use crate::{Checkpoint, CheckpointError, Error, Metadata, Result, symbolic::Library};

/// The key of the description in a checkpoint's configuration.
const KEY: &str = "kan";
/// The key of a FastKAN's.
pub(super) const FAST: &str = "fastkan";

impl Network {
    /// Saves the network as one safetensors file: tensors in f64, and all else in its metadata. A file at `path` is
    /// replaced whole or not at all.
    ///
    /// ```
    /// use knotwork_core::Graph;
    /// use knotwork_nn::{Kan, kan::Network, symbolic::Library};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("kan.safetensors");
    /// let network = Kan::new(&Graph::new(), "kan", [2, 3, 1]).network()?;
    /// network.save(&path)?;
    /// assert_eq!(Network::load(&path, &Library::standard())?, network);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CheckpointError::Write`] where the disk refuses, [`CheckpointError::NotFinite`] where a value is NaN or infinite.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut tensors = Vec::new();
        for (l, layer) in self.layers.iter().enumerate() {
            for (what, shape, values) in layer.values_by_name(true) {
                tensors.push((format!("{KEY}.{l}.{what}"), host(&values, &shape, DType::F64)?));
            }
        }
        let parameters = tensors.iter().map(|(name, _)| name.clone()).collect();
        let metadata = Metadata { config: self.config(KEY)?, parameters, ..Metadata::default() };
        Checkpoint::write(path.as_ref(), &tensors, metadata)
    }

    /// The network of a file: one that [`save`](Self::save) wrote, a checkpoint by [`Kan::save`], or one of a
    /// [`Trainer`](crate::Trainer) whose configuration is [`Kan::config`]. Its formulas' functions are looked up in
    /// `library`.
    ///
    /// # Errors
    /// [`CheckpointError`] where the file cannot be read, is truncated or damaged, of a later version, or says nothing of a
    /// KAN; [`SymbolicError::UnknownFunction`](crate::symbolic::SymbolicError::UnknownFunction) where the library lacks a function.
    pub fn load(path: impl AsRef<Path>, library: &Library) -> Result<Self> {
        let path = path.as_ref();
        Self::of_checkpoint(path, &Checkpoint::load(path)?, library)
    }

    fn of_checkpoint(path: &Path, saved: &Checkpoint, library: &Library) -> Result<Self> {
        let invalid = |reason: String| CheckpointError::Invalid { path: path.into(), reason };
        let Some(said) = saved.metadata().config.get(KEY) else {
            if saved.metadata().config.get(FAST).is_some() {
                return Err(
                    invalid("it holds a FastKAN with layer norms: `FastKan::load` reads it".into()).into()
                );
            }
            return Err(invalid("it is a checkpoint, but says nothing of a KAN's structure".into()).into());
        };
        // The version first: a later one need not have this one's fields.
        let found = said.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32;
        if found != VERSION {
            return Err(CheckpointError::Version { path: path.into(), found, known: VERSION }.into());
        }
        let said: Description = serde_json::from_value(said.clone())
            .map_err(|e| invalid(format!("its description of a KAN is damaged: {e}")))?;
        said.network(library, tensors_of(saved, &said.name)).map_err(|e| in_file(path, e))
    }

    fn config(&self, name: &str) -> Result<serde_json::Value> {
        let said = serde_json::to_value(Description::of(self, name))
            .map_err(|e| Error::setting(format!("Network: its structure cannot be written: {e}")))?;
        Ok(serde_json::json!({ KEY: said }))
    }
}

/// A file's tensors by layer, name and shape, in which `usize::MAX` is any size: what a description reads its numbers from.
pub(super) fn tensors_of(
    saved: &Checkpoint,
    prefix: &str,
) -> impl FnMut(usize, &str, &[usize]) -> Result<Option<Vec<f64>>> {
    move |l, what, shape| {
        let name = format!("{prefix}.{l}.{what}");
        let Some(tensor) = saved.tensors().get(&name) else { return Ok(None) };
        let fits = tensor.shape().len() == shape.len()
            && tensor.shape().iter().zip(shape).all(|(has, want)| has == want || *want == usize::MAX)
            && tensor.dtype().is_float();
        if !fits {
            return Err(Error::setting(format!("`{name}` is {tensor}; it must be floats {shape:?}")));
        }
        Ok(Some(tensor.to_f64()))
    }
}

/// What is wrong with a file's description, as the file's error.
pub(super) fn in_file(path: &Path, e: Error) -> Error {
    let invalid = |reason: String| CheckpointError::Invalid { path: path.into(), reason }.into();
    match e {
        Error::Setting { what, .. } => invalid(what),
        Error::Core(e) => invalid(e.to_string()),
        other => other,
    }
}

impl Kan {
    /// The structure as a checkpoint's configuration: what makes [`Trainer::config`](crate::Trainer::config)'s files
    /// say all of the network.
    ///
    /// # Errors
    /// None today: names and numbers are always written.
    pub fn config(&self) -> Result<serde_json::Value> {
        self.structure().config(&self.name)
    }

    /// Saves the network with every parameter, optimizer state and scalar of a program: to go on training from
    /// ([`Checkpoint::restore`]), and to read the network alone from ([`Network::load`]). `metadata` says how far training
    /// had come; its configuration is filled in.
    ///
    /// # Errors
    /// As of [`Checkpoint::save`].
    pub fn save(&self, path: impl AsRef<Path>, params: &Params, metadata: Metadata) -> Result<()> {
        let mut config = self.config()?;
        if let (Some(all), serde_json::Value::Object(own)) = (config.as_object_mut(), metadata.config.clone())
        {
            own.into_iter().for_each(|(key, value)| {
                all.entry(key).or_insert(value);
            });
        }
        Checkpoint::save(path, params, Metadata { config, ..metadata })
    }
}

#[cfg(test)]
mod tests {
    use knotwork_core::{Device, Graph, HostTensor};

    use super::*;
    use crate::{
        Lbfgs,
        kan::{Fit, GridUpdate, Unit},
        symbolic::Affine,
    };

    fn samples() -> HostTensor {
        crate::Generator::new(4).uniform(&[60, 2], -1.0, 1.0).unwrap()
    }

    fn rich() -> Network {
        let network = Kan::new(&Graph::new(), "k", [2, 2, 1])
            .multiply(0, [2])
            .edge_basis(1, 0, 0, knotwork_core::ops::Basis::fourier(3).unwrap())
            .base("tanh".parse::<crate::kan::Base>().unwrap())
            .scale(true)
            .bias(true)
            .network()
            .unwrap()
            .named(&["mass", "speed"], &["energy"])
            .unwrap();
        let network = network
            .update_grid_from_samples(&Device::cpu(), &samples(), &GridUpdate::new())
            .unwrap()
            .remove_edge(0, 1, 2, 0.3)
            .unwrap()
            .in_units(&[Unit { shift: 0.1, scale: 3.0 }; 2], &[Unit { shift: -1.0, scale: 1.0 / 3.0 }])
            .unwrap();
        let sine = Library::standard().get("sin").unwrap();
        network
            .fix_symbolic(0, 0, 1, &Affine { function: sine, a: 1.5, b: 0.1, c: -2.0, d: 1.0 / 3.0 })
            .unwrap()
    }

    #[test]
    fn all_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kan.safetensors");
        let library = Library::standard();
        let network = rich();
        network.save(&path).unwrap();
        assert_eq!(Network::load(&path, &library).unwrap(), network);
        // Also what a layer of formulas alone has learned before.
        let mut formulas = network.clone();
        for input in 0..3 {
            let x = library.get("x").unwrap();
            formulas = formulas
                .fix_symbolic(1, input, 0, &Affine { function: x, a: 1.0, b: 0.0, c: 1.0, d: 0.0 })
                .unwrap();
        }
        formulas.save(&path).unwrap();
        let back = Network::load(&path, &library).unwrap();
        assert_eq!(back, formulas);
        assert_eq!(back.unfix_symbolic(1, 0, 0).unwrap(), formulas.unfix_symbolic(1, 0, 0).unwrap());
    }

    #[test]
    fn training_goes_on_from_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kan.safetensors");
        let x = samples();
        let g = Graph::new();
        let model = rich().build(&g, "net").unwrap();
        let input = g.input("x", DType::F32, [60, 2]).unwrap();
        let loss = model.forward(&input).unwrap().square().unwrap().mean(&[0, 1], false).unwrap();
        let mut fit = Lbfgs::new().compile(&Device::cpu(), &loss).unwrap();
        fit.step(&[("x", &x)]).unwrap();
        model.save(&path, fit.params(), Metadata { step: 7, ..Metadata::default() }).unwrap();
        let network = Network::load(&path, &Library::standard()).unwrap();
        // Knots are rounded to the graph's f32.
        let want = model.network(fit.params()).unwrap();
        let (a, b) = (network.evaluate(&x.to_f64()).unwrap(), want.evaluate(&x.to_f64()).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
        let saved = Checkpoint::load(&path).unwrap();
        assert_eq!(saved.metadata().step, 7);
        saved.restore(fit.params()).unwrap();
    }

    #[test]
    fn files_that_are_no_networks_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kan.safetensors");
        let text = |path: &Path| Network::load(path, &Library::standard()).unwrap_err().to_string();
        assert!(text(&path).contains("kan.safetensors"));
        let write = |config: serde_json::Value, tensors: &[(String, HostTensor)]| {
            Checkpoint::write(&path, tensors, Metadata { config, ..Metadata::default() }).unwrap();
        };
        write(serde_json::json!({ "widths": [2, 1] }), &[]);
        assert!(text(&path).contains("says nothing of a KAN's structure"), "{}", text(&path));
        write(serde_json::json!({ "kan": { "version": 2, "depth": 3 } }), &[]);
        assert!(text(&path).contains("version 2"), "{}", text(&path));
        write(serde_json::json!({ "kan": { "version": 1, "layers": 3 } }), &[]);
        assert!(text(&path).contains("its description of a KAN is damaged"), "{}", text(&path));

        let network = rich();
        network.save(&path).unwrap();
        let saved = Checkpoint::load(&path).unwrap();
        let good = saved.metadata().config.clone();
        let tensors: Vec<(String, HostTensor)> =
            saved.tensors().iter().map(|(name, t)| (name.clone(), t.clone())).collect();
        let broken = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut config = good.clone();
            change(&mut config["kan"]);
            write(config, &tensors);
            text(&path)
        };
        let layer = |at: &'static str, value: serde_json::Value| {
            broken(&move |kan| kan["layers"][0][at] = value.clone())
        };
        assert!(layer("sums", 7.into()).contains("`kan.0.coef` is f64"), "{}", layer("sums", 7.into()));
        assert!(layer("sums", u64::MAX.into()).contains("goes from 2 to"));
        assert!(layer("base", "sillu".into()).contains("`sillu` is no base"));
        assert!(layer("multiply", serde_json::json!([9])).contains("multiplies [9] of 4 sums"));
        assert!(layer("removed", serde_json::json!([[0, 9]])).contains("has no edge from 0 to 9"));
        let odd = serde_json::json!([{ "basis": "splines" }]);
        assert!(layer("functions", odd).contains("there is no basis `splines`"));
        let unknown = serde_json::json!([{ "edge": [0, 1], "function": "sinn" }]);
        assert!(layer("formulas", unknown).contains("there is no function `sinn`"));
        let mut no_knots = tensors.clone();
        let empty = HostTensor::zeros(DType::F64, [2, 0]);
        no_knots.iter_mut().filter(|(name, _)| name == "kan.0.knots").for_each(|(_, t)| *t = empty.clone());
        write(good.clone(), &no_knots);
        assert!(text(&path).contains("layer 0 has no numbers in `knots`"), "{}", text(&path));
        let few: Vec<_> = tensors.iter().filter(|(name, _)| name != "kan.1.coef").cloned().collect();
        write(good.clone(), &few);
        assert!(text(&path).contains("layer 1 has no tensor `coef`"), "{}", text(&path));
        // A file cut short is no network.
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(text(&path).contains("truncated"), "{}", text(&path));
    }

    #[test]
    fn a_fit_of_a_loaded_network_is_that_of_the_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kan.safetensors");
        let network = Kan::new(&Graph::new(), "k", [2, 3, 1]).seed(3).network().unwrap();
        network.save(&path).unwrap();
        let back = Network::load(&path, &Library::standard()).unwrap();
        let x = samples();
        let y: Vec<f32> = x.to_f64().chunks(2).map(|p| (p[0] * p[1]) as f32).collect();
        let y = HostTensor::new(&y, [60, 1]).unwrap();
        let run = |n: &Network| Fit::new().steps(5).run(n, &Device::cpu(), &x, &y).unwrap().network;
        assert_eq!(run(&network), run(&back));
    }
}
