//! Values larger than a device binds at once: work on them is cut by rows, and gives what the oracle gives.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::sync::Arc;

use knotwork_core::{
    DType, Device, DeviceInfo, Error, Graph, HostTensor, Result, Tensor,
    cpu::evaluate,
    device::{Backend, Counters, Memory, Prepared},
    plan::{Capabilities, Plan, PlanOptions},
};
use knotwork_gpu::{Options, open};

/// A device that binds little, over one that would bind more.
#[derive(Debug)]
struct Small(Device, Capabilities);

impl Backend for Small {
    fn info(&self) -> &DeviceInfo {
        self.0.info()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.1
    }

    fn allocate(&self, bytes: usize) -> Result<Arc<dyn Memory>> {
        self.0.backend().allocate(bytes)
    }

    fn prepare(&self, plan: Arc<Plan>, chunks: &[Arc<dyn Memory>]) -> Result<Box<dyn Prepared>> {
        self.0.backend().prepare(plan, chunks)
    }

    fn counters(&self) -> Counters {
        self.0.counters()
    }
}

fn device(max_binding_bytes: usize) -> Device {
    let inner = open(&Options::default()).unwrap();
    let capabilities = Capabilities { max_binding_bytes, ..inner.capabilities().clone() };
    Device::from_backend(Arc::new(Small(inner, capabilities)))
}

fn wave(shape: &[usize], step: f64) -> HostTensor {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| (i as f64 * step).sin() as f32).collect();
    HostTensor::new(&values, shape).unwrap()
}

/// Runs on a device that binds 4 KiB; gives the plan's most bound bytes and the names of its steps.
fn holds(g: &Graph, outputs: &[&Tensor], feeds: &[(&str, HostTensor)]) -> Vec<String> {
    let device = device(4096);
    let want = evaluate(g, outputs, &feeds.iter().cloned().collect()).unwrap();
    let mut program = device.compile(g, outputs, &[]).unwrap();
    let plan = program.plan(&[].into()).unwrap();
    let most = plan.dispatches.iter().flat_map(|d| &d.bindings).map(|b| b.bytes).max().unwrap();
    assert!(most <= 4096, "{most} bytes bound\n{plan}");
    let got = program.run(feeds.iter().map(|(n, v)| (*n, v))).unwrap().wait().unwrap();
    for (k, (got, want)) in got.iter().zip(&want).enumerate() {
        for (i, (a, b)) in got.to_f64().iter().zip(want.to_f64()).enumerate() {
            assert!(
                (a - b).abs() <= 2e-5 * b.abs().max(1.0),
                "output {k}, element {i}: {a}, not {b}\n{plan}"
            );
        }
    }
    plan.steps.iter().map(|s| s.op.name().to_owned()).collect()
}

#[test]
fn elementwise_work_is_cut_by_rows() {
    let g = Graph::new();
    // 63 rows of 65: no part begins on a boundary of bindings.
    let x = g.input("x", DType::F32, [63, 65]).unwrap();
    let b = g.input("b", DType::F32, [65]).unwrap();
    let y = x.mul(0.5).unwrap().add(&b).unwrap().gelu().unwrap();
    let z = x.transpose(0, 1).unwrap().exp().unwrap();
    let feeds = [("x", wave(&[63, 65], 0.37)), ("b", wave(&[65], 0.9))];
    let names = holds(&g, &[&y], &feeds);
    assert!(names.len() >= 5 && names.iter().all(|n| n == "mul_add_gelu"), "{names:?}");
    // Columns of x lie far apart: each part would need nearly all of it.
    let error = device(4096).compile(&g, &[&z], &[]).unwrap().plan(&[].into()).unwrap_err();
    let Error::Limit { node, need, limit, .. } = &error else { panic!("{error}") };
    assert!(node == "exp" && need.contains("16380 bytes") && limit.contains("4096"), "{error}");
    // A long vector.
    let g = Graph::new();
    let v = g.input("v", DType::F32, [5000]).unwrap();
    let names = holds(&g, &[&v.tanh().unwrap()], &[("v", wave(&[5000], 0.01))]);
    assert!(names.len() >= 5, "{names:?}");
}

#[test]
fn products_are_cut_by_rows_with_their_steps() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [130, 24]).unwrap();
    let w = g.input("w", DType::F32, [24, 33]).unwrap();
    let b = g.input("b", DType::F32, [33]).unwrap();
    let y = x.matmul(&w).unwrap().add(&b).unwrap().silu().unwrap();
    let feeds = [("x", wave(&[130, 24], 0.3)), ("w", wave(&[24, 33], 0.7)), ("b", wave(&[33], 1.1))];
    let names = holds(&g, &[&y], &feeds);
    assert!(names.len() >= 5 && names.iter().all(|n| n == "matmul_add_silu"), "{names:?}");
    // Whole matrices of a batch.
    let g = Graph::new();
    let (a, b) =
        (g.input("a", DType::F32, [9, 8, 24]).unwrap(), g.input("b", DType::F32, [9, 24, 8]).unwrap());
    let names =
        holds(&g, &[&a.matmul(&b).unwrap()], &[("a", wave(&[9, 8, 24], 0.3)), ("b", wave(&[9, 24, 8], 0.2))]);
    assert!(names.len() >= 2, "{names:?}");
    // Every row needs all of the other operand: refused, with the limit.
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [4, 64]).unwrap(), g.input("b", DType::F32, [64, 64]).unwrap());
    let error =
        device(4096).compile(&g, &[&a.matmul(&b).unwrap()], &[]).unwrap().plan(&[].into()).unwrap_err();
    let Error::Limit { node, need, limit, .. } = &error else { panic!("{error}") };
    assert!(node == "matmul" && need.contains("16384 bytes") && limit.contains("4096"), "{error}");
    assert!(error.to_string().contains("limits.rs:"), "{error}");
}

#[test]
fn what_fits_is_not_cut() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [16, 64]).unwrap();
    let plan = |bytes: usize| {
        let capabilities = Capabilities { max_binding_bytes: bytes, ..Capabilities::portable() };
        g.plan(&[&x.exp().unwrap()], &[], &[].into(), &capabilities, PlanOptions::default()).unwrap()
    };
    assert_eq!(plan(4096).dispatches.len(), 1);
    assert!(plan(4095).dispatches.len() > 1);
}
