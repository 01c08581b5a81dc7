//! Networks with wavelets on all edges or some.

use knotwork_core::{
    DType, Device, Graph, HostTensor,
    ops::{Basis, Outside, Wavelet},
};

use super::{
    branch::Places,
    tests::{edges_left, in_graph, near, samples},
    *,
};
use crate::{
    Checkpoint, CheckpointError, Error, Generator, Lbfgs, Metadata,
    optim::Adam,
    symbolic::{Affine, Function, Library, Suggestions},
};

/// Values of its own for every number.
fn scattered(network: &mut Network) {
    let mut draw = Generator::new(21);
    let mut values = |n: usize, low: f64, high: f64| draw.uniform(&[n], low, high).unwrap().to_f64();
    for layer in &mut network.layers {
        for branch in &mut layer.branches {
            branch.coef = values(branch.coef.len(), -1.0, 1.0);
            if let Some(places) = &mut branch.places {
                places.log_scale = values(places.log_scale.len(), -1.2, 0.4);
                places.translation = values(places.translation.len(), -1.2, 1.2);
            }
        }
        layer.scale = values(layer.scale.len(), 0.5, 1.5);
        layer.bias = values(layer.bias.len(), -0.5, 0.5);
    }
}

/// With a wavelet on every edge.
fn all(base: Base) -> Network {
    let mut network = Kan::new(&Graph::new(), "k", [3, 2, 2])
        .multiply(0, [2])
        .basis(Wavelet::Morlet)
        .layer_basis(0, Wavelet::MexicanHat)
        .edge_basis(0, 1, 1, Wavelet::Dog)
        .base(base)
        .scale(true)
        .bias(true)
        .network()
        .unwrap();
    scattered(&mut network);
    network.remove_edge(0, 2, 1, 0.1).unwrap()
}

/// With splines, polynomials, wavelets, a formula and an edge that is gone, side by side.
fn mixed(base: Base) -> Network {
    let mut network = Kan::new(&Graph::new(), "k", [3, 2, 2])
        .multiply(0, [2])
        .edge_basis(0, 0, 1, Wavelet::MexicanHat)
        .edge_basis(0, 1, 0, Wavelet::Dog)
        .edge_basis(0, 1, 2, Functions::Wavelet(Wavelet::MexicanHat, (-2.0, 2.0)))
        .edge_basis(0, 2, 2, Basis::chebyshev(3).unwrap())
        .layer_basis(1, Basis::chebyshev(4).unwrap())
        .edge_basis(1, 2, 0, Wavelet::Morlet)
        .edge_basis(1, 0, 1, Wavelet::Morlet)
        .outside(Outside::Linear)
        .base(base)
        .scale(true)
        .bias(true)
        .network()
        .unwrap();
    scattered(&mut network);
    let sine = Library::standard().get("sin").unwrap();
    let sine = Affine { function: sine, a: 2.0, b: 0.3, c: 0.7, d: -0.1 };
    network.remove_edge(0, 2, 1, 0.1).unwrap().fix_symbolic(0, 1, 3, &sine).unwrap()
}

fn networks() -> Vec<Network> {
    let bases = [Base::Silu, Base::None, Base::Activation("tanh")];
    bases.into_iter().flat_map(|base| [all(base), mixed(base)]).collect()
}

#[test]
fn graphs_compute_the_definition() {
    let x = samples(40, 3);
    for network in networks() {
        let want = network.evaluate(&x.to_f64()).unwrap();
        near(&in_graph(&network, &x), &want, 1e-12);
        let device = network.predict(&Device::cpu(), &x).unwrap();
        near(&device.to_f64(), &want, 1e-5);
    }
}

