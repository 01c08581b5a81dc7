//! Programs in several threads: siblings that share parameters, one program behind a lock, results that are waited for
//! elsewhere; blocking and asynchronous, on every backend that this build has.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod common;

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
};

use knotwork::{Run, device::Params, prelude::*};

use common::devices;

const NONE: [(&str, HostTensor); 0] = [];
const N: usize = 257;

/// Drives a future on this thread, as an app's executor would.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, mut context) = (pin!(future), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// w := w + x and v := v - x, for a given x: their sum stays what it was, and they are consistent in every run.
struct Shared {
    g: Graph,
    w: Tensor,
    v: Tensor,
    x: Tensor,
}

fn shared() -> Shared {
    let g = Graph::new();
    let w = g.parameter("w", HostTensor::from_vec(vec![0.0f32; N], [N]).unwrap()).unwrap();
    let v = g.parameter("v", HostTensor::from_vec(vec![1000.0f32; N], [N]).unwrap()).unwrap();
    let x = g.input("x", DType::F32, [N]).unwrap();
    Shared { g, w, v, x }
}

fn all_are(tensor: &HostTensor, want: f32) -> bool {
    tensor.as_slice::<f32>().unwrap().iter().all(|x| *x == want)
}

#[test]
fn siblings_in_threads_share_parameters_and_see_whole_updates() {
    const STEPS: usize = 25;
    for device in devices() {
        let s = shared();
        let steps = [
            s.g.assign(&s.w, &s.w.add(&s.x).unwrap()).unwrap(),
            s.g.assign(&s.v, &s.v.sub(&s.x).unwrap()).unwrap(),
        ];
        let train = device.compile(&s.g, &[], &[&steps[0], &steps[1]]).unwrap();
        let (both, twice) = (s.w.add(&s.v).unwrap(), s.w.mul(2.0).unwrap());
        thread::scope(|scope| {
            // Two add, one reads through a program of its own, one the parameters themselves.
            for by in [1.0f32, 2.0] {
                let mut adder = train.sibling(&[&s.w], &[&steps[0], &steps[1]]).unwrap();
                scope.spawn(move || {
                    let feed = HostTensor::from_vec(vec![by; N], [N]).unwrap();
                    let mut before = -1.0;
                    for k in 0..STEPS {
                        let run = adder.run([("x", &feed)]).unwrap();
                        if k % 3 == 0 {
                            let out = run.wait().unwrap();
                            let first = out[0].as_slice::<f32>().unwrap()[0];
                            assert!(all_are(&out[0], first) && first > before, "{first} after {before}");
                            before = first;
                        }
                    }
                });
            }
            let mut reader = train.sibling(&[&both, &twice], &[]).unwrap();
            scope.spawn(move || {
                for k in 0..2 * STEPS {
                    let run = reader.run(NONE).unwrap();
                    let out = if k % 2 == 0 { run.wait() } else { block_on(run.outputs()) }.unwrap();
                    assert!(all_are(&out[0], 1000.0), "half an update was seen: {:?}", out[0]);
                    assert!(all_are(&out[1], out[1].as_slice::<f32>().unwrap()[0]));
                }
            });
            let params: Params = train.params().clone();
            scope.spawn(move || {
                for _ in 0..STEPS / 2 {
                    let all = params.snapshot().unwrap();
                    let [w, v] =
                        ["w", "v"].map(|n| all.iter().find(|(i, _)| i.name == n).unwrap().1.to_f64()[0]);
                    assert_eq!(w + v, 1000.0, "two moments in one snapshot");
                }
            });
        });
        let want = 3.0 * STEPS as f32;
        assert!(all_are(&train.params().get("w").unwrap(), want), "{}", device.info());
        assert!(all_are(&train.params().get("v").unwrap(), 1000.0 - want));
    }
}

#[test]
fn one_program_behind_a_lock_runs_from_two_threads() {
    for device in devices() {
        let s = shared();
        let step = s.g.assign(&s.w, &s.w.add(&s.x).unwrap()).unwrap();
        let program = Mutex::new(device.compile(&s.g, &[&s.x.mul(3.0).unwrap()], &[&step]).unwrap());
        thread::scope(|scope| {
            for t in 0..2 {
                let program = &program;
                scope.spawn(move || {
                    for k in 0..10 {
                        let feed = HostTensor::from_vec(vec![(t * 10 + k) as f32; N], [N]).unwrap();
                        // The lock is held for the call only; the result is waited for without it.
                        let run = program.lock().unwrap().run([("x", &feed)]).unwrap();
                        let out = if k % 2 == 0 { run.wait() } else { block_on(run.outputs()) }.unwrap();
                        assert!(all_are(&out[0], 3.0 * (t * 10 + k) as f32), "a result of another run");
                    }
                });
            }
        });
        let program = program.into_inner().unwrap();
        assert!(all_are(&program.params().get("w").unwrap(), (0..20).sum::<i32>() as f32));
    }
}

#[test]
fn results_are_waited_for_in_another_thread_and_in_any_order() {
    for device in devices() {
        let s = shared();
        let mut program = device.compile(&s.g, &[&s.x.mul(s.x.add(1.0).unwrap()).unwrap()], &[]).unwrap();
        let (send, receive) = mpsc::channel::<(f32, Run)>();
        let waiter = thread::spawn(move || {
            let mut runs: Vec<(f32, Run)> = receive.iter().collect();
            assert_eq!(runs.len(), 12);
            // More than the ring holds, the newest first; every other one is never read.
            while let Some((x, run)) = runs.pop() {
                if runs.len().is_multiple_of(2) {
                    assert!(all_are(&run.wait().unwrap()[0], x * (x + 1.0)));
                }
            }
        });
        for k in 0..12 {
            let feed = HostTensor::from_vec(vec![k as f32; N], [N]).unwrap();
            send.send((k as f32, program.run([("x", &feed)]).unwrap())).unwrap();
        }
        drop(send);
        waiter.join().unwrap();
    }
}

#[test]
fn programs_of_several_graphs_share_a_device() {
    for device in devices() {
        thread::scope(|scope| {
            for t in 1..=4 {
                let device = &device;
                scope.spawn(move || {
                    let g = Graph::new();
                    let x = g.input("x", DType::F32, [Dim::named("n"), t.into()]).unwrap();
                    let y = x.mul(t as f64).unwrap().sum(&[1], false).unwrap();
                    let mut program = device.compile(&g, &[&y], &[]).unwrap();
                    for n in [3, 64, 5, 3] {
                        let feed = HostTensor::from_vec(vec![1.0f32; n * t], [n, t]).unwrap();
                        let out = program.run([("x", &feed)]).unwrap().wait().unwrap();
                        assert_eq!(out[0].shape(), [n]);
                        assert!(all_are(&out[0], (t * t) as f32), "thread {t}, {}", device.info());
                    }
                });
            }
        });
    }
}

#[test]
fn the_types_cross_threads() {
    fn sends<T: Send>() {}
    fn shares<T: Send + Sync>() {}
    sends::<Program>();
    sends::<Run>();
    shares::<Params>();
    shares::<Device>();
    shares::<Graph>();
    shares::<Tensor>();
    shares::<knotwork::Error>();
}
