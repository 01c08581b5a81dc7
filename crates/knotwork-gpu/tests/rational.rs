//! Gradients to the coefficients of rational functions where groups or elements are very many.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

use knotwork_core::{Device, Graph, HostTensor, cpu::evaluate, ops::RationalForm};
use knotwork_gpu::{Options, Profile, open};

/// Numbers in [−scale, scale) from a small generator.
fn numbers(shape: &[usize], scale: f32, seed: u64) -> HostTensor {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * scale
    };
    HostTensor::from_vec((0..shape.iter().product::<usize>()).map(next).collect(), shape).unwrap()
}

fn device() -> Device {
    let options = Options { profile: Profile::Trusted, ..Options::default() };
    open(&options).expect("a GPU driver: `cargo xtask setup`")
}

#[test]
fn more_groups_and_more_parts_than_a_grid_has_in_one_dimension() {
    let device = device();
    // One stage with 70,000 workgroups; two stages of 3 groups in 15 parts each, and of one group just too long for one.
    for (shape, groups, variant) in
        [([2, 70_000], 70_000, "tree"), ([60_000, 3], 3, "two_stages"), ([4098, 1], 1, "two_stages")]
    {
        // The forms differ in an element's value only; once is enough where there are many workgroups.
        let forms = [RationalForm::B, RationalForm::A];
        for form in &forms[..if groups > 3 { 1 } else { 2 }] {
            let g = Graph::new();
            let x = g.parameter("x", numbers(&shape, 2.0, 1)).unwrap();
            let p = g.parameter("p", numbers(&[groups, 3], 1.0, 2)).unwrap();
            let q = g.parameter("q", numbers(&[groups, 2], 1.0, 3)).unwrap();
            let dy = g.parameter("dy", numbers(&shape, 1.0, 4)).unwrap();
            let y = x.rational(&p, &q, *form).unwrap();
            let all = g.vjp(&[(&y, &dy)], &[&p, &q]).unwrap();
            let outputs: Vec<_> = all.iter().collect();
            let want = evaluate(&g, &outputs, &[].into()).unwrap();
            let mut program = device.compile(&g, &outputs, &[]).unwrap();
            let plan = program.plan(&[].into()).unwrap();
            assert!(plan.steps.iter().any(|s| s.variant == variant), "{shape:?} {form:?}");
            let mut run = || program.run::<HostTensor>([]).unwrap().wait().unwrap();
            let (got, again) = (run(), run());
            for ((got, again), want) in got.iter().zip(&again).zip(&want) {
                assert_eq!(got.device_bytes(), again.device_bytes(), "two runs differ: {shape:?} {form:?}");
                let want = want.to_f64();
                let size = want.iter().fold(1.0f64, |a, b| a.max(b.abs()));
                for (k, (g, w)) in got.to_f64().iter().zip(&want).enumerate() {
                    assert!((g - w).abs() <= 1e-5 * size, "{shape:?} {form:?}: element {k} is {g}, not {w}");
                }
            }
        }
    }
}
