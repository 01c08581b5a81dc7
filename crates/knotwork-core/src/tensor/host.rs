//! Tensors in host memory: what goes into a run and what comes out of it.

use std::borrow::Cow;

use half::f16;

use super::{
    DType, Element,
    shape::{element_count, format_shape},
};
use crate::{Error, Result};

/// The elements of a host tensor, by type.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each variant is the element type of its name")]
pub enum Data {
    F32(Vec<f32>),
    F16(Vec<f16>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    Bool(Vec<bool>),
}

/// A row-major tensor in host memory.
///
/// ```
/// use knotwork_core::HostTensor;
/// let t = HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0], [2, 2])?;
/// assert_eq!(t.shape(), &[2, 2]);
/// assert_eq!(t.as_slice::<f32>()?, &[1.0, 2.0, 3.0, 4.0]);
/// assert!(t.as_slice::<i32>().is_err());
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    shape: Vec<usize>,
    data: Data,
}

impl HostTensor {
    /// A tensor of these elements, row-major.
    ///
    /// # Errors
    /// Where the number of elements is not that of the shape.
    pub fn new<T: Element>(values: &[T], shape: impl AsRef<[usize]>) -> Result<Self> {
        Self::from_vec(values.to_vec(), shape)
    }

    /// Like [`new`](Self::new), without a copy.
    ///
    /// # Errors
    /// Where the number of elements is not that of the shape.
    pub fn from_vec<T: Element>(values: Vec<T>, shape: impl AsRef<[usize]>) -> Result<Self> {
        let shape = shape.as_ref();
        if values.len() != element_count(shape) {
            return Err(Error::Host(format!(
                "{} elements do not fill shape {}, which takes {}",
                values.len(),
                format_shape(shape),
                element_count(shape)
            )));
        }
        Ok(Self { shape: shape.to_vec(), data: T::wrap(values) })
    }

    /// A tensor of no dimension.
    #[must_use]
    pub fn scalar<T: Element>(value: T) -> Self {
        Self { shape: Vec::new(), data: T::wrap(vec![value]) }
    }

    /// All elements zero (or false).
    #[must_use]
    pub fn zeros(dtype: DType, shape: impl AsRef<[usize]>) -> Self {
        Self::from_f64(dtype, &vec![0.0; element_count(shape.as_ref())], shape.as_ref())
    }

    /// The nearest values of an element type to f64 ones; `values` must fill `shape`.
    pub(crate) fn from_f64(dtype: DType, values: &[f64], shape: &[usize]) -> Self {
        debug_assert_eq!(values.len(), element_count(shape));
        let data = match dtype {
            DType::F32 => Data::F32(values.iter().map(|&v| v as f32).collect()),
            DType::F16 => Data::F16(values.iter().map(|&v| f16::from_f64(v)).collect()),
            DType::F64 => Data::F64(values.to_vec()),
            DType::I32 => Data::I32(values.iter().map(|&v| v as i32).collect()),
            DType::U32 => Data::U32(values.iter().map(|&v| v as u32).collect()),
            DType::Bool => Data::Bool(values.iter().map(|&v| v != 0.0).collect()),
        };
        Self { shape: shape.to_vec(), data }
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F32(_) => DType::F32,
            Data::F16(_) => DType::F16,
            Data::F64(_) => DType::F64,
            Data::I32(_) => DType::I32,
            Data::U32(_) => DType::U32,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// The dimensions.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements.
    #[must_use]
    pub fn count(&self) -> usize {
        element_count(&self.shape)
    }

    /// The elements, with their type.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The elements, row-major.
    ///
    /// # Errors
    /// Where the tensor has another element type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        T::view(&self.data)
            .ok_or_else(|| Error::Host(format!("{self} was read as {}; it is {}", T::DTYPE, self.dtype())))
    }

