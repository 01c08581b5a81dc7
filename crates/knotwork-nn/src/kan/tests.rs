//! Networks in graphs beside their definition in f64 on the host.

use knotwork_core::{
    DType, Device, Graph, HostTensor, Tensor,
    ops::{Basis, Outside},
    plan::{Capabilities, PlanOptions},
};

use super::*;
use crate::{
    Generator,
    symbolic::{Affine, Library},
};

/// A network with all that there is: products, several kinds of functions, scales, biases, edges that are gone and formulas.
fn rich(base: Base) -> Network {
    let edge = |name: &str, [a, b, c, d]: [f64; 4]| Affine {
        function: Library::standard().get(name).unwrap(),
        a,
        b,
        c,
        d,
    };
    let mut network = Kan::new(&Graph::new(), "k", [3, 2, 2])
        .multiply(0, [2, 3])
        .multiply(1, [2])
        .edge_basis(0, 1, 2, Basis::fourier(2).unwrap())
        .edge_basis(0, 2, 0, Basis::chebyshev(3).unwrap())
        .edge_basis(1, 3, 0, Basis::fourier(2).unwrap())
        .layer_range(1, -2, 3)
        .outside(Outside::Linear)
        .spline_scale(1.0)
        .base(base)
        .scale(true)
        .bias(true)
        .seed(5)
        .network()
        .unwrap();
    for (l, layer) in network.layers.iter_mut().enumerate() {
        layer.scale.iter_mut().enumerate().for_each(|(k, s)| *s = 0.5 + 0.1 * k as f64);
        layer.bias.iter_mut().enumerate().for_each(|(k, b)| *b = 0.2 * k as f64 - 0.3 * l as f64);
    }
    network.layers[0].mask[4] = false;
    network.layers[1].mask[1] = false;
    let at = network.layers[0].edge(0, 0);
    network.layers[0].symbolic[at] = Some(edge("sin", [2.0, 0.3, 0.7, -0.1]));
    let at = network.layers[0].edge(2, 3);
    network.layers[0].symbolic[at] = Some(edge("x^2", [1.5, 0.1, -0.4, 0.2]));
    let at = network.layers[0].edge(1, 0);
    network.layers[0].symbolic[at] = Some(edge("sin", [-1.0, 0.5, 0.3, 0.0]));
    network
}

/// With knots of each input's own.
fn on_knots(network: &Network, x: &HostTensor) -> Network {
    network.update_grid_from_samples(&Device::cpu(), x, &GridUpdate::new().grid(7)).unwrap()
}

pub(super) fn samples(rows: usize, inputs: usize) -> HostTensor {
    Generator::new(9).uniform(&[rows, inputs], -1.0, 1.0).unwrap()
}

/// The outputs in a graph, in f64.
pub(super) fn in_graph(network: &Network, x: &HostTensor) -> Vec<f64> {
    let g = Graph::new();
    let model = network.build_as(&g, "k", DType::F64).unwrap();
    let input = g.input("x", DType::F64, x.shape()).unwrap();
    let y = model.forward(&input).unwrap();
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    assert_eq!(model.network(program.params()).unwrap(), *network);
    program.run([("x", x.cast(DType::F64))]).unwrap().wait().unwrap()[0].to_f64()
}

pub(super) fn near(got: &[f64], want: &[f64], within: f64) {
    assert_eq!(got.len(), want.len());
    for (k, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= within * want.abs().max(1.0), "{k}: {got}, not {want}");
    }
}

#[test]
fn graphs_compute_what_the_definition_says() {
    let x = samples(40, 3);
    for base in [Base::Silu, Base::None, Base::Identity, Base::Activation("tanh")] {
        let network = rich(base);
        assert_eq!(network.widths(), [3, 4, 3]);
        near(&in_graph(&network, &x), &network.evaluate(&x.to_f64()).unwrap(), 1e-12);
        let moved = on_knots(&network, &x);
        assert!(matches!(moved.layers[0].branches[0].functions, Functions::OnKnots(..)));
        near(&in_graph(&moved, &x), &moved.evaluate(&x.to_f64()).unwrap(), 1e-12);
    }
}

