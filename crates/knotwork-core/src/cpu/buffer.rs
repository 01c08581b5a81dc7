//! Memory of the CPU backend: buffers that many steps read and one writes at a time.

use std::{
    alloc::{Layout, alloc_zeroed},
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use half::f16;

use super::{Slice, SliceMut};
use crate::{
    Error, Result,
    device::Memory,
    plan::Place,
    tensor::{DType, HostTensor},
};

/// A block begins at a cache line, as its places do: a vector of 64 bytes that lies across two costs two loads.
const LINE: usize = 64;

/// Bytes aligned for every element type. Shared between programs; the parameters' lock gives one run at a time.
#[derive(Debug)]
pub(super) struct Block {
    words: UnsafeCell<Vec<u64>>,
    /// The word at the first cache line.
    first: usize,
    bytes: usize,
    /// The bytes of all blocks of the backend.
    total: Arc<AtomicU64>,
}

impl Drop for Block {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes as u64, Ordering::Relaxed);
    }
}

// SAFETY: a block is read and written only while the lock of the parameters that own it is held (chunks), or through
// the `&mut` of the prepared plan that owns it (all other buffers).
unsafe impl Sync for Block {}

/// Zeros that cost no time until they are touched; `None` where there is not so much memory.
fn zeroed(n: usize) -> Option<Vec<u64>> {
    let layout = Layout::array::<u64>(n).ok()?;
    // SAFETY: the layout is that of `n` words and not empty, since a block has a line at least; memory of the global allocator
    // with a vector's own layout may be given to a vector, and zeros are valid words.
    unsafe {
        let start = alloc_zeroed(layout).cast::<u64>();
        (!start.is_null()).then(|| Vec::from_raw_parts(start, n, n))
    }
}

impl Block {
    /// Zeroed memory, or `None` where the system has none: an allocation that fails ends nothing.
    pub fn new(bytes: usize, total: &Arc<AtomicU64>) -> Option<Arc<Self>> {
        // The allocator gives zeros for nothing only at its own alignment: a line more than needed has one that begins in it.
        let words = zeroed(bytes.div_ceil(8).checked_add(LINE / 8)?)?;
        let first = words.as_ptr().align_offset(LINE);
        total.fetch_add(bytes as u64, Ordering::Relaxed);
        Some(Arc::new(Self { words: UnsafeCell::new(words), first, bytes, total: total.clone() }))
    }

    /// Writes one word over and over: `offset` and `bytes` are multiples of 4.
    pub fn fill(&self, offset: usize, bytes: usize, word: u32) {
        // SAFETY: the range lies inside and is aligned to 4 bytes; see the note on `Sync` for who may call.
        unsafe {
            std::slice::from_raw_parts_mut(self.pointer(offset, bytes).cast::<u32>(), bytes / 4).fill(word)
        }
    }

    fn pointer(&self, offset: usize, bytes: usize) -> *mut u8 {
        debug_assert!(offset + bytes <= self.bytes.div_ceil(8) * 8);
        // SAFETY: the vector is never resized, so its buffer stays where it is; the range lies inside.
        unsafe { (*self.words.get()).as_mut_ptr().add(self.first).cast::<u8>().add(offset) }
    }

    /// The elements of a place, to read.
    ///
    /// # Safety
    /// Nobody writes the range while the slice lives.
    pub unsafe fn slice<'a>(&self, place: &Place) -> Slice<'a> {
        // SAFETY: the range lies inside the block and is aligned to 16 bytes; the caller excludes writers.
        unsafe {
            let p = self.pointer(place.offset, place.bytes);
            let n = place.bytes / place.dtype.bytes();
            match place.dtype {
                DType::F32 => Slice::F32(std::slice::from_raw_parts(p.cast::<f32>(), n)),
                DType::F16 => Slice::F16(std::slice::from_raw_parts(p.cast::<f16>(), n)),
                DType::F64 => Slice::F64(std::slice::from_raw_parts(p.cast::<f64>(), n)),
                DType::I32 => Slice::I32(std::slice::from_raw_parts(p.cast::<i32>(), n)),
                DType::U32 => Slice::U32(std::slice::from_raw_parts(p.cast::<u32>(), n)),
                DType::Bool => Slice::Bool(std::slice::from_raw_parts(p.cast::<u32>(), n)),
            }
        }
    }

    /// The elements of a place, to write.
    ///
    /// # Safety
    /// Nobody reads or writes the range while the slice lives.
    pub unsafe fn slice_mut<'a>(&self, place: &Place) -> SliceMut<'a> {
        // SAFETY: as above; the caller excludes readers and writers.
        unsafe {
            let p = self.pointer(place.offset, place.bytes);
            let n = place.bytes / place.dtype.bytes();
            match place.dtype {
                DType::F32 => SliceMut::F32(std::slice::from_raw_parts_mut(p.cast::<f32>(), n)),
                DType::F16 => SliceMut::F16(std::slice::from_raw_parts_mut(p.cast::<f16>(), n)),
                DType::F64 => SliceMut::F64(std::slice::from_raw_parts_mut(p.cast::<f64>(), n)),
                DType::I32 => SliceMut::I32(std::slice::from_raw_parts_mut(p.cast::<i32>(), n)),
                DType::U32 => SliceMut::U32(std::slice::from_raw_parts_mut(p.cast::<u32>(), n)),
                DType::Bool => SliceMut::Bool(std::slice::from_raw_parts_mut(p.cast::<u32>(), n)),
            }
        }
    }

    /// Copies bytes in.
    pub fn write_bytes(&self, offset: usize, bytes: &[u8]) {
        // SAFETY: the range lies inside; see the note on `Sync` for who may call.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.pointer(offset, bytes.len()), bytes.len())
        }
    }

    /// A copy of bytes.
    pub fn read_bytes(&self, offset: usize, bytes: usize) -> Vec<u8> {
        // SAFETY: the range lies inside; see the note on `Sync` for who may call.
        unsafe { std::slice::from_raw_parts(self.pointer(offset, bytes), bytes).to_vec() }
    }
}

/// Persistent memory of the CPU backend.
#[derive(Debug)]
pub(super) struct CpuMemory(pub Arc<Block>);

impl Memory for CpuMemory {
    fn write(&self, offset: usize, value: &HostTensor) -> Result<()> {
        self.0.write_bytes(offset, &value.device_bytes());
        Ok(())
    }

    fn read(&self, offset: usize, dtype: DType, shape: &[usize]) -> Result<HostTensor> {
        let bytes = dtype.bytes() * shape.iter().product::<usize>();
        HostTensor::from_device_bytes(dtype, shape, &self.0.read_bytes(offset, bytes))
    }

    fn copy_from(&self, from: &dyn Memory) -> Result<()> {
        let from = from
            .as_any()
            .downcast_ref::<Self>()
            .ok_or_else(|| Error::Params("memory of another device cannot be copied".into()))?;
        self.0.write_bytes(0, &from.0.read_bytes(0, from.0.bytes.min(self.0.bytes)));
        Ok(())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
