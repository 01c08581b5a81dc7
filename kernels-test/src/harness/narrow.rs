//! A device whose grids may have only a few workgroups a dimension, so that small work folds as huge work does.

use std::sync::Arc;

use knotwork::{
    Device, DeviceInfo, Result,
    device::{Backend, Counters, Memory, Prepared},
    plan::{Capabilities, Plan},
};

/// Workgroups in one dimension: the smallest cases are folded in y, others in z.
const GROUPS: u32 = 3;

#[derive(Debug)]
struct Narrow {
    inner: Arc<dyn Backend>,
    capabilities: Capabilities,
}

/// The same device with narrow grids.
pub(super) fn narrow(device: &Device) -> Device {
    let capabilities = Capabilities { max_groups: GROUPS, ..device.capabilities().clone() };
    Device::from_backend(Arc::new(Narrow { inner: device.backend().clone(), capabilities }))
}

impl Backend for Narrow {
    fn info(&self) -> &DeviceInfo {
        self.inner.info()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn allocate(&self, bytes: usize) -> Result<Arc<dyn Memory>> {
        self.inner.allocate(bytes)
    }

    fn prepare(&self, plan: Arc<Plan>, chunks: &[Arc<dyn Memory>]) -> Result<Box<dyn Prepared>> {
        self.inner.prepare(plan, chunks)
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }
}
