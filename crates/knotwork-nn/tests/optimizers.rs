//! Optimizers on the CPU: against values worked out by hand, and against the plan that they ask for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic of a test is its report")]

use knotwork_core::{Device, Graph, HostTensor, Program, Tensor, tensor::Binding};
use knotwork_nn::{Adam, AdamW, Error, Sgd};

const NONE: [(&str, HostTensor); 0] = [];

/// p = (1, −2, 3) with the constant gradient (0.1, −0.2, 0.3) · k.
fn linear(g: &Graph, name: &str, k: f64) -> (Tensor, Tensor) {
    let p = g.parameter(name, HostTensor::new(&[1.0f32, -2.0, 3.0], [3]).unwrap()).unwrap();
    let c = g.tensor(HostTensor::new(&[0.1f32, -0.2, 0.3], [3]).unwrap()).unwrap();
    (p.clone(), p.mul(&c).unwrap().mul(k).unwrap().sum(&[0], false).unwrap())
}

fn close(program: &Program, name: &str, want: &[f64]) {
    let got = program.params().get(name).unwrap().to_f64();
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= 4e-7 * w.abs().max(1e-3), "{name}: {got:?}, want {want:?}");
    }
}

fn steps(program: &mut Program, n: usize) {
    (0..n).for_each(|_| drop(program.run(NONE).unwrap().wait().unwrap()));
}

#[test]
fn adamw_steps_as_worked_out_by_hand() {
    let g = Graph::new();
    let (_, loss) = linear(&g, "p", 1.0);
    let update = AdamW::new(0.1).weight_decay(0.01).minimize(&loss).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[&update]).unwrap();
    steps(&mut program, 1);
    // p (1 − lr λ) − lr g / (|g| + ε): 1 · 0.999 − 0.1, …
    close(&program, "p", &[0.899_000_01, -1.898_000_005, 2.897_000_003_3]);
    close(&program, "adamw.m.p", &[0.01, -0.02, 0.03]);
    close(&program, "adamw.v.p", &[1e-5, 4e-5, 9e-5]);
    assert_eq!(program.params().get("adamw.step").unwrap().item::<i32>().unwrap(), 1);
    // With a constant gradient m̂ = g and √v̂ = |g|, so every step has the same size.
    steps(&mut program, 9);
    let mut want = [1.0f64, -2.0, 3.0];
    for _ in 0..10 {
        want = want.map(|p| p * 0.999 - 0.1 * p.signum());
    }
    for (got, want) in program.params().get("p").unwrap().to_f64().iter().zip(want) {
        assert!((got - want).abs() < 2e-6, "{got}, want {want}");
    }
}

#[test]
fn adam_puts_its_decay_into_the_gradient() {
    let g = Graph::new();
    let (_, loss) = linear(&g, "p", 1.0);
    let update = Adam::new(0.1).weight_decay(0.5).betas(0.5, 0.75).eps(1.0).minimize(&loss).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[&update]).unwrap();
    steps(&mut program, 1);
    // g + λ p = (0.6, −1.2, 1.8); m = 0.5 g, v = 0.25 g²; p − 0.1 g / (|g| + 1).
    close(&program, "adam.m.p", &[0.3, -0.6, 0.9]);
    close(&program, "adam.v.p", &[0.09, 0.36, 0.81]);
    close(&program, "p", &[1.0 - 0.06 / 1.6, -2.0 + 0.12 / 2.2, 3.0 - 0.18 / 2.8]);
}

#[test]
fn sgd_with_momentum_and_nesterov() {
    for (nesterov, want) in [(false, [0.971, -1.942, 2.913]), (true, [0.9539, -1.9078, 2.8617])] {
        let g = Graph::new();
        let (_, loss) = linear(&g, "p", 1.0);
        let update = Sgd::new(0.1).momentum(0.9).nesterov(nesterov).minimize(&loss).unwrap();
        let mut program = Device::cpu().compile(&g, &[&loss], &[&update]).unwrap();
        steps(&mut program, 2);
        // b: g, then 1.9 g. Plain: 1 − 0.1 (g + 1.9 g). Nesterov: 1 − 0.1 (1.9 g + (1 + 0.9 · 1.9) g).
        close(&program, "p", &want);
        close(&program, "sgd.momentum.p", &[0.19, -0.38, 0.57]);
    }
}

