//! Conversions between host tensors and `ndarray` arrays.

use ndarray::{ArrayD, ArrayViewD, IxDyn};

use super::{Element, HostTensor};
use crate::{Error, Result};

impl HostTensor {
    /// A copy of an array of any layout.
    ///
    /// ```
    /// # use knotwork_core::HostTensor;
    /// let a = ndarray::arr2(&[[1.0f32, 2.0], [3.0, 4.0]]).into_dyn();
    /// let t = HostTensor::from_ndarray(a.view().reversed_axes())?;
    /// assert_eq!(t.as_slice::<f32>()?, &[1.0, 3.0, 2.0, 4.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// None in practice: an array's elements always fill its shape.
    pub fn from_ndarray<T: Element>(array: ArrayViewD<'_, T>) -> Result<Self> {
        Self::from_vec(array.iter().copied().collect(), array.shape())
    }

    /// A copy as an array.
    ///
    /// # Errors
    /// Where the tensor has another element type.
    pub fn to_ndarray<T: Element>(&self) -> Result<ArrayD<T>> {
        ArrayD::from_shape_vec(IxDyn(self.shape()), self.as_slice::<T>()?.to_vec())
            .map_err(|e| Error::Host(e.to_string()))
    }
}
