//! A kernel as plain data: what an operation asks a GPU backend to run. No GPU type appears here.

use std::sync::Arc;

use super::{Capabilities, CooperativeMatrix};
use crate::tensor::{DType, Layout};

/// One operand of a kernel: its type and where its elements lie in its binding.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelOperand {
    /// The element type.
    pub dtype: DType,
    /// Shape, strides and offset in elements.
    pub layout: Layout,
}

/// What an operation is asked to lower.
#[derive(Clone, Copy, Debug)]
pub struct KernelRequest<'a> {
    /// Its inputs.
    pub inputs: &'a [KernelOperand],
    /// Its outputs: row-major, but for elementwise work, which may store them in another order.
    pub outputs: &'a [KernelOperand],
    /// Pairs (input, output) that share memory in this plan: only the output may be bound.
    pub aliases: &'a [(usize, usize)],
    /// What the device can do.
    pub capabilities: &'a Capabilities,
}

impl KernelRequest<'_> {
    /// The output that shares the memory of an input.
    #[must_use]
    pub fn alias_of(&self, input: usize) -> Option<usize> {
        self.aliases.iter().find(|(i, _)| *i == input).map(|&(_, o)| o)
    }
}

/// One way to run an operation: dispatches in order, and the memory between them.
#[derive(Clone, Debug)]
pub struct Lowering {
    /// The variant's name, unique within the operation.
    pub variant: &'static str,
    /// Memory that lives only within the operation.
    pub scratch: Vec<Scratch>,
    /// The dispatches.
    pub dispatches: Vec<DispatchSpec>,
}

impl Lowering {
    /// A lowering of one dispatch without scratch memory.
    #[must_use]
    pub fn single(variant: &'static str, dispatch: DispatchSpec) -> Self {
        Self { variant, scratch: Vec::new(), dispatches: vec![dispatch] }
    }
}

/// Memory that lives only within one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scratch {
    /// The element type.
    pub dtype: DType,
    /// The number of elements.
    pub count: usize,
}

/// One dispatch, before memory is assigned.
#[derive(Clone, Debug)]
pub struct DispatchSpec {
    /// The kernel.
    pub kernel: Kernel,
    /// Storage bindings 1, 2, ... of group 0 (binding 0 is the uniform `params`).
    pub bindings: Vec<BindTo>,
    /// The words of the uniform `params`.
    pub params: Params,
    /// Workgroups.
    pub grid: Grid,
    /// Set where all bindings are flat arrays of one length, so that neighbours in memory can be merged.
    pub flat: Option<Flat>,
}

/// A dispatch over flat arrays: every binding has `count` elements of 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flat {
    /// The number of elements.
    pub count: usize,
    /// Elements a workgroup takes.
    pub per_group: usize,
    /// The word of `params` that holds the count.
    pub word: usize,
}

/// What a storage binding shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindTo {
    /// An input, read only.
    Input(usize),
    /// An output, read and write.
    Output(usize),
    /// Scratch memory, read and write.
    Scratch(usize),
    /// Scratch memory, read only.
    ScratchRead(usize),
    /// The status word of this step: `array<atomic<u32>>` of one element that counts clamped indices.
    Status,
}

impl BindTo {
    /// Whether the kernel declares it `read_write`.
    #[must_use]
    pub fn writes(self) -> bool {
        !matches!(self, Self::Input(_) | Self::ScratchRead(_))
    }
}

/// The number of workgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// So many, folded into three dimensions; the kernel unfolds them with `linear_group`.
    Linear(u64),
    /// As given; each at most the device's limit.
    Exact([u32; 3]),
}

impl Grid {
    /// The three numbers to dispatch, where they fit `limit` a dimension.
    ///
    /// ```
    /// use knotwork_core::plan::Grid;
    /// assert_eq!(Grid::Linear(70_000).fold(65_535), Some([65_535, 2, 1]));
    /// assert_eq!(Grid::Exact([1, 70_000, 1]).fold(65_535), None);
    /// ```
    #[must_use]
    pub fn fold(self, limit: u32) -> Option<[u32; 3]> {
        match self {
            Self::Exact(grid) => grid.iter().all(|&n| n <= limit).then_some(grid),
            Self::Linear(n) => {
                let limit = u64::from(limit);
                let x = n.clamp(1, limit);
                let y = n.div_ceil(x).clamp(1, limit);
                let z = n.div_ceil(x * y).max(1);
                (z <= limit).then_some([x as u32, y as u32, z as u32])
            }
        }
    }
}

/// A kernel: which WGSL, with which constants, needing what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Its name in plans, profiles and errors.
    pub name: String,
    /// Its text.
    pub source: Source,
    /// Flags for `#if`.
    pub flags: Vec<&'static str>,
    /// Values for the text's typed constants.
    pub constants: Vec<(&'static str, ConstantValue)>,
    /// What it needs of the device.
    pub needs: Needs,
}

