//! The rewriting rules: what each does to a plan, where it must not apply, and that values stay those of the oracle.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::collections::BTreeMap;

use knotwork_core::{
    DType, Device, Graph, HostTensor, Site, Tensor,
    cpu::evaluate,
    ops::Adam,
    plan::{Capabilities, Plan, PlanOptions},
};
use pretty_assertions::assert_eq;

fn plan(g: &Graph, outputs: &[&Tensor], capabilities: &Capabilities) -> Plan {
    g.plan(outputs, &[], &[].into(), capabilities, PlanOptions::default()).unwrap()
}

fn gpu(g: &Graph, outputs: &[&Tensor]) -> Plan {
    plan(g, outputs, &Capabilities::portable())
}

/// The operations of a plan in which nothing is fused, with and without rewriting.
fn names(g: &Graph, outputs: &[&Tensor], no_rewrite: bool) -> Vec<String> {
    let options = PlanOptions { no_fuse: true, no_rewrite, ..PlanOptions::default() };
    let plan = g.plan(outputs, &[], &[].into(), &Capabilities::portable(), options).unwrap();
    plan.steps.iter().map(|s| s.op.name().to_owned()).collect()
}

fn applied(plan: &Plan, rule: &str) -> usize {
    plan.rewrites.iter().find(|(name, _)| *name == rule).map_or(0, |(_, n)| *n)
}

fn wave(shape: &[usize], scale: f64) -> HostTensor {
    let count: usize = shape.iter().product();
    HostTensor::new(&(0..count).map(|i| (scale * (i as f64 * 0.7).sin()) as f32).collect::<Vec<_>>(), shape)
        .unwrap()
}

/// Runs the plan on the CPU, rewritten and fused, and compares with the graph as it was written.
fn check(g: &Graph, outputs: &[&Tensor], feeds: &[(&str, HostTensor)]) -> Vec<Vec<f64>> {
    let named: BTreeMap<&str, HostTensor> = feeds.iter().cloned().collect();
    let want = evaluate(g, outputs, &named).unwrap();
    let mut program = Device::cpu().compile(g, outputs, &[]).unwrap();
    let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
    for (k, (got, want)) in got.iter().zip(&want).enumerate() {
        assert_eq!(got.shape(), want.shape());
        for (a, b) in got.to_f64().iter().zip(want.to_f64()) {
            let same = (a.is_nan() && b.is_nan()) || *a == b || (a - b).abs() <= 2e-5 * b.abs().max(1.0);
            assert!(same, "output {k}: {a}, not {b}");
        }
    }
    got.iter().map(HostTensor::to_f64).collect()
}

#[test]
fn a_product_that_is_only_seen_transposed_is_computed_so() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [6, 4]).unwrap();
    let w = g.parameter("w", wave(&[3, 4], 0.5)).unwrap();
    let b = g.parameter("b", wave(&[3], 0.5)).unwrap();
    let y = x.linear(&w, Some(&b)).unwrap().square().unwrap().sum(&[0, 1], false).unwrap();
    let dw = y.grad(&[&w]).unwrap().remove(0);
    let plan = gpu(&g, &[&dw]);
    assert_eq!(applied(&plan, "transposed_product"), 1, "{plan}");
    assert!(!plan.steps.iter().any(|s| s.op.name() == "copy"), "{plan}");
    assert!(names(&g, &[&dw], true).contains(&"copy".to_owned()));
    check(&g, &[&dw, &y], &[("x", wave(&[6, 4], 1.0))]);
}

#[test]
fn a_product_that_is_seen_both_ways_stays() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [2, 5, 4]).unwrap(), g.input("b", DType::F32, [2, 4, 3]).unwrap());
    let c = a.matmul(&b).unwrap();
    let t = c.transpose(-2, -1).unwrap();
    let feeds = [("a", wave(&[2, 5, 4], 1.0)), ("b", wave(&[2, 4, 3], 0.5))];
    assert_eq!(applied(&gpu(&g, &[&c, &t]), "transposed_product"), 0);
    check(&g, &[&c, &t], &feeds);
    // Only transposed, and a part of it, and as another shape: all see it in order afterwards.
    let part = t.slice(1, 1, 3).unwrap().exp().unwrap();
    let flat = t.reshape([2, 15]).unwrap().neg().unwrap();
    let plan = gpu(&g, &[&t, &part, &flat]);
    assert_eq!(applied(&plan, "transposed_product"), 1, "{plan}");
    check(&g, &[&t, &part, &flat], &feeds);
    // A view across rows and columns has no other form.
    let across = c.reshape([2, 15]).unwrap().slice(1, 0, 7).unwrap().neg().unwrap();
    assert_eq!(applied(&gpu(&g, &[&t, &across]), "transposed_product"), 0);
    check(&g, &[&t, &across], &feeds);
}

