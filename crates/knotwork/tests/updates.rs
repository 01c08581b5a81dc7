//! Updates that depend on each other, and parameters whose program is gone: on every backend that this build has.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork::{Error, prelude::*};

fn devices() -> Vec<Device> {
    #[allow(unused_mut, reason = "without the feature `gpu` there is only one")]
    let mut all = vec![Device::cpu()];
    #[cfg(feature = "gpu")]
    all.push(knotwork::gpu::open(&Default::default()).expect("a GPU driver: `cargo xtask setup`"));
    all
}

const NONE: [(&str, HostTensor); 0] = [];

fn slot(g: &Graph, name: &str, values: &[f32]) -> Tensor {
    g.parameter(name, HostTensor::new(values, [values.len()]).unwrap()).unwrap()
}

fn values(program: &Program, name: &str) -> Vec<f32> {
    program.params().get(name).unwrap().as_slice::<f32>().unwrap().to_vec()
}

#[test]
fn updates_of_one_run_all_read_the_values_before_it() {
    for device in devices() {
        // a := 2 b + 1, b := a - b: each needs the other's old value.
        let g = Graph::new();
        let (a, b) = (slot(&g, "a", &[1.0, 2.0, 3.0]), slot(&g, "b", &[5.0, 7.0, 11.0]));
        let both = [
            g.assign(&a, &b.mul(2.0).unwrap().add(1.0).unwrap()).unwrap(),
            g.assign(&b, &a.sub(&b).unwrap()).unwrap(),
        ];
        // In either order, and with the values read as outputs, which are those before the run as well.
        for order in [[0, 1], [1, 0]] {
            let mut program = device.compile(&g, &[&a, &b], &order.map(|i| &both[i])).unwrap();
            let (mut x, mut y) = (vec![1.0f32, 2.0, 3.0], vec![5.0f32, 7.0, 11.0]);
            for _ in 0..4 {
                let out = program.run(NONE).unwrap().wait().unwrap();
                assert_eq!(
                    (out[0].as_slice::<f32>().unwrap(), out[1].as_slice::<f32>().unwrap()),
                    (&x[..], &y[..])
                );
                let next = y.iter().map(|b| 2.0 * b + 1.0).collect();
                y = x.iter().zip(&y).map(|(a, b)| a - b).collect();
                x = next;
                assert_eq!(
                    (values(&program, "a"), values(&program, "b")),
                    (x.clone(), y.clone()),
                    "{}",
                    device.info()
                );
            }
        }
    }
}

#[test]
fn values_swap_and_turn_without_loss() {
    for device in devices() {
        // Nothing is computed: a := b, b := a; and a ring of three of another type.
        let g = Graph::new();
        let (a, b) = (slot(&g, "a", &[1.0, 2.0]), slot(&g, "b", &[3.0, 4.0]));
        let ring: Vec<Tensor> = (0..3)
            .map(|i| g.state(&format!("r{i}"), "ring", HostTensor::new(&[i, 10 * i], [2]).unwrap()).unwrap())
            .collect();
        let mut updates = vec![g.assign(&a, &b).unwrap(), g.assign(&b, &a).unwrap()];
        updates.extend((0..3).map(|i| g.assign(&ring[i], &ring[(i + 1) % 3]).unwrap()));
        // Another view of a slot's own old value.
        let v = slot(&g, "v", &[1.0, 2.0, 3.0, 4.0]);
        let turned = v.reshape([2, 2]).unwrap().transpose(0, 1).unwrap().reshape([4]).unwrap();
        updates.push(g.assign(&v, &turned).unwrap());
        let all: Vec<_> = updates.iter().collect();
        let mut program = device.compile(&g, &[], &all).unwrap();
        for k in 1..=3 {
            program.run(NONE).unwrap().wait().unwrap();
            let (x, y) = if k % 2 == 1 { ([3.0, 4.0], [1.0, 2.0]) } else { ([1.0, 2.0], [3.0, 4.0]) };
            assert_eq!((values(&program, "a"), values(&program, "b")), (x.to_vec(), y.to_vec()));
            for i in 0..3 {
                let at = (i + k) % 3;
                let got = program.params().get(&format!("r{i}")).unwrap();
                assert_eq!(got.as_slice::<i32>().unwrap(), &[at, 10 * at], "{} after {k}", device.info());
            }
            let want = if k % 2 == 1 { [1.0, 3.0, 2.0, 4.0] } else { [1.0, 2.0, 3.0, 4.0] };
            assert_eq!(values(&program, "v"), want);
        }
    }
}

