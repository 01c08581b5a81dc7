//! Windows of images as columns of a matrix, and back: whole runs of a row at a time.

use std::ops::Range;

use super::{Conv2d, op::Sizes};

/// The outputs among `0..count` whose element under a tap, `reach` from the corner of the window, is none of the padding.
pub(super) fn inside(count: usize, size: usize, stride: usize, reach: usize, padding: usize) -> Range<usize> {
    let first = padding.saturating_sub(reach).div_ceil(stride).min(count);
    let last = (size + padding).saturating_sub(reach).div_ceil(stride).min(count);
    first..last.max(first)
}

/// Neighbouring outputs of one row: where they lie among those of the tile, where the elements under a tap lie that are
/// none of the padding, and which of the outputs these belong to.
struct Run {
    all: Range<usize>,
    whole: Range<usize>,
    from: usize,
}

/// The runs of outputs `places` under one tap of one channel.
fn runs(s: &Sizes, o: &Conv2d, tap: usize, places: Range<usize>) -> impl Iterator<Item = Run> {
    let [kh, kw] = s.kernel;
    let (channel, down, across) = (tap / (kh * kw), tap / kw % kh * o.dilation[0], tap % kw * o.dilation[1]);
    let [height, width] = s.image;
    let ([up, left], [stride, step], wide) = (o.padding, o.stride, s.out[1]);
    let rows = inside(s.out[0], height, stride, down, up);
    let columns = inside(wide, width, step, across, left);
    let lines = places.start / wide..places.end.div_ceil(wide);
    lines.map(move |i| {
        let all = places.start.max(i * wide)..places.end.min((i + 1) * wide);
        let clip = |j: usize| (i * wide + j).clamp(all.start, all.end);
        let whole =
            if rows.contains(&i) { clip(columns.start)..clip(columns.end) } else { all.start..all.start };
        let from = if whole.is_empty() {
            0
        } else {
            let y = i * stride + down - up;
            (channel * height + y) * width + (whole.start - i * wide) * step + across - left
        };
        let [all, whole] = [all, whole].map(|r| r.start - places.start..r.end - places.start);
        Run { all, whole, from }
    })
}

/// The windows of outputs `places` of one image and group: `[taps, places]`, zeros for the padding.
pub(super) fn gather(s: &Sizes, o: &Conv2d, x: &[f32], places: Range<usize>, columns: &mut [f32]) {
    for (tap, row) in columns.chunks_exact_mut(places.len()).enumerate() {
        for Run { all, whole, from } in runs(s, o, tap, places.clone()) {
            row[all.start..whole.start].fill(0.0);
            row[whole.end..all.end].fill(0.0);
            let to = &mut row[whole];
            match o.stride[1] {
                1 => to.copy_from_slice(&x[from..from + to.len()]),
                step => to
                    .iter_mut()
                    .zip(x[from.min(x.len())..].iter().step_by(step))
                    .for_each(|(to, x)| *to = *x),
            }
        }
    }
}

/// The reverse: what lies in the windows is added to the elements under them.
pub(super) fn scatter(s: &Sizes, o: &Conv2d, columns: &[f32], places: Range<usize>, x: &mut [f32]) {
    for (tap, row) in columns.chunks_exact(places.len()).enumerate() {
        for Run { whole, from, .. } in runs(s, o, tap, places.clone()) {
            let add = &row[whole];
            match o.stride[1] {
                1 => x[from..from + add.len()].iter_mut().zip(add).for_each(|(x, add)| *x += add),
                step => {
                    let from = from.min(x.len());
                    x[from..].iter_mut().step_by(step).zip(add).for_each(|(x, add)| *x += add);
                }
            }
        }
    }
}
