//! The gradients to coefficients on the CPU: P[i, start + r, o] = Σ_b w_r(x_bi) g_bo, without conflicts.
//!
//! For one input at a time, rows are put in the order of their cells (a stable counting sort), so that the k + 1 rows of
//! P that a cell touches stay in registers until the next cell.

use pulp::{Simd, WithSimd};

use super::{
    fast::Sizes,
    given::Inputs,
    lanes::{cover, get, load},
    local::Local,
    op::SplineSum,
};

/// The fewest and the most rows that are sorted at once: as many as have their g in the first-level cache, but several
/// for each cell.
const ROWS: (usize, usize) = (64, 1024);
/// Cells up to which rows are ordered by scanning for each cell.
const SCANNED: usize = 4;
/// Terms of the widest register block: the largest order that has one, plus one, plus the base.
const WIDEST: usize = 7;

/// A block of inputs.
pub(super) struct Task<'a> {
    pub op: &'a SplineSum,
    /// [rows, all inputs]
    pub x: &'a [f32],
    /// [rows, outputs]
    pub g: &'a [f32],
    /// [rows, all inputs]
    pub scale: Option<&'a [f32]>,
    /// [all inputs, grid + 2 order + 1]
    pub knots: Option<&'a [f32]>,
    /// Of the whole call.
    pub sizes: Sizes,
    /// The block's first input.
    pub first: usize,
    /// [inputs of the block, bases, outputs]
    pub dc: &'a mut [f32],
    /// [inputs of the block, outputs], or nothing
    pub dw: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { op, x, g, scale, knots, sizes: s, first, dc, dw } = self;
        dc.fill(0.0);
        dw.fill(0.0);
        let per = s.bases * s.outputs;
        if per == 0 || s.rows == 0 {
            return;
        }
        let inputs = dc.len() / per;
        let cached = (6 << 10) / s.outputs;
        let chunk = cached.max(8 * op.basis.grid()).clamp(ROWS.0, ROWS.1).min(s.rows);
        let mut local = Local::new(op, knots, chunk * inputs);
        let mut columns = vec![0.0f32; chunk * inputs];
        let mut scales = vec![0.0f32; if scale.is_some() { chunk * inputs } else { 0 }];
        let mut nan = vec![false; inputs];
        let mut order = Order::new(chunk, op.basis.grid());
        for from in (0..s.rows).step_by(chunk) {
            let here = chunk.min(s.rows - from);
            let transpose = |source: &[f32], to: &mut [f32]| {
                for b in 0..here {
                    let row = &source[(from + b) * s.inputs + first..][..inputs];
                    for (i, &v) in row.iter().enumerate() {
                        to[i * here + b] = v;
                    }
                }
            };
            let points = here * inputs;
            let order_of = Inputs { first, wide: inputs, high: here };
            transpose(x, &mut columns);
            if let Some(u) = scale {
                transpose(u, &mut scales);
            }
            local.fill(op, order_of, &columns[..points], scale.map(|_| &scales[..points]));
            let g = &g[from * s.outputs..][..here * s.outputs];
            for i in 0..inputs {
                let range = i * here..(i + 1) * here;
                nan[i] |= columns[range.clone()].iter().any(|x| x.is_nan());
                let column = Column { local: &local, first: i * here, g, outputs: s.outputs };
                let dc = &mut dc[i * per..][..per];
                let dw = if op.base { &mut dw[i * s.outputs..][..s.outputs] } else { &mut [] };
                let terms = op.terms();
                if s.outputs < S::F32_LANES || terms + usize::from(op.base) > WIDEST {
                    scatter(terms, &column, here, dc, dw);
                    continue;
                }
                order.sort(&local.start[range], terms > 0);
                match terms {
                    0 => sorted::<S, 0>(simd, &column, &order, dc, dw),
                    1 => sorted::<S, 1>(simd, &column, &order, dc, dw),
                    2 => sorted::<S, 2>(simd, &column, &order, dc, dw),
                    3 => sorted::<S, 3>(simd, &column, &order, dc, dw),
                    4 => sorted::<S, 4>(simd, &column, &order, dc, dw),
                    5 => sorted::<S, 5>(simd, &column, &order, dc, dw),
                    _ => sorted::<S, 6>(simd, &column, &order, dc, dw),
                }
            }
        }
        // A NaN belongs to every function of its input, not only to those that a cell names.
        if op.terms() > 0 {
            (0..inputs).filter(|&i| nan[i]).for_each(|i| dc[i * per..(i + 1) * per].fill(f32::NAN));
        }
    }
}