/// The definition, written once more: [layer 0's first input's edges to sums, mexican hats and a base].
#[test]
fn an_edge_is_a_wavelet_with_its_numbers() {
    let network = mixed(Base::Silu);
    let layer = &network.layers[0];
    let at = layer.edge(0, 1);
    let branch = layer.branches.iter().find(|b| b.has(at)).unwrap();
    assert_eq!(branch.functions, Wavelet::MexicanHat.into());
    let places = branch.places.as_ref().unwrap();
    for x in [-3.0, -0.4, 0.0, 0.9, f64::INFINITY] {
        let u = (x - places.translation[at]) / places.log_scale[at].exp();
        let hat =
            2.0 / (3f64.sqrt() * std::f64::consts::PI.powf(0.25)) * (1.0 - u * u) * (-0.5 * u * u).exp();
        let hat = if u.is_finite() { hat } else { 0.0 };
        let want = layer.scale[at] * branch.coef[at] * hat + layer.base_weight[at] * Base::Silu.value(x);
        let got = network.edge_values(0, 0, 1, &[x]).unwrap()[0];
        assert!((got - want).abs() < 1e-14 || got == want, "at {x}: {got}, not {want}");
    }
    assert!(network.edge_values(0, 0, 1, &[f64::NAN]).unwrap()[0].is_nan());
}

#[test]
fn gradients_are_slopes() {
    let x = samples(12, 3);
    for network in [all(Base::Silu), mixed(Base::Silu), mixed(Base::None)] {
        let g = Graph::new();
        let model = network.build_as(&g, "k", DType::F64).unwrap();
        let given = g.parameter("x", x.cast(DType::F64)).unwrap();
        let weights = Generator::new(2).uniform(&[12, 2], -1.0, 1.0).unwrap().cast(DType::F64);
        let y = model.forward(&given).unwrap().mul(g.tensor(weights).unwrap()).unwrap();
        let penalty = Sparsity { l1: 0.3, entropy: 0.2, coefficients: 0.1, smoothness: 0.1 };
        for loss in [y.sum(&[0, 1], false).unwrap(), model.penalty(&given, &penalty).unwrap()] {
            let wanted: Vec<_> = std::iter::once(&given).chain(model.parameters()).collect();
            let slots =
                |l: usize| network.layers[l].slots().into_iter().map(move |s| format!("k.{l}.{}", s.0));
            let names: Vec<String> = std::iter::once("x".into()).chain(slots(0)).chain(slots(1)).collect();
            assert_eq!(names.len(), wanted.len());
            assert!(names.contains(&"k.0.log_scale1".to_owned()), "{names:?}");
            // A penalty does not see what it does not penalise.
            let slopes = loss.gradients(&wanted).unwrap();
            let outputs: Vec<_> = std::iter::once(&loss).chain(slopes.iter().flatten()).collect();
            let mut program = Device::cpu().compile(&g, &outputs, &[]).unwrap();
            let none: [(&str, HostTensor); 0] = [];
            let got = program.run(none.clone()).unwrap().wait().unwrap();
            let known = names.iter().zip(&slopes).filter(|(_, s)| s.is_some()).map(|(n, _)| n);
            for (name, slope) in known.zip(&got[1..]) {
                let at = program.params().get(name).unwrap();
                let along = Generator::new(8).uniform(at.shape(), -1.0, 1.0).unwrap().to_f64();
                let slope: f64 = slope.to_f64().iter().zip(&along).map(|(g, d)| g * d).sum();
                let mut moved = |h: f64| {
                    let to: Vec<f64> = at.to_f64().iter().zip(&along).map(|(v, d)| v + h * d).collect();
                    program.params().set(name, &HostTensor::new(&to, at.shape()).unwrap()).unwrap();
                    program.run(none.clone()).unwrap().wait().unwrap()[0].to_f64()[0]
                };
                let h = 1e-6;
                let difference = (moved(h) - moved(-h)) / (2.0 * h);
                moved(0.0);
                let near = (slope - difference).abs() <= 2e-7 * slope.abs().max(1.0);
                assert!(near, "{network}: along {name} the slope is {slope}, by differences {difference}");
            }
        }
    }
}

