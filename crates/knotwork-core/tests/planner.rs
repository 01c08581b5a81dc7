//! The planner, read as text and counts: no device is needed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Device, Dim, Graph, HostTensor, Tensor,
    cpu::evaluate,
    plan::{Capabilities, Plan, PlanOptions},
};
use pretty_assertions::assert_eq;

fn gpu_plan(g: &Graph, outputs: &[&Tensor]) -> Plan {
    g.plan(outputs, &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap()
}

#[test]
fn dead_nodes_and_equal_work_disappear() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [8]).unwrap();
    let _dead = x.exp().unwrap();
    let a = x.square().unwrap().sum(&[0], false).unwrap();
    let b = x.square().unwrap().sum(&[0], false).unwrap();
    let plan = g
        .plan(
            &[&a, &b],
            &[],
            &[].into(),
            &Capabilities::cpu(),
            PlanOptions { no_fuse: true, ..PlanOptions::default() },
        )
        .unwrap();
    assert_eq!(plan.steps.iter().map(|s| s.op.name()).collect::<Vec<_>>(), ["square", "sum"]);
}

#[test]
fn a_chain_of_twelve_is_one_dispatch() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [65]).unwrap();
    let mut y = x.clone();
    for _ in 0..3 {
        y = y.silu().unwrap().mul(1.5).unwrap().add(&x).unwrap().tanh().unwrap();
    }
    let plan = gpu_plan(&g, &[&y]);
    assert_eq!((plan.steps.len(), plan.dispatches.len()), (1, 1));
    let unfused = g
        .plan(
            &[&y],
            &[],
            &[].into(),
            &Capabilities::portable(),
            PlanOptions { no_fuse: true, ..PlanOptions::default() },
        )
        .unwrap();
    assert_eq!(unfused.dispatches.len(), 12);
}

#[test]
fn views_are_no_dispatches() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4, 6]).unwrap();
    let y =
        x.transpose(0, 1).unwrap().slice(0, 1, 5).unwrap().broadcast_to([2, 4, 4]).unwrap().neg().unwrap();
    assert_eq!(gpu_plan(&g, &[&y]).dispatches.len(), 1);
    // A reshape that strides cannot say is one copy, which elementwise work takes in.
    let flat = x.transpose(0, 1).unwrap().reshape([24]).unwrap();
    let names = |t: &Tensor| -> Vec<String> {
        gpu_plan(&g, &[t]).steps.iter().map(|s| s.op.name().to_owned()).collect()
    };
    assert_eq!(names(&flat.neg().unwrap()), ["copy_neg"]);
    assert_eq!(names(&flat.cumsum(0).unwrap()), ["copy", "cumsum"]);
}

#[test]
fn memory_is_reused_and_never_read_and_written_at_once() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [64, 64]).unwrap();
    let mut y = x.clone();
    for _ in 0..10 {
        // Sums over all before each keep the chain from becoming one kernel.
        y = y.cumsum(0).unwrap();
    }
    let plan = gpu_plan(&g, &[&y]);
    assert_eq!(plan.steps.len(), 10);
    assert_eq!(plan.arena_bytes(), 2 * 64 * 64 * 4);
    assert_eq!(plan.live_peak, 2 * 64 * 64 * 4);
    for d in &plan.dispatches {
        for (i, a) in d.bindings.iter().enumerate() {
            assert!(d.bindings[i + 1..].iter().all(|b| a.buffer != b.buffer || a.writes == b.writes));
        }
    }
}

#[test]
fn the_last_reader_works_in_place() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4, 4]).unwrap();
    let a = x.transpose(0, 1).unwrap().exp().unwrap();
    let s = a.sum(&[0, 1], false).unwrap();
    let y = a.mul(&s).unwrap();
    let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::cpu(), PlanOptions::default()).unwrap();
    assert_eq!(plan.steps.last().unwrap().aliases, vec![(0, 0)]);
    let feed = HostTensor::from_vec((0..16).map(|i| i as f32 / 16.0).collect(), [4, 4]).unwrap();
    let got = Device::cpu().compile(&g, &[&y], &[]).unwrap().run([("x", &feed)]).unwrap().wait().unwrap();
    let want = evaluate(&g, &[&y], &[("x", feed)].into()).unwrap();
    for (a, b) in got[0].to_f64().iter().zip(want[0].to_f64()) {
        assert!((a - b).abs() < 1e-5 * b.abs());
    }
}

#[test]
fn the_same_graph_gives_the_same_plan() {
    let make = || {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [16, 8]).unwrap();
        let w = g.parameter("w", HostTensor::zeros(DType::F32, [8])).unwrap();
        let y = x.mul(&w).unwrap().sum(&[1], false).unwrap().square().unwrap().sum(&[0], false).unwrap();
        let dw = y.grad(&[&w]).unwrap().remove(0);

        g.plan(&[&y, &dw], &[], &[].into(), &Capabilities::cpu(), PlanOptions::default()).unwrap().to_string()
    };
    assert_eq!(make(), make());
}