#[test]
fn optimizers_take_gradients_side_by_side_without_copies() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [8, 4]).unwrap();
    let (w, v) =
        (g.parameter("w", wave(&[3, 4], 0.5)).unwrap(), g.parameter("v", wave(&[2, 3], 0.5)).unwrap());
    let y = x.linear(&w, None).unwrap().tanh().unwrap().linear(&v, None).unwrap();
    let loss = y.square().unwrap().mean(&[0, 1], false).unwrap();
    let d = loss.grad(&[&w, &v]).unwrap();
    let (lr, step) = (g.scalar("lr", 0.1).unwrap(), g.state("step", "s", HostTensor::scalar(1i32)).unwrap());
    let moment = |name: &str, t: &Tensor| {
        let zeros = HostTensor::zeros(DType::F32, t.shape().fixed().unwrap());
        g.state(&format!("{name}.{}", t.shape()), name, zeros).unwrap()
    };
    let (m, n) = ([moment("m", &w), moment("m", &v)], [moment("n", &w), moment("n", &v)]);
    let inputs = [&lr, &step, &w, &v, &d[0], &d[1], &m[0], &m[1], &n[0], &n[1]];
    let out = g.apply(Adam::new(2), &inputs, Site::here()).unwrap();
    let slots = [&w, &v, &m[0], &m[1], &n[0], &n[1]];
    let updates: Vec<_> =
        slots.iter().zip(&out).map(|(slot, value)| g.assign(slot, value).unwrap()).collect();
    let updates: Vec<_> = updates.iter().collect();
    let of = |no_rewrite: bool| {
        let options = PlanOptions { no_rewrite, no_fuse: true, ..PlanOptions::default() };
        g.plan(&[&loss], &updates, &[].into(), &Capabilities::portable(), options).unwrap()
    };
    let (plan, plain) = (of(false), of(true));
    assert_eq!(applied(&plan, "transposed_product"), 2, "{plan}");
    let copies = |p: &Plan| p.steps.iter().filter(|s| s.op.name() == "copy").count();
    assert_eq!((copies(&plan), copies(&plain)), (0, 2), "{plan}");
    // Both tensors are still stepped by one dispatch.
    let stepped = plan.steps.iter().position(|s| s.op.name().starts_with("adam")).unwrap();
    assert_eq!(plan.dispatches.iter().filter(|d| d.step == stepped).count(), 1, "{plan}");
    let run = |no_rewrite: bool| {
        let options = PlanOptions { no_rewrite, ..PlanOptions::default() };
        let mut program = Device::cpu().compile(&g, &[&loss], &updates).unwrap().with_options(options);
        let feed = wave(&[8, 4], 1.0);
        (0..3)
            .map(|_| program.run([("x", &feed)]).unwrap().wait().unwrap()[0].item::<f32>().unwrap())
            .collect::<Vec<_>>()
    };
    let (rewritten, plain) = (run(false), run(true));
    rewritten
        .iter()
        .zip(&plain)
        .for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{rewritten:?}, not {plain:?}"));
}

#[test]
fn exact_identities_go_and_inexact_ones_stay() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let i = g.input("i", DType::I32, [3]).unwrap();
    let gone = x.mul(1.0).unwrap().div(1.0).unwrap().sub(0.0).unwrap().add(-0.0).unwrap().pow(1.0).unwrap();
    let gone = gone.neg().unwrap().neg().unwrap().exp().unwrap();
    let counted = i.add(0.0).unwrap().mul(1.0).unwrap().mul(&i).unwrap();
    assert_eq!(names(&g, &[&gone, &counted], false), ["exp", "mul"]);
    assert_eq!(names(&g, &[&gone, &counted], true).len(), 11);
    // x + 0 makes a zero of −0, and x − (−0) too.
    let kept = [x.add(0.0).unwrap(), x.sub(-0.0).unwrap(), x.mul(-1.0).unwrap()];
    let kept: Vec<&Tensor> = kept.iter().collect();
    assert_eq!(names(&g, &kept, false), ["add", "sub", "mul"]);
    let values = HostTensor::new(&[-0.0f32, 0.0, 1.5, f32::NAN, f32::INFINITY, -2.0], [2, 3]).unwrap();
    let feeds = [("x", values), ("i", HostTensor::new(&[3i32, -4, 0], [3]).unwrap())];
    let got = check(&g, &[&gone, &counted, kept[0]], &feeds);
    assert!(got[2][0].is_sign_positive());
    // What is gone may be an output, also as a view.
    let same = x.transpose(0, 1).unwrap().mul(1.0).unwrap();
    check(&g, &[&same], &feeds[..1]);
    assert_eq!(names(&g, &[&same], false), ["copy"]);
}

