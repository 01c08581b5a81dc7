//! The CPU path: windows of x gathered into columns, a tile at a time, and a matrix product of each.

use rayon::prelude::*;

use super::{
    Conv2d,
    op::{Part, Sizes},
};

/// Columns gathered at once: rows of a tile stay in the nearest caches.
const TILE: usize = 512;
/// Places that one sum of a weight's gradient runs over before sums of sums begin: long chains of f32 lose digits.
const SPAN: usize = 128;
/// Below so many multiplications a second thread costs more than it saves.
const PARALLEL: usize = 1 << 18;

/// c = a b, or c += a b, of row-major matrices with these distances between rows and columns.
struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    strides: (usize, usize),
}

fn multiply(a: &Matrix<'_>, b: &Matrix<'_>, c: &mut [f32], stride: usize, add: bool) {
    let reach = |m: &Matrix<'_>| match (m.rows, m.columns) {
        (0, _) | (_, 0) => 0,
        (r, n) => (r - 1) * m.strides.0 + (n - 1) * m.strides.1 + 1,
    };
    assert!(reach(a) <= a.data.len() && reach(b) <= b.data.len() && a.columns == b.rows);
    assert!(a.rows == 0 || b.columns == 0 || (a.rows - 1) * stride + b.columns <= c.len());
    // SAFETY: all three matrices lie inside their slices, as was just checked, and c is borrowed alone.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            c.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.strides.1 as isize,
            a.strides.0 as isize,
            b.data.as_ptr(),
            b.strides.1 as isize,
            b.strides.0 as isize,
            if add { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Calls `each(row of the columns, offset in the tile, offset in x)` for each element of x under the windows of outputs
/// `first..last` of one image and group.
fn windows(s: &Sizes, o: &Conv2d, first: usize, last: usize, mut each: impl FnMut(usize, usize, usize)) {
    let [kh, kw] = s.kernel;
    for row in 0..s.c * kh * kw {
        let (channel, down, across) = (row / (kh * kw), row / kw % kh, row % kw);
        let (mut i, mut j) = (first / s.out[1], first % s.out[1]);
        for at in 0..last - first {
            let (y, x) = (i * o.stride[0] + down * o.dilation[0], j * o.stride[1] + across * o.dilation[1]);
            let (y, x) = (y.wrapping_sub(o.padding[0]), x.wrapping_sub(o.padding[1]));
            if y < s.image[0] && x < s.image[1] {
                each(row, at, (channel * s.image[0] + y) * s.image[1] + x);
            }
            j += 1;
            if j == s.out[1] {
                (i, j) = (i + 1, 0);
            }
        }
    }
}

pub(super) fn run(part: Part, s: &Sizes, o: &Conv2d, a: &[f32], b: &[f32], to: &mut [f32]) {
    let places = s.out[0] * s.out[1];
    let taps = s.c * s.kernel[0] * s.kernel[1];
    let (x_size, y_size, w_size) = (s.c * s.image[0] * s.image[1], s.o * places, s.o * taps);
    to.fill(0.0);
    if x_size * y_size * w_size == 0 {
        return;
    }
    let tiles = |each: usize| (0..places).step_by(each).map(move |first| (first, (first + each).min(places)));
    let group = |w: usize| w % s.groups;
    let body = |at: usize, to: &mut [f32]| {
        let mut columns = vec![0.0; taps * TILE.min(places)];
        match part {
            Part::Forward => {
                let (x, w) = (&a[at * x_size..][..x_size], &b[group(at) * w_size..][..w_size]);
                for (first, last) in tiles(TILE) {
                    let n = last - first;
                    columns.fill(0.0);
                    windows(s, o, first, last, |row, i, from| columns[row * n + i] = x[from]);
                    let w = Matrix { data: w, rows: s.o, columns: taps, strides: (taps, 1) };
                    let b = Matrix { data: &columns, rows: taps, columns: n, strides: (n, 1) };
                    multiply(&w, &b, &mut to[first..], places, false);
                }
            }
            Part::Input(_) => {
                let (y, w) = (&a[at * y_size..][..y_size], &b[group(at) * w_size..][..w_size]);
                for (first, last) in tiles(TILE) {
                    let n = last - first;
                    let w = Matrix { data: w, rows: taps, columns: s.o, strides: (1, taps) };
                    let b = Matrix { data: &y[first..], rows: s.o, columns: n, strides: (places, 1) };
                    multiply(&w, &b, &mut columns, n, false);
                    windows(s, o, first, last, |row, i, into| to[into] += columns[row * n + i]);
                }
            }
            Part::Weight(_) => {
                for image in 0..s.images {
                    let whole = image * s.groups + at;
                    let (x, y) = (&a[whole * x_size..][..x_size], &b[whole * y_size..][..y_size]);
                    for (first, last) in tiles(SPAN) {
                        let n = last - first;
                        columns.fill(0.0);
                        windows(s, o, first, last, |row, i, from| columns[row * n + i] = x[from]);
                        let y = Matrix { data: &y[first..], rows: s.o, columns: n, strides: (places, 1) };
                        let b = Matrix { data: &columns, rows: n, columns: taps, strides: (1, n) };
                        multiply(&y, &b, to, taps, true);
                    }
                }
            }
        }
    };
    // An image and group each, or a group of the weight: their outputs lie one behind the other.
    let size = match part {
        Part::Forward => y_size,
        Part::Input(_) => x_size,
        Part::Weight(_) => w_size,
    };
    if s.images * s.groups * s.o * taps * places < PARALLEL {
        to.chunks_exact_mut(size).enumerate().for_each(|(at, to)| body(at, to));
    } else {
        to.par_chunks_exact_mut(size).enumerate().for_each(|(at, to)| body(at, to));
    }
}