#[test]
fn updates_read_old_values_and_write_at_the_end() {
    let g = Graph::new();
    let a = g.parameter("a", HostTensor::new(&[1.0f32, 2.0], [2]).unwrap()).unwrap();
    let b = g.parameter("b", HostTensor::new(&[10.0f32, 20.0], [2]).unwrap()).unwrap();
    // Swapped, and one more that reads both.
    let c = g.parameter("c", HostTensor::zeros(DType::F32, [2])).unwrap();
    let swap = g.assign(&a, &b).unwrap().and(g.assign(&b, &a).unwrap()).unwrap();
    let sum = g.assign(&c, &a.add(&b).unwrap().add(&c).unwrap()).unwrap();
    let mut program = Device::cpu().compile(&g, &[&a], &[&swap, &sum]).unwrap();
    for run in 0..4 {
        let old = program.run::<HostTensor>([]).unwrap().wait().unwrap();
        assert_eq!(old[0].as_slice::<f32>().unwrap()[0], if run % 2 == 0 { 1.0 } else { 10.0 });
    }
    assert_eq!(program.params().get("a").unwrap().as_slice::<f32>().unwrap(), &[1.0, 2.0]);
    assert_eq!(program.params().get("c").unwrap().as_slice::<f32>().unwrap(), &[44.0, 88.0]);
}

#[test]
fn siblings_share_parameters_and_a_last_batch_may_be_smaller() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("batch"), 2.into()]).unwrap();
    let w = g.parameter("w", HostTensor::new(&[1.0f32, 1.0], [2]).unwrap()).unwrap();
    let y = x.mul(&w).unwrap().sum(&[1], false).unwrap();
    let loss = y.mean(&[0], false).unwrap();
    let dw = loss.grad(&[&w]).unwrap().remove(0);
    let step = g.assign(&w, &w.sub(&dw).unwrap()).unwrap();
    let mut train = Device::cpu().compile(&g, &[&loss], &[&step]).unwrap();
    let mut predict = train.sibling(&[&y], &[]).unwrap();
    for rows in [3, 3, 1] {
        let feed = HostTensor::from_vec(vec![1.0f32; rows * 2], [rows, 2]).unwrap();
        train.run([("x", feed)]).unwrap().wait().unwrap();
    }
    let out = predict.run([("x", HostTensor::new(&[1.0f32, 1.0], [1, 2]).unwrap())]).unwrap().wait().unwrap();
    assert_eq!(out[0].as_slice::<f32>().unwrap(), &[-4.0]);
}

#[test]
fn gradients_have_gradients_and_detach_stops_them() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [1]).unwrap();
    let y = x.mul(&x).unwrap().mul(&x).unwrap().sum(&[0], false).unwrap();
    let d1 = y.grad(&[&x]).unwrap().remove(0);
    let d2 = d1.sum(&[0], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let stopped =
        x.mul(x.detach().unwrap()).unwrap().sum(&[0], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let feeds = [("x", HostTensor::new(&[3.0f32], [1]).unwrap())].into();
    let out = evaluate(&g, &[&d1, &d2, &stopped], &feeds).unwrap();
    let value = |i: usize| out[i].as_slice::<f32>().unwrap()[0];
    assert_eq!((value(0), value(1), value(2)), (27.0, 18.0, 3.0));
}

#[test]
fn scalars_are_data() {
    let g = Graph::new();
    let lr = g.scalar("lr", 0.5).unwrap();
    let x = g.input("x", DType::F32, [2]).unwrap();
    let y = x.mul(&lr).unwrap();
    let mut p = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let feed = HostTensor::new(&[2.0f32, 4.0], [2]).unwrap();
    assert_eq!(p.run([("x", &feed)]).unwrap().wait().unwrap()[0].as_slice::<f32>().unwrap(), &[1.0, 2.0]);
    p.set_scalar("lr", 0.25).unwrap();
    assert_eq!(p.run([("x", &feed)]).unwrap().wait().unwrap()[0].as_slice::<f32>().unwrap(), &[0.5, 1.0]);
    assert!(p.set_scalar("nope", 1.0).is_err());
}

#[test]
fn an_f64_graph_runs_in_f64_also_its_scalars() {
    let g = Graph::new();
    let lr = g.scalar("lr", 0.1).unwrap();
    let y = g.input("x", DType::F32, [1]).unwrap().mul(&lr).unwrap();
    let wide = g.to_f64().unwrap();
    let y = wide.value(y.id()).unwrap();
    let mut p = Device::cpu().compile(&wide, &[&y], &[]).unwrap();
    let mut run = || p.run([("x", HostTensor::new(&[3.0f64], [1]).unwrap())]).unwrap().wait().unwrap();
    assert_eq!(run()[0].item::<f64>().unwrap(), 3.0 * 0.1);
}