#[test]
fn casts_that_lose_nothing_go() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4]).unwrap();
    let condition = x.gt(0.0).unwrap();
    let through = condition.cast(DType::I32).unwrap().cast(DType::F32).unwrap();
    assert_eq!(names(&g, &[&through], false), ["gt", "to_f32"]);
    let back = condition.cast(DType::I32).unwrap().cast(DType::Bool).unwrap();
    assert_eq!(names(&g, &[&back], false), ["gt"]);
    // 2.5 as an integer is another number.
    let lossy = x.cast(DType::I32).unwrap().cast(DType::F32).unwrap();
    assert_eq!(names(&g, &[&lossy], false), ["to_i32", "to_f32"]);
    let feeds = [("x", HostTensor::new(&[2.5f32, -1.0, 0.0, f32::NAN], [4]).unwrap())];
    let got = check(&g, &[&through, &back, &lossy], &feeds);
    assert_eq!(got[2], [2.0, -1.0, 0.0, 0.0]);
}

#[test]
fn a_choice_by_a_constant_is_made_while_planning() {
    let g = Graph::new();
    let (x, y) = (g.input("x", DType::F32, [3]).unwrap(), g.input("y", DType::F32, [3]).unwrap());
    let yes = g.constant(DType::F32, 2.0).unwrap().gt(1.0).unwrap().broadcast_to([3]).unwrap();
    let chosen = x.select(&yes, &y).unwrap().exp().unwrap();
    let same = x.select(&y.gt(0.0).unwrap(), &x).unwrap().exp().unwrap();
    // Both became the exponential of x.
    assert_eq!(names(&g, &[&chosen, &same], false), ["exp"]);
    assert_eq!(applied(&gpu(&g, &[&chosen, &same]), "repeated"), 1);
    check(&g, &[&chosen, &same], &[("x", wave(&[3], 1.0)), ("y", wave(&[3], 2.0))]);
}

#[test]
fn numbers_and_small_constants_are_computed_while_planning() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let two = g.constant(DType::F32, 2.0).unwrap();
    let k = two.mul(3.0).unwrap().exp().unwrap().log().unwrap().sqrt().unwrap();
    let table = g.tensor(HostTensor::new(&[1.0f32, 4.0, 9.0], [3]).unwrap()).unwrap();
    let roots = table.sqrt().unwrap().mul(&two).unwrap();
    let y = x.mul(&k).unwrap().add(&roots).unwrap();
    assert_eq!(names(&g, &[&y], false), ["mul", "add"]);
    // Integers wrap around as kernels do.
    let big = g.constant(DType::I32, 2_000_000_000.0).unwrap();
    let wrapped = big.add(&big).unwrap();
    let n = x.cast(DType::I32).unwrap().add(&wrapped).unwrap();
    assert_eq!(names(&g, &[&n, &k], false), ["to_i32", "add"]);
    let got = check(&g, &[&y, &n, &k, &roots, &wrapped], &[("x", wave(&[2, 3], 5.0))]);
    assert_eq!(got[4], [f64::from(2_000_000_000i32.wrapping_mul(2))]);
    assert_eq!(got[3], [2.0, 4.0, 6.0]);
    // A product reads the number from memory.
    let ones = two.sub(1.0).unwrap().broadcast_to([3, 2]).unwrap();
    check(&g, &[&x.matmul(&ones).unwrap()], &[("x", wave(&[2, 3], 5.0))]);
    // Large constants stay work.
    let large = g.tensor(wave(&[5000], 1.0)).unwrap().exp().unwrap();
    assert_eq!(names(&g, &[&large], false), ["exp"]);
}

