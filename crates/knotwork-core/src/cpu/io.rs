//! What an operation's CPU path gets: its inputs and outputs as slices.

use std::ops::Range;

use half::f16;

use crate::tensor::{DType, Layout};

/// Elements to read, by type. The slice begins at the value's first byte; its layout says where elements lie.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each variant is the element type of its name")]
pub enum Slice<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    F64(&'a [f64]),
    I32(&'a [i32]),
    U32(&'a [u32]),
    Bool(&'a [u32]),
    /// The memory is that of an output: read it there, before it is overwritten.
    InOutput(usize),
}

/// Elements to write, by type: contiguous, in the output's shape.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant is the element type of its name")]
pub enum SliceMut<'a> {
    F32(&'a mut [f32]),
    F16(&'a mut [f16]),
    F64(&'a mut [f64]),
    I32(&'a mut [i32]),
    U32(&'a mut [u32]),
    Bool(&'a mut [u32]),
}

impl SliceMut<'_> {
    /// Writes a range of the elements, each rounded to the type.
    pub(crate) fn store(&mut self, range: Range<usize>, values: &[f64]) {
        match self {
            Self::F32(s) => s[range].iter_mut().zip(values).for_each(|(s, &v)| *s = v as f32),
            Self::F16(s) => s[range].iter_mut().zip(values).for_each(|(s, &v)| *s = f16::from_f64(v)),
            Self::F64(s) => s[range].copy_from_slice(values),
            Self::I32(s) => s[range].iter_mut().zip(values).for_each(|(s, &v)| *s = v as i32),
            Self::U32(s) => s[range].iter_mut().zip(values).for_each(|(s, &v)| *s = v as u32),
            Self::Bool(s) => s[range].iter_mut().zip(values).for_each(|(s, &v)| *s = u32::from(v != 0.0)),
        }
    }
}

/// An input of a CPU path.
#[derive(Clone, Copy, Debug)]
pub struct CpuInput<'a> {
    /// The element type.
    pub dtype: DType,
    /// Where the elements lie in `data`.
    pub layout: &'a Layout,
    /// The elements.
    pub data: Slice<'a>,
}

impl<'a> CpuInput<'a> {
    /// The elements as contiguous f32, where they are.
    #[must_use]
    pub fn f32(&self) -> Option<&'a [f32]> {
        match self.data {
            Slice::F32(s) if self.layout.is_dense() => {
                s.get(self.layout.offset()..)?.get(..self.layout.count())
            }
            _ => None,
        }
    }

    /// The f32 memory that the layout looks at, whatever its strides.
    #[must_use]
    pub fn f32_strided(&self) -> Option<&'a [f32]> {
        if let Slice::F32(s) = self.data { Some(s) } else { None }
    }

    /// The elements of a contiguous index input as words, where they are: negative numbers are those above `i32::MAX`.
    pub(crate) fn words(&self) -> Option<&'a [u32]> {
        if !self.layout.is_dense() {
            return None;
        }
        let range = self.layout.offset()..self.layout.offset() + self.layout.count();
        match self.data {
            Slice::I32(s) => s.get(range).map(bytemuck::cast_slice),
            Slice::U32(s) => s.get(range),
            _ => None,
        }
    }

    /// The elements of a contiguous index input; `None` where it holds something else.
    #[must_use]
    pub fn indices(&self) -> Option<Vec<i64>> {
        if !self.layout.is_dense() {
            return None;
        }
        let range = self.layout.offset()..self.layout.offset() + self.layout.count();
        match self.data {
            Slice::I32(s) => Some(s.get(range)?.iter().map(|&i| i.into()).collect()),
            Slice::U32(s) => Some(s.get(range)?.iter().map(|&i| i.into()).collect()),
            _ => None,
        }
    }
}

/// An output of a CPU path.
#[derive(Debug)]
pub struct CpuOutput<'a> {
    /// The dimensions.
    pub shape: &'a [usize],
    /// The elements to write.
    pub data: SliceMut<'a>,
}

impl CpuOutput<'_> {
    /// The same output, lent for a while.
    pub(crate) fn reborrow(&mut self) -> CpuOutput<'_> {
        let data = match &mut self.data {
            SliceMut::F32(s) => SliceMut::F32(s),
            SliceMut::F16(s) => SliceMut::F16(s),
            SliceMut::F64(s) => SliceMut::F64(s),
            SliceMut::I32(s) => SliceMut::I32(s),
            SliceMut::U32(s) => SliceMut::U32(s),
            SliceMut::Bool(s) => SliceMut::Bool(s),
        };
        CpuOutput { shape: self.shape, data }
    }

    /// The elements, where they are f32.
    pub fn f32(&mut self) -> Option<&mut [f32]> {
        if let SliceMut::F32(s) = &mut self.data { Some(s) } else { None }
    }
}

/// The inputs and outputs of one step on the CPU.
#[derive(Debug)]
pub struct CpuIo<'a> {
    /// The inputs.
    pub inputs: Vec<CpuInput<'a>>,
    /// The outputs.
    pub outputs: Vec<CpuOutput<'a>>,
}
