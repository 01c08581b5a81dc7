//! Order, memory, budgets and submits, read from plans.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::collections::HashMap;

use knotwork_core::{
    DType, Device, Error, Graph, HostTensor, Tensor,
    graph::Update,
    plan::{BufferKind, Capabilities, Place, Plan, PlanOptions},
};
use pretty_assertions::assert_eq;

fn plan(g: &Graph, outputs: &[&Tensor], updates: &[&Update], options: PlanOptions) -> Plan {
    g.plan(outputs, updates, &[].into(), &Capabilities::portable(), options).unwrap()
}

fn apart() -> PlanOptions {
    PlanOptions { no_alias: true, ..PlanOptions::default() }
}

/// A perceptron's training step, its weights' gradients read by one update each.
fn training(layers: usize) -> (Graph, Tensor, Vec<Update>) {
    network(layers, |h| h.tanh().unwrap())
}

fn network(layers: usize, activation: impl Fn(Tensor) -> Tensor) -> (Graph, Tensor, Vec<Update>) {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [64, 32]).unwrap();
    let mut h = x.clone();
    let mut parameters = Vec::new();
    for l in 0..layers {
        let w = g.parameter(&format!("w{l}"), HostTensor::zeros(DType::F32, [32, 32])).unwrap();
        h = activation(h.matmul(&w).unwrap());
        parameters.push(w);
    }
    let loss = h.square().unwrap().mean(&[0, 1], false).unwrap();
    let gradients = loss.grad(&parameters.iter().collect::<Vec<_>>()).unwrap();
    let updates = parameters.iter().zip(&gradients);
    let updates = updates.map(|(p, d)| g.assign(p, &p.sub(d.mul(0.1).unwrap()).unwrap()).unwrap()).collect();
    (g, loss, updates)
}

/// The bytes that are alive at each step, counted from the places of a plan in which nothing shares memory.
fn alive(plan: &Plan) -> usize {
    let arena = |p: &&Place| matches!(plan.buffers[p.buffer.0].kind, BufferKind::Arena);
    let mut lives: HashMap<usize, (usize, usize, usize)> = HashMap::new();
    for (k, step) in plan.steps.iter().enumerate() {
        for p in step.inputs.iter().chain(&step.outputs).filter(arena) {
            lives.entry(p.buffer.0).or_insert((k, k, p.bytes)).1 = k;
        }
    }
    for p in plan.outputs.iter().filter(arena) {
        lives.get_mut(&p.buffer.0).unwrap().1 = plan.steps.len();
    }
    let at = |k| lives.values().filter(|l| (l.0..=l.1).contains(&k)).map(|l| l.2).sum::<usize>();
    (0..=plan.steps.len()).map(at).max().unwrap()
}

#[test]
fn the_live_peak_is_what_a_plan_without_reuse_shows_to_be_alive() {
    let (g, loss, updates) = training(5);
    let updates: Vec<&Update> = updates.iter().collect();
    // Scratch memory and packs have no place of their own there, so the network has none.
    let apart = plan(&g, &[&loss], &updates, PlanOptions { no_fuse: true, no_rewrite: true, ..apart() });
    let scratch = apart.dispatches.iter().any(|d| d.kernel.name.contains("split"));
    assert!(!scratch);
    assert_eq!(apart.live_peak, alive(&apart));
    let reused = plan(
        &g,
        &[&loss],
        &updates,
        PlanOptions { no_fuse: true, no_rewrite: true, ..PlanOptions::default() },
    );
    assert!(reused.live_peak <= apart.live_peak);
    assert!(reused.arena_bytes() <= apart.live_peak * 115 / 100);
}