/// The weights of one input at a chunk of rows, and the rows' cotangents.
struct Column<'a> {
    local: &'a Local<'a>,
    /// The input's first point.
    first: usize,
    g: &'a [f32],
    outputs: usize,
}

/// Rows in the order of their cells.
struct Order {
    rows: Vec<u32>,
    /// (first function, end in `rows`) of each cell that has rows.
    cells: Vec<(u32, u32)>,
    ends: Vec<u32>,
}

impl Order {
    fn new(rows: usize, grid: usize) -> Self {
        Self { rows: vec![0; rows], cells: Vec::with_capacity(grid), ends: vec![0; grid] }
    }

    /// For few cells, one pass for each: a count that stays in a register is faster than many counts in memory.
    #[inline(always)]
    fn scan(&mut self, start: &[u32]) {
        // One place more than there are rows, because each pass writes before it knows whether the row belongs to it.
        self.rows.resize(start.len() + 1, 0);
        let mut at = 0;
        for q in 0..self.ends.len() as u32 {
            let before = at;
            for (b, &s) in (0..).zip(start) {
                self.rows[at] = b;
                at += usize::from(s == q);
            }
            if at > before {
                self.cells.push((q, at as u32));
            }
        }
        self.rows.truncate(start.len());
    }

    /// A stable counting sort; one cell for all where the order does not matter.
    #[inline(always)]
    fn sort(&mut self, start: &[u32], matters: bool) {
        self.cells.clear();
        self.rows.resize(start.len(), 0);
        if !matters {
            self.rows.iter_mut().zip(0..).for_each(|(r, i)| *r = i);
            self.cells.push((0, start.len() as u32));
            return;
        }
        if self.ends.len() <= SCANNED {
            return self.scan(start);
        }
        self.ends.fill(0);
        for &q in start {
            self.ends[q as usize] += 1;
        }
        let mut at = 0;
        for (q, end) in self.ends.iter_mut().enumerate() {
            let count = *end;
            *end = at;
            at += count;
            if count > 0 {
                self.cells.push((q as u32, at));
            }
        }
        for (b, &q) in start.iter().enumerate() {
            let place = &mut self.ends[q as usize];
            self.rows[*place as usize] = b as u32;
            *place += 1;
        }
    }
}

/// Cell by cell, vectors along the outputs.
#[inline(always)]
fn sorted<S: Simd, const K: usize>(
    simd: S,
    column: &Column<'_>,
    order: &Order,
    dc: &mut [f32],
    dw: &mut [f32],
) {
    let (out, lanes) = (column.outputs, S::F32_LANES);
    let (vectors, overlap) = cover(out, lanes);
    let mut v = 0;
    while v < vectors {
        // Accumulators: (K + 2) vectors a column; with 32 registers there is room for more columns.
        if lanes == 16 && K <= 4 && v + 4 <= vectors && (overlap == 0 || v + 4 < vectors) {
            strip::<S, K, 4>(simd, column, order, v * lanes, 0, dc, dw);
            v += 4;
        } else if v + 2 <= vectors && (overlap == 0 || v + 2 < vectors) {
            strip::<S, K, 2>(simd, column, order, v * lanes, 0, dc, dw);
            v += 2;
        } else if overlap == 0 || v + 1 < vectors {
            strip::<S, K, 1>(simd, column, order, v * lanes, 0, dc, dw);
            v += 1;
        } else {
            strip::<S, K, 1>(simd, column, order, out - lanes, overlap, dc, dw);
            v += 1;
        }
    }
}

