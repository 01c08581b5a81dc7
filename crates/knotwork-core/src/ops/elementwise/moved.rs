//! Copies of values that are no f32 on the CPU: elements moved as they are, of any layout.

use rayon::prelude::*;

use super::{
    super::pack::pack,
    Argument, Body,
    body::{PARALLEL, TILE, load},
    table::COPY,
};
use crate::{
    Layout,
    cpu::{CpuIo, Slice, SliceMut},
};

/// Runs a body that is a single copy; false where it is something else, or of f32, which tiles of steps copy as well.
pub(super) fn run(body: &Body, io: &mut CpuIo<'_>) -> bool {
    let ([step], [input], [output]) =
        (body.steps.as_slice(), io.inputs.as_slice(), io.outputs.as_mut_slice())
    else {
        return false;
    };
    if step.function.row.name != COPY.name || step.arguments != [Argument::Input(0)] {
        return false;
    }
    match (input.data, &mut output.data) {
        (Slice::I32(x), SliceMut::I32(y)) => copy(input.layout, x, y),
        (Slice::U32(x), SliceMut::U32(y)) => copy(input.layout, x, y),
        (Slice::F16(x), SliceMut::F16(y)) => copy(input.layout, x, y),
        (Slice::F64(x), SliceMut::F64(y)) => copy(input.layout, x, y),
        _ => return false,
    }
    true
}

fn copy<T: Copy + Default + Send + Sync>(layout: &Layout, x: &[T], y: &mut [T]) {
    let layouts = Layout::collapse(&[layout]);
    let Some(layout) = layouts.first() else { return };
    if let Some(packed) = pack(layout, x) {
        return y.copy_from_slice(&packed);
    }
    let tile = |(t, y): (usize, &mut [T])| load(layout, t * TILE, y, |at| x[at], Some(x));
    if y.len() < PARALLEL {
        y.chunks_mut(TILE).enumerate().for_each(tile);
    } else {
        y.par_chunks_mut(TILE).enumerate().for_each(tile);
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Graph, HostTensor, ops::testing::both};

    #[test]
    fn values_of_every_type_are_copied_from_every_layout() {
        // Large enough for blocks and threads, and small.
        for shape in [[3, 5, 4], [33, 40, 70]] {
            let n: usize = shape.iter().product();
            let numbers: Vec<f64> = (0..n).map(|k| (k * 7919 % 1021) as f64).collect();
            for dtype in [DType::F32, DType::F64, DType::F16, DType::I32, DType::U32] {
                let g = Graph::new();
                let x = g.input("x", dtype, shape).unwrap();
                let views = [
                    x.permute(&[2, 1, 0]).unwrap(),
                    x.transpose(0, 1).unwrap(),
                    x.slice(1, 1, 4).unwrap(),
                    x.slice(2, 1, 2).unwrap().broadcast_to(shape).unwrap(),
                ];
                both(
                    &g,
                    &views.iter().collect::<Vec<_>>(),
                    &[("x", HostTensor::from_f64(dtype, &numbers, &shape))],
                );
            }
        }
    }
}
