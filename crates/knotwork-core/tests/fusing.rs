//! What enters which kernel, and the text of composed kernels.
//!
//! The texts are in `tests/fusing/`. After a change that is meant, write them anew with
//! `KNOTWORK_WRITE_TEXTS=1 cargo test -p knotwork-core --test fusing`, and read the difference.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Device, Graph, HostTensor, Tensor,
    cpu::evaluate,
    plan::{Capabilities, Plan, PlanOptions, Source},
};
use pretty_assertions::assert_eq;

fn gpu(g: &Graph, outputs: &[&Tensor]) -> Plan {
    g.plan(outputs, &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap()
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|s| s.op.name()).collect()
}

fn input(g: &Graph, name: &str, shape: &[usize]) -> Tensor {
    g.input(name, DType::F32, shape.to_vec()).unwrap()
}

/// The plan for the CPU gives what the oracle does.
fn holds(g: &Graph, outputs: &[&Tensor]) {
    let cpu = g.plan(outputs, &[], &[].into(), &Capabilities::cpu(), PlanOptions::default()).unwrap();
    let feeds: Vec<(String, HostTensor)> = cpu
        .feeds
        .iter()
        .enumerate()
        .map(|(k, f)| {
            let count: usize = f.shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| ((i * 7 + 3 * k) % 23) as f32 / 11.0 - 1.0).collect();
            (f.name.clone(), HostTensor::new(&values, &f.shape).unwrap())
        })
        .collect();
    let lent = feeds.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
    let want = evaluate(g, outputs, &lent).unwrap();
    let mut program = Device::cpu().compile(g, outputs, &[]).unwrap();
    let got = program.run(feeds.iter().map(|(n, v)| (n.as_str(), v))).unwrap().wait().unwrap();
    for (got, want) in got.iter().zip(&want) {
        for (a, b) in got.to_f64().iter().zip(want.to_f64()) {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a}, not {b}");
        }
    }
}

