//! What a device can do at most, measured.

use super::{
    Entry,
    loops::{Copy, FACTOR, Fma, SUMMAND},
};
use crate::{DType, Device, Error, Graph, HostTensor, Result, Site, device::Program};

/// What a device can do at most, as two small kernels measured it: bytes read and written by a copy that no cache
/// holds, and multiplications with additions in f32 that wait for nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Bytes read and written a second.
    pub bytes_per_second: f64,
    /// Floating-point operations a second in f32; special units for matrices are not used.
    pub flops_per_second: f64,
}

/// Below this a time says more about the launch than about the work; a larger size is tried.
const ENOUGH_NS: f64 = 1e6;
/// Bytes of one side of the copy, growing until it takes long enough.
const COPY_BYTES: [usize; 3] = [4 << 20, 64 << 20, 256 << 20];
/// (elements, turns) of the chains.
const CHAINS: [(usize, u32); 4] = [(1 << 18, 64), (1 << 23, 64), (1 << 23, 512), (1 << 23, 4096)];
/// Runs of each size; the fastest counts, since nothing but disturbance makes it slower.
const RUNS: usize = 3;

impl Device {
    /// What the device can do at most, measured the first time that anybody asks through this handle or a clone of it.
    ///
    /// # Errors
    /// Where the device fails or keeps no times.
    pub fn peak(&self) -> Result<Peak> {
        if let Some(peak) = self.known_peak().get() {
            return Ok(*peak);
        }
        let peak = Peak { bytes_per_second: bandwidth(self)?, flops_per_second: arithmetic(self)? };
        Ok(*self.known_peak().get_or_init(|| peak))
    }
}

/// The fastest dispatch of that operation.
fn fastest(device: &Device, program: &mut Program, op: &str) -> Result<Entry> {
    let mut best: Option<Entry> = None;
    for _ in 0..RUNS {
        let profile = program.profile([] as [(&str, &HostTensor); 0], 1)?;
        let found = profile.entries.into_iter().find(|e| e.op == op);
        best = match (best, found) {
            (Some(a), Some(b)) if a.ns <= b.ns => Some(a),
            (a, b) => b.or(a),
        };
    }
    best.filter(|e| e.ns > 0.0)
        .ok_or_else(|| refuse(device, format!("no time was measured for `{op}`, so the peak is not known")))
}

fn refuse(device: &Device, message: String) -> Error {
    Error::Device { device: device.info().to_string(), message }
}

/// A peak of work that was not done is none: `name` must hold `want` everywhere.
fn check(device: &Device, program: &Program, name: &str, want: f64) -> Result<()> {
    let wrong = program.params().get(name)?.to_f64().into_iter().find(|got| (got - want).abs() > 1e-4);
    match wrong {
        Some(got) => {
            Err(refuse(device, format!("measuring its peak, it computed {got} where {want} is right")))
        }
        None => Ok(()),
    }
}

fn ones(count: usize) -> Result<HostTensor> {
    HostTensor::from_vec(vec![1.0f32; count], [count])
}

fn bandwidth(device: &Device) -> Result<f64> {
    let limit = device.capabilities().max_binding_bytes.min(device.capabilities().max_buffer_bytes);
    let mut rate = 0.0;
    for (k, bytes) in COPY_BYTES.into_iter().enumerate().filter(|&(k, b)| k == 0 || b <= limit) {
        let graph = Graph::new();
        let count = bytes / DType::F32.bytes();
        let b = graph.parameter("b", HostTensor::zeros(DType::F32, [count]))?;
        // Slots of two groups lie in two buffers: no kernel reads and writes the same one.
        let a = graph.state("a", "from", ones(count)?)?;
        let copied = graph.apply_one(Copy, &[&a, &b], Site::here())?;
        let mut program = device.compile(&graph, &[], &[&graph.assign(&b, &copied)?])?;
        let entry = fastest(device, &mut program, "peak_copy")?;
        if k == 0 {
            check(device, &program, "b", 1.0)?;
        }
        // A larger copy is nearer to what memory gives, where the smaller one stayed in a cache.
        rate = entry.bytes / entry.ns * 1e9;
        if entry.ns >= ENOUGH_NS {
            break;
        }
    }
    Ok(rate)
}

fn arithmetic(device: &Device) -> Result<f64> {
    let mut best: f64 = 0.0;
    for (k, (elements, turns)) in CHAINS.into_iter().enumerate() {
        let graph = Graph::new();
        let x = graph.parameter("x", HostTensor::zeros(DType::F32, [elements]))?;
        let after = graph.apply_one(Fma { turns }, &[&x], Site::here())?;
        let mut program = device.compile(&graph, &[], &[&graph.assign(&x, &after)?])?;
        let entry = fastest(device, &mut program, "peak_fma")?;
        if k == 0 {
            // From 0, n turns towards summand / (1 - factor); each measurement also warms up.
            let all = f64::from(turns) * (2 * RUNS) as f64;
            let (factor, summand) = (f64::from(FACTOR), f64::from(SUMMAND));
            check(device, &program, "x", summand / (1.0 - factor) * (1.0 - factor.powf(all)))?;
        }
        best = best.max(entry.flops / entry.ns * 1e9);
        if entry.ns >= ENOUGH_NS {
            break;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    /// The loops compute what they say, so no compiler may have left them out.
    #[test]
    fn the_loops_do_their_work() {
        let graph = Graph::new();
        let start = HostTensor::new(&(0..1000).map(|i| i as f32).collect::<Vec<_>>(), [1000]).unwrap();
        let x = graph.parameter("x", start.clone()).unwrap();
        let y = graph.parameter("y", HostTensor::zeros(DType::F32, [1000])).unwrap();
        let after = graph.apply_one(Fma { turns: 8 }, &[&x], Site::here()).unwrap();
        let copied = graph.apply_one(Copy, &[&x, &y], Site::here()).unwrap();
        let update = graph.assign(&x, &after).unwrap().and(graph.assign(&y, &copied).unwrap()).unwrap();
        let mut program = Device::cpu().compile(&graph, &[], &[&update]).unwrap();
        program.run([] as [(&str, &HostTensor); 0]).unwrap().wait().unwrap();
        assert_eq!(program.params().get("y").unwrap(), start);
        let want: Vec<f32> = (0..1000)
            .map(|i| (0..8).fold(f64::from(i), |x, _| x * f64::from(FACTOR) + f64::from(SUMMAND)) as f32)
            .collect();
        for (got, want) in program.params().get("x").unwrap().to_f64().iter().zip(want) {
            assert!((got - f64::from(want)).abs() <= 1e-5 * f64::from(want).abs().max(1e-3), "{got} {want}");
        }
    }

    #[test]
    fn a_peak_is_measured_once() {
        let device = Device::cpu();
        let peak = device.peak().unwrap();
        assert!(peak.bytes_per_second > 1e8 && peak.flops_per_second > 1e6, "{peak:?}");
        assert_eq!(device.clone().peak().unwrap(), peak);
    }
}
