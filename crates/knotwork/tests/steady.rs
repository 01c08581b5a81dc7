//! The steady state of training: nothing is made, memory is flat, and runs may overlap and cross threads.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use knotwork::{Counters, graph::Update, nn::AdamW, prelude::*};

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the system's allocator.
#[allow(unsafe_code, reason = "an allocator is unsafe by its trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// These tests count what the whole process does: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn devices() -> Vec<Device> {
    #[allow(unused_mut, reason = "without the feature `gpu` there is only one")]
    let mut all = vec![Device::cpu()];
    #[cfg(feature = "gpu")]
    {
        // As in a release build: no memory is filled between steps.
        let options = knotwork::gpu::Options { poison: false, ..Default::default() };
        all.push(knotwork::gpu::open(&options).expect("a GPU driver: `cargo xtask setup`"));
    }
    all
}

fn step_graph() -> (Graph, Tensor, Update) {
    let g = Graph::new();
    let batch = Dim::named("batch");
    let x = g.input("x", DType::F32, [batch.clone(), 3.into()]).unwrap();
    let target = g.input("target", DType::I32, [batch]).unwrap();
    let start = |n: usize, shape: &[usize]| {
        HostTensor::from_vec((0..n).map(|i| (i as f32 * 1.3).sin() * 0.5).collect(), shape).unwrap()
    };
    let w1 = g.parameter("w1", start(24, &[3, 8])).unwrap();
    let b1 = g.parameter("b1", HostTensor::zeros(DType::F32, [8])).unwrap();
    let w2 = g.parameter("w2", start(16, &[8, 2])).unwrap();
    let h = x.matmul(&w1).unwrap().add(&b1).unwrap().gelu().unwrap();
    let loss = h.matmul(&w2).unwrap().cross_entropy(&target).unwrap();
    let step = AdamW::new(1e-2).minimize(&loss).unwrap();
    (g, loss, step)
}

fn batch(n: usize) -> [(&'static str, HostTensor); 2] {
    let x = (0..3 * n).map(|i| (i as f32 * 0.9).cos()).collect();
    let target = (0..n).map(|i| i32::from(i % 3 == 0)).collect();
    [("x", HostTensor::from_vec(x, [n, 3]).unwrap()), ("target", HostTensor::from_vec(target, [n]).unwrap())]
}

fn made(c: Counters) -> (u64, u64, u64, u64) {
    (c.buffers, c.bind_groups, c.pipelines, c.bytes)
}

fn lend<'a>(
    feeds: &'a [(&'static str, HostTensor); 2],
) -> impl Iterator<Item = (&'static str, &'a HostTensor)> {
    feeds.iter().map(|(name, value)| (*name, value))
}

#[test]
fn after_step_three_nothing_is_made_also_with_changing_batches() {
    let _alone = alone();
    let (g, loss, step) = step_graph();
    for device in devices() {
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
        let batches = [batch(8), batch(5), batch(1)];
        for feeds in &batches {
            program.run(lend(feeds)).unwrap().wait().unwrap();
        }
        let before = device.counters();
        for k in 0..60 {
            program.run(lend(&batches[k * 7 % 3])).unwrap().wait().unwrap();
        }
        let after = device.counters();
        assert_eq!(made(before), made(after), "on {}", device.info());
        assert_eq!(after.submits - before.submits, 60);
        assert!(after.bytes > 0, "on {}", device.info());
    }
}

#[test]
fn the_host_allocates_the_same_every_step() {
    let _alone = alone();
    let (g, loss, step) = step_graph();
    for device in devices() {
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
        let feeds = batch(8);
        let mut run = |n: u64| {
            let (count, live) = (ALLOCATIONS.load(Ordering::Relaxed), LIVE.load(Ordering::Relaxed));
            for _ in 0..n {
                program.run(lend(&feeds)).unwrap().wait().unwrap();
            }
            let count = ALLOCATIONS.load(Ordering::Relaxed) - count;
            (count as f64 / n as f64, LIVE.load(Ordering::Relaxed) as i64 - live as i64)
        };
        run(30);
        let (first, _) = run(100);
        let (second, kept) = run(100);
        println!("{}: {first} and {second} host allocations a step, {kept} bytes kept", device.info());
        assert!((first - second).abs() < 0.1 * first + 2.0, "{first}, {second} on {}", device.info());
        // Those of ours and, on a GPU, of wgpu and the driver.
        assert!(second < 1000.0, "{second} on {}", device.info());
        assert!(kept.abs() < 64 << 10, "{kept} bytes kept on {}", device.info());
    }
}