#[test]
fn units_are_those_of_the_data() {
    let x = Generator::new(9).uniform(&[60, 3], 100.0, 300.0).unwrap();
    let columns = x.to_f64();
    let units: Vec<Unit> =
        (0..3).map(|i| Unit::of_range(columns.iter().skip(i).step_by(3).copied())).collect();
    let outputs = [
        Unit { shift: -7.0, scale: 40.0 },
        Unit { shift: 0.5, scale: 0.01 },
        Unit { shift: 0.0, scale: 1.0 },
    ];
    let network = rich(Base::Silu).in_units(&units, &outputs).unwrap();
    let want = network.evaluate(&columns).unwrap();
    near(&in_graph(&network, &x), &want, 1e-12);
    let inner: Vec<f64> = columns.iter().enumerate().map(|(k, x)| units[k % 3].inwards(*x)).collect();
    let plain = rich(Base::Silu).evaluate(&inner).unwrap();
    near(
        &want,
        &plain.iter().enumerate().map(|(k, y)| outputs[k % 3].outwards(*y)).collect::<Vec<_>>(),
        1e-12,
    );
    // Scores are of the layers' own numbers.
    let own = HostTensor::new(&inner, [60, 3]).unwrap();
    let scores = rich(Base::Silu).attribute(&Device::cpu(), &own).unwrap();
    near(&network.attribute(&Device::cpu(), &x).unwrap().edges[0], &scores.edges[0], 1e-4);
    let text = |n: Result<Network>| n.unwrap_err().to_string();
    assert!(text(network.clone().in_units(&units[..2], &outputs)).contains("2 units of inputs for 3"));
    let none = [Unit { shift: 0.0, scale: 0.0 }; 3];
    assert!(text(network.in_units(&none, &outputs)).contains("input 0 has shift 0 and scale 0"));
}

#[test]
fn layers_of_formulas_or_nothing_alone() {
    let mut network = rich(Base::Silu);
    let sine = Affine { function: Library::standard().get("sin").unwrap(), a: 1.0, b: 0.1, c: 2.0, d: 0.0 };
    network.layers[0].symbolic.fill(Some(sine));
    let x = samples(20, 3);
    near(&in_graph(&network, &x), &network.evaluate(&x.to_f64()).unwrap(), 1e-12);
    network.layers[1].mask.fill(false);
    near(&in_graph(&network, &x), &network.evaluate(&x.to_f64()).unwrap(), 1e-12);
    network.layers[1].bias.clear();
    let y = in_graph(&network, &x);
    assert!(y.len() == 60 && y.iter().all(|y| *y == 0.0));
}

#[test]
fn samples_move_grids_and_leave_functions() {
    // Fine grids: what projection changes is small.
    let x = samples(400, 3);
    let mut network = rich(Base::Silu).refine(40).unwrap();
    network.layers[1].mask.fill(true);
    let before = network.evaluate(&x.to_f64()).unwrap();
    for update in [GridUpdate::new(), GridUpdate::new().uniform(1.0), GridUpdate::new().shared(true)] {
        let moved = network.update_grid_from_samples(&Device::cpu(), &x, &update.grid(60)).unwrap();
        let after = moved.evaluate(&x.to_f64()).unwrap();
        let rms = |v: &mut dyn Iterator<Item = f64>| (v.map(|v| v * v).sum::<f64>() / 1200.0).sqrt();
        let (change, size) =
            (rms(&mut before.iter().zip(&after).map(|(a, b)| a - b)), rms(&mut before.iter().copied()));
        assert!(change < 2e-3 * size, "{change} of {size}");
        let out = moved.out_of_range(&Device::cpu(), &x).unwrap();
        assert!(out[0].iter().chain(&out[1]).all(|part| *part < 0.01), "{out:?}");
    }
}