#[test]
fn derivatives_are_those_of_the_wavelet() {
    let x = samples(9, 1).cast(DType::F64);
    for wavelet in Wavelet::ALL {
        let mut network = Kan::new(&Graph::new(), "k", [1, 1]).basis(wavelet).base(false).network().unwrap();
        scattered(&mut network);
        let branch = &network.layers[0].branches[0];
        let places = branch.places.as_ref().unwrap();
        let (coef, log_scale, translation) = (branch.coef[0], places.log_scale[0], places.translation[0]);
        let g = Graph::new();
        let input = g.parameter("x", x.clone()).unwrap();
        let mut y = network.build_as(&g, "k", DType::F64).unwrap().forward(&input).unwrap();
        for d in 1..=4 {
            y = y.sum(&[0, 1], false).unwrap().grad(&[&input]).unwrap().remove(0);
            let none: [(&str, HostTensor); 0] = [];
            let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
            let got = program.run(none).unwrap().wait().unwrap()[0].to_f64();
            let functions = network.layers[0].functions().next().unwrap();
            let scale = log_scale.exp();
            let at = |x: &f64| functions.evaluate(0, (x - translation) / scale, d)[0];
            let want: Vec<f64> = x.to_f64().iter().map(|x| coef * at(x) / scale.powi(d as i32)).collect();
            near(&got, &want, 1e-11);
        }
    }
}

#[test]
fn first_values_have_the_variance_that_was_asked_for() {
    for wavelet in Wavelet::ALL {
        for range in [(-1.0, 1.0), (2.0, 10.0)] {
            let network = Kan::new(&Graph::new(), "k", [48, 40])
                .basis(Functions::Wavelet(wavelet, range))
                .base(false)
                .spline_scale(1.0)
                .network()
                .unwrap();
            let x = Generator::new(5).uniform(&[300, 48], range.0, range.1).unwrap();
            let y = network.predict(&Device::cpu(), &x).unwrap().to_f64();
            let variance = y.iter().map(|y| y * y).sum::<f64>() / y.len() as f64;
            assert!((variance - 1.0).abs() < 0.1, "{wavelet} over {range:?}: {variance}");
            let places = network.layers[0].branches[0].places.as_ref().unwrap();
            let (low, high) = edge::ends(places.translation.iter().copied());
            let wide = range.1 - range.0;
            assert!(low >= range.0 && high <= range.1 && high - low > 0.99 * wide, "{low} to {high}");
            let scales = if wavelet == Wavelet::Morlet { 0.4 * std::f64::consts::PI } else { 2.0 };
            assert!(places.log_scale.iter().all(|s| (s.exp() - wide / scales).abs() < 1e-12));
        }
    }
}

/// sin(2 x1) + x2² over points in [−1, 1]².
fn task() -> [HostTensor; 2] {
    let x = samples(150, 2);
    let y: Vec<f32> = x.to_f64().chunks(2).map(|p| ((2.0 * p[0]).sin() + p[1] * p[1]) as f32).collect();
    [x, HostTensor::new(&y, [150, 1]).unwrap()]
}

#[test]
fn training_moves_and_stretches_wavelets() {
    let [x, y] = task();
    for wavelet in Wavelet::ALL {
        let builder = Kan::new(&Graph::new(), "k", [2, 3, 1]).bias(true);
        let whole = builder.clone().basis(wavelet).network().unwrap();
        let some = builder
            .edge_basis(0, 0, 1, wavelet)
            .edge_basis(0, 1, 2, Basis::chebyshev(3).unwrap())
            .network()
            .unwrap();
        for network in [whole, some] {
            let fitted = Fit::new().steps(40).run(&network, &Device::cpu(), &x, &y).unwrap();
            let losses: Vec<f64> = fitted.steps.iter().map(|s| s.loss).collect();
            assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
            let rmse = fitted.network.rmse(&Device::cpu(), &x, &y).unwrap();
            assert!(rmse < 0.05, "{network}: {rmse}");
            let of = |n: &Network| -> Vec<Places> {
                n.layers[0].branches.iter().filter_map(|b| b.places.clone()).collect()
            };
            for (before, after) in of(&network).iter().zip(of(&fitted.network)) {
                assert!(before.log_scale != after.log_scale && before.translation != after.translation);
            }
        }
    }
}

