//! Where the time of a run goes: measured dispatch by dispatch, beside what the plan says of bytes and operations.

mod loops;
mod measure;
mod peak;
mod table;
mod trace;

use std::fmt;

pub use peak::Peak;

use crate::{Site, graph::Phase};

/// How times were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The device's own timestamps around each dispatch, each in a pass of its own.
    Timestamps,
    /// The host's clock around a submit for each dispatch: the device has no timestamps. Each time includes a submit
    /// and a wait, so small dispatches look slower than they are.
    Submits,
    /// The host's clock around each step, on the CPU.
    Steps,
}

impl Clock {
    /// A word for files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Timestamps => "timestamps",
            Self::Submits => "submits",
            Self::Steps => "steps",
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timestamps => "the device's timestamps, a pass a dispatch",
            Self::Submits => "the host's clock, a submit a dispatch (no timestamps here: each includes a submit and a wait)",
            Self::Steps => "the host's clock, step by step",
        })
    }
}

/// When something ran, in nanoseconds from the run's first begin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Interval {
    /// Its begin.
    pub begin: f64,
    /// How long it took.
    pub ns: f64,
}

/// The times of one run, as a backend measured them.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// How they were measured.
    pub clock: Clock,
    /// One for each dispatch of the plan, in order; on the CPU one for each step.
    pub slices: Vec<Interval>,
}

/// One dispatch of a profile; on the CPU, one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The kernel; on the CPU, the operation.
    pub kernel: String,
    /// The operation.
    pub op: String,
    /// The kernel variant; empty on the CPU.
    pub variant: &'static str,
    /// The step of the plan.
    pub step: usize,
    /// The line of user code that it comes from.
    pub site: Site,
    /// The part of the computation that it belongs to.
    pub phase: Phase,
    /// The median of its times over the runs, in nanoseconds.
    pub ns: f64,
    /// Bytes that its step must move at least. Where a step has several dispatches, they share its bytes and operations
    /// in proportion to their times.
    pub bytes: f64,
    /// Floating-point operations of its step, shared alike.
    pub flops: f64,
}

/// All dispatches of one kernel together.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    /// The kernel.
    pub kernel: String,
    /// How many dispatches run it.
    pub count: usize,
    /// Their time, in nanoseconds.
    pub ns: f64,
    /// The bytes that they must move at least.
    pub bytes: f64,
    /// Their floating-point operations.
    pub flops: f64,
}

/// Where the time of a program's run goes.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [64, 64])?;
/// let y = x.matmul(&x)?.sum(&[1], false)?;
/// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
/// let profile = program.profile([("x", HostTensor::zeros(DType::F32, [64, 64]))], 3)?;
/// assert_eq!(profile.entries.len(), 2);
/// assert_eq!(profile.entries[0].flops, 2.0 * 64.0 * 64.0 * 64.0);
/// assert!(profile.to_string().contains("matmul"));
/// assert!(profile.trace().contains("traceEvents"));
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The device.
    pub device: String,
    /// How times were measured.
    pub clock: Clock,
    /// The number of runs that were measured.
    pub runs: usize,
    /// Every dispatch, in the order in which they run.
    pub entries: Vec<Entry>,
    /// The time of each run, its dispatches together, in nanoseconds, in the order in which they ran.
    pub run_ns: Vec<f64>,
    /// When each ran, in the run whose total was the median.
    pub timeline: Vec<Interval>,
    /// Bytes of the arena that hold a value while each step runs.
    pub live_bytes: Vec<usize>,
    /// What the device can do at most, where it was measured: see [`Device::peak`](crate::Device::peak).
    pub peak: Option<Peak>,
}

impl Profile {
    /// The medians of all dispatches together, in nanoseconds.
    #[must_use]
    pub fn total_ns(&self) -> f64 {
        self.entries.iter().map(|e| e.ns).sum()
    }

    /// The same with what the device can do, for per cents.
    #[must_use]
    pub fn with_peak(mut self, peak: Peak) -> Self {
        self.peak = Some(peak);
        self
    }

    /// Times by kernel, the longest first.
    #[must_use]
    pub fn kernels(&self) -> Vec<KernelTime> {
        let mut found: Vec<KernelTime> = Vec::new();
        for e in &self.entries {
            let at = found.iter().position(|k| k.kernel == e.kernel).unwrap_or_else(|| {
                found.push(KernelTime {
                    kernel: e.kernel.clone(),
                    count: 0,
                    ns: 0.0,
                    bytes: 0.0,
                    flops: 0.0,
                });
                found.len() - 1
            });
            let k = &mut found[at];
            k.count += 1;
            k.ns += e.ns;
            k.bytes += e.bytes;
            k.flops += e.flops;
        }
        found.sort_by(|a, b| b.ns.total_cmp(&a.ns).then(a.kernel.cmp(&b.kernel)));
        found
    }
}
