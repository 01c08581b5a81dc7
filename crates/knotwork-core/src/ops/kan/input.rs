//! The gradient to x on the CPU: v_bi = Σ_o g_bo Σ_r w_r(x_bi) C[i, start + r, o].

use pulp::{Simd, WithSimd};

use super::{
    fast::Block,
    forward::Rows,
    lanes::{cover, get, load},
    local::Local,
    op::SplineSum,
};

/// One block of rows.
pub(super) struct Task<'a> {
    pub op: &'a SplineSum,
    pub rows: Rows<'a>,
    /// [rows, outputs]
    pub g: &'a [f32],
    /// The outputs that are not there to fill a vector.
    pub real: usize,
    /// [rows, inputs]
    pub y: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { op, rows, g, real, y } = self;
        let s = rows.sizes;
        let most = Block::POINTS.min(rows.x.len());
        let mut local = Local::new(op, rows.knots, most);
        let mut x = vec![0.0; most];
        for block in s.blocks() {
            let points = block.points();
            block.gather(rows.x, s.inputs, &mut x[..points]);
            local.fill(op, block.order(), &x[..points], None);
            if s.outputs < S::F32_LANES {
                narrow(op, &rows, &local, &block, g, y);
                continue;
            }
            match op.terms() {
                0 => wide::<S>(simd, 0, &rows, &local, &block, g, real, y),
                2 => wide::<S>(simd, 2, &rows, &local, &block, g, real, y),
                3 => wide::<S>(simd, 3, &rows, &local, &block, g, real, y),
                4 => wide::<S>(simd, 4, &rows, &local, &block, g, real, y),
                terms => wide::<S>(simd, terms, &rows, &local, &block, g, real, y),
            }
        }
    }
}

/// A block. The k + 1 rows of coefficients are combined first, so each point needs one horizontal sum.
#[inline(always)]
fn wide<S: Simd>(
    simd: S,
    terms: usize,
    rows: &Rows<'_>,
    local: &Local<'_>,
    block: &Block,
    g: &[f32],
    real: usize,
    y: &mut [f32],
) {
    let s = rows.sizes;
    let lanes = S::F32_LANES;
    debug_assert!(
        real == s.outputs || s.outputs == lanes,
        "only a single vector has lanes that are no outputs"
    );
    let (vectors, overlap) = cover(s.outputs, lanes);
    assert!(rows.coef.len() == s.inputs * s.bases * s.outputs && g.len() == s.rows * s.outputs);
    assert!(rows.base.is_none_or(|w| w.len() == s.inputs * s.outputs) && local.stride >= block.points());
    assert!(block.rows.end <= s.rows && block.inputs.end <= s.inputs && y.len() == s.rows * s.inputs);
    if overlap == 0 {
        match vectors {
            1 => return held::<S, 1>(simd, terms, rows, local, block, g, real, y),
            2 => return held::<S, 2>(simd, terms, rows, local, block, g, real, y),
            4 => return held::<S, 4>(simd, terms, rows, local, block, g, real, y),
            _ => {}
        }
    }
    let full = if overlap == 0 { vectors } else { vectors - 1 };
    let last = s.outputs - lanes;
    // Ones where the last, overlapping vector's lanes are not yet done.
    let mut fresh = [1.0f32; 64];
    fresh[..overlap].fill(0.0);
    for b in block.rows.clone() {
        // SAFETY: points are below `local.stride`, starts at most `bases - terms`, and vectors end within a row.
        unsafe {
            for i in block.inputs.clone() {
                let p = block.point(b, i);
                let from = (i * s.bases + get(&local.start, p) as usize) * s.outputs;
                let mut acc = simd.splat_f32s(0.0);
                for v in 0..full {
                    let f = combined::<S>(simd, terms, rows, local, i, p, from + v * lanes, v * lanes);
                    acc = simd.mul_add_e_f32s(load::<S>(g, b * s.outputs + v * lanes), f, acc);
                }
                if overlap > 0 {
                    let f = combined::<S>(simd, terms, rows, local, i, p, from + last, last);
                    let again = simd.mul_f32s(load::<S>(g, b * s.outputs + last), f);
                    let none = simd.splat_f32s(0.0);
                    let mask = simd.greater_than_f32s(load::<S>(&fresh, 0), none);
                    acc = simd.add_f32s(acc, simd.select_f32s(mask, again, none));
                }
                y[b * s.inputs + i] = simd.reduce_sum_f32s(acc);
            }
        }
    }
}

