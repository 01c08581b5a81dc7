//! A transposed view made row-major, block by block: a cache line that is read is used up before it is gone.

use rayon::prelude::*;

use crate::Layout;

/// Rows and columns of a block.
const BLOCK: usize = 16;
/// Fewer elements are not worth a copy: whatever reads them finds them in a cache.
const WORTH: usize = 1 << 14;

/// The elements of `x` that a view shows, in its row-major order; `None` where reading the view itself costs little: its
/// last dimension lies side by side or repeats one element, it is small, or no dimension lies side by side.
pub(super) fn pack<T: Copy + Default + Send + Sync>(layout: &Layout, x: &[T]) -> Option<Vec<T>> {
    let (shape, strides) = (layout.shape(), layout.strides());
    let (&columns, &step) = shape.last().zip(strides.last())?;
    if step < BLOCK || columns < BLOCK || layout.count() < WORTH {
        return None;
    }
    let last = shape.len() - 1;
    let beside = (0..last).find(|&d| strides[d] == 1 && shape[d] >= BLOCK)?;
    // What lies between the two dimensions, and before both.
    let between = beside + 1..last;
    let row: usize = shape[beside + 1..].iter().product();
    let offsets = |dims: std::ops::Range<usize>, mut index: usize| {
        let mut at = 0;
        for d in dims.rev() {
            at += index % shape[d] * strides[d];
            index /= shape[d];
        }
        at
    };
    let mut out = vec![T::default(); layout.count()];
    out.par_chunks_mut(shape[beside] * row).enumerate().for_each(|(o, out)| {
        let base = layout.offset() + offsets(0..beside, o);
        out.par_chunks_mut(BLOCK * row).enumerate().for_each(|(b, out)| {
            let (first, rows) = (b * BLOCK, out.len() / row);
            for (m, middle) in (0..row / columns).map(|m| (m, offsets(between.clone(), m))) {
                for c in (0..columns).step_by(BLOCK) {
                    for r in 0..rows {
                        let from = base + first + r + middle;
                        let to = &mut out[r * row + m * columns + c..][..BLOCK.min(columns - c)];
                        to.iter_mut().enumerate().for_each(|(k, y)| *y = x[from + (c + k) * step]);
                    }
                }
            }
        });
    });
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_come_out_in_their_own_order() {
        let x: Vec<f32> = (0..1 << 17).map(|i| i as f32).collect();
        for shape in [vec![130, 250], vec![33, 40, 70], vec![3, 33, 18, 40], vec![17, 2, 2, 900]] {
            let rank = shape.len();
            for dim in 0..rank - 1 {
                let whole = Layout::contiguous(&shape);
                let mut order: Vec<usize> = (0..rank).collect();
                order.swap(dim, rank - 1);
                let view = whole.permute(&order);
                let want: Vec<f32> = view.positions().map(|i| x[i]).collect();
                let large = shape[dim] >= BLOCK && shape[rank - 1] >= BLOCK;
                let got = pack(&view, &x);
                assert_eq!(got.is_some(), large, "{shape:?} {dim}");
                assert!(got.is_none_or(|got| got == want), "{shape:?} {dim}");
            }
        }
    }

    #[test]
    fn rows_and_repetitions_are_left_alone() {
        let x = vec![0.0; 1 << 15];
        assert!(pack(&Layout::contiguous(&[128, 256]), &x).is_none());
        assert!(pack(&Layout::contiguous(&[256, 1]).expand(&[256, 128]), &x).is_none());
    }
}