#[test]
fn an_update_changes_no_more_than_the_projection() {
    let x = samples(300, 1);
    let network =
        Kan::new(&Graph::new(), "k", [1, 1]).grid(5).base(false).spline_scale(1.0).network().unwrap();
    let moved = network.update_grid_from_samples(&Device::cpu(), &x, &GridUpdate::new().grid(9)).unwrap();
    // A second projection onto the same knots finds the same function.
    let again = moved.update_grid_from_samples(&Device::cpu(), &x, &GridUpdate::new().grid(9)).unwrap();
    near(&again.evaluate(&x.to_f64()).unwrap(), &moved.evaluate(&x.to_f64()).unwrap(), 1e-9);
    // And no other function over those knots is nearer to the old one.
    let points: Vec<f64> = edge::spread(moved.layers[0].range(0), 4001).collect();
    let target = network.edge_values(0, 0, 0, &points).unwrap();
    let distance = |n: &Network| -> f64 {
        n.edge_values(0, 0, 0, &points).unwrap().iter().zip(&target).map(|(a, b)| (a - b).powi(2)).sum()
    };
    let best = distance(&moved);
    for m in 0..12 {
        for by in [-1e-3, 1e-3] {
            let mut other = moved.clone();
            other.layers[0].branches[0].coef[m] += by;
            assert!(distance(&other) > best, "{m}");
        }
    }
}

#[test]
fn refined_in_f64_nothing_changes() {
    let x = samples(200, 3);
    let moved = on_knots(&rich(Base::Silu), &x);
    near(&in_graph(&moved.refine(14).unwrap(), &x), &in_graph(&moved, &x), 1e-12);
    let network = rich(Base::Silu);
    near(&in_graph(&network.refine(10).unwrap(), &x), &in_graph(&network, &x), 1e-12);
}

#[test]
fn constant_and_repeated_samples_have_their_answer() {
    let network = Kan::new(&Graph::new(), "k", [2, 2]).grid(6).network().unwrap();
    let rows: Vec<f32> =
        (0..50).flat_map(|i| [3.0, if i % 10 == 0 { i as f32 / 50.0 } else { 0.0 }]).collect();
    let x = HostTensor::new(&rows, [50, 2]).unwrap();
    let moved = network.update_grid_from_samples(&Device::cpu(), &x, &GridUpdate::new()).unwrap();
    // The constant input keeps its grid; zeros that repeat do not fold the other's.
    assert_eq!(moved.layers[0].range(0), (-1.0, 1.0));
    let knots = moved.layers[0].branches[0].functions.knots(1).unwrap();
    assert!(knots.grid().windows(2).all(|t| t[0] < t[1]), "{knots:?}");
    assert!(moved.layers[0].branches[0].coef.iter().all(|c| c.is_finite()));
    // A row fewer than there are functions is enough: functions, not samples, are what is fitted.
    let few = HostTensor::new(&[0.1f32, 0.2, 0.4, 0.3], [2, 2]).unwrap();
    assert!(network.update_grid_from_samples(&Device::cpu(), &few, &GridUpdate::new()).is_ok());
    let text = |x: &HostTensor| {
        network.update_grid_from_samples(&Device::cpu(), x, &GridUpdate::new()).unwrap_err().to_string()
    };
    let nan = HostTensor::new(&[0.1f32, 0.2, f32::NAN, 0.3], [2, 2]).unwrap();
    assert!(
        text(&nan).contains("row 1 of the samples has no finite number for input 0 (`x1`)"),
        "{}",
        text(&nan)
    );
    let wide = HostTensor::new(&[0.0f32; 3], [1, 3]).unwrap();
    assert!(text(&wide).contains("they must be floats [rows, 2]"), "{}", text(&wide));
}

#[test]
fn edges_do_what_their_values_say() {
    let x = samples(150, 3);
    for network in [rich(Base::Silu), on_knots(&rich(Base::Activation("tanh")), &x), rich(Base::None)] {
        let given = network.activations(&Device::cpu(), &x).unwrap();
        let found = network.attribute(&Device::cpu(), &x).unwrap();
        for (l, layer) in network.layers.iter().enumerate() {
            let given = given[l].to_f64();
            for input in 0..layer.inputs {
                let column: Vec<f64> = given.iter().skip(input).step_by(layer.inputs).copied().collect();
                for sum in 0..layer.sums {
                    let y = network.edge_values(l, input, sum, &column).unwrap();
                    let mean = y.iter().sum::<f64>() / 150.0;
                    let deviation = (y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 150.0).sqrt();
                    let at = layer.edge(input, sum);
                    near(&[found.deviations[l][at]], &[deviation], 2e-5);
                    near(&[found.means[l][at]], &[mean], 2e-5);
                }
            }
        }
        assert_eq!(found.nodes[2], [1.0, 1.0, 1.0]);
        // An edge that is gone, and the score of a node is what leaves it.
        assert_eq!(found.edges[0][4], 0.0);
        let leaving: f64 = found.edges[1][..network.layers[1].sums].iter().sum();
        near(&[found.nodes[1][0]], &[leaving], 1e-12);
    }
}