/// `NV` vectors from column `at` on; the first `done` columns belong to another strip.
#[inline(always)]
fn strip<S: Simd, const K: usize, const NV: usize>(
    simd: S,
    column: &Column<'_>,
    order: &Order,
    at: usize,
    done: usize,
    dc: &mut [f32],
    dw: &mut [f32],
) {
    let Column { local, first, g, outputs: out } = *column;
    let (len, lanes) = (local.stride, S::F32_LANES);
    let width = NV * lanes;
    assert!(at + width <= out && order.rows.iter().all(|&b| (b as usize + 1) * out <= g.len()));
    let zero = simd.splat_f32s(0.0);
    let mut base = [zero; NV];
    let mut from = 0;
    for &(start, end) in &order.cells {
        let mut acc = [[zero; NV]; K];
        // SAFETY: rows of the order are rows of g and points of the input (asserted above; `Local` has K + base rows).
        unsafe {
            for &b in &order.rows[from..end as usize] {
                let p = first + b as usize;
                let mut gs = [zero; NV];
                for v in 0..NV {
                    gs[v] = load::<S>(g, b as usize * out + at + v * lanes);
                }
                for r in 0..K {
                    let w = simd.splat_f32s(get(&local.weights, r * len + p));
                    for v in 0..NV {
                        acc[r][v] = simd.mul_add_e_f32s(w, gs[v], acc[r][v]);
                    }
                }
                if !dw.is_empty() {
                    let w = simd.splat_f32s(get(&local.weights, K * len + p));
                    for v in 0..NV {
                        base[v] = simd.mul_add_e_f32s(w, gs[v], base[v]);
                    }
                }
            }
        }
        from = end as usize;
        for r in 0..K {
            add(&mut dc[(start as usize + r) * out + at..][..width], simd, &acc[r], done);
        }
    }
    if !dw.is_empty() {
        add(&mut dw[at..at + width], simd, &base, done);
    }
}

/// Adds vectors to a run of elements, from lane `done` on.
#[inline(always)]
fn add<S: Simd>(to: &mut [f32], simd: S, values: &[S::f32s], done: usize) {
    if done == 0 {
        let (to, _) = S::as_mut_simd_f32s(to);
        for (to, &value) in to.iter_mut().zip(values) {
            *to = simd.add_f32s(*to, value);
        }
    } else {
        let values: &[f32] = bytemuck::cast_slice(values);
        to.iter_mut().zip(values).skip(done).for_each(|(to, v)| *to += v);
    }
}

/// Row by row, for few outputs or many terms.
#[inline(always)]
fn scatter(terms: usize, column: &Column<'_>, rows: usize, dc: &mut [f32], dw: &mut [f32]) {
    // Constant numbers of outputs, so that the loops over them unroll.
    match column.outputs {
        1 => scatter_to(1, terms, column, rows, dc, dw),
        2 => scatter_to(2, terms, column, rows, dc, dw),
        4 => scatter_to(4, terms, column, rows, dc, dw),
        out => scatter_to(out, terms, column, rows, dc, dw),
    }
}

#[inline(always)]
fn scatter_to(out: usize, terms: usize, column: &Column<'_>, rows: usize, dc: &mut [f32], dw: &mut [f32]) {
    let Column { local, first, g, .. } = *column;
    for b in 0..rows {
        let p = first + b;
        let g = &g[b * out..][..out];
        let from = local.start[p] as usize * out;
        let run = &mut dc[from..from + terms * out];
        for r in 0..terms {
            let w = local.weights[r * local.stride + p];
            for o in 0..out {
                run[r * out + o] += w * g[o];
            }
        }
        if !dw.is_empty() {
            let w = local.weights[terms * local.stride + p];
            for o in 0..out {
                dw[o] += w * g[o];
            }
        }
    }
}