/// Holds the texts of a plan's composed kernels against the file of that name.
fn text(name: &str, plan: &Plan) {
    let mut all = String::new();
    for dispatch in &plan.dispatches {
        if let Source::Text(text) = &dispatch.kernel.source {
            all.push_str(&format!("// {} {:?}\n{text}\n", dispatch.kernel.name, dispatch.kernel.flags));
        }
    }
    let path = format!("{}/tests/fusing/{name}.wgsl", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("KNOTWORK_WRITE_TEXTS").is_some() {
        std::fs::write(&path, &all).unwrap();
    }
    let known = std::fs::read_to_string(&path).expect("the text was never written");
    assert_eq!(all, known.replace("\r\n", "\n"), "{name}");
}

#[test]
fn bias_activation_and_residual_are_no_dispatches_of_their_own() {
    let g = Graph::new();
    let (x, w, b, r) = (
        input(&g, "x", &[8, 16]),
        input(&g, "w", &[16, 24]),
        input(&g, "b", &[24]),
        input(&g, "r", &[8, 24]),
    );
    let y = x.matmul(&w).unwrap().add(&b).unwrap().gelu().unwrap().add(&r).unwrap();
    let plan = gpu(&g, &[&y]);
    assert_eq!(names(&plan), ["matmul_add_gelu_add"]);
    assert_eq!(plan.dispatches.len(), 1);
    text("product_with_bias_gelu_residual", &plan);
    holds(&g, &[&y]);
}

#[test]
fn what_others_read_is_an_output_too() {
    let g = Graph::new();
    let (x, w) = (input(&g, "x", &[8, 16]), input(&g, "w", &[16, 24]));
    let z = x.matmul(&w).unwrap();
    let (h, s) = (z.tanh().unwrap(), z.softmax(-1).unwrap());
    let plan = gpu(&g, &[&h, &s]);
    assert_eq!(names(&plan), ["matmul_copy_tanh", "softmax"]);
    assert_eq!(plan.steps[0].outputs.len(), 2, "{plan}");
    text("product_and_its_tanh", &plan);
    holds(&g, &[&h, &s]);
}

#[test]
fn a_sum_loads_through_what_makes_its_elements() {
    let g = Graph::new();
    let (x, y) = (input(&g, "x", &[8, 40]), input(&g, "y", &[8, 40]));
    let d = x.sub(&y).unwrap().square().unwrap().sum(&[-1], false).unwrap().sqrt().unwrap();
    let plan = gpu(&g, &[&d]);
    assert_eq!(names(&plan), ["sub_square_sum_sqrt"]);
    text("distance", &plan);
    holds(&g, &[&d]);
    // Read again elsewhere, the differences are stored once.
    let both = x.sub(&y).unwrap().square().unwrap();
    let (sum, most) = (both.sum(&[-1], false).unwrap(), both.max(&[-1], false).unwrap());
    assert_eq!(names(&gpu(&g, &[&sum, &most])), ["sub_square", "sum", "max"]);
}

#[test]
fn a_product_loads_through_steps_where_that_saves_bytes() {
    let g = Graph::new();
    let (x, y, w) = (input(&g, "x", &[64, 32]), input(&g, "y", &[64, 32]), input(&g, "w", &[32, 64]));
    // One input, read by one row of tiles.
    let one = x.silu().unwrap().matmul(&w).unwrap();
    let plan = gpu(&g, &[&one]);
    assert_eq!(names(&plan), ["silu_matmul"]);
    text("silu_into_product", &plan);
    // Two inputs that four rows of tiles would read again and again.
    let wide = input(&g, "wide", &[32, 256]);
    let many = x.mul(&y).unwrap().matmul(&wide).unwrap();
    assert_eq!(names(&gpu(&g, &[&many])), ["mul", "matmul"]);
    holds(&g, &[&one, &many]);
}

#[test]
fn a_result_is_stored_in_the_order_in_which_it_is_read() {
    let g = Graph::new();
    let (x, w) = (input(&g, "x", &[2 * 6, 8]), input(&g, "w", &[8, 3 * 4]));
    let heads = x.matmul(&w).unwrap().reshape([2, 6, 3, 4]).unwrap().permute(&[0, 2, 1, 3]).unwrap();
    let y = heads.relu().unwrap().cumsum(2).unwrap();
    let plan = gpu(&g, &[&y]);
    assert_eq!(names(&plan), ["matmul_relu", "cumsum"]);
    text("product_into_heads", &plan);
    holds(&g, &[&y]);
}

#[test]
fn operations_never_share_a_kernel() {
    let g = Graph::new();
    let (x, v, w) = (input(&g, "x", &[8, 16]), input(&g, "v", &[16, 24]), input(&g, "w", &[16, 24]));
    let y = x.matmul(&v).unwrap().sigmoid().unwrap().mul(x.matmul(&w).unwrap()).unwrap();
    let plan = gpu(&g, &[&y]);
    // The gate goes with one product; the other waits in memory.
    assert_eq!(names(&plan), ["matmul_sigmoid", "matmul_mul"]);
    text("two_products", &plan);
    holds(&g, &[&y]);
}

#[test]
fn devices_with_few_buffers_get_smaller_kernels() {
    let g = Graph::new();
    let parts: Vec<Tensor> = (0..12).map(|k| input(&g, &format!("x{k}"), &[5, 7])).collect();
    let sum = parts[1..].iter().fold(parts[0].clone(), |s, p| s.add(p.tanh().unwrap()).unwrap());
    let most = Capabilities::portable().max_storage_buffers as usize;
    let plan = gpu(&g, &[&sum]);
    assert!(plan.dispatches.iter().all(|d| d.bindings.len() <= most), "{plan}");
    assert!((2..=3).contains(&plan.dispatches.len()), "{plan}");
    holds(&g, &[&sum]);
}