/// Rows of `NV` whole vectors: a row's cotangents stay in registers.
#[inline(always)]
fn held<S: Simd, const NV: usize>(
    simd: S,
    terms: usize,
    rows: &Rows<'_>,
    local: &Local<'_>,
    block: &Block,
    g: &[f32],
    real: usize,
    y: &mut [f32],
) {
    let s = rows.sizes;
    let lanes = S::F32_LANES;
    let none = simd.splat_f32s(0.0);
    // Ones where a lane is an output: times an infinite weight the others are no numbers.
    let mut outputs = [0.0f32; 64];
    outputs[..real.min(lanes)].fill(1.0);
    // SAFETY: `outputs` is longer than a vector; for the rest see the assertions of `wide`.
    unsafe {
        let outputs = simd.greater_than_f32s(load::<S>(&outputs, 0), none);
        for b in block.rows.clone() {
            let mut gs = [none; NV];
            for v in 0..NV {
                gs[v] = load::<S>(g, b * s.outputs + v * lanes);
            }
            for i in block.inputs.clone() {
                let p = block.point(b, i);
                let from = (i * s.bases + get(&local.start, p) as usize) * s.outputs;
                let mut sum = none;
                for v in 0..NV {
                    let f = combined::<S>(simd, terms, rows, local, i, p, from + v * lanes, v * lanes);
                    sum = simd.mul_add_e_f32s(gs[v], f, sum);
                }
                if real < s.outputs {
                    sum = simd.select_f32s(outputs, sum, none);
                }
                y[b * s.inputs + i] = simd.reduce_sum_f32s(sum);
            }
        }
    }
}

/// The edges' values from input i at point p to one vector of outputs: `from` is their place in the coefficients.
///
/// # Safety
/// As asserted by [`wide`].
#[inline(always)]
unsafe fn combined<S: Simd>(
    simd: S,
    terms: usize,
    rows: &Rows<'_>,
    local: &Local<'_>,
    i: usize,
    p: usize,
    from: usize,
    at: usize,
) -> S::f32s {
    let (out, len) = (rows.sizes.outputs, local.stride);
    let mut sum = simd.splat_f32s(0.0);
    // SAFETY: the caller's promise.
    unsafe {
        for r in 0..terms {
            let w = simd.splat_f32s(get(&local.weights, r * len + p));
            sum = simd.mul_add_e_f32s(w, load::<S>(rows.coef, from + r * out), sum);
        }
        if let Some(base) = rows.base {
            let w = simd.splat_f32s(get(&local.weights, terms * len + p));
            sum = simd.mul_add_e_f32s(w, load::<S>(base, i * out + at), sum);
        }
    }
    sum
}

/// A few rows of fewer outputs than a vector holds.
#[inline(always)]
fn narrow(op: &SplineSum, rows: &Rows<'_>, local: &Local<'_>, block: &Block, g: &[f32], y: &mut [f32]) {
    let (s, terms, len) = (rows.sizes, op.terms(), local.stride);
    let outputs = s.outputs;
    for b in block.rows.clone() {
        let g = &g[b * outputs..][..outputs];
        for i in block.inputs.clone() {
            let p = block.point(b, i);
            let mut sum = 0.0;
            let from = (i * s.bases + local.start[p] as usize) * outputs;
            for r in 0..terms {
                let c = &rows.coef[from + r * outputs..][..outputs];
                let mut dot = 0.0;
                for o in 0..outputs {
                    dot += g[o] * c[o];
                }
                sum += local.weights[r * len + p] * dot;
            }
            if let Some(base) = rows.base {
                let c = &base[i * outputs..][..outputs];
                let mut dot = 0.0;
                for o in 0..outputs {
                    dot += g[o] * c[o];
                }
                sum += local.weights[terms * len + p] * dot;
            }
            y[b * s.inputs + i] = sum;
        }
    }
}