#[test]
fn frozen_places_stay() {
    let [x, y] = task();
    let network = Kan::new(&Graph::new(), "k", [2, 1]).basis(Wavelet::Dog).network().unwrap();
    let g = Graph::new();
    let model = network.build(&g, "k").unwrap();
    let input = g.input("x", DType::F32, [150, 2]).unwrap();
    let target = g.input("y", DType::F32, [150, 1]).unwrap();
    for name in ["k.0.log_scale", "k.0.translation"] {
        g.freeze(&g.get(name).unwrap()).unwrap();
    }
    let loss = model.forward(&input).unwrap().mse_loss(&target).unwrap();
    let mut fit = Lbfgs::new().compile(&Device::cpu(), &loss).unwrap();
    let first = fit.step(&[("x", &x), ("y", &y)]).unwrap().loss;
    let last = (0..5).map(|_| fit.step(&[("x", &x), ("y", &y)]).unwrap().loss).last().unwrap();
    assert!(last < first);
    let after = model.network(fit.params()).unwrap();
    let branch = |n: &Network| n.layers[0].branches[0].clone();
    let places = |n: &Network| branch(n).places.unwrap();
    near(&places(&after).translation, &places(&network).translation, 1e-7);
    near(&places(&after).log_scale, &places(&network).log_scale, 1e-7);
    assert!(branch(&after).coef != branch(&network).coef);
}

#[test]
fn edges_do_what_their_samples_do() {
    let x = samples(150, 3);
    for network in networks() {
        let given = network.activations(&Device::cpu(), &x).unwrap();
        let found = network.attribute(&Device::cpu(), &x).unwrap();
        for (l, layer) in network.layers.iter().enumerate() {
            let given = given[l].to_f64();
            for (input, sum) in (0..layer.inputs).flat_map(|i| (0..layer.sums).map(move |o| (i, o))) {
                let column: Vec<f64> = given.iter().skip(input).step_by(layer.inputs).copied().collect();
                let y = network.edge_values(l, input, sum, &column).unwrap();
                let mean = y.iter().sum::<f64>() / 150.0;
                let deviation = (y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 150.0).sqrt();
                let at = layer.edge(input, sum);
                near(&[found.deviations[l][at]], &[deviation], 2e-6);
                near(&[found.means[l][at]], &[mean], 2e-6);
            }
        }
    }
}

#[test]
fn no_value_of_every_edge_and_row_is_kept() {
    use knotwork_core::plan::{Capabilities, PlanOptions};
    let (rows, inputs, sums) = (256, 24, 32);
    let network = Kan::new(&Graph::new(), "k", [inputs, sums]).basis(Wavelet::MexicanHat).network().unwrap();
    let g = Graph::new();
    let model = network.build(&g, "k").unwrap();
    let x = g.input("x", DType::F32, [rows, inputs]).unwrap();
    let loss = model.penalty(&x, &Sparsity::weight(1e-2)).unwrap();
    let slopes = loss.grad(&model.parameters()).unwrap();
    let outputs: Vec<_> = std::iter::once(&loss).chain(&slopes).collect();
    let plan = g.plan(&outputs, &[], &[].into(), &Capabilities::cpu(), PlanOptions::default()).unwrap();
    let (one, all) = (4 * rows * sums, 4 * rows * inputs * sums);
    assert!(plan.live_peak < all / 2, "{} bytes; an input's edges have {one}, all {all}", plan.live_peak);
}

#[test]
fn pruned_is_masked() {
    let x = samples(200, 3);
    for network in networks() {
        let scores = network.attribute(&Device::cpu(), &x).unwrap();
        let edges = edges_left(&network, &scores, &x);
        assert!(edges.is_sorted_by(|a, b| a >= b) && edges[0] > edges[3] && edges[5] == 0, "{edges:?}");
        let (small, kept) = network.without_inputs(&scores, f64::MAX).unwrap();
        let column: Vec<f64> = x.to_f64().iter().skip(kept[0]).step_by(3).copied().collect();
        let own = HostTensor::new(&column, [200, 1]).unwrap();
        near(&in_graph(&small, &own), &small.evaluate(&column).unwrap(), 1e-12);
    }
}