impl Kernel {
    /// A named shader with constants, needing nothing special.
    #[must_use]
    pub fn named(shader: &'static str, constants: Vec<(&'static str, ConstantValue)>) -> Self {
        Self {
            name: shader.into(),
            source: Source::Named(shader),
            flags: Vec::new(),
            constants,
            needs: Needs::default(),
        }
    }
}

/// Where a kernel's WGSL comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A shader file of `knotwork-shaders`, by its name there.
    Named(&'static str),
    /// Composed text; it may `#import` named ones.
    Text(Arc<str>),
}

/// The value of a typed constant, set when a module is composed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConstantValue {
    /// `u32`.
    U32(u32),
    /// `i32`.
    I32(i32),
    /// `f32`, by its bits.
    F32(u32),
    /// `bool`.
    Bool(bool),
    /// The right side of an `alias`.
    Type(String),
}

impl From<u32> for ConstantValue {
    fn from(v: u32) -> Self {
        Self::U32(v)
    }
}

impl From<f32> for ConstantValue {
    fn from(v: f32) -> Self {
        Self::F32(v.to_bits())
    }
}

impl From<bool> for ConstantValue {
    fn from(v: bool) -> Self {
        Self::Bool(v)
    }
}

/// What a kernel needs beyond the portable floor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Needs {
    /// `enable f16`.
    pub f16: bool,
    /// Subgroup operations.
    pub subgroups: bool,
    /// `enable wgpu_cooperative_matrix` and subgroup operations, with matrices of this kind.
    pub cooperative: Option<CooperativeMatrix>,
    /// Threads of a workgroup, where more than 256.
    pub threads: u32,
    /// Bytes of workgroup memory, where more than 16 KiB.
    pub workgroup_bytes: u32,
}

impl Needs {
    /// What is missing on a device, or `None` where it has all.
    #[must_use]
    pub fn missing(&self, on: &Capabilities) -> Option<String> {
        if self.f16 && !on.f16 {
            return Some("16-bit floats in shaders".into());
        }
        if (self.subgroups || self.cooperative.is_some()) && on.subgroup_size.is_none() {
            return Some("subgroup operations".into());
        }
        if let Some(matrix) = self.cooperative.filter(|matrix| !on.cooperative.contains(matrix)) {
            return Some(format!("cooperative matrices of {matrix}"));
        }
        if self.threads > on.max_threads {
            return Some(format!("{} threads a workgroup (limit {})", self.threads, on.max_threads));
        }
        if self.workgroup_bytes > on.max_workgroup_bytes {
            return Some(format!(
                "{} bytes of workgroup memory (limit {})",
                self.workgroup_bytes, on.max_workgroup_bytes
            ));
        }
        None
    }
}

/// The binding of the uniform `fused`, in kernels that have one (`shaders/shared/fused.wgsl`).
pub const FUSED_BINDING: u32 = 64;

/// The words of a kernel's uniform `params`, in the order of its struct.
///
/// ```
/// use knotwork_core::plan::Params;
/// let p = Params::new().u32(3).f32(0.5);
/// assert_eq!(p.words(), &[3, 0.5f32.to_bits()]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    words: Vec<u32>,
    fused: Vec<u32>,
}

impl Params {
    /// No words.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a number; sizes above `u32` cannot be bound anyway and saturate.
    #[must_use]
    pub fn u32(mut self, value: impl TryInto<u32>) -> Self {
        self.words.push(value.try_into().unwrap_or(u32::MAX));
        self
    }

    /// Appends a float.
    #[must_use]
    pub fn f32(mut self, value: f32) -> Self {
        self.words.push(value.to_bits());
        self
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// The words of the uniform `fused` at [`FUSED_BINDING`]: those of elementwise steps that were fused into the kernel;
    /// empty where there are none.
    #[must_use]
    pub fn fused(&self) -> &[u32] {
        &self.fused
    }

    pub(crate) fn fuse(&mut self, words: &[u32]) {
        self.fused.extend_from_slice(words);
    }

    pub(crate) fn set(&mut self, word: usize, value: u32) {
        if let Some(w) = self.words.get_mut(word) {
            *w = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_fold_through_all_three_dimensions() {
        for n in [0u64, 1, 65_535, 65_536, 200_000, 65_535 * 65_535, 65_535 * 65_535 + 1] {
            let [x, y, z] = Grid::Linear(n).fold(65_535).unwrap().map(u64::from);
            assert!(x * y * z >= n.max(1) && x * y * z < n.max(1) + x * y + x);
        }
        assert_eq!(Grid::Linear(u64::MAX).fold(65_535), None);
    }
}