    /// The only element.
    ///
    /// # Errors
    /// Where there is not exactly one, or it has another type.
    pub fn item<T: Element>(&self) -> Result<T> {
        match self.as_slice::<T>()? {
            [one] => Ok(*one),
            _ => Err(Error::Host(format!("{self} was read as a single value"))),
        }
    }

    /// The elements as f64, exactly (f32, f16, integers and truth values all fit).
    ///
    /// ```
    /// # use knotwork_core::HostTensor;
    /// assert_eq!(HostTensor::scalar(true).to_f64(), vec![1.0]);
    /// ```
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::F32(v) => v.iter().map(|&x| x.into()).collect(),
            Data::F16(v) => v.iter().map(|&x| x.into()).collect(),
            Data::F64(v) => v.clone(),
            Data::I32(v) => v.iter().map(|&x| x.into()).collect(),
            Data::U32(v) => v.iter().map(|&x| x.into()).collect(),
            Data::Bool(v) => v.iter().map(|&x| u8::from(x).into()).collect(),
        }
    }

    /// The same elements in another type, each rounded to the nearest.
    #[must_use]
    pub fn cast(&self, dtype: DType) -> Self {
        if dtype == self.dtype() { self.clone() } else { Self::from_f64(dtype, &self.to_f64(), &self.shape) }
    }

    /// The elements as bytes of the device's representation (truth values as `u32`), row-major.
    #[must_use]
    pub fn device_bytes(&self) -> Cow<'_, [u8]> {
        match &self.data {
            Data::F32(v) => bytemuck::cast_slice(v).into(),
            Data::F16(v) => bytemuck::cast_slice(v).into(),
            Data::F64(v) => bytemuck::cast_slice(v).into(),
            Data::I32(v) => bytemuck::cast_slice(v).into(),
            Data::U32(v) => bytemuck::cast_slice(v).into(),
            Data::Bool(v) => v.iter().flat_map(|&b| u32::from(b).to_ne_bytes()).collect(),
        }
    }

    /// The reverse of [`device_bytes`](Self::device_bytes).
    ///
    /// # Errors
    /// Where there are fewer bytes than the shape takes.
    pub fn from_device_bytes(dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<Self> {
        let n = element_count(shape);
        let Some(bytes) = bytes.get(..n * dtype.bytes()) else {
            return Err(Error::Host(format!(
                "{} bytes do not fill {dtype}{}, which takes {}",
                bytes.len(),
                format_shape(shape),
                n * dtype.bytes()
            )));
        };
        let data = match dtype {
            DType::F32 => Data::F32(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::F16 => Data::F16(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::F64 => Data::F64(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::I32 => Data::I32(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::U32 => Data::U32(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::Bool => {
                let words: Vec<u32> = bytemuck::allocation::pod_collect_to_vec(bytes);
                Data::Bool(words.into_iter().map(|w| w != 0).collect())
            }
        };
        Ok(Self { shape: shape.to_vec(), data })
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// Where the number of elements differs.
    pub fn reshape(self, shape: impl AsRef<[usize]>) -> Result<Self> {
        let shape = shape.as_ref();
        if element_count(shape) != self.count() {
            return Err(Error::Host(format!("{self} cannot take shape {}", format_shape(shape))));
        }
        Ok(Self { shape: shape.to_vec(), data: self.data })
    }
}

impl std::fmt::Display for HostTensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.dtype(), format_shape(&self.shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_bytes_round_trip() {
        for dtype in DType::ALL {
            let t = HostTensor::from_f64(dtype, &[0.0, 1.0, 1.0, 0.0], &[2, 2]);
            let back = HostTensor::from_device_bytes(dtype, &[2, 2], &t.device_bytes()).unwrap();
            assert_eq!(back, t);
        }
    }

    #[test]
    fn a_wrong_count_is_refused() {
        let e = HostTensor::new(&[1.0f32; 3], [2, 2]).unwrap_err();
        assert_eq!(e.to_string(), "host tensor: 3 elements do not fill shape [2, 2], which takes 4");
    }
}