#[test]
fn grids_move_and_wavelets_stay() {
    let x = samples(200, 3);
    let whole = all(Base::Silu);
    let update = GridUpdate::new().grid(9);
    assert_eq!(whole.refine(10).unwrap(), whole);
    assert_eq!(whole.update_grid_from_samples(&Device::cpu(), &x, &update).unwrap(), whole);
    let some = mixed(Base::Silu);
    let wavelets = |n: &Network| -> Vec<branch::Branch> {
        let branches = n.layers.iter().flat_map(|l| &l.branches);
        branches.filter(|b| b.places.is_some()).cloned().collect()
    };
    for moved in
        [some.refine(10).unwrap(), some.update_grid_from_samples(&Device::cpu(), &x, &update).unwrap()]
    {
        assert!(moved != some && wavelets(&moved) == wavelets(&some));
        near(&in_graph(&moved, &x), &moved.evaluate(&x.to_f64()).unwrap(), 1e-12);
        // Edges of one input each on its own knots beside wavelets.
        let scores = moved.attribute(&Device::cpu(), &x).unwrap();
        let column: Vec<f64> = x.to_f64().iter().step_by(3).copied().collect();
        let y = moved.edge_values(0, 0, 0, &column).unwrap();
        near(&[scores.means[0][0]], &[y.iter().sum::<f64>() / 200.0], 2e-6);
    }
    near(&in_graph(&some.refine(10).unwrap(), &x), &in_graph(&some, &x), 1e-12);
    assert!(some.out_of_range(&Device::cpu(), &x).unwrap().iter().flatten().all(|part| *part == 0.0));
}

#[test]
fn a_formula_stands_for_a_wavelet() {
    let x = samples(200, 1);
    let mut network =
        Kan::new(&Graph::new(), "k", [1, 1]).basis(Wavelet::MexicanHat).base(false).network().unwrap();
    let branch = &mut network.layers[0].branches[0];
    branch.coef = vec![1.5];
    branch.places = Some(Places { log_scale: vec![-0.5], translation: vec![0.2] });
    // The hat is (1 - u²) exp(-u²/2): a function of one's own.
    let mut library = Library::standard();
    let hat = Function::new("hat", |u| (1.0 - u * u) * (-0.5 * u * u).exp())
        .tensor(|u| u.square()?.mul(-0.5)?.exp()?.mul(&u.square()?.neg()?.add(1.0)?));
    library.add(hat).unwrap();
    let library = library.only(["x", "x^2", "sin", "gaussian", "hat"]).unwrap();
    let device = Device::cpu();
    let found = network.suggest_symbolic(&device, &x, 0, 0, 0, &library, Suggestions::WEIGHT).unwrap();
    let best = found.best().unwrap();
    assert_eq!(best.fit.edge.function.name(), "hat", "{found:?}");
    assert!(1.0 - best.fit.r2 < 1e-9, "{}", best.fit.r2);
    let (fixed, edges) = network.auto_symbolic(&device, &x, &library, &AutoSymbolic::default()).unwrap();
    assert_eq!(edges[0].formula.as_ref().map(|f| f.function.name()), Some("hat"));
    near(&fixed.evaluate(&x.to_f64()).unwrap(), &network.evaluate(&x.to_f64()).unwrap(), 1e-4);
    assert_eq!(fixed.unfix_symbolic(0, 0, 0).unwrap(), network);
    assert!(fixed.formulas().is_ok() && network.formulas().is_err());
}

#[test]
fn pictures_show_wavelets() {
    let x = samples(100, 3);
    let network = mixed(Base::None);
    let svg = network.diagram("d", &Device::cpu(), &x).unwrap().to_svg().unwrap();
    assert!(svg.contains("edges"));
    let curve = network.edge_curve(0, 1, 2, 33).unwrap();
    assert_eq!(curve.points[0].0, -2.0);
    for (x, y) in &curve.points {
        assert_eq!(*y, network.edge_values(0, 1, 2, &[*x]).unwrap()[0]);
    }
    // A spline's knots are drawn on its own edge, and not on a wavelet's.
    let plot = |i, o| network.edge_plot(&Device::cpu(), &x, 0, i, o).unwrap().to_svg().unwrap();
    assert!(plot(0, 0).contains("grid points") && !plot(0, 1).contains("grid points"));
}

