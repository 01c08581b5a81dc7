//! The forward sum on the CPU: y_bo = Σ_i Σ_r w_r(x_bi) C[i, start + r, o].

use pulp::{Simd, WithSimd};

use super::{
    fast::{Block, Sizes},
    lanes::{cover, get, load, store},
    local::Local,
    op::SplineSum,
};

/// A block of rows and what they are multiplied with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    /// [rows, inputs]
    pub x: &'a [f32],
    /// [rows, inputs]
    pub scale: Option<&'a [f32]>,
    /// [inputs, bases, outputs]
    pub coef: &'a [f32],
    /// [inputs, outputs]
    pub base: Option<&'a [f32]>,
    /// [inputs, grid + 2 order + 1]
    pub knots: Option<&'a [f32]>,
    /// `rows` is that of the block.
    pub sizes: Sizes,
}

/// One block of rows.
pub(super) struct Task<'a> {
    pub op: &'a SplineSum,
    pub rows: Rows<'a>,
    /// [rows, outputs]
    pub y: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { op, rows, y } = self;
        let s = rows.sizes;
        let most = Block::POINTS.min(rows.x.len());
        let mut local = Local::new(op, rows.knots, most);
        let mut x = vec![0.0; most];
        let mut scale = vec![0.0; if rows.scale.is_some() { most } else { 0 }];
        y.fill(0.0);
        for block in s.blocks() {
            let points = block.points();
            block.gather(rows.x, s.inputs, &mut x[..points]);
            if let Some(u) = rows.scale {
                block.gather(u, s.inputs, &mut scale[..points]);
            }
            local.fill(op, block.order(), &x[..points], rows.scale.map(|_| &scale[..points]));
            if s.outputs < S::F32_LANES {
                narrow(op, &rows, &local, &block, y);
                continue;
            }
            // Constant numbers of terms, so that the loops over them unroll.
            match op.terms() {
                0 => wide::<S>(simd, 0, &rows, &local, &block, y),
                2 => wide::<S>(simd, 2, &rows, &local, &block, y),
                3 => wide::<S>(simd, 3, &rows, &local, &block, y),
                4 => wide::<S>(simd, 4, &rows, &local, &block, y),
                terms => wide::<S>(simd, terms, &rows, &local, &block, y),
            }
        }
    }
}

/// Adds a block to y, vectors along the outputs.
#[inline(always)]
fn wide<S: Simd>(simd: S, terms: usize, rows: &Rows<'_>, local: &Local<'_>, block: &Block, y: &mut [f32]) {
    let s = rows.sizes;
    let (vectors, overlap) = cover(s.outputs, S::F32_LANES);
    assert!(rows.coef.len() == s.inputs * s.bases * s.outputs && y.len() == s.rows * s.outputs);
    assert!(rows.base.is_none_or(|w| w.len() == s.inputs * s.outputs) && local.stride >= block.points());
    assert!(block.rows.end <= s.rows && block.inputs.end <= s.inputs);
    for b in block.rows.clone() {
        let mut v = 0;
        while v < vectors {
            // The last vector begins earlier where the row is no multiple of it; the shared lanes are written once more
            // with the values that they had before this block plus the block's sum, so they must be read before.
            let at = v * S::F32_LANES;
            // SAFETY: `at` plus the vectors' lanes stay within a row of `outputs`, and rows within the slices asserted above.
            unsafe {
                if v + 8 <= vectors && (overlap == 0 || v + 8 < vectors) {
                    columns::<S, 8, 1>(simd, terms, rows, local, block, b, at, y);
                    v += 8;
                } else if v + 4 <= vectors && (overlap == 0 || v + 4 < vectors) {
                    // As many chains as there are registers for.
                    if S::F32_LANES == 16 {
                        columns::<S, 4, 4>(simd, terms, rows, local, block, b, at, y);
                    } else {
                        columns::<S, 4, 2>(simd, terms, rows, local, block, b, at, y);
                    }
                    v += 4;
                } else if v + 2 <= vectors && (overlap == 0 || v + 2 < vectors) {
                    columns::<S, 2, 2>(simd, terms, rows, local, block, b, at, y);
                    v += 2;
                } else if overlap == 0 || v + 1 < vectors {
                    columns::<S, 1, 4>(simd, terms, rows, local, block, b, at, y);
                    v += 1;
                } else {
                    tail::<S>(simd, terms, rows, local, block, b, y);
                    v += 1;
                }
            }
        }
    }
}