#[test]
fn gradients_are_clipped_by_norm_and_value() {
    let g = Graph::new();
    let (_, loss) = linear(&g, "p", 10.0);
    let update = Sgd::new(1.0).clip_norm(0.5).minimize(&loss).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[&update]).unwrap();
    steps(&mut program, 1);
    // The norm of (1, −2, 3) is √14.
    let k = 0.5 / (14f64.sqrt() + 1e-6);
    close(&program, "p", &[1.0 - k, -2.0 + 2.0 * k, 3.0 - 3.0 * k]);

    let g = Graph::new();
    let (_, loss) = linear(&g, "p", 10.0);
    let update = Sgd::new(1.0).clip_value(1.5).minimize(&loss).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[&update]).unwrap();
    steps(&mut program, 1);
    close(&program, "p", &[0.0, -0.5, 1.5]);

    let g = Graph::new();
    let (_, loss) = linear(&g, "p", 1.0);
    let update = Sgd::new(1.0).clip_norm(0.5).minimize(&loss).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[&update]).unwrap();
    steps(&mut program, 1);
    close(&program, "p", &[0.9, -1.8, 2.7]);
}

#[test]
fn a_model_is_one_update_step_over_packed_gradients() {
    let g = Graph::new();
    let sizes = [3usize, 70, 200, 1];
    let losses: Vec<Tensor> = (0..4)
        .map(|k| {
            let p = g
                .parameter(&format!("p{k}"), HostTensor::new(&vec![1.0f32; sizes[k]], [sizes[k]]).unwrap())
                .unwrap();
            p.exp().unwrap().sum(&[0], false).unwrap()
        })
        .collect();
    let loss = losses.iter().skip(1).fold(losses[0].clone(), |a, b| a.add(b).unwrap());
    let update = AdamW::new(0.1).clip_norm(1.0).minimize(&loss).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[&update]).unwrap();
    let plan = program.plan(&Binding::new()).unwrap();
    let steps: Vec<_> = plan.steps.iter().filter(|s| s.op.name() == "adam").collect();
    assert_eq!(steps.len(), 1, "{plan}");
    assert_eq!(steps[0].aliases.len(), 12, "everything is updated in place: {plan}");
    let gradients = &steps[0].inputs[3 + 4..3 + 8];
    for pair in gradients.windows(2) {
        assert_eq!(pair[0].buffer, pair[1].buffer);
        assert_eq!(pair[1].offset - pair[0].offset, pair[0].bytes.next_multiple_of(64));
    }
}

#[test]
fn frozen_chosen_and_unused_parameters() {
    let g = Graph::new();
    let (a, la) = linear(&g, "a", 1.0);
    let (b, lb) = linear(&g, "b", 1.0);
    let (_, unused) = linear(&g, "unused", 1.0);
    let (_, lc) = linear(&g, "c", 1.0);
    g.freeze(&a).unwrap();
    let loss = la.add(&lb).unwrap().add(&lc).unwrap().add(unused.detach().unwrap()).unwrap();
    let one = Sgd::new(1.0).parameters(&[&b]).minimize(&loss).unwrap();
    let two = Sgd::new(2.0).named("opt2").minimize(&lc).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[&one, &two]).unwrap();
    steps(&mut program, 1);
    close(&program, "a", &[1.0, -2.0, 3.0]);
    close(&program, "b", &[0.9, -1.8, 2.7]);
    close(&program, "c", &[0.8, -1.6, 2.4]);
    close(&program, "unused", &[1.0, -2.0, 3.0]);
    program.set_scalar("opt2.lr", 0.0).unwrap();
    steps(&mut program, 1);
    close(&program, "c", &[0.8, -1.6, 2.4]);
}

#[test]
fn settings_are_refused_by_name() {
    let g = Graph::new();
    let (a, loss) = linear(&g, "a", 1.0);
    let text = |e: Error| e.to_string();
    assert!(text(Sgd::new(-1.0).minimize(&loss).unwrap_err()).contains("sgd: the learning rate is -1"));
    assert!(text(Adam::new(0.1).clip_norm(0.0).minimize(&loss).unwrap_err()).contains("clip_norm is 0"));
    assert!(text(Adam::new(0.1).betas(1.0, 0.9).minimize(&loss).unwrap_err()).contains("beta1 is 1"));
    assert!(
        text(Sgd::new(0.1).named("m").momentum(2.0).minimize(&loss).unwrap_err()).contains("momentum is 2")
    );
    Sgd::new(0.1).minimize(&loss).unwrap();
    assert!(text(Sgd::new(0.1).minimize(&loss).unwrap_err()).contains("there is an optimizer `sgd` already"));
    g.freeze(&a).unwrap();
    assert!(text(Sgd::new(0.1).named("b").minimize(&loss).unwrap_err()).contains("depends on no parameter"));
    let e = loss.grad(&[&a]).unwrap();
    assert_eq!(e.len(), 1);
}
