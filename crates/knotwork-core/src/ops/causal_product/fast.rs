//! The product on the CPU: blocks of positions and the state between them, batches in parallel.

use rayon::prelude::*;

use super::{BLOCK, Sizes};
use crate::ops::elementwise::vectorised;

/// Below so many multiplications a second thread costs more than it saves.
const PARALLEL: usize = 1 << 17;

/// `y` of `[a, b, c]`, all contiguous.
pub(super) fn run(s: Sizes, reverse: bool, [a, b, c]: [&[f32]; 3], y: &mut [f32]) {
    let (each, y_each) = ([s.n * s.d, s.m * s.d, s.m * s.e], s.n * s.e);
    if y_each == 0 {
        return;
    }
    let part = |x: &'_ [f32], batch: usize, size: usize| batch * size..batch * size + size.min(x.len());
    let one = |(batch, y): (usize, &mut [f32])| {
        let x = [&a[part(a, batch, each[0])], &b[part(b, batch, each[1])], &c[part(c, batch, each[2])]];
        vectorised(
            #[inline(always)]
            || batch_of(s, reverse, x, y),
        );
    };
    if s.batches * s.positions * (s.d + BLOCK) * s.e < PARALLEL {
        y.chunks_mut(y_each).enumerate().for_each(one);
    } else {
        y.par_chunks_mut(y_each).enumerate().for_each(one);
    }
}

#[inline(always)]
fn add_scaled(y: &mut [f32], scale: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += scale * x;
    }
}

#[inline(always)]
fn batch_of(s: Sizes, reverse: bool, [a, b, c]: [&[f32]; 3], y: &mut [f32]) {
    let Sizes { n, m, d, e, .. } = s;
    let mut state = vec![0.0f32; d * e];
    let mut sum = vec![0.0f32; e];
    // The block's keys, features outermost.
    let mut keys = vec![0.0f32; d * BLOCK];
    for first in (0..s.positions).step_by(BLOCK) {
        let time = |k: usize| s.begin + (first + k) as isize;
        let rows: [Option<usize>; BLOCK] = std::array::from_fn(|k| Sizes::row(time(k), m, reverse));
        for (k, row) in rows.iter().enumerate() {
            for f in 0..d {
                keys[f * BLOCK + k] = row.map_or(0.0, |row| b[row * d + f]);
            }
        }
        for r in 0..BLOCK {
            let Some(i) = Sizes::row(time(r) - s.offset, n, reverse) else { continue };
            let y = &mut y[i * e..(i + 1) * e];
            y.fill(0.0);
            let mut scores = [0.0f32; BLOCK];
            for f in 0..d {
                let x = a[i * d + f];
                add_scaled(&mut scores, x, &keys[f * BLOCK..(f + 1) * BLOCK]);
                add_scaled(y, x, &state[f * e..(f + 1) * e]);
            }
            for (score, row) in scores.iter().zip(rows).take(r + 1) {
                if let Some(row) = row {
                    add_scaled(y, *score, &c[row * e..(row + 1) * e]);
                }
            }
        }
        // The block's own sum first: the error grows with the number of blocks.
        for f in 0..d {
            sum.fill(0.0);
            for (k, row) in rows.iter().enumerate() {
                if let Some(row) = row {
                    add_scaled(&mut sum, keys[f * BLOCK + k], &c[row * e..(row + 1) * e]);
                }
            }
            add_scaled(&mut state[f * e..(f + 1) * e], 1.0, &sum);
        }
    }
}
