//! Host time to record and submit a plan, beside bare wgpu calls for the same list, in one run side by side.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use knotwork::{Device, device::Value, graph::Update, prelude::*};

use crate::networks::Name;

/// What a replay costs the host.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    /// A run of ours, from its feeds to the submit, the copy and the mapping of its results asked for: microseconds a
    /// dispatch.
    pub ours_us_per_dispatch: f64,
    /// The same list by bare calls, from its feeds to the submit, with the copy of its results: microseconds a dispatch.
    pub bare_us_per_dispatch: f64,
    /// The length of the list.
    pub dispatches: usize,
    /// Buffers, bind groups and pipelines made during the timed runs.
    pub steady_state_allocations: u64,
}

/// Times `runs` runs of a reference network and as many bare ones in turn, with the device idle before each; medians.
///
/// # Errors
/// Where the device has no dispatch list (the CPU), or fails.
pub fn replay(device: &Device, name: Name, runs: usize) -> Result<Replay> {
    let network = name.build()?;
    let outputs: Vec<&Tensor> = network.outputs.iter().collect();
    let updates: Vec<&Update> = network.updates.iter().collect();
    let mut program = device.compile(&network.graph, &outputs, &updates)?;
    let feeds = network.feeds()?;
    let run = |program: &mut Program| -> Result<Duration> {
        let start = Instant::now();
        let run = program.run(feeds.iter().map(|(k, v)| (k.as_str(), v)))?;
        let time = start.elapsed();
        run.wait()?;
        Ok(time)
    };
    let bare = |program: &mut Program| {
        let feeds = feeds.iter().map(|(k, v)| (k.as_str(), Value::Host(v)));
        program.replay_bare(feeds)?.context("this device replays no list")
    };
    for _ in 0..5 {
        run(&mut program)?;
        bare(&mut program)?;
    }
    let made = |device: &Device| {
        let c = device.counters();
        c.buffers + c.bind_groups + c.pipelines
    };
    let (before, mut dispatches) = (made(device), 0);
    let (mut ours, mut bares) = (Vec::new(), Vec::new());
    for k in 0..runs.max(1) {
        // Whichever goes first finds other caches: they take turns.
        for ours_now in [k % 2 == 0, k % 2 == 1] {
            if ours_now {
                ours.push(run(&mut program)?);
            } else {
                let (time, n) = bare(&mut program)?;
                dispatches = n;
                bares.push(time);
            }
        }
    }
    let per_dispatch = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e6 / dispatches.max(1) as f64
    };
    Ok(Replay {
        ours_us_per_dispatch: per_dispatch(ours),
        bare_us_per_dispatch: per_dispatch(bares),
        dispatches,
        steady_state_allocations: made(device) - before,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "gpu")]
    #[test]
    fn replays_are_timed_and_make_nothing() {
        let device = knotwork::gpu::open(&knotwork::gpu::Options::default()).unwrap();
        let timed = replay(&device, Name::Mlp, 20).unwrap();
        println!("{timed:?}");
        assert!(timed.dispatches > 3 && timed.bare_us_per_dispatch > 0.0 && timed.ours_us_per_dispatch > 0.0);
        assert_eq!(timed.steady_state_allocations, 0);
    }

    #[test]
    fn the_cpu_replays_no_list() {
        let error = replay(&Device::cpu(), Name::Chain12, 1).unwrap_err();
        assert!(error.to_string().contains("no list"), "{error}");
    }
}