/// Every input must hold what its producer wrote: the producer is known from the plan in which nothing is reused.
#[test]
fn no_value_is_overwritten_before_its_last_reader() {
    for no_fuse in [false, true] {
        let (g, loss, updates) = training(6);
        let updates: Vec<&Update> = updates.iter().collect();
        let reused = plan(&g, &[&loss], &updates, PlanOptions { no_fuse, ..PlanOptions::default() });
        let apart = plan(&g, &[&loss], &updates, PlanOptions { no_fuse, ..apart() });
        assert_eq!(reused.steps.len(), apart.steps.len());
        // Who wrote each arena byte last, and who wrote each value of the other plan.
        let mut bytes: Vec<Vec<usize>> = reused.buffers.iter().map(|b| vec![usize::MAX; b.bytes]).collect();
        let mut writer: HashMap<(usize, usize), usize> = HashMap::new();
        for (k, (a, b)) in reused.steps.iter().zip(&apart.steps).enumerate() {
            assert_eq!(a.op.name(), b.op.name());
            for (i, (p, q)) in a.inputs.iter().zip(&b.inputs).enumerate() {
                let Some(&by) = writer.get(&(q.buffer.0, q.offset)) else { continue };
                let held = &bytes[p.buffer.0][p.offset..p.offset + p.bytes];
                assert!(held.iter().all(|w| *w == by), "step {k}, input {i}\n{reused}");
            }
            for (p, q) in a.outputs.iter().zip(&b.outputs) {
                bytes[p.buffer.0][p.offset..p.offset + p.bytes].fill(k);
                writer.insert((q.buffer.0, q.offset), k);
            }
            for d in reused.dispatches.iter().filter(|d| d.step == k) {
                for s in d.bindings.iter().filter(|s| s.writes) {
                    let out = |p: &Place| {
                        p.buffer == s.buffer && p.offset < s.offset + s.bytes && s.offset < p.offset + p.bytes
                    };
                    if !a.outputs.iter().any(out) {
                        bytes[s.buffer.0][s.offset..s.offset + s.bytes].fill(usize::MAX - 1);
                    }
                }
            }
        }
        for (p, q) in reused.outputs.iter().zip(&apart.outputs) {
            let by = writer[&(q.buffer.0, q.offset)];
            assert!(bytes[p.buffer.0][p.offset..p.offset + p.bytes].iter().all(|w| *w == by));
        }
    }
}

#[test]
fn work_that_frees_memory_comes_first() {
    // Two long values are reduced; written first, both reductions would come after both values.
    let g = Graph::new();
    let x = g.input("x", DType::F32, [64, 64]).unwrap();
    let a = x.matmul(&x).unwrap();
    let b = x.transpose(0, 1).unwrap().matmul(&x).unwrap();
    let c = x.matmul(&x.transpose(0, 1).unwrap()).unwrap();
    let sums: Vec<Tensor> = [&c, &b, &a].map(|t| t.sum(&[0], false).unwrap()).into();
    let outputs: Vec<&Tensor> = sums.iter().collect();
    let options = PlanOptions { no_fuse: true, no_rewrite: true, ..PlanOptions::default() };
    let made = plan(&g, &outputs, &[], options);
    let kinds: Vec<&str> = made.steps.iter().map(|s| s.op.name()).collect();
    assert_eq!(kinds, ["matmul", "sum", "matmul", "sum", "matmul", "sum"], "{made}");
    assert!(made.live_peak < 2 * 64 * 64 * 4, "{made}");
}

#[test]
fn a_gradient_is_used_up_as_soon_as_its_parameter_is_not_needed_any_more() {
    let (g, loss, updates) = network(12, |h| h);
    let updates: Vec<&Update> = updates.iter().collect();
    let made = plan(&g, &[&loss], &updates, PlanOptions::default());
    // 12 activations of 8 KiB live into the backward pass; 12 gradients of 4 KiB do not have to live side by side.
    assert!(made.live_peak < (12 + 3) * 64 * 32 * 4, "{}", made.live_peak);
}

#[test]
fn independent_work_is_side_by_side() {
    // Two chains of equal sizes: in turn, each neighbour would be free to overlap.
    let g = Graph::new();
    let x = g.input("x", DType::F32, [16, 16]).unwrap();
    let chain = |seed: f64| (0..4).fold(x.mul(seed).unwrap(), |y, _| y.matmul(&x).unwrap());
    let (a, b) = (chain(2.0), chain(3.0));
    let made = plan(&g, &[&a, &b], &[], PlanOptions { no_fuse: true, ..PlanOptions::default() });
    let depends = made.steps.windows(2).filter(|w| {
        w[1].inputs.iter().any(|i| w[0].outputs.iter().any(|o| o.buffer == i.buffer && o.offset == i.offset))
    });
    assert!(depends.count() <= 2, "{made}");
}

