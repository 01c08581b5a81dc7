//! KANs of other libraries: files that `tools/export_kan.py` wrote are networks, and compute what their libraries did.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic of a test is its report")]

use std::path::{Path, PathBuf};

use knotwork_core::{DType, Device, Graph, HostTensor};
use knotwork_nn::{
    Adam, Checkpoint, CheckpointError, Error,
    kan::{FastKan, Fit, Functions, Network},
    symbolic::{Library, SymbolicError},
};
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/kan_import").join(name)
}

fn load(name: &str) -> Network {
    Network::load(file(&format!("{name}.safetensors")), &Library::standard()).unwrap()
}

/// Rows, and what the library made of them.
fn rows(name: &str) -> (Vec<f64>, Vec<f64>, usize) {
    let text = std::fs::read_to_string(file(&format!("{name}.json"))).unwrap();
    let said: Value = serde_json::from_str(&text).unwrap();
    let all = |key: &str| -> Vec<Vec<f64>> { serde_json::from_value(said[key].clone()).unwrap() };
    let (x, y) = (all("x"), all("y"));
    assert_eq!((x.len(), y.len()), (24, 24));
    (x.concat(), y.concat(), x.len())
}

/// The largest difference, by the largest value.
fn difference(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |a: f64, b| a.max(b.abs()));
    most(&mut got.iter().zip(want).map(|(a, b)| a - b)) / most(&mut want.iter().copied())
}

/// In f64 on the host, and in a graph in f32.
fn computes_the_same(name: &str, exactly: f64) -> Network {
    let network = load(name);
    let (x, y, n) = rows(name);
    let host = difference(&network.evaluate(&x).unwrap(), &y);
    assert!(host <= exactly, "{name}: {host:e} in f64");
    let x: Vec<f32> = x.iter().map(|x| *x as f32).collect();
    let x = HostTensor::from_vec(x, [n, network.widths()[0]]).unwrap();
    let graph = difference(&network.predict(&Device::cpu(), &x).unwrap().to_f64(), &y);
    assert!(graph <= 1e-5, "{name}: {graph:e} in f32");
    network
}

/// Knots as they are.
const EXACT: f64 = 1e-12;
/// Grids that are even but for rounding to f32 become even.
const EVEN: f64 = 1e-6;

#[test]
fn pykan_with_grids_products_formulas_and_affine_nodes() {
    let network = computes_the_same("pykan_rich", EXACT);
    assert_eq!(network.widths(), [2, 3, 2]);
    let [first, second] = network.layers() else { panic!("two layers") };
    assert_eq!((first.sums(), first.multiply()), (4, &[2usize][..]));
    assert_eq!(first.formula(0, 1).unwrap().function.name(), "sin");
    assert_eq!(second.formula(2, 0).unwrap().function.name(), "x^2");
    assert_eq!(second.formula(0, 1).unwrap().function.name(), "sin");
    assert!(!first.has_edge(1, 0) && first.has_edge(1, 2));
    assert!(matches!(first.functions().next(), Some(Functions::OnKnots(..))));
}

#[test]
fn pykan_with_another_base_order_and_products_of_three() {
    let network = computes_the_same("pykan_plain", EVEN);
    assert_eq!(
        network.to_string(),
        "KAN [3, 3, 1], products [[3, 2], []], bspline order=2 grid=3 range=[-1, 1]"
    );
    assert_eq!(network.layers()[0].base().to_string(), "identity");
}

#[test]
fn efficient_kan_with_scales_and_moved_grids() {
    let network = computes_the_same("efficient_kan", EVEN);
    let mut functions = network.layers().iter().flat_map(|l| l.functions());
    assert_eq!(functions.next().unwrap().to_string(), "bspline order=3 grid=5 range=[-1, 1]");
    assert_eq!(functions.next().unwrap().to_string(), "bspline order=2 grid=4 on knots of each input");
    computes_the_same("efficient_kan_tanh", EVEN);
}

#[test]
fn fastkan_with_and_without_a_base() {
    let network = computes_the_same("fastkan", EVEN);
    assert_eq!(network.widths(), [2, 4, 1, 2]);
    assert_eq!(network.layers()[2].base().to_string(), "none");
}

/// The model's outputs and a program of it.
fn run(fast: &FastKan, x: &[f64]) -> Vec<f64> {
    let (g, inputs) = (Graph::new(), fast.widths()[0]);
    let input = g.input("x", DType::F32, [x.len() / inputs, inputs]).unwrap();
    let y = fast.build(&g, "fast").unwrap().forward(&input).unwrap();
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let x: Vec<f32> = x.iter().map(|x| *x as f32).collect();
    let x = HostTensor::from_vec(x, [24, inputs]).unwrap();
    program.run([("x", x)]).unwrap().wait().unwrap()[0].to_f64()
}