#[test]
fn gradients_of_slices_are_written_side_by_side() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4, 6]).unwrap();
    let y = x.exp().unwrap();
    let (a, b, c) = (
        y.slice(1, 0, 2).unwrap(),
        y.slice(1, 2, 3).unwrap(),
        y.slice(1, 3, 6).unwrap().transpose(0, 1).unwrap(),
    );
    let s = |t: &Tensor| t.square().unwrap().sum(&[0, 1], false).unwrap();
    let loss = s(&a).add(s(&b)).unwrap().add(s(&c.tanh().unwrap())).unwrap();
    let dx = loss.grad(&[&x]).unwrap().remove(0);
    let rewritten = gpu(&g, &[&dx]);
    assert_eq!(applied(&rewritten, "join"), 1, "{rewritten}");
    assert!(!rewritten.steps.iter().any(|s| s.op.name() == "pad"), "{rewritten}");
    assert_eq!(names(&g, &[&dx], true).iter().filter(|n| *n == "pad").count(), 3);
    check(&g, &[&dx], &[("x", wave(&[4, 6], 1.0))]);
    // Parts of parts.
    let (top, bottom) = (y.slice(0, 0, 1).unwrap(), y.slice(0, 1, 4).unwrap());
    let corner = (bottom.slice(1, 0, 5).unwrap(), bottom.slice(1, 5, 6).unwrap());
    let loss = s(&top).add(s(&corner.0)).unwrap().add(s(&corner.1).mul(2.0).unwrap()).unwrap();
    let dx = loss.grad(&[&x]).unwrap().remove(0);
    assert_eq!(applied(&gpu(&g, &[&dx]), "join"), 2);
    check(&g, &[&dx], &[("x", wave(&[4, 6], 1.0))]);
}

#[test]
fn slices_that_overlap_or_leave_gaps_are_added() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4, 6]).unwrap();
    let s = |from, to| x.slice(1, from, to).unwrap().square().unwrap().sum(&[0, 1], false).unwrap();
    for (first, second) in [((0, 4), (3, 6)), ((0, 2), (3, 6)), ((0, 3), (0, 3))] {
        let loss = s(first.0, first.1).add(s(second.0, second.1).mul(2.0).unwrap()).unwrap();
        let dx = loss.grad(&[&x]).unwrap().remove(0);
        assert_eq!(applied(&gpu(&g, &[&dx]), "join"), 0);
        check(&g, &[&dx], &[("x", wave(&[4, 6], 1.0))]);
    }
}

#[test]
fn a_loss_and_its_gradient_leave_one_kernel() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [6, 4]).unwrap();
    let t = g.input("t", DType::I32, [6]).unwrap();
    let loss = x.mul(2.0).unwrap().cross_entropy_with(&t, 0.1).unwrap();
    let dx = loss.grad(&[&x]).unwrap().remove(0);
    let feeds = [("x", wave(&[6, 4], 3.0)), ("t", HostTensor::new(&[0i32, 3, 1, 2, 0, 3], [6]).unwrap())];
    let rewritten = gpu(&g, &[&loss, &dx]);
    let both = rewritten.steps.iter().find(|s| s.op.name() == "cross_entropy_and_gradient").unwrap();
    assert_eq!((applied(&rewritten, "loss_and_gradient"), both.variant), (1, "one_group"));
    let line = |name: &str| {
        let options = PlanOptions { no_rewrite: true, ..PlanOptions::default() };
        let plan = g.plan(&[&loss, &dx], &[], &[].into(), &Capabilities::portable(), options).unwrap();
        plan.steps.iter().find(|s| s.op.name() == name).unwrap().site
    };
    assert_eq!(both.site, line("cross_entropy"));
    check(&g, &[&loss, &dx], &feeds);
    // A factor that comes from the loss itself cannot be there before it.
    let squared = loss.square().unwrap().grad(&[&x]).unwrap().remove(0);
    assert_eq!(applied(&gpu(&g, &[&loss, &squared]), "loss_and_gradient"), 0);
    check(&g, &[&loss, &squared], &feeds);
    // Two losses, each the factor of the other's gradient: one of them can be joined, both would wait for each other.
    let other = x.cross_entropy(&t).unwrap();
    let a = g.vjp(&[(&loss, &other)], &[&x]).unwrap().remove(0);
    let b = g.vjp(&[(&other, &loss)], &[&x]).unwrap().remove(0);
    assert_eq!(applied(&gpu(&g, &[&a, &b]), "loss_and_gradient"), 1);
    check(&g, &[&a, &b], &feeds);
}