/// Resident bytes of the process.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    4096 * statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn two_thousand_steps_take_no_memory() {
    let _alone = alone();
    let (g, loss, step) = step_graph();
    for device in devices() {
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
        let batches = [batch(8), batch(5)];
        let mut last = 0.0;
        let (mut bytes, mut third, mut warm, mut first) = (0, 0, 0, 0.0);
        for k in 0..2000 {
            let run = program.run(lend(&batches[usize::from(k % 10 == 2)])).unwrap();
            // Most losses are never read.
            if k % 50 < 2 {
                last = run.wait().unwrap()[0].item::<f32>().unwrap();
            }
            match k {
                0 => first = last,
                2 => (bytes, third) = (device.counters().bytes, resident()),
                199 => warm = resident(),
                _ => {}
            }
            if k > 2 {
                assert_eq!(device.counters().bytes, bytes, "step {k} on {}", device.info());
            }
        }
        let end = resident();
        println!(
            "{}: {third} resident bytes after 3 steps, {warm} after 200, {end} after 2,000; {bytes} on the device",
            device.info()
        );
        // What the driver and the allocator keep for later settles in the first steps: a quarter of a page a step would
        // not pass.
        assert!(end < third + (4 << 20), "{third} to {end} on {}", device.info());
        assert!(end < warm + (1 << 20), "{warm} to {end} on {}", device.info());
        assert!(last < 0.5 * first, "{first} to {last} on {}", device.info());
    }
}

#[test]
fn results_may_be_dropped_hoarded_and_read_in_any_order() {
    let _alone = alone();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2]).unwrap();
    let w = g.parameter("w", HostTensor::new(&[1.0f32, -1.0], [2]).unwrap()).unwrap();
    let y = x.mul(&w).unwrap();
    for device in devices() {
        let mut program = device.compile(&g, &[&y], &[]).unwrap();
        let feed = |k: usize| [("x", HostTensor::new(&[k as f32, 1.0], [2]).unwrap())];
        // Dropped unread, more than there are staging buffers.
        (0..10).for_each(|k| drop(program.run(feed(k)).unwrap()));
        // Held, many more than there are staging buffers; read last to first, blocking and not.
        let runs: Vec<_> = (0..40).map(|k| program.run(feed(k)).unwrap()).collect();
        for (k, run) in runs.into_iter().enumerate().rev() {
            let out = if k % 2 == 0 { run.wait() } else { pollster::block_on(run.outputs()) };
            assert_eq!(out.unwrap()[0].as_slice::<f32>().unwrap(), &[k as f32, -1.0]);
        }
        // The additional buffers go again.
        let held = device.counters().bytes;
        (0..8).for_each(|k| drop(program.run(feed(k)).unwrap()));
        let settled = device.counters();
        assert!(settled.bytes < held || device.info().name == "cpu", "on {}", device.info());
        (0..8).for_each(|k| drop(program.run(feed(k)).unwrap()));
        assert_eq!(made(device.counters()), made(settled));
        // An answer that nobody waits for any more, and one that outlives its program.
        drop(program.run(feed(1)).unwrap().outputs());
        let late = program.run(feed(9)).unwrap();
        drop(program);
        assert_eq!(late.wait().unwrap()[0].as_slice::<f32>().unwrap(), &[9.0, -1.0]);
    }
}

#[test]
fn programs_and_results_cross_threads() {
    let _alone = alone();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [64]).unwrap();
    let w = g.parameter("w", HostTensor::new(&[2.0f32; 64], [64]).unwrap()).unwrap();
    let y = x.mul(&w).unwrap().sum(&[0], false).unwrap();
    for device in devices() {
        let program = device.compile(&g, &[&y], &[]).unwrap();
        let siblings: Vec<_> = (0..3).map(|_| program.sibling(&[&y], &[]).unwrap()).collect();
        let shared = Arc::new(Mutex::new(program));
        std::thread::scope(|scope| {
            // Siblings of one set of parameters, each run and read by a thread of its own.
            for (t, mut sibling) in siblings.into_iter().enumerate() {
                scope.spawn(move || {
                    for k in 0..100 {
                        let v = (t * 1000 + k) as f32;
                        let run = sibling.run([("x", HostTensor::new(&[v; 64], [64]).unwrap())]).unwrap();
                        let out = if k % 3 == 0 { pollster::block_on(run.outputs()) } else { run.wait() };
                        assert_eq!(out.unwrap()[0].item::<f32>().unwrap(), 128.0 * v);
                    }
                });
            }
            // One program that two threads take turns at, and results that a third one reads.
            let (send, receive) = std::sync::mpsc::channel();
            for t in 0..2 {
                let (shared, send) = (shared.clone(), send.clone());
                scope.spawn(move || {
                    for k in 0..50 {
                        let v = (t * 100 + k) as f32;
                        let feed = [("x", HostTensor::new(&[v; 64], [64]).unwrap())];
                        send.send((v, shared.lock().unwrap().run(feed).unwrap())).unwrap();
                    }
                });
            }
            drop(send);
            for (v, run) in receive {
                assert_eq!(run.wait().unwrap()[0].item::<f32>().unwrap(), 128.0 * v);
            }
            // And parameters are read meanwhile.
        });
        let w = shared.lock().unwrap().params().get("w").unwrap();
        assert_eq!(w.as_slice::<f32>().unwrap(), &[2.0; 64]);
    }
}

