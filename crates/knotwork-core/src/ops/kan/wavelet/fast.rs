//! The CPU path: vectors along the inputs, where all of a layer's tensors are contiguous.
//!
//! Rows are split over threads for the forward sum and the gradient to x, outputs for the parameters', so no two threads
//! write one element, and the order of every sum depends on shapes only.

use rayon::prelude::*;

use super::{
    op::{Kind, WaveletSum},
    psi::{argument, both},
};
use crate::{
    cpu::{CpuInput, CpuIo},
    ops::{
        elementwise::vectorised,
        kan::dense::real::{LANES, Lanes, Real},
    },
};

/// Edges times rows below which a second thread costs more than it saves.
const PARALLEL: usize = 1 << 14;

/// One call.
struct Call<'a> {
    op: &'a WaveletSum,
    x: &'a [f32],
    g: &'a [f32],
    a: &'a [f32],
    s: &'a [f32],
    t: &'a [f32],
    h: Option<&'a [f32]>,
    rows: usize,
    inputs: usize,
    outputs: usize,
}

/// Runs the sum where all is f32 and contiguous.
pub(super) fn run(op: &WaveletSum, io: &mut CpuIo<'_>) -> Option<()> {
    let all: Vec<&[f32]> = io.inputs.iter().map(CpuInput::f32).collect::<Option<_>>()?;
    let shape = |i: usize| io.inputs[i].layout.shape();
    let first = if op.kind == Kind::Forward { 1 } else { 2 };
    let (rows, inputs, outputs) = (shape(0)[0], shape(0)[1], shape(first)[0]);
    let (a, s, t) = match op.kind {
        Kind::Parameters => (&[][..], all[2], all[3]),
        _ => (all[first], all[first + 1], all[first + 2]),
    };
    let g = if op.kind == Kind::Forward { &[][..] } else { all[1] };
    let h = op.weighted.then(|| all[all.len() - 1]);
    let call = Call { op, x: all[0], g, a, s, t, h, rows, inputs, outputs };
    let parallel = rows * inputs * outputs > PARALLEL;
    match op.kind {
        Kind::Forward => {
            let y = io.outputs[0].f32()?;
            each(y, outputs, parallel, |b, y| call.forward(b, y));
        }
        Kind::Input => {
            let v = io.outputs[0].f32()?;
            each(v, inputs, parallel, |b, v| call.input(b, v));
        }
        Kind::Parameters => {
            let mut outs = io.outputs.iter_mut().map(|out| out.f32());
            let (first, second, third) = (outs.next()??, outs.next()??, outs.next()??);
            let width = inputs.max(1);
            let rest = second.chunks_mut(width).zip(third.chunks_mut(width));
            let rows: Vec<[&mut [f32]; 3]> =
                first.chunks_mut(width).zip(rest).map(|(a, (b, c))| [a, b, c]).collect();
            if parallel {
                rows.into_par_iter().enumerate().for_each(|(o, outs)| call.parameters(o, outs));
            } else {
                rows.into_iter().enumerate().for_each(|(o, outs)| call.parameters(o, outs));
            }
        }
    }
    Some(())
}

/// Runs a task on each row.
fn each(y: &mut [f32], width: usize, parallel: bool, task: impl Fn(usize, &mut [f32]) + Send + Sync) {
    let width = width.max(1);
    if parallel {
        y.par_chunks_mut(width).enumerate().for_each(|(b, y)| task(b, y));
    } else {
        y.chunks_mut(width).enumerate().for_each(|(b, y)| task(b, y));
    }
}

impl Call<'_> {
    /// (a F, or F where there is no a; the second function; u) of the edges from input i of output o to row b.
    #[inline(always)]
    fn edges(&self, b: usize, o: usize, i: usize) -> (Lanes, Lanes, Lanes) {
        let (point, edge) = (b * self.inputs, o * self.inputs);
        let end = self.inputs;
        let x = Lanes::load(&self.x[point + i..point + end], 0.0);
        let s = Lanes::load(&self.s[edge + i..edge + end], 1.0);
        let t = Lanes::load(&self.t[edge + i..edge + end], 0.0);
        let u = argument(x, s, t);
        let [f, slope] = both(self.op.wavelet, self.op.power, self.op.derivative, u);
        (f, slope, u)
    }

    #[inline(always)]
    fn amplitude(&self, o: usize, i: usize) -> Lanes {
        Lanes::load(&self.a[o * self.inputs + i..(o + 1) * self.inputs], 0.0)
    }

    #[inline(always)]
    fn weight(&self, b: usize, i: usize) -> Option<Lanes> {
        self.h.map(|h| Lanes::load(&h[b * self.inputs + i..(b + 1) * self.inputs], 0.0))
    }

    fn forward(&self, b: usize, y: &mut [f32]) {
        vectorised(
            #[inline(always)]
            || {
                for (o, y) in y.iter_mut().enumerate() {
                    let mut sum = Lanes::splat(0.0);
                    for i in (0..self.inputs).step_by(LANES) {
                        let mut term = self.amplitude(o, i) * self.edges(b, o, i).0;
                        if let Some(h) = self.weight(b, i) {
                            term = term * h;
                        }
                        sum = sum + term;
                    }
                    *y = sum.0.iter().sum();
                }
            },
        );
    }

    fn input(&self, b: usize, v: &mut [f32]) {
        vectorised(
            #[inline(always)]
            || {
                for (i, v) in (0..self.inputs).step_by(LANES).zip(v.chunks_mut(LANES)) {
                    let mut sum = Lanes::splat(0.0);
                    for o in 0..self.outputs {
                        let g = Lanes([self.g[b * self.outputs + o]; LANES]);
                        sum = sum + g * self.amplitude(o, i) * self.edges(b, o, i).0;
                    }
                    v.copy_from_slice(&sum.0[..v.len()]);
                }
            },
        );
    }

    fn parameters(&self, o: usize, mut outs: [&mut [f32]; 3]) {
        vectorised(
            #[inline(always)]
            || {
                for i in (0..self.inputs).step_by(LANES) {
                    let mut sums = [Lanes::splat(0.0); 3];
                    for b in 0..self.rows {
                        let (f, slope, u) = self.edges(b, o, i);
                        let mut w = Lanes([self.g[b * self.outputs + o]; LANES]);
                        if let Some(h) = self.weight(b, i) {
                            w = w * h;
                        }
                        sums = [sums[0] + w * f, sums[1] + w * slope, sums[2] + w * u * slope];
                    }
                    let here = LANES.min(self.inputs - i);
                    for (out, sum) in outs.iter_mut().zip(&sums) {
                        out[i..i + here].copy_from_slice(&sum.0[..here]);
                    }
                }
            },
        );
    }
}