/// Queries, keys and values of a batch of 2 with 3 heads, 5 queries and 7 keys, and what feeds them.
fn heads(g: &Graph) -> ([Tensor; 3], Vec<(&'static str, HostTensor)>) {
    let shapes = [("q", [2, 3, 5, 4]), ("k", [2, 3, 7, 4]), ("v", [2, 3, 7, 6])];
    let feeds = shapes.map(|(name, shape)| (name, wave(&shape, 2.0))).to_vec();
    (shapes.map(|(name, shape)| g.input(name, DType::F32, shape).unwrap()), feeds)
}

#[test]
fn attention_is_recognised_in_its_parts() {
    let g = Graph::new();
    let ([q, k, v], mut feeds) = heads(&g);
    let relative = g.input("relative", DType::F32, [3, 5, 7]).unwrap();
    feeds.push(("relative", wave(&[3, 5, 7], 1.0)));
    let scores = q.matmul(&k.transpose(-2, -1).unwrap()).unwrap();
    let table = |hole: bool| {
        let causal = (0..35).map(|at| at % 7 <= at / 7 + 2 && !(hole && at == 8));
        g.tensor(
            HostTensor::new(&causal.map(|c| f32::from(u8::from(c))).collect::<Vec<_>>(), [5, 7]).unwrap(),
        )
        .unwrap()
    };
    let shown = |hole: bool| table(hole).gt(0.5).unwrap().broadcast_to([2, 3, 5, 7]).unwrap();
    let far = |x: f64| g.constant(DType::F32, x).unwrap();
    let scaled = scores.mul(0.5).unwrap();
    let biased = scores.div(2.0).unwrap().add(&relative).unwrap();
    let written = [
        ("mask=true", scores.clone()),
        ("scale=Some(0.5)", scaled.clone()),
        ("bias=Some(Scores)", biased.clone()),
        ("AtMost(key, query)", scaled.select(&shown(false), far(f64::NEG_INFINITY)).unwrap()),
        ("t0[\"row\", \"key\"]", biased.select(&shown(true), far(-1e38)).unwrap()),
        (
            "AtMost(key, query)",
            far(f64::from(f32::MIN)).select(&table(false).lt(0.5).unwrap(), &scaled).unwrap(),
        ),
        ("AtMost(key, query)", scaled.add(table(false).sub(1.0).unwrap().mul(1e35).unwrap()).unwrap()),
    ];
    for (attribute, scores) in written {
        let y = scores.softmax(-1).unwrap().matmul(&v).unwrap();
        let plan = gpu(&g, &[&y]);
        assert_eq!(applied(&plan, "attention_from_parts"), 1, "{attribute} {plan}");
        let attention = plan.steps.iter().find(|s| s.op.name() == "attention").unwrap();
        assert!(attention.op.attributes().contains(attribute), "{}", attention.op.attributes());
        let all = relative.mul(2.0).unwrap();
        check(&g, &[&y, &all], &feeds);
    }
}

#[test]
fn attention_of_fewer_dimensions_and_of_permuted_heads() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [5, 12]).unwrap();
    let heads =
        |at: usize| x.slice(1, at, at + 4).unwrap().reshape([5, 2, 2]).unwrap().permute(&[1, 0, 2]).unwrap();
    let scores = heads(0).matmul(&heads(4).transpose(-2, -1).unwrap()).unwrap();
    let y = scores
        .softmax(-1)
        .unwrap()
        .matmul(&heads(8))
        .unwrap()
        .permute(&[1, 0, 2])
        .unwrap()
        .reshape([5, 4])
        .unwrap();
    let flat = x.matmul(&x.transpose(0, 1).unwrap()).unwrap().softmax(1).unwrap().matmul(&x).unwrap();
    let plan = gpu(&g, &[&y, &flat]);
    assert_eq!(applied(&plan, "attention_from_parts"), 2, "{plan}");
    check(&g, &[&y, &flat], &[("x", wave(&[5, 12], 1.0))]);
}