#[test]
fn a_budget_names_the_largest_tenants_and_their_lines() {
    let (g, loss, updates) = training(6);
    let updates: Vec<&Update> = updates.iter().collect();
    let made = plan(&g, &[&loss], &updates, PlanOptions::default());
    let whole: usize =
        made.buffers.iter().filter(|b| !matches!(b.kind, BufferKind::Status)).map(|b| b.bytes).sum();
    let with = |budget| {
        let options = PlanOptions { budget: Some(budget), ..PlanOptions::default() };
        g.plan(&[&loss], &updates, &[].into(), &Capabilities::portable(), options)
    };
    assert_eq!(with(whole).unwrap().to_string(), made.to_string());
    let Err(Error::Budget(e)) = with(whole - 1) else { panic!("it fits") };
    assert_eq!((e.needed, e.budget), (whole, whole - 1));
    assert_eq!(e.needed, e.arena + e.parameters + e.inputs + e.constants);
    assert!(e.tenants.len() == 5 && e.tenants.windows(2).all(|w| w[0].bytes >= w[1].bytes), "{e}");
    assert_eq!(e.tenants[0].bytes, 64 * 32 * 4);
    let text = e.to_string();
    assert!(
        text.contains("f32[64, 32], 8192 bytes (made at ") && text.contains("tests/memory.rs:"),
        "{text}"
    );
    // A program says the same, at its first run.
    let options = PlanOptions { budget: Some(1000), ..PlanOptions::default() };
    let mut program = Device::cpu().compile(&g, &[&loss], &[]).unwrap().with_options(options);
    let refused = program.run([("x", HostTensor::zeros(DType::F32, [64, 32]))]);
    assert!(matches!(refused, Err(Error::Budget(_))), "{refused:?}");
}

#[test]
fn what_no_buffer_of_the_device_can_hold_is_refused_with_the_place() {
    let small = Capabilities { max_buffer_bytes: 4096, max_binding_bytes: 4096, ..Capabilities::portable() };
    let g = Graph::new();
    let x = g.input("x", DType::F32, [64]).unwrap();
    let y = x.reshape([64, 1]).unwrap().matmul(&x.reshape([1, 64]).unwrap()).unwrap();
    let made = g.plan(&[&y], &[], &[].into(), &small, PlanOptions::default());
    let Err(Error::Limit { need, limit, .. }) = &made else { panic!("{made:?}") };
    assert!(need.contains("16384") && limit.contains("4096"), "{need} {limit}");
    let big = g.input("big", DType::F32, [2000]).unwrap();
    let made = g.plan(&[&big.exp().unwrap()], &[], &[].into(), &small, PlanOptions::default());
    assert!(made.unwrap_err().to_string().contains("memory.rs"));
    let half = g.input("half", DType::F32, [2000]).unwrap().slice(0, 0, 8).unwrap().exp().unwrap();
    let made = g.plan(&[&half], &[], &[].into(), &small, PlanOptions::default()).unwrap_err().to_string();
    assert!(made.contains("input `half`") && made.contains("8000"), "{made}");
}

#[test]
fn shared_buffers_respect_the_limit_of_the_device() {
    let (g, loss, updates) = training(8);
    let updates: Vec<&Update> = updates.iter().collect();
    let narrow = Capabilities { max_buffer_bytes: 8192, ..Capabilities::portable() };
    let made = g.plan(&[&loss], &updates, &[].into(), &narrow, PlanOptions::default()).unwrap();
    let arena = made.buffers.iter().filter(|b| matches!(b.kind, BufferKind::Arena));
    assert!(arena.clone().count() > 4 && arena.clone().all(|b| b.bytes <= 8192), "{made}");
}

#[test]
fn a_submit_is_split_only_by_estimated_time() {
    let (g, loss, updates) = training(4);
    let updates: Vec<&Update> = updates.iter().collect();
    let with =
        |submit_micros| plan(&g, &[&loss], &updates, PlanOptions { submit_micros, ..PlanOptions::default() });
    let one = with(None);
    assert_eq!(one.submits, std::slice::from_ref(&(0..one.dispatches.len())));
    let each = with(Some(0));
    assert_eq!(each.submits.len(), each.dispatches.len());
    // In between: ranges without gaps, each within the bound but for single dispatches.
    let some = with(Some(30));
    assert!((2..some.dispatches.len()).contains(&some.submits.len()), "{:?}", some.submits);
    assert_eq!(
        some.submits.iter().flat_map(Clone::clone).collect::<Vec<_>>(),
        (0..some.dispatches.len()).collect::<Vec<_>>()
    );
    // A large product is estimated longer than a small one.
    let g = Graph::new();
    let seconds = |n: usize| {
        let x = g.input(&format!("x{n}"), DType::F32, [n, n]).unwrap();
        let made = plan(&g, &[&x.matmul(&x).unwrap()], &[], PlanOptions::default());
        made.steps[0].seconds(&Capabilities::portable())
    };
    assert!(seconds(512) > 50.0 * seconds(64));
}
