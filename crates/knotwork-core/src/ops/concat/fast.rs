//! Parts side by side on the CPU: rows of each, copied as they are.

use half::f16;
use rayon::prelude::*;

use crate::cpu::{CpuInput, CpuIo, Slice, SliceMut};

/// Elements that are worth a second thread.
const WORTH: usize = 1 << 15;

/// What all elements of a type are read as.
trait Part<'a>: Copy + Send + Sync + 'a {
    fn of(slice: Slice<'a>) -> Option<&'a [Self]>;
}

macro_rules! parts {
    ($($type:ty: $($variant:ident)|+;)*) => {$(
        impl<'a> Part<'a> for $type {
            fn of(slice: Slice<'a>) -> Option<&'a [Self]> {
                match slice {
                    $(Slice::$variant(s))|+ => Some(s),
                    _ => None,
                }
            }
        }
    )*};
}

parts! {
    f32: F32;
    f64: F64;
    f16: F16;
    i32: I32;
    u32: U32 | Bool;
}

/// Copies every part into its place; `None` where one of them is not read as it lies.
pub(super) fn run(dim: usize, io: &mut CpuIo<'_>) -> Option<()> {
    let output = &mut io.outputs[0];
    let row: usize = output.shape[dim..].iter().product();
    match &mut output.data {
        SliceMut::F32(out) => copy(dim, &io.inputs, out, row),
        SliceMut::F64(out) => copy(dim, &io.inputs, out, row),
        SliceMut::F16(out) => copy(dim, &io.inputs, out, row),
        SliceMut::I32(out) => copy(dim, &io.inputs, out, row),
        SliceMut::U32(out) | SliceMut::Bool(out) => copy(dim, &io.inputs, out, row),
    }
}

fn copy<'a, T: Part<'a>>(dim: usize, inputs: &[CpuInput<'a>], out: &mut [T], row: usize) -> Option<()> {
    let parts: Vec<(&[T], usize)> = inputs
        .iter()
        .map(|x| {
            let layout = x.layout;
            let all = T::of(x.data).filter(|_| layout.is_dense())?;
            let all = all.get(layout.offset()..)?.get(..layout.count())?;
            Some((all, layout.shape()[dim..].iter().product()))
        })
        .collect::<Option<_>>()?;
    if row == 0 {
        return Some(());
    }
    let fill = |(k, mut out): (usize, &mut [T])| {
        for (part, width) in &parts {
            let (here, rest) = out.split_at_mut(*width);
            here.copy_from_slice(&part[k * width..][..*width]);
            out = rest;
        }
    };
    if out.len() < WORTH {
        out.chunks_exact_mut(row).enumerate().for_each(fill);
    } else {
        let least = (WORTH / row).max(1);
        out.par_chunks_exact_mut(row).enumerate().with_min_len(least).for_each(fill);
    }
    Some(())
}