#[test]
fn what_is_not_attention_stays() {
    let g = Graph::new();
    let ([q, k, v], feeds) = heads(&g);
    let scores = q.matmul(&k.transpose(-2, -1).unwrap()).unwrap().mul(0.5).unwrap();
    let times = |t: &Tensor| t.matmul(&v).unwrap();
    let weights = scores.softmax(-1).unwrap();
    let none = |outputs: &[&Tensor]| {
        assert_eq!(applied(&gpu(&g, outputs), "attention_from_parts"), 0);
        check(&g, outputs, &feeds);
    };
    // Weights or scores that are wanted themselves; a gradient wants them.
    none(&[&times(&weights), &weights]);
    none(&[&times(&weights), &scores]);
    let y = times(&weights);
    let dims: Vec<isize> = (0..4).collect();
    none(&[&y, &y.square().unwrap().sum(&dims, false).unwrap().grad(&[&q]).unwrap()[0]]);
    // Over the queries instead of the keys.
    none(&[&times(&scores.softmax(-2).unwrap())]);
    // A mask that only lowers the scores, one that leaves a query nothing, and one that is data.
    let shown = |hidden: &[usize]| {
        let all = (0..35).map(|at| f32::from(u8::from(!hidden.contains(&at)))).collect::<Vec<_>>();
        let all = g.tensor(HostTensor::new(&all, [5, 7]).unwrap()).unwrap();
        all.gt(0.5).unwrap().broadcast_to([2, 3, 5, 7]).unwrap()
    };
    let far = |x: f64| g.constant(DType::F32, x).unwrap();
    none(&[&times(&scores.select(&shown(&[3]), far(-2.0)).unwrap().softmax(-1).unwrap())]);
    let row: Vec<usize> = (7..14).collect();
    none(&[&times(&scores.select(&shown(&row), far(-1e38)).unwrap().softmax(-1).unwrap())]);
    none(&[&times(
        &scores
            .select(&q.sum(&[-1], true).unwrap().gt(0.0).unwrap(), far(-1e38))
            .unwrap()
            .softmax(-1)
            .unwrap(),
    )]);
    // A scale after the bias is one of the bias as well.
    let bias = g.tensor(wave(&[5, 7], 1.0)).unwrap();
    none(&[&times(&scores.add(&bias).unwrap().mul(3.0).unwrap().softmax(-1).unwrap())]);
}

#[test]
fn rewriting_can_be_switched_off_and_is_shown() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4]).unwrap();
    let y = x.mul(1.0).unwrap().exp().unwrap();
    assert_eq!(names(&g, &[&y], true), ["mul", "exp"]);
    assert!(gpu(&g, &[&y]).to_string().contains("rewrites    identities 1"));
}

#[test]
fn thousands_of_nodes_are_rewritten_the_same_way_each_time() {
    let make = || {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [8, 8]).unwrap();
        let mut y = x.clone();
        for k in 0..700 {
            let left = y.slice(1, 0, 4).unwrap().mul(1.0).unwrap().pad(1, 0, 4).unwrap();
            let right = y.slice(1, 4, 8).unwrap().neg().unwrap().pad(1, 4, 0).unwrap();
            y = left
                .add(&right)
                .unwrap()
                .matmul(&x)
                .unwrap()
                .transpose(0, 1)
                .unwrap()
                .mul(f64::from(k % 2))
                .unwrap();
        }
        gpu(&g, &[&y]).to_string()
    };
    let (first, second) = (make(), make());
    assert_eq!(first, second);
    assert!(first.contains("join 700"), "{}", &first[..200]);
}

#[test]
fn computed_parts_of_a_concat_are_stored_where_they_belong() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4, 6]).unwrap();
    let w = g.parameter("w", wave(&[5, 6], 0.5)).unwrap();
    let y = Tensor::concat(&[&x.tanh().unwrap(), &x.linear(&w, None).unwrap(), &x], 1).unwrap();
    let plan = gpu(&g, &[&y]);
    assert_eq!(applied(&plan, "join"), 1, "{plan}");
    // The product and tanh store their parts; only x itself is copied.
    assert_eq!(plan.steps.len(), 3, "{plan}");
    check(&g, &[&y], &[("x", wave(&[4, 6], 1.0))]);
    // Parts that are only there already, or that somebody else sees too, are taken at once.
    let h = x.tanh().unwrap();
    let z = Tensor::concat(&[&x, &h], 0).unwrap();
    let plan = gpu(&g, &[&z, &h]);
    assert_eq!(applied(&plan, "join"), 0, "{plan}");
    assert!(plan.steps.iter().any(|s| s.op.name() == "concat"), "{plan}");
    check(&g, &[&z, &h], &[("x", wave(&[4, 6], 1.0))]);
}
