//! Element types.

use std::fmt;

use half::f16;

use super::Data;

/// The type of a tensor's elements.
///
/// ```
/// use knotwork_core::DType;
/// assert_eq!(DType::F16.to_string(), "f16");
/// assert!(DType::F64.is_float());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit float: what kernels compute in.
    F32,
    /// 16-bit float: a storage type; arithmetic accumulates in f32.
    F16,
    /// 64-bit float: on the CPU only, for checks.
    F64,
    /// 32-bit signed integer.
    I32,
    /// 32-bit unsigned integer.
    U32,
    /// Truth value; one `u32` of 0 or 1 on a device.
    Bool,
}

impl DType {
    /// All element types.
    pub const ALL: [Self; 6] = [Self::F32, Self::F16, Self::F64, Self::I32, Self::U32, Self::Bool];

    /// Bytes of one element on a device.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F64 => 8,
            Self::F32 | Self::I32 | Self::U32 | Self::Bool => 4,
        }
    }

    /// Whether it is one of the floating-point types.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::F64)
    }

    /// Whether it can index something.
    #[must_use]
    pub fn is_index(self) -> bool {
        matches!(self, Self::I32 | Self::U32)
    }

    /// The nearest value of this type to `x`, as f64: what storing `x` and reading it back gives.
    ///
    /// ```
    /// use knotwork_core::DType;
    /// assert_eq!(DType::I32.round(-2.7), -2.0);
    /// assert_eq!(DType::F16.round(1.0002), 1.0);
    /// ```
    #[must_use]
    pub fn round(self, x: f64) -> f64 {
        match self {
            Self::F64 => x,
            Self::F32 => f64::from(x as f32),
            Self::F16 => f64::from(f16::from_f64(x)),
            Self::I32 => f64::from(x as i32),
            Self::U32 => f64::from(x as u32),
            Self::Bool => f64::from(u8::from(x != 0.0)),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::F64 => "f64",
            Self::I32 => "i32",
            Self::U32 => "u32",
            Self::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that a host tensor can hold.
pub trait Element: sealed::Sealed + Copy + Send + Sync + fmt::Debug + PartialEq + 'static {
    /// The element type it stands for.
    const DTYPE: DType;
    #[doc(hidden)]
    fn wrap(values: Vec<Self>) -> Data;
    #[doc(hidden)]
    fn view(data: &Data) -> Option<&[Self]>;
}

macro_rules! element {
    ($($t:ty, $v:ident);*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$v;
            fn wrap(values: Vec<Self>) -> Data { Data::$v(values) }
            fn view(data: &Data) -> Option<&[Self]> {
                if let Data::$v(v) = data { Some(v) } else { None }
            }
        }
    )*};
}
element!(f32, F32; f16, F16; f64, F64; i32, I32; u32, U32; bool, Bool);
