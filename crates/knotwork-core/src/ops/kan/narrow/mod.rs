//! Layers of few outputs: a vector along those would be nearly empty, so the points of an input lie in its lanes.
//!
//! An edge's coefficients are a table in which each lane looks up its run (`lookup`); the gradients to coefficients are
//! added up cell by cell (`by_cell`).

mod by_cell;
mod lookup;

use pulp::{Arch, NullaryFnOnce};

use lookup::{Loads, Lookup, STEP};

use super::{
    fast::Sizes,
    forward::Rows,
    given::Inputs,
    local::{CHUNK, Chunk, Local},
    long::Long,
    op::{Kind, SplineSum},
};

pub(super) use by_cell::Task as ByCell;

/// The most outputs, and so the most that [`Points`] has room for.
const OUTPUTS: usize = 8;
/// The most outputs where coefficients are loaded one by one.
const LOADED: usize = 4;

/// Whether this is the way for a sum of such sizes.
pub(super) fn takes(op: &SplineSum, s: Sizes, arch: Arch) -> bool {
    if !(1..=OUTPUTS).contains(&s.outputs) || s.rows < CHUNK || s.inputs == 0 || op.terms() == 0 {
        return false;
    }
    match op.kind {
        Kind::Coefficients => by_cell::takes(op),
        // Making the tables must not cost more than the points.
        _ => s.bases * s.outputs <= 4 * s.rows && (s.outputs <= LOADED || registers(arch, s.bases) > 0),
    }
}

/// The pairs of registers that hold a table of so many coefficients, if the instruction set looks up in registers.
fn registers(arch: Arch, bases: usize) -> usize {
    match arch {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) if bases <= 2 * STEP => bases.div_ceil(STEP),
        _ => 0,
    }
}

/// The coefficients [inputs, bases, outputs] as tables [inputs, outputs, stride].
#[derive(Debug)]
pub(super) struct Tables {
    values: Long,
    stride: usize,
}

impl Tables {
    /// Copies them.
    pub fn new(coef: &[f32], s: Sizes) -> Self {
        let stride = s.bases.next_multiple_of(STEP);
        let mut values = Long::zeros(s.inputs * s.outputs, stride);
        for (coef, tables) in
            coef.chunks_exact(s.bases * s.outputs).zip(values.chunks_exact_mut(s.outputs * stride))
        {
            for (n, row) in coef.chunks_exact(s.outputs).enumerate() {
                for (o, &c) in row.iter().enumerate() {
                    tables[o * stride + n] = c;
                }
            }
        }
        Self { values, stride }
    }

    #[inline(always)]
    fn edge(&self, edge: usize) -> &[f32] {
        &self.values[edge * self.stride..][..self.stride]
    }
}

/// The forward sum, or with `g` the gradient to x, of a block of rows.
pub(super) struct Points<'a> {
    pub op: &'a SplineSum,
    /// The coefficients are in `tables`.
    pub rows: Rows<'a>,
    pub tables: &'a Tables,
    /// [rows, outputs]
    pub g: Option<&'a [f32]>,
    /// [rows, outputs], or [rows, inputs] with `g`
    pub y: &'a mut [f32],
}

impl Points<'_> {
    /// By the best way to look up that there is.
    pub fn run(self, arch: Arch) {
        match (registers(arch, self.rows.sizes.bases), arch) {
            #[cfg(target_arch = "x86_64")]
            (1, Arch::V4(simd)) => simd.vectorize(With(lookup::Registers::<1>(simd), self)),
            #[cfg(target_arch = "x86_64")]
            (2, Arch::V4(simd)) => simd.vectorize(With(lookup::Registers::<2>(simd), self)),
            _ => arch.dispatch(With(Loads, self)),
        }
    }
}

/// A task and its way to look up.
struct With<'a, L>(L, Points<'a>);

impl<L: Lookup> NullaryFnOnce for With<'_, L> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self(lookup, task) = self;
        match task.op.terms() {
            4 => points(lookup, 4, task),
            terms => points(lookup, terms, task),
        }
    }
}

const NONE: Chunk = Chunk::of(0.0);

#[inline(always)]
fn points<L: Lookup>(lookup: L, terms: usize, task: Points<'_>) {
    let Points { op, rows, tables, g, y } = task;
    let s = rows.sizes;
    assert!(tables.stride >= s.bases && terms <= s.bases);
    let mut local = Local::new(op, rows.knots, CHUNK);
    let (mut x, mut scale, mut values) = (NONE, NONE, NONE);
    let (mut sums, mut cotangents) = ([NONE; OUTPUTS], [NONE; OUTPUTS]);
    let elements = if g.is_some() { s.inputs } else { s.outputs };
    for (n, y) in y.chunks_mut(CHUNK * elements).enumerate() {
        let here = y.len() / elements;
        let from = |wide: usize| n * CHUNK * wide..(n * CHUNK + here) * wide;
        match g {
            Some(g) => cotangents.iter_mut().take(s.outputs).enumerate().for_each(|(o, to)| {
                column(&g[from(s.outputs)], s.outputs, o, to);
            }),
            None => sums[..s.outputs].fill(NONE),
        }
        for i in 0..s.inputs {
            column(&rows.x[from(s.inputs)], s.inputs, i, &mut x);
            if let Some(u) = rows.scale {
                column(&u[from(s.inputs)], s.inputs, i, &mut scale);
            }
            local.fill(op, Inputs::one(i), &x[..here], rows.scale.map(|_| &scale[..here]));
            let (weights, _) = local.weights.as_chunks::<CHUNK>();
            let Some(start) = local.start.first_chunk() else { return };
            let mut slope = NONE;
            for o in 0..s.outputs {
                let edge = i * s.outputs + o;
                // SAFETY: starts are at most `bases - terms`.
                unsafe { lookup.edge(tables.edge(edge), start, &weights[..terms], &mut values) };
                if let (Some(base), Some(silu)) = (rows.base, weights.get(terms)) {
                    add(silu, &[base[edge]; CHUNK], &mut values);
                }
                match g {
                    Some(_) => add(&cotangents[o], &values, &mut slope),
                    None => add(&[1.0; CHUNK], &values, &mut sums[o]),
                }
            }
            if g.is_some() {
                y.chunks_exact_mut(s.inputs).zip(&*slope).for_each(|(y, &v)| y[i] = v);
            }
        }
        if g.is_none() && s.outputs == 1 {
            y.copy_from_slice(&sums[0][..here]);
        } else if g.is_none() {
            for (b, y) in y.chunks_exact_mut(s.outputs).enumerate() {
                y.iter_mut().zip(&sums).for_each(|(y, sum)| *y = sum[b]);
            }
        }
    }
}

/// Column `at` of rows.
#[inline(always)]
fn column(rows: &[f32], wide: usize, at: usize, to: &mut [f32; CHUNK]) {
    rows.chunks_exact(wide).zip(to).for_each(|(row, to)| *to = row[at]);
}

/// Adds a product to each lane.
#[inline(always)]
fn add(a: &[f32; CHUNK], b: &[f32; CHUNK], to: &mut [f32; CHUNK]) {
    for l in 0..CHUNK {
        to[l] += a[l] * b[l];
    }
}