#[test]
fn fastkan_with_layer_norms_is_a_model_of_its_own() {
    let path = file("fastkan_norm.safetensors");
    let fast = FastKan::load(&path).unwrap();
    assert_eq!(fast.widths(), [3, 4, 2, 2]);
    let (x, y, _) = rows("fastkan_norm");
    let host = difference(&fast.evaluate(&x).unwrap(), &y);
    assert!(host <= EVEN, "{host:e} in f64");
    let graph = difference(&run(&fast, &x), &y);
    assert!(graph <= 1e-5, "{graph:e} in f32");
    assert!(fast.base(1).unwrap().is_none() && fast.functions(3).is_err());
    // Its functions are those of a network; as a whole it is none.
    assert_eq!(fast.functions(0).unwrap().edge_curve(0, 2, 3, 9).unwrap().points.len(), 9);
    let refused = Network::load(&path, &Library::standard()).unwrap_err().to_string();
    assert!(refused.contains("a FastKAN with layer norms: `FastKan::load` reads it"), "{refused}");
    let refused = FastKan::load(file("inkan.safetensors")).unwrap_err().to_string();
    assert!(refused.contains("says nothing of a FastKAN"), "{refused}");
    assert!(fast.evaluate(&[1.0; 4]).unwrap_err().to_string().contains("no whole number of rows of 3"));
}

#[test]
fn fastkan_is_trained_and_saved() {
    let fast = FastKan::load(file("fastkan_norm.safetensors")).unwrap();
    let (x, y, n) = rows("fastkan_norm");
    let g = Graph::new();
    let input = g.input("x", DType::F32, [n, 3]).unwrap();
    let target = g.input("y", DType::F32, [n, 2]).unwrap();
    let model = fast.build(&g, "fast").unwrap();
    assert_eq!(model.parameters().len(), 4 + 3 + 2 + 2);
    let loss = model.forward(&input).unwrap().mse_loss(&target).unwrap();
    let step = Adam::new(0.02).minimize(&loss).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[&step]).unwrap();
    let f32s = |v: &[f64], add: f64| v.iter().map(|v| (v + add) as f32).collect::<Vec<f32>>();
    let mut losses = Vec::new();
    for _ in 0..40 {
        let feeds = [
            ("x", HostTensor::from_vec(f32s(&x, 0.0), [n, 3]).unwrap()),
            ("y", HostTensor::from_vec(f32s(&y, 0.5), [n, 2]).unwrap()),
        ];
        losses.push(program.run(feeds).unwrap().wait().unwrap()[0].item::<f32>().unwrap());
    }
    assert!(losses[39] < 0.1 * losses[0], "{losses:?}");
    let trained = model.values(program.params()).unwrap();
    assert_ne!(trained, fast);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fast.safetensors");
    trained.save(&path).unwrap();
    assert_eq!(FastKan::load(&path).unwrap(), trained);
    let (host, graph) = (trained.evaluate(&x).unwrap(), run(&trained, &x));
    assert!(difference(&graph, &host) < 1e-5);
}

#[test]
fn flashkan_whose_functions_are_cubic_whatever_its_order() {
    computes_the_same("flashkan", EVEN);
    let network = computes_the_same("flashkan_layer", EVEN);
    // grid=4 of order 2 from -1 to 2: six cubic functions, the first over [-2.5, 0.5].
    assert_eq!(network.to_string(), "KAN [2, 3], bspline order=3 grid=3 range=[-0.25, 2]");
}

#[test]
fn inkan_whose_weights_are_packed() {
    let network = computes_the_same("inkan", EVEN);
    assert_eq!(network.to_string(), "KAN [2, 3, 2], bspline order=3 grid=40 range=[-1.25, 1.25]");
}

#[test]
fn an_import_is_a_network_like_any_other() {
    let network = load("pykan_rich");
    let (x, y, n) = rows("pykan_rich");
    // It is saved and read, and trained.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kan.safetensors");
    network.save(&path).unwrap();
    assert_eq!(Network::load(&path, &Library::standard()).unwrap(), network);
    let x = HostTensor::new(&x.iter().map(|x| *x as f32).collect::<Vec<_>>(), [n, 2]).unwrap();
    let y = HostTensor::new(&y.iter().map(|y| (y + 0.1) as f32).collect::<Vec<_>>(), [n, 2]).unwrap();
    let before = network.rmse(&Device::cpu(), &x, &y).unwrap();
    let fitted = Fit::new().steps(5).run(&network, &Device::cpu(), &x, &y).unwrap().network;
    assert!(fitted.rmse(&Device::cpu(), &x, &y).unwrap() < 0.1 * before);
}