#[test]
fn plans_are_shared_by_what_they_are_plans_of() {
    let _alone = alone();
    for device in devices() {
        let train = || {
            let (g, loss, step) = step_graph();
            let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
            let out = program.run(lend(&batch(4))).unwrap().wait().unwrap();
            let w = program.params().get("w1").unwrap();
            (out, w)
        };
        let first = train();
        let compiled = device.counters().pipelines;
        assert_eq!((device.plans().misses, device.plans().hits), (1, 0));
        // The same lines again: the same plan and pipelines, parameters of its own.
        assert_eq!(train(), first);
        assert_eq!((device.plans().misses, device.plans().hits), (1, 1));
        assert_eq!(device.counters().pipelines, compiled, "on {}", device.info());
        // Siblings share as well; another size, other outputs, other knobs and other lines do not.
        let (g, loss, step) = step_graph();
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
        let mut sibling = program.sibling(&[&loss], &[&step]).unwrap();
        program.run(lend(&batch(4))).unwrap().wait().unwrap();
        sibling.run(lend(&batch(4))).unwrap().wait().unwrap();
        assert_eq!((device.plans().misses, device.plans().hits), (1, 3));
        program.run(lend(&batch(3))).unwrap().wait().unwrap();
        let mut eval = program.sibling(&[&loss], &[]).unwrap();
        eval.run(lend(&batch(4))).unwrap().wait().unwrap();
        let options = knotwork::plan::PlanOptions { no_fuse: true, ..Default::default() };
        let mut unfused = program.sibling(&[&loss], &[]).unwrap().with_options(options);
        unfused.run(lend(&batch(4))).unwrap().wait().unwrap();
        assert_eq!((device.plans().misses, device.plans().hits), (4, 3));
        // A constant is told by its elements.
        let constant = |value: f32| {
            let g = Graph::new();
            let x = g.input("x", DType::F32, [2]).unwrap();
            let c = g.tensor(HostTensor::new(&[value, 1.0], [2]).unwrap()).unwrap();
            let y = x.mul(&c).unwrap();
            let mut p = device.compile(&g, &[&y], &[]).unwrap();
            let x = HostTensor::new(&[1.0f32, 1.0], [2]).unwrap();
            p.run([("x", x)]).unwrap().wait().unwrap()[0].to_f64()[0]
        };
        assert_eq!((constant(2.0), constant(3.0), constant(2.0)), (2.0, 3.0, 2.0));
        assert_eq!((device.plans().misses, device.plans().hits), (6, 4));
        // The bound holds, least recently used first.
        assert_eq!((device.plans().kept, device.plans().bound), (6, 64));
        device.keep_plans(1);
        assert_eq!(device.plans().kept, 1);
        assert_eq!(constant(2.0), 2.0);
        assert_eq!(constant(3.0), 3.0);
        assert_eq!((device.plans().misses, device.plans().hits, device.plans().kept), (7, 5, 1));
        device.keep_plans(0);
        assert_eq!(constant(3.0), 3.0);
        assert_eq!((device.plans().misses, device.plans().kept), (8, 0));
    }
}

#[test]
fn a_program_keeps_as_many_sizes_as_it_is_told() {
    let _alone = alone();
    let (g, loss, step) = step_graph();
    for device in devices() {
        let mut program = device.compile(&g, &[&loss], &[&step]).unwrap();
        program.keep_plans(2);
        for n in [1, 2, 3, 4] {
            program.run(lend(&batch(n))).unwrap().wait().unwrap();
        }
        let before = device.counters().buffers;
        for n in [3, 4, 3, 4] {
            program.run(lend(&batch(n))).unwrap().wait().unwrap();
        }
        assert_eq!(device.counters().buffers, before, "on {}", device.info());
        // One that went: its buffers are made again, its plan and pipelines are not.
        let (plans, pipelines) = (device.plans().misses, device.counters().pipelines);
        program.run(lend(&batch(1))).unwrap().wait().unwrap();
        assert!(device.counters().buffers > before);
        assert_eq!((device.plans().misses, device.counters().pipelines), (plans, pipelines));
    }
}