#[test]
fn files_keep_wavelets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kan.safetensors");
    let library = Library::standard();
    let units = [Unit { shift: 0.1, scale: 1.0 / 3.0 }; 3];
    for network in networks().into_iter().chain([mixed(Base::Silu).in_units(&units, &units[..2]).unwrap()]) {
        network.save(&path).unwrap();
        assert_eq!(Network::load(&path, &library).unwrap(), network);
    }
    // A file with training's state holds what the program does.
    let g = Graph::new();
    let model = mixed(Base::Silu).build_as(&g, "net", DType::F64).unwrap();
    let x = g.input("x", DType::F64, [40, 3]).unwrap();
    let loss = model.forward(&x).unwrap().square().unwrap().mean(&[0, 1], false).unwrap();
    let update = Adam::new(1e-2).minimize(&loss).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[&update]).unwrap();
    let x = samples(40, 3).cast(DType::F64);
    program.run([("x", &x)]).unwrap().wait().unwrap();
    model.save(&path, program.params(), Metadata::default()).unwrap();
    let now = model.network(program.params()).unwrap();
    assert!(now != mixed(Base::Silu));
    assert_eq!(Network::load(&path, &library).unwrap(), now);
}

#[test]
fn files_with_impossible_wavelets_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kan.safetensors");
    all(Base::Silu).save(&path).unwrap();
    let saved = Checkpoint::load(&path).unwrap();
    let good = saved.metadata().config.clone();
    let tensors: Vec<(String, HostTensor)> =
        saved.tensors().iter().map(|(name, t)| (name.clone(), t.clone())).collect();
    let load = || Network::load(&path, &Library::standard()).unwrap_err();
    let write = |config: &serde_json::Value, tensors: &[(String, HostTensor)]| {
        let metadata = Metadata { config: config.clone(), ..Metadata::default() };
        Checkpoint::write(&path, tensors, metadata).unwrap();
    };
    let says = |part: &str| {
        let e = load();
        assert!(matches!(e, Error::Checkpoint(CheckpointError::Invalid { .. })), "{e:?}");
        assert!(e.to_string().contains(part), "{e}");
    };
    let with = |name: &str, t: Option<HostTensor>| {
        let rest = tensors.iter().filter(|(n, _)| n != name).cloned();
        let all: Vec<_> = rest.chain(t.map(|t| (name.to_owned(), t))).collect();
        write(&good, &all);
    };
    let f64s = |values: &[f64], shape: &[usize]| Some(HostTensor::new(values, shape).unwrap());
    let mut log_scale = vec![0.0; 12];
    log_scale[7] = -1000.0;
    with("kan.0.log_scale", f64s(&log_scale, &[3, 4]));
    says(
        "layer 0 is damaged: element 7 of `log_scale` is -1000; the logarithm of a wavelet's scale must be from -69 to 69",
    );
    with("kan.0.log_scale1", f64s(&[0.0; 12], &[4, 3]));
    says("`kan.0.log_scale1` is f64[4, 3]; it must be floats [3, 4]");
    with("kan.1.translation", None);
    says("layer 1 has no tensor `translation`");
    // ln 0, and what is no number.
    for (bad, said) in [(f64::NEG_INFINITY, "-inf"), (f64::NAN, "NaN")] {
        log_scale[7] = 0.123_456_789;
        with("kan.0.log_scale", f64s(&log_scale, &[3, 4]));
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(8).position(|b| b == 0.123_456_789f64.to_le_bytes()).unwrap();
        bytes[at..at + 8].copy_from_slice(&bad.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        says(&format!("element 7 of `log_scale` is {said}; a network's values must be finite"));
    }
    for (text, part) in [
        ("haar", "there is no basis `haar`; there are bspline"),
        (
            "dog range=[1, -1]",
            "has dog range=[1, -1] of wavelets; it must begin within ±1e9 and be from 1e-5 to 1e9 wide",
        ),
        ("dog range=[0, NaN]", "has dog range=[0, NaN] of wavelets"),
        ("dog degree=3", "`degree=3` is no range=[low, high]"),
    ] {
        let mut config = good.clone();
        config["kan"]["layers"][0]["functions"][0]["basis"] = text.into();
        write(&config, &tensors);
        says(part);
    }
}