/// A file with other metadata, and the error of loading it.
fn changed(name: &str, library: &Library, change: impl Fn(&mut Value)) -> Error {
    with_metadata(name, change, |path| Network::load(path, library).unwrap_err())
}

fn with_metadata<T>(name: &str, change: impl Fn(&mut Value), then: impl Fn(&Path) -> T) -> T {
    let bytes = std::fs::read(file(&format!("{name}.safetensors"))).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut metadata: Value =
        serde_json::from_str(header["__metadata__"]["knotwork"].as_str().unwrap()).unwrap();
    change(&mut metadata);
    header["__metadata__"]["knotwork"] = metadata.to_string().into();
    let header = header.to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.safetensors");
    let rest = &bytes[8 + length..];
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(&path, [&length[..], header.as_bytes(), rest].concat()).unwrap();
    then(&path)
}

#[test]
fn files_of_later_scripts_and_damaged_ones_are_refused() {
    let all = Library::standard();
    let later = changed("inkan", &all, |m| m["config"]["kan"]["version"] = 2.into());
    assert!(
        matches!(&later, Error::Checkpoint(CheckpointError::Version { found: 2, known: 1, .. })),
        "{later}"
    );
    let later = changed("inkan", &all, |m| m["version"] = 9.into());
    assert!(matches!(&later, Error::Checkpoint(CheckpointError::Version { found: 9, .. })), "{later}");
    let basis = changed("fastkan", &all, |m| {
        m["config"]["kan"]["layers"][0]["functions"][0]["basis"] = "rbf n=8 range=[-2, 2]".into();
    });
    assert!(basis.to_string().contains("`width` is missing"), "{basis}");
    let base = changed("flashkan", &all, |m| m["config"]["kan"]["layers"][1]["base"] = "swoosh".into());
    assert!(base.to_string().contains("`swoosh` is no base"), "{base}");
    let scale = changed("inkan", &all, |m| m["config"]["kan"]["layers"][1]["scale"] = true.into());
    assert!(scale.to_string().contains("layer 1 has no tensor `scale`"), "{scale}");
    // A function of the user's own that the library does not have.
    let few = all.only(["x", "sin"]).unwrap();
    let unknown = changed("pykan_rich", &few, |_| ());
    let Error::Symbolic(SymbolicError::UnknownFunction { name, .. }) = &unknown else { panic!("{unknown}") };
    assert_eq!(name, "x^2");
}

#[test]
fn damaged_fastkans_are_refused() {
    let refused = |change: &dyn Fn(&mut Value)| {
        with_metadata(
            "fastkan_norm",
            |m| change(&mut m["config"]["fastkan"]),
            |path| FastKan::load(path).unwrap_err(),
        )
    };
    let later = refused(&|f| f["version"] = 2.into());
    assert!(
        matches!(&later, Error::Checkpoint(CheckpointError::Version { found: 2, known: 1, .. })),
        "{later}"
    );
    let says = |want: &str, change: &dyn Fn(&mut Value)| {
        let text = refused(change).to_string();
        assert!(text.contains("changed.safetensors") && text.contains(want), "{text}");
    };
    says("epsilon 0; it must be above 0", &|f| f["layers"][0]["norm"] = 0.0.into());
    says("layer 2 has no tensor `norm.weight`", &|f| f["layers"][2]["norm"] = 1e-5.into());
    says("layer 1 has 3 inputs after 4 outputs", &|f| {
        f["layers"][1] = f["layers"][0].clone();
        f["layers"][1]["norm"] = Value::Null;
    });
    says("has a base [2, 2] beside functions [3, 4]", &|f| {
        f["layers"][0]["base"] = f["layers"][2]["base"].clone()
    });
    says("has no tensor `coef`", &|f| f["layers"][0]["functions"]["name"] = "elsewhere".into());
    says("has no layers", &|f| f["layers"] = Value::Array(Vec::new()));
    says("description of a FastKAN is damaged", &|f| f["layers"] = 3.into());
}

#[test]
fn the_files_say_where_they_are_from() {
    for (name, kind) in [("pykan_rich", "pykan"), ("efficient_kan", "efficient-kan"), ("inkan", "inkan")] {
        let saved = Checkpoint::load(file(&format!("{name}.safetensors"))).unwrap();
        assert_eq!(saved.metadata().config["from"], kind);
    }
}