/// The edges that are left by thresholds from nothing to all, once the smaller networks are seen to be the masked ones.
pub(super) fn edges_left(network: &Network, scores: &Attribution, x: &HostTensor) -> Vec<usize> {
    let left = |threshold: f64| {
        let masked = network.prune(scores, threshold, threshold).unwrap();
        let small = masked.compact();
        near(&small.evaluate(&x.to_f64()).unwrap(), &masked.evaluate(&x.to_f64()).unwrap(), 1e-12);
        near(&in_graph(&small, x), &in_graph(&masked, x), 1e-12);
        assert!(small.widths().iter().zip(masked.widths()).all(|(a, b)| *a <= b));
        masked.edges()
    };
    [0.0, 0.05, 0.2, 0.5, 0.8, 10.0].map(left).to_vec()
}

#[test]
fn pruned_is_masked() {
    let x = samples(200, 3);
    let network = rich(Base::Silu);
    let scores = network.attribute(&Device::cpu(), &x).unwrap();
    let edges = edges_left(&network, &scores, &x);
    assert!(edges.is_sorted_by(|a, b| a >= b) && edges[0] == network.edges() && edges[5] == 0, "{edges:?}");
    // What weak edges were on average stays.
    let weak = network.prune(&scores, 0.05, 0.0).unwrap();
    let rms = |a: &[f64], b: &[f64]| {
        (a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
    };
    let (before, after) = (network.evaluate(&x.to_f64()).unwrap(), weak.evaluate(&x.to_f64()).unwrap());
    assert!(weak.edges() < network.edges() && rms(&before, &after) < 0.2, "{}", rms(&before, &after));

    let (small, kept) = network.without_inputs(&scores, f64::MAX).unwrap();
    assert_eq!((small.widths()[0], kept.len(), small.inputs().len()), (1, 1, 1));
    let column: Vec<f64> = x.to_f64().iter().skip(kept[0]).step_by(3).copied().collect();
    assert_eq!(small.evaluate(&column).unwrap().len(), 600);
    let other = Kan::new(&Graph::new(), "k", [3, 1]).network().unwrap();
    assert!(other.prune(&scores, 0.1, 0.1).unwrap_err().to_string().contains("of another shape"));
    assert!(
        network.prune(&scores, f64::NAN, 0.1).unwrap_err().to_string().contains("threshold of edges is NaN")
    );
}

#[test]
fn penalties_are_their_formulas_and_have_slopes() {
    let x = samples(60, 3);
    let network = rich(Base::Silu);
    let scores = network.attribute(&Device::cpu(), &x).unwrap();
    let value = |network: &Network, weights: &Sparsity| {
        let g = Graph::new();
        let model = network.build_as(&g, "k", DType::F64).unwrap();
        let input = g.input("x", DType::F64, [60, 3]).unwrap();
        let loss = model.penalty(&input, weights).unwrap();
        let parameters = model.parameters();
        let slopes = loss.gradients(&parameters).unwrap();
        let slope = slopes[0].clone().unwrap();
        let mut program = Device::cpu().compile(&g, &[&loss, &slope], &[]).unwrap();
        let out = program.run([("x", x.cast(DType::F64))]).unwrap().wait().unwrap();
        (out[0].to_f64()[0], out[1].to_f64())
    };
    let l1: f64 = scores.deviations.iter().flatten().sum();
    near(&[value(&network, &Sparsity { l1: 0.5, ..Sparsity::default() }).0], &[0.5 * l1], 1e-5);
    let entropy: f64 = scores
        .deviations
        .iter()
        .map(|e| {
            let sum: f64 = e.iter().sum();
            -e.iter().map(|e| e / sum * (e / sum).ln()).sum::<f64>()
        })
        .sum();
    near(&[value(&network, &Sparsity { entropy: 1.0, ..Sparsity::default() }).0], &[entropy], 1e-4);
    let all = Sparsity { l1: 0.3, entropy: 0.4, coefficients: 0.2, smoothness: 0.7 };
    let (_, slope) = value(&network, &all);
    for m in [0, 17, 40] {
        let mut moved = [network.clone(), network.clone()];
        moved[0].layers[0].branches[0].coef[m] -= 1e-5;
        moved[1].layers[0].branches[0].coef[m] += 1e-5;
        let want = (value(&moved[1], &all).0 - value(&moved[0], &all).0) / 2e-5;
        near(&[slope[m]], &[want], 1e-6);
    }
    let g = Graph::new();
    let model = network.build(&g, "k").unwrap();
    let input = g.input("x", DType::F32, [60, 3]).unwrap();
    let e = model.penalty(&input, &Sparsity { l1: -1.0, ..Sparsity::default() }).unwrap_err().to_string();
    assert!(e.contains("l1 is -1; it must be finite and at least 0"), "{e}");
}

#[test]
fn no_value_of_each_edge_at_each_sample_is_in_memory() {
    let (rows, wide, high) = (1000, 32, 256);
    for kind in ["one basis", "two", "formulas"] {
        let (g, gelu) = (Graph::new(), "gelu".parse::<Base>().unwrap());
        let mut builder = Kan::new(&g, "k", [wide, high]).scale(true).base(gelu);
        if kind == "two" {
            builder = builder.edge_basis(0, 1, 1, Basis::fourier(2).unwrap());
        }
        let mut network = builder.network().unwrap();
        if kind == "formulas" {
            let function = Library::standard().get("sin").unwrap();
            network.layers[0].symbolic.fill(Some(Affine { function, a: 2.0, b: 0.1, c: 0.5, d: 0.2 }));
        }
        let model = network.build(&g, "k").unwrap();
        let x = g.input("x", DType::F32, [rows, wide]).unwrap();
        let loss = model.forward(&x).unwrap().square().unwrap().mean(&[0, 1], false).unwrap();
        let all = Sparsity { l1: 0.1, entropy: 0.1, coefficients: 0.1, smoothness: 0.1 };
        let loss = loss.add(model.penalty(&x, &all).unwrap()).unwrap();
        let d = loss.grad(&model.parameters()).unwrap();
        let outputs: Vec<&Tensor> = std::iter::once(&loss).chain(&d).collect();
        for on in [Capabilities::cpu(), Capabilities::portable()] {
            let plan = g.plan(&outputs, &[], &[].into(), &on, PlanOptions::default()).unwrap();
            let each = 4 * rows * wide * high;
            assert!(plan.live_peak < each / 2, "{kind}: {} bytes, each edge {each}", plan.live_peak);
        }
    }
}

#[test]
fn what_is_no_network_is_refused() {
    let g = Graph::new();
    let text = |b: KanBuilder| b.network().unwrap_err().to_string();
    assert!(text(Kan::new(&g, "k", [2, 1]).multiply(0, [1])).contains("of arity 1; it must be at least 2"));
    assert!(text(Kan::new(&g, "k", [2, 1]).multiply(3, [2])).contains("there is no layer 3"));
    let fourier = Basis::fourier(2).unwrap();
    assert!(text(Kan::new(&g, "k", [2, 1]).edge_basis(0, 2, 0, fourier)).contains("no edge from 2 to 0"));
    let network = Kan::new(&g, "k", [2, 1]).network().unwrap();
    assert!(network.evaluate(&[1.0]).unwrap_err().to_string().contains("no whole number of rows"));
    assert!(
        network.clone().named(&["a"], &["y"]).unwrap_err().to_string().contains("1 names of inputs for 2")
    );
    assert!(
        network.clone().named(&["a", "a"], &["y"]).unwrap_err().to_string().contains("names must differ")
    );
    network.build(&g, "k").unwrap();
    assert!(network.build(&g, "k").unwrap_err().to_string().contains("has a `k.0.coef` already"));
    let model = network.build(&g, "other").unwrap();
    let x = g.input("x", DType::F32, [4, 3]).unwrap();
    assert!(model.forward(&x).unwrap_err().to_string().contains("layer 0 has 2 inputs; x is f32[4, 3]"));
}