#[test]
fn an_update_may_depend_on_itself_through_another_slot() {
    for device in devices() {
        // The mean moves towards w, w by what the *new* mean is: new values are nodes like any other, and what they are
        // computed from are the old ones. Then the sum of both goes into a third slot, old of one and new of the other.
        let g = Graph::new();
        let (w, mean, seen) =
            (slot(&g, "w", &[4.0, 8.0]), slot(&g, "mean", &[0.0, 1.0]), slot(&g, "seen", &[0.0; 2]));
        let new_mean = mean.mul(0.5).unwrap().add(w.mul(0.5).unwrap()).unwrap();
        let new_w = w.sub(&new_mean).unwrap().sub(&seen).unwrap();
        let updates = [
            g.assign(&w, &new_w).unwrap(),
            g.assign(&seen, &mean.add(&new_w).unwrap()).unwrap(),
            g.assign(&mean, &new_mean).unwrap(),
        ];
        let mut program = device.compile(&g, &[&new_w], &[&updates[0], &updates[1], &updates[2]]).unwrap();
        let (mut w, mut mean, mut seen) = ([4.0f32, 8.0], [0.0f32, 1.0], [0.0f32; 2]);
        for _ in 0..5 {
            let out = program.run(NONE).unwrap().wait().unwrap();
            for i in 0..2 {
                let new_mean = 0.5 * mean[i] + 0.5 * w[i];
                let new_w = w[i] - new_mean - seen[i];
                (seen[i], mean[i], w[i]) = (mean[i] + new_w, new_mean, new_w);
            }
            assert_eq!(out[0].as_slice::<f32>().unwrap(), w, "{}", device.info());
            let got = ["w", "mean", "seen"].map(|n| values(&program, n));
            assert_eq!(got, [w.to_vec(), mean.to_vec(), seen.to_vec()], "{}", device.info());
        }
    }
}

#[test]
fn one_slot_takes_one_update() {
    let g = Graph::new();
    let a = slot(&g, "a", &[1.0]);
    let (one, two) =
        (g.assign(&a, &a.mul(2.0).unwrap()).unwrap(), g.assign(&a, &a.add(1.0).unwrap()).unwrap());
    for device in devices() {
        let error = device.compile(&g, &[], &[&one, &two]).unwrap_err();
        assert!(
            matches!(error, Error::Graph { .. }) && error.to_string().contains("two updates assign slot `a`")
        );
        assert!(error.to_string().contains("updates.rs:"), "{error}");
    }
}

#[test]
fn parameters_outlive_their_programs() {
    for device in devices() {
        let g = Graph::new();
        let w = slot(&g, "w", &[1.0, 2.0]);
        let step = g.assign(&w, &w.add(1.0).unwrap()).unwrap();
        let mut program = device.compile(&g, &[], &[&step]).unwrap();
        let mut sibling = program.sibling(&[&w.mul(2.0).unwrap()], &[]).unwrap();
        let params = program.params().clone();
        program.run(NONE).unwrap();
        drop(program);
        // The sibling and the handle are over the same values; the handle outlives both.
        assert_eq!(sibling.run(NONE).unwrap().wait().unwrap()[0].as_slice::<f32>().unwrap(), &[4.0, 6.0]);
        params.set("w", &HostTensor::new(&[7.0f32, 8.0], [2]).unwrap()).unwrap();
        assert_eq!(sibling.run(NONE).unwrap().wait().unwrap()[0].as_slice::<f32>().unwrap(), &[14.0, 16.0]);
        let run = sibling.run(NONE).unwrap();
        drop(sibling);
        drop((g, w, step));
        // So does a run under way.
        assert_eq!(run.wait().unwrap()[0].as_slice::<f32>().unwrap(), &[14.0, 16.0]);
        assert_eq!(params.get("w").unwrap().as_slice::<f32>().unwrap(), &[7.0, 8.0]);
        params.set("w", &HostTensor::new(&[0.5f32; 2], [2]).unwrap()).unwrap();
        drop(device);
        assert_eq!(params.snapshot().unwrap()[0].1.as_slice::<f32>().unwrap(), &[0.5; 2]);
        assert!(matches!(params.get("v"), Err(Error::Params(_))));
    }
}
