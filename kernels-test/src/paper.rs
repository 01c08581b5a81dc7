//! A GPU on paper: plans are made for it, nothing runs. Tests of kernels' texts and the documentation need no driver.

use std::{any::Any, sync::Arc};

use knotwork::{
    DType, Device, DeviceInfo, Error, HostTensor, Result,
    device::{Backend, Counters, Memory, Pending, Prepared, RunInputs},
    plan::{Capabilities, CooperativeMatrix, DeviceKind, Plan},
};

#[derive(Debug)]
struct Paper(DeviceInfo, Capabilities);

/// A device with WebGPU's portable limits and 16-bit floats. Plans are all that it makes.
#[must_use]
pub fn paper() -> Device {
    device(Capabilities { f16: true, ..Capabilities::portable() })
}

/// A device with cooperative matrices of both sizes and the workgroup memory that the largest tiles of them take.
#[must_use]
pub fn paper_with_matrices() -> Device {
    let matrix = |size| CooperativeMatrix { size, operands: DType::F16, sums: DType::F32 };
    device(Capabilities {
        f16: true,
        subgroup_size: Some((8, 32)),
        cooperative: vec![matrix(16), matrix(8)],
        max_workgroup_bytes: 32 << 10,
        ..Capabilities::portable()
    })
}

fn device(capabilities: Capabilities) -> Device {
    let info = DeviceInfo {
        name: "paper".into(),
        kind: DeviceKind::Gpu,
        driver: "none".into(),
        interface: "none".into(),
        profile: "none".into(),
    };
    Device::from_backend(Arc::new(Paper(info, capabilities)))
}

fn only_paper() -> Error {
    Error::NoDevice("this device is on paper".into())
}

impl Backend for Paper {
    fn info(&self) -> &DeviceInfo {
        &self.0
    }

    fn capabilities(&self) -> &Capabilities {
        &self.1
    }

    fn allocate(&self, _: usize) -> Result<Arc<dyn Memory>> {
        Ok(Arc::new(Nothing))
    }

    fn prepare(&self, _: Arc<Plan>, _: &[Arc<dyn Memory>]) -> Result<Box<dyn Prepared>> {
        Ok(Box::new(Nothing))
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

#[derive(Debug)]
struct Nothing;

impl Memory for Nothing {
    fn write(&self, _: usize, _: &HostTensor) -> Result<()> {
        Ok(())
    }

    fn read(&self, _: usize, _: DType, _: &[usize]) -> Result<HostTensor> {
        Err(only_paper())
    }

    fn copy_from(&self, _: &dyn Memory) -> Result<()> {
        Err(only_paper())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Prepared for Nothing {
    fn run(&mut self, _: &RunInputs<'_>) -> Result<Box<dyn Pending>> {
        Err(only_paper())
    }
}