#[test]
fn what_is_no_wavelet_is_refused_before_anything_is_built() {
    let g = Graph::new();
    let text = |b: KanBuilder| b.build().unwrap_err().to_string();
    let nowhere = Functions::Wavelet(Wavelet::Dog, (0.0, f64::INFINITY));
    let e = text(Kan::new(&g, "k", [2, 1]).edge_basis(0, 1, 0, nowhere));
    assert!(e.contains("Kan `k`: layer 0: dog range=[0, inf] of wavelets; it must begin within ±1e9"), "{e}");
    let knots = |n: usize, cells: usize| {
        let points: Vec<f64> = (0..=cells).map(|k| k as f64).collect();
        vec![Knots::through(&points, 3).unwrap(); n]
    };
    let e = text(Kan::new(&g, "k", [2, 1]).basis(Functions::OnKnots(knots(3, 4), Outside::Zero)));
    assert!(e.contains("Kan `k`: layer 0: knots of 3 inputs; it has 2"), "{e}");
    let odd = [knots(1, 4), knots(1, 5)].concat();
    let e = text(Kan::new(&g, "k", [2, 1]).basis(Functions::OnKnots(odd, Outside::Zero)));
    assert!(e.contains("knots of several orders or numbers of cells"), "{e}");
    let mut network = all(Base::Silu);
    network.layers[0].branches[0].places.as_mut().unwrap().log_scale[2] = -70.0;
    let e = network.build(&g, "k").unwrap_err().to_string();
    assert!(e.contains("element 2 of `k.0.log_scale` is -70; the logarithm of a wavelet's scale"), "{e}");
    assert!(g.is_empty(), "nothing was added to the graph");
}

#[test]
fn a_scale_that_training_takes_too_far_is_held() {
    let (g, x) = (Graph::new(), samples(9, 3));
    let network = all(Base::Silu);
    let model = network.build(&g, "k").unwrap();
    let y = model.forward(&g.tensor(x.clone()).unwrap()).unwrap();
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    for far in [100f32, -100.0] {
        program.params().set("k.0.log_scale", &HostTensor::new(&[far; 12], [3, 4]).unwrap()).unwrap();
        let found = program.run::<HostTensor>([]).unwrap().wait().unwrap();
        let held = model.network(program.params()).unwrap();
        let places = held.layers[0].branches[0].places.as_ref().unwrap();
        assert!(places.log_scale.iter().all(|s| *s == 69.0 * f64::from(far.signum())));
        near(&found[0].to_f64(), &held.evaluate(&x.to_f64()).unwrap(), 1e-5);
    }
}

#[test]
fn knots_of_each_input_may_be_asked_for() {
    let x = samples(300, 3);
    let columns = x.to_f64();
    let column = |i: usize| -> Vec<f64> { columns.iter().skip(i).step_by(3).copied().collect() };
    let knots: Vec<Knots> = (0..3).map(|i| Knots::of_samples(&column(i), 6, 3, 0.02).unwrap()).collect();
    let network = Kan::new(&Graph::new(), "k", [3, 60])
        .basis(Functions::OnKnots(knots, Outside::Linear))
        .edge_basis(0, 1, 1, Wavelet::Dog)
        .base(false)
        .spline_scale(1.0)
        .network()
        .unwrap();
    let y = network.evaluate(&columns).unwrap();
    near(&in_graph(&network, &x), &y, 1e-12);
    let variance = y.iter().map(|y| y * y).sum::<f64>() / y.len() as f64;
    assert!((variance - 1.0).abs() < 0.3, "{variance}");
}
