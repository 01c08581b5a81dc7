//! What the planner decides about memory and submits, on whatever GPU there is.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Graph, HostTensor, Tensor, plan::PlanOptions};
use knotwork_gpu::{Options, open};

fn device() -> Device {
    open(&Options::default()).expect("a GPU driver: `cargo xtask setup`")
}

/// Products and transposes, which do not become one kernel.
fn deep(g: &Graph, layers: usize) -> Tensor {
    let mut y = g.input("x", DType::F32, [8, 8]).unwrap();
    for _ in 0..layers {
        y = y.matmul(&y.transpose(0, 1).unwrap()).unwrap().tanh().unwrap();
    }
    y
}

fn feed() -> HostTensor {
    HostTensor::from_vec((0..64).map(|i| (i as f32 * 0.37).sin() * 0.3).collect(), [8, 8]).unwrap()
}

#[test]
fn a_run_that_is_estimated_to_be_long_is_several_submits_with_the_same_result() {
    let device = device();
    let g = Graph::new();
    let y = deep(&g, 6);
    let run = |submit_micros| {
        let options = PlanOptions { submit_micros, ..PlanOptions::default() };
        let mut program = device.compile(&g, &[&y], &[]).unwrap().with_options(options);
        let plan = program.plan(&[].into()).unwrap();
        let before = device.counters().submits;
        let out = program.run([("x", feed())]).unwrap().wait().unwrap().remove(0);
        let submits = device.counters().submits - before;
        assert_eq!(submits as usize, plan.submits.len());
        assert_eq!(
            plan.submits.iter().flat_map(Clone::clone).collect::<Vec<_>>().len(),
            plan.dispatches.len()
        );
        (submits, plan.dispatches.len(), out)
    };
    let (one, dispatches, want) = run(None);
    let (all, _, got) = run(Some(0));
    assert_eq!((one, all as usize), (1, dispatches));
    assert!(dispatches > 2);
    assert_eq!(got, want);
}

#[test]
fn slots_of_one_buffer_can_be_swapped_and_mixed() {
    let device = device();
    let g = Graph::new();
    let a = g.parameter("a", HostTensor::new(&[1.0f32, 2.0], [2]).unwrap()).unwrap();
    let b = g.parameter("b", HostTensor::new(&[10.0f32, 20.0], [2]).unwrap()).unwrap();
    let c = g.parameter("c", HostTensor::zeros(DType::F32, [2])).unwrap();
    let swap = g.assign(&a, &b).unwrap().and(g.assign(&b, &a).unwrap()).unwrap();
    let sum = g.assign(&c, &a.add(&b).unwrap().add(&c).unwrap()).unwrap();
    let mut program = device.compile(&g, &[&a], &[&swap, &sum]).unwrap();
    for run in 0..4 {
        let old = program.run::<HostTensor>([]).unwrap().wait().unwrap();
        assert_eq!(old[0].as_slice::<f32>().unwrap()[0], if run % 2 == 0 { 1.0 } else { 10.0 });
    }
    assert_eq!(program.params().get("a").unwrap().as_slice::<f32>().unwrap(), &[1.0, 2.0]);
    assert_eq!(program.params().get("b").unwrap().as_slice::<f32>().unwrap(), &[10.0, 20.0]);
    assert_eq!(program.params().get("c").unwrap().as_slice::<f32>().unwrap(), &[44.0, 88.0]);
}

#[test]
fn values_that_share_buffers_at_offsets_stay_apart() {
    // Values of many sizes with long and short lives: their places are packed, and the results those of no reuse.
    let device = device();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [8, 8]).unwrap();
    let mut kept = Vec::new();
    let mut y = x.clone();
    for k in 1..10usize {
        let wide = y.matmul(&x).unwrap().slice(0, 0, 1 + k % 7).unwrap().exp().unwrap();
        kept.push(wide.sum(&[0], false).unwrap());
        y = y.matmul(&y.transpose(0, 1).unwrap()).unwrap().tanh().unwrap();
    }
    let total = kept.iter().skip(1).fold(kept[0].clone(), |t, k| t.mul(k).unwrap().add(0.5).unwrap());
    let dx = total.sum(&[0], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let mut run = [false, true].into_iter().map(|no_alias| {
        let options = PlanOptions { no_alias, ..PlanOptions::default() };
        let mut program = device.compile(&g, &[&total, &dx], &[]).unwrap().with_options(options);
        let bytes = program.plan(&[].into()).unwrap().arena_bytes();
        (bytes, program.run([("x", feed())]).unwrap().wait().unwrap())
    });
    let ((reused, got), (apart, want)) = (run.next().unwrap(), run.next().unwrap());
    assert!(reused < apart, "{reused} {apart}");
    assert_eq!(got, want);
}