/// The last, overlapping vector: its lanes that are already done keep their values.
#[inline(always)]
unsafe fn tail<S: Simd>(
    simd: S,
    terms: usize,
    rows: &Rows<'_>,
    local: &Local<'_>,
    block: &Block,
    b: usize,
    y: &mut [f32],
) {
    let (out, lanes) = (rows.sizes.outputs, S::F32_LANES);
    let at = out - lanes;
    let done = lanes - out % lanes;
    let row = b * out + at;
    let mut kept = [0.0; 64];
    kept[..done].copy_from_slice(&y[row..row + done]);
    // SAFETY: the vector ends at the row's end.
    unsafe { columns::<S, 1, 4>(simd, terms, rows, local, block, b, at, y) };
    y[row..row + done].copy_from_slice(&kept[..done]);
}

/// Adds to `NV` vectors of row b, over `P` independent chains each.
#[inline(always)]
unsafe fn columns<S: Simd, const NV: usize, const P: usize>(
    simd: S,
    terms: usize,
    rows: &Rows<'_>,
    local: &Local<'_>,
    block: &Block,
    b: usize,
    at: usize,
    y: &mut [f32],
) {
    let s = rows.sizes;
    let len = local.stride;
    let mut acc = [[simd.splat_f32s(0.0); P]; NV];
    // SAFETY: points are below `local.stride`, starts at most `bases - terms`; see the assertions of `wide`.
    unsafe {
        for i in block.inputs.clone() {
            let p = block.point(b, i);
            let from = (i * s.bases + get(&local.start, p) as usize) * s.outputs + at;
            for r in 0..terms {
                let w = simd.splat_f32s(get(&local.weights, r * len + p));
                for v in 0..NV {
                    let c = load::<S>(rows.coef, from + r * s.outputs + v * S::F32_LANES);
                    acc[v][r % P] = simd.mul_add_e_f32s(w, c, acc[v][r % P]);
                }
            }
            if let Some(base) = rows.base {
                let w = simd.splat_f32s(get(&local.weights, terms * len + p));
                for v in 0..NV {
                    let c = load::<S>(base, i * s.outputs + at + v * S::F32_LANES);
                    acc[v][terms % P] = simd.mul_add_e_f32s(w, c, acc[v][terms % P]);
                }
            }
        }
        for v in 0..NV {
            let mut sum = acc[v][0];
            for p in 1..P {
                sum = simd.add_f32s(sum, acc[v][p]);
            }
            let row = b * s.outputs + at + v * S::F32_LANES;
            let before = load::<S>(y, row);
            store::<S>(y, row, simd.add_f32s(before, sum));
        }
    }
}

/// A few rows of fewer outputs than a vector holds: the coefficients of a point are one short contiguous run.
#[inline(always)]
fn narrow(op: &SplineSum, rows: &Rows<'_>, local: &Local<'_>, block: &Block, y: &mut [f32]) {
    let outputs = rows.sizes.outputs;
    for o in (0..outputs).step_by(8) {
        narrow_block(op, rows, local, block, y, o, 8.min(outputs - o));
    }
}

/// Up to 8 columns from `first` on. Each point's sum is made by itself, so that the chain over inputs is one addition.
#[inline(always)]
fn narrow_block(
    op: &SplineSum,
    rows: &Rows<'_>,
    local: &Local<'_>,
    block: &Block,
    y: &mut [f32],
    first: usize,
    wide: usize,
) {
    let (s, terms, len) = (rows.sizes, op.terms(), local.stride);
    for b in block.rows.clone() {
        let y = &mut y[b * s.outputs + first..][..wide];
        let mut acc = [0.0f32; 8];
        acc[..wide].copy_from_slice(y);
        for i in block.inputs.clone() {
            let p = block.point(b, i);
            let mut sum = [0.0f32; 8];
            let from = (i * s.bases + local.start[p] as usize) * s.outputs + first;
            for r in 0..terms {
                let w = local.weights[r * len + p];
                let c = &rows.coef[from + r * s.outputs..][..wide];
                for o in 0..wide {
                    sum[o] += w * c[o];
                }
            }
            if let Some(base) = rows.base {
                let w = local.weights[terms * len + p];
                let c = &base[i * s.outputs + first..][..wide];
                for o in 0..wide {
                    sum[o] += w * c[o];
                }
            }
            for o in 0..wide {
                acc[o] += sum[o];
            }
        }
        y.copy_from_slice(&acc[..wide]);
    }
}
