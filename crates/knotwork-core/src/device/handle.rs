//! The handle on a device.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::{Backend, Counters, Params, Peak, PlanCounters, Program, plans::PlanCache};
use crate::{
    Result,
    graph::{Graph, Tensor, Update},
    plan::{Capabilities, DeviceKind},
};

/// What a device is called and how it is driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name, as the driver gives it.
    pub name: String,
    /// CPU or GPU.
    pub kind: DeviceKind,
    /// The driver and its version; the instruction set on the CPU.
    pub driver: String,
    /// The interface: `cpu`, `vulkan`, `metal`, `dx12`.
    pub interface: String,
    /// The shader profile: `checked`, `trusted`, or `none` on the CPU.
    pub profile: String,
}

impl fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DeviceKind::Cpu => write!(f, "cpu ({})", self.driver),
            DeviceKind::Gpu => {
                write!(f, "gpu: {} ({}, {}, {})", self.name, self.interface, self.driver, self.profile)
            }
        }
    }
}

/// Something that runs programs. Cloning it gives another handle on the same device.
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [2])?;
/// let y = x.mul(&x)?.add(1.0)?;
/// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
/// let out = program.run([("x", HostTensor::new(&[2.0f32, 3.0], [2])?)])?.wait()?;
/// assert_eq!(out[0].as_slice::<f32>()?, &[5.0, 10.0]);
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Device {
    backend: Arc<dyn Backend>,
    plans: Arc<PlanCache>,
    peak: Arc<OnceLock<Peak>>,
}

impl Device {
    /// The CPU: the plan, through each operation's fast path.
    #[must_use]
    pub fn cpu() -> Self {
        Self::from_backend(Arc::new(crate::cpu::CpuBackend::new()))
    }

    /// A device over a backend of one's own.
    #[must_use]
    pub fn from_backend(backend: Arc<dyn Backend>) -> Self {
        Self { backend, plans: Arc::default(), peak: Arc::default() }
    }

    /// The backend.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    pub(super) fn known_peak(&self) -> &OnceLock<Peak> {
        &self.peak
    }

    /// Name, kind and driver.
    #[must_use]
    pub fn info(&self) -> &DeviceInfo {
        self.backend.info()
    }

    /// What plans may rely on.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        self.backend.capabilities()
    }

    /// How many device objects were made so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.backend.counters()
    }

    /// How its plans were used. Programs of one device share them: a program of the same graph, or of one that the same
    /// lines have built again, with the same outputs, updates, knobs and sizes takes the plan that is there, and with it
    /// the compiled pipelines. The least recently used goes when there are more than the bound, 64 at first; a program
    /// keeps the plans that it uses (see [`Program::keep_plans`]).
    ///
    /// ```
    /// use knotwork_core::{DType, Device, Graph, HostTensor};
    /// let device = Device::cpu();
    /// for _ in 0..3 {
    ///     let g = Graph::new();
    ///     let x = g.input("x", DType::F32, [2])?;
    ///     let y = x.exp()?;
    ///     device.compile(&g, &[&y], &[])?.run([("x", HostTensor::zeros(DType::F32, [2]))])?;
    /// }
    /// assert_eq!((device.plans().misses, device.plans().hits), (1, 2));
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    #[must_use]
    pub fn plans(&self) -> PlanCounters {
        self.plans.counters()
    }

    /// Keeps at most so many plans for programs to come; 0 keeps none. Constants of a graph live as long as its plans.
    pub fn keep_plans(&self, plans: usize) {
        self.plans.bound(plans);
    }

    pub(super) fn plan_cache(&self) -> &PlanCache {
        &self.plans
    }

    /// A program that computes `outputs` and, where `updates` are listed, writes them into their slots at the end
    /// of each run. Its parameters begin with the graph's initial values.
    ///
    /// # Errors
    /// Where a tensor belongs to another graph, or the device cannot hold the parameters. Plans are made by the
    /// first run of each shape.
    #[track_caller]
    pub fn compile(&self, graph: &Graph, outputs: &[&Tensor], updates: &[&Update]) -> Result<Program> {
        Program::new(self.clone(), graph, outputs, updates, Params::new(self.clone()))
    }
}
