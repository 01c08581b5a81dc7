//! Element types, shapes, layouts and tensors in host memory.

mod dtype;
mod host;
mod layout;
#[cfg(feature = "ndarray")]
mod ndarray;
mod shape;

pub use dtype::{DType, Element};
pub use host::{Data, HostTensor};
pub use layout::Layout;
pub use shape::{Binding, Dim, Shape, element_count, format_shape};
