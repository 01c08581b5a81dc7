//! Checkpoint regions: less memory, the same values.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Device, Error, Graph, HostTensor, Result, Tensor,
    cpu::evaluate,
    plan::{Capabilities, Plan, PlanOptions},
};
use pretty_assertions::assert_eq;

fn spread(shape: &[usize], scale: f64, seed: usize) -> HostTensor {
    let value = |i: usize| (scale * ((i * 7919 + seed * 104_729) as f64 * 0.618_034).sin()) as f32;
    HostTensor::new(&(0..shape.iter().product()).map(value).collect::<Vec<f32>>(), shape).unwrap()
}

/// How layers are grouped.
#[derive(Clone, Copy, PartialEq)]
enum Regions {
    None,
    /// One around so many layers.
    Flat(usize),
    /// One around so many layers, and one inside around each layer.
    Nested(usize),
}

struct Perceptron {
    g: Graph,
    x: Tensor,
    hidden: Vec<Tensor>,
    weights: Vec<Tensor>,
    loss: Tensor,
}

impl Perceptron {
    fn new(layers: usize, batch: usize, width: usize, regions: Regions) -> Self {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [batch, width]).unwrap();
        let weights: Vec<Tensor> = (0..layers)
            .map(|l| g.parameter(&format!("w{l}"), spread(&[width, width], 0.4, l)).unwrap())
            .collect();
        let mut hidden = Vec::new();
        let layer = |h: &Tensor, w: &Tensor| h.matmul(w)?.tanh()?.mul(1.25)?.sigmoid();
        let mut h = x.clone();
        let group = match regions {
            Regions::None => layers,
            Regions::Flat(n) | Regions::Nested(n) => n,
        };
        for weights in weights.chunks(group) {
            let mut block = || {
                weights.iter().try_fold(h.clone(), |h, w| {
                    let next = match regions {
                        Regions::Nested(_) => h.checkpoint(|h| layer(h, w))?,
                        _ => layer(&h, w)?,
                    };
                    hidden.push(next.clone());
                    Ok(next)
                })
            };
            let next: Result<Tensor> = if regions == Regions::None { block() } else { g.checkpoint(block) };
            h = next.unwrap();
        }
        let loss = h.square().unwrap().mean(&[0, 1], false).unwrap();
        Self { g, x, hidden, weights, loss }
    }

    fn gradients(&self) -> Vec<Tensor> {
        let mut to: Vec<&Tensor> = self.weights.iter().collect();
        to.push(&self.x);
        self.loss.grad(&to).unwrap()
    }
}

fn plan(g: &Graph, outputs: &[Tensor], capabilities: &Capabilities, no_fuse: bool) -> Plan {
    let options = PlanOptions { no_fuse, ..PlanOptions::default() };
    g.plan(&outputs.iter().collect::<Vec<_>>(), &[], &[].into(), capabilities, options).unwrap()
}

fn run(g: &Graph, outputs: &[Tensor], feed: &HostTensor) -> Vec<HostTensor> {
    let outputs: Vec<&Tensor> = outputs.iter().collect();
    Device::cpu().compile(g, &outputs, &[]).unwrap().run([("x", feed)]).unwrap().wait().unwrap()
}

#[test]
fn a_deep_perceptron_needs_a_third_less_memory_at_its_peak() {
    for capabilities in [Capabilities::cpu(), Capabilities::portable()] {
        for no_fuse in [false, true] {
            let peak = |regions| {
                let p = Perceptron::new(12, 256, 32, regions);
                // The weights' gradients are summed, so that what a run gives does not hide the activations.
                let sums: Vec<Tensor> =
                    p.gradients().iter().map(|d| d.sum(&[0, 1], false).unwrap()).collect();
                let plan = plan(&p.g, &sums, &capabilities, no_fuse);
                (plan.live_peak, plan.arena_bytes())
            };
            let (kept, flat, nested) =
                (peak(Regions::None), peak(Regions::Flat(4)), peak(Regions::Nested(4)));
            assert!(3 * flat.0 <= 2 * kept.0, "{flat:?} of {kept:?}, no_fuse {no_fuse}");
            assert!(3 * flat.1 <= 2 * kept.1, "{flat:?} of {kept:?}, no_fuse {no_fuse}");
            assert!(3 * nested.0 <= 2 * kept.0, "{nested:?} of {kept:?}, no_fuse {no_fuse}");
        }
    }
}

#[test]
fn values_and_gradients_are_the_same_bit_for_bit() {
    let feed = spread(&[5, 6], 1.0, 3);
    let all = |regions| {
        let p = Perceptron::new(6, 5, 6, regions);
        let mut outputs = p.gradients();
        outputs.push(p.loss.clone());
        (run(&p.g, &outputs, &feed), p.g.len())
    };
    let (want, nodes) = all(Regions::None);
    for regions in [Regions::Flat(2), Regions::Flat(6), Regions::Nested(3)] {
        let (got, more) = all(regions);
        assert_eq!(got, want);
        assert!(more > nodes, "nothing is computed again");
    }
}

