//! Memory on a device that belongs to somebody else: an app that shares its device lends it to a run.

use std::{any::Any, fmt, sync::Arc};

use crate::tensor::{DType, HostTensor, format_shape};

/// Device memory of an app, as its backend knows it. A backend's raw door makes it (`knotwork::gpu::raw`).
pub trait Lent: fmt::Debug + Send + Sync {
    /// For the backend that made it.
    fn as_any(&self) -> &dyn Any;
}

/// A tensor in device memory that belongs to an app: row-major, dense. A run reads its feeds there and puts its outputs
/// there with nothing passing through the host ([`Program::run_with`](super::Program::run_with)).
#[derive(Clone, Debug)]
pub struct External {
    dtype: DType,
    shape: Vec<usize>,
    memory: Arc<dyn Lent>,
}

impl External {
    /// A tensor over memory that a backend made known.
    #[must_use]
    pub fn new(dtype: DType, shape: &[usize], memory: Arc<dyn Lent>) -> Self {
        Self { dtype, shape: shape.to_vec(), memory }
    }

    /// Its element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Its dimensions.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The bytes of its elements.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.dtype.bytes() * self.shape.iter().product::<usize>()
    }

    /// The memory, for the backend that made it known.
    #[must_use]
    pub fn memory(&self) -> &dyn Any {
        self.memory.as_any()
    }
}

impl fmt::Display for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, format_shape(&self.shape))
    }
}

/// What a run is given for an input.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Elements on the host; the run copies them to the device.
    Host(&'a HostTensor),
    /// Elements on the device, in an app's memory.
    External(&'a External),
}

impl Value<'_> {
    /// Its element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        match self {
            Self::Host(v) => v.dtype(),
            Self::External(v) => v.dtype(),
        }
    }

    /// Its dimensions.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Host(v) => v.shape(),
            Self::External(v) => v.shape(),
        }
    }
}

impl<'a> From<&'a HostTensor> for Value<'a> {
    fn from(value: &'a HostTensor) -> Self {
        Self::Host(value)
    }
}

impl<'a> From<&'a External> for Value<'a> {
    fn from(value: &'a External) -> Self {
        Self::External(value)
    }
}