#[test]
fn gradients_of_gradients_are_the_same_also_to_values_inside() {
    let feed = spread(&[4, 3], 1.0, 5);
    let second = |regions| {
        let p = Perceptron::new(4, 4, 3, regions);
        let dx = p.loss.grad(&[&p.x]).unwrap().remove(0);
        let norm = dx.square().unwrap().sum(&[0, 1], false).unwrap();
        let mut to: Vec<&Tensor> = p.weights.iter().collect();
        to.extend([&p.x, &p.hidden[0], &p.hidden[1], &p.hidden[2]]);
        let outputs = norm.grad(&to).unwrap();
        let refs: Vec<&Tensor> = outputs.iter().collect();
        let oracle = evaluate(&p.g, &refs, &[("x", feed.clone())].into()).unwrap();
        (oracle, run(&p.g, &outputs, &feed))
    };
    let (want, _) = second(Regions::None);
    assert!(want.iter().all(|t| t.to_f64().iter().any(|x| *x != 0.0)));
    for regions in [Regions::None, Regions::Flat(2), Regions::Nested(2), Regions::Nested(4)] {
        let (oracle, planned) = second(regions);
        for (want, got) in want.iter().zip(&oracle).chain(want.iter().zip(&planned)) {
            let size = want.to_f64().iter().fold(0.0f64, |m, x| m.max(x.abs()));
            for (a, b) in want.to_f64().iter().zip(got.to_f64()) {
                assert!((a - b).abs() <= 1e-5 * size, "{a} {b}");
            }
        }
    }
}

#[test]
fn a_gradient_may_be_part_of_a_region() {
    let feed = spread(&[4, 3], 1.0, 7);
    let value = |checkpoint: bool| {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [4, 3]).unwrap();
        let w = g.parameter("w", spread(&[3, 3], 0.5, 1)).unwrap();
        // The squared length of a gradient, inside.
        let inside = || {
            let y = x.matmul(&w)?.tanh()?.sum(&[0, 1], false)?;
            y.grad(&[&x])?[0].square()?.sum(&[0, 1], false)
        };
        let loss = if checkpoint { g.checkpoint(inside) } else { inside() }.unwrap();
        let dw = loss.grad(&[&w]).unwrap().remove(0);
        run(&g, &[loss, dw], &feed)
    };
    assert_eq!(value(true), value(false));
}

#[test]
fn a_wide_graph_keeps_its_regions() {
    let p = Perceptron::new(4, 4, 3, Regions::Flat(2));
    let outputs = p.gradients();
    let wide = p.g.to_f64().unwrap();
    let outputs: Vec<Tensor> = outputs.iter().map(|t| wide.value(t.id()).unwrap()).collect();
    let plan = plan(&wide, &outputs, &Capabilities::cpu(), true);
    let kept = Perceptron::new(4, 4, 3, Regions::None);
    let gradients = kept.gradients();
    let plain = self::plan(&kept.g, &gradients, &Capabilities::cpu(), true);
    assert!(plan.steps.len() > plain.steps.len(), "{plan}");
}

#[test]
fn a_region_that_fails_is_closed() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [64, 4]).unwrap();
    let refused = x.checkpoint(|x| x.matmul(&x.exp()?));
    assert!(matches!(refused, Err(Error::Op(_))), "{refused:?}");
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        g.checkpoint(|| -> Result<()> { panic!("of the caller") })
    }));
    assert!(caught.is_err());
    let y = x.exp().unwrap().tanh().unwrap().mean(&[0, 1], false).unwrap();
    let before = g.len();
    let dx = y.grad(&[&x]).unwrap();
    let names = |p: &Plan| p.steps.iter().map(|s| s.op.name().to_owned()).collect::<Vec<_>>();
    let planned = names(&plan(&g, &dx, &Capabilities::cpu(), true));
    assert_eq!(planned.iter().filter(|n| *n == "exp").count(), 1, "{planned:?}");
    assert!(g.len() > before);
}

#[test]
fn a_value_of_another_graph_is_refused_with_the_place() {
    let (g, other) = (Graph::new(), Graph::new());
    let x = g.input("x", DType::F32, [2]).unwrap();
    let y = other.input("y", DType::F32, [2]).unwrap();
    let refused = x.checkpoint(|_| Ok(y.clone())).unwrap_err().to_string();
    assert!(refused.contains("another graph") && refused.contains("checkpoint.rs"), "{refused}");
    // A region of one graph does not hold what is made in another.
    let z = g.checkpoint(|| y.exp()).unwrap();
    let dy = z.sum(&[0], false).unwrap().grad(&[&y]).unwrap();
    let names = plan(&other, &dy, &Capabilities::cpu(), true);
    assert_eq!(names.steps.iter().filter(|s| s.op.name() == "exp").count(), 1, "{names}");
}
